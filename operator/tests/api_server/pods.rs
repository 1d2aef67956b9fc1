//! Copies of nodes: pods as a kubelet would report them, behind whose addresses a test answers for the node.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::bed::Bed;

/// A copy of a member's node, not yet running.
pub fn pod(id: &str, name: &str) -> Value {
    let (namespace, node) = (format!("gba-{name}"), format!("{name}-node"));
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": format!("{node}-0"), "namespace": namespace, "labels": {
            "app.kubernetes.io/name": "wanqu-node",
            "app.kubernetes.io/managed-by": "wanqu-operator", "wanqu.dev/jurisdiction": id,
        }, "annotations": {"wanqu.dev/made-for": format!("gba/{name}")}},
        "spec": {
            "serviceAccountName": node, "automountServiceAccountToken": false,
            "containers": [{"name": "node", "image": "wanqu:test"}],
        },
    })
}

/// The answers of a copy at its port of observation, by path.
#[derive(Clone, Default)]
pub struct Answers(Arc<Mutex<BTreeMap<String, Value>>>);

impl Answers {
    /// From now on it answers this.
    pub fn say(&self, path: &str, answer: Value) {
        self.0.lock().insert(path.to_owned(), answer);
    }
}

/// A copy that runs and answers at an address of the loopback that nothing else here listens on, until the test ends.
pub async fn running(bed: &Bed, id: &str, name: &str, address: &'static str) -> Answers {
    let answers = Answers::default();
    serve(address, answers.clone()).await;
    let ready = json!({
        "phase": "Running", "podIP": address, "podIPs": [{"ip": address}],
        "conditions": [{"type": "Ready", "status": "True"}],
    });
    reporting(bed, id, name, ready).await;
    answers
}

/// A copy that is in this state, as a kubelet reports it.
pub async fn reporting(bed: &Bed, id: &str, name: &str, status: Value) {
    // No pod is let in before its account is there.
    bed.until_there("ServiceAccount", &format!("gba-{name}"), &format!("{name}-node")).await;
    bed.apply(&pod(id, name).to_string()).await;
    let pods = bed.api("Pod", &format!("gba-{name}"));
    let patch = kube::api::Patch::Merge(json!({"status": status}));
    pods.patch_status(&format!("{name}-node-0"), &<_>::default(), &patch).await.unwrap();
}

async fn serve(address: &str, answers: Answers) {
    let listener = TcpListener::bind((address, 9090)).await.unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 1024];
            let read = stream.read(&mut request).await.unwrap_or_default();
            let request = String::from_utf8_lossy(&request[..read]).into_owned();
            let path = request.split(' ').nth(1).unwrap_or_default();
            let answer = answers.0.lock().get(path).map(Value::to_string);
            let (status, body) = answer.map_or(("404 Not Found", String::new()), |body| ("200 OK", body));
            let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
        }
    });
}
