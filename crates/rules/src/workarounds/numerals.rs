//! Numbers as they are written: exact with a point, floats with an exponent, and none that is changed without a word.
//!
//! The engine's planner reads `1e5` as a decimal of a negative scale where it reads `0.1` as a decimal, takes `1e400` for
//! infinity where it reads floats, and has no words for a number of more digits than it holds. So a number with an exponent
//! is written as a CAST to DOUBLE, as DuckDB reads it, and what has no value of its type is refused.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    CastKind, DataType, ExactNumberInfo, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Query,
    SetExpr, Value, ValueWithSpan, Visit, Visitor,
};
use wanqu_model::refusal::{Code, Refusal};

/// Most digits of a number.
const MOST_DIGITS: usize = 38;

/// Most characters of a number that a refusal quotes.
const MOST_QUOTED: usize = 60;

/// Rewrites a number with an exponent, and refuses one that its type does not hold.
pub(super) fn rewrite(expr: &mut Expr) -> ControlFlow<Box<Refusal>> {
    let Expr::Value(ValueWithSpan { value: Value::Number(digits, _), .. }) = expr else {
        return ControlFlow::Continue(());
    };
    let digits: String = digits.chars().filter(|c| *c != '_').collect();
    if !digits.contains(['e', 'E']) {
        return check_digits(&digits);
    }
    let is_zero = !digits.split(['e', 'E']).next().unwrap_or_default().contains(|c: char| ('1'..='9').contains(&c));
    match digits.parse::<f64>() {
        Ok(float) if float.is_finite() && (float == 0.0) == is_zero => {}
        _ => return refuse(&digits, "is beyond the range of a DOUBLE", "a number with an exponent is a DOUBLE"),
    }
    *expr = Expr::Cast {
        kind: CastKind::Cast,
        expr: Box::new(Expr::value(Value::SingleQuotedString(digits))),
        data_type: DataType::Double(ExactNumberInfo::None),
        array: false,
        format: None,
    };
    ControlFlow::Continue(())
}

/// Has the numbers with a point that are arguments of a function over lists read as floats, as the items of lists are.
pub(super) fn as_items_of_lists(function: &mut Function) {
    let name = function.name.to_string().to_lowercase();
    let FunctionArguments::List(list) = &mut function.args else { return };
    if !(name.starts_with("array_") || name.starts_with("list_")) {
        return;
    }
    for arg in &mut list.args {
        if let FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) = arg {
            as_float(expr);
        }
    }
}

/// Has the numbers with a point of VALUES read as floats where another row of their column has a float. The engine would
/// make decimals of 15 digits after the point of both.
pub(super) fn as_other_rows(query: &mut Query) {
    let SetExpr::Values(values) = query.body.as_mut() else { return };
    let width = values.rows.iter().map(|row| row.len()).max().unwrap_or(0);
    for column in 0..width {
        if values.rows.iter().filter_map(|row| row.get(column)).any(is_float) {
            for cell in values.rows.iter_mut().filter_map(|row| row.get_mut(column)) {
                as_float(cell);
            }
        }
    }
}

/// Returns true if an expression has a number with an exponent, or a cast to a float.
fn is_float(expr: &Expr) -> bool {
    struct Floats;
    impl Visitor for Floats {
        type Break = ();

        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            let found = match expr {
                Expr::Value(ValueWithSpan { value: Value::Number(digits, _), .. }) => digits.contains(['e', 'E']),
                Expr::Cast { data_type, .. } => matches!(
                    data_type,
                    DataType::Double(_) | DataType::DoublePrecision | DataType::Float(_) | DataType::Real
                ),
                _ => false,
            };
            if found { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        }
    }
    Visit::visit(expr, &mut Floats).is_break()
}

/// Gives a number with a point, with a sign or without, an exponent.
fn as_float(expr: &mut Expr) {
    match expr {
        Expr::Value(ValueWithSpan { value: Value::Number(digits, _), .. })
            if digits.contains('.') && !digits.contains(['e', 'E']) =>
        {
            digits.push_str("e0");
        }
        Expr::UnaryOp { expr, .. } | Expr::Nested(expr) => as_float(expr),
        _ => {}
    }
}

/// Refuses a number of more digits than a decimal holds.
fn check_digits(digits: &str) -> ControlFlow<Box<Refusal>> {
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.trim_start_matches('0').len() + fraction.len() <= MOST_DIGITS {
        return ControlFlow::Continue(());
    }
    refuse(
        digits,
        "has more than 38 digits",
        "a number is exact as it is written, and has at most 38 digits, before and after the point",
    )
}

fn refuse(number: &str, why: &str, rule: &str) -> ControlFlow<Box<Refusal>> {
    let quoted = match number.char_indices().nth(MOST_QUOTED) {
        Some((end, _)) => format!("{}…", &number[..end]),
        None => number.to_owned(),
    };
    let refusal = Refusal::new(Code::InvalidSql, format!("the number {quoted} {why}"))
        .with_rule(rule)
        .with_subject(quoted)
        .with_remedy("write fewer digits, or CAST('…' AS DOUBLE) for the float that is nearest");
    ControlFlow::Break(Box::new(refusal))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(number: &str) -> Result<String, String> {
        let mut expr = Expr::value(Value::Number(number.to_owned(), false));
        match rewrite(&mut expr) {
            ControlFlow::Continue(()) => Ok(expr.to_string()),
            ControlFlow::Break(refusal) => Err(refusal.message),
        }
    }

    #[test]
    fn a_number_is_exact_or_a_float_or_refused() {
        for exact in ["1", "0.1", "12345678901234567890.1234", ".5", "5.", &"9".repeat(38), "0000.00"] {
            assert_eq!(rewritten(exact).as_deref(), Ok(exact));
        }
        for float in ["1e5", "2.5E-3", "0e999", "1.7976931348623157e308"] {
            let cast = format!("CAST('{float}' AS DOUBLE)");
            assert_eq!(rewritten(float).as_deref(), Ok(cast.as_str()));
        }
        assert_eq!(rewritten("1_0e5").as_deref(), Ok("CAST('10e5' AS DOUBLE)"));
        for beyond in ["1e400", "1e-400"] {
            assert_eq!(rewritten(beyond), Err(format!("the number {beyond} is beyond the range of a DOUBLE")));
        }
        for long in ["9".repeat(39), format!("0.{}1", "0".repeat(38)), "1".repeat(500)] {
            let refused = rewritten(&long).unwrap_err();
            assert!(refused.ends_with("has more than 38 digits") && refused.len() < 120, "{refused}");
        }
    }
}
