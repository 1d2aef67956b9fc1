//! What a fault in one object takes from others: the objects that rest on it, and the parts that they lose.

use kube::Resource;
use wanqu_model::names::JurisdictionId;

use super::index::Index;
use super::{agreements, policies};
use crate::finding::{Finding, Findings};
use crate::kinds::{
    CommonTable, DataSharingAgreement, Dataset, DisclosurePolicy, Federation, Jurisdiction, ResearchProject,
};
use crate::resources::Resources;
use crate::sourced::Sourced;

/// What an object loses by the fault of another.
pub(super) struct Consequence {
    /// The object and its field, the other object, and the remedy.
    pub(super) told: Finding,
    /// True if nothing of the object is left.
    pub(super) whole: bool,
}

/// Returns what objects lose by those that `index` goes without.
pub(super) fn consequences(resources: &Resources, index: &Index<'_>) -> Vec<Consequence> {
    let mut found = Consequences { index, found: Vec::new() };
    for dataset in resources.datasets.iter().filter(|dataset| !index.out.faults.holds(dataset)) {
        found.dataset(resources, dataset);
    }
    for agreement in index.agreements.values() {
        found.agreement(agreement);
    }
    for project in index.projects.values() {
        found.project(project);
    }
    found.found
}

struct Consequences<'a> {
    index: &'a Index<'a>,
    found: Vec<Consequence>,
}

