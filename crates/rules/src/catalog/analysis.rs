//! Types of a plan: coerced by the engine's rules, with what those rules take from the wrong place put right.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, Result as DfResult, ScalarValue};
use datafusion::logical_expr::{Expr, LogicalPlan};

use super::frames::with_wide_key;
use super::moments::with_time;
use super::numbers;
use super::operators::with_truths;
use super::planning_state;
use super::temporal;
use super::timestamps::{check_number_as_time, check_numbers_as_times, in_microseconds, of_seconds};
use crate::expressions::each_expression;

/// Returns the plan with its types coerced and checked.
///
/// # Errors
/// A type that does not fit.
pub fn analyse(plan: LogicalPlan) -> DfResult<LogicalPlan> {
    coerced(prepared(plan)?)
}

/// Returns the plan of a text with its types coerced and checked, where numbers have the types in which they are written.
///
/// # Errors
/// A type that does not fit.
pub(super) fn analyse_text(plan: LogicalPlan) -> DfResult<LogicalPlan> {
    let plan = coerced(numbers::settled(prepared(plan)?)?)?;
    temporal::check_zones(&plan)?;
    Ok(plan)
}

/// Returns an expression over these columns as a text has it, with operands of types that keep every value.
///
/// # Errors
/// A type that does not fit.
pub(super) fn settle_text(expr: Expr, columns: &DFSchema) -> DfResult<Expr> {
    let expr = numbers::settled_expr(prepared_expr(expr, columns)?, columns)?;
    check_number_as_time(&expr, columns)?;
    Ok(expr)
}

/// Returns the plan with its types coerced, as a part of a plan that was analysed needs it for what was added to it.
///
/// # Errors
/// A type that does not fit.
pub(super) fn coerced(plan: LogicalPlan) -> DfResult<LogicalPlan> {
    let state = planning_state();
    let coerce = |plan| state.analyzer().execute_and_check(plan, state.config_options(), |_, _| {});
    let plan = coerce(plan)?;
    let plan = match in_microseconds(&plan)? {
        Some(plan) => coerce(plan)?,
        None => plan,
    };
    check_numbers_as_times(&plan)?;
    Ok(plan)
}

/// Returns the plan with parts that coercion would read in another way than they are meant: the places of [`round`](places),
/// integers as [times](of_seconds), [days and times](temporal), days beside [intervals](with_time), keys of
/// [frames](with_wide_key), texts beside [truths](with_truths), and functions that a syntax of their own names by the engine's in place of [those here](own).
fn prepared(plan: LogicalPlan) -> DfResult<LogicalPlan> {
    let mut found = false;
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            found |= expr.exists(|part| Ok(!matches!(part, Expr::Column(_) | Expr::Literal(..) | Expr::Alias(_))))?;
            Ok(TreeNodeRecursion::Continue)
        })
    })?;
    if !found {
        return Ok(plan);
    }
    each_expression(plan, prepared_expr)
}

fn prepared_expr(expr: Expr, schema: &DFSchema) -> DfResult<Expr> {
    let whole = expr.transform_up(|part| {
        let changed = places(&part)
            .or_else(|| of_seconds(&part, schema))
            .or_else(|| with_time(&part, schema))
            .or_else(|| own(&part));
        let changed = match changed {
            None => with_wide_key(&part, schema)?,
            changed => changed,
        };
        let changed = match changed {
            None => temporal::settled(&part, schema)?,
            changed => changed,
        };
        let changed = match changed {
            None => with_truths(&part, schema)?,
            changed => changed,
        };
        Ok(match changed {
            Some(changed) => Transformed::yes(changed),
            None => Transformed::no(part),
        })
    });
    whole.map(|whole| whole.data)
}

/// Returns a call of the function that a session has under the name of the engine's: a syntax of its own, such as `array[1, 2]`,
/// `a || b` of lists or `extract(year FROM d)`, is planned with the engine's, whatever a session has. `None` if it is that
/// already, or has none.
fn own(part: &Expr) -> Option<Expr> {
    let Expr::ScalarFunction(call) = part else { return None };
    let own = planning_state().scalar_functions().get(call.func.name())?;
    (!Arc::ptr_eq(own, &call.func)).then(|| own.call(call.args.clone()))
}

/// Returns a call of `round` whose places are a literal of the type that it takes; `None` for another expression. With a cast
/// around it, which the engine would put there and fold later, a literal does not decide the type of a rounded decimal, and
/// what is compared with it would have another type than it has in the end.
fn places(part: &Expr) -> Option<Expr> {
    let Expr::ScalarFunction(call) = part else { return None };
    match &call.args[..] {
        [number, Expr::Literal(ScalarValue::Int64(Some(places)), _)] if call.name() == "round" => {
            let places = ScalarValue::Int32(Some(i32::try_from(*places).ok()?));
            Some(call.func.call(vec![number.clone(), Expr::Literal(places, None)]))
        }
        _ => None,
    }
}
