//! Times in microseconds, as columns hold them.
//!
//! DataFusion 55 takes a TIMESTAMP for one in nanoseconds, and compares days, texts and times as such: 64 bits of
//! nanoseconds hold the years 1677 to 2262, and a sentinel day such as 9999-12-31 is an error there, or NULL. Microseconds
//! hold 290,000 years on both sides of 1970. So TIMESTAMP is planned in microseconds, and whatever the engine's coercion of
//! types or a function of it brings in nanoseconds becomes microseconds where it is met. Upstream:
//! apache/datafusion#6653.

use arrow::datatypes::{DataType, Field, FieldRef, TimeUnit};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, DFSchemaRef, DataFusionError, Result as DfResult, ScalarValue};
use datafusion::logical_expr::expr::{Cast, TryCast};
use datafusion::logical_expr::planner::TypePlanner;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan};
use datafusion::sql::sqlparser::ast::{DataType as SqlType, TimezoneInfo};
use std::sync::Arc;
use wanqu_model::refusal::{Code, Refusal};

use super::planning_state;
use crate::expressions::each_expression;

/// The SQL type TIMESTAMP: microseconds, without a time zone.
#[derive(Debug, Default)]
pub(super) struct Microseconds;

impl TypePlanner for Microseconds {
    fn plan_type_field(&self, sql_type: &SqlType) -> DfResult<Option<FieldRef>> {
        // With digits after the second it says its unit.
        let SqlType::Timestamp(None, zone) = sql_type else { return Ok(None) };
        let zoned = matches!(zone, TimezoneInfo::Tz | TimezoneInfo::WithTimeZone);
        let zone = planning_state().config_options().execution.time_zone.clone().filter(|_| zoned);
        let micros = DataType::Timestamp(TimeUnit::Microsecond, zone.map(Into::into));
        Ok(Some(Arc::new(Field::new("", micros, true))))
    }
}

/// Returns the cast of an integer to a time, which counts seconds, as the engine reads it in nanoseconds; `None` for another
/// expression.
pub(super) fn of_seconds(part: &Expr, schema: &DFSchema) -> Option<Expr> {
    let Expr::Cast(Cast { expr, field }) = part else { return None };
    let DataType::Timestamp(TimeUnit::Microsecond, zone) = field.data_type() else { return None };
    if !expr.get_type(schema).is_ok_and(|data_type| data_type.is_integer()) {
        return None;
    }
    let seconds = Cast::new(expr.clone(), DataType::Timestamp(TimeUnit::Second, zone.clone()));
    Some(Expr::Cast(Cast::new(Box::new(Expr::Cast(seconds)), field.data_type().clone())))
}

/// Checks that a plan casts no number to a day, or one with a fraction to a time, by itself or since the engine coerces types so:
/// the engine reads them in units of the type's own.
///
/// # Errors
/// The refusal of such a cast.
pub(super) fn check_numbers_as_times(plan: &LogicalPlan) -> DfResult<()> {
    plan.apply_with_subqueries(|node| {
        let schema = expression_schema(node);
        node.apply_expressions(|expr| check_number_as_time(expr, &schema).map(|()| TreeNodeRecursion::Continue))
    })?;
    Ok(())
}

/// Checks the same of an expression over these columns.
///
/// # Errors
/// As [`check_numbers_as_times`].
pub(super) fn check_number_as_time(expr: &Expr, schema: &DFSchema) -> DfResult<()> {
    expr.apply(
        |part| if is_number_as_time(part, schema) { Err(number_as_time()) } else { Ok(TreeNodeRecursion::Continue) },
    )?;
    Ok(())
}

fn is_number_as_time(part: &Expr, schema: &DFSchema) -> bool {
    let (expr, to) = match part {
        Expr::Cast(Cast { expr, field }) | Expr::TryCast(TryCast { expr, field }) => (expr, field.data_type()),
        _ => return false,
    };
    let Ok(from) = expr.get_type(schema) else { return false };
    match to {
        DataType::Date32 | DataType::Date64 => from.is_numeric(),
        DataType::Timestamp(..) => from.is_floating() || from.is_decimal(),
        _ => false,
    }
}

