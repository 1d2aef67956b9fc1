//! The gate over this engine and real files: sources that change or cannot be read, and expressions that must not fail.

mod sources;
mod total;

use arrow::array::RecordBatch;
use futures::TryStreamExt;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;
use wanqu_fixtures::bundle::{PROJECT, PURPOSE, researcher};
use wanqu_fixtures::rows::texts;
use wanqu_gate::{AuditReference, GatedRelease, NoLedger};
use wanqu_model::bundle::SourceFormat;
use wanqu_model::refusal::{Code, Refusal};
use wanqu_model::report::ReleaseReport;
use wanqu_rules::admission::{AdmittedFragment, Request, admit};
use wanqu_rules::envelope::{ENVELOPE_VERSION, Envelope};

use super::Engine;
use super::fixture::{Fixture, rule};

/// Admits a text of the owner's own researcher.
fn admitted(fixture: &Fixture, sql: &str) -> Result<AdmittedFragment, Refusal> {
    let (bundle, now) = (&fixture.bundle, Timestamp::UNIX_EPOCH);
    let envelope = Envelope {
        version: ENVELOPE_VERSION,
        query_id: Uuid::nil(),
        fragment: 0,
        from: bundle.jurisdiction.clone(),
        to: bundle.jurisdiction.clone(),
        sql: sql.to_owned(),
        requester: researcher(),
        project: Some(PROJECT.parse().unwrap()),
        purpose: Some(PURPOSE.parse().unwrap()),
        agreement: None,
        issued_at: now,
        deadline: now + SignedDuration::from_secs(60),
        nonce: Uuid::nil(),
        max_rows: 100_000,
        traceparent: None,
    };
    admit(&Request { envelope: &envelope, peer: &bundle.jurisdiction }, bundle, &fixture.catalog(), now)
}

async fn gated(fixture: &Fixture, engine: &Engine, sql: &str) -> Result<GatedRelease, Refusal> {
    let fragment = admitted(fixture, sql).unwrap_or_else(|refusal| panic!("{sql}: {refusal}"));
    wanqu_gate::release(&fragment, engine, &NoLedger).await
}

/// Returns the released rows as text, in their order.
async fn taken(release: GatedRelease) -> Result<Vec<Vec<String>>, Refusal> {
    taken_with_report(release).await.map(|(rows, _)| rows)
}

/// Returns the released rows as text, in their order, and the report.
async fn taken_with_report(release: GatedRelease) -> Result<(Vec<Vec<String>>, ReleaseReport), Refusal> {
    let (batches, report) = release
        .audited("CN-SZ".parse().unwrap(), |_| {
            Box::pin(async { Ok(AuditReference { sequence: 1, digest: String::new() }.into()) })
        })
        .into_parts();
    let batches: Vec<RecordBatch> = batches.try_collect().await?;
    Ok((texts(&batches), report.await?))
}

async fn release(fixture: &Fixture, sql: &str) -> Result<Vec<Vec<String>>, Refusal> {
    taken(gated(fixture, &fixture.engine().unwrap(), sql).await?).await
}

#[tokio::test]
async fn a_failure_has_no_values() {
    let mut fixture = Fixture::new();
    fixture.write("v.csv", "unit,n\nu1,1\nu2,CANARY\n");
    fixture.dataset("v", "v.csv", SourceFormat::Csv, "unit: string identifier; n: int64 measure", rule(2, 1));
    let refusal = release(&fixture, "SELECT sum(n) FROM shenzhen.d.v").await.unwrap_err();
    assert_eq!(refusal.code, Code::Source);
    assert!(!serde_json::to_string(&refusal).unwrap().contains("CANARY"));
    fixture.skip_bad_records();
    let rows = release(&fixture, "SELECT count(n), sum(n) FROM shenzhen.d.v").await.unwrap();
    assert!(rows.is_empty(), "the record that was left out counts for nobody");
}
