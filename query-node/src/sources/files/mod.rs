//! Files below a root that no path leaves: a file, or a folder of files of one format.
//!
//! ```text
//! beneath.rs   folders and files by handles below the root
//! path.rs      from a manifest's path to files
//! endings.rs   endings of the names of a folder's files
//! records.rs, parquet/   formats
//! ```

mod beneath;
mod endings;
#[cfg(test)]
mod folder_tests;
#[cfg(test)]
mod hostile;
mod parquet;
mod path;
mod records;

use std::fmt::Debug;
use std::fs::File;
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
use super::own::OwnFolders;
use beneath::{FileState, Problem, Root, SourceFile};
use wanqu_model::refusal::Refusal;

/// Returns the source that a bundle describes.
pub fn open(spec: &SourceSpec, files: &FilesSpec, own: &OwnFolders) -> Arc<dyn Source> {
    match files.format {
        SourceFormat::Parquet => Arc::new(parquet::ParquetSource::new(spec, files, own)),
        SourceFormat::Csv => Arc::new(records::RecordSource::new(spec, files, TextFormat::Csv, own)),
        SourceFormat::Ndjson => Arc::new(records::RecordSource::new(spec, files, TextFormat::Ndjson, own)),
    }
}

/// Files of a dataset, with what is done with those of their records that cannot be read.
#[derive(Debug, Clone)]
pub struct Files {
    /// Table of the dataset, for messages.
    dataset: TableRef,
    /// Folder that no path leaves; `None` if the jurisdiction has none.
    root: Option<String>,
    /// Folders of the node's own, which the root must be apart from.
    own: OwnFolders,
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
    fn new(spec: &SourceSpec, files: &FilesSpec, extensions: &'static [&'static str], own: &OwnFolders) -> Self {
        Self {
            dataset: spec.table.clone(),
            root: files.root.clone(),
            own: own.clone(),
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
        let root = self.root().map_err(|problem| self.fault(&problem))?;
        path::files(&root, &self.path, self.extensions).map_err(|problem| {
            let fault = self.fault(&problem);
            let otherwise = || endings::otherwise(&root, &self.path, self.extensions);
            if fault == SourceFault::NoFile { otherwise().unwrap_or(fault) } else { fault }
        })
    }

    /// Opens the root. It is opened anew for each list, so that a folder which was mounted or replaced is found.
    fn root(&self) -> Result<Arc<Root>, Problem> {
        let reason = "spec.dataClaim of its Jurisdiction, or on a laptop spec.dataRoot, says where files are";
        let none = || Problem::new(SourceFault::NoRoot, &self.path, reason);
        Root::open(self.root.as_deref().ok_or_else(none)?, &self.own)
    }

    /// Opens a file that was listed, for reading. Blocks on the disk.
    fn open(&self, file: &SourceFile) -> Result<File, SourceFault> {
        file.open().map_err(|problem| self.fault(&problem))
    }

    /// Returns the fault of a problem. The owner's log has the path and the reason.
    fn fault(&self, problem: &Problem) -> SourceFault {
        let (dataset, file, reason) = (&self.dataset, problem.path.display(), &problem.reason);
        tracing::warn!(%dataset, %file, reason, "a source cannot be read: {}", problem.fault);
        problem.fault.clone()
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
        let add = |sum: u64, file: &SourceFile| sum.saturating_add(file.bytes);
        self.list_now().map_or(0, |files| files.iter().fold(0, add))
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

/// Returns the states of files, to be kept.
fn states(files: &[SourceFile]) -> Vec<FileState> {
    files.iter().map(|file| file.state.clone()).collect()
}

/// Returns true if these are the states of these files.
fn are(states: &[FileState], files: &[SourceFile]) -> bool {
    states.iter().eq(files.iter().map(|file| &file.state))
}

/// Number of records that cannot be read in the files as they were when they were last scanned. Clones share one state.
#[derive(Debug, Clone, Default)]
pub struct LeftOut(Arc<Mutex<Counted>>);

#[derive(Debug, Default)]
struct Counted {
    files: Vec<FileState>,
    records: Option<u64>,
}

impl LeftOut {
    /// Takes note that a scan of these files begins. What is known of other files, or of other states of these, is forgotten.
    fn begin(&self, files: &[SourceFile]) {
        let mut counted = self.0.lock();
        if !are(&counted.files, files) {
            *counted = Counted { files: states(files), records: None };
        }
    }

    /// Takes note of what a scan of these files has left out, once it has seen all of their records.
    fn end(&self, files: &[SourceFile], records: u64) {
        let mut counted = self.0.lock();
        if are(&counted.files, files) {
            counted.records = Some(records);
        }
    }

    /// Returns the number; `None` if no scan of these files has come to its end.
    fn known(&self) -> Option<u64> {
        self.0.lock().records
    }
}
