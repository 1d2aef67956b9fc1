//! Settings of an audit log.

use std::path::PathBuf;
use std::time::Duration;

/// Folder of an audit log, and the size and age of its segments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditSettings {
    /// Folder of the log; it is made if it is not there.
    pub folder: PathBuf,
    /// Size in bytes above which a segment is sealed and the next one begun. A segment holds at least one entry.
    pub segment_bytes: u64,
    /// Age at which a segment is sealed before the next entry is written, counted from its first entry.
    pub segment_age: Duration,
}

impl AuditSettings {
    /// Default size of a segment in MiB.
    pub const SEGMENT_MIB: u32 = 64;

    /// Default age of a segment in hours.
    pub const SEGMENT_HOURS: u32 = 24 * 7;

    /// Returns the settings of a log in `folder` whose segments have the default size and age.
    #[must_use]
    pub fn in_folder(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            segment_bytes: u64::from(Self::SEGMENT_MIB) << 20,
            segment_age: Duration::from_hours(Self::SEGMENT_HOURS.into()),
        }
    }
}
