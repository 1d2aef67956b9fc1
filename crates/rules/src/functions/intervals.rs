//! Lengths of intervals, by which they are compared.
//!
//! DataFusion 55 compares intervals part by part, months before days before hours, so that 24 hours are less than a day. In
//! PostgreSQL, and here, a month is as long as 30 days and a day as 24 hours where intervals are compared. Intervals are not
//! put into an order or into groups, which the engine would do by their parts.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalUnit};
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, DataFusionError, Result as DfResult, plan_err};
use datafusion::logical_expr::expr::Cast;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, Operator};
use wanqu_model::refusal::{Code, Refusal};

use super::cast::{original_cast, per_second};
use crate::expressions::schema_of;

const NANOS_PER_DAY: i128 = 24 * 60 * 60 * 1_000_000_000;
const DAYS_PER_MONTH: i128 = 30;

/// Functions that compare their arguments.
const COMPARING: [&str; 5] = ["greatest", "least", "nullif", "min", "max"];

pub(super) fn is_interval(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Interval(_))
}

/// Returns the length of an interval in nanoseconds.
fn length(interval: IntervalMonthDayNano) -> i128 {
    let days = i128::from(interval.months) * DAYS_PER_MONTH + i128::from(interval.days);
    days * NANOS_PER_DAY + i128::from(interval.nanoseconds)
}

/// Returns the operand of a comparison as it was before the engine made an interval of it: a difference of times keeps its
/// range so.
///
/// # Errors
/// A cast without its operand.
pub(super) fn as_difference(operand: &Expr, schema: &DFSchema) -> DfResult<Expr> {
    Ok(match original_cast(operand)?.as_ref().unwrap_or(operand) {
        Expr::Cast(Cast { expr, field })
            if is_interval(field.data_type())
                && expr.get_type(schema).is_ok_and(|data_type| matches!(data_type, DataType::Duration(_))) =>
        {
            expr.as_ref().clone()
        }
        _ => operand.clone(),
    })
}

/// Returns the lengths of a column of intervals, or of differences of times, in nanoseconds.
fn lengths(column: &ArrayRef) -> DfResult<Vec<Option<i128>>> {
    if let DataType::Duration(unit) = column.data_type() {
        let nanos = i128::from(1_000_000_000 / per_second(*unit));
        let counts = cast(column, &DataType::Int64)?;
        let counts = counts.as_primitive::<Int64Type>().iter();
        return Ok(counts.map(|count| count.map(|count| i128::from(count) * nanos)).collect());
    }
    let in_parts = cast(column, &DataType::Interval(IntervalUnit::MonthDayNano))?;
    let intervals = in_parts.as_primitive::<IntervalMonthDayNanoType>().iter();
    Ok(intervals.map(|interval| interval.map(length)).collect())
}

/// Compares two columns of intervals, or of differences of times, by their lengths.
///
/// # Errors
/// An operator that is no comparison.
pub(super) fn compared(left: &ArrayRef, op: Operator, right: &ArrayRef) -> DfResult<ArrayRef> {
    let holds: fn(i128, i128) -> bool = match op {
        Operator::Eq | Operator::IsNotDistinctFrom => |a, b| a == b,
        Operator::NotEq | Operator::IsDistinctFrom => |a, b| a != b,
        Operator::Lt => |a, b| a < b,
        Operator::LtEq => |a, b| a <= b,
        Operator::Gt => |a, b| a > b,
        Operator::GtEq => |a, b| a >= b,
        other => return plan_err!("{other} is no comparison of intervals"),
    };
    let truth = lengths(left)?.into_iter().zip(lengths(right)?).map(|pair| match (pair, op) {
        ((Some(a), Some(b)), _) => Some(holds(a, b)),
        ((a, b), Operator::IsDistinctFrom) => Some(a.is_some() != b.is_some()),
        ((a, b), Operator::IsNotDistinctFrom) => Some(a.is_some() == b.is_some()),
        _ => None,
    });
    Ok(Arc::new(truth.collect::<BooleanArray>()))
}

