//! Agreements: the tables that they cover, and the digest by which two nodes know that they hold the same terms.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use wanqu_model::bundle::{Agreement, AgreementState};
use wanqu_model::names::{ResourceName, TableRef};

use super::common;
use super::index::{Index, unknown};
use crate::finding::{Findings, instead};
use crate::kinds::{DataSharingAgreement, DataSharingAgreementSpec};
use crate::sourced::Sourced;

/// Returns every agreement, ordered by name.
pub(super) fn agreements(index: &Index<'_>, findings: &mut Findings) -> Vec<Agreement> {
    let agreement = |(name, resource): (&ResourceName, &&Sourced<DataSharingAgreement>)| {
        let spec = &resource.resource.spec;
        check(index, resource, findings);
        Agreement {
            name: name.clone(),
            from: spec.from.clone(),
            to: spec.to.clone(),
            tables: tables(index, resource, findings).into_iter().collect(),
            purposes: spec.purposes.clone(),
            state: spec.state,
            not_before: spec.not_before,
            expires: spec.expires,
            filing_reference: spec.filing_reference.clone(),
            digest: digest(name, spec),
        }
    };
    index.agreements.iter().map(agreement).collect()
}

fn check(index: &Index<'_>, agreement: &Sourced<DataSharingAgreement>, findings: &mut Findings) {
    let spec = &agreement.resource.spec;
    index.check_jurisdiction(agreement, "spec.from", &spec.from, findings);
    index.check_jurisdiction(agreement, "spec.to", &spec.to, findings);
    if spec.from == spec.to {
        let problem = format!("it runs from {} to itself", spec.from);
        findings.add(agreement, "spec.to", problem, "a jurisdiction needs no agreement for its own data");
    }
    if spec.expires <= spec.not_before {
        let problem = format!("it expires on {}, not after {}, when it begins", spec.expires, spec.not_before);
        findings.add(agreement, "spec.expires", problem, "let expires come after notBefore");
    }
    if spec.purposes.is_empty() {
        findings.add(agreement, "spec.purposes", "it allows no purpose", "name at least one");
    }
    if spec.datasets.is_empty() && spec.common_tables.is_empty() && spec.domains.is_empty() {
        let remedy = "name at least one of datasets, commonTables and domains";
        findings.add(agreement, "spec", "it covers nothing", remedy);
    }
    for (position, by) in spec.agreed_by.iter().enumerate() {
        if *by != spec.from && *by != spec.to && spec.from != spec.to {
            let problem = format!("{by} is neither end of it");
            let remedy = format!("only {} and {} can agree to it", spec.from, spec.to);
            findings.add(agreement, format!("spec.agreedBy[{position}]"), problem, remedy);
        }
    }
    if matches!(spec.state, AgreementState::Agreed | AgreementState::Active) {
        for end in [&spec.from, &spec.to] {
            if !spec.agreed_by.contains(end) {
                let problem = format!("it is {:?}, but {end} has not agreed", spec.state);
                let remedy = format!("add {end} to agreedBy, or let the state be Requested");
                findings.add(agreement, "spec.state", problem, remedy);
            }
        }
    }
}

/// Returns the tables that an agreement covers: datasets under their own names, common tables under `gba`.
pub(super) fn tables(
    index: &Index<'_>,
    agreement: &Sourced<DataSharingAgreement>,
    findings: &mut Findings,
) -> BTreeSet<TableRef> {
    let spec = &agreement.resource.spec;
    let mut tables = BTreeSet::new();
    for (position, name) in spec.datasets.iter().enumerate() {
        let path = format!("spec.datasets[{position}]");
        match index.datasets.get(name) {
            Some(dataset) if dataset.resource.spec.jurisdiction != spec.from => {
                let problem = format!("Dataset {name} belongs to {}", dataset.resource.spec.jurisdiction);
                findings.add(agreement, path, problem, format!("name only datasets of {}", spec.from));
            }
            Some(dataset) => {
                tables.extend(index.catalog(&spec.from).map(|catalog| dataset.resource.spec.table.under(catalog)));
            }
            None if index.dataset_declared(name) => {}
            None => unknown(agreement, &path, "Dataset", name, &index.datasets, findings),
        }
    }
    let served = served_by(index, spec);
    for (position, name) in spec.common_tables.iter().enumerate() {
        let path = format!("spec.commonTables[{position}]");
        match index.common_tables.get(name) {
            Some(table) => {
                if !served.contains(name) && index.catalog(&spec.from).is_some() {
                    let problem = format!("{} serves nothing of {name}", spec.from);
                    let remedy = "let one of its Datasets serve it, or take it off the list";
                    findings.add(agreement, path, problem, remedy);
                }
                tables.insert(table.resource.spec.table.under(&common::catalog()));
            }
            None => unknown(agreement, &path, "CommonTable", name, &index.common_tables, findings),
        }
    }
    tables.extend(tables_of_domains(index, agreement, &served, findings));
    tables
}

