//! `EXISTS (SELECT …)`: what the rows hold, and in which order, does not matter; how many are skipped does.

use std::sync::Arc;

use datafusion::common::Result as DfResult;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::functions_aggregate::count::count_all;
use datafusion::logical_expr::expr::Exists;
use datafusion::logical_expr::{Aggregate, Distinct, Expr, FetchType, LogicalPlan, LogicalPlanBuilder, SkipType, lit};

use super::{is_correlated, scalar, shape, subquery};

/// Rewrites one EXISTS.
pub(super) fn rewrite(exists: Exists) -> DfResult<Transformed<Expr>> {
    let Exists { subquery: inner, negated } = exists;
    if let Some(value) = decided(&inner.subquery)? {
        return Ok(Transformed::yes(if negated { Expr::Not(Box::new(value)) } else { value }));
    }
    let plan = without_order(&inner.subquery).clone();
    shape::check(&plan)?;
    let changed = plan != *inner.subquery;
    let exists = Exists { subquery: subquery(plan), negated };
    Ok(Transformed::new_transformed(Expr::Exists(exists), changed))
}

/// Strips what changes neither whether there is a row nor what is correlated: columns, order, copies.
pub(super) fn without_order(plan: &LogicalPlan) -> &LogicalPlan {
    match plan {
        LogicalPlan::Sort(sort) if sort.fetch.is_none() => without_order(&sort.input),
        LogicalPlan::Limit(limit) => {
            let none_skipped = matches!(limit.get_skip_type(), Ok(SkipType::Literal(0)));
            let some_taken = match limit.get_fetch_type() {
                Ok(FetchType::Literal(fetch)) => fetch != Some(0),
                _ => false,
            };
            if none_skipped && some_taken { without_order(&limit.input) } else { plan }
        }
        other => other,
    }
}

/// Takes sorts away that lie below columns and conditions.
fn without_sorts(plan: LogicalPlan) -> DfResult<LogicalPlan> {
    let stripped = plan.transform_down(|node| {
        Ok(match node {
            LogicalPlan::Sort(sort) if sort.fetch.is_none() => Transformed::yes(Arc::unwrap_or_clone(sort.input)),
            LogicalPlan::Projection(_) | LogicalPlan::Filter(_) | LogicalPlan::SubqueryAlias(_) => {
                Transformed::no(node)
            }
            other => Transformed::new(other, false, TreeNodeRecursion::Jump),
        })
    });
    stripped.map(|stripped| stripped.data)
}

/// Returns the condition that there is a row, where it is not EXISTS that says so.
fn decided(plan: &LogicalPlan) -> DfResult<Option<Expr>> {
    match without_order(plan) {
        LogicalPlan::Limit(limit) => {
            if matches!(limit.get_fetch_type()?, FetchType::Literal(Some(0))) {
                return Ok(Some(lit(false)));
            }
            let SkipType::Literal(skipped) = limit.get_skip_type()? else { return Ok(None) };
            // There are more rows than are skipped.
            let skipped = i64::try_from(skipped).unwrap_or(i64::MAX);
            let counted = LogicalPlanBuilder::from(without_sorts(without_order(&limit.input).clone())?)
                .aggregate(Vec::<Expr>::new(), vec![count_all()])?;
            let count = scalar::rewrite(subquery(counted.build()?))?.data;
            Ok(Some(count.gt(lit(skipped))))
        }
        LogicalPlan::Projection(projection) => decided(&projection.input),
        LogicalPlan::SubqueryAlias(alias) => decided(&alias.input),
        LogicalPlan::Distinct(Distinct::All(input)) => decided(input),
        // Without groups there is one row, whatever it is made of.
        LogicalPlan::Aggregate(aggregate) if is_ungrouped(aggregate) => Ok(Some(lit(true))),
        LogicalPlan::Filter(filter) if is_correlated(plan) => match filter.input.as_ref() {
            LogicalPlan::Aggregate(aggregate) if is_ungrouped(aggregate) => {
                let having = LogicalPlanBuilder::new_from_arc(Arc::clone(&filter.input))
                    .project(vec![filter.predicate.clone().alias("having")])?
                    .build()?;
                let having = scalar::rewrite(subquery(having))?.data;
                Ok(Some(Expr::IsTrue(Box::new(having))))
            }
            _ => Ok(None),
        },
        _ => Ok(None),
    }
}

fn is_ungrouped(aggregate: &Aggregate) -> bool {
    aggregate.group_expr.is_empty()
}
