//! The Python in which DuckDB is: a virtual environment, made once and kept.

use std::fs::{File, create_dir_all, remove_dir_all, write};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::DuckError;

/// The wheel, pinned: another version may answer otherwise.
const WHEEL: &str = "duckdb==1.5.6";

/// The environment's Python. The first call makes the environment, which takes some seconds and says so; another process
/// that wants it meanwhile waits.
pub(super) fn python() -> Result<PathBuf, DuckError> {
    let cache = wanqu_testing::cache_folder()
        .ok_or_else(|| DuckError("there is no folder for the cache: set WANQU_TESTBED_CACHE (or HOME)".into()))?;
    let folder = cache.join(format!("python-{}", WHEEL.replace("==", "-")));
    let io = |e: std::io::Error| DuckError(format!("cannot make {}: {e}", folder.display()));
    create_dir_all(&folder).map_err(io)?;
    // The lock goes with the file, and so with a process that dies.
    let lock = File::create(folder.join("lock")).map_err(io)?;
    lock.lock().map_err(io)?;
    let environment = folder.join("environment");
    let whole = folder.join("whole");
    if !whole.exists() {
        if environment.exists() {
            remove_dir_all(&environment).map_err(io)?;
        }
        say(&format!("making a Python environment with {WHEEL}, once"));
        make(&environment)?;
        // An environment that was cut short has no such file.
        write(&whole, WHEEL).map_err(io)?;
    }
    Ok(environment.join("bin/python"))
}

fn make(environment: &Path) -> Result<(), DuckError> {
    let venv = "install Python 3 with its module venv (on Debian: apt-get install python3-venv)";
    run(Command::new("python3").args(["-m", "venv"]).arg(environment), venv)?;
    let pip = "pip must be able to install this wheel: look at its settings, the network and the version of Python";
    run(Command::new(environment.join("bin/python")).args(["-m", "pip", "install", "--quiet", WHEEL]), pip)
}

/// Runs a command to its end; `remedy` says what to do if that fails.
fn run(command: &mut Command, remedy: &str) -> Result<(), DuckError> {
    let line = format!("{command:?}");
    let failed = |why: &str| DuckError(format!("{line} failed: {why}\n{remedy}"));
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
    let _ = writeln!(std::io::stderr(), "duck: {text}");
}
