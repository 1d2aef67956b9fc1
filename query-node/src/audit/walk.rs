//! One segment, verified line by line.

use std::io::BufRead;
use std::path::{Path, PathBuf};

use super::AuditError;
use super::chain::Chain;
use super::line::Line;

/// Reader of one segment that verifies each line.
pub(super) struct Walk<R> {
    input: R,
    path: PathBuf,
    /// Position after the last line that was read.
    pub chain: Chain,
    /// Number of whole lines read.
    lines: u64,
    /// Length of these lines in bytes.
    pub length: u64,
    /// Bytes after the last whole line, once the end was reached.
    pub torn_bytes: u64,
    text: Vec<u8>,
}

impl<R: BufRead> Walk<R> {
    /// Returns a reader of the segment `path` whose first line must follow `chain`.
    pub fn new(input: R, path: &Path, chain: Chain) -> Self {
        Self { input, path: path.to_owned(), chain, lines: 0, length: 0, torn_bytes: 0, text: Vec::new() }
    }

    /// Returns the next line, or `None` at the end of the whole lines.
    ///
    /// # Errors
    /// [`AuditError::Changed`] if the line does not follow the one before it.
    pub fn next_line(&mut self) -> Result<Option<Line>, AuditError> {
        self.text.clear();
        let read = self.input.read_until(b'\n', &mut self.text);
        let read = read.map_err(|source| AuditError::File { path: self.path.clone(), source })? as u64;
        let Some(text) = self.text.strip_suffix(b"\n") else {
            self.torn_bytes = read;
            return Ok(None);
        };
        let line = Line::from_text(text).and_then(|(line, digest)| {
            // A head that follows a seal belongs to the next file.
            if self.lines > 0 && matches!(line, Line::Head(_)) {
                return Err("begins a segment within another one");
            }
            self.chain.follow(&line, digest)?;
            Ok(line)
        });
        self.lines += 1;
        let line = line.map_err(|what| AuditError::Changed { path: self.path.clone(), line: self.lines, what })?;
        self.length += read;
        Ok(Some(line))
    }

    /// Reads and verifies all lines.
    ///
    /// # Errors
    /// [`AuditError::Changed`] at the first line that does not follow the one before it.
    pub fn finish(mut self) -> Result<Self, AuditError> {
        while self.next_line()?.is_some() {}
        Ok(self)
    }
}
