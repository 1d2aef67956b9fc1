//! `FederatedQuery`: a query, run once or on a schedule.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wanqu_model::names::{JurisdictionId, Purpose, ResourceName};

use super::query_run::QueryRun;
use crate::schema;

/// Query over the federation, run at the node of one jurisdiction in the name of the user who created it.
#[derive(Debug, Clone, PartialEq, CustomResource, KubeSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "wanqu.dev",
    version = "v1alpha1",
    kind = "FederatedQuery",
    plural = "federatedqueries",
    doc = "Query over the federation, run at the node of one jurisdiction in the name of the user who created it.",
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
#[x_kube(validation = Rule::new("has(self.project) == has(self.purpose)").message("project and purpose are given together, or neither if only public tables are read"))]
#[x_kube(validation = Rule::new("has(self.schedule) || !(has(self.timeZone) || has(self.startingDeadlineSeconds))").message("timeZone and startingDeadlineSeconds apply to a schedule only"))]
#[x_kube(validation = Rule::new(
    "self.sql == oldSelf.sql && self.from == oldSelf.from && self.partial == oldSelf.partial && self.markIncomplete == oldSelf.markIncomplete && self.inlineRows == oldSelf.inlineRows && has(self.project) == has(oldSelf.project) && (!has(self.project) || (self.project == oldSelf.project && self.purpose == oldSelf.purpose))"
).message("the query cannot change: create another FederatedQuery"))]
#[x_kube(validation = Rule::new("has(self.schedule) == has(oldSelf.schedule)").message("a schedule cannot be added or removed: create another FederatedQuery"))]
pub struct FederatedQuerySpec {
    /// Text of the query: one SELECT statement, or EXPLAIN or EXPLAIN POLICY before one.
    #[schemars(length(min = 1, max = 65_536))]
    pub sql: String,
    /// Name of the ResearchProject that the query belongs to. Not needed if it reads only public tables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<ResourceName>,
    /// Purpose of the query, one of the project's. Not needed if it reads only public tables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<Purpose>,
    /// Jurisdiction at whose node the query runs, and whose node keeps the answer.
    pub from: JurisdictionId,
    /// Kubernetes user that creates this object, as kubectl auth whoami prints it. Cannot change.
    #[schemars(length(min = 1, max = 255))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("the requester cannot change"))]
    pub requester: String,
    /// True to answer even if a jurisdiction is missing; the answer then names it. Default: false, which fails the query.
    #[serde(default)]
    pub partial: bool,
    /// True to add a boolean column, may_lack_a_part, that marks rows to which an owner may not have contributed. Default:
    /// false.
    #[serde(default)]
    pub mark_incomplete: bool,
    /// Greatest number of rows of an answer that is copied into a ConfigMap of this object, if it has at most 512 KiB; anybody
    /// who may read ConfigMaps in this namespace can read it. 0 copies none. The home node keeps every answer as Parquet
    /// besides, for the requester alone. Default: 1000.
    #[serde(default = "inline_rows")]
    #[schemars(range(max = 10_000))]
    pub inline_rows: u32,
    /// Seconds after its end at which this object is deleted, with its ConfigMap and the answer at the home node. A query with a
    /// schedule never ends. Default: the object stays, and answers are kept for seven days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 2_592_000))]
    pub ttl_seconds_after_finished: Option<u32>,
    /// Schedule in the form of a CronJob's: minute, hour, day of month, month, day of week. 30 6 * * 1 is Mondays at 06:30.
    /// Default: the query runs once, at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 9, max = 128))]
    pub schedule: Option<String>,
    /// Time zone of the schedule, for example Asia/Hong_Kong. Default: UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub time_zone: Option<String>,
    /// Treatment of a run that is due before the last one has ended: Forbid skips it, Replace cancels the last one, Allow runs
    /// both. Default: Forbid.
    #[serde(default)]
    pub concurrency_policy: ConcurrencyPolicy,
    /// True to begin no run until this is false again. A run that has begun continues. Default: false.
    #[serde(default)]
    pub suspend: bool,
    /// Seconds after its scheduled time within which a run must begin, or it is skipped. Default: no limit, and the last run
    /// that was missed is made up for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 2_592_000))]
    pub starting_deadline_seconds: Option<u32>,
    /// Number of completed runs of a schedule that are kept in the status, with their ConfigMaps. Default: 3.
    #[serde(default = "successful_runs")]
    #[schemars(range(max = 20))]
    pub successful_runs_history_limit: u32,
    /// Number of failed runs of a schedule that are kept in the status. Default: 1.
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

/// Treatment of a run that is due before the last one has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum ConcurrencyPolicy {
    /// The new run is skipped.
    #[default]
    Forbid,
    /// The last run is cancelled, at the owners too, and the new one begins.
    Replace,
    /// Both run.
    Allow,
}

