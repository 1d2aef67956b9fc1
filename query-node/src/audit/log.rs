//! The log as its one writer has it.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use uuid::Uuid;

use super::entry::Entry;
use super::folder::{Disk, Folder, LogFile, NEXT, OPEN, sealed_name};
use super::line::Line;
use super::nonce::{Nonce, Nonces};
use super::tail::Tail;
use super::{AuditError, AuditSettings, open};

/// Proof that an entry is on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appended {
    /// Number of the entry.
    pub sequence: u64,
    /// Digest of the entry: SHA-256, hexadecimal.
    pub digest: String,
}

/// State in which the log was found when it was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// Number of the last whole entry.
    pub entries: u64,
    /// Bytes of an entry that was cut off by a crash. They were moved to a file beside the log. Nothing was released
    /// for that entry, because its writing never came to an end.
    pub torn_bytes: u64,
}

/// Writer of a log. Appends from several threads share one flush to the disk where they can.
///
/// A segment is sealed before an entry would make it larger or older than it may be, in these steps. A crash or a full disk can come
/// between any two of them; the next append, of this log or of one that is opened later, goes on from there:
///
/// 1. the seal is written to the open segment, and flushed;
/// 2. the next segment is made under another name, with its head, and flushed;
/// 3. the open segment gets its final name, and is made read-only;
/// 4. the next segment gets the open segment's name.
pub struct Log {
    id: Uuid,
    folder: Arc<dyn Folder>,
    /// Path of the open segment.
    path: PathBuf,
    segment_bytes: u64,
    segment_age: SignedDuration,
    nonces: Nonces,
    tail: Mutex<Tail>,
    /// Number of the last entry that is known to be on the disk. Locked while flushing, and before `tail`.
    durable: Mutex<u64>,
    recovery: Recovery,
}

impl Log {
    /// Opens the log in a folder, which is made if it is not there. Verifies the open segment and that it follows the
    /// last seal; moves what a crash left of an entry to a file beside it. What is read does not grow with the number of
    /// segments.
    ///
    /// # Errors
    /// [`AuditError::Changed`] if an entry was changed, taken out or put in; [`AuditError::OpenMissing`] and
    /// [`AuditError::NotFollowing`] if the open segment is not the one that was written; [`AuditError::InUse`] if another
    /// process has the log open; [`AuditError::File`] for anything that the file system refuses.
    pub fn open(settings: &AuditSettings) -> Result<Self, AuditError> {
        Self::in_folder(Arc::new(Disk::lock(&settings.folder)?), settings)
    }

    /// Opens the log in a folder that is locked already; that of the settings is not looked at.
    pub(super) fn in_folder(folder: Arc<dyn Folder>, settings: &AuditSettings) -> Result<Self, AuditError> {
        Self::with_nonces(folder, settings, Nonce::random)
    }

    /// Does the same with secret numbers from elsewhere.
    pub(super) fn with_nonces(
        folder: Arc<dyn Folder>,
        settings: &AuditSettings,
        nonces: Nonces,
    ) -> Result<Self, AuditError> {
        let (tail, torn_bytes) = open::open(folder.as_ref())?;
        let recovery = Recovery { entries: tail.chain.sequence, torn_bytes };
        Ok(Self {
            id: open::identify(folder.as_ref())?,
            path: folder.path(OPEN),
            folder,
            segment_bytes: settings.segment_bytes,
            segment_age: SignedDuration::try_from(settings.segment_age).unwrap_or(SignedDuration::MAX),
            nonces,
            durable: Mutex::new(tail.chain.sequence),
            tail: Mutex::new(tail),
            recovery,
        })
    }

    /// Returns the state in which the log was found when it was opened.
    #[must_use]
    pub fn recovery(&self) -> &Recovery {
        &self.recovery
    }

