//! `(SELECT y …)` for one value.

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, Result as DfResult};
use datafusion::logical_expr::{
    Aggregate, Expr, FetchType, JoinType, LogicalPlan, LogicalPlanBuilder, Projection, Subquery, lit, when,
};
use std::sync::Arc;

use super::super::one_row::only_value;
use super::{is_correlated, outside, shape, subquery};

/// Name of the value of a subquery. No query's text names it.
const VALUE: &str = "__value";

/// Rewrites one scalar subquery.
pub(super) fn rewrite(inner: Subquery) -> DfResult<Transformed<Expr>> {
    let plan = inner.subquery.as_ref();
    if is_correlated(plan)
        && let Some(value) = over_aggregates(plan)?
    {
        return Ok(Transformed::yes(value));
    }
    shape::check(plan)?;
    with_one_row(inner)
}

/// Puts the check on a scalar subquery that may have several rows.
pub(super) fn with_one_row(inner: Subquery) -> DfResult<Transformed<Expr>> {
    let plan = inner.subquery.as_ref();
    if has_at_most_one_row(plan) {
        return named(inner);
    }
    let (qualifier, field) = plan.schema().qualified_field(0);
    let column = Expr::Column(Column::new(qualifier.cloned(), field.name()));
    let only = LogicalPlanBuilder::from(plan.clone())
        .aggregate(Vec::<Expr>::new(), vec![only_value(column).alias("__only_value")])?
        .build()?;
    shape::check(&only)?;
    Ok(Transformed::yes(Expr::ScalarSubquery(subquery(only))))
}

/// Gives the value a name that no other has: DataFusion calls an aggregate in the subquery like the same one outside, and no
/// plan can hold both.
fn named(inner: Subquery) -> DfResult<Transformed<Expr>> {
    let plan = inner.subquery.as_ref();
    let (qualifier, field) = plan.schema().qualified_field(0);
    if qualifier.is_some() || field.name().starts_with("__") {
        return Ok(Transformed::no(Expr::ScalarSubquery(inner)));
    }
    let named = if let LogicalPlan::Projection(Projection { expr, input, .. }) = plan {
        let value = expr.iter().map(|value| value.clone().unalias().alias(VALUE)).collect();
        LogicalPlan::Projection(Projection::try_new(value, Arc::clone(input))?)
    } else {
        let value = Expr::Column(Column::new_unqualified(field.name()));
        LogicalPlanBuilder::from(plan.clone()).project(vec![value.alias(VALUE)])?.build()?
    };
    Ok(Transformed::yes(Expr::ScalarSubquery(subquery(named))))
}

/// Returns true if a plan has at most one row, whatever lies in its tables.
pub(super) fn has_at_most_one_row(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Aggregate(aggregate) => aggregate.group_expr.is_empty(),
        LogicalPlan::EmptyRelation(_) => true,
        LogicalPlan::Values(values) => values.values.len() <= 1,
        LogicalPlan::Limit(limit) => {
            matches!(limit.get_fetch_type(), Ok(FetchType::Literal(Some(0 | 1)))) || has_at_most_one_row(&limit.input)
        }
        LogicalPlan::Sort(sort) => matches!(sort.fetch, Some(0 | 1)) || has_at_most_one_row(&sort.input),
        LogicalPlan::Projection(projection) => {
            !projection.expr.iter().any(holds_unnest) && has_at_most_one_row(&projection.input)
        }
        LogicalPlan::Filter(_) | LogicalPlan::SubqueryAlias(_) | LogicalPlan::Distinct(_) | LogicalPlan::Window(_) => {
            plan.inputs().iter().all(|input| has_at_most_one_row(input))
        }
        LogicalPlan::Join(join) if join.join_type == JoinType::Inner => {
            has_at_most_one_row(&join.left) && has_at_most_one_row(&join.right)
        }
        _ => false,
    }
}

fn holds_unnest(expr: &Expr) -> bool {
    expr.exists(|e| Ok(matches!(e, Expr::Unnest(_)))).unwrap_or(true)
}

