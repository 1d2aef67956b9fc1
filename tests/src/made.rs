//! What the tests need of other languages: made once, kept in the cache of the tests, and shared by their processes.

use std::fmt;
use std::fs::{File, create_dir_all, remove_dir_all, remove_file, write};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Something that cannot be had, with what to do about it.
#[derive(Debug, Clone)]
pub struct MakeError(String);

impl MakeError {
    /// Says why something cannot be had.
    pub(crate) fn new(why: &str) -> Self {
        Self(why.to_owned())
    }
}

impl fmt::Display for MakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for MakeError {}

/// Returns a folder that `make` has filled. The first call has it made, which takes some seconds and is said; another process that
/// wants it meanwhile waits. `name` says all that it is made of.
pub(crate) fn made(
    name: &str,
    what: &str,
    make: impl FnOnce(&Path) -> Result<(), MakeError>,
) -> Result<PathBuf, MakeError> {
    let cache = wanqu_testing::cache_folder()
        .ok_or_else(|| MakeError("there is no folder for the cache: set WANQU_TESTBED_CACHE (or HOME)".into()))?;
    let folder = cache.join(name);
    let io = |e: std::io::Error| MakeError(format!("cannot make {}: {e}", folder.display()));
    create_dir_all(&folder).map_err(io)?;
    // The lock goes with the file, and so with a process that dies.
    let lock = File::create(folder.join("lock")).map_err(io)?;
    lock.lock().map_err(io)?;
    let (content, whole) = (folder.join("content"), folder.join("whole"));
    if !whole.exists() || !content.exists() {
        for old in [&whole, &content].into_iter().filter(|old| old.exists()) {
            if old.is_dir() { remove_dir_all(old) } else { remove_file(old) }.map_err(io)?;
        }
        say(&format!("making {what}, once"));
        make(&content)?;
        // A folder whose making was cut short has no such file.
        write(&whole, what).map_err(io)?;
    }
    Ok(content)
}

/// Runs a command to its end; `remedy` says what to do if that fails.
pub(crate) fn run(command: &mut Command, remedy: &str) -> Result<(), MakeError> {
    let line = format!("{command:?}");
    let failed = |why: &str| MakeError(format!("{line} failed: {why}\n{remedy}"));
    let output = command.output().map_err(|e| failed(&e.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(failed(&String::from_utf8_lossy(&said)))
}

/// Prints what takes long, past the capture of the test harness.
fn say(text: &str) {
    // A terminal that is gone is no reason for a test to fail.
    let _ = writeln!(std::io::stderr(), "tests: {text}");
}
