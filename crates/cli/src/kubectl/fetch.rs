//! Fetches an answer that the home node keeps.
//!
//! The node gives it to a token of the requester's, which only the operator can make. It is asked for by a public key in an
//! annotation of the query, which the API server lets the requester alone write, and comes sealed for that key.
//!
//! Every step has a deadline, is shown while it lasts, and names a remedy if it takes too long.

use std::io::{self, BufRead, BufReader};
use std::process::ChildStdout;
use std::time::Duration;

use futures::{StreamExt, stream};
use jiff::Timestamp;
use serde::Deserialize;
use tokio::time::timeout;
use wanqu_client::Client;
use wanqu_crds::kinds::{Delivery, FederatedQuery, KeptAnswer};
use wanqu_identity::{DeliveryKey, IdentityError};
use wanqu_model::answer::{Answer, Event};
use wanqu_model::refusal::{Code, Refusal};

use super::QUERIES;
use super::args::HomeGatewayArgs;
use super::program::{Kubectl, Running, unreadable};
use super::watch::Watch;
use crate::failure::{Failure, Outcome};
use crate::render::progress::Waiting;

/// The annotation with the public key.
const DELIVER_TO: &str = "wanqu.dev/deliver-to";

/// The time that the operator has to hand over the means.
const HANDING_OVER: Duration = Duration::from_mins(1);

/// The time that `kubectl port-forward` has until it forwards.
const FORWARDING_WITHIN: Duration = Duration::from_secs(30);

/// The time that the gateway has for the beginning of an answer that lies there, and for each part after it.
const EACH_PART: Duration = Duration::from_secs(30);

/// The port of a gateway in its pod.
const GATEWAY: u16 = 8443;

/// The beginning of the line that kubectl prints once it forwards.
const FORWARDING: &str = "Forwarding from 127.0.0.1:";

/// An answer on its way, and what must stay open until it has come.
pub struct Fetched {
    /// The answer.
    pub answer: Answer,
    /// The connection to the node, if one was made for this.
    pub forward: Option<Running>,
}

/// Fetches a kept answer of a query; says what it waits for unless it is to be quiet.
///
/// # Errors
/// If the answer has expired; if the operator, kubectl or the gateway refuses, or does not answer in time.
pub async fn fetch(
    kubectl: &Kubectl,
    query: &FederatedQuery,
    kept: &KeptAnswer,
    gateway: &HomeGatewayArgs,
    quiet: bool,
) -> Outcome<Fetched> {
    if kept.expires <= Timestamp::now() {
        let why = format!("the home node kept the answer until {}, and no longer; ask again", kept.expires);
        return Err(Failure::failed(why));
    }
    let id = kept.id.parse().map_err(|_| Failure::failed("the status names no result that can be fetched"))?;
    let waiting = Waiting::new(quiet);
    waiting.says("asking the operator for the means to fetch the answer");
    let key = DeliveryKey::new();
    let delivery = delivery(kubectl, query, &key.public()).await?;
    let token = key.open(&delivery.sealed_token, &query.sealing_context(&delivery)).map_err(unopened)?;
    let client = |address: &str| Client::connect(address, &delivery.ca, &token, Some(&delivery.server_name));
    if let Some(address) = &gateway.gateway {
        waiting.says(&format!("fetching the answer from {address}"));
        let answer = in_time(client(address)?.fetch(id), address, EACH_PART).await?;
        return Ok(Fetched { answer, forward: None });
    }
    // Each replica keeps the answers that it gave itself.
    let mut last = Refusal::new(Code::OwnerUnavailable, "no replica of the home node runs");
    waiting.says("finding the home node");
    for pod in pods(kubectl, query, &delivery).await? {
        let named = format!("pod {}/{pod}", delivery.namespace);
        waiting.says(&format!("fetching the answer from {named}"));
        let (port, forward) = forward(kubectl, &delivery.namespace, &pod, FORWARDING_WITHIN).await?;
        match in_time(client(&format!("127.0.0.1:{port}"))?.fetch(id), &named, EACH_PART).await {
            Ok(answer) => return Ok(Fetched { answer, forward: Some(forward) }),
            Err(refusal) if refusal.code == Code::UnknownName => last = refusal,
            Err(refusal) => return Err(refusal.into()),
        }
    }
    Err(last.into())
}

