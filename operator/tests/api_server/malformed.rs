//! Objects that the operator cannot read, though the API server took them.

use std::time::Duration;

use kube::api::{Patch, PatchParams};
use serde_json::json;
use wanqu_testbed::until;

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
    until("a text that is none being taken", Duration::from_mins(1), async || {
        let patch = Patch::Merge(json!({"spec": {"sql": 7}}));
        let taken = queries.patch("asked", &PatchParams::default(), &patch).await;
        Ok(taken.map(drop).map_err(|error| error.to_string()))
    })
    .await
    .unwrap();
    let _operator = bed.operator("a", &[]).await;
    bed.condition("FederatedQuery", "asked", "Accepted", "False", "Invalid").await;
    let asked = bed.get("FederatedQuery", "gba", "asked").await.unwrap();
    assert_eq!(asked["status"]["runs"], json!([run]), "or it would be asked a second time");
}
