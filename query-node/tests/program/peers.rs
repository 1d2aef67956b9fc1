//! Agreements between members as `/peers` shows them, before anybody asks a question.

use serde_json::{Value, json};

use crate::process::Process;
use crate::world::World;

fn peers(process: &Process, told: &str) -> Value {
    serde_json::from_str(&process.answers("/peers", 200, told)).unwrap()
}

#[test]
fn a_node_shows_what_another_holds_with_it_and_follows_when_that_changes() {
    let world = World::new();
    let hk = Process::start(&world, "HK", &[]);
    let silent = peers(&hk, "\"MO\":{\"problem\"");
    assert_eq!(silent["MO"], json!({"problem": "owner-unavailable"}));
    hk.answers("/metrics", 200, "wanqu_peer_reachable{peer=\"MO\"} 0");

    let mut mo = Process::start(&world, "MO", &[]);
    let told = peers(&hk, "\"MO\":{\"agreements\"");
    let bundle = world.bundle("MO");
    let own = bundle.agreements.iter().find(|agreement| agreement.to.as_str() == "HK").unwrap();
    let same = json!([{"name": own.name, "digest": own.digest, "state": "Active"}]);
    assert_eq!(told["MO"]["agreements"], same, "and nothing of what Macau holds with Shenzhen");
    assert!(bundle.agreements.iter().any(|agreement| agreement.to.as_str() == "CN-SZ"), "which there is");
    hk.answers("/metrics", 200, "wanqu_peer_reachable{peer=\"MO\"} 1");

    let mut other = bundle.clone();
    let changed = other.agreements.iter_mut().find(|agreement| agreement.name == own.name).unwrap();
    changed.digest = "0".repeat(64);
    world.mount_bundle("MO", &other);
    let told = peers(&hk, &"0".repeat(64));
    assert_eq!(told["MO"]["agreements"][0]["name"], json!(own.name));
    mo.terminate();
    mo.ended();
    peers(&hk, "\"MO\":{\"problem\"");
}
