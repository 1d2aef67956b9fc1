//! `Dataset`: one custodian's table, with its columns classified and whom to protect named.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wanqu_model::bundle::{BadRecords, Compression, CsvSyntax, Encoding, SourceFormat, ValueSyntax};
use wanqu_model::columns::{ColumnClass, ColumnType};
use wanqu_model::names::{JurisdictionId, ResourceName, SqlName};

use super::{LocalTable, Status};

/// One custodian's table: where it lies, what its columns mean, what may be done with each, and whom to protect.
#[derive(Debug, Clone, PartialEq, CustomResource, KubeSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
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
).message("maxRowsPerUnit needs a privacyUnit").field_path(".maxRowsPerUnit"))]
#[x_kube(validation = Rule::new(
    "!has(self.approximateRows) || !has(self.privacyUnit)"
).message("approximateRows is told to every member, so only a public dataset may have it").field_path(".approximateRows"))]
pub struct DatasetSpec {
    /// Identifier of the jurisdiction that owns the dataset: HK. Raw records never leave it.
    pub jurisdiction: JurisdictionId,
    /// Department or body that answers for the dataset.
    #[schemars(length(min = 1, max = 256))]
    pub custodian: String,
    /// Name of the table in the jurisdiction's catalog: health.visits is shenzhen.health.visits in SQL.
    pub table: LocalTable,
    /// Description of the dataset, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 4096))]
    pub description: String,
    /// Location and format of the records.
    pub source: DatasetSource,
    /// Columns of the dataset. A column that is not declared here is never read.
    #[schemars(length(min = 1, max = 1000))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".to_owned()]))]
    pub columns: Vec<DatasetColumn>,
    /// Column that identifies the person, household or firm to protect; its class is identifier. Required unless all columns
    /// are public.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub privacy_unit: Option<SqlName>,
    /// Greatest number of rows that any one privacy unit has, if the custodian knows it. It makes releases cheaper to decide. Other
    /// members are told whether it is 1, as in a register of people: only such a table is joined with another protected one, since
    /// a join on the unit then repeats no row of the other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub max_rows_per_unit: Option<u64>,
    /// Approximate number of records, told to every member: when two tables are joined, the smaller is sent to the owners of
    /// the larger. Allowed only if all columns are public.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub approximate_rows: Option<u64>,
    /// Grade of importance: general, important or core (GB/T 43697-2024). Default: general.
    #[serde(default)]
    pub grade: Grade,
    /// Names of DisclosurePolicies that hold for the dataset, besides those whose appliesTo selects it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub policies: Vec<ResourceName>,
    /// Common tables that the dataset is a part of, with the mapping of its columns to theirs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["commonTable".to_owned()]))]
    pub serves: Vec<ServedTable>,
}

/// Location of a dataset: one kind of source.
#[derive(Debug, Clone, PartialEq, KubeSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DatasetSource {
    /// Files below the dataRoot of the jurisdiction.
    pub files: FilesSource,
}