/// Waits for the beginning of an answer that `from` keeps, and bounds the time of each of its parts.
async fn in_time(
    fetching: impl Future<Output = Result<Answer, Refusal>>,
    from: &str,
    each: Duration,
) -> Result<Answer, Refusal> {
    let late = too_late(from, each);
    let answer = timeout(each, fetching).await.unwrap_or_else(|_| Err(late.clone()))?;
    Ok(stream::unfold(Some(answer), move |answer| {
        let late = late.clone();
        async move {
            let mut answer = answer?;
            match timeout(each, answer.next()).await {
                Ok(event) => event.map(|event: Result<Event, Refusal>| (event, Some(answer))),
                Err(_) => Some((Err(late), None)),
            }
        }
    })
    .boxed())
}

fn too_late(from: &str, each: Duration) -> Refusal {
    let message = format!("the answer that {from} keeps does not come: nothing for {} s", each.as_secs());
    Refusal::new(Code::OwnerUnavailable, message)
        .with_remedy("look whether the home node runs, then ask for the result again; --gateway HOST:PORT does without a port-forward")
}

/// Says that what the operator handed over cannot be used. Nothing of it was shown to anybody.
#[expect(clippy::needless_pass_by_value, reason = "it is given to map_err")]
fn unopened(error: IdentityError) -> Failure {
    Failure::failed(format!("the means to fetch the answer cannot be used: {error}"))
}

/// Asks the operator for the means to fetch the answer, and waits for them.
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
    let outcome = timeout(HANDING_OVER, handed_over).await;
    outcome.unwrap_or_else(|_| {
        let why = why.unwrap_or_else(|| "look whether it runs, then `kubectl wanqu result NAME`".to_owned());
        let limit = HANDING_OVER.as_secs();
        Err(Failure::failed(format!(
            "the operator has not handed over the means to fetch the answer for {limit} s: {why}"
        )))
    })
}

/// Returns the reason for which nothing is handed over, if the status names one: the answer of a query that would not be
/// accepted now is not fetched either.
fn withheld(query: &FederatedQuery) -> Option<String> {
    let conditions = &query.status.as_ref()?.conditions;
    let accepted = conditions.iter().find(|condition| condition.type_ == "Accepted")?;
    (accepted.status != "True").then(|| accepted.message.clone())
}

/// Returns the names of the home node's running pods.
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
    let labels = selector(query);
    let args = ["get", "pods", "--output=json", "--field-selector=status.phase=Running", &labels];
    let doing = "find the home node, for want of --gateway";
    let list: List = kubectl.within(&delivery.namespace).read(doing, &args, Vec::new()).await?;
    Ok(list.items.into_iter().map(|pod| pod.metadata.name).collect())
}

/// Selects the pods of the home node. Pods of another federation's node in the same namespace have all of these labels but that of
/// the federation's namespace.
fn selector(query: &FederatedQuery) -> String {
    format!(
        "--selector=app.kubernetes.io/name=wanqu-node,wanqu.dev/federation-namespace={},wanqu.dev/jurisdiction={}",
        query.metadata.namespace.as_deref().unwrap_or_default(),
        query.spec.from
    )
}

/// Opens a port on loopback that leads to a pod's gateway; what is returned beside it keeps it open.
///
/// # Errors
/// If kubectl ends instead, or does not say within `limit` that it forwards.
async fn forward(kubectl: &Kubectl, namespace: &str, pod: &str, limit: Duration) -> Outcome<(u16, Running)> {
    let doing = format!("reach pod {namespace}/{pod} by kubectl port-forward, for want of --gateway");
    let (target, ports) = (format!("pod/{pod}"), format!(":{GATEWAY}"));
    let args = ["port-forward", "--address=127.0.0.1", &target, &ports];
    let (mut running, stdout) = kubectl.within(namespace).start(&doing, &args)?;
    let opened = tokio::task::spawn_blocking(move || forwarded(stdout));
    let Ok(opened) = timeout(limit, opened).await else {
        let said = running.complaint().unwrap_or_default();
        let said = if said.trim().is_empty() { String::new() } else { format!(" ({})", said.trim()) };
        return Err(Failure::failed(format!(
            "cannot {doing}: it has not opened a port for {} s{said}; name the gateway with --gateway HOST:PORT, or see what \
             keeps `kubectl port-forward` from this pod",
            limit.as_secs(),
        )));
    };
    if let Some(port) = opened.map_err(io::Error::from).flatten().map_err(|error| unreadable(&doing, &error))? {
        return Ok((port, running));
    }
    running.succeeded(&doing).await?;
    Err(Failure::failed(format!("cannot {doing}: it ended before it opened a port")))
}

