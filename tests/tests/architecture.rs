//! The walls of `docs/architecture.md`: which crate may depend on which, and that the rooms of a crate have an order.

use std::path::Path;
use std::process::Command;

use wanqu_tests::architecture::crates::{Graph, Wall};
use wanqu_tests::architecture::rooms::Rooms;

/// Forbidden dependencies: of what decides on a runtime or a wire, of the node on Kubernetes or a terminal.
const WALLS: &[Wall] = &[
    Wall { of: "wanqu-model", never: &["kube", "datafusion", "tokio"], not_itself: &[] },
    Wall { of: "wanqu-crds", never: &["datafusion"], not_itself: &[] },
    Wall { of: "wanqu-identity", never: &["kube"], not_itself: &[] },
    Wall { of: "wanqu-client", never: &["kube"], not_itself: &[] },
    Wall { of: "wanqu-records", never: &["datafusion", "tokio", "kube"], not_itself: &[] },
    Wall { of: "wanqu-numbers", never: &["datafusion", "tokio", "kube"], not_itself: &[] },
    Wall { of: "wanqu-http", never: &["datafusion", "kube", "tonic"], not_itself: &[] },
    // The engine's own crates bring tokio and object_store along.
    Wall { of: "wanqu-rules", never: &["tonic", "rustls", "kube"], not_itself: &["tokio", "object_store"] },
    Wall { of: "wanqu-gate", never: &["tonic", "rustls", "kube"], not_itself: &[] },
    // DataFusion's own crates bring comfy-table along.
    Wall {
        of: "query-node",
        never: &["kube", "clap_complete", "indicatif", "wanqu-samples"],
        not_itself: &["comfy-table"],
    },
];

/// The sources of the crates that have rooms.
const ROOMS: [&str; 12] = [
    "crds/src",
    "operator/src",
    "query-node/src",
    "crates/rules/src",
    "crates/cli/src",
    "crates/gate/src",
    "crates/model/src",
    "crates/identity/src",
    "crates/client/src",
    "crates/samples/src",
    "crates/records/src",
    "crates/numbers/src",
];

fn workspace() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

#[test]
fn no_crate_depends_on_what_is_beyond_its_wall() {
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--offline"])
        .current_dir(workspace())
        .output()
        .expect("cargo runs");
    assert!(metadata.status.success(), "{}", String::from_utf8_lossy(&metadata.stderr));
    let metadata = serde_json::from_slice(&metadata.stdout).expect("cargo prints JSON");
    let graph = Graph::read(&metadata).unwrap();
    let breaches: Vec<String> = WALLS.iter().flat_map(|wall| graph.breaches(wall)).collect();
    assert!(breaches.is_empty(), "docs/architecture.md says which crate may depend on which:\n{}", breaches.join("\n"));
}

#[test]
fn the_rooms_of_a_crate_have_an_order() {
    for sources in ROOMS {
        let rooms = Rooms::read(&workspace().join(sources)).unwrap();
        assert_eq!(rooms.circle(), None, "a circle of rooms below {sources}");
    }
}
