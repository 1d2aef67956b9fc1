//! A small federation for tests: Shenzhen owns, Hong Kong asks.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;
use wanqu_fixtures::bundle;
use wanqu_model::bundle::{
    Agreement, ColumnSpec, ContributionRule, Member, NodeBundle, Project, ReleaseRule, Slice, Subject,
};
use wanqu_model::names::JurisdictionId;
use wanqu_model::refusal::Refusal;

use super::{AdmittedFragment, Judgement, Request, admit, judge};
use crate::catalog::Catalog;
use crate::envelope::{ENVELOPE_VERSION, Envelope};

/// The digest of the agreement from Shenzhen to Hong Kong.
pub(crate) const DIGEST: &str = "5a";

/// The owner.
pub(crate) fn shenzhen() -> JurisdictionId {
    "CN-SZ".parse().unwrap()
}

/// The jurisdiction that asks.
pub(crate) fn hong_kong() -> JurisdictionId {
    "HK".parse().unwrap()
}

/// The present of every test.
pub(crate) fn now() -> Timestamp {
    "2026-03-01T00:00:00Z".parse().unwrap()
}

fn column(line: &str) -> ColumnSpec {
    let (declared, expression) = line.split_once(" = ").map_or((line, None), |(d, e)| (d, Some(e.to_owned())));
    let [name, kind, class] = declared.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}: name type class") };
    bundle::column_spec(name, kind, class, expression)
}

fn slice(table: &str, dataset: &str, unit: Option<&str>, min_units: u32, columns: &[&str]) -> Slice {
    Slice {
        table: table.parse().unwrap(),
        jurisdiction: shenzhen(),
        dataset: dataset.parse().unwrap(),
        custodian: "Health Commission".to_owned(),
        description: String::new(),
        columns: columns.iter().map(|line| column(line)).collect(),
        privacy_unit: unit.map(|unit| unit.parse().unwrap()),
        policy: ReleaseRule {
            policies: vec![format!("{dataset}-rule").parse().unwrap()],
            min_units,
            rounding: 5,
            publish_zeros: false,
            remember_cells: false,
            contributions: ContributionRule::default(),
        },
        approximate_rows: None,
        one_row_per_unit: false,
    }
}

const VISITS: &[&str] = &[
    "visit_id string identifier",
    "patient_id string identifier",
    "sex string dimension",
    "age int32 dimension",
    "district string dimension",
    "diagnosis string dimension",
    "facility_id string dimension",
    "currency string dimension",
    "visit_date date dimension",
    "discharge_date date dimension",
    "arrived timestamp dimension",
    "emergency boolean dimension",
    "ward string public",
    "cost decimal(12,2) measure",
    "days int32 measure",
    "tests int64 measure",
    "weight float64 measure",
    "smoker boolean measure",
    "result string measure",
    "spectrum list(float64) measure",
    "note string sealed",
];

/// A bundle of Shenzhen's, whose non-public tables release cells of `min_units`.
pub(crate) fn bundle_of(min_units: u32) -> NodeBundle {
    let common = [
        "jurisdiction string public",
        "patient string identifier = patient_id",
        "sex string dimension = upper(sex)",
        "month date dimension = date_trunc('month', visit_date)",
        "cost_cny float64 measure = cost",
        "note string sealed = note",
    ];
    let mut slices = vec![
        slice("gba.health.visits", "sz-visits", Some("patient_id"), min_units, &common),
        slice("shenzhen.air.hourly", "sz-air", None, 1, &["day date public", "hour int32 public", "pm float64 public"]),
        slice(
            "shenzhen.health.facilities",
            "sz-facilities",
            None,
            1,
            &["facility_id string public", "district string public", "beds int64 public", "rate float64 public"],
        ),
        slice(
            "shenzhen.health.patients",
            "sz-patients",
            Some("patient_id"),
            min_units,
            &[
                "patient_id string identifier",
                "phone string identifier",
                "district string dimension",
                "birth_year int32 dimension",
                "income float64 measure",
                "name string sealed",
            ],
        ),
        slice("shenzhen.health.visits", "sz-visits", Some("patient_id"), min_units, VISITS),
    ];
    // A register: each patient is in it once.
    slices.iter_mut().filter(|s| s.dataset.as_str() == "sz-patients").for_each(|s| s.one_row_per_unit = true);
    let mut bundle = bundle::empty();
    bundle.members[1].issuers = vec![bundle::issuer(&requester().issuer, "HK")];
    let macau =
        Member { jurisdiction: "MO".parse().unwrap(), sql_name: "macau".parse().unwrap(), ..bundle.members[1].clone() };
    bundle.members.push(macau);
    bundle.slices = slices;
    bundle.agreements = vec![agreement("sz-to-hk", "CN-SZ", "HK", DIGEST), agreement("hk-to-sz", "HK", "CN-SZ", "b5")];
    bundle.projects = vec![project()];
    bundle
}

/// The same with a minimum of ten units.
pub(crate) fn bundle() -> NodeBundle {
    bundle_of(10)
}

fn agreement(name: &str, from: &str, to: &str, digest: &str) -> Agreement {
    Agreement {
        tables: vec!["shenzhen.health.visits".parse().unwrap(), "shenzhen.health.patients".parse().unwrap()],
        purposes: vec!["health-planning".parse().unwrap(), "teaching".parse().unwrap()],
        digest: digest.to_owned(),
        ..bundle::agreement(name, from, to)
    }
}

fn project() -> Project {
    Project {
        name: "demand".parse().unwrap(),
        subjects: vec![bundle::listed("HK", &requester())],
        purposes: vec!["health-planning".parse().unwrap(), "audit".parse().unwrap()],
        agreements: vec!["sz-to-hk".parse().unwrap()],
        queries_per_day: None,
    }
}

/// The researcher.
pub(crate) fn requester() -> Subject {
    Subject { issuer: "https://id.example.hk".to_owned(), subject: "mei".to_owned() }
}

/// An envelope from Hong Kong's node to Shenzhen's.
pub(crate) fn envelope(sql: &str) -> Envelope {
    Envelope {
        version: ENVELOPE_VERSION,
        query_id: Uuid::nil(),
        fragment: 0,
        from: hong_kong(),
        to: shenzhen(),
        sql: sql.to_owned(),
        requester: requester(),
        project: Some("demand".parse().unwrap()),
        purpose: Some("health-planning".parse().unwrap()),
        agreement: Some(DIGEST.to_owned()),
        issued_at: now(),
        deadline: now() + SignedDuration::from_secs(60),
        nonce: Uuid::nil(),
        max_rows: 1_000_000,
        traceparent: None,
    }
}

/// Admits a text as if it came from Hong Kong's node.
pub(crate) fn admit_sql(sql: &str, bundle: &NodeBundle) -> Result<AdmittedFragment, Refusal> {
    admit_envelope(&envelope(sql), bundle)
}

/// Admits an envelope that came over Hong Kong's connection.
pub(crate) fn admit_envelope(envelope: &Envelope, bundle: &NodeBundle) -> Result<AdmittedFragment, Refusal> {
    let peer = hong_kong();
    let catalog = Catalog::owner(bundle, &bundle.jurisdiction);
    admit(&Request { envelope, peer: &peer }, bundle, &catalog, now())
}

/// Judges a text against Shenzhen's rules.
pub(crate) fn judge_sql(sql: &str) -> Judgement {
    let bundle = bundle();
    let plan = Catalog::owner(&bundle, &shenzhen()).plan(sql, 1 << 20).unwrap();
    judge(plan, &shenzhen())
}
