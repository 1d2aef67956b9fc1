//! `Dataset`: one custodian's table, with its columns classified and whom to protect named.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wanqu_model::bundle::{BadRecords, SourceFormat};
use wanqu_model::columns::{ColumnClass, ColumnType};
use wanqu_model::names::{JurisdictionId, ResourceName, SqlName};

use super::{LocalTable, Status};

/// One custodian's table: where it lies, what its columns mean, what may be done with each, and whom to protect.
#[derive(Debug, Clone, PartialEq, CustomResource, KubeSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[kube(
    group = "wanqu.dev",
    version = "v1alpha1",
    kind = "Dataset",
    doc = "One custodian's table: where it lies, what its columns mean, what may be done with each, and whom to protect.",
    namespaced,
    status = "Status",
    derive = "PartialEq",
    shortname = "ds",
    category = "wanqu",
    printcolumn(name = "Jurisdiction", type_ = "string", json_path = ".spec.jurisdiction"),
    printcolumn(name = "Table", type_ = "string", json_path = ".spec.table"),
    printcolumn(name = "Custodian", type_ = "string", json_path = ".spec.custodian"),
    printcolumn(name = "Protects", type_ = "string", json_path = ".spec.privacyUnit"),
    printcolumn(name = "Grade", type_ = "string", json_path = ".spec.grade", priority = 1),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].status"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[x_kube(validation = Rule::new(
    "has(self.privacyUnit) || self.columns.all(c, c.class == 'public')"
).message("a dataset with a column that is not public names its privacyUnit").field_path(".privacyUnit"))]
#[x_kube(validation = Rule::new(
    "!has(self.privacyUnit) || self.columns.exists(c, c.name == self.privacyUnit && c.class == 'identifier')"
).message("privacyUnit is one of the columns, of class identifier; a public dataset needs none").field_path(".privacyUnit"))]
#[x_kube(validation = Rule::new(
    "!has(self.maxRowsPerUnit) || has(self.privacyUnit)"
).message("maxRowsPerUnit speaks of a privacyUnit").field_path(".maxRowsPerUnit"))]
#[x_kube(validation = Rule::new(
    "!has(self.approximateRows) || !has(self.privacyUnit)"
).message("approximateRows is told to every member, so only a public dataset says it").field_path(".approximateRows"))]
pub struct DatasetSpec {
    /// The identifier of the jurisdiction that it belongs to. Its raw records never leave it.
    pub jurisdiction: JurisdictionId,
    /// The department or body that answers for it.
    #[schemars(length(min = 1, max = 256))]
    pub custodian: String,
    /// Its name in the jurisdiction's catalog: health.visits is shenzhen.health.visits in SQL.
    pub table: LocalTable,
    /// What it holds, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 4096))]
    pub description: String,
    /// Where it lies and how it is read.
    pub source: DatasetSource,
    /// Its columns. What is not declared here is never read.
    #[schemars(length(min = 1, max = 1000))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".to_owned()]))]
    pub columns: Vec<DatasetColumn>,
    /// The column that says whom to protect: a person, a household, a firm. A dataset of public columns needs none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub privacy_unit: Option<SqlName>,
    /// The most rows that any one privacy unit has, where the custodian knows it. It makes releases cheaper to decide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub max_rows_per_unit: Option<u64>,
    /// About how many records it has, where that may be known: every member is told, so that the smaller of two tables
    /// is sent to the owners of the larger when they are joined. Only a dataset whose columns are all public says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub approximate_rows: Option<u64>,
    /// Its grade of importance.
    #[serde(default)]
    pub grade: Grade,
    /// Names of DisclosurePolicies that hold for it, besides those that apply by what they say themselves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub policies: Vec<ResourceName>,
    /// The common tables that it is a part of, and how.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["commonTable".to_owned()]))]
    pub serves: Vec<ServedTable>,
}

/// Where a dataset lies: one of the kinds of sources.
#[derive(Debug, Clone, PartialEq, KubeSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DatasetSource {
    /// Files below the jurisdiction's dataRoot.
    pub files: FilesSource,
}

/// A file, or a folder of files of one format.
#[derive(Debug, Clone, PartialEq, KubeSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FilesSource {
    /// The file or folder, relative to the jurisdiction's dataRoot; it cannot lead out of it.
    #[schemars(length(min = 1, max = 1024))]
    #[x_kube(validation = Rule::new("!self.startsWith('/') && !self.split('/').exists(p, p == '..')").message("path is relative to the dataRoot and stays below it"))]
    pub path: String,
    /// How the bytes are to be read.
    pub format: SourceFormat,
    /// What to do about a record that cannot be read.
    #[serde(default)]
    pub bad_records: BadRecords,
}

/// A column of a dataset.
#[derive(Debug, Clone, PartialEq, KubeSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DatasetColumn {
    /// Its name in SQL.
    pub name: SqlName,
    /// Its type.
    #[serde(rename = "type")]
    pub data_type: ColumnType,
    /// What may be done with it: public, dimension, measure, identifier or sealed. Sealed if not said.
    #[serde(default)]
    pub class: ColumnClass,
    /// Its unit of measurement: CNY, µg/m³.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub unit: Option<String>,
    /// What it says, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 1024))]
    pub description: String,
    /// Its name in the source, where it is not the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub source_name: Option<String>,
}

/// How important data is to the State and the public (after GB/T 43697-2024).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Grade {
    /// Neither important nor core.
    #[default]
    General,
    /// Harm to it would harm the public.
    Important,
    /// Harm to it would harm the State.
    Core,
}

/// A dataset's part of a common table.
#[derive(Debug, Clone, PartialEq, KubeSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServedTable {
    /// The name of the CommonTable.
    pub common_table: ResourceName,
    /// How its columns come from this dataset's. A column of the common table that is not mapped is NULL.
    #[schemars(length(max = 1000))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["column".to_owned()]))]
    pub mapping: Vec<ColumnMapping>,
}

/// How one column of a common table comes from a dataset.
#[derive(Debug, Clone, PartialEq, KubeSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ColumnMapping {
    /// The common table's column.
    #[x_kube(validation = Rule::new("self != 'jurisdiction'").message("the column jurisdiction is filled in by itself"))]
    pub column: SqlName,
    /// An SQL expression over the columns of this dataset, row by row: no aggregate, window, subquery or clock.
    #[schemars(length(min = 1, max = 8192))]
    pub expression: String,
    /// A class stricter than the common table's, where this owner wants one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<ColumnClass>,
}
