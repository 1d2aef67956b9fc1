//! Faults of a ledger.

use std::path::PathBuf;

use wanqu_model::io_reason;

/// Fault of a ledger of released cells. Whichever it is: nothing is released that would have to be remembered.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// A file cannot be read or written.
    #[error("the ledger {path}: {}", io_reason(.source))]
    File {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// Another process has the ledger open.
    #[error("the ledger {0} is in use by another process")]
    InUse(PathBuf),
    /// A record is not what was written, or the key is another.
    #[error(
        "the ledger {path} was changed, or belongs to another key: the record at byte {offset} is not what was written; put back \
         the folder as it was"
    )]
    Changed {
        /// The file.
        path: PathBuf,
        /// Place of the record in the file.
        offset: u64,
    },
    /// Records are there, and their key is not.
    #[error("the key of the ledger {0} is missing or is none: put back the folder as it was")]
    NoKey(PathBuf),
    /// The file is shorter or longer than what was written to it.
    #[error("the ledger {0} was changed while it was in use: put back the folder as it was, and restart the node")]
    Length(PathBuf),
}
