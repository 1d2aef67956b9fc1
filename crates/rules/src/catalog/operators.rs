//! Operators of PostgreSQL that the engine does not have for these operands, where one of them is a constant.
//!
//! | written | here |
//! |---|---|
//! | `INTERVAL '1 day' * 2` | `INTERVAL '2 days'`; by a column or a fraction it is refused |
//! | `d + 1`, `d - 1` | the day after, the day before |
//! | `b = 'true'`, `b IN ('true', 'f')`, `b BETWEEN …`, `CASE b WHEN 'true' …` | the text is a truth |

use arrow::datatypes::{DataType, IntervalMonthDayNano};
use datafusion::common::{DFSchema, DataFusionError, Result as DfResult, ScalarValue};
use datafusion::logical_expr::expr::{Between, Case, InList};
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{Expr, ExprSchemable, lit};
use datafusion::sql::sqlparser::ast::BinaryOperator;
use wanqu_model::refusal::{Code, Refusal};

/// Plans such operators.
#[derive(Debug)]
pub(super) struct Operators;

impl ExprPlanner for Operators {
    fn plan_binary_op(&self, raw: RawBinaryExpr, schema: &DFSchema) -> DfResult<PlannerResult<RawBinaryExpr>> {
        use BinaryOperator::{Divide, Eq, Gt, GtEq, Lt, LtEq, Minus, Modulo, Multiply, NotEq, Plus};
        let type_of = |expr: &Expr| expr.get_type(schema).unwrap_or(DataType::Null);
        let (left, right) = (type_of(&raw.left), type_of(&raw.right));
        let is_interval = |data_type: &DataType| matches!(data_type, DataType::Interval(_));
        Ok(match &raw.op {
            Multiply | Divide | Modulo if is_interval(&left) || is_interval(&right) => {
                PlannerResult::Planned(multiplied(&raw)?)
            }
            Plus | Minus if left == DataType::Date32 && right.is_integer() => match days(&raw.right) {
                Some(days) => PlannerResult::Original(RawBinaryExpr { right: days, ..raw }),
                None => PlannerResult::Original(raw),
            },
            Plus if right == DataType::Date32 && left.is_integer() => match days(&raw.left) {
                Some(days) => PlannerResult::Original(RawBinaryExpr { left: raw.right, right: days, ..raw }),
                None => PlannerResult::Original(raw),
            },
            Eq | NotEq | Lt | LtEq | Gt | GtEq if left == DataType::Boolean && right.is_string() => {
                PlannerResult::Original(RawBinaryExpr { right: truth(&raw.right)?, ..raw })
            }
            Eq | NotEq | Lt | LtEq | Gt | GtEq if right == DataType::Boolean && left.is_string() => {
                PlannerResult::Original(RawBinaryExpr { left: truth(&raw.left)?, ..raw })
            }
            _ => PlannerResult::Original(raw),
        })
    }
}

/// Returns a list, a range or a CASE of a value in which constant texts stand beside truths, with the truths that these texts are;
/// `None` for another expression.
///
/// # Errors
/// A text that is no truth, or no constant.
pub(super) fn with_truths(part: &Expr, schema: &DFSchema) -> DfResult<Option<Expr>> {
    let compared: Vec<&Expr> = match part {
        Expr::InList(InList { expr, list, .. }) => std::iter::once(expr.as_ref()).chain(list).collect(),
        Expr::Between(Between { expr, low, high, .. }) => vec![expr, low, high],
        Expr::Case(Case { expr: Some(subject), when_then_expr, .. }) => {
            std::iter::once(subject.as_ref()).chain(when_then_expr.iter().map(|(when, _)| when.as_ref())).collect()
        }
        _ => return Ok(None),
    };
    let types: Vec<DataType> = compared.iter().map(|expr| expr.get_type(schema).unwrap_or(DataType::Null)).collect();
    if !types.contains(&DataType::Boolean) || !types.iter().any(DataType::is_string) {
        return Ok(None);
    }
    let as_truth = |expr: &Expr| match expr.get_type(schema) {
        Ok(data_type) if data_type.is_string() => truth(expr),
        _ => Ok(expr.clone()),
    };
    let boxed = |expr: &Expr| as_truth(expr).map(Box::new);
    Ok(Some(match part {
        Expr::InList(InList { expr, list, negated }) => {
            let list = list.iter().map(as_truth).collect::<DfResult<_>>()?;
            Expr::InList(InList { expr: boxed(expr)?, list, negated: *negated })
        }
        Expr::Between(Between { expr, negated, low, high }) => {
            Expr::Between(Between { expr: boxed(expr)?, negated: *negated, low: boxed(low)?, high: boxed(high)? })
        }
        Expr::Case(Case { expr: Some(subject), when_then_expr, else_expr }) => Expr::Case(Case {
            expr: Some(boxed(subject)?),
            when_then_expr: when_then_expr
                .iter()
                .map(|(when, then)| Ok((boxed(when)?, then.clone())))
                .collect::<DfResult<_>>()?,
            else_expr: else_expr.clone(),
        }),
        other => other.clone(),
    }))
}

fn whole_number(expr: &Expr) -> Option<i64> {
    match expr {
        Expr::Literal(value, _) if value.data_type().is_integer() => match value.cast_to(&DataType::Int64) {
            Ok(ScalarValue::Int64(number)) => number,
            _ => None,
        },
        Expr::Negative(inner) => whole_number(inner)?.checked_neg(),
        _ => None,
    }
}

fn interval(value: Option<IntervalMonthDayNano>) -> Expr {
    Expr::Literal(ScalarValue::IntervalMonthDayNano(value), None)
}