impl Consequences<'_> {
    fn add<T: Resource<DynamicType = ()>>(
        &mut self,
        at: &Sourced<T>,
        path: &str,
        cause: &str,
        loss: &str,
        whole: bool,
    ) {
        let mut findings = Findings::default();
        let remedy = format!("mend {cause}, whose conditions name the field, or take it off here");
        findings.add(at, path, format!("{cause} is left out, so {loss}"), remedy);
        self.found.extend(findings.0.into_iter().map(|told| Consequence { told, whole }));
    }

    fn is_out<T: Resource<DynamicType = ()>>(&self, name: &str) -> bool {
        self.index.out.faults.contains(&T::kind(&()), name)
    }

    fn jurisdiction(&self, id: &JurisdictionId) -> Option<String> {
        let out = self.index.out.jurisdictions.iter().find(|out| out.resource.spec.id == *id);
        out.filter(|_| self.index.is_out(id)).map(|out| object::<Jurisdiction>(out.name()))
    }

    fn dataset(&mut self, resources: &Resources, dataset: &Sourced<Dataset>) {
        const CLOSED: &str = "no bundle has this Dataset";
        let spec = &dataset.resource.spec;
        if let Some(cause) = self.jurisdiction(&spec.jurisdiction) {
            self.add(dataset, "spec.jurisdiction", &cause, CLOSED, true);
        }
        for (position, name) in spec.policies.iter().enumerate() {
            if self.is_out::<DisclosurePolicy>(name.as_str()) {
                let (path, cause) = (format!("spec.policies[{position}]"), object::<DisclosurePolicy>(name.as_str()));
                self.add(dataset, &path, &cause, CLOSED, true);
            }
        }
        if !policies::is_public(spec) {
            for cause in self.closing(resources, dataset) {
                self.add(dataset, "spec", &cause, "what it protects is closed", true);
            }
        }
        for (position, serves) in spec.serves.iter().enumerate() {
            let name = serves.common_table.as_str();
            if self.is_out::<CommonTable>(name) {
                let path = format!("spec.serves[{position}].commonTable");
                self.add(dataset, &path, &object::<CommonTable>(name), "nobody can ask for that table", false);
            }
        }
    }

    /// Returns the rules at fault that protect a dataset, or may: those that apply to it by themselves.
    fn closing(&self, resources: &Resources, dataset: &Sourced<Dataset>) -> Vec<String> {
        let out = &self.index.out;
        let closes = |policy: &&&Sourced<DisclosurePolicy>| {
            let spec = &policy.resource.spec;
            let listed = dataset.resource.spec.policies.iter().any(|name| name.as_str() == policy.name());
            // The rule of a policy of which only the selection is in doubt holds for all that it may mean: `policies::rule`.
            let certain = policies::surely_applies(policy, dataset);
            !listed
                && (certain
                    || (spec.min_units.min(spec.rounding) == 0 && policies::might_apply(self.index, policy, dataset)))
        };
        let mut causes: Vec<String> =
            out.policies.iter().filter(closes).map(|policy| object::<DisclosurePolicy>(policy.name())).collect();
        // Of a policy that cannot be read, nobody knows what it protects.
        let unread =
            out.faults.names("DisclosurePolicy").filter(|name| resources.policies.iter().all(|p| p.name() != *name));
        causes.extend(unread.map(object::<DisclosurePolicy>));
        if let Some((name, _)) = &self.index.federation
            && out.faults.in_field("Federation", name.as_str(), "spec.defaults")
        {
            causes.push(format!("spec.defaults of {}", object::<Federation>(name.as_str())));
        }
        causes
    }

    fn agreement(&mut self, agreement: &Sourced<DataSharingAgreement>) {
        let spec = &agreement.resource.spec;
        let before = self.found.len();
        for (path, id) in [("spec.from", &spec.from), ("spec.to", &spec.to)] {
            if let Some(cause) = self.jurisdiction(id) {
                self.add(agreement, path, &cause, "the agreement is not in force", true);
            }
        }
        let covered = agreements::tables(self.index, agreement, &mut Findings::default());
        let (loss, whole) = if covered.is_empty() {
            ("nothing that the agreement covers is left, and it is not in force", true)
        } else {
            ("the agreement is in force without it", false)
        };
        for (position, name) in spec.datasets.iter().enumerate() {
            if self.is_out::<Dataset>(name.as_str()) {
                let path = format!("spec.datasets[{position}]");
                self.add(agreement, &path, &object::<Dataset>(name.as_str()), loss, whole);
            }
        }
        for (position, name) in spec.common_tables.iter().enumerate() {
            let path = format!("spec.commonTables[{position}]");
            if self.is_out::<CommonTable>(name.as_str()) {
                self.add(agreement, &path, &object::<CommonTable>(name.as_str()), loss, whole);
                continue;
            }
            let serves = |dataset: &Sourced<Dataset>| {
                let spec = &dataset.resource.spec;
                spec.serves.iter().any(|serves| serves.common_table == *name).then(|| dataset.name().to_owned())
            };
            let servers: Vec<String> = self.index.declared_of(&spec.from).filter_map(serves).collect();
            if !servers.is_empty() && servers.iter().all(|name| self.is_out::<Dataset>(name)) {
                self.add(
                    agreement,
                    &path,
                    &object::<Dataset>(&servers[0]),
                    "its owner has no part in that table",
                    false,
                );
            }
        }
        if whole && self.found.len() == before {
            // By a domain alone.
            let of_domain = |dataset: &Sourced<Dataset>| spec.domains.contains(&dataset.resource.spec.table.domain);
            let cause = self.index.declared_of(&spec.from).find(|dataset| of_domain(dataset));
            let cause = cause.map_or_else(|| "all of its domains".to_owned(), |d| object::<Dataset>(d.name()));
            self.add(agreement, "spec.domains", &cause, loss, true);
        }
    }

    fn project(&mut self, project: &Sourced<ResearchProject>) {
        let spec = &project.resource.spec;
        let rests = spec.agreements.iter().any(|name| self.index.agreements.contains_key(name));
        let (loss, whole) = if rests {
            ("the project goes on without it", false)
        } else {
            ("no agreement of the project is left, and nobody asks in its name", true)
        };
        for (position, name) in spec.agreements.iter().enumerate() {
            if self.is_out::<DataSharingAgreement>(name.as_str()) {
                let path = format!("spec.agreements[{position}]");
                self.add(project, &path, &object::<DataSharingAgreement>(name.as_str()), loss, whole);
            }
        }
        for (position, subject) in spec.subjects.iter().enumerate() {
            if let Some(cause) = subject.jurisdiction.as_ref().and_then(|home| self.jurisdiction(home)) {
                let path = format!("spec.subjects[{position}].jurisdiction");
                self.add(project, &path, &cause, "this researcher does not take part", false);
            }
        }
    }
}

fn object<T: Resource<DynamicType = ()>>(name: &str) -> String {
    format!("{} {name}", T::kind(&()))
}
