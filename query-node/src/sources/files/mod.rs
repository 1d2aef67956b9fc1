//! Files below a root that no path leaves: a file, or a folder of files of one format.

mod endings;
#[cfg(test)]
mod folder_tests;
mod parquet;
mod path;
mod records;

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::TableProvider;
use parking_lot::Mutex;
use wanqu_model::bundle::{BadRecords, FilesSpec, SourceFormat, SourceSpec};
use wanqu_model::names::TableRef;
use wanqu_records::TextFormat;

pub use self::parquet::guarded;
use super::Source;
use super::fault::SourceFault;
use super::fingerprint::Fingerprint;
use path::SourceFile;
use wanqu_model::refusal::Refusal;

/// Returns the source that a bundle describes.
pub fn open(spec: &SourceSpec, files: &FilesSpec) -> Arc<dyn Source> {
    match files.format {
        SourceFormat::Parquet => Arc::new(parquet::ParquetSource::new(spec, files)),
        SourceFormat::Csv => Arc::new(records::RecordSource::new(spec, files, TextFormat::Csv)),
        SourceFormat::Ndjson => Arc::new(records::RecordSource::new(spec, files, TextFormat::Ndjson)),
    }
}

/// Files of a dataset, with what is done with those of their records that cannot be read.
#[derive(Debug, Clone)]
pub struct Files {
    /// Table of the dataset, for messages.
    dataset: TableRef,
    /// Folder that no path leaves.
    root: String,
    /// File or folder below the root.
    path: String,
    /// Endings of the names of a folder's files.
    extensions: &'static [&'static str],
    bad_records: BadRecords,
    left_out: LeftOut,
}

/// Source whose records lie in files.
#[async_trait]
trait OfFiles: Debug + Send + Sync {
    /// Returns its files.
    fn files(&self) -> &Files;

    /// See [`Source::table`].
    fn provider(&self) -> Arc<dyn TableProvider>;

    /// See [`Source::check`].
    async fn look(&self) -> Result<(), SourceFault>;
}

#[async_trait]
impl<T: OfFiles> Source for T {
    fn table(&self) -> Arc<dyn TableProvider> {
        self.provider()
    }

    async fn fingerprint(&self) -> Result<Fingerprint, Refusal> {
        self.files().fingerprint().await
    }

    async fn check(&self) -> Result<(), SourceFault> {
        self.look().await
    }

    fn approximate_bytes(&self) -> u64 {
        self.files().approximate_bytes()
    }

    fn skipped_records(&self) -> Option<u64> {
        self.files().left_out.known()
    }

    fn skips_records(&self) -> bool {
        self.files().bad_records == BadRecords::Skip
    }
}

impl Files {
    /// Returns the files that a bundle describes.
    fn new(spec: &SourceSpec, files: &FilesSpec, extensions: &'static [&'static str]) -> Self {
        Self {
            dataset: spec.table.clone(),
            root: files.root.clone(),
            path: files.path.clone(),
            extensions,
            bad_records: files.bad_records,
            left_out: LeftOut::default(),
        }
    }

    /// Lists the files as they are now, on a thread that may block. The owner's log has the path at fault.
    ///
    /// # Errors
    /// See [`path::files`].
    async fn list(&self) -> Result<Vec<SourceFile>, SourceFault> {
        let files = self.clone();
        let listed = tokio::task::spawn_blocking(move || files.list_now()).await;
        listed.unwrap_or(Err(SourceFault::Unreadable))
    }

    fn list_now(&self) -> Result<Vec<SourceFile>, SourceFault> {
        path::files(&self.root, &self.path, self.extensions).map_err(|problem| {
            let (dataset, file, reason) = (&self.dataset, problem.path.display(), &problem.reason);
            tracing::warn!(%dataset, %file, reason, "a source cannot be read: {}", problem.fault);
            let otherwise = || endings::otherwise(&self.root, &self.path, self.extensions);
            if problem.fault == SourceFault::NoFile { otherwise().unwrap_or(problem.fault) } else { problem.fault }
        })
    }

    /// Returns the fingerprint of the files as they are now: their paths, lengths, times and numbers.
    async fn fingerprint(&self) -> Result<Fingerprint, Refusal> {
        let files = self.list().await.map_err(|fault| fault.refusal(&self.dataset))?;
        let parts = files
            .iter()
            .map(|file| (file.path.as_os_str().as_encoded_bytes(), (file.bytes, file.modified, file.changed, file.id)));
        Ok(Fingerprint::of(parts))
    }

    /// Returns the length of all files in bytes, 0 if they cannot be listed.
    fn approximate_bytes(&self) -> u64 {
        self.list_now().map_or(0, |files| files.iter().map(|file| file.bytes).sum())
    }
}

/// Columns that no file has, as the owner's log was told last.
type Told = Vec<String>;

/// Writes into the owner's log which optional columns no file has: all their values are NULL, which can be a mistake in a
/// name.
fn tell_absent(files: &Files, absent: &[&String], told: &mut Told) {
    if !absent.iter().copied().eq(told.iter()) {
        *told = absent.iter().map(|name| (*name).clone()).collect();
        if !told.is_empty() {
            let (dataset, columns) = (&files.dataset, told.join(", "));
            tracing::warn!(%dataset, columns, "no file has these optional columns: they are NULL");
        }
    }
}

/// Number of records that cannot be read in the files as they were when they were last scanned. Clones share one state.
#[derive(Debug, Clone, Default)]
pub struct LeftOut(Arc<Mutex<Counted>>);

#[derive(Debug, Default)]
struct Counted {
    files: Vec<SourceFile>,
    records: Option<u64>,
}

impl LeftOut {
    /// Takes note that a scan of these files begins. What is known of other files, or of other states of these, is forgotten.
    fn begin(&self, files: &[SourceFile]) {
        let mut counted = self.0.lock();
        if counted.files != files {
            *counted = Counted { files: files.to_vec(), records: None };
        }
    }

    /// Takes note of what a scan of these files has left out, once it has seen all of their records.
    fn end(&self, files: &[SourceFile], records: u64) {
        let mut counted = self.0.lock();
        if counted.files == files {
            counted.records = Some(records);
        }
    }

    /// Returns the number; `None` if no scan of these files has come to its end.
    fn known(&self) -> Option<u64> {
        self.0.lock().records
    }
}