/// Returns a constant number of days as an interval; `None` for what is no constant, or too large.
fn days(number: &Expr) -> Option<Expr> {
    let days = i32::try_from(whole_number(number)?).ok()?;
    Some(interval(Some(IntervalMonthDayNano::new(0, days, 0))))
}

/// Returns the interval that a product of an interval and a whole number is, both constants.
fn multiplied(raw: &RawBinaryExpr) -> DfResult<Expr> {
    let constant = |expr: &Expr| match expr {
        Expr::Literal(ScalarValue::IntervalMonthDayNano(Some(interval)), _) => Some(*interval),
        _ => None,
    };
    let (left, right) = (&raw.left, &raw.right);
    let pair = constant(left).zip(whole_number(right)).or_else(|| constant(right).zip(whole_number(left)));
    let Some((of, times)) = pair.filter(|_| raw.op == BinaryOperator::Multiply) else {
        return Err(refused(
            "an interval is multiplied or divided by what is no whole-number constant",
            "the product of an interval is known when the query is planned",
            "an interval in arithmetic",
            "write the interval as it is meant, such as INTERVAL '36 hours', or multiply it by a whole number",
        ));
    };
    let small = |part: i32| i64::from(part).checked_mul(times).and_then(|part| i32::try_from(part).ok());
    let product = small(of.months).zip(small(of.days)).zip(of.nanoseconds.checked_mul(times));
    let product = product.map(|((months, days), nanoseconds)| IntervalMonthDayNano::new(months, days, nanoseconds));
    product.map(|product| interval(Some(product))).ok_or_else(|| {
        refused(
            "the product of an interval is out of range",
            "the months and days of an interval are whole numbers of 32 bits, and its nanoseconds of 64",
            "an interval in arithmetic",
            "write a smaller number",
        )
    })
}

/// Returns a constant text as the truth that PostgreSQL reads it as.
fn truth(text: &Expr) -> DfResult<Expr> {
    let Expr::Literal(value, _) = text else {
        return Err(refused(
            "a text is compared with a truth",
            "a truth is compared with a truth, or with a constant text that is one",
            "a comparison",
            "compare the text with a text: s = 'true'",
        ));
    };
    let Some(word) = value.try_as_str().flatten() else { return Ok(lit(ScalarValue::Boolean(None))) };
    match &*word.trim().to_ascii_lowercase() {
        "true" | "t" | "yes" | "y" | "on" | "1" => Ok(lit(true)),
        "false" | "f" | "no" | "n" | "off" | "0" => Ok(lit(false)),
        _ => Err(refused(
            "a truth is compared with a text that is none",
            "a constant text beside a truth is 'true' or 'false'",
            "a comparison",
            "write true or false",
        )),
    }
}

fn refused(message: &str, rule: &str, subject: &str, remedy: &str) -> DataFusionError {
    let refusal = Refusal::new(Code::InvalidSql, message).with_rule(rule).with_subject(subject);
    DataFusionError::External(Box::new(refusal.with_remedy(remedy)))
}

#[cfg(test)]
mod tests {
    use datafusion::logical_expr::LogicalPlan;

    use super::*;
    use crate::admission::testing::{bundle, shenzhen};
    use crate::catalog::Catalog;

    fn folded(value: &str) -> Result<String, Refusal> {
        let bundle = bundle();
        let plan = Catalog::owner(&bundle, &shenzhen()).plan(&format!("SELECT {value} AS x"), 1 << 20)?;
        let LogicalPlan::Projection(projection) = &plan else { panic!("{plan}") };
        let Expr::Literal(value, _) = projection.expr[0].clone().unalias() else { panic!("{value}: {plan}") };
        Ok(value.to_string())
    }

    #[test]
    fn constants_have_the_operators_of_postgresql() {
        for (written, meant) in [
            ("INTERVAL '1 month 2 days' * 3", "INTERVAL '3 months 6 days'"),
            ("-2 * INTERVAL '90 minutes'", "INTERVAL '-3 hours'"),
            ("DATE '2024-01-31' + INTERVAL '1 day' * 2", "DATE '2024-02-02'"),
            ("DATE '2024-02-28' + 2", "DATE '2024-03-01'"),
            ("2 + DATE '2024-02-28'", "DATE '2024-03-01'"),
            ("DATE '2024-03-01' - 1", "DATE '2024-02-29'"),
            ("true = 'yes'", "true"),
            ("'F' <> (1 = 1)", "true"),
            ("true IN ('f', 'TRUE')", "true"),
            ("true NOT IN ('f', NULL)", "true NOT IN (false, NULL)"),
            ("'no' IN (true, 1 = 2)", "true"),
            ("true BETWEEN 'f' AND 't'", "true"),
            ("CASE true WHEN 'off' THEN 1 WHEN 'on' THEN 2 END", "2"),
        ] {
            assert_eq!(folded(written), folded(meant), "{written}");
        }
    }

    #[test]
    fn what_has_no_meaning_is_refused_in_words() {
        for (value, words) in [
            ("INTERVAL '1 day' * 1.5", "no whole-number constant"),
            ("INTERVAL '1 day' / 2", "no whole-number constant"),
            ("INTERVAL '1 day' * INTERVAL '1 day'", "no whole-number constant"),
            ("INTERVAL '1 month' * 3000000000", "out of range"),
            ("true = 'maybe'", "that is none"),
            ("lower('T') = true", "a text is compared with a truth"),
            ("true IN ('t', 'maybe')", "that is none"),
            ("CASE true WHEN 'maybe' THEN 1 END", "that is none"),
        ] {
            let refusal = folded(value).expect_err(value);
            assert!(refusal.message.contains(words) && refusal.remedy.is_some(), "{value}: {refusal}");
        }
    }
}
