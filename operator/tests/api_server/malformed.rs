//! Objects that the operator cannot read, though the API server took them.

use serde_json::json;

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
