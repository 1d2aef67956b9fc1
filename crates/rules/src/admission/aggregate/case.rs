//! The CASE inside an aggregate that keeps or drops a row's value.

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{Case, Expr, Operator, binary_expr};
use wanqu_model::refusal::{Code, Refusal};

use crate::admission::base::BaseTables;
use crate::casts;

/// `CASE WHEN condition THEN value [ELSE 0 | NULL] END`, below exact casts.
pub(in crate::admission) struct Kept<'a> {
    pub condition: Expr,
    pub value: &'a Expr,
    pub else_zero: bool,
}

pub(in crate::admission) fn kept(expr: &Expr) -> Result<Option<Kept<'_>>, Refusal> {
    let case = match expr {
        Expr::Cast(cast) => return kept(&cast.expr),
        Expr::Case(case) => case,
        _ => return Ok(None),
    };
    let Case { expr: subject, when_then_expr, else_expr } = case;
    let [(when, then)] = &when_then_expr[..] else {
        return Err(branches());
    };
    let condition = match subject {
        Some(subject) => binary_expr(subject.as_ref().clone(), Operator::Eq, when.as_ref().clone()),
        None => when.as_ref().clone(),
    };
    let else_zero = match else_expr.as_deref().map(literal_of) {
        None => false,
        Some(Some(value)) if value.is_null() => false,
        Some(Some(value)) if is_zero(value) => true,
        Some(_) => return Err(branches()),
    };
    Ok(Some(Kept { condition, value: then, else_zero }))
}

pub(super) fn literal_of(expr: &Expr) -> Option<&ScalarValue> {
    match expr {
        Expr::Literal(value, _) => Some(value),
        Expr::Cast(cast) => literal_of(&cast.expr),
        Expr::TryCast(cast) => literal_of(&cast.expr),
        _ => None,
    }
}

pub(super) fn is_zero(value: &ScalarValue) -> bool {
    matches!(value.cast_to(&DataType::Float64), Ok(ScalarValue::Float64(Some(v))) if v == 0.0)
}

pub(super) fn branches() -> Refusal {
    Refusal::new(Code::AggregateArgument, "a CASE with several values inside an aggregate packs cells into one number")
        .with_rule("inside an aggregate a CASE keeps or drops: one condition, one value, and ELSE 0 or NULL")
        .with_subject("CASE")
        .with_remedy("use one aggregate for each branch, each with FILTER (WHERE ...), or group by the CASE")
}

/// Returns the condition of a cast of a condition to a number, whose sum counts the rows that meet it.
pub(in crate::admission) fn indicator<'a>(expr: &'a Expr, tables: &BaseTables) -> Option<&'a Expr> {
    let (inner, target) = match expr {
        Expr::Cast(cast) => (&cast.expr, cast.field.data_type()),
        Expr::TryCast(cast) => (&cast.expr, cast.field.data_type()),
        _ => return None,
    };
    let source = tables.type_of(inner).filter(|source| casts::is_allowed(source, target))?;
    if source == DataType::Boolean { Some(inner) } else { indicator(inner, tables) }
}
