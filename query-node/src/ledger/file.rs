//! The files of a ledger: its records, the key of its hashes, and the lock of the one process that writes it.
//!
//! ```text
//! record = head (48 bytes) body
//! head   = "WQL2" length-of-body (u32) digest (32 bytes) check (8 bytes)
//! digest = SHA-256(digest of the record before, body); before the first record SHA-256(key)
//! check  = SHA-256(the head up to here), the first 8 bytes
//! ```
//!
//! A head that is not whole, or a body that is shorter than its head says, is what a crash left of a record for which nothing was
//! released. It is cut off. A head or body that is whole and does not agree with its digest was changed.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rand::Rng;
use sha2::{Digest, Sha256};
use wanqu_gate::ledger::Entry;
use wanqu_rules::row::RowKey;

use super::LedgerError;
use super::record;

const MAGIC: &[u8; 4] = b"WQL2";
const HEAD: usize = 48;
const KEY_BYTES: usize = 32;

/// Names of the files.
pub(super) const RECORDS: &str = "ledger.bin";
pub(super) const KEY: &str = "ledger.key";
const LOCK: &str = "ledger.lock";

/// Open ledger.
pub(super) struct LedgerFile {
    path: PathBuf,
    file: File,
    length: u64,
    previous: [u8; 32],
    key: RowKey,
    usable: bool,
    _lock: File,
}

impl LedgerFile {
    /// Opens the ledger in a folder, which is made if it is not there, the node's alone. `each` takes every record.
    pub(super) fn open(folder: &Path, mut each: impl FnMut(Entry)) -> Result<Self, LedgerError> {
        let at = |name: &str| folder.join(name);
        let failed = |path: PathBuf| move |source| LedgerError::File { path, source };
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed(folder.to_owned()))?;
        let lock = own_file(&at(LOCK)).map_err(failed(at(LOCK)))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LedgerError::InUse(at(RECORDS))),
            Err(TryLockError::Error(source)) => return Err(LedgerError::File { path: at(LOCK), source }),
        }
        let path = at(RECORDS);
        let mut file = own_file(&path).map_err(failed(path.clone()))?;
        let mut content = Vec::new();
        file.read_to_end(&mut content).map_err(failed(path.clone()))?;
        let bytes = key(folder, !content.is_empty())?;
        let mut previous: [u8; 32] = Sha256::digest(bytes).into();
        let mut length = 0;
        while let Some((body, digest)) =
            next(&content[length..], &previous).map_err(|Changed| changed(&path, length))?
        {
            let entry = record::read(body).ok_or_else(|| changed(&path, length))?;
            length += HEAD + body.len();
            previous = digest;
            each(entry);
        }
        if length < content.len() {
            tracing::warn!(
                ledger = %path.display(),
                bytes = content.len() - length,
                "a record that a crash left unfinished is cut off the ledger; nothing was released for it"
            );
            file.set_len(length as u64).and_then(|()| file.sync_all()).map_err(failed(path.clone()))?;
        }
        sync_folder(folder).map_err(failed(folder.to_owned()))?;
        let key = RowKey::from(bytes);
        Ok(Self { path, file, length: length as u64, previous, key, usable: true, _lock: lock })
    }

    /// Returns the key of the hashes.
    pub(super) fn key(&self) -> RowKey {
        self.key
    }

    /// Returns false once nobody knows what is on the disk.
    pub(super) fn is_usable(&self) -> bool {
        self.usable
    }

    /// Writes an entry, and returns when it is on the disk. After an error the entry is not in the ledger; it takes further ones
    /// if it still [`is_usable`](Self::is_usable).
    pub(super) fn append(&mut self, entry: &Entry) -> Result<(), LedgerError> {
        let length = self.file.metadata().map_err(|source| self.failed(source))?.len();
        if length != self.length {
            self.usable = false;
            return Err(LedgerError::Length(self.path.clone()));
        }
        let body = record::write(entry);
        let (head, digest) = head(&body, &self.previous).map_err(|source| self.failed(source))?;
        let mut whole = head;
        whole.extend_from_slice(&body);
        if let Err(source) = self.file.write_all(&whole) {
            // Part of it may be there. If it cannot be taken back, nothing may follow it.
            self.usable = self.file.set_len(self.length).is_ok();
            return Err(self.failed(source));
        }
        if let Err(source) = self.file.sync_data() {
            self.usable = false;
            return Err(self.failed(source));
        }
        self.length += whole.len() as u64;
        self.previous = digest;
        Ok(())
    }

    fn failed(&self, source: io::Error) -> LedgerError {
        LedgerError::File { path: self.path.clone(), source }
    }
}

/// What was written is not what is there.
struct Changed;

fn changed(path: &Path, offset: usize) -> LedgerError {
    LedgerError::Changed { path: path.to_owned(), offset: offset as u64 }
}

fn head(body: &[u8], previous: &[u8; 32]) -> io::Result<(Vec<u8>, [u8; 32])> {
    let length = u32::try_from(body.len()).map_err(|_| io::Error::other("a record is too large"))?;
    let digest = digest(previous, body);
    let mut head = MAGIC.to_vec();
    head.extend_from_slice(&length.to_le_bytes());
    head.extend_from_slice(&digest);
    let check = Sha256::digest(&head);
    head.extend_from_slice(&check[..8]);
    Ok((head, digest))
}

fn digest(previous: &[u8; 32], body: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(previous).chain_update(body).finalize().into()
}

/// Body and digest of a record.
type Read1<'c> = (&'c [u8], [u8; 32]);

/// Returns the body of the first record and its digest; `None` if there is no whole one.
fn next<'c>(content: &'c [u8], previous: &[u8; 32]) -> Result<Option<Read1<'c>>, Changed> {
    let Some((head, rest)) = content.split_at_checked(HEAD) else { return Ok(None) };
    let (stated, check) = head.split_at(HEAD - 8);
    if !stated.starts_with(MAGIC) || Sha256::digest(stated)[..8] != *check {
        return Err(Changed);
    }
    let length = u32::from_le_bytes([stated[4], stated[5], stated[6], stated[7]]) as usize;
    let Some(body) = rest.get(..length) else { return Ok(None) };
    let digest = digest(previous, body);
    if digest[..] == stated[8..] { Ok(Some((body, digest))) } else { Err(Changed) }
}

/// Opens a file of the node's alone for reading and appending; makes it if it is not there.
fn own_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)
}

/// Reads the key, or draws one where nothing is remembered yet.
fn key(folder: &Path, is_needed: bool) -> Result<[u8; KEY_BYTES], LedgerError> {
    let path = folder.join(KEY);
    let failed = |source| LedgerError::File { path: path.clone(), source };
    match fs::read(&path) {
        Ok(bytes) => bytes.try_into().map_err(|_| LedgerError::NoKey(path.clone())),
        Err(error) if error.kind() == io::ErrorKind::NotFound && !is_needed => {
            let bytes: [u8; KEY_BYTES] = rand::rng().random();
            let next = folder.join("ledger.key.next");
            let write = || {
                let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&next)?;
                file.write_all(&bytes)?;
                file.sync_all()?;
                fs::rename(&next, &path)?;
                sync_folder(folder)
            };
            write().map_err(failed)?;
            Ok(bytes)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(LedgerError::NoKey(path.clone())),
        Err(source) => Err(failed(source)),
    }
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
