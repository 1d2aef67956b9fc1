//! Days beside intervals: a day and some hours are a point in time.
//!
//! DataFusion 55 gives a day plus an interval the type of the day, and so forgets the interval's hours: one day and 36 hours is
//! the next day there. In PostgreSQL it is a TIMESTAMP. Here it is one wherever the interval may have a time of day; a day and
//! months or days that are written as a constant stays a day.

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::logical_expr::expr::Cast;
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, Operator};

/// Returns the expression with days as points in time where it would forget hours; `None` for another expression.
pub(super) fn with_time(part: &Expr, schema: &DFSchema) -> Option<Expr> {
    let Expr::BinaryExpr(BinaryExpr { left, op: op @ (Operator::Plus | Operator::Minus), right }) = part else {
        return None;
    };
    let (l, r) = (left.get_type(schema).ok()?, right.get_type(schema).ok()?);
    let (left, right) = if is_day(&l) && has_time(right, &r) {
        (at_midnight(left), right.as_ref().clone())
    } else if *op == Operator::Plus && is_day(&r) && has_time(left, &l) {
        (left.as_ref().clone(), at_midnight(right))
    } else {
        return None;
    };
    Some(Expr::BinaryExpr(BinaryExpr { left: Box::new(left), op: *op, right: Box::new(right) }))
}

fn is_day(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Date32 | DataType::Date64)
}

/// Returns true if an expression is an interval that may have a part shorter than a day.
fn has_time(interval: &Expr, data_type: &DataType) -> bool {
    match (interval, data_type) {
        (Expr::Literal(ScalarValue::IntervalMonthDayNano(value), _), _) => {
            value.is_some_and(|value| value.nanoseconds != 0)
        }
        (Expr::Literal(ScalarValue::IntervalDayTime(value), _), _) => {
            value.is_some_and(|value| value.milliseconds != 0)
        }
        (_, DataType::Interval(_) | DataType::Duration(_)) => true,
        _ => false,
    }
}

/// Returns a day as the point in time at which it begins.
fn at_midnight(day: &Expr) -> Expr {
    Expr::Cast(Cast::new(Box::new(day.clone()), DataType::Timestamp(TimeUnit::Microsecond, None)))
}
