//! Requests with one thing changed, and the refusal that each meets.

use jiff::SignedDuration;
use wanqu_model::bundle::{AgreementState, NodeBundle};
use wanqu_model::refusal::Code;

use crate::admission::testing::{admit_envelope, bundle, envelope, hong_kong, now, shenzhen};
use crate::admission::{Request, admit};
use crate::catalog::Catalog;
use crate::envelope::{Envelope, node_itself};

const SQL: &str = "SELECT count(*) FROM shenzhen.health.visits";

type Change = fn(&mut Envelope, &mut NodeBundle);

/// Change to a request that passes, and the code of the refusal that it then meets.
const CHANGES: &[(&str, Change, Code)] = &[
    ("a version of tomorrow", |e, _| e.version = 2, Code::Envelope),
    ("another's name", |e, _| e.from = "MO".parse().unwrap(), Code::Identity),
    ("the owner's own name", |e, _| e.from = shenzhen(), Code::Identity),
    ("for somebody else", |e, _| e.to = hong_kong(), Code::Envelope),
    ("past its deadline", |e, _| e.deadline = now(), Code::Envelope),
    ("from the future", |e, _| e.issued_at = now() + SignedDuration::from_secs(3_000), Code::Envelope),
    ("not a member", |_, b| b.members.retain(|m| m.jurisdiction != hong_kong()), Code::Identity),
    ("no project", |e, _| e.project = None, Code::Requester),
    ("a project nobody knows", |e, _| e.project = Some("other".parse().unwrap()), Code::Requester),
    ("another subject", |e, _| e.requester.subject = "eve".to_owned(), Code::Requester),
    ("another issuer", |e, _| e.requester.issuer = "https://evil.example".to_owned(), Code::Requester),
    ("an issuer of the owner's", |e, _| e.requester.issuer = "https://id.example".to_owned(), Code::Requester),
    ("an issuer that the home has no more", |_, b| b.members[1].issuers.clear(), Code::Requester),
    ("a subject of another home", |_, b| b.projects[0].subjects[0].jurisdiction = Some(shenzhen()), Code::Requester),
    ("the home node itself", |e, _| e.requester = node_itself(&hong_kong()), Code::Requester),
    ("no purpose", |e, _| e.purpose = None, Code::Purpose),
    ("a purpose of the agreement only", |e, _| e.purpose = Some("teaching".parse().unwrap()), Code::Purpose),
    ("a purpose of the project only", |e, _| e.purpose = Some("audit".parse().unwrap()), Code::Purpose),
    ("no agreement named", |e, _| e.agreement = None, Code::NoAgreement),
    ("another text of the agreement", |e, _| e.agreement = Some("00".to_owned()), Code::NoAgreement),
    ("the agreement of the other direction", |e, _| e.agreement = Some("b5".to_owned()), Code::NoAgreement),
    ("only the other direction", |_, b| b.agreements.retain(|a| a.from != shenzhen()), Code::NoAgreement),
    ("no agreement at all", |_, b| b.agreements.clear(), Code::NoAgreement),
    ("asked for only", |_, b| b.agreements[0].state = AgreementState::Requested, Code::NoAgreement),
    ("agreed, not active", |_, b| b.agreements[0].state = AgreementState::Agreed, Code::NoAgreement),
    ("suspended", |_, b| b.agreements[0].state = AgreementState::Suspended, Code::NoAgreement),
    ("terminated", |_, b| b.agreements[0].state = AgreementState::Terminated, Code::NoAgreement),
    ("not yet", |_, b| b.agreements[0].not_before = now() + SignedDuration::from_secs(1), Code::NoAgreement),
    ("expired", |_, b| b.agreements[0].expires = now(), Code::NoAgreement),
    ("another table", |_, b| b.agreements[0].tables.remove(0).table = "x".parse().unwrap(), Code::NoAgreement),
    ("a project without it", |_, b| b.projects[0].agreements.clear(), Code::Requester),
];

#[test]
fn a_request_with_project_purpose_and_agreement_is_admitted() {
    let admitted = admit_envelope(&envelope(SQL), &bundle()).unwrap();
    assert_eq!(admitted.agreement().unwrap().name.as_str(), "sz-to-hk");
    assert_eq!(admitted.tables().len(), 1);
    assert_eq!(admitted.deadline(), now() + SignedDuration::from_secs(60));
}

#[test]
fn a_request_is_refused_with_the_code_of_the_permission_that_it_lacks() {
    for (what, change, code) in CHANGES {
        let (mut envelope, mut bundle) = (envelope(SQL), bundle());
        change(&mut envelope, &mut bundle);
        let refusal = admit_envelope(&envelope, &bundle).expect_err(what);
        assert_eq!(refusal.code, *code, "{what}: {refusal}");
        assert_eq!(refusal.owner, Some(shenzhen()), "{what}");
        assert!(refusal.rule.is_some_and(|rule| !rule.is_empty()), "{what}");
        assert!(refusal.remedy.is_some_and(|remedy| !remedy.is_empty()), "{what}");
    }
}