fn number_as_time() -> DataFusionError {
    let refusal = Refusal::new(Code::InvalidSql, "a number stands where a day or a time is meant")
        .with_rule("a whole number of seconds since 1970 can be CAST to a TIMESTAMP; no other number is a day or a time")
        .with_subject("CAST")
        .with_remedy(
            "write to_date(CAST(n AS VARCHAR), '%Y%m%d') for a number like 20240131, or DATE '1970-01-01' + n for days since 1970",
        );
    DataFusionError::External(Box::new(refusal))
}

/// Returns the plan with times in microseconds; `None` if it has no others. Its types must be coerced anew: functions that
/// take nothing else are given nanoseconds again.
pub(super) fn in_microseconds(plan: &LogicalPlan) -> DfResult<Option<LogicalPlan>> {
    if has_nanoseconds(plan)? { each_expression(plan.clone(), microseconds).map(Some) } else { Ok(None) }
}

/// Returns the type in microseconds of times in nanoseconds; `None` for another type.
fn coarser(data_type: &DataType) -> Option<DataType> {
    match data_type {
        DataType::Timestamp(TimeUnit::Nanosecond, zone) => {
            Some(DataType::Timestamp(TimeUnit::Microsecond, zone.clone()))
        }
        _ => None,
    }
}

/// Returns true if an expression of a plan is a time in nanoseconds.
fn has_nanoseconds(plan: &LogicalPlan) -> DfResult<bool> {
    let mut found = false;
    plan.apply_with_subqueries(|node| {
        let schema = expression_schema(node);
        node.apply_expressions(|expr| {
            expr.apply(|part| {
                found |= match part {
                    Expr::Cast(cast) => coarser(cast.field.data_type()).is_some(),
                    Expr::TryCast(cast) => coarser(cast.field.data_type()).is_some(),
                    Expr::ScalarFunction(_) | Expr::Literal(..) => {
                        part.get_type(&schema).is_ok_and(|data_type| coarser(&data_type).is_some())
                    }
                    _ => false,
                };
                Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
            })
        })
    })?;
    Ok(found)
}

fn expression_schema(node: &LogicalPlan) -> DFSchemaRef {
    Arc::new(crate::expressions::schema_of(node).unwrap_or_else(|_| DFSchema::empty()))
}

fn microseconds(expr: Expr, schema: &DFSchema) -> DfResult<Expr> {
    expr.transform_up(|part| microseconds_part(part, schema)).map(|changed| changed.data)
}

fn microseconds_part(part: Expr, schema: &DFSchema) -> DfResult<Transformed<Expr>> {
    Ok(match part {
        Expr::Literal(ScalarValue::TimestampNanosecond(value, zone), metadata) => {
            let micros = value.map(|nanos| nanos.div_euclid(1000));
            Transformed::yes(Expr::Literal(ScalarValue::TimestampMicrosecond(micros, zone), metadata))
        }
        Expr::Cast(Cast { expr, field }) => match coarser(field.data_type()) {
            Some(micros) if expr.get_type(schema)? == micros => Transformed::yes(*expr),
            Some(micros) => Transformed::yes(Expr::Cast(Cast::new(expr, micros))),
            None => Transformed::no(Expr::Cast(Cast { expr, field })),
        },
        Expr::TryCast(TryCast { expr, field }) => match coarser(field.data_type()) {
            Some(micros) if expr.get_type(schema)? == micros => Transformed::yes(*expr),
            Some(micros) => Transformed::yes(Expr::TryCast(TryCast::new(expr, micros))),
            None => Transformed::no(Expr::TryCast(TryCast { expr, field })),
        },
        Expr::OuterReferenceColumn(field, column) => match coarser(field.data_type()) {
            Some(micros) => {
                let field = Arc::new(field.as_ref().clone().with_data_type(micros));
                Transformed::yes(Expr::OuterReferenceColumn(field, column))
            }
            None => Transformed::no(Expr::OuterReferenceColumn(field, column)),
        },
        Expr::ScalarFunction(_) => match coarser(&part.get_type(schema)?) {
            Some(micros) => Transformed::yes(Expr::Cast(Cast::new(Box::new(part), micros))),
            None => Transformed::no(part),
        },
        part => Transformed::no(part),
    })
}
