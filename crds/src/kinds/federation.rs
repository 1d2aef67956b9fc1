//! `Federation`: who takes part, and what holds for all of them.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};
use wanqu_model::names::JurisdictionId;

use super::Status;

/// A federation of jurisdictions that answer each other's questions while their raw records stay at home.
#[derive(Debug, Clone, PartialEq, CustomResource, KubeSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[kube(
    group = "wanqu.dev",
    version = "v1alpha1",
    kind = "Federation",
    doc = "A federation of jurisdictions that answer each other's questions while their raw records stay at home.",
    namespaced,
    status = "Status",
    derive = "PartialEq",
    shortname = "fed",
    category = "wanqu",
    printcolumn(name = "Trust domain", type_ = "string", json_path = ".spec.trustDomain"),
    printcolumn(name = "Members", type_ = "string", json_path = ".spec.members"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].status"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
pub struct FederationSpec {
    /// The SPIFFE trust domain under which every node has its identity: a DNS name, for example gba.example.
    #[schemars(length(min = 1, max = 255), regex(pattern = r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$"))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("the trust domain cannot change: every certificate names it"))]
    pub trust_domain: String,
    /// The identifiers of the jurisdictions that take part. Each has its own Jurisdiction.
    #[schemars(length(min = 1, max = 128))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub members: Vec<JurisdictionId>,
    /// What holds where nothing stricter is said.
    #[serde(default)]
    pub defaults: FederationDefaults,
}

/// What holds for every member where nothing stricter is said.
#[derive(Debug, Clone, Default, PartialEq, KubeSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FederationDefaults {
    /// The release rule for all data that is not public. A DisclosurePolicy can only make it stricter.
    #[serde(default)]
    pub release: ReleaseDefaults,
    /// What one query may use at a node.
    #[serde(default)]
    pub limits: LimitsSpec,
}

/// The release rule that every dataset of the federation keeps at least.
#[derive(Debug, Clone, PartialEq, KubeSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReleaseDefaults {
    /// A cell is released only if at least so many distinct privacy units contribute to it. 1 releases every cell.
    #[serde(default = "ten")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub min_units: u32,
    /// Counts are rounded to a multiple of this, and sums are scaled to match. 1 is no rounding.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub rounding: u32,
    /// Whether "nobody" may be told from "fewer than minUnits". It holds only if every policy that applies says so too.
    #[serde(default)]
    pub publish_zeros: bool,
}

impl Default for ReleaseDefaults {
    fn default() -> Self {
        Self { min_units: ten(), rounding: one(), publish_zeros: false }
    }
}

/// The usual threshold of published practice (ACRO, and most statistics offices' for health data).
fn ten() -> u32 {
    10
}

/// No rounding.
fn one() -> u32 {
    1
}

/// What one query may use at a node. What is not said keeps the node's own default.
#[derive(Debug, Clone, Default, PartialEq, KubeSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LimitsSpec {
    /// The longest a query may take, in seconds; 300 if not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 86_400))]
    pub deadline_seconds: Option<u32>,
    /// Memory for one query at a node, in MiB; 1024 if not said. Beyond it, operators spill to disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 16))]
    pub memory_mib: Option<u32>,
    /// The longest SQL text, in bytes; 262144 if not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 16_777_216))]
    pub sql_bytes: Option<u32>,
    /// The most rows of one release; 50000000 if not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub release_rows: Option<u64>,
    /// The most queries at once; 32 if not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000))]
    pub concurrent_queries: Option<u32>,
}
