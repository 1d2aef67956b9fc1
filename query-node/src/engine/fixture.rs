//! Bundles for tests: one jurisdiction, its datasets in a temporary folder.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use datafusion::parquet::arrow::ArrowWriter;
use jiff::Timestamp;
pub use wanqu_fixtures::bundle::rule;
use wanqu_fixtures::bundle::{self, column_spec};
use wanqu_model::bundle::{
    BadRecords, FilesSpec, NodeBundle, ReleaseRule, Slice, SourceFormat, SourceKind, SourceSpec, TextSpec,
};
use wanqu_model::names::SqlName;
use wanqu_model::refusal::{Code, Refusal};
use wanqu_rules::Fetched;
use wanqu_rules::catalog::Catalog;

use super::{Engine, EngineError, RemotePublic};

/// Member that nobody can reach.
#[derive(Debug)]
pub struct Unreachable;

#[async_trait]
impl RemotePublic for Unreachable {
    async fn fetch(&self, _: &Slice, _: &[SqlName], _: &[String], _: Timestamp) -> Result<Fetched, Refusal> {
        Err(Refusal::new(Code::OwnerUnavailable, "nobody is there"))
    }
}

/// Bundle under construction.
pub struct Fixture {
    pub dir: tempfile::TempDir,
    pub bundle: NodeBundle,
}

impl Fixture {
    pub fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), bundle: bundle::empty() }
    }

    /// Adds a dataset `shenzhen.d.NAME`. Columns are `name[=source name]: type class`, separated by semicolons; a column
    /// whose class is `identifier` and that comes first is the privacy unit.
    pub fn dataset(&mut self, name: &str, file: &str, format: SourceFormat, columns: &str, rule: ReleaseRule) {
        let (slice, sources) = bundle::dataset(&self.bundle, name, columns, rule);
        let table = slice.table.clone();
        self.bundle.slices.push(slice);
        self.bundle.sources.push(SourceSpec {
            table,
            kind: SourceKind::Files(FilesSpec {
                root: Some(self.dir.path().to_str().unwrap().to_owned()),
                path: file.to_owned(),
                format,
                bad_records: BadRecords::Reject,
                text: TextSpec::default(),
            }),
            columns: sources,
            max_rows_per_unit: None,
        });
    }

    /// Declares how the text of the files of all datasets is written.
    pub fn declare_text(&mut self, text: &TextSpec) {
        for source in &mut self.bundle.sources {
            let SourceKind::Files(files) = &mut source.kind;
            files.text = text.clone();
        }
    }

    /// Leaves out the records that cannot be read, in all datasets.
    pub fn skip_bad_records(&mut self) {
        for source in &mut self.bundle.sources {
            let SourceKind::Files(files) = &mut source.kind;
            files.bad_records = BadRecords::Skip;
        }
    }

    /// Adds the slice of `gba.d.NAME` that `dataset` serves. Columns are `name: type class = expression`, separated by
    /// semicolons.
    pub fn common(&mut self, name: &str, dataset: &str, columns: &str) {
        let own = self.bundle.slices.iter().find(|s| s.dataset.as_str() == dataset).unwrap().clone();
        let mut specs = vec![column_spec("jurisdiction", "string", "public", None)];
        for column in columns.split(';') {
            let (left, expression) = column.trim().split_once(" = ").unwrap();
            let (sql, rest) = left.split_once(": ").unwrap();
            let (kind, class) = rest.split_once(' ').unwrap();
            specs.push(column_spec(sql, kind, class, Some(expression.to_owned())));
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

fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}
