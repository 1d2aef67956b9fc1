//! Compilation of what is right, without what is wrong.
//!
//! ```text
//! every object ─▶ findings ─▶ the objects at fault ─▶ those that rest on them ─┐
//!                                     ▲                                        │
//!                                     └── until nothing is wrong in the rest ──┘
//! ```
//!
//! What is left is compiled as if the others had never been declared, but for what must not be forgotten of them: an owner whose
//! part of a table is left out is still known to have one, so that no answer looks complete without it; and a member at fault
//! keeps a node with a bundle that grants nothing, so that it learns of every revocation.

use std::collections::BTreeSet;

use super::consequences::consequences;
use super::index::Index;
use super::{Compiled, pass};
use crate::finding::{Finding, Findings, LeftOut, within};
use crate::placements::Placements;
use crate::resources::Resources;

/// Compilation of the objects of a federation that are in order.
#[derive(Debug, Clone, PartialEq)]
pub struct Partial {
    /// The federation without the objects at fault; `None` if there is no Federation that can be read.
    pub compiled: Option<Compiled>,
    /// Problems, as [`check`](super::check) reports them.
    pub findings: Vec<Finding>,
    /// Objects without a problem of their own that lose something because of another one, or that are left out. Each says which
    /// object that is.
    pub left_out: Vec<Finding>,
}

/// Compiles the objects that are in order, and leaves out those that are not with all that rests on them.
///
/// Nothing is less strict for it: each member's bundle grants at most what the bundles of the objects in order grant alone. So
/// whatever is withdrawn by one object is withdrawn from every node, whatever is wrong with another.
///
/// - A [`DisclosurePolicy`](crate::kinds::DisclosurePolicy) that is at fault or missing closes the datasets that it protects. If only
///   its selection is at fault, its rule holds for every dataset that it may mean.
/// - An agreement that is at fault, or of a member that is, is not in force; a project loses the agreements that are not.
/// - A [`Jurisdiction`](crate::kinds::Jurisdiction) that is at fault, or no member, has a bundle that grants nothing. A fault of a field
///   that only says how its node runs leaves the bundle as it is.
#[must_use]
pub fn partial(resources: &Resources, placements: &Placements) -> Partial {
    let mut findings = Findings::from(resources.unreadable.as_slice());
    let compiled = pass(resources, placements, &mut findings);
    let all = findings.into_sorted();
    if all.is_empty() {
        return Partial { compiled, findings: all, left_out: Vec::new() };
    }
    let mut out = LeftOut::default();
    for finding in all.iter().filter(|finding| closes(finding)) {
        out.add(finding);
    }
    let mut left_out = Vec::new();
    let compiled = loop {
        while rest_on(resources, &mut out, &mut left_out) {}
        let mut findings = Findings(Vec::new(), out.clone());
        let compiled = pass(resources, placements, &mut findings);
        let mut further = findings.into_sorted();
        further.retain(|finding| closes(finding) && !all.contains(finding) && out.add(finding));
        if further.is_empty() {
            break compiled;
        }
        left_out.extend(further);
    };
    let index = Index::new(resources, &mut Findings(Vec::new(), out));
    left_out.extend(consequences(resources, &index).into_iter().map(|consequence| consequence.told));
    left_out.sort();
    left_out.dedup();
    Partial { compiled, findings: without_echoes(all, &resources.unreadable), left_out }
}

/// Adds the objects of which nothing is left without those in `out`, and says why; returns true if there are any.
fn rest_on(resources: &Resources, out: &mut LeftOut, told: &mut Vec<Finding>) -> bool {
    let index = Index::new(resources, &mut Findings(Vec::new(), out.clone()));
    let whole: Vec<Finding> =
        consequences(resources, &index).into_iter().filter(|consequence| consequence.whole).map(|c| c.told).collect();
    let mut grown = false;
    for finding in whole {
        grown |= out.add(&finding);
        told.push(finding);
    }
    grown
}

/// Fields of a Jurisdiction that say how its node runs, and of which no bundle holds anything.
const OF_THE_NODE: [&str; 8] = [
    "spec.traces",
    "spec.exchange",
    "spec.network",
    "spec.replicas",
    "spec.resources",
    "spec.storage",
    "spec.pods",
    "spec.paused",
];

/// Returns true if an object with this problem is left out as a whole. Of a Federation, these are its defaults.
fn closes(finding: &Finding) -> bool {
    match finding.kind.as_str() {
        "Federation" => within(&finding.path, "spec.defaults"),
        "Jurisdiction" => !OF_THE_NODE.iter().any(|field| within(&finding.path, field)),
        // A subject or an agreement at fault is left out of its project by itself.
        "ResearchProject" => !["spec.subjects[", "spec.agreements["].iter().any(|list| finding.path.starts_with(list)),
        "FederatedQuery" => false,
        _ => true,
    }
}

/// Returns the findings without those about what is missing from an object that could not be read.
fn without_echoes(mut findings: Vec<Finding>, unreadable: &[Finding]) -> Vec<Finding> {
    let objects: BTreeSet<(&str, &str)> = unreadable.iter().map(|f| (f.kind.as_str(), f.name.as_str())).collect();
    findings.retain(|f| unreadable.contains(f) || !objects.contains(&(f.kind.as_str(), f.name.as_str())));
    findings
}
