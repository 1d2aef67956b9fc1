//! Each fault, one at a time.

use wanqu_crds::{Finding, Partial};
use wanqu_model::bundle::{AgreementState, NodeBundle};

use super::edits::{traces, unreadable};
use super::{bundle, compiled, delete, examples, named};

const MEMBERS: [&str; 3] = ["CN-SZ", "HK", "MO"];

fn bundles(partial: &Partial) -> [NodeBundle; 3] {
    MEMBERS.map(|of| bundle(partial, of))
}

fn agreement(bundle: &NodeBundle, name: &str) -> Option<AgreementState> {
    bundle.agreements.iter().find(|agreement| agreement.name.as_str() == name).map(|agreement| agreement.state)
}

/// The owners of a table, as a member's node knows them.
fn owners(bundle: &NodeBundle, table: &str) -> Vec<String> {
    let slices = bundle.slices.iter().filter(|slice| slice.table.to_string() == table);
    slices.map(|slice| slice.jurisdiction.to_string()).collect()
}

fn project<'a>(bundle: &'a NodeBundle, name: &str) -> Vec<&'a str> {
    let project = bundle.projects.iter().find(|project| project.name.as_str() == name);
    project.into_iter().flat_map(|project| &project.agreements).map(|name| name.as_str()).collect()
}

fn says(findings: &[Finding], text: &str) {
    let all: Vec<String> = findings.iter().map(ToString::to_string).collect();
    assert!(all.iter().any(|one| one.contains(text)), "{text}: {all:#?}");
}

#[test]
fn what_is_in_order_compiles_as_it_always_did() {
    let partial = compiled(&examples());
    assert_eq!((partial.findings.len(), partial.left_out.len()), (0, 0), "{partial:?}");
    let strict = wanqu_crds::compile(&examples(), &super::placements()).unwrap();
    for (id, expected) in strict {
        assert_eq!(partial.compiled.as_ref().unwrap().bundle(&id), Some(expected));
    }
}

#[test]
fn a_dataset_with_a_policy_that_is_missing_is_closed_and_holds_up_no_revocation() {
    let mut resources = examples();
    let before = bundles(&compiled(&resources));
    named(&mut resources.datasets, "hongkong-visits").spec.policies = vec!["nope".parse().unwrap()];
    named(&mut resources.agreements, "macau-to-shenzhen").spec.state = AgreementState::Suspended;
    let partial = compiled(&resources);
    says(&partial.findings, "Dataset hongkong-visits spec.policies[0]: there is no DisclosurePolicy nope");
    says(
        &partial.left_out,
        "spec.datasets[0]: Dataset hongkong-visits is left out, so the agreement is in force without it",
    );
    let [shenzhen, hongkong, macau] = bundles(&partial);
    for bundle in [&shenzhen, &macau] {
        assert_eq!(agreement(bundle, "macau-to-shenzhen"), Some(AgreementState::Suspended));
        assert!(owners(bundle, "hongkong.health.visits").is_empty());
        let table = "gba.health.visits";
        assert_eq!(owners(bundle, table), ["CN-SZ", "HK", "MO"], "an answer without Hong Kong would look complete");
        assert_eq!(owners(bundle, "hongkong.health.patients"), ["HK"], "another dataset of the same owner goes on");
    }
    let hidden = shenzhen.slices.iter().find(|s| s.jurisdiction.as_str() == "HK" && s.table.is_common()).unwrap();
    assert!(hidden.columns.iter().all(|column| column.expression.is_none()));
    assert!(owners(&hongkong, "gba.health.visits").is_empty(), "the owner itself has nothing to answer with");
    assert!(!hongkong.sources.iter().any(|source| source.table.to_string() == "hongkong.health.visits"));
    assert_eq!(agreement(&hongkong, "hongkong-to-shenzhen"), Some(AgreementState::Active));
    let untouched = |bundle: &NodeBundle| bundle.sources.clone();
    assert_eq!((untouched(&shenzhen), untouched(&macau)), (untouched(&before[0]), untouched(&before[2])));
}

#[test]
fn an_agreement_that_is_deleted_is_gone_though_a_project_names_it() {
    let mut resources = examples();
    delete(&mut resources.agreements, "macau-to-hongkong-planning");
    let partial = compiled(&resources);
    says(&partial.findings, "ResearchProject cross-border-care spec.agreements[1]: there is no DataSharingAgreement");
    for bundle in bundles(&partial) {
        assert_eq!(agreement(&bundle, "macau-to-hongkong-planning"), None);
        assert_eq!(project(&bundle, "cross-border-care"), ["shenzhen-to-hongkong"], "only that agreement is lost");
    }
    delete(&mut resources.agreements, "shenzhen-to-hongkong");
    for bundle in bundles(&compiled(&resources)) {
        assert!(!bundle.projects.iter().any(|project| project.name.as_str() == "cross-border-care"), "none is left");
    }
}