/// Returns the common tables that the agreement's `from` serves, or would but for a fault: a table that it covers and that its
/// owner has no part of grants nothing.
fn served_by<'a>(index: &Index<'a>, spec: &DataSharingAgreementSpec) -> BTreeSet<&'a ResourceName> {
    index.declared_of(&spec.from).flat_map(|d| &d.resource.spec.serves).map(|s| &s.common_table).collect()
}

fn tables_of_domains(
    index: &Index<'_>,
    agreement: &Sourced<DataSharingAgreement>,
    served: &BTreeSet<&ResourceName>,
    findings: &mut Findings,
) -> BTreeSet<TableRef> {
    let spec = &agreement.resource.spec;
    let mut by_domain: BTreeMap<_, Vec<TableRef>> = BTreeMap::new();
    if let Some(catalog) = index.catalog(&spec.from) {
        for dataset in index.datasets.values().filter(|d| d.resource.spec.jurisdiction == spec.from) {
            let table = &dataset.resource.spec.table;
            by_domain.entry(&table.domain).or_default().push(table.under(catalog));
        }
    }
    for (_, table) in index.common_tables.iter().filter(|(name, _)| served.contains(name)) {
        let table = &table.resource.spec.table;
        by_domain.entry(&table.domain).or_default().push(table.under(&common::catalog()));
    }
    let mut tables = BTreeSet::new();
    for (position, domain) in spec.domains.iter().enumerate() {
        if let Some(found) = by_domain.get(domain) {
            tables.extend(found.iter().cloned());
        } else if index.catalog(&spec.from).is_some()
            && !index.declared_of(&spec.from).any(|dataset| dataset.resource.spec.table.domain == *domain)
        {
            let remedy = instead(domain.as_str(), by_domain.keys().map(|domain| domain.as_str()));
            let problem = format!("{} has nothing in the domain {domain}", spec.from);
            findings.add(agreement, format!("spec.domains[{position}]"), problem, remedy);
        }
    }
    tables
}

/// Returns the SHA-256 of an agreement's terms in canonical JSON (RFC 8785), in hexadecimal.
///
/// The terms are what the two ends signed: who, what, why, when, and where it was filed. The state and who has agreed so
/// far are not among them, since they change while the terms stay. What it covers goes in as it was written, not as the
/// tables that a domain holds today, and lists go in as sets. RFC 8785 asks for keys sorted by UTF-16 code units, no white
/// space, and JavaScript's numbers and escapes: with ASCII keys, one level, and values that are only text and lists of
/// text, that is what `serde_json` writes for a sorted map.
///
/// # Panics
/// Never: text and lists of text are JSON.
#[must_use]
pub fn digest(name: &ResourceName, spec: &DataSharingAgreementSpec) -> String {
    fn set<T: ToString>(items: &[T]) -> Value {
        items.iter().map(ToString::to_string).collect::<BTreeSet<_>>().into_iter().collect()
    }
    let terms: BTreeMap<&str, Value> = BTreeMap::from([
        ("commonTables", set(&spec.common_tables)),
        ("datasets", set(&spec.datasets)),
        ("domains", set(&spec.domains)),
        ("expires", json!(spec.expires.to_string())),
        ("filingReference", json!(spec.filing_reference)),
        ("from", json!(spec.from.as_str())),
        ("name", json!(name.as_str())),
        ("notBefore", json!(spec.not_before.to_string())),
        ("purposes", set(&spec.purposes)),
        ("to", json!(spec.to.as_str())),
    ]);
    let text = serde_json::to_vec(&terms).expect("text and lists of text are JSON");
    format!("{:x}", Sha256::digest(text))
}
