//! A federation on a whole cluster, as a user meets it: the chart installed by Helm, the operator and the nodes in the image
//! that the Dockerfile makes, on a node that enforces network policies and the `restricted` standard.
//!
//! ```text
//! programs() ─▶ the project's binaries, built as `cargo run` builds them
//!     └─▶ cluster()  the image of them, in a cluster
//!             └─▶ shell()  commands of a page of documentation, with `kubectl` and `helm` at hand
//! ```

mod programs;
mod shell;

pub use programs::programs;
pub use shell::Shell;

use std::path::{Path, PathBuf};

use wanqu_testbed::{Cluster, TestbedError, image};

/// The image by the name that the chart and the examples use.
pub const IMAGE: &str = "wanqu:0.1.0";

/// The root of the project.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A cluster that has the project's image.
///
/// # Errors
/// If the programs or the image cannot be built, or the cluster not be started.
pub async fn cluster() -> Result<Cluster, TestbedError> {
    let archive = image::build(&root().join("Dockerfile"), &programs(), IMAGE)?;
    let cluster = Cluster::start_with_policies().await?;
    cluster.import(&archive)?;
    Ok(cluster)
}
