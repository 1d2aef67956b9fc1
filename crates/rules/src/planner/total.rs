//! Totals: aggregates without GROUP BY, whose one row is there whatever they are made of.

use datafusion::logical_expr::{Aggregate, LogicalPlan, Sort};
use wanqu_model::refusal::Refusal;

use super::invalid::invalid;
use super::limit::{fetch_of, skip_of};

/// A plan that makes one row of a total.
pub(super) struct Total {
    /// The aggregate.
    pub aggregate: LogicalPlan,
    /// Projections over its row.
    pub above: Above,
}

/// Projections and aliases over a total, the outermost first.
pub(super) struct Above(Vec<LogicalPlan>);

impl Total {
    /// Returns true if a plan is an aggregate without GROUP BY.
    pub fn is_one(plan: &LogicalPlan) -> bool {
        matches!(plan, LogicalPlan::Aggregate(Aggregate { group_expr, .. }) if group_expr.is_empty())
    }

    /// Returns the total beneath a plan that keeps its row; `None` if there is none.
    pub fn beneath(plan: &LogicalPlan) -> Option<Self> {
        let (mut above, mut plan) = (Vec::new(), plan);
        while !Self::is_one(plan) {
            plan = match plan {
                LogicalPlan::Projection(projection) => {
                    above.push(plan.clone());
                    &projection.input
                }
                LogicalPlan::SubqueryAlias(alias) => {
                    above.push(plan.clone());
                    &alias.input
                }
                _ => return None,
            };
        }
        Some(Self { aggregate: plan.clone(), above: Above(above) })
    }
}

impl Above {
    /// Puts the projections over another plan that has the total's columns.
    pub fn apply(self, total: LogicalPlan) -> Result<LogicalPlan, Refusal> {
        self.0.into_iter().rev().try_fold(total, |input, node| {
            let plan = node.with_new_exprs(node.expressions(), vec![input]).map_err(invalid)?;
            plan.recompute_schema().map_err(invalid)
        })
    }
}

/// Returns true if an operator leaves a total as it is: the order of one row, and a limit that is not below it.
pub(super) fn leaves_one(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Sort(Sort { fetch, .. }) => *fetch != Some(0),
        LogicalPlan::Limit(limit) => {
            matches!((skip_of(limit), fetch_of(limit)), (Ok(0), Ok(fetch)) if fetch != Some(0))
        }
        _ => false,
    }
}
