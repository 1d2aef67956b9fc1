//! Release rules of datasets.

use wanqu_model::bundle::{ContributionRule, ReleaseRule};
use wanqu_model::columns::ColumnClass;
use wanqu_model::names::ResourceName;

use super::index::{Index, unknown};
use crate::finding::Findings;
use crate::kinds::{Dataset, DatasetSpec, DisclosurePolicy, DisclosurePolicySpec, Dominance};
use crate::sourced::Sourced;

/// Returns the strictest of the federation's own rule, which always applies, and of all policies that apply.
///
/// Of two rounding bases the greater holds, not their least common multiple: each base says how coarse an answer must be at
/// the least, and the greater one is at least as coarse as either asks, while 3 and 5 together would make it 15.
pub(super) fn rule(index: &Index<'_>, name: &ResourceName, dataset: &Sourced<Dataset>) -> ReleaseRule {
    let mut rule = ReleaseRule {
        policies: Vec::new(),
        min_units: 1,
        rounding: 1,
        publish_zeros: true,
        remember_cells: false,
        contributions: ContributionRule::default(),
    };
    let mut stated = Stated::default();
    if let Some((federation, resource)) = &index.federation {
        let release = &resource.resource.spec.defaults.release;
        tighten(&mut rule, federation, release.min_units, release.rounding, release.publish_zeros);
        // A federation's own rule remembers nothing: each owner decides on its own ledger.
    }
    for (policy, resource) in &index.policies {
        let spec = &resource.resource.spec;
        if dataset.resource.spec.policies.contains(policy) || applies(spec, name, dataset) {
            tighten(&mut rule, policy, spec.min_units, spec.rounding, spec.publish_zeros);
            rule.remember_cells |= spec.remember_cells;
            stated.add(spec);
        }
    }
    rule.contributions = stated.or(rule.contributions);
    for resource in index.out.policies.iter().filter(|policy| might_apply(index, policy, dataset)) {
        let (spec, name) = (&resource.resource.spec, resource.name().parse::<ResourceName>());
        if let Ok(name) = name {
            tighten(&mut rule, &name, spec.min_units, spec.rounding, spec.publish_zeros);
            rule.remember_cells |= spec.remember_cells;
            // Bounds of a policy at fault may be laxer than the default, and must not make anything so.
            let mut own = Stated::default();
            own.add(spec);
            rule.contributions = rule.contributions.and(own.or(rule.contributions));
        }
    }
    // A rule that protects nobody remembers nothing, so that older nodes keep the table.
    let protects = rule.min_units > 1 && !is_public(&dataset.resource.spec);
    rule.remember_cells &= protects;
    if !protects {
        rule.contributions = ContributionRule::default();
    }
    rule
}

/// What policies say of the contributions of units, each part the strictest of those that say anything of it.
#[derive(Default)]
struct Stated {
    dominance: Option<Dominance>,
    p_percent: Option<u32>,
    min_values: Option<u32>,
}

impl Stated {
    fn add(&mut self, spec: &DisclosurePolicySpec) {
        self.dominance = match (self.dominance, spec.dominance) {
            (Some(one), Some(other)) => {
                Some(Dominance { units: one.units.max(other.units), percent: one.percent.min(other.percent) })
            }
            (one, other) => one.or(other),
        };
        self.p_percent = self.p_percent.max(spec.p_percent);
        self.min_values = self.min_values.max(spec.min_values);
    }

    fn or(&self, default: ContributionRule) -> ContributionRule {
        ContributionRule {
            dominant_units: self.dominance.map_or(default.dominant_units, |dominance| dominance.units.max(1)),
            dominant_percent: self.dominance.map_or(default.dominant_percent, |dominance| dominance.percent),
            p_percent: self.p_percent.unwrap_or(default.p_percent),
            min_values: self.min_values.unwrap_or(default.min_values),
        }
    }
}

/// Returns true if every column of a dataset is public, so that no rule protects anybody.
pub(super) fn is_public(spec: &DatasetSpec) -> bool {
    spec.columns.iter().all(|column| column.class == ColumnClass::Public)
}

/// Checks that the node of a dataset whose cells are remembered has one replica: each has a ledger of its own, so that one would
/// release what another would not.
pub(super) fn check_ledger(
    index: &Index<'_>,
    name: &ResourceName,
    dataset: &Sourced<Dataset>,
    findings: &mut Findings,
) {
    let jurisdiction = &dataset.resource.spec.jurisdiction;
    let Some(owner) = index.jurisdictions.get(jurisdiction) else { return };
    let replicas = owner.resource.spec.replicas;
    let rule = rule(index, name, dataset);
    if replicas > 1 && rule.remembers() {
        let policies: Vec<&str> = rule.policies.iter().map(ResourceName::as_str).collect();
        let problem = format!(
            "its released cells are remembered (rememberCells), and the node of {jurisdiction} has {replicas} replicas, whose \
             ledgers know nothing of each other"
        );
        let remedy = format!(
            "set replicas: 1 in Jurisdiction {}, or rememberCells: false in what applies to it ({})",
            owner.name(),
            policies.join(", ")
        );
        findings.add(dataset, "spec.policies", problem, remedy);
    }
}

