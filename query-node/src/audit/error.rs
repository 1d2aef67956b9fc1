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
    /// The open segment is shorter or longer than what was written to it.
    #[error(
        "the audit log {path} has {found} bytes, and {written} were written: somebody changed it while it was in use; put back \
         what was there"
    )]
    Length {
        /// The file.
        path: PathBuf,
        /// Its length in bytes.
        found: u64,
        /// Length in bytes of what was written.
        written: u64,
    },
    /// The place of a log has no open segment.
    #[error(
        "the audit log in {0} has no file audit.ndjson, so nobody can tell what is missing at its end: put it back. To check \
         an archive, say how it ends: --expect SEQUENCE:DIGEST"
    )]
    NoEnd(PathBuf),
    /// A file has no whole line.
    #[error(
        "{path} is no audit log: it has {bytes} bytes and no whole line of one. If its node was started a moment ago for the \
         first time, ask again"
    )]
    NoLine {
        /// The file.
        path: PathBuf,
        /// Its length in bytes.
        bytes: u64,
    },
    /// The log does not hold an entry that it should hold.
    #[error("the audit log holds entries {first} to {last}, and not entry {expected}, which somebody was given: {}", lacking(.first, .expected))]
    Lacking {
        /// Number of the first entry at hand.
        first: u64,
        /// Number of the last entry.
        last: u64,
        /// Number of the entry that should be there.
        expected: u64,
    },
    /// The log holds another entry than it should hold.
    #[error("entry {sequence} of the audit log has the digest {found}, and not {expected}: the log was written anew")]
    Another {
        /// Number of the entry.
        sequence: u64,
        /// Digest that it has.
        found: String,
        /// Digest that it should have.
        expected: String,
    },
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

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the message gives its fields by reference")]
fn lacking(first: &u64, expected: &u64) -> &'static str {
    if expected < first {
        "give the path where the segments before are archived"
    } else {
        "entries were cut off at its end, or the log is another"
    }
}

fn missing(segments: &RangeInclusive<u64>) -> String {
    let (first, last) = (segments.start(), segments.end());
    if first == last {
        format!("segment {first} is missing")
    } else {
        format!("segments {first} to {last} are missing")
    }
}
