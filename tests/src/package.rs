//! The package for Python (`python/`): the environments that its tests and its notebook run in, and the federation that they ask.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use wanqu_cli::args::PortArgs;
use wanqu_cli::running::{Roots, Running};
use wanqu_cli::state::StateDir;
use wanqu_crds::manifests;
use wanqu_samples::Options;

use crate::python;

/// What the tests of the package run with, pinned.
const REQUIREMENTS: &str = include_str!("../../python/requirements.txt");
/// What the notebook runs with beside the package, pinned.
const FOR_NOTEBOOKS: &str = include_str!("../../python/requirements-notebook.txt");
/// Program that runs a notebook.
const NOTEBOOK: &str = include_str!("clients/notebook.py");

/// Failure of a step, in words.
pub type Failed = Box<dyn std::error::Error + Send + Sync>;

/// Returns the folder of the package.
#[must_use]
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../python")
}

fn wheels(requirements: &str) -> Vec<&str> {
    requirements.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect()
}

/// Returns a command of the environment that the package is tested in, on its sources.
///
/// # Errors
/// If the environment cannot be had.
pub fn command() -> Result<Command, Failed> {
    let python = python::environment("package", &wheels(REQUIREMENTS))?;
    let mut command = Command::new(python);
    // Nothing is written beside the sources.
    command.current_dir(folder()).env("PYTHONPATH", folder().join("src")).env("PYTHONDONTWRITEBYTECODE", "1");
    command.env("RUFF_NO_CACHE", "true").env("MYPY_CACHE_DIR", "/dev/null");
    for variable in ["GATEWAY", "CA", "TOKEN", "TOKEN_FILE", "PROJECT", "PURPOSE", "PARTIAL", "HOME"] {
        command.env_remove(format!("WANQU_{variable}"));
    }
    Ok(command)
}

/// Runs a command to its end, and returns what it printed.
///
/// # Errors
/// What it printed, if it failed.
pub fn run(command: &mut Command) -> Result<String, Failed> {
    let output = command.output()?;
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    if output.status.success() { Ok(said) } else { Err(format!("{command:?} failed: {said}").into()) }
}

/// Runs a notebook in a new environment, in which the package is installed, with a local federation of this state folder. Returns
/// the notebook with what it showed.
///
/// # Errors
/// If the package cannot be installed, or a cell of the notebook fails.
pub fn notebook(file: &Path, state: &Path) -> Result<serde_json::Value, Failed> {
    let pinned = wheels(FOR_NOTEBOOKS);
    let downloader = python::environment("package", &wheels(REQUIREMENTS))?;
    let wheels = python::wheels(&downloader, "notebook", &pinned)?;
    let scratch = tempfile::tempdir()?;
    let package = format!("{}[pandas]", folder().display());
    let python = python::fresh(&scratch.path().join("environment"), &wheels, &[&package, "nbclient", "ipykernel"])?;
    let shown = scratch.path().join("shown.ipynb");
    let mut command = Command::new(python);
    command.args(["-c", NOTEBOOK]).arg(file).arg(&shown).current_dir(scratch.path()).env("WANQU_HOME", state);
    run(&mut command)?;
    Ok(serde_json::from_str(&std::fs::read_to_string(shown)?)?)
}

/// Visits of the three cities together: enough for every cell that the tests look at.
const VISITS: u64 = 20_000;
/// Days of air quality.
const DAYS: u16 = 30;

/// Starts the federation of the demo, with less data, from this state folder.
///
/// # Errors
/// If it does not start.
pub async fn demo(state: &Path) -> Result<Running, Failed> {
    let words = |error: wanqu_cli::failure::Failure| Failed::from(error.to_string());
    let folder = StateDir::locate(Some(state)).map_err(words)?;
    let lock = folder.take().map_err(words)?;
    let base = state.join("gba");
    wanqu_samples::write_manifests(&base)?;
    let resources = manifests::read_dir(&base)
        .map_err(|all| Failed::from(all.iter().map(|finding| format!("{finding}\n")).collect::<String>()))?;
    let options = Options { visits: VISITS, air_days: DAYS, ..Options::default() };
    wanqu_samples::ensure(&base.join("data"), &options, &mut |_| ())?;
    let roots = Roots { base, of: BTreeMap::new() };
    Running::start(&folder, lock, &resources, roots, PortArgs::default()).await.map_err(words)
}
