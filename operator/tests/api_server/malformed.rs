//! Objects that the operator cannot read, though the API server took them.

use std::time::Duration;

use kube::api::{Patch, PatchParams, PostParams};
use serde_json::json;
use wanqu_testing::until;

use crate::bed::{Bed, condition};

#[tokio::test]
async fn an_object_that_cannot_be_read_says_which_field_and_stops_nobody() {
    let bed = Bed::start().await;
    bed.loosen("disclosurepolicies").await;
    let _operator = bed.operator("a", &[]).await;
    bed.apply_examples().await;
    bed.ready("DisclosurePolicy", "macau-people").await;

    bed.merge("DisclosurePolicy", "gba", "macau-people", json!({"spec": {"minUnits": "ten"}})).await;
    let message = bed.condition("DisclosurePolicy", "macau-people", "Valid", "False", "Invalid").await;
    assert!(message.starts_with("spec.minUnits: invalid type"), "{message}");
    // Awaited by its text: while the examples were still being applied, the federation was invalid for another reason.
    bed.until("Federation", "gba", "gba", |federation| {
        let valid = condition(federation, "Valid").filter(|valid| valid["reason"] == "Invalid")?;
        valid["message"].as_str()?.contains("DisclosurePolicy macau-people spec.minUnits").then_some(())
    })
    .await;
    // The watch of its kind goes on.
    bed.merge("DisclosurePolicy", "gba", "hongkong-people", json!({"spec": {"minUnits": 11}})).await;
    bed.condition("DisclosurePolicy", "hongkong-people", "Valid", "True", "Compiled").await;

    bed.merge("DisclosurePolicy", "gba", "macau-people", json!({"spec": {"minUnits": 12}})).await;
    bed.ready("DisclosurePolicy", "macau-people").await;
    bed.condition("Federation", "gba", "Valid", "True", "Compiled").await;
}

#[tokio::test]
async fn a_query_that_cannot_be_read_any_more_keeps_what_came_of_it() {
    let bed = Bed::start().await;
    let query = json!({
        "apiVersion": "wanqu.dev/v1alpha1", "kind": "FederatedQuery", "metadata": {"name": "asked"},
        "spec": {"sql": "SELECT 1", "from": "HK", "requester": "somebody"},
    });
    bed.apply(&query.to_string()).await;
    let run =
        json!({"number": 1, "state": "Complete", "startTime": "2026-01-01T00:00:00Z", "runner": "another", "rows": 3});
    let queries = bed.api("FederatedQuery", "gba");
    let patch = Patch::Merge(json!({"status": {"runs": [run]}}));
    queries.patch_status("asked", &PatchParams::default(), &patch).await.unwrap();
    bed.loosen("federatedqueries").await;
    until("a text that is none being accepted", Duration::from_mins(1), async || {
        let patch = Patch::Merge(json!({"spec": {"sql": 7}}));
        queries.patch("asked", &PatchParams::default(), &patch).await.map(drop)
    })
    .await;
    let _operator = bed.operator("a", &[]).await;
    bed.condition("FederatedQuery", "asked", "Accepted", "False", "Invalid").await;
    let asked = bed.get("FederatedQuery", "gba", "asked").await.unwrap();
    assert_eq!(asked["status"]["runs"], json!([run]), "or it would be asked a second time");
}

/// Changes the spec of a Jurisdiction as only a newer operator understands it.
async fn make_newer(bed: &Bed, name: &str) {
    let newer = json!({"spec": {"replicas": {"zones": 3}, "fromTheFuture": true}});
    let jurisdictions = bed.api("Jurisdiction", "gba");
    until("a newer spec being accepted", Duration::from_mins(1), async || {
        jurisdictions.patch(name, &PatchParams::default(), &Patch::Merge(&newer)).await.map(drop)
    })
    .await;
    let (_, message) = bed.told("Jurisdiction", name, "Valid", "False", "spec.replicas").await;
    assert!(message.contains("install operator and definitions of the same version"), "{message}");
}

#[tokio::test]
async fn a_jurisdiction_of_a_newer_version_keeps_valid_certificates_and_its_workload() {
    let bed = Bed::start().await;
    let operator = bed.operator("a", &["--leaf-seconds", "3600"]).await;
    bed.apply_examples().await;
    bed.run_workloads().await;
    bed.ready("Federation", "gba").await;
    bed.loosen("jurisdictions").await;
    make_newer(&bed, "hongkong").await;
    let certificate = |secret: &serde_json::Value| secret["data"]["node.pem"].as_str().unwrap().to_owned();
    let before = certificate(&bed.until_there("Secret", "gba-hongkong", "hongkong-identity").await);
    let workload = bed.get("StatefulSet", "gba-hongkong", "hongkong-node").await.unwrap()["spec"].clone();
    bed.later(3000);
    // An operator of this version starts while the object is of a newer one.
    operator.stop().await;
    let _operator = bed.operator("b", &["--leaf-seconds", "3600"]).await;
    bed.until("Secret", "gba-hongkong", "hongkong-identity", |secret| (certificate(secret) != before).then_some(()))
        .await;
    bed.condition("Jurisdiction", "hongkong", "IdentityReady", "True", "Issued").await;
    assert_eq!(bed.get("StatefulSet", "gba-hongkong", "hongkong-node").await.unwrap()["spec"], workload);
}

#[tokio::test]
async fn objects_of_a_newer_version_go_when_they_are_deleted() {
    let bed = Bed::start().await;
    let _operator = bed.operator("a", &[]).await;
    bed.apply_examples().await;
    bed.until_there("StatefulSet", "gba-hongkong", "hongkong-node").await;
    bed.loosen("jurisdictions").await;
    make_newer(&bed, "hongkong").await;
    bed.delete("Jurisdiction", "gba", "hongkong").await;
    bed.until_gone("Jurisdiction", "gba", "hongkong").await;
    assert!(bed.get("StatefulSet", "gba-hongkong", "hongkong-node").await.is_none());
    assert!(bed.get("Secret", "gba-hongkong", "hongkong-identity").await.is_none());

    bed.loosen("federatedqueries").await;
    let query = json!({
        "apiVersion": "wanqu.dev/v1alpha1", "kind": "FederatedQuery",
        "metadata": {"name": "asked", "namespace": "gba", "finalizers": ["wanqu.dev/cancel"]},
        "spec": {"sql": {"text": "SELECT 1"}, "from": "HK", "requester": "somebody"},
    });
    let queries = bed.api("FederatedQuery", "gba");
    until("a newer query being accepted", Duration::from_mins(1), async || {
        let query = serde_json::from_value(query.clone()).unwrap();
        queries.create(&PostParams::default(), &query).await.map(drop)
    })
    .await;
    bed.condition("FederatedQuery", "asked", "Accepted", "False", "Invalid").await;
    bed.delete("FederatedQuery", "gba", "asked").await;
    bed.until_gone("FederatedQuery", "gba", "asked").await;
}