    /// Returns the number of the last entry.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.tail.lock().chain.sequence
    }

    /// Returns the id of the log.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// Returns the last entry of the open segment, once it is on the disk; `None` if there is none yet.
    ///
    /// # Errors
    /// As for [`append`](Self::append).
    pub fn last(&self) -> Result<Option<Appended>, AuditError> {
        let last = {
            let chain = &self.tail.lock().chain;
            (chain.entries() > 0).then(|| Appended { sequence: chain.sequence, digest: chain.entry_digest.clone() })
        };
        if let Some(last) = &last {
            self.flush(last.sequence)?;
        }
        Ok(last)
    }

    /// Checks that an entry could be written now, where others would find it. Tried on a file beside the log, because an
    /// entry must have something to say.
    ///
    /// # Errors
    /// The fault for which the next release would be refused, or its entry be lost.
    pub fn writable(&self) -> Result<(), AuditError> {
        self.usable(&self.tail.lock())?;
        self.folder.probe().map_err(|source| self.file_error(source))
    }

    /// Writes an entry, and returns when it is on the disk. Blocks meanwhile: see [`append_async`](Self::append_async).
    ///
    /// # Errors
    /// If it cannot be written, and then nothing may be released. A failed write (a full disk) leaves the log as it was,
    /// to be tried again; after a failed flush nobody knows what is on the disk, and the log takes nothing more until
    /// it is opened anew.
    pub fn append(&self, time: Timestamp, entry: Entry) -> Result<Appended, AuditError> {
        let receipt = self.write(time, entry)?;
        self.flush(receipt.sequence)?;
        Ok(receipt)
    }

    /// [`append`](Self::append) on a thread that may block.
    pub async fn append_async(self: &Arc<Self>, time: Timestamp, entry: Entry) -> Result<Appended, AuditError> {
        let log = Arc::clone(self);
        let done = tokio::task::spawn_blocking(move || log.append(time, entry)).await;
        done.unwrap_or_else(|_| Err(AuditError::Failed(self.path.clone())))
    }

    /// Checks that nothing failed before, that the open segment is where others find it, and that it has the length of what
    /// was written to it.
    fn usable(&self, tail: &Tail) -> Result<(), AuditError> {
        if tail.failed {
            return Err(AuditError::Failed(self.path.clone()));
        }
        match tail.file.is_at(&self.path) {
            Ok(true) => match tail.file.length() {
                Ok(found) if found == tail.length => Ok(()),
                Ok(found) => Err(AuditError::Length { path: self.path.clone(), found, written: tail.length }),
                Err(source) => Err(self.file_error(source)),
            },
            Ok(false) => Err(AuditError::Replaced(self.path.clone())),
            Err(source) => Err(self.file_error(source)),
        }
    }

    fn write(&self, time: Timestamp, entry: Entry) -> Result<Appended, AuditError> {
        let mut tail = self.tail.lock();
        self.usable(&tail)?;
        let mut line = tail.chain.record(entry, (self.nonces)(), time);
        let length = line.to_text()?.0.len() as u64;
        let is_full = tail.chain.entries() > 0 && tail.length + length > self.segment_bytes;
        let is_old = tail.chain.begun.is_some_and(|begun| time.duration_since(begun) >= self.segment_age);
        if tail.chain.is_sealed() || is_full || is_old {
            self.change_segment(&mut tail, time)?;
            if let Line::Record(record) = &mut line {
                record.previous.clone_from(&tail.chain.digest);
            }
        }
        self.put(&mut tail, &line)?;
        Ok(Appended { sequence: tail.chain.sequence, digest: tail.chain.digest.clone() })
    }

    /// Adds a line to the open segment.
    fn put(&self, tail: &mut Tail, line: &Line) -> Result<(), AuditError> {
        let (text, digest) = line.to_text()?;
        if let Err(source) = tail.file.write(text.as_bytes()) {
            // Part of the line may be there. If it cannot be taken back, nothing may follow it.
            tail.failed = tail.file.cut(tail.length).is_err();
            return Err(self.file_error(source));
        }
        tail.length += text.len() as u64;
        if tail.chain.follow(line, digest).is_err() {
            tail.failed = true;
            return Err(AuditError::Failed(self.path.clone()));
        }
        Ok(())
    }

    /// Seals the open segment, unless that was done before, and begins the next one.
    fn change_segment(&self, tail: &mut Tail, time: Timestamp) -> Result<(), AuditError> {
        if !tail.chain.is_sealed() {
            let seal = tail.chain.seal(time);
            self.put(tail, &seal)?;
        }
        self.begin_segment(tail)
    }

    /// Begins the segment after the open one, which is sealed. On a full disk it can be tried again.
    fn begin_segment(&self, tail: &mut Tail) -> Result<(), AuditError> {
        if let Err(source) = tail.file.sync() {
            tail.failed = true;
            return Err(self.file_error(source));
        }
        tail.synced = tail.chain.sequence;
        let head = tail.chain.next_head();
        let (text, digest) = head.to_text()?;
        self.make_next(&text).map_err(|source| AuditError::File { path: self.folder.path(NEXT), source })?;
        match self.put_next_in_place(tail) {
            Ok(file) => tail.file = file,
            Err(source) => {
                tail.failed = true;
                return Err(self.file_error(source));
            }
        }
        tail.length = text.len() as u64;
        if tail.chain.follow(&head, digest).is_err() {
            tail.failed = true;
            return Err(AuditError::Failed(self.path.clone()));
        }
        tracing::info!(log = %self.path.display(), segment = tail.chain.segment, "the audit log began a segment");
        Ok(())
    }

    fn make_next(&self, head: &str) -> std::io::Result<()> {
        let next = self.folder.append(NEXT)?;
        // An earlier attempt may have left a part.
        next.cut(0)?;
        next.write(head.as_bytes())?;
        next.sync()
    }

    fn put_next_in_place(&self, tail: &Tail) -> std::io::Result<Arc<dyn LogFile>> {
        self.folder.rename(OPEN, &sealed_name(tail.chain.segment))?;
        // In this order on the disk too: otherwise the next segment could overwrite the sealed one, or the open segment be
        // found read-only.
        self.folder.sync()?;
        tail.file.make_read_only()?;
        open::put_in_place(self.folder.as_ref())
    }

    /// Flushes the open segment. Whoever comes first flushes for all whose entries are written by then.
    fn flush(&self, sequence: u64) -> Result<(), AuditError> {
        let mut durable = self.durable.lock();
        if *durable >= sequence {
            return Ok(());
        }
        let (file, written) = {
            let tail = self.tail.lock();
            if tail.synced >= sequence {
                *durable = tail.synced;
                return Ok(());
            }
            if tail.failed {
                return Err(AuditError::Failed(self.path.clone()));
            }
            (Arc::clone(&tail.file), tail.chain.sequence)
        };
        if let Err(source) = file.sync() {
            self.tail.lock().failed = true;
            return Err(self.file_error(source));
        }
        *durable = written;
        Ok(())
    }

    fn file_error(&self, source: std::io::Error) -> AuditError {
        AuditError::File { path: self.path.clone(), source }
    }
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Log").field("path", &self.path).finish_non_exhaustive()
    }
}
