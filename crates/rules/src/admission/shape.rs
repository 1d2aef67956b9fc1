//! What a judged fragment is: rows of public tables, or one aggregate that the gate must pass.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::logical_expr::{Aggregate, Expr, LogicalPlan};
use wanqu_model::bundle::ReleaseRule;
use wanqu_model::refusal::Refusal;

pub use super::families::Family;
use super::finding::PolicyFinding;
use crate::catalog::CatalogTable;

/// Everything that the rules of classes and shape say of one plan.
#[derive(Debug)]
pub struct Judgement {
    /// Every column and operator, with the rule that admits or refuses it.
    pub findings: Vec<PolicyFinding>,
    /// The plan that may run, or the first refusal.
    pub verdict: Result<Judged, Refusal>,
}

/// A plan that passed the rules of classes and shape. Made only by [`judge`](super::judge).
#[derive(Debug, Clone)]
pub struct Judged {
    pub(super) plan: LogicalPlan,
    pub(super) shape: Shape,
    pub(super) tables: Vec<Arc<CatalogTable>>,
}

impl Judged {
    /// The plan to run: analysed, with fallible casts over non-public data made `TRY_CAST`, and `DISTINCT` over
    /// non-public data made an aggregate without aggregate functions.
    #[must_use]
    pub fn plan(&self) -> &LogicalPlan {
        &self.plan
    }

    /// Whether its release needs the gate.
    #[must_use]
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The tables it reads, each once.
    #[must_use]
    pub fn tables(&self) -> &[Arc<CatalogTable>] {
        &self.tables
    }
}

/// What the release of a fragment is.
#[derive(Debug, Clone)]
pub enum Shape {
    /// It reads public tables only: rows may leave, no gate applies.
    Public,
    /// It reads non-public tables: one aggregate, whose every row the gate must pass.
    Gated(GatedShape),
}

/// What the gate must know of an aggregate over non-public data.
#[derive(Debug, Clone)]
pub struct GatedShape {
    /// The strictest of the rules of all non-public slices read.
    pub rule: ReleaseRule,
    /// The conditions inside aggregates, each of which counts like a group of its own. No two are equal.
    pub conditions: Vec<Condition>,
    /// Which of the conditions can be set against each other. Each condition is in at least one of them.
    pub families: Vec<Family>,
    /// Plans over public tables only that must each give no row; if one gives a row, the fragment is refused.
    ///
    /// A public table that joins a non-public one must hold at most one row for each value of the join key: with
    /// more, rows of the non-public table would be multiplied by numbers that the requester chooses through filters on
    /// the public table, and one sum would carry many small cells (`n_a + 1000 * n_b`). Each plan here finds a key that
    /// occurs twice. Admission sees no rows, so it can only say what must be looked at; what is read is public.
    pub must_be_empty: Vec<LogicalPlan>,
}

/// One condition inside an aggregate: a `FILTER`, a `CASE` that keeps or drops, an argument that can be NULL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// A boolean expression over the schema of the aggregate's input. A row meets it only if it is TRUE: NULL is not met.
    pub met: Expr,
    /// Whether the units with a row that does not meet it must be none or enough, too.
    pub complement: bool,
    /// Whether it chooses rows by what they say of somebody, and not only by whether a measure was taken.
    pub chooses: bool,
    /// The measures whose sums over the rows that meet it are released, by table and column.
    pub measures: BTreeSet<String>,
}

impl Condition {
    /// A condition that chooses rows: a `FILTER`, a `CASE`, a NULL that tells something.
    #[must_use]
    pub fn chooses(met: Expr, complement: bool) -> Self {
        Self { met, complement, chooses: true, measures: BTreeSet::new() }
    }
}

/// The one aggregate of a gated plan: the plan itself, or the input of its one projection on top.
#[must_use]
pub fn aggregate_of(plan: &LogicalPlan) -> Option<&Aggregate> {
    match plan {
        LogicalPlan::Aggregate(aggregate) => Some(aggregate),
        LogicalPlan::Projection(projection) => match projection.input.as_ref() {
            LogicalPlan::Aggregate(aggregate) => Some(aggregate),
            _ => None,
        },
        _ => None,
    }
}
