//! Research projects.

use std::collections::BTreeSet;

use wanqu_model::bundle::Project;
use wanqu_model::names::ResourceName;

use super::index::{Index, unknown};
use crate::finding::{Findings, instead};
use crate::kinds::ResearchProject;
use crate::sourced::Sourced;

/// Every project, ordered by name.
pub(super) fn projects(index: &Index<'_>, findings: &mut Findings) -> Vec<Project> {
    let issuers: BTreeSet<&str> = index
        .jurisdictions
        .values()
        .flat_map(|j| &j.resource.spec.issuers)
        .map(|issuer| issuer.issuer.as_str())
        .collect();
    let project = |(name, resource): (&ResourceName, &&Sourced<ResearchProject>)| {
        check(index, resource, &issuers, findings);
        let spec = &resource.resource.spec;
        Project {
            name: name.clone(),
            subjects: spec.subjects.clone(),
            purposes: spec.purposes.clone(),
            agreements: spec.agreements.clone(),
            queries_per_day: spec.queries_per_day,
        }
    };
    index.projects.iter().map(project).collect()
}

fn check(index: &Index<'_>, project: &Sourced<ResearchProject>, issuers: &BTreeSet<&str>, findings: &mut Findings) {
    let spec = &project.resource.spec;
    if spec.subjects.is_empty() {
        findings.add(project, "spec.subjects", "nobody takes part", "name at least one researcher");
    }
    if spec.purposes.is_empty() {
        findings.add(project, "spec.purposes", "it has no purpose", "name at least one");
    }
    for (position, subject) in spec.subjects.iter().enumerate() {
        if spec.subjects[..position].contains(subject) {
            let problem = format!("{} of {} is listed twice", subject.subject, subject.issuer);
            findings.add(project, format!("spec.subjects[{position}]"), problem, "list each researcher once");
        }
        if !issuers.contains(subject.issuer.as_str()) {
            let problem = format!("no jurisdiction accepts the issuer {}", subject.issuer);
            let remedy = if issuers.is_empty() {
                "add it to the issuers of a Jurisdiction".to_owned()
            } else {
                instead(&subject.issuer, issuers.iter().copied())
            };
            findings.add(project, format!("spec.subjects[{position}].issuer"), problem, remedy);
        }
    }
    for (position, agreement) in spec.agreements.iter().enumerate() {
        if !index.agreements.contains_key(agreement) {
            let path = format!("spec.agreements[{position}]");
            unknown(project, &path, "DataSharingAgreement", agreement, &index.agreements, findings);
        }
    }
}
