//! Virtual environments of Python, made once and kept.

use std::fmt;
use std::fs::{File, create_dir_all, remove_dir_all, write};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// An environment that cannot be had, with what to do about it.
#[derive(Debug, Clone)]
pub struct PythonError(String);

impl fmt::Display for PythonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for PythonError {}

/// Returns the Python of an environment with these wheels, each pinned by `==`. The first call makes it, which takes some
/// seconds and says so; another process that wants it meanwhile waits.
///
/// # Errors
/// If there is no Python, or a wheel cannot be had.
pub fn python(wheels: &[&str]) -> Result<PathBuf, PythonError> {
    let cache = wanqu_testing::cache_folder()
        .ok_or_else(|| PythonError("there is no folder for the cache: set WANQU_TESTBED_CACHE (or HOME)".into()))?;
    let folder = cache.join(format!("python-{}", wheels.join("-").replace("==", "-")));
    let io = |e: std::io::Error| PythonError(format!("cannot make {}: {e}", folder.display()));
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
        say(&format!("making a Python environment with {}, once", wheels.join(" and ")));
        make(&environment, wheels)?;
        // An environment that was cut short has no such file.
        write(&whole, wheels.join("\n")).map_err(io)?;
    }
    Ok(environment.join("bin/python"))
}

fn make(environment: &Path, wheels: &[&str]) -> Result<(), PythonError> {
    let venv = "install Python 3 with its module venv (on Debian: apt-get install python3-venv)";
    run(Command::new("python3").args(["-m", "venv"]).arg(environment), venv)?;
    let pip = "pip must be able to install these wheels: look at its settings, the network and the version of Python";
    run(Command::new(environment.join("bin/python")).args(["-m", "pip", "install", "--quiet"]).args(wheels), pip)
}

/// Runs a command to its end; `remedy` says what to do if that fails.
fn run(command: &mut Command, remedy: &str) -> Result<(), PythonError> {
    let line = format!("{command:?}");
    let failed = |why: &str| PythonError(format!("{line} failed: {why}\n{remedy}"));
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
    let _ = writeln!(std::io::stderr(), "python: {text}");
}
