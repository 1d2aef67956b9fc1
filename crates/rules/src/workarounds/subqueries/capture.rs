//! Columns of the outer query and of a subquery that have one name.
//!
//! `n > ALL (SELECT n FROM t)` over `t` itself compares the outer `t.n` with the inner one. DataFusion writes the outer as a
//! column of the outer query, and when it makes a join of the subquery it takes both for the inner: `t.n > t.n`. A query
//! cannot write such a comparison, in which the inner name would hide the outer; it comes of the rewriting of ANY and ALL, and
//! of NOT IN here. So the subquery gets an alias before the two are compared.

use std::sync::Arc;

use datafusion::common::Result as DfResult;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::expr::SetComparison;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

/// Alias of a subquery that is compared with a column of its own name. No query names it.
const ALIAS: &str = "__compared";

/// Returns a subquery's plan in which no column has the name of one that `value` reads.
pub(super) fn apart(value: &Expr, plan: LogicalPlan) -> DfResult<LogicalPlan> {
    let mut captured = false;
    value.apply(|part| {
        if let Expr::Column(column) | Expr::OuterReferenceColumn(_, column) = part {
            captured |= plan.schema().maybe_index_of_column(column).is_some();
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    if captured { LogicalPlanBuilder::from(plan).alias(ALIAS)?.build() } else { Ok(plan) }
}

/// Gives the subqueries of ANY and ALL an alias where they need one. Runs before DataFusion makes EXISTS of them.
#[derive(Debug, Default)]
pub struct ComparisonsApart;

impl OptimizerRule for ComparisonsApart {
    fn name(&self) -> &'static str {
        "comparisons_apart"
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> DfResult<Transformed<LogicalPlan>> {
        plan.transform_up_with_subqueries(|node| {
            let names = NamePreserver::new(&node);
            node.map_expressions(|expr| {
                let name = names.save(&expr);
                let parted = expr.transform_up(|part| {
                    let Expr::SetComparison(SetComparison { expr, mut subquery, op, quantifier }) = part else {
                        return Ok(Transformed::no(part));
                    };
                    subquery.subquery = Arc::new(apart(&expr, subquery.subquery.as_ref().clone())?);
                    Ok(Transformed::yes(Expr::SetComparison(SetComparison { expr, subquery, op, quantifier })))
                })?;
                Ok(parted.update_data(|parted| name.restore(parted)))
            })
        })
    }
}
