//! End of a log that is open: where the next line goes.

use std::sync::Arc;

use super::chain::Chain;
use super::folder::LogFile;

/// End of the log.
pub(super) struct Tail {
    /// The open segment.
    pub file: Arc<dyn LogFile>,
    /// Position after the last line written.
    pub chain: Chain,
    /// Length of the open segment's whole lines in bytes.
    pub length: u64,
    /// Number of the last entry that is on the disk because its segment was sealed.
    pub synced: u64,
    /// True if nobody knows what is on the disk; nothing more is written then.
    pub failed: bool,
}
