//! What can be wrong with an audit log.

use std::path::PathBuf;

use wanqu_model::io_reason;

/// What can be wrong with an audit log. Whichever it is: nothing is released.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The file cannot be read or written.
    #[error("the audit log {path}: {}", io_reason(.source))]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Another process writes it.
    #[error("the audit log {0} is in use by another process")]
    InUse(PathBuf),
    /// Somebody changed it.
    #[error("the audit log {path} was changed: line {line} {what}")]
    Changed {
        /// Which.
        path: PathBuf,
        /// The line, from 1: the number that the entry should have.
        line: u64,
        /// What is wrong with it.
        what: &'static str,
    },
    /// Another file is where the log was.
    #[error("the audit log {0} was replaced while it was in use")]
    Replaced(PathBuf),
    /// An entry could not be written; the log takes no more until it is opened anew.
    #[error("the audit log {0} failed before; open it anew")]
    Failed(PathBuf),
    /// An entry cannot be put into JSON.
    #[error("the entry cannot be written as JSON")]
    Json,
}