/// Returns true if a policy that is at fault certainly protects a dataset: either of them names the other, or the policy's
/// `appliesTo` selects it.
pub(super) fn surely_applies(policy: &Sourced<DisclosurePolicy>, dataset: &Sourced<Dataset>) -> bool {
    let names = |names: &[ResourceName], name: &str| names.iter().any(|other| other.as_str() == name);
    let selects = |name: ResourceName| applies(&policy.resource.spec, &name, dataset);
    names(&dataset.resource.spec.policies, policy.name())
        || names(&policy.resource.spec.applies_to.datasets, dataset.name())
        || dataset.name().parse().is_ok_and(selects)
}

/// Returns true if a policy whose `appliesTo` is at fault may mean a dataset: nobody knows which it would have named.
pub(super) fn might_apply(index: &Index<'_>, policy: &Sourced<DisclosurePolicy>, dataset: &Sourced<Dataset>) -> bool {
    let (to, spec) = (&policy.resource.spec.applies_to, &dataset.resource.spec);
    let unknown = |id| !index.jurisdictions.contains_key(id) && !index.mentions(id);
    index.out.faults.in_field("DisclosurePolicy", policy.name(), "spec.appliesTo")
        && to.jurisdiction.as_ref().is_none_or(|id| *id == spec.jurisdiction || unknown(id))
        && (to.grades.is_empty() || to.grades.contains(&spec.grade))
}

fn tighten(rule: &mut ReleaseRule, policy: &ResourceName, min_units: u32, rounding: u32, publish_zeros: bool) {
    rule.policies.push(policy.clone());
    rule.min_units = rule.min_units.max(min_units);
    rule.rounding = rule.rounding.max(rounding);
    rule.publish_zeros &= publish_zeros;
}

/// Returns true if a policy's `appliesTo` selects a dataset: every condition that it names must hold.
fn applies(policy: &DisclosurePolicySpec, name: &ResourceName, dataset: &Sourced<Dataset>) -> bool {
    let to = &policy.applies_to;
    let spec = &dataset.resource.spec;
    to.jurisdiction.as_ref().is_none_or(|id| *id == spec.jurisdiction)
        && (to.datasets.is_empty() || to.datasets.contains(name))
        && (to.grades.is_empty() || to.grades.contains(&spec.grade))
}

/// Checks the policies themselves: one that names what does not exist would protect nothing, silently.
pub(super) fn check(index: &Index<'_>, findings: &mut Findings) {
    if let Some((_, federation)) = &index.federation {
        let release = &federation.resource.spec.defaults.release;
        check_numbers(federation, "spec.defaults.release", release.min_units, release.rounding, findings);
    }
    for policy in index.policies.values() {
        let spec = &policy.resource.spec;
        check_numbers(policy, "spec", spec.min_units, spec.rounding, findings);
        check_dominance(policy, findings);
        let to = &spec.applies_to;
        if let Some(id) = &to.jurisdiction {
            index.check_jurisdiction(policy, "spec.appliesTo.jurisdiction", id, findings);
        }
        for (position, name) in to.datasets.iter().enumerate() {
            let path = format!("spec.appliesTo.datasets[{position}]");
            let dataset = index.datasets.get(name).map(|dataset| &dataset.resource.spec);
            match (dataset, &to.jurisdiction) {
                (None, _) if index.dataset_declared(name) => {}
                (None, _) => unknown(policy, &path, "Dataset", name, &index.datasets, findings),
                (Some(dataset), Some(id)) if dataset.jurisdiction != *id => {
                    let problem = format!("Dataset {name} belongs to {}, so this never applies", dataset.jurisdiction);
                    findings.add(policy, path, problem, "leave the jurisdiction out, or the dataset");
                }
                _ => {}
            }
        }
    }
}

fn check_dominance(policy: &Sourced<DisclosurePolicy>, findings: &mut Findings) {
    let Some(Dominance { units, percent }) = policy.resource.spec.dominance else { return };
    if units == 0 || percent == 0 || percent > 100 {
        let problem = format!("dominance of {units} units with {percent} percent is no bound");
        findings.add(policy, "spec.dominance", problem, "use 1 unit or more, and a share of 1 to 100 percent");
    }
}

fn check_numbers<T: kube::Resource<DynamicType = ()>>(
    at: &Sourced<T>,
    path: &str,
    min_units: u32,
    rounding: u32,
    findings: &mut Findings,
) {
    for (field, number) in [("minUnits", min_units), ("rounding", rounding)] {
        if number == 0 {
            findings.add(at, format!("{path}.{field}"), format!("{field} is 0"), "use 1 or more");
        }
    }
}
