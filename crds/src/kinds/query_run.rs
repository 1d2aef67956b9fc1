//! What came of one time that a `FederatedQuery` was asked.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wanqu_model::names::JurisdictionId;

use crate::schema;

/// What came of one time that a query was asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct QueryRun {
    /// Its number, from 1 on.
    pub number: u32,
    /// The time of the schedule that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::date_time")]
    pub scheduled_time: Option<Timestamp>,
    /// When it began.
    #[schemars(schema_with = "schema::date_time")]
    pub start_time: Timestamp,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::date_time")]
    pub completion_time: Option<Timestamp>,
    /// The operator process that asks. A run whose process is gone has ended, whatever it had reached.
    pub runner: String,
    /// Running, Complete or Failed.
    pub state: RunState,
    /// Why it failed, as one word for programs: the code of the refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Why it failed, for people: the rule, whose it is, and what to do instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The query's id, the same in every node's log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query_id: Option<String>,
    /// Rows of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// How many of them may lack an owner's part; nothing where that cannot be counted by row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows_lacking: Option<u64>,
    /// Whether any part of the answer may be lacking.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub may_lack: Option<bool>,
    /// How each jurisdiction that was asked took part.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub jurisdictions: Vec<JurisdictionPart>,
    /// The ConfigMap with the answer, if it is small enough for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map: Option<String>,
    /// The answer as the home node keeps it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<KeptAnswer>,
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RunState {
    /// It has begun.
    Running,
    /// There is an answer.
    Complete,
    /// There is none, and there will be none.
    Failed,
}

/// How one jurisdiction took part in an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct JurisdictionPart {
    /// Which.
    pub jurisdiction: JurisdictionId,
    /// Rows that it released.
    pub rows: u64,
    /// Bytes that crossed the border; 0 for the home's own part.
    pub bytes: u64,
    /// Cells that its gate kept back, as far as it tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suppressed_cells: Option<u64>,
    /// The entries of its audit log, one for each release.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub receipts: Vec<Receipt>,
    /// Why it is missing from the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
}

/// An entry of an owner's audit log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Receipt {
    /// Its number.
    pub sequence: u64,
    /// Its digest, SHA-256, hexadecimal.
    pub digest: String,
}

/// An answer as its home node keeps it, for its requester and nobody else.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeptAnswer {
    /// The id by which it is fetched.
    pub id: String,
    /// Its size as Parquet, in bytes.
    pub bytes: u64,
    /// From then on it is gone.
    #[schemars(schema_with = "schema::date_time")]
    pub expires: Timestamp,
}
