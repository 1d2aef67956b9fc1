//! `ResearchProject`: who asks, and what for.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};
use wanqu_model::bundle::Subject;
use wanqu_model::names::{Purpose, ResourceName};

use super::Status;

/// A research project: who takes part, what for, and the agreements that it rests on.
#[derive(Debug, Clone, PartialEq, CustomResource, KubeSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[kube(
    group = "wanqu.dev",
    version = "v1alpha1",
    kind = "ResearchProject",
    doc = "A research project: who takes part, what for, and the agreements that it rests on.",
    namespaced,
    status = "Status",
    derive = "PartialEq",
    shortname = "rp",
    category = "wanqu",
    printcolumn(name = "Purposes", type_ = "string", json_path = ".spec.purposes"),
    printcolumn(name = "Agreements", type_ = "string", json_path = ".spec.agreements"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].status"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
pub struct ResearchProjectSpec {
    /// What it is about, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 4096))]
    pub description: String,
    /// The researchers, as their issuers name them.
    #[schemars(length(min = 1, max = 1000))]
    pub subjects: Vec<Subject>,
    /// What it asks for.
    #[schemars(length(min = 1, max = 100))]
    pub purposes: Vec<Purpose>,
    /// The DataSharingAgreements that it rests on, by name. Without one it asks only at home.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub agreements: Vec<ResourceName>,
    /// The most queries a day; no limit if not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub queries_per_day: Option<u32>,
}
