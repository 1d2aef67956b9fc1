//! Orders of changes in which a node must never stand open: a Federation under another name, and nodes that are removed while their
//! pods still drain.

use kube::api::PostParams;
use serde_json::{Value, json};

use crate::bed::{Bed, OPERATOR};
use crate::pods::pod;

const POLICIES: [&str; 5] = ["deny", "exchange", "gateway", "observe", "egress"];

#[tokio::test]
async fn a_federation_under_another_name_closes_opens_and_restarts_nothing() {
    let bed = Bed::start().await;
    let _operator = bed.operator("a", &[]).await;
    bed.apply_examples().await;
    bed.run_workloads().await;
    bed.ready("Federation", "gba").await;
    let spec = async |kind: &str, name: &str| bed.get(kind, "gba-macau", name).await.unwrap()["spec"].clone();
    let seen = async || {
        let mut seen = vec![spec("StatefulSet", "macau-node").await, spec("PodDisruptionBudget", "macau-node").await];
        for service in ["macau-node", "macau-exchange", "macau-gateway"] {
            seen.push(spec("Service", service).await);
        }
        for policy in POLICIES {
            seen.push(spec("NetworkPolicy", &format!("macau-node-{policy}")).await);
        }
        seen
    };
    let before = seen().await;
    let mark = bed.plane.audit().mark().unwrap();
    let federation = bed.get("Federation", "gba", "gba").await.unwrap();
    bed.delete("Federation", "gba", "gba").await;
    bed.condition("Jurisdiction", "macau", "Ready", "False", "NoFederation").await;
    let another = json!({
        "apiVersion": "wanqu.dev/v1alpha1", "kind": "Federation", "metadata": {"name": "bay"}, "spec": federation["spec"],
    });
    bed.apply(&another.to_string()).await;
    // Nobody collects garbage here: the key of the first one's tokens is a foreign Secret to the second.
    bed.delete("Secret", "gba", "wanqu-token-issuer").await;
    bed.merge("Federation", "gba", "bay", json!({"metadata": {"annotations": {"look": "again"}}})).await;
    bed.ready("Jurisdiction", "macau").await;
    bed.until("StatefulSet", "gba-macau", "macau-node", |set| {
        (set["metadata"]["labels"]["wanqu.dev/federation"] == "bay").then_some(())
    })
    .await;
    bed.ready("Federation", "bay").await;
    assert_eq!(seen().await, before, "selectors live as long as the node");
    let deleted = bed.plane.audit().writes_by(OPERATOR, mark).unwrap();
    let deleted: Vec<_> = deleted.iter().filter(|request| request.verb == "delete").map(|r| &r.uri).collect();
    assert!(deleted.is_empty(), "{deleted:?}");
}

/// Deletes a Jurisdiction while a copy of its node drains, and sees its policies go after that.
async fn removed_while_a_pod_drains(bed: &Bed, namespace: &str) {
    let mut drains = pod("MO", "macau");
    drains["metadata"]["namespace"] = json!(namespace);
    bed.until_there("ServiceAccount", namespace, "macau-node").await;
    bed.apply(&drains.to_string()).await;
    bed.until_there("StatefulSet", namespace, "macau-node").await;
    bed.delete("Jurisdiction", "gba", "macau").await;
    bed.until_gone("StatefulSet", namespace, "macau-node").await;
    bed.until_gone("Service", namespace, "macau-gateway").await;
    // Whatever else happens to it meanwhile.
    let touched = json!({"metadata": {"annotations": {"look": "again"}}});
    bed.merge("Jurisdiction", "gba", "macau", touched).await;
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    for policy in POLICIES {
        let name = format!("macau-node-{policy}");
        let left =
            bed.get("NetworkPolicy", namespace, &name).await.unwrap_or_else(|| panic!("{name} is gone too early"));
        assert!(left["metadata"].get("ownerReferences").is_none(), "the garbage collector would not wait");
    }
    bed.delete("Pod", namespace, "macau-node-0").await;
    bed.until_gone("Jurisdiction", "gba", "macau").await;
    for policy in POLICIES {
        assert!(bed.get("NetworkPolicy", namespace, &format!("macau-node-{policy}")).await.is_none());
    }
    assert!(bed.get("ServiceAccount", namespace, "macau-node").await.is_none());
}

#[tokio::test]
async fn the_policies_of_a_node_go_after_its_last_pod_wherever_it_is_placed() {
    let bed = Bed::start().await;
    let _operator = bed.operator("a", &[]).await;
    bed.apply_examples().await;
    let macau = bed.until_there("Jurisdiction", "gba", "macau").await;
    removed_while_a_pod_drains(&bed, "gba-macau").await;
    let mut again = json!({
        "apiVersion": "wanqu.dev/v1alpha1", "kind": "Jurisdiction", "metadata": {"name": "macau"}, "spec": macau["spec"],
    });
    let spec = again["spec"].as_object_mut().unwrap();
    spec.remove("placement");
    bed.apply(&again.to_string()).await;
    removed_while_a_pod_drains(&bed, "gba").await;
}

#[tokio::test]
async fn a_finalizer_that_came_with_a_copy_is_taken_away_again() {
    let bed = Bed::start().await;
    bed.namespace("elsewhere").await;
    let _operator = bed.operator("a", &[]).await;
    bed.apply_examples().await;
    bed.until_there("StatefulSet", "gba-macau", "macau-node").await;
    let held = |object: &Value| Some(object["metadata"]["finalizers"].as_array()?.clone());
    let finalizers = bed.until("Jurisdiction", "gba", "macau", held).await;
    assert_eq!(finalizers, [json!("wanqu.dev/node")]);
    // `kubectl get -o yaml | kubectl create` in a namespace without a Federation.
    let macau = bed.get("Jurisdiction", "gba", "macau").await.unwrap();
    for former in [false, true] {
        let mut copy = json!({
            "apiVersion": macau["apiVersion"], "kind": "Jurisdiction", "spec": macau["spec"],
            "metadata": {"name": "macau", "finalizers": finalizers, "annotations": macau["metadata"]["annotations"]},
        });
        if former {
            copy["metadata"]["finalizers"] = json!(["wanqu.dev/placed-elsewhere", "wanqu.dev/node"]);
        }
        let copies = bed.api("Jurisdiction", "elsewhere");
        copies.create(&PostParams::default(), &serde_json::from_value(copy).unwrap()).await.unwrap();
        bed.delete("Jurisdiction", "elsewhere", "macau").await;
        bed.until_gone("Jurisdiction", "elsewhere", "macau").await;
    }
    assert!(bed.get("StatefulSet", "gba-macau", "macau-node").await.is_some(), "the node is the first one's");
}
