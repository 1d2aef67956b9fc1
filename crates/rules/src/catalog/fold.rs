//! Folding of constants before anything is judged: expressions that do not depend on data are computed, so that the rules
//! see `CAST('0.05' AS DECIMAL(15,2))` and `1 + 1` as literals.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, DFSchemaRef, Result as DfResult};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;
use datafusion::optimizer::{OptimizerConfig, OptimizerContext};

use super::planning_state;
use crate::workarounds::in_lists;

/// Folds the constants of a plan.
///
/// The engine's own rule for it does one thing more: it turns `sum(x + 1)` beside `count(x + 1)` into arithmetic over
/// other aggregates. What is asked of an owner stays as it was asked, so aggregates are folded in their arguments only.
pub(super) fn fold_constants(plan: LogicalPlan) -> DfResult<LogicalPlan> {
    let context = OptimizerContext::new_with_config_options(Arc::clone(planning_state().config_options()));
    plan.transform_up_with_subqueries(|node| fold_node(node, &context)).map(|folded| folded.data)
}

fn fold_node(node: LogicalPlan, context: &OptimizerContext) -> DfResult<Transformed<LogicalPlan>> {
    let inputs = node.inputs();
    let schema = Arc::new(if inputs.is_empty() { DFSchema::empty() } else { merge_schema(&inputs) });
    // The sides of a join's equalities belong to its inputs, and must not change places.
    let canonical = !matches!(node, LogicalPlan::Join(_));
    let simplifier = |schema: DFSchemaRef| {
        let simplify = SimplifyContext::builder()
            .with_schema(schema)
            .with_config_options(context.options())
            .with_query_execution_start_time(context.query_execution_start_time())
            .build();
        ExprSimplifier::new(simplify).with_canonicalize(canonical)
    };
    let simplified = |expr: Expr| in_lists::simplify(expr, &schema, &simplifier);
    let names = NamePreserver::new(&node);
    let mut folded = |expr: Expr| {
        let name = names.save(&expr);
        let folded = fold(expr, &simplified)?;
        Ok(Transformed::new_transformed(name.restore(folded.data), folded.transformed))
    };
    node.map_expressions(|expr| match expr {
        // A grouping set has no name; its keys have.
        Expr::GroupingSet(_) => expr.map_children(&mut folded),
        other => folded(other),
    })
}

pub(super) fn fold(
    expr: Expr,
    simplified: &impl Fn(Expr) -> DfResult<Transformed<Expr>>,
) -> DfResult<Transformed<Expr>> {
    match expr {
        Expr::AggregateFunction(_) => expr.map_children(simplified),
        Expr::Alias(_) => expr.map_children(|child| fold(child, simplified)),
        other => simplified(other),
    }
}

#[cfg(test)]
mod tests {
    use crate::admission::testing::{bundle, shenzhen};
    use crate::catalog::Catalog;

    #[test]
    fn constants_are_folded_and_aggregates_stay_what_they_are() {
        let bundle = bundle();
        let catalog = Catalog::owner(&bundle, &shenzhen());
        let plan = |select: &str, tail: &str| {
            let sql = format!("SELECT {select} FROM shenzhen.health.visits v {tail}");
            catalog.plan(&sql, 1 << 20).unwrap().display_indent().to_string()
        };
        let twice = plan("sum(v.tests + 1), count(v.tests + 1), avg(v.tests + 1)", "");
        assert!(twice.contains("sum(v.tests + Int64(1))"), "{twice}");
        let folded = plan("count(*)", "WHERE v.age > 1 + 1 AND v.visit_date > CAST('2026-01-01' AS DATE)");
        assert!(folded.contains("Int32(2)") && !folded.contains("CAST"), "{folded}");
        let sets =
            plan("coalesce(v.sex, 'x'), v.district, count(*)", "GROUP BY CUBE (coalesce(v.sex, 'x'), v.district)");
        assert!(sets.contains("CUBE"), "{sets}");
    }
}
