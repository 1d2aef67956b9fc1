//! What a researcher asks and gets: the question, and beside the rows the account of how the answer came about.

use std::pin::Pin;

use crate::names::{JurisdictionId, Purpose, ResourceName};
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use futures::Stream;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::refusal::Refusal;
use crate::report::ReleaseReport;

/// A researcher's question.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Question {
    /// One SELECT statement; or `EXPLAIN` or `EXPLAIN POLICY` before one. Settings may stand before it:
    /// `SET wanqu.partial = true; SELECT …` and `SET wanqu.mark_incomplete = true; …` say what the fields below say.
    pub sql: String,
    /// The research project it belongs to. Not needed where only public tables are read.
    #[serde(default)]
    pub project: Option<ResourceName>,
    /// Why it is asked. Not needed where only public tables are read.
    #[serde(default)]
    pub purpose: Option<Purpose>,
    /// Answer even if a jurisdiction is missing, and say which.
    #[serde(default)]
    pub partial: bool,
    /// Add a boolean column that marks rows which may lack an owner's part.
    #[serde(default)]
    pub mark_incomplete: bool,
    /// Keep the answer at the home node, so that it can be fetched again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep: Option<Keep>,
}

/// How long an answer is kept at the home node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Keep {
    /// So many seconds from the end of the answer on.
    pub ttl_seconds: u32,
}

/// What a ticket of a gateway asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Errand {
    /// An answer.
    Question(Question),
    /// An answer that was kept.
    Fetch(Fetch),
}

/// Asks for an answer that was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fetch {
    /// The result's id, which is its query's.
    pub result: Uuid,
}

/// The name of the column that `markIncomplete` adds.
pub const INCOMPLETE_COLUMN: &str = "may_lack_a_part";

/// How one jurisdiction took part in an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JurisdictionOutcome {
    /// Whose part.
    pub jurisdiction: JurisdictionId,
    /// The releases it made, one for each fragment.
    pub releases: Vec<ReleaseReport>,
    /// Rows received from it.
    pub rows: u64,
    /// Bytes received from it over the exchange, as encoded on the wire. 0 for the home node's own part.
    pub bytes: u64,
    /// From sending the first fragment to the end of the last release, in milliseconds.
    pub elapsed_ms: u64,
    /// Why it is missing; `None` if it answered.
    pub missing: Option<Refusal>,
}

/// The account of an answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// The query's id, the same in every node's log.
    pub query_id: Uuid,
    /// Rows of the answer.
    pub rows: u64,
    /// How many of them may lack an owner's part, because an owner that was asked released no such cell;
    /// `None` where the question's form does not let it be counted by row.
    pub rows_lacking: Option<u64>,
    /// Whether any part may be lacking, even where it cannot be counted.
    pub may_lack: bool,
    /// One for each jurisdiction that was asked.
    pub outcomes: Vec<JurisdictionOutcome>,
    /// Where the answer is kept, if that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<KeptResult>,
    /// Why it is not kept, although that was asked for. The answer is whole all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_kept: Option<Box<Refusal>>,
}

/// An answer that is kept at the home node, for the one who asked and nobody else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeptResult {
    /// Its id, by which it is fetched; it is the query's.
    pub id: Uuid,
    /// Its rows.
    pub rows: u64,
    /// Its size as Parquet, in bytes.
    pub bytes: u64,
    /// From then on it is gone.
    pub expires: Timestamp,
}

/// How far a running query is. Sent while the researcher waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "event")]
pub enum Progress {
    /// The query was planned and so many fragments were sent.
    Planned {
        /// The query's id.
        query_id: Uuid,
        /// Fragments in all.
        fragments: u32,
    },
    /// One owner's release has arrived in full.
    Released {
        /// Whose.
        jurisdiction: JurisdictionId,
        /// Rows in it.
        rows: u64,
    },
}

/// One thing that happens while a question is answered, in this order: progress, the columns, rows between more
/// progress, and at the end the account. A refusal ends it early.
#[derive(Debug, Clone)]
pub enum Event {
    /// How far it is.
    Progress(Progress),
    /// The columns of the answer. Comes once, before any rows.
    Schema(SchemaRef),
    /// Rows.
    Batch(RecordBatch),
    /// The account. Comes last: an answer without it is not whole.
    Summary(Summary),
}

/// An answer as it comes about. Dropping it cancels the query, at the owners too.
pub type Answer = Pin<Box<dyn Stream<Item = Result<Event, Refusal>> + Send>>;
