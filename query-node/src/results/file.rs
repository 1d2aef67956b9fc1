//! One result as a Parquet file: the rows as they went to the researcher, and in its footer whose they are, until when,
//! and the account of the answer.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use jiff::Timestamp;
use parking_lot::Mutex;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader, SerializedFileReader};
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;
use uuid::Uuid;
use wanqu_model::answer::Summary;
use wanqu_model::bundle::Subject;

use super::ledger::{Kept, Ledger};

/// The key of [`Footer`] in a file.
const FOOTER: &str = "wanqu.result";

/// What files that are not whole are called.
const DRAFT: &str = ".draft-";

/// Rows that are held in memory before they are written, in bytes.
const ROW_GROUP: usize = 16 * 1024 * 1024;

/// What stands beside the rows.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Footer {
    /// Who asked.
    pub requester: Subject,
    /// From then on the result is gone.
    pub expires: Timestamp,
    /// The account, as it was sent.
    pub summary: Summary,
}

impl Footer {
    /// Finds it among a file's properties.
    pub fn among(properties: Option<&Vec<KeyValue>>) -> Option<Self> {
        let entry = properties?.iter().find(|entry| entry.key == FOOTER)?;
        serde_json::from_str(entry.value.as_deref()?).ok()
    }
}

/// A file that is being written. It has no name that anybody looks for; dropped, it is gone.
pub(super) struct Draft {
    id: Uuid,
    ledger: Arc<Mutex<Ledger>>,
    file: NamedTempFile,
    writer: ArrowWriter<Metered>,
}

impl Draft {
    /// A new file in a folder, for a draft that the ledger has begun.
    pub fn create(folder: &Path, id: Uuid, ledger: Arc<Mutex<Ledger>>, schema: &SchemaRef) -> io::Result<Self> {
        let file = tempfile::Builder::new().prefix(DRAFT).tempfile_in(folder)?;
        let metered = Metered { file: file.reopen()?, draft: id, ledger: Arc::clone(&ledger) };
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_max_row_group_bytes(Some(ROW_GROUP))
            .build();
        let writer = ArrowWriter::try_new(metered, Arc::clone(schema), Some(properties)).map_err(into_io)?;
        Ok(Self { id, ledger, file, writer })
    }

    /// Adds rows.
    pub fn write(&mut self, batch: &RecordBatch) -> io::Result<()> {
        self.writer.write(batch).map_err(into_io)
    }

    /// Ends the file and gives it its name. From here on it can be fetched.
    pub fn finish(mut self, folder: &Path, footer: &Footer) -> io::Result<Kept> {
        let text = serde_json::to_string(footer)?;
        self.writer.append_key_value_metadata(KeyValue::new(FOOTER.to_owned(), text));
        self.writer.finish().map_err(into_io)?;
        self.file.as_file().sync_all()?;
        let bytes = self.file.as_file().metadata()?.len();
        let kept = Kept { requester: footer.requester.clone(), bytes, expires: footer.expires };
        let id = footer.summary.query_id;
        let draft = self.id;
        let ledger = self.ledger;
        self.file.persist_noclobber(folder.join(file_name(id))).map_err(|error| error.error)?;
        File::open(folder)?.sync_all()?;
        ledger.lock().finish(draft, id, kept.clone());
        Ok(kept)
    }
}

/// A file whose bytes the ledger counts before they are written.
struct Metered {
    file: File,
    draft: Uuid,
    ledger: Arc<Mutex<Ledger>>,
}

impl Write for Metered {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let grown = self.ledger.lock().grow(self.draft, bytes.len() as u64);
        grown.map_err(|full| io::Error::new(io::ErrorKind::QuotaExceeded, full))?;
        self.file.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Metered {
    fn drop(&mut self) {
        self.ledger.lock().give_up(self.draft);
    }
}

/// The name of a result's file.
pub(super) fn file_name(id: Uuid) -> String {
    format!("{}.parquet", id.hyphenated())
}

/// What a file in the folder of results is.
#[derive(Debug)]
pub(super) enum Found {
    /// A result.
    Result(Uuid, Kept),
    /// What was not whole when the node stopped.
    Draft,
    /// Nothing of the node's.
    Foreign,
}

/// Looks at one entry of the folder of results.
pub(super) fn inspect(path: &Path) -> Found {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return Found::Foreign };
    // A link is never followed: whatever it leads to is nothing that the node wrote.
    if !fs::symlink_metadata(path).is_ok_and(|found| found.is_file()) {
        return Found::Foreign;
    }
    if name.starts_with(DRAFT) {
        return Found::Draft;
    }
    let id = name.strip_suffix(".parquet").and_then(|id| Uuid::try_parse(id).ok());
    let Some(id) = id.filter(|id| file_name(*id) == name) else { return Found::Foreign };
    match read_footer(path) {
        Some((footer, bytes)) if footer.summary.query_id == id => {
            Found::Result(id, Kept { requester: footer.requester, bytes, expires: footer.expires })
        }
        // It has a result's name and is none: the disk lost it.
        _ => Found::Draft,
    }
}

fn read_footer(path: &Path) -> Option<(Footer, u64)> {
    let file = File::open(path).ok()?;
    let bytes = file.metadata().ok()?.len();
    let reader = SerializedFileReader::new(file).ok()?;
    let footer = Footer::among(reader.metadata().file_metadata().key_value_metadata())?;
    Some((footer, bytes))
}

fn into_io(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(inner) => match inner.downcast::<io::Error>() {
            Ok(error) => *error,
            Err(inner) => io::Error::other(inner),
        },
        error => io::Error::other(error),
    }
}
