//! What the copies of a node say themselves of the bundle that they run.

use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::bed::Bed;

/// An address of the loopback that nothing else here listens on.
const COPY: &str = "127.77.3.9";

/// Answers as a node does under `/bundle`, until the test ends.
async fn copy(digest: Arc<Mutex<String>>) {
    let listener = TcpListener::bind((COPY, 9090)).await.unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 1024];
            let _ = stream.read(&mut request).await;
            let body = json!({"jurisdiction": "MO", "digest": *digest.lock(), "identityNotAfter": null}).to_string();
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
        }
    });
}

fn digest(config_map: &Value) -> Option<String> {
    Some(config_map["metadata"]["annotations"]["wanqu.dev/bundle-digest"].as_str()?.to_owned())
}

#[tokio::test]
async fn a_bundle_is_current_when_the_copies_say_so_and_pods_are_told_of_a_new_one() {
    let bed = Bed::start().await;
    let _operator = bed.operator("a", &[]).await;
    bed.apply_examples().await;
    bed.run_workloads().await;
    bed.ready("Federation", "gba").await;

    // A copy that runs the bundle of another time.
    let said = Arc::new(Mutex::new("another".to_owned()));
    copy(Arc::clone(&said)).await;
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "macau-node-0", "namespace": "gba-macau", "labels": {
            "app.kubernetes.io/name": "wanqu-node", "app.kubernetes.io/instance": "gba",
            "app.kubernetes.io/managed-by": "wanqu-operator", "wanqu.dev/jurisdiction": "MO",
        }, "annotations": {"wanqu.dev/made-for": "gba/macau"}},
        "spec": {
            "serviceAccountName": "macau-node", "automountServiceAccountToken": false,
            "containers": [{"name": "node", "image": "wanqu:test"}],
        },
    });
    bed.apply(&pod.to_string()).await;
    let ready = json!({"status": {
        "phase": "Running", "podIP": COPY, "podIPs": [{"ip": COPY}],
        "conditions": [{"type": "Ready", "status": "True"}],
    }});
    let pods = bed.api("Pod", "gba-macau");
    pods.patch_status("macau-node-0", &<_>::default(), &kube::api::Patch::Merge(ready)).await.unwrap();
    let message = bed.condition("Jurisdiction", "macau", "BundleCurrent", "False", "RollingOut").await;
    assert!(message.starts_with("macau-node-0 runs another bundle still"), "{message}");
    bed.condition("Federation", "gba", "Ready", "False", "MemberNotReady").await;

    let first = bed.until("ConfigMap", "gba-macau", "macau-bundle", digest).await;
    said.lock().clone_from(&first);
    bed.condition("Jurisdiction", "macau", "BundleCurrent", "True", "Compiled").await;
    bed.ready("Federation", "gba").await;
    bed.until("Pod", "gba-macau", "macau-node-0", |pod| (digest(pod)? == first).then_some(())).await;

    // A new bundle: the pod is told at once, and counts again when it has it.
    bed.merge("DisclosurePolicy", "gba", "macau-people", json!({"spec": {"minUnits": 25}})).await;
    let second =
        bed.until("ConfigMap", "gba-macau", "macau-bundle", |map| digest(map).filter(|digest| *digest != first)).await;
    bed.until("Pod", "gba-macau", "macau-node-0", |pod| (digest(pod)? == second).then_some(())).await;
    bed.condition("Jurisdiction", "macau", "BundleCurrent", "False", "RollingOut").await;
    *said.lock() = second;
    bed.ready("Federation", "gba").await;
}
