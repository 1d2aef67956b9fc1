//! What the log is written on: a file, or in tests something that fails when told to.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What the log is written on.
pub(super) trait Medium: Send + Sync + 'static {
    /// Adds bytes at the end.
    fn write(&self, bytes: &[u8]) -> io::Result<()>;
    /// Returns when all bytes written so far would survive a power failure.
    fn sync(&self) -> io::Result<()>;
    /// Cuts the file to a length.
    fn cut(&self, length: u64) -> io::Result<()>;
    /// Whether this is what others find under the log's name.
    fn is_at(&self, path: &Path) -> io::Result<bool>;
}

impl Medium for File {
    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let mut file = self;
        file.write_all(bytes)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }

    fn cut(&self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }

    fn is_at(&self, path: &Path) -> io::Result<bool> {
        let (own, found) = (self.metadata()?, fs::metadata(path)?);
        Ok((own.dev(), own.ino()) == (found.dev(), found.ino()))
    }
}
