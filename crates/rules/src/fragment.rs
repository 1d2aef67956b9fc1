//! Values that travel between a home node and an owner: the fragment on the way out, the release on the way back.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use futures::Stream;
use futures::future::BoxFuture;
use wanqu_model::names::JurisdictionId;
use wanqu_model::refusal::Refusal;

pub use wanqu_model::report::ReleaseReport;

/// The SQL text that one owner is asked to run, with the shape that its release must have.
#[derive(Debug, Clone)]
pub struct Fragment {
    /// Its number within the query, from 0.
    pub id: u32,
    /// Number of the leaf of the merge plan that its release feeds. The fragments of a group, one for each owner asked,
    /// have one schema.
    pub group: u32,
    /// Jurisdiction that is asked.
    pub owner: JurisdictionId,
    /// One SELECT statement over the owner's catalog.
    pub sql: String,
    /// The columns that the release must have: names and types, in order.
    pub schema: SchemaRef,
    /// True if it reads public tables only, as the home node's bundle has it. The owner decides for itself.
    pub public: bool,
}

impl Fragment {
    /// Returns true if a release has the columns that were asked for: names and types, in order. Nullability is not
    /// compared.
    #[must_use]
    pub fn fits(&self, released: &Schema) -> bool {
        let (asked, released) = (self.schema.fields(), released.fields());
        asked.len() == released.len()
            && asked.iter().zip(released).all(|(a, r)| a.name() == r.name() && a.data_type() == r.data_type())
    }
}

/// A stream of batches, each item either data or the refusal that ends it.
pub type BatchStream = Pin<Box<dyn Stream<Item = Result<RecordBatch, Refusal>> + Send>>;

/// A release as the home node receives it.
pub struct Release {
    /// The columns, as checked against the fragment's.
    pub schema: SchemaRef,
    /// The rows.
    pub batches: BatchStream,
    /// Bytes received so far, as encoded on the wire; stays 0 for a part that did not cross.
    pub bytes: Arc<AtomicU64>,
    /// The owner's report on the release; ready once `batches` has ended.
    pub report: BoxFuture<'static, Result<ReleaseReport, Refusal>>,
}
