//! Index of the resources by name, and checks of the names.

use std::collections::{BTreeMap, HashSet};

use wanqu_model::names::{COMMON_CATALOG, JurisdictionId, ResourceName, SqlName, WHOLE_CATALOG};

use crate::finding::{Finding, Findings, LeftOut, instead};
use crate::kinds::{
    CommonTable, DataSharingAgreement, Dataset, DisclosurePolicy, Federation, Jurisdiction, LocalTable, ResearchProject,
};
use crate::resources::Resources;
use crate::sourced::Sourced;

/// Resources of one kind by name.
pub(super) type ByName<'a, T> = BTreeMap<ResourceName, &'a Sourced<T>>;

/// Resources by the names that they refer to each other by.
pub(super) struct Index<'a> {
    /// The federation, if there is one with a name.
    pub(super) federation: Option<(ResourceName, &'a Sourced<Federation>)>,
    /// Members, by id.
    pub(super) jurisdictions: BTreeMap<&'a JurisdictionId, &'a Sourced<Jurisdiction>>,
    /// Datasets whose jurisdiction is a member.
    pub(super) datasets: ByName<'a, Dataset>,
    /// The same datasets, in the order in which they were given.
    pub(super) datasets_as_given: Vec<&'a Sourced<Dataset>>,
    pub(super) common_tables: ByName<'a, CommonTable>,
    pub(super) policies: ByName<'a, DisclosurePolicy>,
    pub(super) agreements: ByName<'a, DataSharingAgreement>,
    pub(super) projects: ByName<'a, ResearchProject>,
    /// Names of datasets that are declared but not in `datasets`, because of a fault that was reported already.
    broken: Vec<ResourceName>,
    /// Resources that the compilation goes without, and that others are measured by all the same.
    pub(super) out: Out<'a>,
}

/// Resources that are left out of everything above.
#[derive(Default)]
pub(super) struct Out<'a> {
    pub(super) jurisdictions: Vec<&'a Sourced<Jurisdiction>>,
    pub(super) datasets: Vec<&'a Sourced<Dataset>>,
    pub(super) policies: Vec<&'a Sourced<DisclosurePolicy>>,
    /// Names and fields of all of them.
    pub(super) faults: LeftOut,
}

impl<'a> Out<'a> {
    fn new(resources: &'a Resources, faults: &LeftOut) -> Self {
        fn of<'a, T: kube::Resource<DynamicType = ()>>(all: &'a [Sourced<T>], faults: &LeftOut) -> Vec<&'a Sourced<T>> {
            all.iter().filter(|resource| faults.holds(resource)).collect()
        }
        Self {
            jurisdictions: of(&resources.jurisdictions, faults),
            datasets: of(&resources.datasets, faults),
            policies: of(&resources.policies, faults),
            faults: faults.clone(),
        }
    }
}

impl<'a> Index<'a> {
    pub(super) fn new(resources: &'a Resources, findings: &mut Findings) -> Self {
        let federation = federation(&resources.federations, findings);
        let jurisdictions = jurisdictions(&resources.jurisdictions, findings);
        if let Some((_, federation)) = &federation {
            check_members(federation, &jurisdictions, findings);
        }
        let mut datasets = by_name(&resources.datasets, findings);
        let out = Out::new(resources, &findings.1);
        let mut broken: Vec<ResourceName> =
            out.datasets.iter().filter_map(|dataset| dataset.name().parse().ok()).collect();
        datasets.retain(|name, dataset| {
            let id = &dataset.resource.spec.jurisdiction;
            let known = jurisdictions.contains_key(id);
            if !known {
                unknown_jurisdiction(dataset, "spec.jurisdiction", id, &jurisdictions, findings);
                broken.push(name.clone());
            }
            known
        });
        let common_tables = by_name(&resources.common_tables, findings);
        check_one_table_each(
            in_order(&resources.datasets, &datasets),
            in_order(&resources.common_tables, &common_tables),
            findings,
        );
        let datasets_as_given = in_order(&resources.datasets, &datasets).collect();
        Self {
            federation,
            jurisdictions,
            datasets,
            datasets_as_given,
            common_tables,
            policies: by_name(&resources.policies, findings),
            agreements: by_name(&resources.agreements, findings),
            projects: by_name(&resources.projects, findings),
            broken,
            out,
        }
    }

