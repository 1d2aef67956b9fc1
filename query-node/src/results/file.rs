//! One result as a Parquet file: the rows as they went to the researcher, and in its footer who may have them, until when,
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
use parquet::file::reader::{ChunkReader, FileReader, SerializedFileReader};
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;
use uuid::Uuid;
use wanqu_model::answer::{Question, Summary};
use wanqu_model::bundle::Subject;

use super::ledger::{Kept, Ledger};

/// Key of the [`Footer`] among a file's properties.
const FOOTER: &str = "wanqu.result";

/// Prefix of the names of files that are not whole.
const DRAFT: &str = ".draft-";

/// Size of the rows that are held in memory before they are written, in bytes.
const ROW_GROUP: usize = 16 * 1024 * 1024;

/// Facts that a file holds beside the rows.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Footer {
    /// Subject who asked.
    pub requester: Subject,
    /// Time from which nobody may have the result.
    pub expires: Timestamp,
    /// Account of the answer, as it was sent.
    pub summary: Summary,
    /// The question. What it rests on must hold whenever the answer is given. Files of versions before this one have none.
    #[serde(default)]
    pub question: Option<Question>,
}

impl Footer {
    /// Returns the footer among a file's properties, if it is there and whole.
    pub fn among(properties: Option<&Vec<KeyValue>>) -> Option<Self> {
        let entry = properties?.iter().find(|entry| entry.key == FOOTER)?;
        serde_json::from_str(entry.value.as_deref()?).ok()
    }
}

/// File that is being written. It has no name that anybody looks for, and is removed when this is dropped.
pub(super) struct Draft {
    id: Uuid,
    ledger: Arc<Mutex<Ledger>>,
    file: NamedTempFile,
    writer: ArrowWriter<Metered>,
}

impl Draft {
    /// Makes a new file in a folder, for a draft that the ledger has begun.
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
    ///
    /// # Errors
    /// The file cannot be written. Then nothing of it is kept.
    pub fn finish(self, folder: &Path, footer: &Footer) -> io::Result<Kept> {
        self.finish_with(folder, footer, |folder| File::open(folder)?.sync_all())
    }

    /// Does what [`finish`](Self::finish) does; `sync` writes a folder's names to the disk.
    fn finish_with(
        mut self,
        folder: &Path,
        footer: &Footer,
        sync: impl FnOnce(&Path) -> io::Result<()>,
    ) -> io::Result<Kept> {
        let text = serde_json::to_string(footer)?;
        self.writer.append_key_value_metadata(KeyValue::new(FOOTER.to_owned(), text));
        self.writer.finish().map_err(into_io)?;
        self.file.as_file().sync_all()?;
        let bytes = self.file.as_file().metadata()?.len();
        let kept = Kept { requester: footer.requester.clone(), bytes, expires: footer.expires };
        let id = footer.summary.query_id;
        let draft = self.id;
        let ledger = self.ledger;
        let path = folder.join(file_name(id));
        self.file.persist_noclobber(&path).map_err(|error| error.error)?;
        if let Err(error) = sync(folder) {
            // The file has its name already, and the account must say what is so: either it goes again, or it is kept.
            if fs::remove_file(&path).is_ok() {
                return Err(error);
            }
            tracing::warn!(result = %id, %error, "a result is kept, and may not outlive a loss of power");
        }
        ledger.lock().finish(draft, id, kept.clone());
        Ok(kept)
    }
}

/// File whose bytes the ledger counts before they are written.
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

/// Returns the name of a result's file.
pub(super) fn file_name(id: Uuid) -> String {
    format!("{}.parquet", id.hyphenated())
}

/// Kind of an entry in the folder of results.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Result that is whole.
    Result(Uuid, Kept),
    /// File of the node's that is not whole: it was being written when the node stopped, or the disk lost a part.
    Partial,
    /// Anything that the node did not write.
    Foreign,
}

