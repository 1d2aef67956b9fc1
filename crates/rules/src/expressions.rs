//! The expressions of a plan, and the columns that they are over.

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result as DfResult};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Aggregate, Expr, LogicalPlan, Operator};

/// Returns the plan with every expression rewritten by `rewrite`, which is given the columns that it is over. Names stay.
pub(crate) fn each_expression(
    plan: LogicalPlan,
    rewrite: impl Fn(Expr, &DFSchema) -> DfResult<Expr>,
) -> DfResult<LogicalPlan> {
    let whole = plan.transform_up_with_subqueries(|node| {
        let (schema, names) = (schema_of(&node)?, NamePreserver::new(&node));
        let mut rewritten = |expr: Expr| {
            let name = names.save(&expr);
            Ok(Transformed::yes(name.restore(rewrite(expr, &schema)?)))
        };
        let node = node.map_expressions(|expr| match expr {
            // A grouping set has no name; its keys have.
            Expr::GroupingSet(_) => expr.map_children(&mut rewritten),
            other => rewritten(other),
        })?;
        node.map_data(LogicalPlan::recompute_schema)
    });
    whole.map(|whole| whole.data)
}

/// The columns that a node's expressions are over.
pub(crate) fn schema_of(node: &LogicalPlan) -> DfResult<DFSchema> {
    match node {
        LogicalPlan::TableScan(scan) => {
            DFSchema::try_from_qualified_schema(scan.table_name.clone(), &scan.source.schema())
        }
        node => Ok(merge_schema(&node.inputs())),
    }
}

/// Returns true if an aggregate groups by ROLLUP, CUBE or GROUPING SETS.
pub(crate) fn has_grouping_sets(aggregate: &Aggregate) -> bool {
    matches!(aggregate.group_expr.first(), Some(Expr::GroupingSet(_)))
}

/// Returns true for the operators that compare two values, NULL-safe or not.
pub(crate) fn is_comparison(op: Operator) -> bool {
    use Operator::{Eq, Gt, GtEq, IsDistinctFrom, IsNotDistinctFrom, Lt, LtEq, NotEq};
    matches!(op, Eq | NotEq | Lt | LtEq | Gt | GtEq | IsDistinctFrom | IsNotDistinctFrom)
}

/// Returns true if a part of an expression is a subquery, or a column of the query outside.
pub(crate) fn has_subquery(expr: &Expr) -> bool {
    let is_subquery = |part: &Expr| {
        matches!(
            part,
            Expr::ScalarSubquery(_)
                | Expr::InSubquery(_)
                | Expr::Exists(_)
                | Expr::SetComparison(_)
                | Expr::OuterReferenceColumn(..)
        )
    };
    expr.exists(|part| Ok(is_subquery(part))).unwrap_or(true)
}
