//! Admission: the decision whether this owner runs a fragment. Pure: values in, a decision out, no I/O.
//!
//! ```text
//! envelope ─▶ permit   who asks, for which project and purpose, under which agreement
//!          ─▶ plan     the owner's own catalog reads the SQL text; nothing the home node computed is used
//!          ─▶ judge    column classes through every expression, and the shape of what would be released
//!          ─▶ AdmittedFragment, the only thing that the engine runs
//! ```
//!
//! Over public tables any query passes. A query that reads one non-public table must be a single finished aggregate:
//!
//! ```text
//! [Projection of the aggregate's columns, renamed or cast]
//!   Aggregate (plain GROUP BY list)
//!     tree of { SubqueryAlias, Projection, Filter, Join, TableScan }
//! ```
//!
//! Everything is an allow-list: kinds of plan nodes, kinds of expressions, functions, forms of an aggregate's argument.
//! Anything else is refused, with the rule that it breaks and the nearest query that would pass.

mod admitted;
mod aggregate;
mod base;
mod condition;
mod families;
mod finding;
mod functions;
mod growth;
mod join;
mod judge;
mod judgement;
mod linear;
mod magnitude;
mod node;
mod permit;
mod predicate;
mod public;
mod reads;
mod record;
mod refusals;
mod remedy;
mod scalar;
mod shape;
mod sources;
mod subquery;
mod total;
mod tree;
mod widen;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub use admitted::{AdmittedFragment, GrantedAgreement};
pub use families::{Condition, Family, ValueGroup};
pub use finding::{PolicyFinding, to_batch};
pub use magnitude::Magnitude;
pub use shape::{GatedShape, Judged, Judgement, Shape, aggregate_of};
pub use total::{Addend, Total};

use datafusion::logical_expr::LogicalPlan;
use jiff::{SignedDuration, Timestamp};
use wanqu_model::bundle::NodeBundle;
use wanqu_model::names::{JurisdictionId, TableRef};
use wanqu_model::refusal::Refusal;

use crate::catalog::Catalog;
use crate::envelope::Envelope;

/// Envelope that an owner received, and the peer that it came from.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The envelope, its signature already checked against the connection's certificate.
    pub envelope: &'a Envelope,
    /// The jurisdiction that the connection's certificate names; the owner itself for its own researchers.
    pub peer: &'a JurisdictionId,
}

/// Decides whether an owner runs a fragment. `catalog` is [`Catalog::owner`] of the same bundle and its own jurisdiction.
///
/// # Errors
/// The first rule that the request breaks, with its remedy.
pub fn admit(
    request: &Request<'_>,
    bundle: &NodeBundle,
    catalog: &Catalog,
    now: Timestamp,
) -> Result<AdmittedFragment, Refusal> {
    let envelope = request.envelope;
    permit::envelope(request, bundle, now)?;
    let owned = |refusal: Refusal| refusal.with_owner(bundle.jurisdiction.clone());
    let plan = catalog.plan(&envelope.sql, bundle.limits.sql_bytes as usize).map_err(owned)?;
    let read = reads::tables_of(&plan).map_err(owned)?;
    let agreement = if read.iter().all(|table| table.is_public()) {
        None
    } else {
        permit::non_public(request, &read, bundle, now)?
    };
    let Judged { plan, shape, tables } = judge(plan, &bundle.jurisdiction).verdict?;
    let mut names: Vec<TableRef> =
        tables.iter().filter_map(|table| table.slices.first()).map(|slice| slice.table.clone()).collect();
    names.dedup();
    let limit = now.saturating_add(SignedDuration::from_secs(bundle.limits.deadline_seconds.into()));
    Ok(AdmittedFragment {
        plan,
        shape,
        tables: names,
        query_id: envelope.query_id,
        fragment: envelope.fragment,
        from: envelope.from.clone(),
        requester: envelope.requester.clone(),
        project: envelope.project.clone(),
        purpose: envelope.purpose.clone(),
        agreement,
        sql: envelope.sql.clone(),
        max_rows: envelope.max_rows.min(bundle.limits.release_rows),
        max_bytes: bundle.limits.release_bytes(),
        deadline: limit.map_or(envelope.deadline, |limit| envelope.deadline.min(limit)),
    })
}

/// Judges classes and shape alone, without any agreement: for the planner at home before it sends a fragment (against
/// [`Catalog::owner`] of the owner asked), and for `EXPLAIN POLICY`.
#[must_use]
pub fn judge(plan: LogicalPlan, owner: &JurisdictionId) -> Judgement {
    crate::catalog::with_room(|| judgement::judge(plan, owner))
}
