//! The project's binaries.

use std::path::PathBuf;
use std::process::Command;

use crate::root;

/// The folder that cargo builds binaries into: `target/PROFILE` of `target/PROFILE/deps/TEST`.
pub(crate) fn folder() -> PathBuf {
    let test = std::env::current_exe().expect("a test has a path");
    test.ancestors().nth(2).expect("cargo puts tests two folders below the target").to_owned()
}

/// Builds the binaries that the image holds, if they are not as the sources are, and gives their paths. They are built with
/// the tests' own selection of features, so that hardly anything is compiled for it.
///
/// # Panics
/// If they do not compile.
#[must_use]
pub fn programs() -> Vec<PathBuf> {
    let built = folder();
    let (target, profile) = (built.parent().unwrap_or(&built), built.file_name().unwrap_or_default().to_string_lossy());
    let profile = if profile == "debug" { "dev" } else { &profile };
    // The one that runs this test: another toolchain would compile all anew.
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    // Variables that cargo sets for the package under test must not reach the packages that are built.
    for (name, _) in std::env::vars_os() {
        if ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|own| name.to_string_lossy().starts_with(own)) {
            command.env_remove(name);
        }
    }
    // The whole workspace, as the tests themselves were built: single packages select other features of what they need, and
    // would have the engine compiled once more.
    let status = command
        .args(["build", "--locked", "--workspace", "--bins", "--profile", profile, "--target-dir"])
        .arg(target)
        .current_dir(root())
        .status();
    assert!(status.is_ok_and(|status| status.success()), "the programs do not compile");
    ["query-node", "wanqu", "wanqu-operator"].map(|name| built.join(name)).into()
}