/// Looks at one entry of the folder of results.
///
/// # Errors
/// The entry is there and cannot be read now, which says nothing of what it holds.
pub(super) fn inspect(path: &Path) -> io::Result<Found> {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return Ok(Found::Foreign) };
    // A link is never followed: whatever it leads to is nothing that the node wrote.
    if !fs::symlink_metadata(path)?.is_file() {
        return Ok(Found::Foreign);
    }
    if name.starts_with(DRAFT) {
        return Ok(Found::Partial);
    }
    let id = name.strip_suffix(".parquet").and_then(|id| Uuid::try_parse(id).ok());
    let Some(id) = id.filter(|id| file_name(*id) == name) else { return Ok(Found::Foreign) };
    let file = wanqu_file::open(path)?;
    let bytes = file.metadata()?.len();
    Ok(match read_footer(file)? {
        Some(footer) if footer.summary.query_id == id => {
            Found::Result(id, Kept { requester: footer.requester, bytes, expires: footer.expires })
        }
        _ => Found::Partial,
    })
}

/// Reads the footer of a file; `None` if the file is no whole Parquet file, or has no footer of a result.
///
/// # Errors
/// The file cannot be read.
fn read_footer(file: impl ChunkReader + 'static) -> io::Result<Option<Footer>> {
    let error = match SerializedFileReader::new(file) {
        Ok(reader) => return Ok(Footer::among(reader.metadata().file_metadata().key_value_metadata())),
        Err(error) => error,
    };
    // Whatever is not an error of the system says that the bytes are not what a whole file has.
    let ParquetError::External(inner) = error else { return Ok(None) };
    match inner.downcast::<io::Error>() {
        Ok(error) if error.kind() != io::ErrorKind::UnexpectedEof => Err(*error),
        _ => Ok(None),
    }
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

#[cfg(test)]
mod tests {
    use arrow::datatypes::Schema;
    use bytes::Bytes;
    use parquet::file::reader::Length;

    use super::*;

    fn footer(id: u128) -> Footer {
        let requester = Subject { issuer: "kubernetes".to_owned(), subject: "wei".to_owned() };
        let summary = Summary { query_id: Uuid::from_u128(id), ..Summary::default() };
        Footer { requester, expires: Timestamp::MAX, summary, question: None }
    }

    /// Ends a draft in a folder whose names cannot be written to the disk.
    fn finish_unsynced(folder: &Path, ledger: &Arc<Mutex<Ledger>>, footer: &Footer) -> io::Result<Kept> {
        let draft = Uuid::from_u128(99);
        ledger.lock().begin(draft, &footer.requester).unwrap();
        let schema = Arc::new(Schema::empty());
        Draft::create(folder, draft, Arc::clone(ledger), &schema)
            .unwrap()
            .finish_with(folder, footer, |_| Err(io::Error::other("the disk fails")))
    }

    #[test]
    fn a_result_that_is_said_not_to_be_kept_is_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Arc::new(Mutex::new(Ledger::new(1 << 20)));
        let footer = footer(7);
        let error = finish_unsynced(folder.path(), &ledger, &footer).unwrap_err();
        assert_eq!(error.to_string(), "the disk fails");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "what is not kept is not there");
        let found = ledger.lock().find(Uuid::from_u128(7), &footer.requester, Timestamp::UNIX_EPOCH).cloned();
        assert_eq!(found, None);
    }

    /// Reader of a file on a disk that fails.
    struct Failing;

    impl Length for Failing {
        fn len(&self) -> u64 {
            1000
        }
    }

    impl ChunkReader for Failing {
        type T = io::Empty;

        fn get_read(&self, _: u64) -> Result<io::Empty, ParquetError> {
            Err(io::Error::from(io::ErrorKind::PermissionDenied).into())
        }

        fn get_bytes(&self, _: u64, _: usize) -> Result<Bytes, ParquetError> {
            Err(io::Error::from(io::ErrorKind::PermissionDenied).into())
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_now_is_not_taken_for_one_that_is_not_whole() {
        assert_eq!(read_footer(Failing).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        assert!(read_footer(Bytes::from_static(b"PAR1, and cut short")).unwrap().is_none());
        let gone = inspect(&Path::new("/nowhere").join(file_name(Uuid::from_u128(1)))).unwrap_err();
        assert_eq!(gone.kind(), io::ErrorKind::NotFound);
    }
}
