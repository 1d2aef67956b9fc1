//! A federation on a whole cluster, as a user meets it: the chart installed by Helm, the operator and the nodes in the image
//! that the Dockerfile makes, on a node that enforces network policies and the `restricted` standard.
//!
//! ```text
//! programs() ─▶ the project's binaries, built as the tests are
//!     └─▶ cluster()  the image of them, in a cluster
//!             └─▶ Shell    commands of a page of documentation, with `kubectl` and `helm` at hand
//!                   └─▶ federation()  the tutorial, followed until its federation is ready
//!
//! Laptop      the same federation, by `wanqu up`
//! Researcher  asks from outside the cluster; Stream: again and again, counting the results
//! OwnersLog   an owner's audit log
//! ```

mod audit;
mod laptop;
mod page;
mod programs;
pub mod researcher;
mod shell;
mod stream;

pub use audit::OwnersLog;
pub use laptop::Laptop;
pub use page::follow;
pub use programs::programs;
pub use researcher::Researcher;
pub use shell::Shell;
pub use stream::{Known, Stream, Tally};

use std::path::{Path, PathBuf};

use wanqu_chart_tests::steps;
use wanqu_testbed::{Cluster, TestbedError, image};

/// The image by the name that the chart and the examples use.
pub const IMAGE: &str = "wanqu:0.1.0";

/// The root of the project.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The archive of the project's image, which clusters import.
///
/// # Errors
/// If the programs or the image cannot be built.
pub fn archive() -> Result<PathBuf, TestbedError> {
    image::build(&root().join("Dockerfile"), &programs(), IMAGE)
}

/// A cluster that has the project's image.
///
/// # Errors
/// If the programs or the image cannot be built, or the cluster not be started.
pub async fn cluster() -> Result<Cluster, TestbedError> {
    let archive = archive()?;
    let cluster = Cluster::start_with_policies().await?;
    cluster.import(&archive)?;
    Ok(cluster)
}

/// Returns the state of all objects in a cluster and the operator's log, to find out why a test failed.
#[must_use]
pub fn state(cluster: &Cluster) -> String {
    let log = "--selector=app.kubernetes.io/name=wanqu-operator";
    let ended = "--output=jsonpath={range .items[*]}{.metadata.name}: \
                 {.status.containerStatuses[*].lastState.terminated.message}{'\\n'}{end}";
    let asked: [&[&str]; 4] = [
        &["get", "wanqu,pods,jobs,events", "--all-namespaces", "--output=wide"],
        &["get", "pods", "--all-namespaces", ended],
        &["get", "federatedqueries", "--all-namespaces", "--output=yaml"],
        &["logs", "--namespace=wanqu-system", log, "--prefix", "--tail=300"],
    ];
    asked.map(|asked| cluster.kubectl(asked).unwrap_or_else(|error| error.to_string())).join("\n")
}

/// A cluster on which the tutorial was followed until its federation is ready.
///
/// # Panics
/// If a command of the tutorial fails.
pub async fn federation() -> (Cluster, Shell) {
    let cluster = cluster().await.expect("a cluster");
    let shell = Shell::new(&cluster);
    let page = std::fs::read_to_string(root().join("docs/tutorial-kubernetes.md")).expect("the tutorial");
    let mut ready = false;
    for step in steps(&page) {
        shell.run(&step).expect("a step of the tutorial");
        if step.command.contains("federation/gba") {
            ready = true;
            break;
        }
    }
    assert!(ready, "the tutorial waits for the federation");
    (cluster, shell)
}
