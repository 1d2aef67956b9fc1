//! Settings of an audit log.

use std::path::PathBuf;

/// Folder of an audit log, and the size of its segments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditSettings {
    /// Folder of the log; it is made if it is not there.
    pub folder: PathBuf,
    /// Size in bytes above which a segment is sealed and the next one begun. A segment holds at least one entry.
    pub segment_bytes: u64,
}

impl AuditSettings {
    /// Default size of a segment in MiB.
    pub const SEGMENT_MIB: u32 = 64;

    /// Returns the settings of a log in `folder` whose segments have the default size.
    #[must_use]
    pub fn in_folder(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), segment_bytes: u64::from(Self::SEGMENT_MIB) << 20 }
    }
}
