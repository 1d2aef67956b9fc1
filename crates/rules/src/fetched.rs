//! Rows of another member's public table on their way to an owner, and the bytes that they took.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::fragment::BatchStream;

/// Rows on their way from another member.
pub struct Fetched {
    /// The rows.
    pub batches: BatchStream,
    /// Bytes received so far, as encoded on the wire.
    pub bytes: Arc<AtomicU64>,
}

/// The bytes that came from other members for one query, over all its fetches. Clones share one state.
#[derive(Debug, Clone, Default)]
pub struct FetchedBytes(Arc<Mutex<Vec<Arc<AtomicU64>>>>);

impl FetchedBytes {
    /// Returns the rows of a fetch, whose bytes are counted from now on.
    #[must_use]
    pub fn counted(&self, fetched: Fetched) -> BatchStream {
        self.0.lock().push(fetched.bytes);
        fetched.batches
    }

    /// Returns the bytes received so far, over all fetches.
    #[must_use]
    pub fn sum(&self) -> u64 {
        self.0.lock().iter().map(|bytes| bytes.load(Ordering::Relaxed)).sum()
    }
}
