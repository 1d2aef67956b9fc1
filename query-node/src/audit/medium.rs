//! What the log is written on: a file, or in tests something that fails when told to.

use std::fs::File;
use std::io::{self, Write};

/// What the log is written on.
pub(super) trait Medium: Send + Sync + 'static {
    /// Adds bytes at the end.
    fn write(&self, bytes: &[u8]) -> io::Result<()>;
    /// Returns when all bytes written so far would survive a power failure.
    fn sync(&self) -> io::Result<()>;
    /// Cuts the file to a length.
    fn cut(&self, length: u64) -> io::Result<()>;
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
}
