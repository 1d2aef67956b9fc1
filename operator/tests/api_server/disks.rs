//! Disks that grow, and what of a workload cannot be changed: it is made anew, without its pods.

use k8s_openapi::api::storage::v1::StorageClass;
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::bed::{Bed, condition};

/// A class of disks that can grow, or not.
pub async fn class(bed: &Bed, name: &str, grows: bool) {
    let class = json!({
        "metadata": {"name": name}, "provisioner": "disks.example", "allowVolumeExpansion": grows,
    });
    let class: StorageClass = serde_json::from_value(class).unwrap();
    Api::all(bed.client.clone()).create(&PostParams::default(), &class).await.unwrap();
}

/// The disk of a copy of Macau's node, as the controllers make it.
pub async fn disk(bed: &Bed, copy: u32, class: &str) {
    let name = format!("state-macau-node-{copy}");
    let claim = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": "gba-macau", "labels": {"app.kubernetes.io/name": "wanqu-node"}},
        "spec": {
            "accessModes": ["ReadWriteOnce"], "storageClassName": class, "volumeName": format!("v{copy}"),
            "resources": {"requests": {"storage": "1Gi"}},
        },
    });
    bed.apply(&claim.to_string()).await;
    let bound = Patch::Merge(json!({"status": {"phase": "Bound", "capacity": {"storage": "1Gi"}}}));
    let claims = bed.api("PersistentVolumeClaim", "gba-macau");
    claims.patch_status(&name, &PatchParams::default(), &bound).await.unwrap();
}

/// Lets a workload go that is deleted without its pods, as the garbage collector does once it has freed these.
pub async fn let_go(bed: &Bed, namespace: &str, name: &str) -> Value {
    let going = bed
        .until("StatefulSet", namespace, name, |set| {
            let orphans = set["metadata"]["finalizers"].as_array()?.contains(&json!("orphan"));
            (orphans && set["metadata"]["deletionTimestamp"].is_string()).then(|| set.clone())
        })
        .await;
    bed.merge("StatefulSet", namespace, name, json!({"metadata": {"finalizers": null}})).await;
    going
}

fn size(object: &Value) -> Value {
    let template = &object["spec"]["volumeClaimTemplates"][0]["spec"];
    let spec = if template.is_object() { template } else { &object["spec"] };
    spec["resources"]["requests"]["storage"].clone()
}

async fn grown(bed: &Bed, to: &str) {
    bed.merge("Jurisdiction", "gba", "macau", json!({"spec": {"storage": {"size": to}}})).await;
}

#[tokio::test]
async fn disks_grow_with_their_jurisdiction_and_the_workload_is_made_anew_without_its_pods() {
    let bed = Bed::start().await;
    class(&bed, "grows", true).await;
    for copy in [0, 1] {
        disk(&bed, copy, "grows").await;
    }
    let _operator = bed.operator("a", &[]).await;
    bed.apply_examples().await;
    bed.merge("Jurisdiction", "gba", "macau", json!({"spec": {"replicas": 2}})).await;
    bed.until("StatefulSet", "gba-macau", "macau-node", |set| (set["spec"]["replicas"] == 2).then_some(())).await;
    let first = bed.get("StatefulSet", "gba-macau", "macau-node").await.unwrap();
    assert_eq!(size(&first), "1Gi");

    grown(&bed, "2Gi").await;
    let going = let_go(&bed, "gba-macau", "macau-node").await;
    assert_eq!(going["metadata"]["uid"], first["metadata"]["uid"]);
    for copy in [0, 1] {
        let claim = bed.get("PersistentVolumeClaim", "gba-macau", &format!("state-macau-node-{copy}")).await.unwrap();
        assert_eq!(size(&claim), "2Gi");
    }
    let next = bed
        .until("StatefulSet", "gba-macau", "macau-node", |set| {
            (set["metadata"]["uid"] != first["metadata"]["uid"]).then(|| set.clone())
        })
        .await;
    assert_eq!(size(&next), "2Gi");
    for unchanged in ["selector", "template", "replicas", "serviceName"] {
        assert_eq!(next["spec"][unchanged], first["spec"][unchanged], "{unchanged}");
    }
    bed.run_workload("gba-macau", "macau-node").await;
    bed.ready("Jurisdiction", "macau").await;
}

