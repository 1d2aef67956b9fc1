//! Virtual environments of Python, made once and kept; and fresh ones, made of wheels that are kept.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::made::{MakeError, made, run};

const VENV: &str = "install Python 3.11 or later with its module venv (on Debian: apt-get install python3-venv)";
const PIP: &str =
    "pip must be able to install these wheels: look at its settings, the network and the version of Python";

/// Returns the Python of an environment with these wheels, each pinned by `==`.
///
/// # Errors
/// If there is no Python, or a wheel cannot be had.
pub fn python(wheels: &[&str]) -> Result<PathBuf, MakeError> {
    let name = format!("python-{}", wheels.join("-").replace("==", "-"));
    installed(&name, wheels)
}

/// The same, by a name: for an environment of more wheels than a name should list.
///
/// # Errors
/// As for [`python`].
pub fn environment(name: &str, wheels: &[&str]) -> Result<PathBuf, MakeError> {
    installed(&named(&format!("python-{name}"), wheels), wheels)
}

/// Returns a folder with these wheels and all that they need, fetched by the pip of this Python.
///
/// # Errors
/// If a wheel cannot be had.
pub fn wheels(python: &Path, name: &str, wheels: &[&str]) -> Result<PathBuf, MakeError> {
    let what = format!("a folder with {} and what they need", wheels.join(", "));
    made(&named(&format!("wheels-{name}"), wheels), &what, |folder| {
        let download = ["-m", "pip", "download", "--quiet", "--dest"];
        run(Command::new(python).args(download).arg(folder).args(wheels), PIP)
    })
}

/// Makes a new environment in a folder, and installs packages there of a folder of wheels and of nothing else. Returns its Python.
///
/// # Errors
/// If there is no Python, or a wheel is not in the folder.
pub fn fresh(folder: &Path, wheels: &Path, packages: &[&str]) -> Result<PathBuf, MakeError> {
    run(Command::new("python3").args(["-m", "venv"]).arg(folder), VENV)?;
    let python = folder.join("bin/python");
    let install = ["-m", "pip", "install", "--quiet", "--no-compile", "--no-index", "--find-links"];
    run(Command::new(&python).args(install).arg(wheels).args(packages), PIP)?;
    Ok(python)
}

fn installed(name: &str, wheels: &[&str]) -> Result<PathBuf, MakeError> {
    let what = format!("a Python environment with {}", wheels.join(", "));
    let environment = made(name, &what, |environment| {
        run(Command::new("python3").args(["-m", "venv"]).arg(environment), VENV)?;
        let install = ["-m", "pip", "install", "--quiet"];
        run(Command::new(environment.join("bin/python")).args(install).args(wheels), PIP)
    })?;
    Ok(environment.join("bin/python"))
}

/// Returns a name for what is made of these wheels, which is another one when they change.
fn named(name: &str, wheels: &[&str]) -> String {
    let mut hasher = DefaultHasher::new();
    wheels.hash(&mut hasher);
    format!("{name}-{:016x}", hasher.finish())
}
