//! `DisclosurePolicy`: what may be released, and of what.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};
use wanqu_model::names::{JurisdictionId, ResourceName};

use super::{Grade, Status};

/// A rule that every release of the data it applies to keeps. Of all that apply, the strictest holds.
#[derive(Debug, Clone, PartialEq, CustomResource, KubeSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
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
    /// Datasets that the policy applies to. Default: every dataset of the federation.
    #[serde(default)]
    pub applies_to: AppliesTo,
    /// Minimum number of distinct privacy units behind a cell for it to be released. 1 releases every cell.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub min_units: u32,
    /// Base that counts are rounded to a multiple of; sums are scaled to match. 1 is no rounding. Default: 1.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub rounding: u32,
    /// True if a cell with no privacy unit may be released as zero, and so be told from one with fewer than minUnits. It holds
    /// only if every rule that applies says so. Default: false.
    #[serde(default)]
    pub publish_zeros: bool,
    /// True if the owner remembers each released cell in a ledger, so that nobody is given away by the difference of two answers. A
    /// later cell that differs from an earlier one by fewer than minUnits units, none included, gets the values of the earlier one,
    /// or none where what is asked was not released then. One policy that says so is enough. It means nothing where minUnits
    /// is 1, takes a node of one replica, and takes the reading of all columns. Default: false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub remember_cells: bool,
    /// Bound on the share that a few units may have of a total of a measure. A statistic of a cell in which they have more is withheld.
    /// Of the policies that apply, those that set it override the default together, and the strictest of them holds; so it is for
    /// pPercent and minValues. None of the three means anything where minUnits is 1. Default: 2 units, 90 percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dominance: Option<Dominance>,
    /// What the units but the two greatest must at least add to a total of a measure, in percent of what the greatest adds: so close
    /// may the second greatest estimate the greatest. A statistic of a cell in which they add less is withheld. 0 is no bound.
    /// Default: 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub p_percent: Option<u32>,
    /// Least number of different values of a measure in a cell, if it is greater than minUnits. With fewer, a statistic of the measure
    /// is as good as a count of each value, and is withheld unless there are several values and each is one of at least minUnits
    /// units. With so many, at least minUnits units must have another value than the most frequent one. 0 is no bound. Default: 4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1000))]
    pub min_values: Option<u32>,
}

/// Bound on the share of a few units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, KubeSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Dominance {
    /// Number of units that are taken together.
    #[schemars(range(min = 1, max = 10))]
    pub units: u32,
    /// Greatest share of a total that they may have, in percent. 100 is no bound.
    #[schemars(range(min = 1, max = 100))]
    pub percent: u32,
}

fn one() -> u32 {
    1
}

/// Selection of datasets: those for which every given condition holds.
#[derive(Debug, Clone, Default, PartialEq, KubeSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AppliesTo {
    /// Identifier of the jurisdiction that owns the dataset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jurisdiction: Option<JurisdictionId>,
    /// Names of Datasets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1000))]
    pub datasets: Vec<ResourceName>,
    /// Grades of datasets: general, important, core.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 3))]
    pub grades: Vec<Grade>,
}
