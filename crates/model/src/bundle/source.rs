//! Sources of a jurisdiction's own datasets, as its node reads them.
//!
//! A kind of source is a variant of [`SourceKind`] with a struct of its own. In the file its fields stand in an object under
//! the variant's name, and those of the other kinds are absent; the fields of files stand beside the dataset's own, as nodes
//! expect that know no other kind. A node that does not know a kind leaves out the dataset.

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::text::{Compression, CsvSyntax, Encoding, TextSpec, ValueSyntax};
use crate::columns::ColumnType;
use crate::names::{SqlName, TableRef};

/// Source of one dataset.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Fields", into = "Fields")]
pub struct SourceSpec {
    /// Table of the dataset itself: `shenzhen.health.visits`.
    pub table: TableRef,
    /// Kind of the source, and where its records lie.
    pub kind: SourceKind,
    /// Names and types of the columns as they lie in the source, in any order; every one that is not optional must be there.
    pub columns: Vec<SourceColumn>,
    /// Largest number of rows of any one privacy unit, where the custodian knows it: it lets a row count decide a cell.
    pub max_rows_per_unit: Option<u64>,
}

/// Kind of a source.
#[derive(Debug, Clone, PartialEq)]
pub enum SourceKind {
    /// Files in a folder of the node's.
    Files(FilesSpec),
}

/// File, or folder of files of one format.
#[derive(Debug, Clone, PartialEq)]
pub struct FilesSpec {
    /// Root that paths may not leave; `None` if the jurisdiction has no folder of data, so that none of its files is read. In
    /// the file it is an empty text then, which older nodes take for a folder that is not there.
    pub root: Option<String>,
    /// File or folder below `root`.
    pub path: String,
    /// Format of the files.
    pub format: SourceFormat,
    /// Treatment of records that cannot be read.
    pub bad_records: BadRecords,
    /// Declarations about the text of the files, of CSV and NDJSON.
    pub text: TextSpec,
}

/// Column as it lies in the source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SourceColumn {
    /// Name in SQL.
    pub name: SqlName,
    /// Name in the source (any text): the same unless the manifest says otherwise.
    pub source_name: String,
    /// Type.
    #[serde(rename = "type")]
    pub data_type: ColumnType,
    /// True if files of the source may lack it: it is NULL in their records.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
    /// How its values are written in CSV and NDJSON, where that is not as in the whole source.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "known")]
    pub values: Option<ValueSyntax>,
}

/// Format of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum SourceFormat {
    /// Apache Parquet.
    Parquet,
    /// Comma-separated values (RFC 4180); other separators where they are declared.
    Csv,
    /// One JSON object a line.
    Ndjson,
}

/// Treatment of records that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum BadRecords {
    /// The file is refused, and so is every query over it, until it is mended.
    #[default]
    Reject,
    /// The record is left out and counted; the count is in the owner's log.
    Skip,
}

/// Source as it stands in the file.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Fields {
    table: TableRef,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    root: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    format: Option<SourceFormat>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bad_records: Option<BadRecords>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    encoding: Option<Encoding>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    compression: Option<Compression>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "known")]
    csv: Option<CsvSyntax>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "known")]
    values: Option<ValueSyntax>,
    columns: Vec<SourceColumn>,
    max_rows_per_unit: Option<u64>,
}

/// Reads a group of fields that a resource has too. An operator passes over what it does not know there; a node must not.
fn known<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned + schemars::JsonSchema,
{
    let fields = Map::deserialize(deserializer)?;
    let schema = schemars::schema_for!(T);
    let is_known = |name: &str| schema.pointer("/properties").is_some_and(|known| known.get(name).is_some());
    match fields.keys().find(|name| !is_known(name)) {
        Some(unknown) => Err(D::Error::custom(format!("unknown field `{unknown}`"))),
        None => serde_json::from_value(Value::Object(fields)).map(Some).map_err(D::Error::custom),
    }
}

