//! The chart's own page, made by helm-docs from its values and a template.

use std::process::Command;

use wanqu_testbed::binaries::{Tool, ensure};

/// Returns the text that `charts/wanqu/README.md` should have.
///
/// # Panics
/// If helm-docs cannot be built or run.
#[must_use]
pub fn readme() -> String {
    let program = ensure(Tool::HelmDocs).unwrap_or_else(|error| panic!("{error}"));
    let output = Command::new(&program)
        .arg("--chart-search-root")
        .arg(crate::chart())
        .args(["--sort-values-order", "file", "--dry-run", "--log-level", "error"])
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("helm-docs writes text")
}
