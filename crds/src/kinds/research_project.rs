//! `ResearchProject`: researchers, their purposes, and the agreements that they rely on.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};
use wanqu_model::names::{JurisdictionId, Purpose, ResourceName};

use super::Status;

/// Research project: its researchers, its purposes, and the agreements that it rests on.
#[derive(Debug, Clone, PartialEq, CustomResource, KubeSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "wanqu.dev",
    version = "v1alpha1",
    kind = "ResearchProject",
    doc = "Research project: its researchers, its purposes, and the agreements that it rests on.",
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
    /// Description of the project, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 4096))]
    pub description: String,
    /// Researchers who take part, as issuers of their homes name them.
    #[schemars(length(min = 1, max = 1000))]
    pub subjects: Vec<SubjectSpec>,
    /// Purposes of its queries, for example health-planning.
    #[schemars(length(min = 1, max = 100))]
    pub purposes: Vec<Purpose>,
    /// Names of the DataSharingAgreements that it rests on. Default: none, and it can ask only at home.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub agreements: Vec<ResourceName>,
    /// Greatest number of queries a day. Default: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub queries_per_day: Option<u32>,
}

/// Researcher, as an issuer of their home names them.
#[derive(Debug, Clone, PartialEq, Eq, KubeSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SubjectSpec {
    /// Home of the researcher, at whose gateway they ask: HK. The same issuer and subject at another home are somebody else, unless
    /// they are listed too. Default: each jurisdiction that lists the issuer; of kubernetes, which is another one in each cluster, it has to be said where several do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jurisdiction: Option<JurisdictionId>,
    /// Claim iss of the researcher's tokens: https://id.health.example.
    pub issuer: String,
    /// Claim sub of the researcher's tokens.
    pub subject: String,
}