impl From<SourceSpec> for Fields {
    fn from(spec: SourceSpec) -> Self {
        let SourceSpec { table, kind, columns, max_rows_per_unit } = spec;
        let SourceKind::Files(FilesSpec { root, path, format, bad_records, text }) = kind;
        let TextSpec { encoding, compression, csv, values } = text;
        Self {
            table,
            root: Some(root.unwrap_or_default()),
            path: Some(path),
            format: Some(format),
            bad_records: Some(bad_records),
            encoding,
            compression,
            csv,
            values,
            columns,
            max_rows_per_unit,
        }
    }
}

impl TryFrom<Fields> for SourceSpec {
    type Error = String;

    fn try_from(fields: Fields) -> Result<Self, Self::Error> {
        let Fields { table, root, path, format, bad_records, encoding, compression, csv, values, .. } = fields;
        let text = TextSpec { encoding, compression, csv, values };
        let (Some(root), Some(path), Some(format), Some(bad_records)) = (root, path, format, bad_records) else {
            return Err(format!("the source of {table} has no root, path, format and badRecords"));
        };
        let root = Some(root).filter(|root| !root.is_empty());
        let kind = SourceKind::Files(FilesSpec { root, path, format, bad_records, text });
        Ok(Self { table, kind, columns: fields.columns, max_rows_per_unit: fields.max_rows_per_unit })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILES: &str = r#"{"table":"shenzhen.health.visits","root":"/data","path":"visits","format":"csv","badRecords":"skip","columns":[{"name":"id","sourceName":"编号","type":"string"}],"maxRowsPerUnit":null}"#;

    #[test]
    fn the_fields_of_files_stand_beside_the_others() {
        let spec: SourceSpec = serde_json::from_str(FILES).unwrap();
        let SourceKind::Files(files) = &spec.kind;
        let (root, path) = (files.root.as_deref(), files.path.as_str());
        assert_eq!((root, path, files.format), (Some("/data"), "visits", SourceFormat::Csv));
        assert_eq!(serde_json::to_string(&spec).unwrap(), FILES);
    }

    #[test]
    fn declarations_about_text_stand_only_where_they_are_made() {
        let text = FILES.replacen(
            "\"badRecords\":\"skip\",",
            r#""badRecords":"skip","encoding":"gb18030","compression":"gzip","csv":{"separator":";"},"values":{"nulls":["--"],"dates":["%d/%m/%Y"]},"#,
            1,
        );
        let spec: SourceSpec = serde_json::from_str(&text).unwrap();
        let SourceKind::Files(files) = &spec.kind;
        assert_eq!(files.text.encoding, Some(Encoding::Gb18030));
        assert_eq!(serde_json::to_string(&spec).unwrap(), text);
        let unknown = text.replacen("separator", "delimiter", 1);
        assert!(
            serde_json::from_str::<SourceSpec>(&unknown).is_err(),
            "a node that does not know it leaves the dataset out"
        );
    }

    #[test]
    fn declarations_about_a_column_stand_only_where_they_are_made() {
        let text =
            FILES.replacen(r#""type":"string"}"#, r#""type":"string","optional":true,"values":{"nulls":["--"]}}"#, 1);
        let spec: SourceSpec = serde_json::from_str(&text).unwrap();
        assert!(spec.columns[0].optional && spec.columns[0].values.is_some());
        assert_eq!(serde_json::to_string(&spec).unwrap(), text);
        assert!(serde_json::from_str::<SourceSpec>(&text.replacen("nulls", "zeros", 1)).is_err());
    }

    #[test]
    fn a_source_of_another_kind_or_of_none_is_refused() {
        for (text, why) in [
            (FILES.replacen("\"root\":\"/data\",", "", 1), "has no root"),
            (FILES.replacen("\"root\"", "\"bucket\"", 1), "bucket"),
            (FILES.replacen("\"csv\"", "\"orc\"", 1), "orc"),
        ] {
            let error = serde_json::from_str::<SourceSpec>(&text).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }
}
