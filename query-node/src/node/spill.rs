//! The folder for data that memory does not hold, and what nodes that were killed left of theirs.
//!
//! ```text
//! wanqu-spill-XXXXXX/   of the user of the node, and readable by nobody else
//!   lock                held by the node for as long as it lives: the kernel lets go of it when a process ends, however it ends
//!   …                   what the engine spills
//! ```
//!
//! Only a folder whose lock can be taken is removed. So neither a number of a process that is used again nor one that means
//! another process in another container can lead to the wrong folder.

use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, open, openat};
use tempfile::TempDir;

/// The beginning of the folders' names.
const PREFIX: &str = "wanqu-spill-";
/// The file in each of them that tells whether its node lives.
const LOCK: &str = "lock";

/// A folder for spilled data, which goes with its node.
#[derive(Debug)]
pub(super) struct Spill {
    folder: TempDir,
    /// None where the file system knows no locks: such a folder is removed by its own node or by nobody.
    _lock: Option<File>,
}

impl Spill {
    /// Makes one below this folder, and removes those of nodes that are no more.
    pub(super) fn below(folder: &Path) -> io::Result<Self> {
        // Rows are spilled as they are: nobody else may read them.
        let private = Permissions::from_mode(0o700);
        let folder = tempfile::Builder::new().prefix(PREFIX).permissions(private).tempdir_in(folder)?;
        let lock = lock(folder.path()).inspect_err(|error| {
            tracing::warn!(%error, "the folder for spilled data cannot be locked: it stays behind if the node is killed");
        });
        let made = Self { folder, _lock: lock.ok() };
        made.sweep();
        Ok(made)
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Removes the folders beside this one whose nodes are no more. One that cannot be removed stays.
    fn sweep(&self) {
        let Ok(own) = self.folder.path().metadata() else { return };
        let beside = self.folder.path().parent().and_then(|folder| std::fs::read_dir(folder).ok());
        for path in beside.into_iter().flatten().flatten().map(|entry| entry.path()) {
            let named = path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(PREFIX));
            if !named || path == self.folder.path() {
                continue;
            }
            // Held until the folder is gone, so that nobody else removes it at the same time.
            let Some(_lock) = abandoned(&path, own.uid()) else { continue };
            match std::fs::remove_dir_all(&path) {
                Ok(()) => {
                    tracing::info!(folder = %path.display(), "removed the spilled data of a node that was killed");
                }
                // Another node was faster.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => tracing::warn!(folder = %path.display(), %error, "spilled data cannot be removed"),
            }
        }
    }
}

/// Makes the lock of a folder. It gets its name when it is held: another node may look for it at any moment.
fn lock(folder: &Path) -> io::Result<File> {
    let unnamed = folder.join("lock.new");
    let file = File::create_new(&unnamed)?;
    file.try_lock()?;
    std::fs::rename(&unnamed, folder.join(LOCK))?;
    Ok(file)
}

/// Returns the lock of a folder whose node is no more. None for whatever else bears the name: a link, what another user made
/// or may write into, and a folder without a lock, which may be one that is being made.
fn abandoned(path: &Path, user: u32) -> Option<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let folder = File::from(open(path, flags | OFlags::DIRECTORY, Mode::empty()).ok()?);
    let found = folder.metadata().ok()?;
    if found.uid() != user || found.mode() & 0o022 != 0 {
        return None;
    }
    let file = File::from(openat(&folder, LOCK, flags, Mode::empty()).ok()?);
    let regular = file.metadata().ok()?.is_file();
    (regular && file.try_lock().is_ok()).then_some(file)
}

