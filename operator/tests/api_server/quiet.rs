//! Nothing changed, nothing written.

use std::time::Duration;

use serde_json::json;

use crate::bed::Bed;

#[tokio::test]
async fn a_settled_federation_costs_no_write_not_even_when_the_operator_starts_anew() {
    let bed = Bed::start().await;
    let operator = bed.operator("a", &[]).await;
    bed.apply_examples().await;
    bed.run_workloads().await;
    bed.ready("Federation", "gba").await;
    bed.until_quiet(Duration::from_secs(3)).await;

    // Events that change nothing: a label by hand, on something declared and on something made.
    let mark = bed.plane.audit().mark().unwrap();
    bed.merge("Dataset", "gba", "macau-visits", json!({"metadata": {"labels": {"seen": "yes"}}})).await;
    bed.merge("Service", "gba-macau", "macau-gateway", json!({"metadata": {"labels": {"seen": "yes"}}})).await;
    operator.stop().await;
    let _operator = bed.operator("b", &[]).await;
    // It has looked at everything when it undoes this.
    bed.delete("PodDisruptionBudget", "gba-macau", "macau-node").await;
    bed.until_there("PodDisruptionBudget", "gba-macau", "macau-node").await;
    bed.until_quiet(Duration::from_secs(3)).await;
    let writes = bed.writes_since(mark);
    let told: Vec<_> = writes.iter().map(|write| format!("{} {}", write.verb, write.uri)).collect();
    assert_eq!(told.len(), 1, "one repair and nothing else: {told:#?}");
}

#[tokio::test]
async fn quantities_that_the_api_server_spells_or_rounds_otherwise_are_written_once() {
    let bed = Bed::start().await;
    let _operator = bed.operator("a", &[]).await;
    bed.apply_examples().await;
    // The API server keeps 124m, 1536Mi and 2G of these.
    let resources = json!({"resources": {"cpu": "0.1234567", "memory": "1.5Gi"}, "storage": {"size": "2000M"}});
    bed.merge("Jurisdiction", "gba", "macau", json!({"spec": resources})).await;
    bed.until("StatefulSet", "gba-macau", "macau-node", |set| {
        let limits = &set["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"];
        (limits["cpu"] == "124m" && limits["memory"] == "1536Mi").then_some(())
    })
    .await;
    bed.run_workloads().await;
    bed.ready("Jurisdiction", "macau").await;
    bed.until_quiet(Duration::from_secs(3)).await;
    // Another reconciliation compares all of it again.
    let mark = bed.plane.audit().mark().unwrap();
    bed.delete("PodDisruptionBudget", "gba-macau", "macau-node").await;
    bed.until_there("PodDisruptionBudget", "gba-macau", "macau-node").await;
    bed.until_quiet(Duration::from_secs(3)).await;
    let writes = bed.writes_since(mark);
    assert!(writes.iter().all(|write| write.resource() == "poddisruptionbudgets"), "{writes:?}");
}