#[test]
fn an_agreement_at_fault_is_not_in_force_and_its_project_says_which_one() {
    let mut resources = examples();
    named(&mut resources.agreements, "macau-to-hongkong-planning").spec.agreed_by.pop();
    let partial = compiled(&resources);
    says(
        &partial.findings,
        "DataSharingAgreement macau-to-hongkong-planning spec.state: it is Active, but HK has not agreed",
    );
    let lost = "ResearchProject cross-border-care spec.agreements[1]: DataSharingAgreement macau-to-hongkong-planning is left \
                out, so the project goes on without it; mend DataSharingAgreement macau-to-hongkong-planning";
    says(&partial.left_out, lost);
    for bundle in bundles(&partial) {
        assert_eq!(agreement(&bundle, "macau-to-hongkong-planning"), None);
        assert_eq!(project(&bundle, "cross-border-care"), ["shenzhen-to-hongkong"]);
    }
}

/// Nothing of Macau is known to others, and its own node grants nothing.
fn macau_is_out(partial: &Partial, its_node_runs: bool) {
    for of in ["CN-SZ", "HK"] {
        let bundle = bundle(partial, of);
        assert!(bundle.members.iter().all(|member| member.jurisdiction.as_str() != "MO"));
        assert!(bundle.slices.iter().all(|slice| slice.jurisdiction.as_str() != "MO"));
        assert!(bundle.agreements.iter().all(|a| a.from.as_str() != "MO" && a.to.as_str() != "MO"));
        assert_eq!(agreement(&bundle, "shenzhen-to-hongkong"), Some(AgreementState::Active), "the others go on");
        assert_eq!(project(&bundle, "cross-border-care"), ["shenzhen-to-hongkong"]);
    }
    let own = partial.compiled.as_ref().unwrap().bundle(&super::id("MO"));
    assert_eq!(own.is_some(), its_node_runs);
    own.iter().for_each(grants_nothing);
}

fn grants_nothing(bundle: &NodeBundle) {
    assert_eq!(bundle.slices.len() + bundle.sources.len() + bundle.agreements.len() + bundle.projects.len(), 0);
    let [own] = &bundle.members[..] else { panic!("it trusts others") };
    assert!(own.jurisdiction == bundle.jurisdiction && own.ca.is_some() && own.issuers.is_empty());
}

#[test]
fn a_member_that_is_taken_off_the_list_is_out_at_every_node() {
    let mut resources = examples();
    named(&mut resources.federations, "gba").spec.members.retain(|member| member.as_str() != "MO");
    let partial = compiled(&resources);
    says(&partial.findings, "Jurisdiction macau spec.id: MO is not a member of Federation gba");
    says(
        &partial.left_out,
        "Dataset macau-visits spec.jurisdiction: Jurisdiction macau is left out, so no bundle has this",
    );
    macau_is_out(&partial, true);
}

#[test]
fn a_jurisdiction_that_is_deleted_is_out_though_its_datasets_remain() {
    let mut resources = examples();
    delete(&mut resources.jurisdictions, "macau");
    let partial = compiled(&resources);
    says(&partial.findings, "Dataset macau-visits spec.jurisdiction: there is no jurisdiction MO");
    macau_is_out(&partial, false);
}

#[test]
fn a_jurisdiction_at_fault_grants_nothing_and_is_not_forgotten() {
    let mut resources = examples();
    let issuers = &mut named(&mut resources.jurisdictions, "macau").spec.issuers;
    issuers.extend(issuers.first().cloned());
    named(&mut resources.agreements, "shenzhen-to-hongkong").spec.state = AgreementState::Terminated;
    let partial = compiled(&resources);
    says(&partial.left_out, "DataSharingAgreement macau-to-shenzhen spec.from: Jurisdiction macau is left out");
    for of in ["CN-SZ", "HK"] {
        let bundle = bundle(&partial, of);
        let macau = bundle.members.iter().find(|member| member.jurisdiction.as_str() == "MO").unwrap();
        assert!(
            macau.ca.is_none() && macau.endpoint.is_none() && macau.issuers.is_empty(),
            "nobody is believed from there"
        );
        assert_eq!(
            owners(&bundle, "gba.health.visits"),
            ["CN-SZ", "HK", "MO"],
            "an answer never looks complete without it"
        );
        assert_eq!(agreement(&bundle, "macau-to-shenzhen"), None);
        assert_eq!(agreement(&bundle, "shenzhen-to-hongkong"), Some(AgreementState::Terminated));
    }
    grants_nothing(&bundle(&partial, "MO"));
}

#[test]
fn a_fault_in_how_a_node_runs_takes_nothing_from_its_bundle() {
    let mut resources = examples();
    let before = bundles(&compiled(&resources));
    named(&mut resources.jurisdictions, "macau").spec.traces = Some(traces());
    let partial = compiled(&resources);
    says(&partial.findings, "Jurisdiction macau spec.traces");
    assert!(bundles(&partial) == before && partial.left_out.is_empty());
}