/// Reads until kubectl forwards, and returns the port; `None` if it closes its output before.
fn forwarded(stdout: ChildStdout) -> io::Result<Option<u16>> {
    let mut stdout = BufReader::new(stdout);
    let mut line = String::new();
    while stdout.read_line(&mut line)? > 0 {
        if let Some(port) = port(&line) {
            // Its output stays open: a kubectl that nobody listens to might end.
            std::thread::spawn(move || io::copy(&mut stdout, &mut io::sink()));
            return Ok(Some(port));
        }
        line.clear();
    }
    Ok(None)
}

/// `Forwarding from 127.0.0.1:41234 -> 8443`
fn port(line: &str) -> Option<u16> {
    line.strip_prefix(FORWARDING)?.split(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use wanqu_model::answer::Summary;

    use super::*;
    use crate::kubectl::args::TargetArgs;

    #[test]
    fn the_port_is_in_the_line_that_says_that_it_forwards() {
        assert_eq!(port("Forwarding from 127.0.0.1:41234 -> 8443\n"), Some(41234));
        for other in ["", "error: lost connection to pod\n", "Forwarding from [::1]:41234 -> 8443\n"] {
            assert_eq!(port(other), None, "{other}");
        }
    }

    #[test]
    fn the_home_node_is_found_by_the_labels_of_its_own_federation() {
        let query = serde_json::json!({
            "apiVersion": "wanqu.dev/v1alpha1", "kind": "FederatedQuery", "metadata": {"name": "q", "namespace": "gba"},
            "spec": {"sql": "SELECT 1", "from": "HK", "requester": "wei"},
        });
        assert_eq!(
            selector(&serde_json::from_value(query).unwrap()),
            "--selector=app.kubernetes.io/name=wanqu-node,wanqu.dev/federation-namespace=gba,wanqu.dev/jurisdiction=HK"
        );
    }

    /// Forwards a port by a kubectl of a few lines of shell.
    async fn forwarded_by(lines: &str, limit: Duration) -> Outcome<u16> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kubectl");
        std::fs::write(&path, format!("#!/bin/sh\n{lines}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        let kubectl = Kubectl::new(&TargetArgs { kubectl: path.into(), ..TargetArgs::default() });
        forward(&kubectl, "gba-hongkong", "hongkong-node-0", limit).await.map(|(port, _running)| port)
    }

    #[tokio::test]
    async fn a_port_forward_says_its_port_or_why_it_has_none() {
        let long = Duration::from_mins(1);
        let port = forwarded_by("echo Handling; echo 'Forwarding from 127.0.0.1:41234 -> 8443'; exec sleep 600", long);
        assert_eq!(port.await.unwrap(), 41234);
        for (lines, words) in [
            (
                "echo 'error: pods \"hongkong-node-0\" not found' >&2; exit 1",
                "--gateway: error: pods \"hongkong-node-0\" not",
            ),
            ("echo something else", "it ended before it opened a port"),
        ] {
            let failure = forwarded_by(lines, long).await.unwrap_err().to_string();
            assert!(failure.contains("gba-hongkong/hongkong-node-0") && failure.contains(words), "{failure}");
        }
    }

    #[tokio::test]
    async fn a_port_forward_that_opens_no_port_is_given_up_with_a_remedy() {
        let limit = Duration::from_secs(1);
        let failure =
            forwarded_by("echo 'Unable to connect' >&2; exec sleep 600", limit).await.unwrap_err().to_string();
        assert!(failure.contains("has not opened a port for 1 s (Unable to connect)"), "{failure}");
        assert!(failure.contains("--gateway HOST:PORT"), "{failure}");
    }

    #[tokio::test]
    async fn an_answer_that_stops_coming_is_given_up_with_a_remedy() {
        let each = Duration::from_millis(50);
        let never = in_time(std::future::pending(), "pod a/b", each).await.err().unwrap();
        assert_eq!(never.code, Code::OwnerUnavailable);
        assert!(never.to_string().contains("--gateway HOST:PORT"), "{never}");

        let begun = || stream::iter([Ok(Event::Summary(Summary::default()))]);
        let stops: Answer = begun().chain(stream::pending()).boxed();
        let events: Vec<_> = in_time(async { Ok(stops) }, "pod a/b", each).await.unwrap().collect().await;
        assert!(matches!(&events[..], [Ok(_), Err(refusal)] if refusal.message.contains("pod a/b")), "{events:?}");

        let whole: Answer = begun().boxed();
        let events: Vec<_> = in_time(async { Ok(whole) }, "pod a/b", each).await.unwrap().collect().await;
        assert!(matches!(&events[..], [Ok(_)]), "{events:?}");
    }
}
