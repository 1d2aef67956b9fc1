//! `CommonTable`: a schema that several jurisdictions agree on.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};
use wanqu_model::columns::{ColumnClass, ColumnType};
use wanqu_model::names::SqlName;

use super::{LocalTable, Status};

/// A schema that several jurisdictions agree on. In SQL it is the union of what their datasets serve.
#[derive(Debug, Clone, PartialEq, CustomResource, KubeSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
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
    /// Name of the table in the catalog gba: health.visits is gba.health.visits in SQL.
    pub table: LocalTable,
    /// Description of the table, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 4096))]
    pub description: String,
    /// Columns of the table. A first column, jurisdiction, is added by itself: it holds the id of the row's owner.
    #[schemars(length(min = 1, max = 1000))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".to_owned()]))]
    pub columns: Vec<CommonColumn>,
    /// True if every jurisdiction that serves the table holds the same full copy, so that any one of them answers for all.
    /// Such a table is public.
    #[serde(default)]
    pub replicated: bool,
    /// Co-location keys: rows with equal values of a key's column lie in the same jurisdiction, in every common table that
    /// has a column for the key. Joins on such a column are made by the owners.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["key".to_owned()]))]
    pub colocation: Vec<ColocationSpec>,
    /// True if no privacy unit has rows in two jurisdictions, so that counts of distinct units can be added up.
    #[serde(default)]
    pub disjoint_units: bool,
}

/// One column that takes part in a co-location key.
#[derive(Debug, Clone, PartialEq, Eq, KubeSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ColocationSpec {
    /// Name of the key, the same in every table that takes part: order.
    pub key: SqlName,
    /// Column of this table that holds the key.
    pub column: SqlName,
}

/// Column of a common table.
#[derive(Debug, Clone, PartialEq, KubeSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CommonColumn {
    /// Name of the column in SQL.
    #[x_kube(validation = Rule::new("self != 'jurisdiction'").message("the column jurisdiction is added by itself"))]
    pub name: SqlName,
    /// Type of the column: boolean, int32, int64, float64, decimal(P,S), string, date, timestamp or list(TYPE).
    #[serde(rename = "type")]
    pub data_type: ColumnType,
    /// Class of the column: public, dimension, measure, identifier or sealed. An owner can be stricter. Default: sealed.
    #[serde(default)]
    pub class: ColumnClass,
    /// Unit of measurement that every owner's mapping converts its values to, for example CNY.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub unit: Option<String>,
    /// Description of the column, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 1024))]
    pub description: String,
    /// Code list of the column, if its values are codes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1000))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["code".to_owned()]))]
    pub codes: Vec<Code>,
}

/// Code of a code list.
#[derive(Debug, Clone, PartialEq, Eq, KubeSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Code {
    /// The code as it stands in the column: F.
    #[schemars(length(min = 1, max = 64))]
    pub code: String,
    /// Meaning of the code: female.
    #[schemars(length(min = 1, max = 256))]
    pub meaning: String,
}