    /// Returns the SQL name of a member.
    pub(super) fn catalog(&self, id: &JurisdictionId) -> Option<&'a SqlName> {
        self.jurisdictions.get(id).map(|j| &j.resource.spec.sql_name)
    }

    /// Returns true if a dataset of this name was declared, whether or not it is in order.
    pub(super) fn dataset_declared(&self, name: &ResourceName) -> bool {
        self.datasets.contains_key(name) || self.broken.contains(name)
    }

    /// Notes a jurisdiction that is no member; returns true if it is one.
    pub(super) fn check_jurisdiction<T: kube::Resource<DynamicType = ()>>(
        &self,
        at: &Sourced<T>,
        path: &str,
        id: &JurisdictionId,
        findings: &mut Findings,
    ) -> bool {
        let known = self.jurisdictions.contains_key(id);
        if !known && !self.is_out(id) {
            unknown_jurisdiction(at, path, id, &self.jurisdictions, findings);
        }
        known
    }

    /// Returns true if a jurisdiction of this id is declared and left out.
    pub(super) fn is_out(&self, id: &JurisdictionId) -> bool {
        !self.jurisdictions.contains_key(id) && self.out.jurisdictions.iter().any(|out| out.resource.spec.id == *id)
    }

    /// Returns true if a jurisdiction that is left out, or gone, is one that was meant: others name it too.
    pub(super) fn mentions(&self, id: &JurisdictionId) -> bool {
        let listed = self.federation.as_ref().is_some_and(|(_, one)| one.resource.spec.members.contains(id));
        listed || self.is_out(id) || self.out.datasets.iter().any(|dataset| dataset.resource.spec.jurisdiction == *id)
    }

    /// Returns the datasets of a jurisdiction that are declared, in order or not.
    pub(super) fn declared_of<'i>(&'i self, id: &'i JurisdictionId) -> impl Iterator<Item = &'a Sourced<Dataset>> + 'i {
        let all = self.datasets.values().chain(&self.out.datasets).copied();
        all.filter(move |dataset| dataset.resource.spec.jurisdiction == *id)
    }
}

/// Notes a reference to a resource that does not exist.
pub(super) fn unknown<T: kube::Resource<DynamicType = ()>, U>(
    at: &Sourced<T>,
    path: &str,
    kind: &str,
    name: &ResourceName,
    known: &ByName<'_, U>,
    findings: &mut Findings,
) {
    if findings.speak_of(kind, name.as_str()) {
        return;
    }
    let remedy = if known.is_empty() {
        format!("add a {kind} of this name")
    } else {
        instead(name.as_str(), known.keys().map(ResourceName::as_str))
    };
    findings.add(at, path, format!("there is no {kind} {name}"), remedy);
}

fn unknown_jurisdiction<T: kube::Resource<DynamicType = ()>>(
    at: &Sourced<T>,
    path: &str,
    id: &JurisdictionId,
    known: &BTreeMap<&JurisdictionId, &Sourced<Jurisdiction>>,
    findings: &mut Findings,
) {
    let remedy = instead(id.as_str(), known.keys().map(|id| id.as_str()));
    findings.add(at, path, format!("there is no jurisdiction {id}"), remedy);
}

/// Returns the resources of a kind by name; notes names that are missing, malformed or used twice.
fn by_name<'a, T: kube::Resource<DynamicType = ()>>(
    resources: &'a [Sourced<T>],
    findings: &mut Findings,
) -> ByName<'a, T> {
    let mut named: ByName<'a, T> = BTreeMap::new();
    for resource in resources {
        if findings.1.holds(resource) {
            continue;
        }
        let Some(name) = checked_name(resource, findings) else { continue };
        if let Some(first) = named.get(&name) {
            let problem = format!("a {} of this name exists already{}", T::kind(&()), seen_at(first, ""));
            findings.add(resource, "metadata.name", problem, "give each its own name");
        } else {
            named.insert(name, resource);
        }
    }
    named
}

/// Returns those resources that are in `named`, in the order in which they were given: of two with the same SQL name or id the
/// first keeps it, whatever the second is called.
fn in_order<'a, T: kube::Resource<DynamicType = ()>>(
    resources: &'a [Sourced<T>],
    named: &ByName<'a, T>,
) -> impl Iterator<Item = &'a Sourced<T>> {
    let known: HashSet<*const Sourced<T>> = named.values().map(|resource| std::ptr::from_ref(*resource)).collect();
    resources.iter().filter(move |resource| known.contains(&std::ptr::from_ref(*resource)))
}

/// Returns the origin of a field in brackets; an empty text if it is not known.
fn seen_at<T>(resource: &Sourced<T>, path: &str) -> String {
    resource.origin(path).map_or_else(String::new, |origin| format!(" ({origin})"))
}

fn checked_name<T: kube::Resource<DynamicType = ()>>(
    resource: &Sourced<T>,
    findings: &mut Findings,
) -> Option<ResourceName> {
    match resource.name().parse() {
        Ok(name) => Some(name),
        Err(_) if resource.name().is_empty() => {
            findings.add(resource, "metadata.name", "it has no name", "give it a metadata.name");
            None
        }
        Err(error) => {
            findings.add(resource, "metadata.name", error.to_string(), "");
            None
        }
    }
}