#[test]
fn a_policy_at_fault_closes_what_it_protects_and_nothing_else() {
    let mut resources = examples();
    named(&mut resources.policies, "hongkong-people").spec.min_units = 0;
    let partial = compiled(&resources);
    says(
        &partial.left_out,
        "Dataset hongkong-visits spec: DisclosurePolicy hongkong-people is left out, so what it protects is closed",
    );
    let [shenzhen, hongkong, _] = bundles(&partial);
    assert!(
        owners(&hongkong, "hongkong.health.visits").is_empty() && owners(&hongkong, "gba.health.visits").is_empty()
    );
    assert_eq!(owners(&hongkong, "hongkong.health.facilities"), ["HK"], "public data needs no policy");
    assert_eq!(owners(&shenzhen, "shenzhen.health.visits"), ["CN-SZ"]);
    assert_eq!(agreement(&hongkong, "shenzhen-to-hongkong"), Some(AgreementState::Active));
}

#[test]
fn a_policy_that_names_what_is_not_there_holds_for_all_that_it_may_mean() {
    let mut resources = examples();
    let policy = &mut named(&mut resources.policies, "hongkong-people").spec;
    policy.min_units = 40;
    policy.applies_to.datasets = vec!["hongkong-patients".parse().unwrap(), "hongkong-vists".parse().unwrap()];
    let partial = compiled(&resources);
    let hongkong = bundle(&partial, "HK");
    assert!(owners(&hongkong, "hongkong.health.patients").is_empty(), "one that it names is closed");
    let visits = hongkong.slices.iter().find(|slice| slice.table.to_string() == "hongkong.health.visits").unwrap();
    assert_eq!(visits.policy.min_units, 40, "the one that is meant keeps its protection");
    let shenzhen = bundle(&partial, "CN-SZ");
    let visits = shenzhen.slices.iter().find(|slice| slice.table.to_string() == "shenzhen.health.visits").unwrap();
    assert_eq!(visits.policy.min_units, 10, "it says whose datasets it means");
}

#[test]
fn a_policy_that_cannot_be_read_closes_all_that_it_may_protect() {
    let mut resources = examples();
    let policy = resources.policies.remove(0);
    resources.unreadable.push(unreadable(&policy));
    let partial = compiled(&resources);
    says(&partial.left_out, "DisclosurePolicy shenzhen-people is left out, so what it protects is closed");
    for bundle in bundles(&partial) {
        let own = bundle.slices.iter().filter(|slice| slice.jurisdiction == bundle.jurisdiction);
        assert!(own.clone().count() > 0 && own.clone().all(|slice| slice.is_public()));
    }
}

#[test]
fn defaults_at_fault_close_all_that_is_protected() {
    let mut resources = examples();
    named(&mut resources.federations, "gba").spec.defaults.release.min_units = 0;
    for bundle in bundles(&compiled(&resources)) {
        let own: Vec<_> = bundle.slices.iter().filter(|slice| slice.jurisdiction == bundle.jurisdiction).collect();
        assert!(!own.is_empty() && own.iter().all(|slice| slice.is_public()));
    }
}

#[test]
fn a_common_table_at_fault_goes_with_everybodys_part_and_leaves_the_datasets() {
    let mut resources = examples();
    let columns = &mut named(&mut resources.common_tables, "health-visits").spec.columns;
    columns.extend(columns.first().cloned());
    let partial = compiled(&resources);
    says(&partial.left_out, "Dataset macau-visits spec.serves[0].commonTable: CommonTable health-visits is left out");
    for bundle in bundles(&partial) {
        assert!(owners(&bundle, "gba.health.visits").is_empty());
        assert_eq!(owners(&bundle, "gba.health.patients"), ["CN-SZ", "HK", "MO"]);
        assert_eq!(owners(&bundle, "macau.health.visits"), ["MO"]);
        let covered = bundle.agreements.iter().flat_map(|agreement| &agreement.tables);
        assert!(covered.clone().count() > 0 && covered.clone().all(|table| table.to_string() != "gba.health.visits"));
    }
}

#[test]
fn of_two_jurisdictions_with_one_id_the_first_has_the_node() {
    let mut resources = examples();
    let mut second = resources.jurisdictions[0].clone();
    second.resource.metadata.name = Some("second".to_owned());
    second.resource.spec.sql_name = "second".parse().unwrap();
    resources.jurisdictions.push(second);
    let partial = compiled(&resources);
    let compiled = partial.compiled.as_ref().unwrap();
    let id = super::id("CN-SZ");
    assert!(compiled.is_node_of(&id, "shenzhen") && !compiled.is_node_of(&id, "second"));
    assert!(!bundle(&partial, "CN-SZ").agreements.is_empty());
}

#[test]
fn without_a_federation_nothing_compiles() {
    let mut resources = examples();
    resources.federations.clear();
    let partial = compiled(&resources);
    assert!(partial.compiled.is_none());
    says(&partial.findings, "there is no Federation");
}
