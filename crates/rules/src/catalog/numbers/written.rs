//! Numbers as they are written, and what is computed with them.

use std::collections::HashSet;

use arrow::datatypes::DataType;
use datafusion::common::{Column, Result as DfResult, ScalarValue};
use datafusion::logical_expr::utils::grouping_set_to_exprlist;
use datafusion::logical_expr::{BinaryExpr, Expr, LogicalPlan, Operator};

use super::is_decimal;

/// Functions and aggregates whose result is one of their values, or exact for decimals.
pub(super) const EXACT: [&str; 18] = [
    "abs",
    "ceil",
    "coalesce",
    "first_value",
    "floor",
    "greatest",
    "lag",
    "last_value",
    "lead",
    "least",
    "max",
    "min",
    "nth_value",
    "nullif",
    "nvl",
    "nvl2",
    "round",
    "sum",
];

/// Returns true if a value is computed with a number as it is written, given the columns and casts that are.
pub(super) fn is_written(expr: &Expr, columns: &HashSet<Column>, coerced: &HashSet<Expr>) -> bool {
    let any = |exprs: &[Expr]| exprs.iter().any(|expr| is_written(expr, columns, coerced));
    let one = |expr: &Expr| is_written(expr, columns, coerced);
    match expr {
        Expr::Literal(value, _) => is_decimal(&value.data_type()),
        Expr::Column(column) | Expr::OuterReferenceColumn(_, column) => columns.contains(column),
        Expr::Alias(alias) => one(&alias.expr),
        Expr::Negative(inner) => one(inner),
        Expr::Cast(_) => coerced.contains(expr),
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => is_arithmetic(*op) && (one(left) || one(right)),
        Expr::Case(case) => {
            case.when_then_expr.iter().any(|(_, then)| one(then)) || case.else_expr.as_deref().is_some_and(one)
        }
        Expr::ScalarFunction(call) => EXACT.contains(&call.name()) && any(&call.args),
        Expr::AggregateFunction(call) => EXACT.contains(&call.func.name()) && any(&call.params.args),
        Expr::WindowFunction(call) => EXACT.contains(&call.fun.name()) && any(&call.params.args),
        Expr::ScalarSubquery(subquery) => {
            subquery.subquery.schema().columns().first().is_some_and(|c| columns.contains(c))
        }
        _ => false,
    }
}

/// Returns true for arithmetic, the result of which has the types of its operands.
pub(super) fn is_arithmetic(op: Operator) -> bool {
    matches!(op, Operator::Plus | Operator::Minus | Operator::Multiply | Operator::Divide | Operator::Modulo)
}

/// Returns the columns of a node that are computed with written numbers, and are decimals for it.
pub(super) fn columns(node: &LogicalPlan, is_written: impl Fn(&Expr) -> bool) -> DfResult<Vec<Column>> {
    let schema = node.schema();
    let all = schema.columns();
    let inputs = |input: &LogicalPlan| input.schema().columns().into_iter().map(Expr::Column).collect::<Vec<_>>();
    let exprs: Vec<Vec<Expr>> = match node {
        LogicalPlan::Projection(projection) => vec![projection.expr.clone()],
        LogicalPlan::Window(window) => {
            vec![inputs(&window.input).into_iter().chain(window.window_expr.iter().cloned()).collect()]
        }
        LogicalPlan::SubqueryAlias(alias) => vec![inputs(&alias.input)],
        LogicalPlan::Union(union) => union.inputs.iter().map(|input| inputs(input)).collect(),
        LogicalPlan::RecursiveQuery(query) => vec![inputs(&query.static_term)],
        LogicalPlan::Values(values) => values.values.clone(),
        LogicalPlan::Aggregate(aggregate) => {
            let keys = grouping_set_to_exprlist(&aggregate.group_expr)?.into_iter().cloned();
            let first = all.len().saturating_sub(aggregate.aggr_expr.len());
            // The last key of grouping sets is their number.
            let keys = keys.chain(std::iter::repeat_with(|| Expr::Literal(ScalarValue::Null, None))).take(first);
            vec![keys.chain(aggregate.aggr_expr.iter().cloned()).collect()]
        }
        _ => vec![],
    };
    let found = all.into_iter().enumerate().filter(|(index, _)| {
        is_decimal(schema.field(*index).data_type())
            && exprs.iter().any(|exprs| exprs.get(*index).is_some_and(&is_written))
    });
    Ok(found.map(|(_, column)| column).collect())
}

/// Returns the float that is nearest to a decimal; `None` for another value.
pub(super) fn nearest_float(value: &ScalarValue) -> Option<ScalarValue> {
    if !is_decimal(&value.data_type()) {
        return None;
    }
    if value.is_null() {
        return Some(ScalarValue::Float64(None));
    }
    let Ok(ScalarValue::Utf8(Some(text))) = value.cast_to(&DataType::Utf8) else { return None };
    Some(ScalarValue::Float64(Some(text.parse().ok()?)))
}

/// Returns the decimal of its own digits that a text is; `None` for a text that is no plain number, or of more than 38 digits.
pub(super) fn decimal_of(text: &str) -> Option<ScalarValue> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let is_number = !(whole.is_empty() && fraction.is_empty())
        && whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit());
    let digits = format!("{}{fraction}", whole.trim_start_matches('0'));
    let precision = u8::try_from(digits.len().max(1)).ok().filter(|digits| *digits <= 38)?;
    if !is_number {
        return None;
    }
    let value: i128 = if digits.is_empty() { 0 } else { digits.parse().ok()? };
    let value = if text.starts_with('-') { -value } else { value };
    Some(ScalarValue::Decimal128(Some(value), precision, i8::try_from(fraction.len()).ok()?))
}

/// Returns the decimal of as many digits as an integer literal has; `None` for another expression.
pub(super) fn decimal_of_integer(expr: &Expr) -> Option<Expr> {
    match expr {
        Expr::Literal(value @ (ScalarValue::Int64(Some(_)) | ScalarValue::UInt64(Some(_))), _) => {
            Some(Expr::Literal(decimal_of(&value.to_string())?, None))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_decimals_of_their_own_digits() {
        for (text, value, precision, scale) in [
            ("1.50", 150, 3, 2),
            ("-0.05", -5, 2, 2),
            ("007", 7, 1, 0),
            ("0", 0, 1, 0),
            ("0.0", 0, 1, 1),
            (".5", 5, 1, 1),
            ("5.", 5, 1, 0),
        ] {
            assert_eq!(decimal_of(text), Some(ScalarValue::Decimal128(Some(value), precision, scale)), "{text}");
        }
        for text in ["", ".", "-", "1e5", " 1", "1.2.3", "NaN", &"9".repeat(39), &format!("0.{}", "0".repeat(39))] {
            assert_eq!(decimal_of(text), None, "{text}");
        }
    }

    #[test]
    fn a_decimal_becomes_the_nearest_float() {
        let of = |text: &str| nearest_float(&decimal_of(text).unwrap());
        for text in ["0.1", "-2.675", "12345678901234567890.1234", "0.12345678901234567890123456789012345678"] {
            assert_eq!(of(text), Some(ScalarValue::Float64(Some(text.parse().unwrap()))), "{text}");
        }
        assert_eq!(nearest_float(&ScalarValue::Int64(Some(1))), None);
    }
}
