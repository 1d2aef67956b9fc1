//! Order of inner joins in which owners can do as much as possible by themselves.
//!
//! A chain of inner joins means the same in any order. The engine joins tables as they were written; if
//! `customer ⋈ orders ⋈ lineitem` is written so, and only orders and lineitem lie together, the owners would ship
//! all three. So joins on a co-location key come first, then joins with replicated tables, then the rest as written.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, JoinType, NullEquality};
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{Expr, Filter, Join, JoinConstraint, LogicalPlan, Projection};
use wanqu_model::refusal::Refusal;

use super::invalid::invalid;
use super::spread::Region;
use crate::catalog;

/// Reorders every chain of inner joins over public tables that gains from it, and says whether one did.
pub(super) fn reorder(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>, Refusal> {
    plan.transform_down(|node| match &node {
        LogicalPlan::Join(join) if is_link(join) => {
            let chain = Chain::of(&node);
            if chain.inputs.len() < 3 {
                return Ok(Transformed::no(node));
            }
            Ok(match chain.reordered(&node)? {
                Some(plan) => Transformed::new(plan, true, datafusion::common::tree_node::TreeNodeRecursion::Continue),
                None => Transformed::no(node),
            })
        }
        _ => Ok(Transformed::no(node)),
    })
    .map_err(invalid)
}

fn is_link(join: &Join) -> bool {
    join.join_type == JoinType::Inner && join.null_equality == NullEquality::NullEqualsNothing && !join.null_aware
}

/// A chain of inner joins, taken apart.
struct Chain {
    inputs: Vec<LogicalPlan>,
    equalities: Vec<(Expr, Expr)>,
    filters: Vec<Expr>,
}

impl Chain {
    fn of(plan: &LogicalPlan) -> Self {
        let mut chain = Self { inputs: vec![], equalities: vec![], filters: vec![] };
        chain.take_apart(plan);
        chain
    }

    fn take_apart(&mut self, plan: &LogicalPlan) {
        match plan {
            LogicalPlan::Join(join) if is_link(join) => {
                self.take_apart(&join.left);
                self.take_apart(&join.right);
                self.equalities.extend(join.on.clone());
                self.filters.extend(join.filter.clone().map(split_conjunction_owned).unwrap_or_default());
            }
            // Projections between joins only drop columns that are not needed above; the last one is put back.
            LogicalPlan::Projection(p)
                if p.expr.iter().all(|e| matches!(e, Expr::Column(_)))
                    && matches!(p.input.as_ref(), LogicalPlan::Join(j) if is_link(j)) =>
            {
                self.take_apart(&p.input);
            }
            other => self.inputs.push(other.clone()),
        }
    }

    /// Returns the chain in its best order, with the columns of `original`; `None` if the order as written is as good.
    fn reordered(self, original: &LogicalPlan) -> datafusion::common::Result<Option<LogicalPlan>> {
        let regions: Vec<Option<Region>> = self.inputs.iter().map(region_of).collect();
        let Some(order) = best_order(&regions, &self.equalities) else { return Ok(None) };
        if order.iter().copied().eq(0..order.len()) {
            return Ok(None);
        }
        let mut equalities = self.equalities;
        let mut filters = self.filters;
        let mut inputs = self.inputs.into_iter().map(Some).collect::<Vec<_>>();
        let mut order = order.into_iter().filter_map(|i| inputs[i].take());
        let Some(mut plan) = order.next() else { return Ok(None) };
        for next in order {
            let (left, right) = (plan.schema(), next.schema());
            let mut on = vec![];
            equalities.retain(|(a, b)| {
                let pair = if within(a, left) && within(b, right) {
                    Some((a.clone(), b.clone()))
                } else if within(b, left) && within(a, right) {
                    Some((b.clone(), a.clone()))
                } else {
                    None
                };
                on.extend(pair.clone());
                pair.is_none()
            });
            let join = Join::try_new(
                Arc::new(plan.clone()),
                Arc::new(next),
                on,
                None,
                JoinType::Inner,
                JoinConstraint::On,
                NullEquality::NullEqualsNothing,
                false,
            )?;
            plan = LogicalPlan::Join(join);
            // A filter goes below the next join as soon as all its columns are there.
            let mut ready = vec![];
            filters.retain(|f| {
                let now = within(f, plan.schema());
                if now {
                    ready.push(f.clone());
                }
                !now
            });
            equalities.retain(|(a, b)| {
                let now = within(a, plan.schema()) && within(b, plan.schema());
                if now {
                    ready.push(a.clone().eq(b.clone()));
                }
                !now
            });
            if let Some(predicate) = conjunction(ready) {
                plan = LogicalPlan::Filter(Filter::try_new(predicate, Arc::new(plan))?);
            }
        }
        let columns = original.schema().columns().into_iter().map(Expr::Column).collect();
        Ok(Some(LogicalPlan::Projection(Projection::try_new(columns, Arc::new(plan))?)))
    }
}

fn within(expr: &Expr, schema: &datafusion::common::DFSchema) -> bool {
    expr.column_refs().iter().all(|c: &&Column| schema.has_column(c))
}

/// Returns the region of an input that is a table with filters and projections on it; `None` for another input.
fn region_of(plan: &LogicalPlan) -> Option<Region> {
    match plan {
        LogicalPlan::TableScan(scan) => catalog::table_of(scan).map(|t| Region::of_table(scan, t)),
        LogicalPlan::Filter(filter) => region_of(&filter.input),
        LogicalPlan::Projection(p) if p.expr.iter().all(|e| matches!(e, Expr::Column(_))) => region_of(&p.input),
        LogicalPlan::SubqueryAlias(alias) => {
            let name = alias.alias.clone();
            let region = region_of(&alias.input)?;
            Some(region.with_plan(plan.clone(), |c| Some(Column::new(Some(name.clone()), &c.name))))
        }
        _ => None,
    }
}

/// Returns an order that puts one co-located group first; `None` if no two inputs are co-located or replicated.
fn best_order(regions: &[Option<Region>], equalities: &[(Expr, Expr)]) -> Option<Vec<usize>> {
    let together = |a: usize, b: usize| match (&regions[a], &regions[b]) {
        (Some(a), Some(b)) => {
            !a.replicated
                && !b.replicated
                && a.owners == b.owners
                && (a.colocated_with(b, equalities) || b.colocated_with(a, equalities))
        }
        _ => false,
    };
    let count = regions.len();
    let first = (0..count).find(|&a| (0..count).any(|b| a != b && together(a, b)))?;
    let mut order = vec![first];
    // Grow by what lies together with any of them, then by what is connected to them, then by the rest.
    let connected = |order: &[usize], next: usize| {
        let Some(region) = &regions[next] else { return false };
        equalities.iter().any(|(a, b)| {
            let touches = |e: &Expr, r: &Region| e.column_refs().iter().any(|c| r.plan.schema().has_column(c));
            order
                .iter()
                .filter_map(|&o| regions[o].as_ref())
                .any(|o| touches(a, region) && touches(b, o) || touches(b, region) && touches(a, o))
        })
    };
    while order.len() < count {
        let rest: Vec<usize> = (0..count).filter(|i| !order.contains(i)).collect();
        let replicated = |i: usize| regions[i].as_ref().is_some_and(|r| r.replicated);
        let next = rest
            .iter()
            .find(|&&i| order.iter().any(|&o| together(o, i)))
            .or_else(|| rest.iter().find(|&&i| replicated(i) && connected(&order, i)))
            .or_else(|| rest.iter().find(|&&i| connected(&order, i)))
            .or_else(|| rest.first());
        order.push(*next?);
    }
    Some(order)
}
