//! Advice on resources that compile but are seldom meant so.

use std::collections::BTreeSet;

use wanqu_model::names::{Purpose, ResourceName};

use super::index::Index;
use super::policies;
use crate::finding::{Finding, Findings};
use crate::kinds::{DataSharingAgreement, Grade, Jurisdiction, PlacementGrant, PlacementGrantSpec, ResearchProject};
use crate::resources::Resources;
use crate::sourced::Sourced;

/// Returns advice on what compiles but is seldom meant, in the order of files and lines. It stops nothing, and may be
/// incomplete for resources that do not compile.
#[must_use]
pub fn advise(resources: &Resources) -> Vec<Finding> {
    // Faults are for `compile` to report.
    let index = Index::new(resources, &mut Findings::default());
    let mut advice = Findings::default();
    unserved_tables(&index, &mut advice);
    idle_policies(&index, &mut advice);
    for agreement in index.agreements.values() {
        graded_data(&index, agreement, &mut advice);
    }
    for project in index.projects.values() {
        unfounded_purposes(&index, project, &mut advice);
    }
    for jurisdiction in index.jurisdictions.values() {
        ungranted_placement(jurisdiction, &resources.grants, &mut advice);
    }
    advice.into_sorted()
}

fn unserved_tables(index: &Index<'_>, advice: &mut Findings) {
    let served: BTreeSet<&ResourceName> =
        index.datasets.values().flat_map(|d| &d.resource.spec.serves).map(|s| &s.common_table).collect();
    for (name, table) in index.common_tables.iter().filter(|(name, _)| !served.contains(name)) {
        let remedy = format!("let a Dataset list {name} under serves");
        advice.add(table, "", "no dataset serves it, so a query finds it empty", remedy);
    }
}

fn idle_policies(index: &Index<'_>, advice: &mut Findings) {
    let mut used = BTreeSet::new();
    for (name, dataset) in &index.datasets {
        used.extend(policies::rule(index, name, dataset).policies);
    }
    for (_, policy) in index.policies.iter().filter(|(name, _)| !used.contains(*name)) {
        let remedy = "mend appliesTo, or list the policy in a Dataset";
        advice.add(policy, "spec.appliesTo", "it applies to no dataset", remedy);
    }
}

/// Advises on agreements over important data, which the standard contracts of the Greater Bay Area leave out.
fn graded_data(index: &Index<'_>, agreement: &Sourced<DataSharingAgreement>, advice: &mut Findings) {
    let spec = &agreement.resource.spec;
    for (name, dataset) in index.datasets.iter().filter(|(_, d)| d.resource.spec.jurisdiction == spec.from) {
        let data = &dataset.resource.spec;
        let by_common_table = data.serves.iter().any(|s| spec.common_tables.contains(&s.common_table));
        let covered = spec.datasets.contains(name) || spec.domains.contains(&data.table.domain) || by_common_table;
        if covered && data.grade > Grade::General {
            let grade = if data.grade == Grade::Core { "core" } else { "important" };
            let problem = format!("it covers Dataset {name}, which is {grade} data");
            let remedy = "the standard contracts for personal data leave such data out: make sure it may be asked for";
            advice.add(agreement, "spec", problem, remedy);
        }
    }
}

/// Advises on a node for which the manifests have no consent, where they have consents: the operator makes nothing in such a
/// namespace. On a laptop, and in the namespace of the Jurisdiction, none is needed.
fn ungranted_placement(member: &Sourced<Jurisdiction>, grants: &[Sourced<PlacementGrant>], advice: &mut Findings) {
    let (spec, home) = (&member.resource.spec, member.resource.metadata.namespace.as_deref());
    let Some(target) = spec.placement.namespace.as_deref().filter(|target| Some(*target) != home) else { return };
    if grants.is_empty() {
        return;
    }
    let is_named = |grant: &&PlacementGrantSpec| {
        let from = grant.from.iter().filter(|from| home.is_none_or(|home| from.namespace == home));
        from.into_iter()
            .any(|from| from.jurisdictions.as_ref().is_none_or(|names| names.iter().any(|n| n == member.name())))
    };
    let there = grants.iter().filter(|grant| grant.resource.metadata.namespace.as_deref() == Some(target));
    let named: Vec<&PlacementGrantSpec> = there.map(|grant| &grant.resource.spec).filter(is_named).collect();
    let Some(claim) = spec.data_claim.as_deref() else {
        if named.is_empty() {
            let problem = format!("no PlacementGrant in namespace {target} names it, so no node is made there");
            advice.add(
                member,
                "spec.placement.namespace",
                problem,
                "add one, with the namespace of this Jurisdiction under from",
            );
        }
        return;
    };
    if !named.iter().any(|grant| grant.claims.iter().any(|granted| granted == claim)) {
        let problem = format!(
            "no PlacementGrant in namespace {target} names it and lists the claim {claim}, so no node is made there"
        );
        let remedy = "add one, with the namespace of this Jurisdiction under from and the claim under claims";
        advice.add(member, "spec.placement.namespace", problem, remedy);
    }
}

fn unfounded_purposes(index: &Index<'_>, project: &Sourced<ResearchProject>, advice: &mut Findings) {
    let spec = &project.resource.spec;
    let allowed: BTreeSet<&Purpose> = spec
        .agreements
        .iter()
        .filter_map(|name| index.agreements.get(name))
        .flat_map(|agreement| &agreement.resource.spec.purposes)
        .collect();
    for (position, purpose) in spec.purposes.iter().enumerate() {
        if !spec.agreements.is_empty() && !allowed.contains(purpose) {
            let problem = format!("none of its agreements allows the purpose {purpose}");
            let remedy = "with it, the project can ask only at home";
            advice.add(project, format!("spec.purposes[{position}]"), problem, remedy);
        }
    }
}
