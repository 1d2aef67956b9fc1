//! What travels between a home node and an owner, as values: the fragment on the way out, the release on the way back.

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
    /// Which leaf of the merge plan its release feeds. Fragments of one group have one schema, one for each owner asked.
    pub group: u32,
    /// Who is asked.
    pub owner: JurisdictionId,
    /// One SELECT statement over the owner's catalog.
    pub sql: String,
    /// The columns that the release must have: names and types, in order.
    pub schema: SchemaRef,
    /// Whether it reads public tables only, as far as the home node knows. The owner decides for itself.
    pub public: bool,
}

impl Fragment {
    /// Whether a release has the columns that were asked for: names and types, in order. Whether a column may be NULL
    /// is seen in its rows.
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
    /// What the owner says of the release; ready once `batches` has ended.
    pub report: BoxFuture<'static, Result<ReleaseReport, Refusal>>,
}
