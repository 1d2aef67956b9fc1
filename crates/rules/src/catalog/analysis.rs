//! Types of a plan: coerced by the engine's rules, with what those rules take from the wrong place put right.

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result as DfResult, ScalarValue};
use datafusion::logical_expr::{Expr, LogicalPlan};

use super::planning_state;
use super::timestamps::in_microseconds;
use crate::harmless::each_expression;

/// Returns the plan with its types coerced and checked.
///
/// # Errors
/// A type that does not fit.
pub fn analyse(plan: LogicalPlan) -> DfResult<LogicalPlan> {
    let state = planning_state();
    let coerce = |plan| state.analyzer().execute_and_check(plan, state.config_options(), |_, _| {});
    let plan = coerce(with_literal_places(plan)?)?;
    match in_microseconds(&plan)? {
        Some(plan) => coerce(plan),
        None => Ok(plan),
    }
}

/// Returns the plan with the places of `round` as literals of the type that it takes. With a cast
/// around it, which the engine would put there and fold later, a literal does not decide the type of a rounded decimal, and
/// what is compared with it would have another type than it has in the end.
fn with_literal_places(plan: LogicalPlan) -> DfResult<LogicalPlan> {
    let mut found = false;
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            found |= expr.exists(|part| Ok(places(part).is_some()))?;
            Ok(TreeNodeRecursion::Continue)
        })
    })?;
    if !found {
        return Ok(plan);
    }
    each_expression(plan, |expr, _| {
        let whole = expr.transform_up(|part| {
            let Some(places) = places(&part) else { return Ok(Transformed::no(part)) };
            let Expr::ScalarFunction(mut call) = part else { return Ok(Transformed::no(part)) };
            if let Some(argument) = call.args.get_mut(1) {
                *argument = Expr::Literal(ScalarValue::Int32(Some(places)), None);
            }
            Ok(Transformed::yes(Expr::ScalarFunction(call)))
        });
        whole.map(|whole| whole.data)
    })
}

/// Returns the places that a number is rounded to, if they are a literal of a wider type.
fn places(part: &Expr) -> Option<i32> {
    let Expr::ScalarFunction(call) = part else { return None };
    match &call.args[..] {
        [_, Expr::Literal(ScalarValue::Int64(Some(places)), _)] if call.name() == "round" => {
            i32::try_from(*places).ok()
        }
        _ => None,
    }
}
