//! The walls of `docs/architecture.md`: which crate may depend on which, and that the rooms of a crate have an order; and the
//! tests that `docs/threats.md` names.

use std::path::Path;
use std::process::Command;

use wanqu_tests::architecture::crates::{Graph, Wall};
use wanqu_tests::architecture::rooms::Rooms;
use wanqu_tests::threats::{self, Held};

/// Forbidden dependencies: of what decides on a runtime or a wire, of the node on Kubernetes or a terminal.
const WALLS: &[Wall] = &[
    Wall { of: "wanqu-model", never: &["kube", "datafusion", "tokio"], not_itself: &[] },
    Wall { of: "wanqu-crds", never: &["datafusion"], not_itself: &[] },
    Wall { of: "wanqu-identity", never: &["kube"], not_itself: &[] },
    Wall { of: "wanqu-client", never: &["kube"], not_itself: &[] },
    Wall { of: "wanqu-records", never: &["datafusion", "tokio", "kube"], not_itself: &[] },
    Wall { of: "wanqu-numbers", never: &["datafusion", "tokio", "kube"], not_itself: &[] },
    Wall { of: "wanqu-sql", never: &["datafusion", "tokio", "kube"], not_itself: &[] },
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

/// Clients that ask the environment for a proxy: nodes and operators connect to whom they mean, or not at all.
const PROXIED: [&str; 4] = ["reqwest", "ureq", "curl", "isahc"];
/// Features that would make other clients do so.
const PROXY_FEATURES: [(&str, &[&str]); 2] =
    [("kube-client", &["http-proxy", "socks5"]), ("hyper-util", &["client-proxy", "client-proxy-system"])];

/// The sources of the crates that have rooms.
const ROOMS: [&str; 13] = [
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
    "crates/sql/src",
];

fn workspace() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn graph() -> Graph {
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--offline"])
        .current_dir(workspace())
        .output()
        .expect("cargo runs");
    assert!(metadata.status.success(), "{}", String::from_utf8_lossy(&metadata.stderr));
    let metadata = serde_json::from_slice(&metadata.stdout).expect("cargo prints JSON");
    Graph::read(&metadata).unwrap()
}

#[test]
fn no_client_is_built_that_knows_proxies() {
    let graph = graph();
    for name in PROXIED {
        assert_eq!(graph.features(name), None, "{name} asks the environment for a proxy");
    }
    for (name, features) in PROXY_FEATURES {
        let built = graph.features(name).unwrap_or_else(|| panic!("{name} is not built: look at what connects now"));
        let knows: Vec<_> = features.iter().filter(|feature| built.contains(**feature)).collect();
        assert!(knows.is_empty(), "{name} is built with {knows:?}");
    }
}

#[test]
fn no_crate_depends_on_what_is_beyond_its_wall() {
    let graph = graph();
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

#[test]
fn every_threat_names_a_test_that_there_is_or_says_that_it_is_open() {
    let text = |path: &str| std::fs::read_to_string(workspace().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"));
    let english = threats::read_english(&text("docs/threats.md")).unwrap();
    assert!(english.len() > 50, "{} threats", english.len());
    let missing: Vec<String> = english.iter().flat_map(|threat| threat.missing(workspace())).collect();
    assert!(missing.is_empty(), "docs/threats.md:\n{}", missing.join("\n"));
    assert!(english.iter().any(|threat| threat.held == Held::Open), "a page without an open threat is not honest");
    // The other language says the same.
    let chinese = threats::read(&text("docs/threats.zh-CN.md"), ["威胁", "防护", "由谁验证"], "没有防护：").unwrap();
    let held = |threats: &[threats::Threat]| -> Vec<_> {
        threats.iter().map(|threat| (threat.paths.clone(), threat.held.clone())).collect()
    };
    assert_eq!(held(&chinese), held(&english));
}
