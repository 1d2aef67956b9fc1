//! Rows of another member's public table on their way to an owner, the bytes that they took, and what their owner said of
//! records that it leaves out.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use wanqu_model::report::LeftOutRecords;

use crate::fragment::BatchStream;

/// Rows on their way from another member.
pub struct Fetched {
    /// The rows.
    pub batches: BatchStream,
    /// Bytes received so far, as encoded on the wire.
    pub bytes: Arc<AtomicU64>,
    /// Dataset of which its owner leaves out records that cannot be read; known once the last row has been taken.
    pub left_out: Arc<Mutex<Vec<LeftOutRecords>>>,
}

/// The bytes that came from other members for one query, over all its fetches, with what was said of records that are left
/// out. Clones share one state.
#[derive(Debug, Clone, Default)]
pub struct FetchedBytes(Arc<Mutex<Vec<Fetch>>>);

/// Account of one fetch.
#[derive(Debug, Clone)]
struct Fetch {
    bytes: Arc<AtomicU64>,
    left_out: Arc<Mutex<Vec<LeftOutRecords>>>,
}

impl FetchedBytes {
    /// Returns the rows of a fetch, whose bytes are counted from now on.
    #[must_use]
    pub fn counted(&self, fetched: Fetched) -> BatchStream {
        self.0.lock().push(Fetch { bytes: fetched.bytes, left_out: fetched.left_out });
        fetched.batches
    }

    /// Counts what another counter counts as well.
    pub fn include(&self, other: &Self) {
        let others = other.0.lock().clone();
        self.0.lock().extend(others);
    }

    /// Returns the bytes received so far, over all fetches.
    #[must_use]
    pub fn sum(&self) -> u64 {
        self.0.lock().iter().map(|fetch| fetch.bytes.load(Ordering::Relaxed)).sum()
    }

    /// Returns the datasets of which records are left out, each statement of an owner once.
    #[must_use]
    pub fn left_out(&self) -> BTreeSet<LeftOutRecords> {
        self.0.lock().iter().flat_map(|fetch| fetch.left_out.lock().clone()).collect()
    }
}
