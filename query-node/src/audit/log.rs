//! The log as its one writer has it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use parking_lot::Mutex;

use super::AuditError;
use super::entry::Entry;
use super::medium::Medium;
use super::read::{FILE, walk};
use super::record::{Record, to_line};

/// That an entry is on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Its number.
    pub sequence: u64,
    /// Its digest, SHA-256, hexadecimal.
    pub digest: String,
}

/// What was found when the log was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// Whole entries.
    pub entries: u64,
    /// Bytes of an entry that was cut off by a crash. They were moved to a file beside the log. Nothing was released
    /// for that entry, because its writing never came to an end.
    pub torn_bytes: u64,
}

/// The log as its one writer has it. Appends from several threads share one flush to the disk where they can.
pub struct Log {
    path: PathBuf,
    medium: Arc<dyn Medium>,
    tail: Mutex<Tail>,
    /// How many entries are known to be on the disk. Held while flushing.
    durable: Mutex<u64>,
    recovery: Recovery,
}

struct Tail {
    sequence: u64,
    digest: String,
    length: u64,
    failed: bool,
}

impl Log {
    /// Opens the log in a folder, which is made if it is not there. Verifies every entry; cuts off what a crash left of
    /// the last.
    ///
    /// # Errors
    /// [`AuditError::Changed`] if an entry was changed, taken out or put in; [`AuditError::InUse`] if another process
    /// has it open; [`AuditError::File`] for anything that the file system refuses.
    pub fn open(dir: &Path) -> Result<Self, AuditError> {
        let path = dir.join(FILE);
        let failed = |source| AuditError::File { path: path.clone(), source };
        fs::create_dir_all(dir).map_err(failed)?;
        let mut file = open_private(&path).map_err(failed)?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => AuditError::InUse(path.clone()),
            TryLockError::Error(source) => failed(source),
        })?;
        // The entry of the file in its folder must survive a power failure too.
        File::open(dir).and_then(|dir| dir.sync_all()).map_err(failed)?;

        let found = walk(&path, |_| ())?;
        if found.torn_bytes > 0 {
            set_aside(dir, &mut file, found.length).map_err(failed)?;
            tracing::warn!(log = %path.display(), bytes = found.torn_bytes, "the last entry was cut off by a crash");
        }
        file.seek(SeekFrom::End(0)).map_err(failed)?;
        let recovery = Recovery { entries: found.entries, torn_bytes: found.torn_bytes };
        let tail = Tail { sequence: found.entries, digest: found.digest, length: found.length, failed: false };
        Ok(Self::on(path, Arc::new(file), tail, recovery))
    }

    fn on(path: PathBuf, medium: Arc<dyn Medium>, tail: Tail, recovery: Recovery) -> Self {
        let durable = Mutex::new(tail.sequence);
        Self { path, medium, tail: Mutex::new(tail), durable, recovery }
    }

    /// A new log on a medium of the test's own.
    #[cfg(test)]
    pub(super) fn on_medium(medium: Arc<dyn Medium>) -> Self {
        let tail = Tail { sequence: 0, digest: super::record::genesis(), length: 0, failed: false };
        Self::on(PathBuf::from(FILE), medium, tail, Recovery { entries: 0, torn_bytes: 0 })
    }

    /// What was found when it was opened.
    #[must_use]
    pub fn recovery(&self) -> &Recovery {
        &self.recovery
    }

    /// The number of the last entry.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.tail.lock().sequence
    }

    /// Whether an entry could be written now, where others would find it. Tried on a file beside the log, for an entry
    /// must have something to say.
    ///
    /// # Errors
    /// Why the next release would be refused, or its entry be lost.
    pub fn writable(&self) -> Result<(), AuditError> {
        if self.tail.lock().failed {
            return Err(AuditError::Failed(self.path.clone()));
        }
        self.in_place()?;
        let failed = |source| AuditError::File { path: self.path.clone(), source };
        let beside = self.path.with_extension("probe");
        fs::write(&beside, [b'\n'; 4096]).and_then(|()| fs::remove_file(&beside)).map_err(failed)
    }

    /// Writes an entry, and returns when it is on the disk. Blocks meanwhile: see [`append_async`](Self::append_async).
    ///
    /// # Errors
    /// If it cannot be written, and then nothing may be released. A failed write (a full disk) leaves the log as it was,
    /// to be tried again; after a failed flush nobody knows what is on the disk, and the log takes nothing more until
    /// it is opened anew.
    pub fn append(&self, time: Timestamp, entry: Entry) -> Result<Receipt, AuditError> {
        let receipt = self.write(time, entry)?;
        self.flush(receipt.sequence)?;
        Ok(receipt)
    }

    /// [`append`](Self::append) on a thread that may block.
    pub async fn append_async(self: &Arc<Self>, time: Timestamp, entry: Entry) -> Result<Receipt, AuditError> {
        let log = Arc::clone(self);
        let done = tokio::task::spawn_blocking(move || log.append(time, entry)).await;
        done.unwrap_or_else(|_| Err(AuditError::Failed(self.path.clone())))
    }

    /// What is written to a file that nobody can find is not written down.
    fn in_place(&self) -> Result<(), AuditError> {
        match self.medium.is_at(&self.path) {
            Ok(true) => Ok(()),
            Ok(false) => Err(AuditError::Replaced(self.path.clone())),
            Err(source) => Err(AuditError::File { path: self.path.clone(), source }),
        }
    }

    fn write(&self, time: Timestamp, entry: Entry) -> Result<Receipt, AuditError> {
        self.in_place()?;
        let mut tail = self.tail.lock();
        if tail.failed {
            return Err(AuditError::Failed(self.path.clone()));
        }
        let sequence = tail.sequence + 1;
        let record = Record { entry, previous: tail.digest.clone(), sequence, time };
        let (line, digest) = to_line(&record)?;
        if let Err(source) = self.medium.write(line.as_bytes()) {
            // Part of the line may be there. If it cannot be taken back, nothing may follow it.
            tail.failed = self.medium.cut(tail.length).is_err();
            return Err(AuditError::File { path: self.path.clone(), source });
        }
        tail.sequence = sequence;
        tail.digest.clone_from(&digest);
        tail.length += line.len() as u64;
        Ok(Receipt { sequence, digest })
    }

    /// Whoever comes first flushes for all whose entries are written by then.
    fn flush(&self, sequence: u64) -> Result<(), AuditError> {
        let mut durable = self.durable.lock();
        if *durable >= sequence {
            return Ok(());
        }
        let written = {
            let tail = self.tail.lock();
            if tail.failed {
                return Err(AuditError::Failed(self.path.clone()));
            }
            tail.sequence
        };
        if let Err(source) = self.medium.sync() {
            self.tail.lock().failed = true;
            return Err(AuditError::File { path: self.path.clone(), source });
        }
        *durable = written;
        Ok(())
    }
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Log").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Researchers' questions are in it: only the node reads it.
fn open_private(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Moves what lies beyond the last whole entry to a file beside the log.
fn set_aside(dir: &Path, file: &mut File, length: u64) -> std::io::Result<()> {
    let mut torn = Vec::new();
    file.seek(SeekFrom::Start(length))?;
    file.read_to_end(&mut torn)?;
    let mut aside = open_private(&dir.join(format!("{FILE}.torn")))?;
    aside.write_all(&torn)?;
    aside.write_all(b"\n")?;
    aside.sync_all()?;
    file.set_len(length)?;
    file.sync_all()
}
