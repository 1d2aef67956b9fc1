//! Fetches an answer that the home node keeps.
//!
//! The node gives it to a token of the requester's, which only the operator can make. It is asked for by a public key in an
//! annotation of the query, which the API server lets the requester alone write, and comes sealed for that key.

use std::io::{BufRead, BufReader};
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use wanqu_client::Client;
use wanqu_crds::kinds::{Delivery, FederatedQuery, KeptAnswer};
use wanqu_identity::DeliveryKey;
use wanqu_model::answer::Answer;
use wanqu_model::refusal::{Code, Refusal};

use super::QUERIES;
use super::args::WayArgs;
use super::program::{Kubectl, Running, refused};
use super::watch::Watch;
use crate::failure::{Failure, Outcome};
use crate::render::cells::printable;

/// The annotation with the public key.
const DELIVER_TO: &str = "wanqu.dev/deliver-to";

/// How long the operator may take to answer.
const PATIENCE: Duration = Duration::from_mins(1);

/// The port of a gateway in its pod.
const GATEWAY: u16 = 8443;

/// What a kubectl says once it forwards.
const FORWARDING: &str = "Forwarding from 127.0.0.1:";

/// An answer on its way, and what must stay open until it has come.
pub struct Fetched {
    /// The answer.
    pub answer: Answer,
    /// The way to the node, if one was made for this.
    pub forward: Option<Running>,
}

/// Fetches a kept answer of a query.
pub async fn fetch(kubectl: &Kubectl, query: &FederatedQuery, kept: &KeptAnswer, way: &WayArgs) -> Outcome<Fetched> {
    if kept.expires <= Timestamp::now() {
        let why = format!("the home node kept the answer until {}, and no longer; ask again", kept.expires);
        return Err(Failure::failed(why));
    }
    let id = kept.id.parse().map_err(|_| Failure::failed("the status names no result that can be fetched"))?;
    let key = DeliveryKey::new().map_err(|error| Failure::failed(error.to_string()))?;
    let delivery = delivery(kubectl, query, &key.public()).await?;
    let token = key.open(&delivery.sealed_token, &context_of(query)).map_err(|e| Failure::failed(e.to_string()))?;
    let client = |address: &str| Client::connect(address, &delivery.ca, &token, Some(&delivery.server_name));
    if let Some(address) = &way.gateway {
        return Ok(Fetched { answer: client(address)?.fetch(id).await?, forward: None });
    }
    // Each copy of a node keeps what it answered itself.
    let mut last = Refusal::new(Code::OwnerUnavailable, "no copy of the home node runs");
    for pod in pods(kubectl, query, &delivery).await? {
        let (port, forward) = forward(kubectl, &delivery.namespace, pod).await?;
        match client(&format!("127.0.0.1:{port}"))?.fetch(id).await {
            Ok(answer) => return Ok(Fetched { answer, forward: Some(forward) }),
            Err(refusal) if refusal.code == Code::UnknownName => last = refusal,
            Err(refusal) => return Err(refusal.into()),
        }
    }
    Err(last.into())
}

/// What a sealed token is bound to: this very object.
fn context_of(query: &FederatedQuery) -> String {
    let text = |part: &Option<String>| part.clone().unwrap_or_default();
    let metadata = &query.metadata;
    format!("{}/{}/{}", text(&metadata.namespace), text(&metadata.name), text(&metadata.uid))
}

