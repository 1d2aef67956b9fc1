//! The bill of materials of the programs that ship, as `CycloneDX`.
//!
//! ```text
//! cargo tree       which crates are linked into the programs for a target, with the features they are built with
//! cargo metadata   their licences, and which depends on which
//! Cargo.lock       the digests of their sources
//!      └─▶ bill()  the same text for the same lock: no time, no random number
//! ```
//!
//! What only runs while the programs are built (procedural macros, build scripts, tests) is not in them, and not listed.
//! Neither are the libraries of the base image: the image names that in a label.

mod compose;

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

pub use compose::{Crate, compose};

/// The programs that ship, by their packages.
pub const PROGRAMS: [&str; 3] = ["query-node", "wanqu-cli", "wanqu-operator"];

/// Error of making a bill.
#[derive(Debug, thiserror::Error)]
pub enum SbomError {
    /// A file cannot be read, or a program not be run.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// Cargo failed: what it said.
    #[error("cargo {0}")]
    Cargo(String),
    /// What cargo printed does not have the form that is expected.
    #[error("{0}")]
    Form(String),
}

/// Returns the bill of a workspace for a target; for this machine's if none is given.
///
/// # Errors
/// If cargo fails, or the lock does not fit the manifests.
pub fn bill(workspace: &Path, target: Option<&str>) -> Result<Value, SbomError> {
    let target = match target {
        Some(target) => target.to_owned(),
        None => host(workspace)?,
    };
    let mut tree = vec!["tree", "--locked", "--edges", "normal,no-proc-macro", "--prefix", "none", "--format", "{p}"];
    tree.extend(["--target", &target]);
    tree.extend(PROGRAMS.iter().flat_map(|program| ["--package", program]));
    let shipped = compose::listed(&cargo(workspace, &tree)?)?;
    let metadata = ["metadata", "--format-version", "1", "--locked", "--filter-platform", &target];
    let metadata = serde_json::from_str(&cargo(workspace, &metadata)?);
    let metadata = metadata.map_err(|error| SbomError::Form(format!("cargo metadata: {error}")))?;
    let lock = std::fs::read_to_string(workspace.join("Cargo.lock"))?;
    compose(&shipped, &metadata, &compose::digests(&lock))
}

/// Returns this machine's target.
fn host(workspace: &Path) -> Result<String, SbomError> {
    let said = cargo(workspace, &["--version", "--verbose"])?;
    let host = said.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| SbomError::Form("cargo --version names no host".to_owned()))
}

fn cargo(workspace: &Path, arguments: &[&str]) -> Result<String, SbomError> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let output = Command::new(cargo).args(arguments).current_dir(workspace).output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(SbomError::Cargo(format!("{}: {}", arguments.join(" "), said.trim())));
    }
    String::from_utf8(output.stdout).map_err(|_| SbomError::Form("cargo printed something that is no text".to_owned()))
}
