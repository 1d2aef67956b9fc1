//! `FederatedQuery`: a question, asked once or by a schedule.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wanqu_model::names::{JurisdictionId, Purpose, ResourceName};

use super::query_run::QueryRun;
use crate::schema;

/// A question over the federation: it is asked at the node of one jurisdiction, in the name of the user who created it.
#[derive(Debug, Clone, PartialEq, CustomResource, KubeSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[kube(
    group = "wanqu.dev",
    version = "v1alpha1",
    kind = "FederatedQuery",
    plural = "federatedqueries",
    doc = "A question over the federation: it is asked at the node of one jurisdiction, in the name of the user who created it.",
    namespaced,
    status = "FederatedQueryStatus",
    derive = "PartialEq",
    shortname = "fq",
    category = "wanqu",
    printcolumn(name = "From", type_ = "string", json_path = ".spec.from"),
    printcolumn(name = "Requester", type_ = "string", json_path = ".spec.requester"),
    printcolumn(name = "Project", type_ = "string", json_path = ".spec.project", priority = 1),
    printcolumn(name = "Purpose", type_ = "string", json_path = ".spec.purpose", priority = 1),
    printcolumn(name = "Schedule", type_ = "string", json_path = ".spec.schedule", priority = 1),
    printcolumn(name = "State", type_ = "string", json_path = ".status.runs[0].state"),
    printcolumn(name = "Rows", type_ = "integer", json_path = ".status.runs[0].rows"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].status"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[x_kube(validation = Rule::new("has(self.project) == has(self.purpose)").message("project and purpose are said together, or neither where only public tables are read"))]
#[x_kube(validation = Rule::new("has(self.schedule) || !(has(self.timeZone) || has(self.startingDeadlineSeconds))").message("timeZone and startingDeadlineSeconds speak of a schedule"))]
#[x_kube(validation = Rule::new(
    "self.sql == oldSelf.sql && self.from == oldSelf.from && self.partial == oldSelf.partial && self.markIncomplete == oldSelf.markIncomplete && self.inlineRows == oldSelf.inlineRows && has(self.project) == has(oldSelf.project) && (!has(self.project) || (self.project == oldSelf.project && self.purpose == oldSelf.purpose))"
).message("what is asked cannot change: create another FederatedQuery"))]
#[x_kube(validation = Rule::new("has(self.schedule) == has(oldSelf.schedule)").message("a query does not become a schedule, nor a schedule a query: create another FederatedQuery"))]
pub struct FederatedQuerySpec {
    /// The question: one SELECT statement, or EXPLAIN or EXPLAIN POLICY before one.
    #[schemars(length(min = 1, max = 65_536))]
    pub sql: String,
    /// The ResearchProject that it is asked for. Not needed where only public tables are read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<ResourceName>,
    /// Why it is asked. Not needed where only public tables are read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<Purpose>,
    /// The jurisdiction at whose node it is asked: the home of the answer.
    pub from: JurisdictionId,
    /// Who asks: the Kubernetes user that creates this object, as `kubectl auth whoami` names it.
    #[schemars(length(min = 1, max = 255))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("the requester cannot change"))]
    pub requester: String,
    /// Answer even if a jurisdiction is missing, and say which.
    #[serde(default)]
    pub partial: bool,
    /// Add a boolean column that marks the rows which may lack an owner's part.
    #[serde(default)]
    pub mark_incomplete: bool,
    /// An answer of up to so many rows (and 512 KiB) is put into a ConfigMap that this object owns, where whoever may read
    /// ConfigMaps in this namespace can read it; 0 puts none there. The home node keeps every answer as Parquet besides, for
    /// the requester alone; a larger one is there only.
    #[serde(default = "inline_rows")]
    #[schemars(range(max = 10_000))]
    pub inline_rows: u32,
    /// So many seconds after it finished this object goes, with its ConfigMap. A schedule never finishes. Kept answers go
    /// at the same time, and after seven days if this is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 2_592_000))]
    pub ttl_seconds_after_finished: Option<u32>,
    /// When it is asked, again and again, as in a CronJob: minute, hour, day of month, month, day of week. Once, and at
    /// once, if not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 9, max = 128))]
    pub schedule: Option<String>,
    /// The time zone of the schedule, for example Asia/Hong_Kong; UTC if not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub time_zone: Option<String>,
    /// What happens when it is time again and the last run has not ended.
    #[serde(default)]
    pub concurrency_policy: ConcurrencyPolicy,
    /// Ask nothing until this is false again. A run that has begun goes on.
    #[serde(default)]
    pub suspend: bool,
    /// A run that could not begin within so many seconds of its time is left out; without it, the last one that was
    /// missed is made up for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 2_592_000))]
    pub starting_deadline_seconds: Option<u32>,
    /// How many runs of a schedule that completed are remembered, with their ConfigMaps.
    #[serde(default = "successful_runs")]
    #[schemars(range(max = 20))]
    pub successful_runs_history_limit: u32,
    /// How many runs of a schedule that failed are remembered.
    #[serde(default = "failed_runs")]
    #[schemars(range(max = 20))]
    pub failed_runs_history_limit: u32,
}

fn inline_rows() -> u32 {
    1000
}

fn successful_runs() -> u32 {
    3
}

fn failed_runs() -> u32 {
    1
}

/// What happens when it is time again and the last run has not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum ConcurrencyPolicy {
    /// The new run is left out.
    #[default]
    Forbid,
    /// The last run is cancelled, at the owners too, and the new one begins.
    Replace,
    /// Both run.
    Allow,
}

/// What was last seen of a query, and what came of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FederatedQueryStatus {
    /// The generation of the spec that the conditions speak of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// What holds of it: Accepted, Running, Complete, Failed, and Ready once there is an answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,
    /// The last time of the schedule that was acted upon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::date_time")]
    pub last_schedule_time: Option<jiff::Timestamp>,
    /// The next time of the schedule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::date_time")]
    pub next_schedule_time: Option<jiff::Timestamp>,
    /// What came of each time that it was asked, the latest first. A query without a schedule is asked once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub runs: Vec<QueryRun>,
    /// The means to fetch a kept answer, for the key in the annotation wanqu.dev/deliver-to and for nobody else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<Delivery>,
}

/// The means to fetch kept answers from the home node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Delivery {
    /// The public key that the token is sealed for.
    pub to: String,
    /// A short-lived token of the requester, readable with that key's private half alone.
    pub sealed_token: String,
    /// When the token ends.
    #[schemars(schema_with = "schema::date_time")]
    pub expires: jiff::Timestamp,
    /// The namespace of the home node's gateway.
    pub namespace: String,
    /// Its Service.
    pub service: String,
    /// The name that its certificate carries.
    pub server_name: String,
    /// The certificate authority that vouches for it, PEM.
    pub ca: String,
}