/// Asks for the means, and waits for them.
async fn delivery(kubectl: &Kubectl, query: &FederatedQuery, to: &str) -> Outcome<Delivery> {
    let name = query.metadata.name.as_deref().unwrap_or_default();
    let annotation = format!("{DELIVER_TO}={to}");
    let args = ["annotate", QUERIES, name, "--overwrite", &annotation, "--output=json"];
    let doing = format!("ask for the answer of FederatedQuery {name}");
    let mut query: FederatedQuery = kubectl.read(&doing, &args, Vec::new()).await?;
    let mut watch = Watch::since(kubectl, &query);
    let mut why = None;
    let handed_over = async {
        loop {
            why = withheld(&query);
            let delivery = query.status.and_then(|status| status.delivery).filter(|delivery| delivery.to == to);
            if let Some(delivery) = delivery {
                return Ok(delivery);
            }
            query = watch.next().await?;
        }
    };
    let outcome = tokio::time::timeout(PATIENCE, handed_over).await;
    outcome.unwrap_or_else(|_| {
        let why = why.unwrap_or_else(|| "does it run?".to_owned());
        Err(Failure::failed(format!("the operator does not hand over the means to fetch the answer: {why}")))
    })
}

/// Why nothing is handed over, as far as the status says: what would not be asked now is not fetched either.
fn withheld(query: &FederatedQuery) -> Option<String> {
    let conditions = &query.status.as_ref()?.conditions;
    let accepted = conditions.iter().find(|condition| condition.type_ == "Accepted")?;
    (accepted.status != "True").then(|| printable(&accepted.message))
}

/// The running copies of the home node.
async fn pods(kubectl: &Kubectl, query: &FederatedQuery, delivery: &Delivery) -> Outcome<Vec<String>> {
    #[derive(Deserialize)]
    struct List {
        items: Vec<Pod>,
    }
    #[derive(Deserialize)]
    struct Pod {
        metadata: Metadata,
    }
    #[derive(Deserialize)]
    struct Metadata {
        name: String,
    }
    let labels = format!("--selector=app.kubernetes.io/name=wanqu-node,wanqu.dev/jurisdiction={}", query.spec.from);
    let args = ["get", "pods", "--output=json", "--field-selector=status.phase=Running", &labels];
    let doing = "find the home node, for want of --gateway";
    let list: List = kubectl.within(&delivery.namespace).read(doing, &args, Vec::new()).await?;
    Ok(list.items.into_iter().map(|pod| pod.metadata.name).collect())
}

/// A port on loopback that leads to a pod's gateway, and what keeps it open.
async fn forward(kubectl: &Kubectl, namespace: &str, pod: String) -> Outcome<(u16, Running)> {
    let doing = format!("reach pod {namespace}/{pod} by kubectl port-forward, for want of --gateway");
    let (target, ports) = (format!("pod/{pod}"), format!(":{GATEWAY}"));
    let args = ["port-forward", "--address=127.0.0.1", &target, &ports];
    let (mut running, stdout) = kubectl.within(namespace).start(&doing, &args)?;
    let opened = tokio::task::spawn_blocking(move || {
        let mut stdout = BufReader::new(stdout);
        let mut line = String::new();
        // Its output stays open: a kubectl that nobody listens to might end.
        stdout.read_line(&mut line)?;
        std::thread::spawn(move || std::io::copy(&mut stdout, &mut std::io::sink()));
        match port(&line) {
            Some(port) => Ok(Ok((port, running))),
            None => running.complaint().map(Err),
        }
    });
    let failed = |error: &dyn std::fmt::Display| Failure::failed(format!("cannot {doing}: {error}"));
    let opened = opened.await.map_err(|error| failed(&error))?.map_err(|error: std::io::Error| failed(&error))?;
    opened.map_err(|complaint| refused(&doing, &complaint.unwrap_or_default()))
}

/// `Forwarding from 127.0.0.1:41234 -> 8443`
fn port(line: &str) -> Option<u16> {
    line.strip_prefix(FORWARDING)?.split(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_in_the_line_that_kubectl_says_first() {
        assert_eq!(port("Forwarding from 127.0.0.1:41234 -> 8443\n"), Some(41234));
        for other in ["", "error: lost connection to pod\n", "Forwarding from [::1]:41234 -> 8443\n"] {
            assert_eq!(port(other), None, "{other}");
        }
    }
}
