//! `CommonTable`: a schema that several jurisdictions agree on.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};
use wanqu_model::bundle::ColocationKey;
use wanqu_model::columns::{ColumnClass, ColumnType};
use wanqu_model::names::SqlName;

use super::{LocalTable, Status};

/// A schema that several jurisdictions agree on. In SQL it is the union of what their datasets serve.
#[derive(Debug, Clone, PartialEq, CustomResource, KubeSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[kube(
    group = "wanqu.dev",
    version = "v1alpha1",
    kind = "CommonTable",
    doc = "A schema that several jurisdictions agree on. In SQL it is the union of what their datasets serve.",
    namespaced,
    status = "Status",
    derive = "PartialEq",
    shortname = "ct",
    category = "wanqu",
    printcolumn(name = "Table", type_ = "string", json_path = ".spec.table"),
    printcolumn(name = "Replicated", type_ = "boolean", json_path = ".spec.replicated", priority = 1),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].status"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[x_kube(validation = Rule::new(
    "!has(self.colocation) || self.colocation.all(k, self.columns.exists(c, c.name == k.column))"
).message("a co-location key names a column of this table").field_path(".colocation"))]
pub struct CommonTableSpec {
    /// Its name in the catalog gba: health.visits is gba.health.visits in SQL.
    pub table: LocalTable,
    /// What it holds, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 4096))]
    pub description: String,
    /// Its columns. A first column, jurisdiction, is added by itself and says whose rows these are.
    #[schemars(length(min = 1, max = 1000))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".to_owned()]))]
    pub columns: Vec<CommonColumn>,
    /// Every jurisdiction that serves it holds the same full copy; any one of them answers for all.
    #[serde(default)]
    pub replicated: bool,
    /// Columns whose equal values lie in the same jurisdiction, in every common table with a column for the same key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["key".to_owned()]))]
    pub colocation: Vec<ColocationKey>,
    /// Whether no privacy unit has rows in two jurisdictions, so that distinct units of the jurisdictions add up.
    #[serde(default)]
    pub disjoint_units: bool,
}

/// A column of a common table.
#[derive(Debug, Clone, PartialEq, KubeSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CommonColumn {
    /// Its name in SQL.
    #[x_kube(validation = Rule::new("self != 'jurisdiction'").message("the column jurisdiction is added by itself"))]
    pub name: SqlName,
    /// Its type.
    #[serde(rename = "type")]
    pub data_type: ColumnType,
    /// What may be done with it at the least; an owner can be stricter. Sealed if not said.
    #[serde(default)]
    pub class: ColumnClass,
    /// The unit of measurement that every owner's mapping brings its values to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub unit: Option<String>,
    /// What it says, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 1024))]
    pub description: String,
    /// The codes that it uses, where it uses codes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1000))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["code".to_owned()]))]
    pub codes: Vec<Code>,
}

/// One code of a code list.
#[derive(Debug, Clone, PartialEq, Eq, KubeSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Code {
    /// The code as it stands in the column.
    #[schemars(length(min = 1, max = 64))]
    pub code: String,
    /// What it means.
    #[schemars(length(min = 1, max = 256))]
    pub meaning: String,
}