/// Takes an expression over aggregates out of its subquery: `(SELECT count(*) IS NULL …)` is
/// `(SELECT count(*) …) IS NULL`. Of a bare aggregate DataFusion knows the value over no rows, of an expression not always.
fn over_aggregates(plan: &LogicalPlan) -> DfResult<Option<Expr>> {
    let Some(parts) = Parts::of(plan) else { return Ok(None) };
    if parts.having.is_none() && matches!(parts.value.clone().unalias_nested().data, Expr::Column(_)) {
        return Ok(None);
    }
    let value = parts.over_subqueries(parts.value)?;
    let Some(value) = value else { return Ok(None) };
    match parts.having {
        None => Ok(Some(value)),
        Some(having) => match parts.over_subqueries(having)? {
            Some(having) => when(having, value).end().map(Some),
            None => Ok(None),
        },
    }
}

/// Parts of a subquery of one row: `SELECT value FROM aggregate [HAVING having]`.
struct Parts<'p> {
    value: &'p Expr,
    having: Option<&'p Expr>,
    aggregate: &'p Aggregate,
}

impl<'p> Parts<'p> {
    fn of(plan: &'p LogicalPlan) -> Option<Self> {
        let LogicalPlan::Projection(Projection { expr, input, .. }) = plan else { return None };
        let [value] = &expr[..] else { return None };
        match input.as_ref() {
            LogicalPlan::Aggregate(aggregate) if aggregate.group_expr.is_empty() => {
                Some(Self { value, having: None, aggregate })
            }
            LogicalPlan::Filter(filter) => match filter.input.as_ref() {
                LogicalPlan::Aggregate(aggregate) if aggregate.group_expr.is_empty() => {
                    Some(Self { value, having: Some(&filter.predicate), aggregate })
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// Returns an expression over the aggregates with a subquery in each one's place; `None` if it holds subqueries itself.
    fn over_subqueries(&self, expr: &Expr) -> DfResult<Option<Expr>> {
        let mut nested = false;
        expr.apply(|e| {
            nested |= matches!(e, Expr::ScalarSubquery(_) | Expr::InSubquery(_) | Expr::Exists(_));
            Ok(TreeNodeRecursion::Continue)
        })?;
        if nested {
            return Ok(None);
        }
        let schema = &self.aggregate.schema;
        let replaced = expr.clone().unalias().transform_up(|e| {
            let Expr::Column(column) = &e else { return Ok(Transformed::no(e)) };
            let Some(index) = schema.maybe_index_of_column(column) else { return Ok(Transformed::no(e)) };
            let Some(function) = self.aggregate.aggr_expr.get(index) else { return Ok(Transformed::no(e)) };
            let one = Aggregate::try_new(Arc::clone(&self.aggregate.input), vec![], vec![function.clone()])?;
            let one = LogicalPlanBuilder::from(LogicalPlan::Aggregate(one));
            let plan = one.project(vec![Expr::Column(column.clone())])?.build()?;
            shape::check(&plan)?;
            Ok(Transformed::new(Expr::ScalarSubquery(subquery(plan)), true, TreeNodeRecursion::Jump))
        })?;
        outside(replaced.data).map(Some)
    }
}

/// Returns the comparison with the one row of a subquery that an aggregate without GROUP BY gives it.
pub(super) fn compared(value: Expr, inner: Subquery, negated: bool) -> DfResult<Expr> {
    let one = rewrite(inner)?.data;
    Ok(if negated { value.not_eq(one) } else { value.eq(one) })
}

/// Returns true if a plan has exactly one row for each outer row.
pub(super) fn has_one_row(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Aggregate(aggregate) => aggregate.group_expr.is_empty(),
        LogicalPlan::Projection(projection) => has_one_row(&projection.input),
        LogicalPlan::SubqueryAlias(alias) => has_one_row(&alias.input),
        _ => false,
    }
}

/// Returns a true constant, for a condition that nothing is left of.
pub(super) fn always() -> Expr {
    lit(true)
}
