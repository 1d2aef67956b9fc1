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
