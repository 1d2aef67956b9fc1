//! What a bundle permits, compared with what another one does.

use wanqu_model::bundle::{Agreement, NodeBundle, Project, Slice};
use wanqu_model::columns::ColumnClass;
use wanqu_model::names::{JurisdictionId, TableRef};

/// Returns what `of` permits beyond `most`, the bundle of the same member; `bundle_of` gives the other members' bundles that go
/// with `of`.
pub fn beyond<'a>(
    of: &NodeBundle,
    most: Option<&NodeBundle>,
    bundle_of: &dyn Fn(&JurisdictionId) -> Option<&'a NodeBundle>,
) -> Vec<String> {
    let mut beyond = Vec::new();
    for member in &of.members {
        let known = most.and_then(|most| most.members.iter().find(|other| other.jurisdiction == member.jurisdiction));
        let own = member.jurisdiction == of.jurisdiction;
        if !own && member.ca.is_some() && known.is_none_or(|known| known.ca != member.ca) {
            beyond.push(format!("it trusts {}", member.jurisdiction));
        }
        let issuers = known.map(|known| known.issuers.as_slice()).unwrap_or_default();
        if let Some(issuer) = member.issuers.iter().find(|issuer| !issuers.contains(issuer)) {
            beyond.push(format!("it takes tokens of {} for {}", issuer.issuer, member.jurisdiction));
        }
    }
    for slice in &of.slices {
        let known = most.and_then(|most| most.slices.iter().find(|other| same(slice, other)));
        let refused = || slice.jurisdiction != of.jurisdiction && !has(bundle_of(&slice.jurisdiction), &slice.table);
        if !known.is_some_and(|known| no_laxer(slice, known)) && !refused() {
            beyond.push(format!("{} of {}", slice.table, slice.jurisdiction));
        }
    }
    for source in &of.sources {
        if !most.is_some_and(|most| most.sources.contains(source)) {
            beyond.push(format!("it reads {}", source.table));
        }
    }
    for agreement in &of.agreements {
        let known = most.and_then(|most| most.agreements.iter().find(|other| other.name == agreement.name));
        let extra = |table: &TableRef| has(bundle_of(&agreement.from), table);
        if !known.is_some_and(|known| no_wider(agreement, known, &extra)) {
            beyond.push(format!("agreement {}", agreement.name));
        }
    }
    for project in &of.projects {
        let known = most.and_then(|most| most.projects.iter().find(|other| other.name == project.name));
        if !known.is_some_and(|known| no_more(project, known)) {
            beyond.push(format!("project {}", project.name));
        }
    }
    beyond
}

fn same(one: &Slice, other: &Slice) -> bool {
    (&one.table, &one.jurisdiction, &one.dataset) == (&other.table, &other.jurisdiction, &other.dataset)
}

/// Returns true if the owner of a bundle has a part of a table, so that it can answer.
pub fn has(owner: Option<&NodeBundle>, table: &TableRef) -> bool {
    owner.is_some_and(|owner| owner.slices.iter().any(|s| s.table == *table && s.jurisdiction == owner.jurisdiction))
}

fn no_laxer(slice: &Slice, most: &Slice) -> bool {
    let columns = slice.columns.len() == most.columns.len()
        && slice.columns.iter().zip(&most.columns).all(|(one, other)| {
            one.name == other.name && one.class >= other.class && one.expression == other.expression
        });
    let (rule, least) = (&slice.policy, &most.policy);
    // Rows of public columns alone pass no gate, whatever the rule is.
    let public = slice.columns.iter().all(|column| column.class == ColumnClass::Public);
    let rules = rule.min_units >= least.min_units
        && rule.rounding >= least.rounding
        && (!rule.publish_zeros || least.publish_zeros)
        && (rule.remember_cells || !least.remember_cells)
        && rule.contributions.and(least.contributions) == rule.contributions;
    columns && slice.privacy_unit == most.privacy_unit && (public || rules)
}

fn no_wider(agreement: &Agreement, most: &Agreement, can_answer: &dyn Fn(&TableRef) -> bool) -> bool {
    (&agreement.from, &agreement.to, agreement.state) == (&most.from, &most.to, most.state)
        && (agreement.not_before, agreement.expires) == (most.not_before, most.expires)
        && agreement.purposes.iter().all(|purpose| most.purposes.contains(purpose))
        && agreement.tables.iter().all(|table| most.tables.contains(table) || !can_answer(table))
}

fn no_more(project: &Project, most: &Project) -> bool {
    project.subjects.iter().all(|subject| most.subjects.contains(subject))
        && project.purposes.iter().all(|purpose| most.purposes.contains(purpose))
        && project.agreements.iter().all(|agreement| most.agreements.contains(agreement))
        && project.queries_per_day == most.queries_per_day
}
