//! The folder of a log, as its writer uses it: on a disk, or in tests one that fails when told to.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::AuditError;

/// Name of the open segment.
pub(super) const OPEN: &str = "audit.ndjson";
/// Name of the next segment while it is made.
pub(super) const NEXT: &str = "audit.ndjson.next";
/// Name of the file that keeps what crashes left of entries.
pub(super) const TORN: &str = "audit.ndjson.torn";
/// Name of the file that the one writer holds locked.
const LOCK: &str = "audit.lock";
/// Name of the file that holds the id of the log.
pub(super) const ID: &str = "audit.id";
/// Name of the file by which it is tried whether the folder can be written.
const PROBE: &str = "audit.probe";

/// Returns the name of a sealed segment.
pub(super) fn sealed_name(segment: u64) -> String {
    format!("audit-{segment:06}.ndjson")
}

/// Returns the number of the sealed segment that has this name; `None` if it is another file's.
pub(super) fn sealed_number(name: &str) -> Option<u64> {
    let number = name.strip_prefix("audit-")?.strip_suffix(".ndjson")?.parse().ok()?;
    (sealed_name(number) == name).then_some(number)
}

/// Folder of a log.
pub(super) trait Folder: Send + Sync + 'static {
    /// Returns the path of a file in it, for messages.
    fn path(&self, name: &str) -> PathBuf;
    /// Opens a file for reading and appending; makes it if it is not there.
    fn append(&self, name: &str) -> io::Result<Arc<dyn LogFile>>;
    /// Opens a file for reading alone.
    fn read(&self, name: &str) -> io::Result<Arc<dyn LogFile>>;
    /// Returns the names of all files.
    fn names(&self) -> io::Result<Vec<String>>;
    /// Gives a file another name.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Returns when all names would survive a power failure.
    fn sync(&self) -> io::Result<()>;
    /// Writes and removes a file, to find out whether an entry could be written.
    fn probe(&self) -> io::Result<()>;
}

/// File of a log.
pub(super) trait LogFile: Send + Sync + 'static {
    /// Adds bytes at the end.
    fn write(&self, bytes: &[u8]) -> io::Result<()>;
    /// Returns when all bytes written so far would survive a power failure.
    fn sync(&self) -> io::Result<()>;
    /// Cuts the file to a length.
    fn cut(&self, length: u64) -> io::Result<()>;
    /// Reads bytes at an offset; returns their number, 0 at the end.
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Returns the length in bytes.
    fn length(&self) -> io::Result<u64>;
    /// Takes away the permission to write, durably.
    fn make_read_only(&self) -> io::Result<()>;
    /// Returns true if this is the file that others find under a path.
    fn is_at(&self, path: &Path) -> io::Result<bool>;
}

/// Folder on a disk, locked for one writer as long as this value lives.
pub(super) struct Disk {
    folder: PathBuf,
    _lock: File,
}

impl Disk {
    /// Makes the folder if it is not there, and locks it. Researchers' questions are in the log, so the folder and its files
    /// are made the node's alone.
    ///
    /// # Errors
    /// [`AuditError::InUse`] if another process has locked it; [`AuditError::File`] for what the file system refuses.
    pub fn lock(folder: &Path) -> Result<Self, AuditError> {
        let path = folder.join(OPEN);
        let failed = |source| AuditError::File { path: path.clone(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
        make_private(folder);
        let lock = open_private(&folder.join(LOCK)).map_err(failed)?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => AuditError::InUse(path.clone()),
            TryLockError::Error(source) => failed(source),
        })?;
        Ok(Self { folder: folder.to_owned(), _lock: lock })
    }
}

impl Folder for Disk {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn append(&self, name: &str) -> io::Result<Arc<dyn LogFile>> {
        Ok(Arc::new(open_private(&self.path(name))?))
    }

    fn read(&self, name: &str) -> io::Result<Arc<dyn LogFile>> {
        Ok(Arc::new(wanqu_file::open(&self.path(name))?))
    }

    fn names(&self) -> io::Result<Vec<String>> {
        names(&self.folder)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path(from), self.path(to))
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.folder)?.sync_all()
    }

    fn probe(&self) -> io::Result<()> {
        let probe = self.path(PROBE);
        let mut file =
            wanqu_file::open_with(OpenOptions::new().write(true).create(true).truncate(true).mode(0o600), &probe)?;
        file.write_all(&[b'\n'; 4096])?;
        fs::remove_file(&probe)
    }
}

impl LogFile for File {
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

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        FileExt::read_at(self, bytes, offset)
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn make_read_only(&self) -> io::Result<()> {
        self.set_permissions(Permissions::from_mode(0o400))?;
        self.sync_all()
    }

    fn is_at(&self, path: &Path) -> io::Result<bool> {
        let (own, found) = (self.metadata()?, fs::metadata(path)?);
        Ok((own.dev(), own.ino()) == (found.dev(), found.ino()))
    }
}

/// Returns the names of the files in a folder, without those that are not UTF-8, which are not the log's.
pub(super) fn names(folder: &Path) -> io::Result<Vec<String>> {
    let entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    Ok(entries.into_iter().filter_map(|entry| entry.file_name().into_string().ok()).collect())
}

/// Takes away what others may do in the folder and with the log's files in it. Some volumes let nobody change modes; what is
/// left open there is said in the node's log.
fn make_private(folder: &Path) {
    let names = names(folder).unwrap_or_default();
    let is_ours = |name: &&String| name.starts_with("audit.") || sealed_number(name).is_some();
    let files = names.iter().filter(is_ours).map(|name| folder.join(name));
    for path in std::iter::once(folder.to_owned()).chain(files) {
        // A link's own mode is none, and what it leads to is not the log's.
        let Ok(meta) = fs::symlink_metadata(&path) else { continue };
        let mode = meta.permissions().mode() & 0o777;
        if meta.is_symlink() || mode.trailing_zeros() >= 6 {
            continue;
        }
        if let Err(error) = fs::set_permissions(&path, Permissions::from_mode(mode & 0o700)) {
            tracing::warn!(path = %path.display(), %error, "others can read or change the audit log, and this cannot be taken away");
        }
    }
}

/// Opens a file that only the node reads: researchers' questions are in it.
fn open_private(path: &Path) -> io::Result<File> {
    wanqu_file::open_with(OpenOptions::new().read(true).append(true).create(true).mode(0o600), path)
}