/// File, or folder of files of one format.
#[derive(Debug, Clone, PartialEq, KubeSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.csv) || self.format == 'csv'").message("csv describes files of format csv"))]
#[x_kube(validation = Rule::new(
    "self.format != 'parquet' || (!has(self.encoding) && !has(self.compression) && !has(self.values))"
).message("encoding, compression and values describe text: a Parquet file says them itself"))]
#[x_kube(validation = Rule::new(
    "!has(self.csv) || (has(self.csv.separator) ? self.csv.separator : ',') != (has(self.csv.quote) ? self.csv.quote : '\"')"
).message("separator and quote are two characters"))]
#[x_kube(validation = Rule::new(
    "!has(self.csv) || !has(self.csv.escape) || self.csv.escape != (has(self.csv.separator) ? self.csv.separator : ',')"
).message("separator and escape are two characters"))]
#[x_kube(validation = Rule::new(
    "!has(self.csv) || !has(self.csv.comment) || (self.csv.comment != (has(self.csv.separator) ? self.csv.separator : ',') && self.csv.comment != (has(self.csv.quote) ? self.csv.quote : '\"'))"
).message("a comment begins with neither the separator nor the quote"))]
#[x_kube(validation = Rule::new(
    "!has(self.values) || !has(self.values.groupSeparator) || self.values.groupSeparator != (has(self.values.decimalSeparator) ? self.values.decimalSeparator : '.')"
).message("decimalSeparator and groupSeparator are two characters"))]
pub struct FilesSource {
    /// Path of the file or folder, relative to the dataRoot of the jurisdiction, which it cannot leave.
    #[schemars(length(min = 1, max = 1024))]
    #[x_kube(validation = Rule::new("!self.startsWith('/') && !self.split('/').exists(p, p == '..')").message("path is relative to the dataRoot and stays below it"))]
    pub path: String,
    /// Format of the files: parquet, csv or ndjson.
    pub format: SourceFormat,
    /// Treatment of a record that cannot be read: reject refuses queries until the file is mended, skip leaves the record out
    /// and counts it in the owner's log. Default: reject.
    #[serde(default)]
    pub bad_records: BadRecords,
    /// Encoding of csv and ndjson: utf-8, gb18030 (gbk and gb2312 are read as it), big5, utf-16le or utf-16be. Default: UTF-8,
    /// and a file in another encoding is refused. With utf-8 here, a record that is not UTF-8 is a bad record instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding: Option<Encoding>,
    /// Compression of csv and ndjson: gzip, zstd or none. Default: of a single file, by the ending .gz or .zst of its name; of
    /// a folder, none. With gzip or zstd, those files of a folder are read whose names end in .csv.gz, .csv.zst and the like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compression: Option<Compression>,
    /// Syntax of csv, where it is not that of RFC 4180 with a line of names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub csv: Option<CsvSyntax>,
    /// How values are written in csv and ndjson: words for no value, separators in numbers, patterns of dates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<ValueSyntax>,
}

impl FilesSource {
    /// Returns true if columns are found by their places in a record, because no line names them.
    #[must_use]
    pub fn by_place(&self) -> bool {
        self.csv.as_ref().is_some_and(|csv| !csv.header)
    }
}

/// Column of a dataset.
#[derive(Debug, Clone, PartialEq, KubeSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DatasetColumn {
    /// Name of the column in SQL.
    pub name: SqlName,
    /// Type of the column: boolean, int32, int64, float64, decimal(P,S), string, date, timestamp or list(TYPE).
    #[serde(rename = "type")]
    pub data_type: ColumnType,
    /// Class of the column: public, dimension, measure, identifier or sealed. Default: sealed.
    #[serde(default)]
    pub class: ColumnClass,
    /// Unit of measurement: CNY, µg/m³.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub unit: Option<String>,
    /// Description of the column, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 1024))]
    pub description: String,
    /// Name of the column in the source. Default: its name in SQL. In csv without a header, its place in a record, from 1;
    /// by default its place among these columns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub source_name: Option<String>,
    /// True if files of the source may lack the column, as those do that were written before it was added: it is NULL in
    /// their records. The privacy unit cannot be optional. Default: false, and the dataset is unavailable while one of its
    /// files lacks the column.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
    /// How the values of this column are written in csv and ndjson: each field here holds for the column in the place of the
    /// same field of source.files.values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<ValueSyntax>,
}

/// Importance of data to the State and the public (after GB/T 43697-2024).
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

/// Dataset's part of a common table.
#[derive(Debug, Clone, PartialEq, KubeSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServedTable {
    /// Name of the CommonTable.
    pub common_table: ResourceName,
    /// Expressions that give the columns of the common table. A column without one is NULL.
    #[schemars(length(max = 1000))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["column".to_owned()]))]
    pub mapping: Vec<ColumnMapping>,
}

/// Expression that gives one column of a common table from a dataset.
#[derive(Debug, Clone, PartialEq, KubeSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ColumnMapping {
    /// Column of the common table.
    #[x_kube(validation = Rule::new("self != 'jurisdiction'").message("the column jurisdiction is filled in by itself"))]
    pub column: SqlName,
    /// SQL expression over the columns of this dataset, evaluated row by row: no aggregate, window, subquery or clock.
    #[schemars(length(min = 1, max = 8192))]
    pub expression: String,
    /// Class of the column in this part, if it is to be stricter than that of the common table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<ColumnClass>,
}
