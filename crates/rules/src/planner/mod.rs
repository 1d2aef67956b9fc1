//! The planner: one SQL text over all jurisdictions → one SQL text for each owner, and a plan that merges what they
//! release. Pure: it reads the bundle's catalog and no data.
//!
//! ```text
//! SQL ─▶ analysed plan ─▶ optimise        filters and projections move down, subqueries become joins
//!                      ─▶ colocate        joins that owners can do by themselves come first
//!                      ─▶ place           which operators each owner can run on what it holds
//!                           ├─ cut ─▶ text ─▶ judge    SQL for each owner, asked of that owner's rules
//!                           └─ merge                    DataFusion over releases
//! ```
//!
//! What cannot be split so that every part could be released is refused here, before anything is sent. The refusal is a
//! courtesy: each owner judges every fragment again, and trusts nothing that was decided here.

mod aggregate;
mod colocate;
mod decompose;
mod explain;
mod fragments;
mod join;
mod limit;
mod lineage;
mod marks;
mod optimise;
mod place;
mod size;
mod spread;
mod subquery;
#[cfg(test)]
mod tests;
mod text;

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::common::DataFusionError;
use datafusion::logical_expr::{LogicalPlan, Projection};
use wanqu_model::answer::INCOMPLETE_COLUMN;
use wanqu_model::bundle::NodeBundle;
use wanqu_model::names::JurisdictionId;
use wanqu_model::refusal::{Code, Refusal};

pub use explain::explain;
pub use fragments::FragmentGroup;

use crate::admission::PolicyFinding;
use crate::catalog::{self, Catalog};

/// A query, split.
#[derive(Debug, Clone)]
pub struct FederatedPlan {
    /// The fragments, by the leaf of the merge plan that they feed.
    pub groups: Vec<FragmentGroup>,
    /// The plan at home. If `marked`, its last column is [`INCOMPLETE_COLUMN`].
    pub merge: LogicalPlan,
    /// Whether rows that may lack an owner's part are marked one by one.
    pub marked: bool,
    /// Whether something may be lacking that no row's mark tells.
    pub lost: bool,
}

/// The outcome of planning: what the owners' rules said of every fragment, and the plan or the refusal.
#[derive(Debug)]
pub struct Planned {
    /// Every rule that was applied, for `EXPLAIN POLICY`.
    pub findings: Vec<PolicyFinding>,
    /// The plan, or why there is none.
    pub verdict: Result<FederatedPlan, Refusal>,
}

/// Plans queries for one bundle.
#[derive(Debug)]
pub struct Planner {
    federated: Arc<Catalog>,
    owners: BTreeMap<JurisdictionId, Catalog>,
    home: JurisdictionId,
    sql_bytes: usize,
}

/// What planning one query looks things up in.
struct Context<'a> {
    owners: &'a BTreeMap<JurisdictionId, Catalog>,
    home: JurisdictionId,
    sql_bytes: usize,
}

impl Planner {
    /// A planner for the home node that has this bundle.
    #[must_use]
    pub fn new(bundle: &NodeBundle) -> Self {
        let owner = |id: &JurisdictionId| (id.clone(), Catalog::owner(bundle, id));
        Self {
            federated: Arc::new(Catalog::federated(bundle)),
            owners: bundle.members.iter().map(|member| owner(&member.jurisdiction)).collect(),
            home: bundle.jurisdiction.clone(),
            sql_bytes: bundle.limits.sql_bytes as usize,
        }
    }

    /// The tables that a query can name.
    #[must_use]
    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.federated
    }

    /// Splits a query.
    #[must_use]
    pub fn plan(&self, sql: &str) -> Planned {
        // A fragment is a rewritten query: it may be somewhat longer than the query it came from.
        let context = Context { owners: &self.owners, home: self.home.clone(), sql_bytes: self.sql_bytes * 4 };
        let mut placer = place::Placer::new(&context);
        // The engine's rules are many, and some panic on plans that nobody thought of: a text must never stop a node.
        let split = catalog::with_room(|| {
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.split(sql, &mut placer)))
        });
        let verdict = split.unwrap_or_else(|_| {
            Err(Refusal::new(Code::NotSplittable, "the planner has no way to plan this query")
                .with_remedy("write it in another form"))
        });
        Planned { findings: std::mem::take(&mut placer.fragments.findings), verdict }
    }

    fn split(&self, sql: &str, placer: &mut place::Placer<'_>) -> Result<FederatedPlan, Refusal> {
        let analysed = self.federated.plan(sql, self.sql_bytes)?;
        let names: Vec<String> = analysed.schema().fields().iter().map(|f| f.name().clone()).collect();
        let ordered = colocate::reorder(optimise::optimise(analysed)?)?;
        // Joins in another order let filters and projections move down once more.
        let optimised = if ordered.transformed { optimise::optimise(ordered.data)? } else { ordered.data };
        let part = placer.place_at_home(&optimised)?;
        let marked = !part.lacks.is_empty();
        let mut output: Vec<_> = (names.iter().enumerate())
            .map(|(i, name)| (aggregate::column_at(part.plan.schema(), i), name.clone()))
            .collect();
        if marked {
            output.push((place::any_of(&part.lacks), INCOMPLETE_COLUMN.to_owned()));
        }
        let merge = output_plan(output, part.plan)?;
        Ok(FederatedPlan { groups: std::mem::take(&mut placer.fragments.groups), merge, marked, lost: part.lost })
    }
}

/// The last projection: the names that the researcher wrote. Two columns may have one name, as in SQL.
fn output_plan(
    output: Vec<(datafusion::logical_expr::Expr, String)>,
    input: LogicalPlan,
) -> Result<LogicalPlan, Refusal> {
    let mut taken = std::collections::HashMap::<String, usize>::new();
    let exprs = output.into_iter().map(|(expr, name)| {
        let count = taken.entry(name.clone()).or_default();
        *count += 1;
        if *count == 1 { expr.alias(name) } else { expr.alias(format!("{name}:{count}")) }
    });
    let plan = Projection::try_new(exprs.collect(), Arc::new(input)).map_err(invalid)?;
    Ok(LogicalPlan::Projection(plan))
}

/// An error of DataFusion while a plan is rearranged: no data has been read, so it may be shown.
#[expect(clippy::needless_pass_by_value, reason = "it is given to map_err")]
fn invalid(error: DataFusionError) -> Refusal {
    Refusal::new(Code::InvalidSql, format!("the query cannot be planned: {}", error.strip_backtrace()))
}