#[tokio::test]
async fn disks_that_cannot_grow_say_so_first_and_keep_nothing_else_from_its_change() {
    let bed = Bed::start().await;
    class(&bed, "stays", false).await;
    disk(&bed, 0, "stays").await;
    let _operator = bed.operator("a", &[]).await;
    bed.apply_examples().await;
    bed.run_workloads().await;
    let first = bed.until_there("StatefulSet", "gba-macau", "macau-node").await;
    grown(&bed, "2Gi").await;
    let message = bed.condition("Jurisdiction", "macau", "Ready", "False", "StorageUnchanged").await;
    assert!(
        message.starts_with("spec.storage.size: cannot grow PersistentVolumeClaim gba-macau/state-macau-node-0: ")
            && message.contains("storageclass that provisions the pvc must support resize")
            && message.ends_with("everything else is as declared; take the change back"),
        "{message}"
    );
    assert!(!message.contains("Status {"), "{message}");
    // Nothing else of the node waits for that.
    bed.merge("Jurisdiction", "gba", "macau", json!({"spec": {"replicas": 3}})).await;
    bed.until("StatefulSet", "gba-macau", "macau-node", |set| (set["spec"]["replicas"] == 3).then_some(())).await;
    let now = bed.get("StatefulSet", "gba-macau", "macau-node").await.unwrap();
    assert_eq!((&now["metadata"]["uid"], size(&now)), (&first["metadata"]["uid"], json!("1Gi")));

    // Nor does it shrink; a definition that somebody edited lets that pass.
    bed.loosen("jurisdictions").await;
    wanqu_testing::until("a smaller disk being accepted", crate::bed::WITHIN, async || {
        let smaller = Patch::Merge(json!({"spec": {"storage": {"size": "512Mi"}}}));
        bed.api("Jurisdiction", "gba").patch("macau", &PatchParams::default(), &smaller).await.map(drop)
    })
    .await;
    let (_, message) = bed.told("Jurisdiction", "macau", "Ready", "False", "does not shrink to 512Mi").await;
    assert!(message.starts_with("spec.storage.size: the disks have 1Gi"), "{message}");
}

#[tokio::test]
async fn a_workload_of_an_earlier_version_gets_the_selector_that_stays() {
    let bed = Bed::start().await;
    let operator = bed.operator("a", &[]).await;
    bed.apply_examples().await;
    let made = bed.until_there("StatefulSet", "gba-macau", "macau-node").await;
    operator.stop().await;
    // As an earlier version made it: the name of the federation is in its selector, and its namespace is not.
    bed.delete("StatefulSet", "gba-macau", "macau-node").await;
    let mut old = made.clone();
    let labels = json!({
        "app.kubernetes.io/name": "wanqu-node", "app.kubernetes.io/instance": "gba", "wanqu.dev/jurisdiction": "MO",
    });
    old["spec"]["selector"]["matchLabels"] = labels.clone();
    let template = old["spec"]["template"]["metadata"]["labels"].as_object_mut().unwrap();
    template.extend(labels.as_object().unwrap().clone());
    let metadata = old["metadata"].as_object_mut().unwrap();
    for field in ["uid", "resourceVersion", "managedFields", "creationTimestamp", "generation"] {
        metadata.remove(field);
    }
    old.as_object_mut().unwrap().remove("status");
    bed.apply_as(&old.to_string(), "wanqu-operator").await;

    let _operator = bed.operator("b", &[]).await;
    let_go(&bed, "gba-macau", "macau-node").await;
    let selector = |set: &Value| set["spec"]["selector"]["matchLabels"].clone();
    let wanted = selector(&made);
    bed.until("StatefulSet", "gba-macau", "macau-node", |set| (selector(set) == wanted).then_some(())).await;
    bed.run_workloads().await;
    bed.ready("Federation", "gba").await;
    let object = bed.get("Jurisdiction", "gba", "macau").await.unwrap();
    assert_eq!(condition(&object, "WorkloadReady").unwrap()["reason"], "Available");
}
