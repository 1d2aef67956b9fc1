//! `PlacementGrant`: consent of a namespace to nodes of other namespaces' Jurisdictions.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

/// Consent of its own namespace to nodes of Jurisdictions in other namespaces.
#[derive(Debug, Clone, PartialEq, CustomResource, KubeSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "wanqu.dev",
    version = "v1alpha1",
    kind = "PlacementGrant",
    doc = "Consent of its own namespace to nodes of Jurisdictions in other namespaces. It lives in the namespace that a Jurisdiction's placement.namespace names; without it the operator makes nothing there and mounts no claim of it. When it is withdrawn, the operator removes the node; its volumes and its certificate authority stay. It has no status: the Jurisdiction's condition WorkloadReady says what is lacking.",
    namespaced,
    derive = "PartialEq",
    shortname = "pgrant",
    category = "wanqu",
    printcolumn(name = "From", type_ = "string", json_path = ".spec.from"),
    printcolumn(name = "Claims", type_ = "string", json_path = ".spec.claims"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
pub struct PlacementGrantSpec {
    /// Namespaces whose Jurisdictions may have their nodes run in the namespace of this resource. Whoever may write Jurisdictions
    /// there decides how many copies of a node run here, what they may use, and from where they can be reached.
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["namespace".to_owned()]))]
    pub from: Vec<GrantedFrom>,
    /// Names of the PersistentVolumeClaims of this namespace that these nodes may mount, read-only: whoever may write Datasets and
    /// policies in the namespaces above decides what is released of the files in them. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 64),
        inner(length(min = 1, max = 253), regex(pattern = "^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$"))
    )]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub claims: Vec<String>,
}

/// Namespace whose Jurisdictions may have their nodes run here.
#[derive(Debug, Clone, PartialEq, KubeSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GrantedFrom {
    /// Namespace of the Jurisdictions.
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"))]
    pub namespace: String,
    /// Names of the Jurisdictions. Default: every Jurisdiction of that namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), inner(length(min = 1, max = 253)))]
    pub jurisdictions: Option<Vec<String>>,
}