fn federation<'a>(
    federations: &'a [Sourced<Federation>],
    findings: &mut Findings,
) -> Option<(ResourceName, &'a Sourced<Federation>)> {
    let Some((first, others)) = federations.split_first() else {
        findings.0.push(Finding {
            origin: None,
            kind: "Federation".to_owned(),
            name: String::new(),
            path: String::new(),
            problem: "there is no Federation".to_owned(),
            remedy: "add a Federation with its trustDomain and members".to_owned(),
        });
        return None;
    };
    for other in others {
        let problem = format!("there is a Federation already, {}{}", first.name(), seen_at(first, ""));
        findings.add(other, "", problem, "keep one; another federation has its own folder or namespace");
    }
    Some((checked_name(first, findings)?, first))
}

fn jurisdictions<'a>(
    resources: &'a [Sourced<Jurisdiction>],
    findings: &mut Findings,
) -> BTreeMap<&'a JurisdictionId, &'a Sourced<Jurisdiction>> {
    let mut by_id: BTreeMap<&JurisdictionId, &Sourced<Jurisdiction>> = BTreeMap::new();
    let mut by_sql_name: BTreeMap<&SqlName, &Sourced<Jurisdiction>> = BTreeMap::new();
    let named = by_name(resources, findings);
    for jurisdiction in in_order(resources, &named) {
        let spec = &jurisdiction.resource.spec;
        if [COMMON_CATALOG, WHOLE_CATALOG].contains(&spec.sql_name.as_str()) {
            let problem = format!("{} is a catalog of the common tables", spec.sql_name);
            findings.add(jurisdiction, "spec.sqlName", problem, "choose another name");
        } else if let Some(first) = by_sql_name.get(&spec.sql_name) {
            let problem = format!("Jurisdiction {} is called {} already", first.name(), spec.sql_name);
            findings.add(jurisdiction, "spec.sqlName", problem, "give each its own name in SQL");
        } else {
            by_sql_name.insert(&spec.sql_name, jurisdiction);
        }
        if let Some(first) = by_id.get(&spec.id) {
            let problem = format!("Jurisdiction {} is {} already", first.name(), spec.id);
            findings.add(jurisdiction, "spec.id", problem, "keep one of the two");
        } else {
            by_id.insert(&spec.id, jurisdiction);
        }
    }
    by_id
}

/// Checks that every member has its Jurisdiction, and that every Jurisdiction is a member.
fn check_members(
    federation: &Sourced<Federation>,
    jurisdictions: &BTreeMap<&JurisdictionId, &Sourced<Jurisdiction>>,
    findings: &mut Findings,
) {
    let members = &federation.resource.spec.members;
    for (position, member) in members.iter().enumerate() {
        let path = format!("spec.members[{position}]");
        if members[..position].contains(member) {
            findings.add(federation, &path, format!("{member} is listed twice"), "list each member once");
        } else if !jurisdictions.contains_key(member) {
            let remedy = format!("add a Jurisdiction with the id {member}, or take it off the list");
            findings.add(federation, &path, format!("there is no Jurisdiction with the id {member}"), remedy);
        }
    }
    for (id, jurisdiction) in jurisdictions {
        if !members.contains(id) {
            let problem = format!("{id} is not a member of Federation {}", federation.name());
            findings.add(jurisdiction, "spec.id", problem, format!("add {id} to the Federation's spec.members"));
        }
    }
}

/// Checks that no two datasets of a jurisdiction, and no two common tables, share a name in SQL.
fn check_one_table_each<'a>(
    datasets: impl Iterator<Item = &'a Sourced<Dataset>>,
    common_tables: impl Iterator<Item = &'a Sourced<CommonTable>>,
    findings: &mut Findings,
) {
    let mut own: BTreeMap<(&JurisdictionId, &LocalTable), &Sourced<Dataset>> = BTreeMap::new();
    for dataset in datasets {
        let spec = &dataset.resource.spec;
        let first = own.entry((&spec.jurisdiction, &spec.table)).or_insert(dataset);
        if !std::ptr::eq(*first, dataset) {
            let first = first.name();
            let problem = format!("Dataset {first} of {} is called {} already", spec.jurisdiction, spec.table);
            findings.add(dataset, "spec.table", problem, "give each dataset of a jurisdiction its own table name");
        }
    }
    let mut common: BTreeMap<&LocalTable, &Sourced<CommonTable>> = BTreeMap::new();
    for table in common_tables {
        let first = common.entry(&table.resource.spec.table).or_insert(table);
        if !std::ptr::eq(*first, table) {
            let first = first.name();
            let problem = format!("CommonTable {first} is called {} already", table.resource.spec.table);
            findings.add(table, "spec.table", problem, "give each common table its own table name");
        }
    }
}
