//! The chart as its tests see it.
//!
//! ```text
//! charts/wanqu ─▶ Helm::template(values) ─▶ Rendered ─▶ object("Deployment", "wanqu-operator")
//!              └▶ Helm::run(["install", …])  on a control plane of the test's own
//! ```

mod docs;
mod helm;
mod metrics;
mod rendered;
mod tutorial;

use std::path::{Path, PathBuf};

pub use docs::readme;
pub use helm::{Helm, Output};
pub use metrics::{metrics, used};
pub use rendered::Rendered;
pub use tutorial::{Block, Step, blocks, steps};

/// The root of the repository.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The chart.
#[must_use]
pub fn chart() -> PathBuf {
    root().join("charts/wanqu")
}

/// The values files that the chart is tried with: the files of `ci/`, each a way in which people set it up.
#[must_use]
pub fn values_files() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(chart().join("ci")).expect("the chart has a folder ci");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("it can be listed").path()).collect();
    files.sort();
    files
}
