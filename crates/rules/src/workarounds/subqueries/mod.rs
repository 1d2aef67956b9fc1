//! Subqueries in a form that DataFusion turns into joins without changing what they mean.
//!
//! DataFusion 55 runs subqueries as joins. What it gets wrong, and what stands here instead:
//!
//! | form | fault | here |
//! |---|---|---|
//! | `x [NOT] IN (SELECT y …)` under OR, NOT, IS NULL; correlated; of a constant | a mark is true or false, never NULL: apache/datafusion#8241, #25347, #25473 | [`membership`] |
//! | `EXISTS (… OFFSET n)`, `EXISTS` and `IN` over an aggregate without GROUP BY | the offset is dropped; the one row that there always is, is not: #25283 | [`existence`] |
//! | `x > ALL (SELECT x FROM t)` over `t` itself | compares the inner column with itself | [`capture`] |
//! | `(SELECT y …)` of several rows | multiplies the outer rows: #16134 | [`scalar`] |
//! | `(SELECT f(count(*)) … correlated)` | NULL where no row matches: #25471 | [`scalar`] |
//! | `LATERAL (SELECT outer + 1)` without FROM | no join is made of it | [`lateral`] |
//! | `LATERAL (SELECT constant FROM aggregate)`, `LATERAL (… HAVING …)` | NULL, or an error of the engine's own | [`shape`]: refused |
//! | a reference past the query directly around | an error of the engine's own | [`reach`]: refused |
//! | a correlated condition below a window, a limit or the filled side of an outer join | is moved above it | [`shape`]: refused |
//!
//! [`SoundSubqueries`] runs before the rules that make joins.

mod capture;
mod existence;
mod lateral;
mod membership;
mod reach;
mod scalar;
mod shape;

pub use reach::check_reach;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Result as DfResult, Spans};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, Filter, LogicalPlan, Subquery};
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};
use std::sync::Arc;

pub use capture::ComparisonsApart;

/// Rewrites the subqueries of a plan.
#[derive(Debug, Default)]
pub struct SoundSubqueries;

impl OptimizerRule for SoundSubqueries {
    fn name(&self) -> &'static str {
        "sound_subqueries"
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> DfResult<Transformed<LogicalPlan>> {
        plan.transform_up_with_subqueries(|node| match node {
            LogicalPlan::Filter(Filter { predicate, input, .. }) => {
                let rewritten = predicate.clone().transform_up(rewrite_one)?;
                let rewritten = membership::in_condition(rewritten.data, input.schema())?;
                let changed = rewritten != predicate;
                let filter = LogicalPlan::Filter(Filter::try_new(rewritten, input)?);
                Ok(Transformed::new_transformed(filter, changed))
            }
            other => {
                let computed = lateral::computed(other)?;
                if computed.transformed {
                    return Ok(computed);
                }
                let other = computed.data;
                if let LogicalPlan::Join(join) = &other {
                    [&join.left, &join.right].into_iter().try_for_each(|side| check_if_lateral(side))?;
                }
                let names = NamePreserver::new(&other);
                let outer = merge_schema(&other.inputs());
                other.map_expressions(|expr| {
                    let name = names.save(&expr);
                    let rewritten = expr.clone().transform_up(rewrite_one)?;
                    let rewritten = membership::in_value(rewritten.data, &outer)?;
                    let changed = rewritten != expr;
                    Ok(Transformed::new_transformed(name.restore(rewritten), changed))
                })
            }
        })
    }
}

/// Checks a side of a join that is a lateral subquery.
fn check_if_lateral(side: &LogicalPlan) -> DfResult<()> {
    match side {
        LogicalPlan::SubqueryAlias(alias) => check_if_lateral(&alias.input),
        LogicalPlan::Subquery(lateral) => shape::check_lateral(&lateral.subquery),
        _ => Ok(()),
    }
}

/// Puts the check that there is one row on the scalar subqueries of a plan. It is done before the plan is analysed, where
/// DataFusion refuses correlated ones that may have several.
pub fn check_one_row(plan: LogicalPlan) -> DfResult<LogicalPlan> {
    let checked = plan.transform_up_with_subqueries(|node| {
        let names = NamePreserver::new(&node);
        node.map_expressions(|expr| {
            let name = names.save(&expr);
            let checked = expr.transform_up(|e| match e {
                Expr::ScalarSubquery(subquery) => scalar::with_one_row(subquery),
                other => Ok(Transformed::no(other)),
            })?;
            Ok(checked.update_data(|checked| name.restore(checked)))
        })
    });
    checked.map(|checked| checked.data)
}

/// Rewrites an expression whose operands have been rewritten, if it is a subquery.
fn rewrite_one(expr: Expr) -> DfResult<Transformed<Expr>> {
    match expr {
        Expr::Exists(exists) => existence::rewrite(exists),
        Expr::InSubquery(member) => membership::over_one_row(member),
        Expr::ScalarSubquery(subquery) => scalar::rewrite(subquery),
        other => Ok(Transformed::no(other)),
    }
}

/// Makes a subquery of a plan.
fn subquery(plan: LogicalPlan) -> Subquery {
    let outer_ref_columns = plan.all_out_ref_exprs();
    Subquery { subquery: Arc::new(plan), outer_ref_columns, spans: Spans::new() }
}

fn is_correlated(plan: &LogicalPlan) -> bool {
    !plan.all_out_ref_exprs().is_empty()
}

/// Turns the outer columns of an expression that is moved out of its subquery into plain ones.
fn outside(expr: Expr) -> DfResult<Expr> {
    let moved = expr.transform(|e| {
        Ok(match e {
            Expr::OuterReferenceColumn(_, column) => Transformed::yes(Expr::Column(column)),
            other => Transformed::no(other),
        })
    });
    moved.map(|moved| moved.data)
}