/// Checks that a plan puts no intervals into an order or into groups.
///
/// # Errors
/// The refusal of the first that it does.
pub(crate) fn check_intervals(plan: &LogicalPlan) -> DfResult<()> {
    plan.apply_with_subqueries(|node| {
        let schema = schema_of(node)?;
        let is = |expr: &Expr| expr.get_type(&schema).is_ok_and(|data_type| is_interval(&data_type));
        let all = |schema: &DFSchema| schema.fields().iter().any(|field| is_interval(field.data_type()));
        let ordered = match node {
            LogicalPlan::Sort(sort) => sort.expr.iter().any(|key| is(&key.expr)),
            LogicalPlan::Aggregate(aggregate) => aggregate.group_expr.iter().any(|key| match key {
                Expr::GroupingSet(sets) => sets.distinct_expr().into_iter().any(is),
                key => is(key),
            }),
            LogicalPlan::Distinct(distinct) => all(distinct.input().schema()),
            LogicalPlan::Join(join) => join.on.iter().any(|(left, right)| is(left) || is(right)),
            _ => false,
        };
        if ordered {
            return Err(refusal());
        }
        node.apply_expressions(|expr| {
            expr.apply(|part| if compares(part, &is) { Err(refusal()) } else { Ok(TreeNodeRecursion::Continue) })
        })
    })?;
    Ok(())
}

/// Returns true if an expression orders intervals or looks for one among others.
fn compares(part: &Expr, is: &impl Fn(&Expr) -> bool) -> bool {
    match part {
        Expr::ScalarFunction(call) => COMPARING.contains(&call.name()) && call.args.iter().any(is),
        Expr::AggregateFunction(call) => {
            let params = &call.params;
            let compared = params.distinct || COMPARING.contains(&call.func.name());
            (compared && params.args.iter().any(is)) || params.order_by.iter().any(|key| is(&key.expr))
        }
        Expr::WindowFunction(call) => {
            let params = &call.params;
            let compared = params.distinct || COMPARING.contains(&call.fun.name());
            (compared && params.args.iter().any(is))
                || params.partition_by.iter().any(is)
                || params.order_by.iter().any(|key| is(&key.expr))
        }
        Expr::InList(list) => is(&list.expr),
        Expr::InSubquery(membership) => is(&membership.expr),
        Expr::SetComparison(comparison) => is(&comparison.expr),
        Expr::Case(case) => case.expr.as_deref().is_some_and(is),
        _ => false,
    }
}

fn refusal() -> DataFusionError {
    let refusal =
        Refusal::new(Code::InvalidSql, "intervals are not put into an order, into groups, or looked for in a list")
            .with_rule("an interval has months, days and shorter parts, whose lengths differ from one to another")
            .with_subject("INTERVAL")
            .with_remedy("order and group by times, or by whole days: CAST(a AS DATE) - CAST(b AS DATE)");
    DataFusionError::External(Box::new(refusal))
}

#[cfg(test)]
mod tests {
    use arrow::array::IntervalMonthDayNanoArray;

    use super::*;

    #[test]
    fn intervals_are_as_long_as_in_postgresql() {
        let interval = IntervalMonthDayNano::new;
        let hour = 3_600_000_000_000;
        for (a, op, b, expected) in [
            (interval(0, 0, 24 * hour), Operator::Eq, interval(0, 1, 0), true),
            (interval(0, 0, 36 * hour), Operator::Gt, interval(0, 1, 0), true),
            (interval(1, 0, 0), Operator::Eq, interval(0, 30, 0), true),
            (interval(1, 0, 0), Operator::Lt, interval(0, 30, 1), true),
            (interval(0, 100, 0), Operator::LtEq, interval(3, 9, 24 * hour), true),
            (interval(i32::MAX, i32::MAX, i64::MAX), Operator::NotEq, interval(i32::MIN, i32::MIN, i64::MIN), true),
            (interval(0, -1, 0), Operator::IsDistinctFrom, interval(0, 0, -24 * hour), false),
        ] {
            let column = |value| -> ArrayRef { Arc::new(IntervalMonthDayNanoArray::from(vec![Some(value), None])) };
            let truth = compared(&column(a), op, &column(b)).unwrap();
            assert_eq!(truth.as_boolean().value(0), expected, "{a:?} {op} {b:?}");
            assert_eq!(truth.is_null(1), op != Operator::IsDistinctFrom, "{op}");
        }
    }
}
