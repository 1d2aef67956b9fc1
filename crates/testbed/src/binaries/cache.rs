//! Cache of built programs, and the lock that lets one process at a time build one.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::tool::Recipe;
use crate::error::{Result, TestbedError};
use crate::say::say;

/// The folder of the cache, outside the clone.
fn folder() -> Result<PathBuf> {
    wanqu_testing::cache_folder().ok_or_else(|| TestbedError::Missing {
        program: "a folder for the cache".to_owned(),
        install: "set WANQU_TESTBED_CACHE (or HOME)".to_owned(),
    })
}

/// The place of one program in the cache: another place for whatever would make another program.
pub(super) struct Entry {
    folder: PathBuf,
    name: &'static str,
    version: String,
}

impl Entry {
    pub(super) fn new(recipe: &Recipe) -> Result<Self> {
        Ok(Self::of(&folder()?, recipe))
    }

    fn of(cache: &Path, recipe: &Recipe) -> Self {
        let folder = cache.join(format!("{}-{}-{}", recipe.name, recipe.version, key(recipe)));
        Self { folder, name: recipe.name, version: recipe.version.clone() }
    }

    /// The program if it is there; else `build` makes it, while every other process that wants it waits.
    pub(super) fn get_or(&self, build: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
        let program = self.folder.join(self.name);
        if program.exists() {
            return Ok(program);
        }
        std::fs::create_dir_all(&self.folder).map_err(TestbedError::io(&self.folder))?;
        let _lock = self.lock()?;
        if !program.exists() {
            // A build that is cut short leaves no program behind.
            let unfinished = self.folder.join(format!("{}.unfinished", self.name));
            build(&unfinished)?;
            std::fs::rename(&unfinished, &program).map_err(TestbedError::io(&program))?;
        }
        Ok(program)
    }

    /// The lock goes with the file, and so with a process that dies.
    fn lock(&self) -> Result<File> {
        let path = self.folder.join("lock");
        let file = File::create(&path).map_err(TestbedError::io(&path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                say(&format!("waiting for another process that builds {} {}", self.name, self.version));
                file.lock().map_err(TestbedError::io(&path))?;
            }
            Err(TryLockError::Error(source)) => return Err(TestbedError::Io { path, source }),
        }
        Ok(file)
    }
}

/// Something else that is kept: the file of this name in a part of the cache, made if it is missing, and the only one there.
pub(crate) fn kept(part: &str, name: &str, make: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    let folder = folder()?.join(part);
    std::fs::create_dir_all(&folder).map_err(TestbedError::io(&folder))?;
    let path = folder.join("lock");
    let lock = File::create(&path).map_err(TestbedError::io(&path))?;
    lock.lock().map_err(TestbedError::io(&path))?;
    let file = folder.join(name);
    if !file.exists() {
        let others = std::fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path());
        for other in others.filter(|other| *other != path) {
            // An old one that stays takes room and does no harm.
            let _ = std::fs::remove_file(other);
        }
        let unfinished = folder.join("unfinished");
        make(&unfinished)?;
        std::fs::rename(&unfinished, &file).map_err(TestbedError::io(&file))?;
    }
    Ok(file)
}

fn key(recipe: &Recipe) -> String {
    let mut hash = Sha256::new();
    for part in [recipe.package, &recipe.ldflags, &recipe.sums[0], &recipe.sums[1]] {
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    // Enough to tell the builds of one tool apart.
    format!("{:x}", hash.finalize())[..12].to_owned()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::binaries::Tool;

    #[test]
    fn builds_of_different_sources_or_settings_have_different_places_in_the_cache() {
        let recipe = || Tool::Etcd.recipe().unwrap();
        let mut changed = [recipe(), recipe(), recipe(), recipe()];
        changed[0].sums[0].push('\n');
        changed[1].sums[1].push('\n');
        changed[2].ldflags.push_str(" -X a=b");
        changed[3].package = "go.etcd.io/etcd/server/v3/other";
        for other in &changed {
            assert_ne!(key(&recipe()), key(other));
        }
        assert_eq!(key(&recipe()), key(&recipe()));
    }

    #[test]
    fn a_program_that_many_ask_for_at_once_is_built_once() {
        let cache = tempfile::tempdir().unwrap();
        let entry = Entry::of(cache.path(), &Tool::Etcd.recipe().unwrap());
        let builds = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let program = entry.get_or(|into| {
                        builds.fetch_add(1, Ordering::SeqCst);
                        std::fs::write(into, "program").map_err(TestbedError::io(into))
                    });
                    assert_eq!(std::fs::read_to_string(program.unwrap()).unwrap(), "program");
                });
            }
        });
        assert_eq!(builds.into_inner(), 1);
    }

    #[test]
    fn a_build_that_fails_is_tried_again() {
        let cache = tempfile::tempdir().unwrap();
        let entry = Entry::of(cache.path(), &Tool::Etcd.recipe().unwrap());
        let failed = entry.get_or(|into| {
            std::fs::write(into, "half").unwrap();
            Err(TestbedError::Build { tool: "etcd".into(), status: "1".into(), output: String::new() })
        });
        assert!(failed.is_err());
        let program = entry.get_or(|into| std::fs::write(into, "whole").map_err(TestbedError::io(into))).unwrap();
        assert_eq!(std::fs::read_to_string(program).unwrap(), "whole");
    }
}
