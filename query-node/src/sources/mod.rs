//! Sources: where the records of datasets lie, and how they are read.
//!
//! A [`Source`] gives DataFusion a table whose columns have the names and types that the manifest declares of the
//! source. What a query sees (other names, mappings, the privacy unit) is laid over it by the engine.
//!
//! ```text
//! mod.rs       Source: what each kind of source guarantees; open: the kinds there are
//! fault.rs     faults of sources, without values
//! own.rs       folders that the node keeps for itself, which no source may reach
//! kernel.rs    file systems that hold no data
//! schema.rs    declared columns, and which stored types they can hold
//! files/       files below a root: Parquet, CSV, NDJSON
//! ```
//!
//! A kind of source is a folder here with a function that makes a [`Source`] of its part of the bundle, and a line in
//! [`open`].

mod fault;
mod files;
mod fingerprint;
mod kernel;
mod own;
mod schema;

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::TableProvider;
use wanqu_model::bundle::{SourceKind, SourceSpec};

pub use fault::SourceFault;
pub use files::guarded;
pub use fingerprint::Fingerprint;
pub use own::{OwnFolders, folders_of};

use wanqu_model::refusal::Refusal;

/// Records of one dataset.
///
/// Every source guarantees:
///
/// - **Schema.** The table has the declared columns under their names in the source, each with its declared type, and each
///   may be NULL. A scan fails, and does not guess, where the source does not have a column or cannot hold its type.
/// - **Records do not depend on the query.** Which records can be read is the same for every projection, filter and limit:
///   two passes of one query would see different records otherwise. Filters may be used to read less, and are reported as
///   [`Inexact`](datafusion::logical_expr::TableProviderFilterPushDown::Inexact) at most, so that the engine applies them
///   again. Statistics are never exact, so that no aggregate is answered from them.
/// - **Fingerprint.** While it stays equal, scans see the same records. A source that has snapshots names the snapshot; one
///   that has none names whatever changes when its records do. It need not stay equal over a restart.
/// - **Errors** are [`SourceFault`]s on their way through DataFusion: they name the dataset and the column, never a value,
///   a path or an address. Details without values go to the owner's own log.
/// - **Memory** is bounded by blocks or batches, whatever the size of the source.
/// - **Cancellation.** Dropping a scan's stream ends the reading, after the block that is being read at most; nothing blocks
///   a thread of the runtime.
/// - **Opening** reads nothing: a source that is missing refuses the queries over it, not the bundle.
#[async_trait]
pub trait Source: Debug + Send + Sync {
    /// Returns the records as a table.
    fn table(&self) -> Arc<dyn TableProvider>;

    /// Returns the state of the source now. Equal fingerprints before and after two passes mean that both saw the same
    /// records.
    ///
    /// # Errors
    /// The refusal of every query over the dataset, if the source cannot be reached.
    async fn fingerprint(&self) -> Result<Fingerprint, Refusal>;

    /// Looks whether the source can be read: it is there, and has the declared columns. Not every record is read, so a bad one
    /// can still refuse a query.
    ///
    /// # Errors
    /// The fault for which queries over the dataset are refused now. The owner's log has more.
    async fn check(&self) -> Result<(), SourceFault>;

    /// Returns about how many bytes a scan reads, to compare the costs of plans; 0 if it is not known. Reads no record.
    fn approximate_bytes(&self) -> u64;

    /// Returns how many records of the source as it is now are left out, because they cannot be read; `None` if no scan has
    /// seen all of them. For the owner alone, unless the dataset is public.
    fn skipped_records(&self) -> Option<u64>;

    /// Returns true if records that cannot be read are left out, and false if they refuse every query.
    fn skips_records(&self) -> bool;
}

/// Returns the source that a bundle describes; it reads none of the node's own folders. Nothing is read yet.
#[must_use]
pub fn open(spec: &SourceSpec, own: &OwnFolders) -> Arc<dyn Source> {
    match &spec.kind {
        SourceKind::Files(files) => files::open(spec, files, own),
    }
}