/// Returns the folder of the system for temporary files.
pub(super) fn temporary() -> PathBuf {
    std::env::temp_dir()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::process::{Command, Stdio};
    use std::time::Duration;

    use wanqu_testing::until_blocking;

    use super::*;

    /// A folder as a node leaves it that was killed: nobody holds its lock.
    fn left(below: &Path, name: &str) -> PathBuf {
        let path = below.join(name);
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o700)).unwrap();
        fs::write(path.join(LOCK), "").unwrap();
        fs::create_dir(path.join("datafusion-1")).unwrap();
        fs::write(path.join("datafusion-1/batch"), "rows").unwrap();
        path
    }

    #[test]
    fn a_folder_goes_with_its_node_and_with_the_next_one_if_it_was_killed() {
        let below = tempfile::tempdir().unwrap();
        let alive = Spill::below(below.path()).unwrap();
        assert_eq!(alive.path().metadata().unwrap().mode() & 0o777, 0o700);
        fs::write(alive.path().join("batch"), "rows").unwrap();
        let dead = left(below.path(), "wanqu-spill-dead");
        let next = Spill::below(below.path()).unwrap();
        assert!(!dead.exists());
        assert!(alive.path().join("batch").exists(), "in one process too, as `wanqu up` has three");
        let (first, second) = (alive.path().to_owned(), next.path().to_owned());
        drop((alive, next));
        assert!(!first.exists() && !second.exists());
    }

    #[test]
    fn what_only_bears_the_name_stays() {
        let (below, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let precious = left(elsewhere.path(), "precious");
        symlink(&precious, below.path().join("wanqu-spill-link")).unwrap();
        let other = left(below.path(), "wanqu-other");
        let writable = left(below.path(), "wanqu-spill-writable");
        fs::set_permissions(&writable, Permissions::from_mode(0o777)).unwrap();
        let unfinished = left(below.path(), "wanqu-spill-unfinished");
        fs::rename(unfinished.join(LOCK), unfinished.join("lock.new")).unwrap();
        let linked = left(below.path(), "wanqu-spill-linked");
        fs::remove_file(linked.join(LOCK)).unwrap();
        symlink(precious.join(LOCK), linked.join(LOCK)).unwrap();
        let folder = left(below.path(), "wanqu-spill-folder");
        fs::remove_file(folder.join(LOCK)).unwrap();
        fs::create_dir(folder.join(LOCK)).unwrap();
        // A link in a folder that goes, goes without what it leads to.
        let dead = left(below.path(), "wanqu-spill-dead");
        symlink(&precious, dead.join("link")).unwrap();
        let _node = Spill::below(below.path()).unwrap();
        for path in [&precious, &other, &writable, &unfinished, &linked, &folder] {
            assert!(path.join("datafusion-1/batch").exists(), "{}", path.display());
        }
        assert!(!dead.exists());
        assert!(abandoned(&left(below.path(), "wanqu-spill-theirs"), u32::MAX).is_none(), "another user's");
    }

    /// The folder of the test below, in the process that is killed.
    const BELOW: &str = "WANQU_TEST_SPILL_BELOW";

    #[test]
    fn the_folder_of_a_process_that_was_killed_is_removed_and_not_before() {
        if let Some(below) = std::env::var_os(BELOW) {
            let node = Spill::below(Path::new(&below)).unwrap();
            fs::write(node.path().join("batch"), "rows").unwrap();
            fs::write(Path::new(&below).join("ready"), "").unwrap();
            loop {
                std::thread::park();
            }
        }
        let below = tempfile::tempdir().unwrap();
        let mut node = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", std::thread::current().name().unwrap()])
            .env(BELOW, below.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        until_blocking("the other process making its folder", Duration::from_mins(1), || {
            if below.path().join("ready").exists() { Ok(()) } else { Err("it has not") }
        });
        let folders = || {
            let entries = fs::read_dir(below.path()).unwrap().map(|entry| entry.unwrap().file_name());
            entries.filter(|name| name.to_str().unwrap().starts_with(PREFIX)).count()
        };
        let next = Spill::below(below.path()).unwrap();
        let alive = folders();
        node.kill().unwrap();
        node.wait().unwrap();
        assert_eq!(alive, 2, "it lives");
        let last = Spill::below(below.path()).unwrap();
        assert_eq!(folders(), 2, "the two of this process");
        drop((next, last));
    }
}
