//! Bundles for tests: one jurisdiction, its datasets in a temporary folder.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use datafusion::parquet::arrow::ArrowWriter;
use wanqu_crds::bundle::{
    BadRecords, BundleFormat, ColumnSpec, Limits, Member, NodeBundle, ReleaseRule, Slice, SourceColumn, SourceFormat,
    SourceSpec,
};
use wanqu_crds::columns::{ColumnClass, ColumnType};
use wanqu_crds::names::SqlName;

use super::{Engine, EngineError, Fetched, RemotePublic};
use crate::catalog::Catalog;
use crate::refusal::{Code, Refusal};

/// A member that nobody can reach.
#[derive(Debug)]
pub struct Unreachable;

#[async_trait]
impl RemotePublic for Unreachable {
    async fn fetch(&self, _: &Slice, _: &[SqlName], _: &[String]) -> Result<Fetched, Refusal> {
        Err(Refusal::new(Code::OwnerUnavailable, "nobody is there"))
    }
}

/// A rule with this minimum and base.
pub fn rule(min_units: u32, rounding: u32) -> ReleaseRule {
    ReleaseRule { policies: vec!["test".parse().unwrap()], min_units, rounding, publish_zeros: false }
}

/// A bundle under construction.
pub struct Fixture {
    pub dir: tempfile::TempDir,
    pub bundle: NodeBundle,
}

impl Fixture {
    pub fn new() -> Self {
        let member = |id: &str, name: &str| Member {
            jurisdiction: id.parse().unwrap(),
            sql_name: name.parse().unwrap(),
            display_name: name.to_owned(),
            endpoint: None,
            ca: None,
            issuers: Vec::new(),
        };
        let bundle = NodeBundle {
            federation: "gba".parse().unwrap(),
            trust_domain: "gba.example".to_owned(),
            jurisdiction: "CN-SZ".parse().unwrap(),
            members: vec![member("CN-SZ", "shenzhen"), member("HK", "hongkong")],
            slices: Vec::new(),
            common_tables: Vec::new(),
            sources: Vec::new(),
            agreements: Vec::new(),
            projects: Vec::new(),
            limits: Limits::default(),
            format: BundleFormat::default(),
        };
        Self { dir: tempfile::tempdir().unwrap(), bundle }
    }

    /// Adds a dataset `shenzhen.d.NAME`. Columns are `name[=source name]: type class`, separated by commas; a column
    /// whose class is `identifier` and that comes first is the privacy unit.
    pub fn dataset(&mut self, name: &str, file: &str, format: SourceFormat, columns: &str, rule: ReleaseRule) {
        let table = format!("shenzhen.d.{name}");
        let (mut specs, mut sources) = (Vec::new(), Vec::new());
        for column in columns.split(';') {
            let (names, rest) = column.trim().split_once(": ").unwrap();
            let (kind, class) = rest.split_once(' ').unwrap();
            let (sql, source) = names.split_once('=').unwrap_or((names, names));
            let data_type: ColumnType = kind.parse().unwrap();
            let class: ColumnClass = serde_json::from_value(class.into()).unwrap();
            specs.push(spec(sql, data_type.clone(), class, None));
            sources.push(SourceColumn { name: sql.parse().unwrap(), source_name: source.to_owned(), data_type });
        }
        let unit = specs.first().filter(|c| c.class == ColumnClass::Identifier).map(|c| c.name.clone());
        self.bundle.slices.push(Slice {
            table: table.parse().unwrap(),
            jurisdiction: self.bundle.jurisdiction.clone(),
            dataset: name.parse().unwrap(),
            custodian: "custodian".to_owned(),
            description: String::new(),
            columns: specs,
            privacy_unit: unit,
            policy: rule,
            approximate_rows: None,
        });
        self.bundle.sources.push(SourceSpec {
            table: table.parse().unwrap(),
            root: self.dir.path().to_str().unwrap().to_owned(),
            path: file.to_owned(),
            format,
            bad_records: BadRecords::Reject,
            columns: sources,
            max_rows_per_unit: None,
        });
    }

    /// Adds the slice of `gba.d.NAME` that `dataset` serves. Columns are `name: type class = expression`, separated by
    /// semicolons.
    pub fn common(&mut self, name: &str, dataset: &str, columns: &str) {
        let own = self.bundle.slices.iter().find(|s| s.dataset.as_str() == dataset).unwrap().clone();
        let mut specs = vec![spec("jurisdiction", ColumnType::String, ColumnClass::Public, None)];
        for column in columns.split(';') {
            let (left, expression) = column.trim().split_once(" = ").unwrap();
            let (sql, rest) = left.split_once(": ").unwrap();
            let (kind, class) = rest.split_once(' ').unwrap();
            let class = serde_json::from_value(class.into()).unwrap();
            specs.push(spec(sql, kind.parse().unwrap(), class, Some(expression.to_owned())));
        }
        let table = format!("gba.d.{name}").parse().unwrap();
        self.bundle.slices.push(Slice { table, columns: specs, ..own });
    }

    /// Adds the public table `hongkong.d.NAME` of another member. Columns as for `dataset`.
    pub fn foreign(&mut self, name: &str, columns: &str) {
        self.dataset(name, "absent", SourceFormat::Csv, columns, rule(1, 1));
        self.bundle.sources.pop();
        let slice = self.bundle.slices.last_mut().unwrap();
        slice.table = format!("hongkong.d.{name}").parse().unwrap();
        slice.jurisdiction = "HK".parse().unwrap();
    }

    pub fn write(&self, file: &str, bytes: impl AsRef<[u8]>) {
        write(&self.dir.path().join(file), bytes.as_ref());
    }

    pub fn write_parquet(&self, file: &str, batch: &RecordBatch) {
        let output = File::create(self.dir.path().join(file)).unwrap();
        let mut writer = ArrowWriter::try_new(output, batch.schema(), None).unwrap();
        writer.write(batch).unwrap();
        writer.close().unwrap();
    }

    pub fn engine(&self) -> Result<Engine, EngineError> {
        Engine::open(&self.bundle, Arc::new(Unreachable))
    }

    pub fn catalog(&self) -> Catalog {
        Catalog::owner(&self.bundle, &self.bundle.jurisdiction)
    }
}

fn spec(name: &str, data_type: ColumnType, class: ColumnClass, expression: Option<String>) -> ColumnSpec {
    let name = name.parse().unwrap();
    ColumnSpec { name, data_type, class, unit: None, description: String::new(), expression }
}

fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}
