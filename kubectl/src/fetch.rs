//! Fetches an answer that the home node keeps.
//!
//! The node gives it to a token of the requester's, which only the operator can make. It is asked for by a public key in an
//! annotation of the query, which the API server lets the requester alone write, and comes sealed for that key.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::api::{ListParams, Patch, PatchParams};
use kube::runtime::wait::await_condition;
use kube::{Api, ResourceExt};
use serde_json::json;
use uuid::Uuid;
use wanqu_client::Client;
use wanqu_client::answer::Answer;
use wanqu_client::refusal::{Code, Refusal};
use wanqu_crds::kinds::{Delivery, FederatedQuery};
use wanqu_identity::DeliveryKey;

use crate::failure::{Failure, Outcome};
use crate::session::{Session, refused};

/// The annotation with the public key.
const DELIVER_TO: &str = "wanqu.dev/deliver-to";

/// How long the operator may take to answer.
const PATIENCE: Duration = Duration::from_mins(1);

/// The port of a gateway in its pod.
const GATEWAY: u16 = 8443;

/// An answer on its way, and what must stay open until it has come.
pub struct Fetched {
    /// The answer.
    pub answer: Answer,
    /// The way to the node, if it was made for this.
    pub forward: Option<Forward>,
}

/// Fetches a kept answer of a query.
///
/// # Errors
/// The operator does not answer; the gateway cannot be reached; the answer has expired.
pub async fn fetch(session: &Session, query: &FederatedQuery, id: Uuid, gateway: Option<&str>) -> Outcome<Fetched> {
    let key = DeliveryKey::new().map_err(|error| Failure::failed(error.to_string()))?;
    let delivery = delivery(session, query, &key.public()).await?;
    let context =
        format!("{}/{}/{}", query.namespace().unwrap_or_default(), query.name_any(), query.uid().unwrap_or_default());
    let token = key.open(&delivery.sealed_token, &context).map_err(|error| Failure::failed(error.to_string()))?;
    let client = |address: &str| Client::connect(address, &delivery.ca, &token, Some(&delivery.server_name));
    if let Some(address) = gateway {
        return Ok(Fetched { answer: client(address)?.fetch(id).await?, forward: None });
    }
    // Each copy of a node keeps what it answered itself.
    let mut last = None;
    for pod in pods(session, query, &delivery).await? {
        let (cluster, namespace) = (session.same_cluster.clone(), delivery.namespace.clone());
        let forwarded = tokio::task::spawn_blocking(move || forward(&cluster, &namespace, &pod)).await;
        let (port, forward) = forwarded.map_err(|error| Failure::failed(error.to_string()))??;
        match client(&format!("127.0.0.1:{port}"))?.fetch(id).await {
            Ok(answer) => return Ok(Fetched { answer, forward: Some(forward) }),
            Err(refusal) if refusal.code == Code::UnknownName => last = Some(refusal),
            Err(refusal) => return Err(refusal.into()),
        }
    }
    Err(last.unwrap_or_else(|| Refusal::new(Code::OwnerUnavailable, "no copy of the home node runs")).into())
}

/// Asks for the means, and waits for them.
async fn delivery(session: &Session, query: &FederatedQuery, to: &str) -> Outcome<Delivery> {
    let (api, name) = (session.queries(), query.name_any());
    let ask = json!({"metadata": {"annotations": {DELIVER_TO: to}}});
    let asked = api.patch(&name, &PatchParams::default(), &Patch::Merge(&ask)).await;
    asked.map_err(|error| refused("ask for the answer", &error))?;
    let mine = |query: &FederatedQuery| {
        let delivery = query.status.as_ref().and_then(|status| status.delivery.clone());
        delivery.filter(|delivery| delivery.to == to)
    };
    let there = await_condition(api, &name, |query: Option<&FederatedQuery>| query.is_some_and(|q| mine(q).is_some()));
    let found = tokio::time::timeout(PATIENCE, there).await;
    let found = found.map_err(|_| Failure::failed("the operator does not answer; is the answer still kept?"))?;
    let found = found.map_err(|error| Failure::failed(format!("cannot watch the query: {error}")))?;
    found.as_ref().and_then(mine).ok_or_else(|| Failure::failed("the query is gone"))
}

/// The running copies of the home node.
async fn pods(session: &Session, query: &FederatedQuery, delivery: &Delivery) -> Outcome<Vec<String>> {
    let labels = format!("app.kubernetes.io/name=wanqu-node,wanqu.dev/jurisdiction={}", query.spec.from);
    let api: Api<Pod> = Api::namespaced(session.client.clone(), &delivery.namespace);
    let pods =
        api.list(&ListParams::default().labels(&labels)).await.map_err(|error| refused("find the node", &error))?;
    Ok(pods.iter().filter(|pod| runs(pod)).map(ResourceExt::name_any).collect())
}

fn runs(pod: &Pod) -> bool {
    pod.status.as_ref().is_some_and(|status| status.phase.as_deref() == Some("Running"))
}

/// A way to a pod's gateway, by the kubectl whose plugin this is. It closes when this is dropped.
pub struct Forward(Child);

impl Drop for Forward {
    fn drop(&mut self) {
        // One that has ended already is no matter.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A port on loopback that leads to a pod's gateway.
fn forward(cluster: &[String], namespace: &str, pod: &str) -> Outcome<(u16, Forward)> {
    let failed =
        |why: &str| Failure::failed(format!("cannot reach pod {namespace}/{pod} by kubectl port-forward: {why}"));
    let child = Command::new("kubectl")
        .args(cluster)
        .args(["port-forward", "--namespace", namespace, "--address", "127.0.0.1"])
        .arg(format!("pod/{pod}"))
        .arg(format!(":{GATEWAY}"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| failed(&error.to_string()))?;
    let mut forward = Forward(child);
    let stdout = forward.0.stdout.take().ok_or_else(|| failed("it says nothing"))?;
    // `Forwarding from 127.0.0.1:41234 -> 8443`
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line).map_err(|error| failed(&error.to_string()))?;
    let port = line.split_once("127.0.0.1:").and_then(|(_, rest)| rest.split(' ').next()?.parse().ok());
    port.map(|port| (port, forward)).ok_or_else(|| failed("it ended"))
}
