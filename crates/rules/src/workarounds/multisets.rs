//! EXCEPT ALL and INTERSECT ALL (apache/datafusion#12956).
//!
//! DataFusion 55 plans them as an anti-join and a semi-join, which take a row's copies all or none. Here the copies of a
//! row are numbered on both sides, and the number is one more column to compare: of three copies on the left and one on
//! the right, INTERSECT ALL keeps the first and EXCEPT ALL the other two.

use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, JoinType, NullEquality, Result as DfResult};
use datafusion::functions_window::expr_fn::row_number;
use datafusion::logical_expr::{Distinct, Expr, ExprFunctionExt, Join, LogicalPlan, LogicalPlanBuilder, Projection};

/// Numbers the copies of rows where a plan compares multisets.
pub fn number_copies(plan: LogicalPlan) -> DfResult<LogicalPlan> {
    let numbered = plan.transform_up_with_subqueries(|node| match node {
        LogicalPlan::Join(join) if compares_multisets(&join) => with_numbers(&join).map(Transformed::yes),
        other => Ok(Transformed::no(other)),
    });
    numbered.map(|numbered| numbered.data)
}

/// Returns true for a join that the planner made of EXCEPT ALL or INTERSECT ALL: no SQL join takes NULL for equal to
/// NULL, and without ALL the left side is distinct.
fn compares_multisets(join: &Join) -> bool {
    matches!(join.join_type, JoinType::LeftAnti | JoinType::LeftSemi)
        && join.null_equality == NullEquality::NullEqualsNull
        && !matches!(join.left.as_ref(), LogicalPlan::Distinct(Distinct::All(_)))
}

fn with_numbers(join: &Join) -> DfResult<LogicalPlan> {
    let (left_keys, right_keys): (Vec<Expr>, Vec<Expr>) = join.on.iter().cloned().unzip();
    let left = numbered(&join.left, left_keys, "__copy_left")?;
    let right = numbered(&join.right, right_keys, "__copy_right")?;
    let number = |name: &str| Expr::Column(Column::new_unqualified(name));
    let mut on = join.on.clone();
    on.push((number("__copy_left"), number("__copy_right")));
    let compared = Join::try_new(
        Arc::new(left),
        Arc::new(right),
        on,
        join.filter.clone(),
        join.join_type,
        join.join_constraint,
        join.null_equality,
        false,
    )?;
    let columns = join.left.schema().columns().into_iter().map(Expr::Column).collect();
    Ok(LogicalPlan::Projection(Projection::try_new(columns, Arc::new(LogicalPlan::Join(compared)))?))
}

/// Returns the plan with a column behind its own that numbers equal rows.
fn numbered(plan: &LogicalPlan, keys: Vec<Expr>, name: &str) -> DfResult<LogicalPlan> {
    let number = row_number().partition_by(keys).build()?;
    let mut columns: Vec<Expr> = plan.schema().columns().into_iter().map(Expr::Column).collect();
    let windowed = LogicalPlanBuilder::from(plan.clone()).window(vec![number])?;
    let last = windowed.schema().columns().pop();
    columns.extend(last.map(|column| Expr::Column(column).alias(name)));
    windowed.project(columns)?.build()
}