#[test]
fn a_home_that_names_another_homes_researcher_is_told_whose_issuers_it_has() {
    let mut lie = envelope(SQL);
    lie.requester.issuer = "https://id.example".to_owned();
    for sql in [SQL, "SELECT count(*) FROM shenzhen.health.facilities"] {
        lie.sql = sql.to_owned();
        let refusal = admit_envelope(&lie, &bundle()).unwrap_err();
        assert_eq!(refusal.message, "the requester's issuer is none of HK", "{sql}");
        assert_eq!(refusal.subject.as_deref(), Some("https://id.example"));
        assert!(refusal.rule.unwrap().ends_with("those of HK are known here as https://id.example.hk"));
    }
    // The same names at two homes are two people.
    let mut both = bundle();
    both.members[2].issuers = both.members[1].issuers.clone();
    both.agreements.push(wanqu_fixtures::bundle::agreement("sz-to-mo", "CN-SZ", "MO"));
    both.agreements[2].tables = both.agreements[0].tables.clone();
    both.projects[0].agreements.push("sz-to-mo".parse().unwrap());
    let macau = "MO".parse().unwrap();
    let mut of_macau = envelope(SQL);
    (of_macau.from, of_macau.agreement) = ("MO".parse().unwrap(), Some(both.agreements[2].digest.clone()));
    let catalog = Catalog::owner(&both, &both.jurisdiction);
    let ask = |bundle: &NodeBundle| admit(&Request { envelope: &of_macau, peer: &macau }, bundle, &catalog, now());
    let refusal = ask(&both).unwrap_err();
    assert_eq!(refusal.code, Code::Requester);
    assert!(refusal.rule.unwrap().contains("mei of https://id.example.hk from MO"));
    let mut listed = both.clone();
    listed.projects[0].subjects.push(wanqu_fixtures::bundle::listed("MO", &of_macau.requester));
    assert!(ask(&listed).is_ok(), "unless the project says so");
    let own = Request { envelope: &envelope("SELECT count(*) FROM shenzhen.health.facilities"), peer: &hong_kong() };
    let mut node = own.envelope.clone();
    node.requester = node_itself(&hong_kong());
    assert!(admit(&Request { envelope: &node, peer: &hong_kong() }, &both, &catalog, now()).is_ok());
    node.requester = node_itself(&shenzhen());
    assert_eq!(
        admit(&Request { envelope: &node, peer: &hong_kong() }, &both, &catalog, now()).unwrap_err().code,
        Code::Requester
    );
}

#[test]
fn an_agreement_on_a_dataset_covers_its_part_of_a_common_table() {
    let common = envelope("SELECT count(*) FROM gba.health.visits");
    assert!(admit_envelope(&common, &bundle()).is_ok());
    let mut by_common_name = bundle();
    by_common_name.agreements[0].tables = vec!["gba.health.visits".parse().unwrap()];
    assert!(admit_envelope(&common, &by_common_name).is_ok());
    // The other way round it does not: a common table shows less than the dataset.
    assert_eq!(admit_envelope(&envelope(SQL), &by_common_name).unwrap_err().code, Code::NoAgreement);
}

#[test]
fn every_non_public_table_must_be_covered() {
    let mut bundle = bundle();
    bundle.agreements[0].tables.retain(|t| t.table.as_str() == "visits");
    let sql =
        "SELECT count(*) FROM shenzhen.health.visits v JOIN shenzhen.health.patients p ON v.patient_id = p.patient_id";
    let refusal = admit_envelope(&envelope(sql), &bundle).unwrap_err();
    assert_eq!(refusal.code, Code::NoAgreement);
    assert_eq!(refusal.subject.as_deref(), Some("shenzhen.health.patients"));
}

#[test]
fn a_jurisdictions_own_researchers_need_a_project_and_no_agreement() {
    let (mut own, mut bundle) = (envelope(SQL), bundle());
    own.from = shenzhen();
    own.agreement = None;
    bundle.projects[0].subjects.push(wanqu_fixtures::bundle::listed("CN-SZ", &own.requester));
    bundle.members[0].issuers.push(wanqu_fixtures::bundle::issuer(&own.requester.issuer, "CN-SZ"));
    bundle.agreements.clear();
    let catalog = Catalog::owner(&bundle, &bundle.jurisdiction);
    let ask = |envelope: &Envelope| admit(&Request { envelope, peer: &shenzhen() }, &bundle, &catalog, now());
    assert!(ask(&own).unwrap().agreement().is_none());
    own.project = None;
    assert_eq!(ask(&own).unwrap_err().code, Code::Requester);
}

#[test]
fn an_owner_s_limits_bound_what_was_asked() {
    let (mut asked, mut bundle) = (envelope(SQL), bundle());
    asked.deadline = now() + SignedDuration::from_hours(100);
    asked.max_rows = u64::MAX;
    (bundle.limits.release_rows, bundle.limits.release_mib) = (7, 3);
    let admitted = admit_envelope(&asked, &bundle).unwrap();
    assert_eq!((admitted.max_rows(), admitted.max_bytes()), (7, 3 << 20));
    assert_eq!(admitted.deadline(), now() + SignedDuration::from_secs(300));
}