/// State of a query as the operator last saw it, and its runs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FederatedQueryStatus {
    /// Generation of the spec that the conditions describe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Conditions: Accepted, Running, Complete, Failed, and Ready once there is an answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,
    /// Latest scheduled time that a run was begun or skipped for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::date_time")]
    pub last_schedule_time: Option<jiff::Timestamp>,
    /// Next scheduled time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::date_time")]
    pub next_schedule_time: Option<jiff::Timestamp>,
    /// Runs, the latest first. A query without a schedule has one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub runs: Vec<QueryRun>,
    /// Credentials to fetch a kept answer, sealed for the public key in the annotation wanqu.dev/deliver-to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<Delivery>,
}

impl FederatedQuery {
    /// Returns what a sealed token of a delivery is bound to: this very object, and all that says where the token is to be
    /// shown, and until when. Operator and requester compute it alike.
    #[must_use]
    pub fn sealing_context(&self, delivery: &Delivery) -> Vec<String> {
        let object = [&self.metadata.namespace, &self.metadata.name, &self.metadata.uid];
        let object = object.into_iter().map(|part| part.clone().unwrap_or_default());
        let Delivery { to, sealed_token: _, expires, namespace, service, server_name, ca } = delivery;
        let gateway = [to, namespace, service, server_name, ca].into_iter().cloned();
        object.chain(gateway).chain([expires.as_second().to_string()]).collect()
    }
}

/// Credentials and address to fetch kept answers from the home node. The sealed token is bound to all of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    /// Public key that the token is sealed for: X25519, base64.
    pub to: String,
    /// Short-lived token of the requester, sealed by HPKE (RFC 9180): only the holder of the private key can read it.
    pub sealed_token: String,
    /// Time at which the token expires.
    #[schemars(schema_with = "schema::date_time")]
    pub expires: jiff::Timestamp,
    /// Namespace of the home node's gateway.
    pub namespace: String,
    /// Service of the gateway.
    pub service: String,
    /// DNS name in the gateway's certificate.
    pub server_name: String,
    /// Certificate authority that issued it, PEM.
    pub ca: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_delivery_says_is_bound_to_its_token() {
        let metadata = r#""metadata": {"name": "visits", "namespace": "gba", "uid": "7f8e"}"#;
        let spec = r#""spec": {"from": "HK", "sql": "SELECT 1", "requester": "wei"}"#;
        let query = |metadata: &str| -> FederatedQuery {
            let text =
                format!(r#"{{"apiVersion": "wanqu.dev/v1alpha1", "kind": "FederatedQuery", {metadata}, {spec}}}"#);
            serde_json::from_str(&text).unwrap()
        };
        let text = r#"{"to": "KEY", "sealedToken": "TOKEN", "expires": "2026-11-28T06:00:00Z", "namespace": "gba-hongkong",
            "service": "hongkong-gateway", "serverName": "gateway.hk.gba.example", "ca": "CA"}"#;
        let delivery: Delivery = serde_json::from_str(text).unwrap();
        let bound = query(metadata).sealing_context(&delivery);
        for (field, value) in [
            ("to", "ANOTHER"),
            ("expires", "2026-11-28T07:00:00Z"),
            ("namespace", "another"),
            ("service", "another"),
            ("serverName", "another"),
            ("ca", "another"),
        ] {
            let mut fields: serde_json::Value = serde_json::from_str(text).unwrap();
            fields[field] = value.into();
            let changed: Delivery = serde_json::from_value(fields).unwrap();
            assert_ne!(query(metadata).sealing_context(&changed), bound, "{field}");
        }
        for part in ["visits", "gba\"", "7f8e"] {
            let moved = metadata.replacen(part, &format!("x{part}"), 1);
            assert_ne!(query(&moved).sealing_context(&delivery), bound, "{part}");
        }
        assert_eq!(query(metadata).sealing_context(&delivery), bound);
    }
}
