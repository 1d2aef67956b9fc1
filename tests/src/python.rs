//! Virtual environments of Python, made once and kept; and fresh ones, made of wheels that are kept.

use std::fmt;
use std::fs::{File, create_dir_all, read_to_string, remove_dir_all, remove_file, write};
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
    environment(&wheels.join("-").replace("==", "-"), wheels)
}

/// The same, by a name: for an environment of more wheels than a name should list. It is made again when they change.
///
/// # Errors
/// As for [`python`].
pub fn environment(name: &str, wheels: &[&str]) -> Result<PathBuf, PythonError> {
    let folder = kept(&format!("python-{name}"), wheels, |environment| {
        say(&format!("making a Python environment with {}, once", wheels.join(", ")));
        made(environment)?;
        let install = ["-m", "pip", "install", "--quiet"];
        run(Command::new(environment.join("bin/python")).args(install).args(wheels), PIP)
    })?;
    Ok(folder.join("bin/python"))
}

/// Returns a folder with these wheels and all that they need, fetched by the pip of this Python. The first call fetches them.
///
/// # Errors
/// If a wheel cannot be had.
pub fn wheels(python: &Path, name: &str, wheels: &[&str]) -> Result<PathBuf, PythonError> {
    kept(&format!("wheels-{name}"), wheels, |folder| {
        say(&format!("fetching {} and what they need, once", wheels.join(", ")));
        let download = ["-m", "pip", "download", "--quiet", "--dest"];
        run(Command::new(python).args(download).arg(folder).args(wheels), PIP)
    })
}

/// Makes a new environment in a folder, and installs packages there of a folder of wheels and of nothing else. Returns its Python.
///
/// # Errors
/// If there is no Python, or a wheel is not in the folder.
pub fn fresh(folder: &Path, wheels: &Path, packages: &[&str]) -> Result<PathBuf, PythonError> {
    say(&format!("installing {} into a new environment", packages.join(", ")));
    made(folder)?;
    let python = folder.join("bin/python");
    let install = ["-m", "pip", "install", "--quiet", "--no-compile", "--no-index", "--find-links"];
    run(Command::new(&python).args(install).arg(wheels).args(packages), PIP)?;
    Ok(python)
}

const VENV: &str = "install Python 3.11 or later with its module venv (on Debian: apt-get install python3-venv)";
const PIP: &str =
    "pip must be able to install these wheels: look at its settings, the network and the version of Python";

fn made(environment: &Path) -> Result<(), PythonError> {
    run(Command::new("python3").args(["-m", "venv"]).arg(environment), VENV)
}

/// Returns a folder of the cache that was made of these wheels, and makes it if there is none.
fn kept(
    name: &str,
    wheels: &[&str],
    make: impl FnOnce(&Path) -> Result<(), PythonError>,
) -> Result<PathBuf, PythonError> {
    let cache = wanqu_testing::cache_folder()
        .ok_or_else(|| PythonError("there is no folder for the cache: set WANQU_TESTBED_CACHE (or HOME)".into()))?;
    let folder = cache.join(name);
    let io = |e: std::io::Error| PythonError(format!("cannot make {}: {e}", folder.display()));
    create_dir_all(&folder).map_err(io)?;
    // The lock goes with the file, and so with a process that dies.
    let lock = File::create(folder.join("lock")).map_err(io)?;
    lock.lock().map_err(io)?;
    let (content, whole) = (folder.join("environment"), folder.join("whole"));
    let list = wheels.join("\n");
    if read_to_string(&whole).ok().as_deref() != Some(list.as_str()) {
        // A folder that was cut short has no such file.
        if whole.exists() {
            remove_file(&whole).map_err(io)?;
        }
        if content.exists() {
            remove_dir_all(&content).map_err(io)?;
        }
        make(&content)?;
        write(&whole, list).map_err(io)?;
    }
    Ok(content)
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
