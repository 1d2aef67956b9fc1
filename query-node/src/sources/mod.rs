//! Where a dataset's records lie, and how they are read: one file per format.
//!
//! A [`Source`] gives DataFusion a table whose columns have the names and types that the manifest declares of the
//! source. What a query sees (other names, mappings, the privacy unit) is laid over it by the engine. Object stores and
//! databases come as further implementations.

mod csv;
mod fault;
mod ndjson;
mod parquet;
mod path;
mod records;
mod schema;
mod split;

use std::fmt::Debug;
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use wanqu_model::bundle::{SourceFormat, SourceSpec};
use wanqu_model::refusal::Refusal;

pub use fault::SourceFault;
pub use path::{Fingerprint, SourceFile};

/// The records of one dataset.
pub trait Source: Debug + Send + Sync {
    /// The records as a table. Columns are named as in the source and typed as declared.
    fn table(&self) -> Arc<dyn TableProvider>;

    /// What the source looks like now. Two equal fingerprints, one before and one after, mean that nothing changed
    /// in between, so that two passes over it saw the same records.
    fn fingerprint(&self) -> Result<Fingerprint, Refusal>;

    /// Records that the last scan which ran to its end left out, because they cannot be read. For the owner alone.
    fn skipped_records(&self) -> u64;
}

/// The source of a dataset. Nothing is read yet.
#[must_use]
pub fn open(spec: &SourceSpec) -> Arc<dyn Source> {
    match spec.format {
        SourceFormat::Parquet => Arc::new(parquet::ParquetSource::new(spec)),
        SourceFormat::Csv => Arc::new(records::RecordSource::new(spec, Arc::new(csv::Csv))),
        SourceFormat::Ndjson => Arc::new(records::RecordSource::new(spec, Arc::new(ndjson::Ndjson))),
    }
}
