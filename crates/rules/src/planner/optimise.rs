//! Optimiser rules that run before a query is split.
//!
//! Those of DataFusion, with the workarounds among them, that move filters and projections towards the tables and turn subqueries into joins. Left out are
//! the ones that would change what an owner is asked to release or make a fragment hard to read: distinct aggregates
//! rewritten into groups of raw values, common subexpressions under invented names, NULL
//! filters on join keys, which would be filters on identifiers.

use std::sync::{Arc, LazyLock};

use datafusion::logical_expr::LogicalPlan;
use datafusion::logical_expr::execution_props::ExecutionProps;
use datafusion::optimizer::{Optimizer, OptimizerRule};
use wanqu_model::refusal::Refusal;

use super::invalid::invalid;
use crate::catalog::planning_state;
use crate::functions;
use crate::workarounds::optimiser_rules;

const LEFT_OUT: [&str; 6] = [
    "unions_to_filter",
    "filter_null_join_keys",
    "single_distinct_aggregation_to_group_by",
    "common_sub_expression_eliminate",
    "extract_leaf_expressions",
    "push_down_leaf_projections",
];

/// Optimises an analysed plan for splitting.
pub(super) fn optimise(plan: LogicalPlan) -> Result<LogicalPlan, Refusal> {
    static OPTIMISER: LazyLock<Optimizer> = LazyLock::new(|| {
        let rules = optimiser_rules().into_iter();
        let kept: Vec<Arc<dyn OptimizerRule + Send + Sync>> =
            rules.filter(|rule| !LEFT_OUT.contains(&rule.name())).collect();
        Optimizer::with_rules(kept)
    });
    // The rule for DISTINCT ON looks for a function, so this is a whole session, with names of its own for subqueries.
    let mut context = planning_state().clone();
    let options = Arc::clone(context.config_options());
    *context.execution_props_mut() = ExecutionProps::new();
    context.execution_props_mut().mark_start_execution(options);
    functions::kept_right(plan, |plan| OPTIMISER.optimize(plan, &context, |_, _| {})).map_err(invalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_that_is_left_out_exists() {
        let names: Vec<String> = Optimizer::new().rules.iter().map(|rule| rule.name().to_owned()).collect();
        for rule in LEFT_OUT {
            assert!(names.iter().any(|name| name == rule), "{rule} is not among {names:?}");
        }
    }
}
