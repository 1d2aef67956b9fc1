//! The bill of this workspace.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;
use wanqu_sbom::{PROGRAMS, bill};

fn texts<'a>(list: &'a Value, key: &str) -> Vec<&'a str> {
    list.as_array().unwrap().iter().filter_map(|value| value[key].as_str()).collect()
}

#[test]
fn the_bill_lists_what_is_linked_into_the_programs_and_how_it_hangs_together() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let bill = bill(&workspace, None).unwrap();
    let names: BTreeSet<&str> = texts(&bill["components"], "name").into_iter().collect();
    for linked in PROGRAMS.iter().chain(&["datafusion", "ring", "rustls", "kube-client", "wanqu-gate", "tokio"]) {
        assert!(names.contains(linked), "{linked} ships");
    }
    // Tests, what they alone need, and what runs only while the programs are built.
    for other in ["wanqu-testbed", "wanqu-tests", "wanqu-sbom", "insta", "serde_derive", "cc"] {
        assert!(!names.contains(other), "{other} does not ship");
    }

    for component in bill["components"].as_array().unwrap() {
        let (name, version) = (component["name"].as_str().unwrap(), component["version"].as_str().unwrap());
        assert!(
            component["licenses"][0]["expression"].as_str().is_some_and(|licence| !licence.contains('/')),
            "{name}"
        );
        if component["bom-ref"].as_str().unwrap().starts_with("workspace:") {
            assert!(component.get("purl").is_none() && component.get("hashes").is_none(), "{name}");
            continue;
        }
        assert_eq!(component["purl"], format!("pkg:cargo/{name}@{version}"));
        let digest = component["hashes"][0]["content"].as_str().unwrap();
        assert!(digest.len() == 64 && digest.chars().all(|c| c.is_ascii_hexdigit()), "{name}: {digest}");
    }

    // Everything that is listed is there because of a program.
    let edges: BTreeMap<&str, Vec<&str>> = bill["dependencies"]
        .as_array()
        .unwrap()
        .iter()
        .map(|edge| {
            let on = edge["dependsOn"].as_array().unwrap().iter().map(|on| on.as_str().unwrap());
            (edge["ref"].as_str().unwrap(), on.collect())
        })
        .collect();
    let (mut reached, mut next) = (BTreeSet::new(), vec!["wanqu"]);
    while let Some(reference) = next.pop() {
        if reached.insert(reference) {
            next.extend(edges.get(reference).unwrap_or_else(|| panic!("{reference} is not listed")));
        }
    }
    reached.remove("wanqu");
    assert_eq!(reached, texts(&bill["components"], "bom-ref").into_iter().collect());
}

#[test]
fn the_bill_of_the_same_lock_is_the_same_text() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let (first, second) = (bill(&workspace, None).unwrap(), bill(&workspace, None).unwrap());
    assert_eq!(first.to_string(), second.to_string());
}
