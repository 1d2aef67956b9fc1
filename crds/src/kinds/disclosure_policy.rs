//! `DisclosurePolicy`: what may be released, and of what.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};
use wanqu_model::names::{JurisdictionId, ResourceName};

use super::{Grade, Status};

/// A rule that every release of the data it applies to keeps. Of all that apply, the strictest holds.
#[derive(Debug, Clone, PartialEq, CustomResource, KubeSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[kube(
    group = "wanqu.dev",
    version = "v1alpha1",
    kind = "DisclosurePolicy",
    plural = "disclosurepolicies",
    doc = "A rule that every release of the data it applies to keeps. Of all that apply, the strictest holds.",
    namespaced,
    status = "Status",
    derive = "PartialEq",
    shortname = "dp",
    category = "wanqu",
    printcolumn(name = "Min units", type_ = "integer", json_path = ".spec.minUnits"),
    printcolumn(name = "Rounding", type_ = "integer", json_path = ".spec.rounding"),
    printcolumn(name = "Jurisdiction", type_ = "string", json_path = ".spec.appliesTo.jurisdiction"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].status"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
pub struct DisclosurePolicySpec {
    /// What it applies to; everything in the federation if nothing is said.
    #[serde(default)]
    pub applies_to: AppliesTo,
    /// A cell is released only if at least so many distinct privacy units contribute to it. 1 releases every cell.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub min_units: u32,
    /// Counts are rounded to a multiple of this, and sums are scaled to match. 1 is no rounding.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub rounding: u32,
    /// Whether "nobody" may be told from "fewer than minUnits". It holds only if every rule that applies says so.
    #[serde(default)]
    pub publish_zeros: bool,
}

fn one() -> u32 {
    1
}

/// What a policy applies to: the datasets for which everything that is said here holds.
#[derive(Debug, Clone, Default, PartialEq, KubeSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AppliesTo {
    /// Datasets of this jurisdiction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jurisdiction: Option<JurisdictionId>,
    /// These Datasets, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1000))]
    pub datasets: Vec<ResourceName>,
    /// Datasets of these grades.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 3))]
    pub grades: Vec<Grade>,
}
