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

/// Returns the function and the rule of an argument without a meaning.
fn rule_broken_by(part: &Expr) -> Option<(&str, &'static str)> {
    let (name, args) = match part {
        Expr::WindowFunction(call) => (call.fun.name(), &call.params.args),
        Expr::AggregateFunction(call) => (call.func.name(), &call.params.args),
        _ => return None,
    };
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
