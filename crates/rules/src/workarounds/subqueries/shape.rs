//! The shapes of correlated subqueries that DataFusion can pull apart. It moves their correlated conditions up to the
//! join, past operators whose result then is another: those are refused.

use std::sync::Arc;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DataFusionError, JoinType, Result as DfResult};
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{BinaryExpr, Distinct, Expr, LogicalPlan, Operator};
use wanqu_model::refusal::{Code, Refusal};

use super::is_correlated;

/// Checks a correlated subquery before it becomes a join.
///
/// # Errors
/// The refusal of a subquery that would become another question.
pub(super) fn check(plan: &LogicalPlan) -> DfResult<()> {
    if !is_correlated(plan) {
        return Ok(());
    }
    // The aggregate that gives a scalar subquery its one row has its place at the top.
    let mut top = plan;
    while let LogicalPlan::Projection(_)
    | LogicalPlan::SubqueryAlias(_)
    | LogicalPlan::Filter(_)
    | LogicalPlan::Sort(_) = top
    {
        match top.inputs().first() {
            Some(input) => top = input,
            None => break,
        }
    }
    let mut fault = None;
    plan.apply(|node| {
        if !node.inputs().iter().any(|input| is_correlated(input)) {
            return Ok(TreeNodeRecursion::Jump);
        }
        let found = match node {
            LogicalPlan::Window(_) => Some("a window function"),
            LogicalPlan::Limit(_) => Some("LIMIT or OFFSET"),
            LogicalPlan::Distinct(Distinct::On(_)) => Some("DISTINCT ON"),
            LogicalPlan::Aggregate(aggregate) if aggregate.group_expr.is_empty() && !std::ptr::eq(node, top) => {
                Some("an aggregate without GROUP BY inside it")
            }
            LogicalPlan::Join(join) => {
                let fills_left = matches!(
                    join.join_type,
                    JoinType::Right | JoinType::Full | JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark
                );
                let fills_right = matches!(
                    join.join_type,
                    JoinType::Left | JoinType::Full | JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark
                );
                let lost = fills_left && is_correlated(&join.left) || fills_right && is_correlated(&join.right);
                lost.then_some("an outer join")
            }
            _ => None,
        };
        if found.is_some() {
            fault = found;
            return Ok(TreeNodeRecursion::Stop);
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    match fault {
        None => Ok(()),
        Some(what) => Err(refused(what)),
    }
}

/// Checks a derived table that reads those before it, before it becomes a join.
///
/// # Errors
/// The refusal of one that would become another question.
pub(super) fn check_lateral(plan: &LogicalPlan) -> DfResult<()> {
    check(plan)?;
    if compares_otherwise_below_aggregate(plan)? {
        return Err(refused("a condition other than an equality, below an aggregate"));
    }
    let mut top = plan;
    let mut constant = false;
    loop {
        match top {
            LogicalPlan::Projection(projection) => {
                constant |= projection.expr.iter().any(|expr| !expr.any_column_refs());
                top = &projection.input;
            }
            LogicalPlan::SubqueryAlias(alias) => top = &alias.input,
            LogicalPlan::Filter(filter) => {
                if matches!(filter.input.as_ref(), LogicalPlan::Aggregate(a) if a.group_expr.is_empty()) {
                    return Err(refused("HAVING without GROUP BY"));
                }
                return Ok(());
            }
            // The row that there is for no rows is made anew, with NULL for a constant.
            LogicalPlan::Aggregate(aggregate) if aggregate.group_expr.is_empty() && constant => {
                return Err(refused("a constant beside an aggregate"));
            }
            _ => return Ok(()),
        }
    }
}

/// Returns true if an aggregate of a plan is over rows that meet an outer row by a condition which is no equality: the rows
/// would have to be joined before they are grouped.
fn compares_otherwise_below_aggregate(plan: &LogicalPlan) -> DfResult<bool> {
    let (mut found, mut below) = (false, vec![]);
    plan.apply(|node| {
        if let LogicalPlan::Aggregate(aggregate) = node {
            below.push(Arc::clone(&aggregate.input));
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    for input in below {
        input.apply(|node| {
            if let LogicalPlan::Filter(filter) = node {
                found |= split_conjunction(&filter.predicate).into_iter().any(|term| {
                    let equality = matches!(term, Expr::BinaryExpr(BinaryExpr { op: Operator::Eq, .. }));
                    term.contains_outer() && !equality
                });
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
    }
    Ok(found)
}

/// Makes the error of a subquery that cannot be run as it was meant.
fn refused(what: &str) -> DataFusionError {
    let refusal = Refusal::new(
        Code::NotSplittable,
        format!("a subquery that reads the outer query through {what} cannot be run"),
    )
    .with_rule("subqueries are run as joins, and only where the join has the same rows")
    .with_subject(what)
    .with_remedy("write it as a join, or as a common table expression that is joined");
    DataFusionError::External(Box::new(refusal))
}
