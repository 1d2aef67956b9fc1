//! Virtual environments of Python.

use std::path::PathBuf;
use std::process::Command;

use crate::made::{MakeError, made, run};

/// Returns the Python of an environment with these wheels, each pinned by `==`.
///
/// # Errors
/// If there is no Python, or a wheel cannot be had.
pub fn python(wheels: &[&str]) -> Result<PathBuf, MakeError> {
    let name = format!("python-{}", wheels.join("-").replace("==", "-"));
    let what = format!("a Python environment with {}", wheels.join(" and "));
    let environment = made(&name, &what, |environment| {
        let venv = "install Python 3 with its module venv (on Debian: apt-get install python3-venv)";
        run(Command::new("python3").args(["-m", "venv"]).arg(environment), venv)?;
        let pip =
            "pip must be able to install these wheels: look at its settings, the network and the version of Python";
        run(Command::new(environment.join("bin/python")).args(["-m", "pip", "install", "--quiet"]).args(wheels), pip)
    })?;
    Ok(environment.join("bin/python"))
}
