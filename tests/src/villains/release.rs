//! Releases as messages, for a hostile owner to send as they are or changed.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::SchemaRef;
use arrow_flight::FlightData;
use arrow_flight::encode::FlightDataEncoderBuilder;
use futures::{TryStreamExt, stream};
use wanqu_client::wire::note;
use wanqu_model::bundle::NodeBundle;
use wanqu_model::names::JurisdictionId;
use wanqu_model::report::ReleaseReport;
use wanqu_rules::planner::Planner;

/// Messages that an owner answers with, the last of which may be a refusal.
pub type Answer = Vec<Result<FlightData, tonic::Status>>;

/// Returns the columns that a home node asks for in the only group of fragments of a query.
///
/// # Panics
/// If the query is refused, or has more than one group.
#[must_use]
pub fn asked_columns(home: &NodeBundle, sql: &str) -> SchemaRef {
    let plan = Planner::new(home).plan(sql).verdict.expect("a query that is split");
    let [group] = plan.groups.as_slice() else { panic!("one group of fragments") };
    Arc::clone(&group.schema)
}

/// Returns the messages of a release as an honest owner sends them: columns, rows, report.
///
/// # Panics
/// If the values do not fit the columns.
pub async fn honest(owner: &JurisdictionId, columns: &SchemaRef, values: Vec<ArrayRef>) -> Vec<FlightData> {
    let rows = RecordBatch::try_new(Arc::clone(columns), values).expect("values of these columns");
    let report = ReleaseReport {
        owner: owner.clone(),
        rows: rows.num_rows() as u64,
        min_units: Some(1),
        rounding: 1,
        publish_zeros: true,
        policies: vec![],
        fetched_bytes: 0,
        left_out: vec![],
        earlier_values: false,
        audit_sequence: 1,
        audit_digest: "0".repeat(64),
        receipt: None,
    };
    let encoder = FlightDataEncoderBuilder::new().with_schema(Arc::clone(columns)).build(stream::iter([Ok(rows)]));
    let mut messages: Vec<FlightData> = encoder.try_collect().await.expect("rows can be encoded");
    messages.push(note(&report).expect("a report can be written"));
    messages
}
