//! Authorities that outlive the Jurisdiction, and move with the node.

use serde_json::{Value, json};

use crate::bed::Bed;

fn key(secret: &Value) -> Value {
    secret["data"]["ca.key"].clone()
}

async fn authority(bed: &Bed, namespace: &str) -> Value {
    key(&bed.until_there("Secret", namespace, "macau-ca").await)
}

/// Macau's Jurisdiction, made again with this placement and these annotations.
fn again(macau: &Value, placement: &Value, annotations: &Value) -> String {
    let mut spec = macau["spec"].clone();
    spec["placement"] = placement.clone();
    json!({
        "apiVersion": "wanqu.dev/v1alpha1", "kind": "Jurisdiction", "spec": spec,
        "metadata": {"name": "macau", "annotations": annotations},
    })
    .to_string()
}

#[tokio::test]
async fn an_authority_moves_with_its_node_outlives_its_jurisdiction_and_is_forgotten_on_request() {
    let bed = Bed::start().await;
    bed.namespace("elsewhere").await;
    let grant = json!({
        "apiVersion": "wanqu.dev/v1alpha1", "kind": "PlacementGrant", "metadata": {"name": "gba", "namespace": "elsewhere"},
        "spec": {"from": [{"namespace": "gba"}], "claims": ["records"]},
    });
    bed.apply(&grant.to_string()).await;
    let _operator = bed.operator("a", &[]).await;
    bed.apply_examples().await;
    bed.until_there("StatefulSet", "gba-macau", "macau-node").await;
    let (first, macau) = (authority(&bed, "gba-macau").await, bed.until_there("Jurisdiction", "gba", "macau").await);
    let trust = bed.until_there("ConfigMap", "gba", "macau-trust").await["data"].clone();

    // To another namespace, and to its own.
    for placement in [json!({"namespace": "elsewhere"}), json!({"namespace": "gba"})] {
        let before = bed.until_there("Jurisdiction", "gba", "macau").await["spec"]["placement"]["namespace"].clone();
        bed.merge("Jurisdiction", "gba", "macau", json!({"spec": {"placement": placement}})).await;
        let now = placement["namespace"].as_str().unwrap();
        bed.until_there("StatefulSet", now, "macau-node").await;
        assert_eq!(authority(&bed, now).await, first, "{placement}");
        bed.until_gone("Secret", before.as_str().unwrap(), "macau-ca").await;
    }
    let kept = bed.until_there("Secret", "gba", "macau-ca").await;
    assert!(kept["metadata"].get("ownerReferences").is_none(), "the garbage collector would take it with its owner");

    // Deleted and made again, it is the same one, and nobody has to be told.
    bed.delete("Jurisdiction", "gba", "macau").await;
    bed.until_gone("Jurisdiction", "gba", "macau").await;
    assert!(bed.get("Secret", "gba", "macau-identity").await.is_none());
    assert_eq!(authority(&bed, "gba").await, first);
    let forget = json!({"wanqu.dev/forget": "authority"});
    bed.apply(&again(&macau, &json!({"namespace": "gba"}), &forget)).await;
    bed.until_there("StatefulSet", "gba", "macau-node").await;
    assert_eq!(authority(&bed, "gba").await, first);
    assert_eq!(bed.until_there("ConfigMap", "gba", "macau-trust").await["data"], trust);

    bed.delete("Jurisdiction", "gba", "macau").await;
    bed.until_gone("Jurisdiction", "gba", "macau").await;
    assert!(bed.get("Secret", "gba", "macau-ca").await.is_none());
    bed.apply(&again(&macau, &json!({"namespace": "gba"}), &json!({}))).await;
    assert_ne!(authority(&bed, "gba").await, first);
}
