//! Constant arguments of window functions and percentiles that have no meaning: the engine refuses some in its own words, when a
//! plan runs, and gives something for others.

use arrow::datatypes::DataType;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DataFusionError, Result as DfResult, ScalarValue};
use datafusion::logical_expr::{Expr, LogicalPlan};
use wanqu_model::refusal::{Code, Refusal};

/// Checks the arguments of a plan whose constants are folded.
///
/// # Errors
/// The refusal of the first that has no meaning.
pub(crate) fn check_positions(plan: &LogicalPlan) -> DfResult<()> {
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|part| match rule_broken_by(part) {
                None => Ok(TreeNodeRecursion::Continue),
                Some((name, rule)) => {
                    let refusal = Refusal::new(Code::InvalidSql, format!("{name} has no result for its argument"))
                        .with_rule(rule)
                        .with_subject(name.to_owned())
                        .with_remedy("correct the argument");
                    Err(DataFusionError::External(Box::new(refusal)))
                }
            })
        })
    })?;
    Ok(())
}

/// Aggregates that the engine cannot take values out of again, as a window that moves needs.
const ONLY_GROWING: [&str; 7] = ["array_agg", "bit_and", "bit_or", "bit_xor", "bool_and", "bool_or", "string_agg"];

/// Returns the function and the rule of an argument without a meaning, or of a frame that the engine has no function for.
fn rule_broken_by(part: &Expr) -> Option<(&str, &'static str)> {
    if let Expr::WindowFunction(call) = part
        && ONLY_GROWING.contains(&call.fun.name())
        && !call.params.window_frame.start_bound.is_unbounded()
    {
        return Some((call.fun.name(), "its window begins with UNBOUNDED PRECEDING"));
    }
    let (name, args) = match part {
        Expr::WindowFunction(call) => (call.fun.name(), &call.params.args),
        Expr::AggregateFunction(call) => (call.func.name(), &call.params.args),
        _ => return None,
    };
    if name != "count" && matches!(args.first(), Some(Expr::Literal(ScalarValue::Null, _))) {
        return Some((name, "an argument has a type, which NULL alone has not: CAST(NULL AS BIGINT) has one"));
    }
    let (at, holds, rule): (usize, fn(f64) -> bool, _) = match name {
        "ntile" => (0, |buckets| buckets >= 1.0, "ntile(n) takes a positive number of buckets"),
        "nth_value" => {
            (1, |place| place.abs() >= 1.0, "nth_value(x, n) takes a place of a row, which is not 0 or NULL")
        }
        "lag" | "lead" => (1, |_| true, "lag(x, n) and lead(x, n) take a number of rows, which is not NULL"),
        "percentile_cont" | "approx_percentile_cont" => {
            (1, |part| (0.0..=1.0).contains(&part), "a percentile is a constant between 0 and 1")
        }
        _ => return None,
    };
    let broken = match args.get(at)? {
        Expr::Literal(value, _) => number(value).is_none_or(|number| !holds(number)),
        // Places of rows can differ from row to row; a percentile cannot.
        other => name.ends_with("percentile_cont") && !other.column_refs().is_empty(),
    };
    broken.then_some((name, rule))
}

/// Returns a literal's number; `None` for NULL and for what is no number.
fn number(value: &ScalarValue) -> Option<f64> {
    match value.cast_to(&DataType::Float64) {
        Ok(ScalarValue::Float64(number)) => number,
        _ => None,
    }
}
