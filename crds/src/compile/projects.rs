//! Research projects.

use std::collections::{BTreeMap, BTreeSet};

use wanqu_model::bundle::{Project, ProjectSubject};
use wanqu_model::names::{JurisdictionId, ResourceName};

use super::index::{Index, unknown};
use crate::finding::{Findings, instead};
use crate::kinds::{ResearchProject, SubjectSpec};
use crate::sourced::Sourced;

/// Returns every project, ordered by name.
pub(super) fn projects(index: &Index<'_>, findings: &mut Findings) -> Vec<Project> {
    let mut issuers = Issuers::new();
    // Of those that are left out too, so that no researcher becomes one of another home.
    for jurisdiction in index.jurisdictions.values().chain(&index.out.jurisdictions) {
        for issuer in &jurisdiction.resource.spec.issuers {
            issuers.entry(&issuer.issuer).or_default().insert(&jurisdiction.resource.spec.id);
        }
    }
    let project = |(name, resource): (&ResourceName, &&Sourced<ResearchProject>)| {
        let subjects = check(index, resource, &issuers, findings);
        let spec = &resource.resource.spec;
        let agreements: Vec<_> =
            spec.agreements.iter().filter(|name| index.agreements.contains_key(*name)).cloned().collect();
        // One that rested on agreements and has none of them left would still ask at home.
        let rests = spec.agreements.is_empty() || !agreements.is_empty();
        (rests && !subjects.is_empty()).then(|| Project {
            name: name.clone(),
            subjects: subjects.into_iter().map(subject).collect(),
            purposes: spec.purposes.clone(),
            agreements,
            queries_per_day: spec.queries_per_day,
        })
    };
    index.projects.iter().filter_map(project).collect()
}

/// Jurisdictions that list an issuer, by issuer.
type Issuers<'a> = BTreeMap<&'a str, BTreeSet<&'a JurisdictionId>>;

fn subject(spec: &SubjectSpec) -> ProjectSubject {
    ProjectSubject {
        jurisdiction: spec.jurisdiction.clone(),
        issuer: spec.issuer.clone(),
        subject: spec.subject.clone(),
    }
}

/// Checks a project and returns those of its subjects that are in order.
fn check<'p>(
    index: &Index<'_>,
    project: &'p Sourced<ResearchProject>,
    issuers: &Issuers<'_>,
    findings: &mut Findings,
) -> Vec<&'p SubjectSpec> {
    let mut subjects = Vec::new();
    let spec = &project.resource.spec;
    if spec.subjects.is_empty() {
        findings.add(project, "spec.subjects", "it has no researcher", "name at least one researcher");
    }
    if spec.purposes.is_empty() {
        findings.add(project, "spec.purposes", "it has no purpose", "name at least one");
    }
    for (position, subject) in spec.subjects.iter().enumerate() {
        if spec.subjects[..position].contains(subject) {
            let problem = format!("{} of {} is listed twice", subject.subject, subject.issuer);
            findings.add(project, format!("spec.subjects[{position}]"), problem, "list each researcher once");
        }
        if check_home(index, project, (position, subject), issuers, findings) {
            subjects.push(subject);
        }
    }
    for (position, agreement) in spec.agreements.iter().enumerate() {
        if !index.agreements.contains_key(agreement) {
            let path = format!("spec.agreements[{position}]");
            unknown(project, &path, "DataSharingAgreement", agreement, &index.agreements, findings);
        }
    }
    subjects
}

/// Checks that a subject is one of exactly one home: names of issuers are not the same issuer everywhere. Returns true if it is
/// and that home takes part.
fn check_home(
    index: &Index<'_>,
    project: &Sourced<ResearchProject>,
    (position, subject): (usize, &SubjectSpec),
    issuers: &Issuers<'_>,
    findings: &mut Findings,
) -> bool {
    let (issuer, field) = (&subject.issuer, |name: &str| format!("spec.subjects[{position}].{name}"));
    let Some(homes) = issuers.get(issuer.as_str()) else {
        let problem = format!("no jurisdiction accepts the issuer {issuer}");
        let remedy = if issuers.is_empty() {
            "add it to the issuers of a Jurisdiction".to_owned()
        } else {
            instead(issuer, issuers.keys().copied())
        };
        findings.add(project, field("issuer"), problem, remedy);
        return false;
    };
    let listed = || homes.iter().map(|id| id.as_str()).collect::<Vec<_>>().join(", ");
    match &subject.jurisdiction {
        // Each cluster has one of its own by this name; other issuers are one wherever they are listed.
        None if homes.len() > 1 && issuer == "kubernetes" => {
            let problem =
                format!("{issuer} is an issuer of {}: {} is somebody else at each of them", listed(), subject.subject);
            let remedy =
                "say the jurisdiction at which the researcher asks, and list a researcher of several once for each";
            findings.add(project, format!("spec.subjects[{position}]"), problem, remedy);
            false
        }
        Some(home) if !index.check_jurisdiction(project, &field("jurisdiction"), home, findings) => false,
        Some(home) if !homes.contains(&home) => {
            let problem = format!("{home} does not list the issuer {issuer}");
            let remedy = format!("it is an issuer of {}; or add it to the issuers of {home}", listed());
            findings.add(project, field("jurisdiction"), problem, remedy);
            false
        }
        Some(_) => true,
        None => homes.iter().any(|home| index.jurisdictions.contains_key(home)),
    }
}
