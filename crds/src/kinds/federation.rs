//! `Federation`: the members, and the defaults for all of them.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};
use wanqu_model::names::JurisdictionId;

use super::Status;

/// Federation of jurisdictions that answer each other's queries while their raw records stay at home.
#[derive(Debug, Clone, PartialEq, CustomResource, KubeSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "wanqu.dev",
    version = "v1alpha1",
    kind = "Federation",
    doc = "Federation of jurisdictions that answer each other's queries while their raw records stay at home.",
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
    /// SPIFFE trust domain of the identities of all nodes: a DNS name, for example gba.example. Cannot change.
    #[schemars(length(min = 1, max = 255), regex(pattern = r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$"))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("the trust domain cannot change: every certificate names it"))]
    pub trust_domain: String,
    /// Identifiers of the jurisdictions that take part: CN-SZ, HK, MO. Each needs a Jurisdiction with this id.
    #[schemars(length(min = 1, max = 128))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub members: Vec<JurisdictionId>,
    /// Defaults for every member.
    #[serde(default)]
    pub defaults: FederationDefaults,
}

/// Defaults for every member.
#[derive(Debug, Clone, Default, PartialEq, KubeSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FederationDefaults {
    /// Release rule for all data that is not public. A DisclosurePolicy can only make it stricter.
    #[serde(default)]
    pub release: ReleaseDefaults,
    /// Limits on one query at a node.
    #[serde(default)]
    pub limits: LimitsSpec,
}

/// Release rule that holds for every dataset of the federation.
#[derive(Debug, Clone, PartialEq, KubeSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReleaseDefaults {
    /// Minimum number of distinct privacy units behind a cell for it to be released. 1 releases every cell. Default: 10.
    #[serde(default = "ten")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub min_units: u32,
    /// Base that counts are rounded to a multiple of; sums are scaled to match. 1 is no rounding. Default: 1.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub rounding: u32,
    /// True if a cell with no privacy unit may be released as zero, and so be told from one with fewer than minUnits. It holds
    /// only if every policy that applies says so too. Default: false.
    #[serde(default)]
    pub publish_zeros: bool,
}

impl Default for ReleaseDefaults {
    fn default() -> Self {
        Self { min_units: ten(), rounding: one(), publish_zeros: false }
    }
}

/// Returns the usual threshold of published practice (ACRO, and most statistics offices' for health data).
fn ten() -> u32 {
    10
}

/// Returns the base that rounds nothing.
fn one() -> u32 {
    1
}

/// Limits on one query at a node.
#[derive(Debug, Clone, Default, PartialEq, KubeSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LimitsSpec {
    /// Longest duration of a query, in seconds. Default: 300.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 86_400))]
    pub deadline_seconds: Option<u32>,
    /// Memory of a query at a node, in MiB; beyond it, operators spill to disk. Default: 1024.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 16))]
    pub memory_mib: Option<u32>,
    /// Longest SQL text, in bytes. Default: 262144.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 16_777_216))]
    pub sql_bytes: Option<u32>,
    /// Greatest number of rows of one release. Default: 50000000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub release_rows: Option<u64>,
    /// Greatest size of one release in memory, in MiB. The owner keeps to it when it releases, and the node that asked when
    /// it receives. Default: 4096.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub release_mib: Option<u32>,
    /// Greatest number of queries that a node runs at once. Default: 32.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000))]
    pub concurrent_queries: Option<u32>,
}
