//! Run of a `FederatedQuery`, as its status records it.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wanqu_model::names::JurisdictionId;

use crate::schema;

/// Run of a query.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct QueryRun {
    /// Number of the run, counted from 1.
    pub number: u32,
    /// Scheduled time of the run; absent without a schedule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::date_time")]
    pub scheduled_time: Option<Timestamp>,
    /// Time at which it began.
    #[schemars(schema_with = "schema::date_time")]
    pub start_time: Timestamp,
    /// Time at which it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::date_time")]
    pub completion_time: Option<Timestamp>,
    /// Operator process that runs it. If that process is gone, the run has failed.
    pub runner: String,
    /// State: Running, Complete or Failed.
    pub state: RunState,
    /// Reason of the failure, as one word for programs: the code of the refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Reason of the failure, for people: the rule, whose rule it is, and a remedy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Id of the query, the same in the log of every node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query_id: Option<String>,
    /// Number of rows of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// Number of rows to which an owner may not have contributed; absent if it cannot be counted by row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows_lacking: Option<u64>,
    /// True if any owner's contribution may be missing from the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub may_lack: Option<bool>,
    /// Contribution of each jurisdiction that was asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub jurisdictions: Vec<JurisdictionPart>,
    /// Name of the ConfigMap with the answer, if the answer is small enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map: Option<String>,
    /// Answer that the home node keeps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<KeptAnswer>,
}

/// State of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RunState {
    /// The run has begun and not ended.
    Running,
    /// There is an answer.
    Complete,
    /// There is no answer, and there will be none.
    Failed,
}

/// Contribution of one jurisdiction to an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JurisdictionPart {
    /// Identifier of the jurisdiction.
    pub jurisdiction: JurisdictionId,
    /// Number of rows that it released.
    pub rows: u64,
    /// Bytes that crossed the border, as encoded; 0 for the home node's own part.
    pub bytes: u64,
    /// True if its rule keeps small cells back, so that some may be lacking; absent if no gate applied. Whether any was kept back is
    /// not told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub may_withhold: Option<bool>,
    /// Datasets of which records are left out, and how many of public ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
    /// True if the query ended before all rows of a release of public tables had come, as with LIMIT: how many records could not be
    /// read is told only where all are.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut_short: bool,
    /// Entries of its audit log, one for each release.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub receipts: Vec<Receipt>,
    /// Reason why the jurisdiction is missing from the answer; absent if it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
}

/// Entry of an owner's audit log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// Sequence number of the entry.
    pub sequence: u64,
    /// Digest of the entry: SHA-256, hexadecimal.
    pub digest: String,
}

/// Answer that the home node keeps for its requester alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeptAnswer {
    /// Id to fetch it by.
    pub id: String,
    /// Size as Parquet, in bytes.
    pub bytes: u64,
    /// Time at which it is deleted.
    #[schemars(schema_with = "schema::date_time")]
    pub expires: Timestamp,
}
