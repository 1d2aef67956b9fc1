//! Questions of researchers, and their answers: rows, and an account of how they came about.

use std::pin::Pin;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use futures::Stream;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::names::{JurisdictionId, Purpose, ResourceName};
use crate::receipt::{Delivery, Signed};
use crate::refusal::Refusal;
use crate::report::ReleaseReport;

/// Question of a researcher.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Question {
    /// One SELECT statement; or `EXPLAIN` or `EXPLAIN POLICY` before one. Settings may stand before it:
    /// `SET wanqu.project = 'NAME'; SET wanqu.partial = true; SELECT …` says what fields below say.
    pub sql: String,
    /// Research project that it belongs to. Not needed if only public tables are read.
    #[serde(default)]
    pub project: Option<ResourceName>,
    /// Purpose of the question. Not needed if only public tables are read.
    #[serde(default)]
    pub purpose: Option<Purpose>,
    /// True to answer even if a jurisdiction is missing; the account names it.
    #[serde(default)]
    pub partial: bool,
    /// True to add a boolean column, [`INCOMPLETE_COLUMN`], that marks rows to which an owner may not have contributed.
    #[serde(default)]
    pub mark_incomplete: bool,
    /// Keeps the answer at the home node, so that it can be fetched later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep: Option<Keep>,
}

/// Retention of an answer at the home node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Keep {
    /// Seconds from the end of the answer until it is deleted.
    pub ttl_seconds: u32,
}

/// Content of a gateway's Flight ticket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum TicketRequest {
    /// An answer.
    Question(Question),
    /// An answer that was kept.
    Fetch(Fetch),
}

/// Request for an answer that was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fetch {
    /// Id of the result, which is that of its query.
    pub result: Uuid,
}

/// Name of the column that `markIncomplete` adds.
pub const INCOMPLETE_COLUMN: &str = "may_lack_a_part";

/// Contribution of one jurisdiction to an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JurisdictionOutcome {
    /// Jurisdiction that was asked.
    pub jurisdiction: JurisdictionId,
    /// Releases that it made, one for each fragment.
    pub releases: Vec<ReleaseReport>,
    /// Number of rows received from it.
    pub rows: u64,
    /// Bytes received from it over the exchange, as encoded on the wire. 0 for the home node's own part.
    pub bytes: u64,
    /// Milliseconds from sending the first fragment to the end of the last release.
    pub elapsed_ms: u64,
    /// Reason why it is missing; `None` if it answered.
    pub missing: Option<Refusal>,
    /// True if the query ended before all rows of a release of public tables had come, as with LIMIT. The report on that
    /// release, which comes last, is not among `releases`, nor what it would say of records that cannot be read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut_short: bool,
}

/// Account of an answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Id of the query, the same in the log of every node.
    pub query_id: Uuid,
    /// Number of rows of the answer.
    pub rows: u64,
    /// Number of rows to which an owner may not have contributed, because it was asked and released no such cell; `None` if the
    /// form of the question does not let it be counted by row.
    pub rows_lacking: Option<u64>,
    /// True if any owner's contribution may be missing, even if that cannot be counted.
    pub may_lack: bool,
    /// True if rows may be absent: each is one jurisdiction's cell, which it may have kept back, or a condition, a GROUP BY, a LIMIT
    /// or a join decided about them by cells that may lack a part, or a jurisdiction that has some is missing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rows_may_be_absent: bool,
    /// Contributions, one for each jurisdiction that was asked.
    pub outcomes: Vec<JurisdictionOutcome>,
    /// The home node's statement about the answer; `None` for explanations, and from nodes of before there were receipts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<Box<Signed<Delivery>>>,
    /// Answer as the home node keeps it, if that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<KeptResult>,
    /// Reason why it is not kept, although that was asked for. The answer is whole all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_kept: Option<Box<Refusal>>,
}

/// Answer that the home node keeps for its requester alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeptResult {
    /// Id to fetch it by, which is that of its query.
    pub id: Uuid,
    /// Number of its rows.
    pub rows: u64,
    /// Size as Parquet, in bytes.
    pub bytes: u64,
    /// Time at which it is deleted.
    pub expires: Timestamp,
}

/// Progress of a running query, sent while the researcher waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "event")]
pub enum Progress {
    /// The question waits for a place at its home node.
    Waiting {
        /// Number of questions that go first, as things stand.
        ahead: u32,
    },
    /// The query was planned and its fragments were sent.
    Planned {
        /// Id of the query.
        query_id: Uuid,
        /// Number of fragments in all.
        fragments: u32,
    },
    /// One owner's release has arrived in full.
    Released {
        /// Owner of the release.
        jurisdiction: JurisdictionId,
        /// Number of its rows.
        rows: u64,
    },
}

/// Event of an answer. They come in this order: progress, the columns, rows between more progress, and at the end the account.
/// A refusal ends the answer early.
#[derive(Debug, Clone)]
pub enum Event {
    /// Progress of the query.
    Progress(Progress),
    /// Columns of the answer. Comes once, before any rows.
    Schema(SchemaRef),
    /// Rows.
    Batch(RecordBatch),
    /// Account of the answer. Comes last: an answer without it is not whole.
    Summary(Summary),
}

/// Stream of an answer's events. Dropping it cancels the query, at the owners too.
pub type Answer = Pin<Box<dyn Stream<Item = Result<Event, Refusal>> + Send>>;
