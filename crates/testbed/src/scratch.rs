//! A folder for everything that one testbed writes, gone when the testbed is.

use std::fs::File;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::error::{Result, TestbedError};
use crate::mounts;

const PREFIX: &str = "wanqu-testbed-";
const LOCK: &str = "in-use";

/// The folder of one testbed. A test process that was killed leaves its folders behind; the next testbed removes them: the
/// lock in each tells whether its process lives.
#[derive(Debug)]
pub(crate) struct Scratch {
    folder: TempDir,
    _lock: File,
}

impl Scratch {
    pub(crate) fn new() -> Result<Self> {
        let parent = std::env::temp_dir();
        for left in abandoned(&parent) {
            mounts::remove_with_mounts(&left);
        }
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(&parent).map_err(TestbedError::io(&parent))?;
        let path = folder.path().join(LOCK);
        // It has its name only once it is locked: another process must never meet it in between, and find nobody here.
        let young = path.with_extension("young");
        let lock = File::create(&young).map_err(TestbedError::io(&young))?;
        lock.lock().map_err(TestbedError::io(&young))?;
        std::fs::rename(&young, &path).map_err(TestbedError::io(&path))?;
        Ok(Self { folder, _lock: lock })
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file that only this user reads, and gives its path.
    pub(crate) fn write(&self, name: &str, content: &str) -> Result<PathBuf> {
        use std::io::Write;
        use std::os::unix::fs::OpenOptionsExt;
        let path = self.path().join(name);
        std::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&path)
            .and_then(|mut file| file.write_all(content.as_bytes()))
            .map_err(TestbedError::io(&path))?;
        Ok(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        mounts::release(self.path());
    }
}

/// The folders whose process has died.
fn abandoned(parent: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(parent).into_iter().flatten().flatten();
    let ours = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX));
    // One without a lock file is being made at this moment.
    ours.map(|entry| entry.path())
        .filter(|folder| File::open(folder.join(LOCK)).is_ok_and(|file| file.try_lock().is_ok()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_in_use_is_left_alone_and_an_abandoned_one_is_found() {
        let parent = tempfile::tempdir().unwrap();
        let [used, left, young, other] =
            ["wanqu-testbed-a", "wanqu-testbed-b", "wanqu-testbed-c", "else"].map(|name| parent.path().join(name));
        for folder in [&used, &left, &young, &other] {
            std::fs::create_dir(folder).unwrap();
        }
        for folder in [&used, &left, &other] {
            File::create(folder.join(LOCK)).unwrap();
        }
        let held = File::open(used.join(LOCK)).unwrap();
        held.lock().unwrap();
        assert_eq!(abandoned(parent.path()), [left]);
    }

    #[test]
    fn a_scratch_folder_is_removed_with_everything_in_it() {
        let scratch = Scratch::new().unwrap();
        let path = scratch.write("key", "secret").unwrap();
        assert!(path.exists());
        drop(scratch);
        assert!(!path.parent().unwrap().exists());
    }
}
