//! The project's binaries.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Builds the binaries that the image holds, if they are not as the sources are, and gives their paths. They are built as
/// `cargo run` builds them, so that nothing is compiled twice.
///
/// # Panics
/// If they do not compile.
#[must_use]
pub fn programs() -> Vec<PathBuf> {
    let test = std::env::current_exe().expect("a test has a path");
    // target/PROFILE/deps/TEST
    let built = test.ancestors().nth(2).expect("cargo puts tests two folders below the target");
    let (target, profile) = (built.parent().unwrap_or(built), built.file_name().unwrap_or_default().to_string_lossy());
    let profile = if profile == "debug" { "dev" } else { &profile };
    // The one that runs this test: another toolchain would compile all anew.
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    for package in ["query-node", "wanqu-operator"] {
        let mut command = Command::new(&cargo);
        // What cargo says of the package under test is no business of the packages that are built.
        for (name, _) in std::env::vars_os() {
            if ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|own| name.to_string_lossy().starts_with(own)) {
                command.env_remove(name);
            }
        }
        let status = command
            .args(["build", "--locked", "--bins", "--package", package, "--profile", profile, "--target-dir"])
            .arg(target)
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")))
            .status();
        assert!(status.is_ok_and(|status| status.success()), "{package} does not compile");
    }
    ["query-node", "wanqu", "wanqu-operator"].map(|name| built.join(name)).into()
}
