//! Faults of an audit log.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use wanqu_model::io_reason;

/// Fault of an audit log. Whichever it is: nothing is released.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// A file of the log cannot be read or written.
    #[error("the audit log {path}: {}", io_reason(.source))]
    File {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// Another process writes the log.
    #[error("the audit log {0} is in use by another process")]
    InUse(PathBuf),
    /// A line is not what was written.
    #[error("the audit log {path} was changed: line {line} {what}")]
    Changed {
        /// The file.
        path: PathBuf,
        /// Number of the line in the file, from 1.
        line: u64,
        /// The fault of the line.
        what: &'static str,
    },
    /// The open segment was replaced by another file while the log was in use.
    #[error("the audit log {0} was replaced while it was in use")]
    Replaced(PathBuf),
    /// An earlier write or flush left the log in an unknown state; it takes no more entries until it is opened anew.
    #[error("the audit log {0} failed before; restart the node, which checks the log and goes on with it")]
    Failed(PathBuf),
    /// The open segment is missing, and sealed segments are there.
    #[error("the audit log {0} is missing, though sealed segments lie beside it: put it back from where it was moved")]
    OpenMissing(PathBuf),
    /// The open segment does not follow the segment that was sealed last.
    #[error("the audit log {open} does not follow {sealed}: put back the open segment that belongs to it")]
    NotFollowing {
        /// The open segment.
        open: PathBuf,
        /// The sealed segment.
        sealed: PathBuf,
    },
    /// Segments in the middle of the log are missing.
    #[error("the audit log has a gap: {} between {before} and {after}; give the path where it is archived", missing(.segments))]
    Missing {
        /// Numbers of the missing segments.
        segments: RangeInclusive<u64>,
        /// The segment before the gap.
        before: PathBuf,
        /// The segment after the gap.
        after: PathBuf,
    },
    /// A segment has no seal, and a later segment is there.
    #[error("the audit log {path} was changed: it has no seal, though segment {next} follows it")]
    Unsealed {
        /// The segment without a seal.
        path: PathBuf,
        /// Number of the segment after it.
        next: u64,
    },
    /// Two files hold the same segment with different contents.
    #[error("{one} and {other} are the same segment of an audit log and differ")]
    Differ {
        /// One of the files.
        one: PathBuf,
        /// The other file.
        other: PathBuf,
    },
    /// An entry cannot be put into JSON.
    #[error("the entry cannot be written as JSON")]
    Json,
}

fn missing(segments: &RangeInclusive<u64>) -> String {
    let (first, last) = (segments.start(), segments.end());
    if first == last {
        format!("segment {first} is missing")
    } else {
        format!("segments {first} to {last} are missing")
    }
}
