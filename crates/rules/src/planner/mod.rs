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
//! A query that cannot be split so that every part could be released is refused here, before anything is sent. That is
//! for the researcher's sake: each owner judges every fragment again, and trusts nothing that was decided here.

mod aggregate;
mod colocate;
mod decompose;
mod doubt;
mod explain;
mod fragments;
mod invalid;
mod join;
mod limit;
mod lineage;
mod marks;
mod merging;
mod optimise;
mod part;
mod place;
mod promised;
mod readback;
mod size;
mod spread;
mod subquery;
#[cfg(test)]
mod tests;
mod text;
mod total;

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::logical_expr::{LogicalPlan, Projection};
use wanqu_model::answer::INCOMPLETE_COLUMN;
use wanqu_model::bundle::NodeBundle;
use wanqu_model::names::JurisdictionId;
use wanqu_model::refusal::Refusal;

pub use doubt::Doubt;
pub use explain::explain;
pub use fragments::FragmentGroup;

use fragments::{Context, Fragments};
use invalid::invalid;
use place::Placer;

use crate::admission::PolicyFinding;
use crate::catalog::{self, Catalog};

/// A query, split.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own about the answer")]
pub struct FederatedPlan {
    /// The fragments, by the leaf of the merge plan that they feed.
    pub groups: Vec<FragmentGroup>,
    /// The plan at home. If `marked`, its last column is [`INCOMPLETE_COLUMN`].
    pub merge: LogicalPlan,
    /// True if rows that may lack an owner's part are marked, each by its own.
    pub marked: bool,
    /// True if the answer may lack something that no row's mark tells.
    pub lost: bool,
    /// True if rows may be absent because each is one owner's cell, which that owner may have kept back.
    pub rows_kept_back: bool,
    /// Doubt about absent rows: a cell that may lack an owner's part may have decided about them.
    pub absent: Doubt,
    /// True if an operator at home decides about rows by their values or their place.
    pub chooses: bool,
}

/// Outcome of planning: the findings of the owners' rules on every fragment, and the plan or the refusal.
#[derive(Debug)]
pub struct Planned {
    /// Findings of every rule that was applied, for `EXPLAIN POLICY`.
    pub findings: Vec<PolicyFinding>,
    /// The plan, or the refusal.
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

impl Planner {
    /// Makes a planner for the home node that has this bundle.
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

    /// Returns the tables that a query can name.
    #[must_use]
    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.federated
    }

    /// Splits a query.
    #[must_use]
    pub fn plan(&self, sql: &str) -> Planned {
        // A fragment is a rewritten query: it may be somewhat longer than the query it came from.
        let context = Context { owners: &self.owners, home: &self.home, sql_bytes: self.sql_bytes * 4 };
        let mut fragments = Fragments::new(context);
        // The engine's rules are many, and some panic on plans that nobody thought of: a text must never stop a node.
        let split = catalog::with_room(|| {
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.split(sql, &mut fragments)))
        });
        let verdict = split.unwrap_or_else(|_| Err(invalid::cannot_be_split()));
        Planned { findings: fragments.findings, verdict }
    }

    fn split(&self, sql: &str, fragments: &mut Fragments<'_>) -> Result<FederatedPlan, Refusal> {
        let analysed = self.federated.plan(sql, self.sql_bytes)?;
        let names: Vec<String> = analysed.schema().fields().iter().map(|f| f.name().clone()).collect();
        let ordered = colocate::reorder(optimise::optimise(analysed)?)?;
        // Joins in another order let filters and projections move down once more.
        let optimised = if ordered.transformed { optimise::optimise(ordered.data)? } else { ordered.data };
        let part = Placer(&mut *fragments).place_at_home(&optimised)?;
        let marked = !part.lacks.is_empty();
        let mut output: Vec<_> = (names.iter().enumerate())
            .map(|(i, name)| (part::column_at(part.plan.schema(), i), name.clone()))
            .collect();
        if marked {
            output.push((part::any_of(&part.lacks), INCOMPLETE_COLUMN.to_owned()));
        }
        let chooses = doubt::chooses(&part.plan);
        let merge = output_plan(output, part.plan)?;
        let (lost, rows_kept_back, absent) = (part.lost, part.rows_kept_back, part.absent);
        let groups = std::mem::take(&mut fragments.groups);
        Ok(FederatedPlan { groups, merge, marked, lost, rows_kept_back, absent, chooses })
    }
}

/// Puts the last projection on the plan: the names that the researcher wrote. Two columns may have one name, as in SQL.
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
