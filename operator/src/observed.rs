//! What the copies of a node say of themselves at their port of observation: which bundle they run (that it lies in the
//! cluster is not yet that it is in force), and what other members' nodes told them.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures::future::join_all;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::{Request, client::conn::http1};
use hyper_util::rt::TokioIo;
use kube::ResourceExt;
use kube::api::DynamicObject;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;
use wanqu_model::bundle::AgreementState;
use wanqu_model::names::{JurisdictionId, ResourceName};

/// How long a copy may take to say.
const PATIENCE: Duration = Duration::from_secs(2);
/// The most that a copy may say, in bytes: some thousands of agreements with each other member.
const MOST: usize = 4 << 20;
/// The port of observation.
pub const OBSERVATION: i32 = 9090;

#[derive(Deserialize)]
struct Running {
    digest: String,
}

/// What a member's node said when it was asked which agreements it holds.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Told {
    /// These.
    Agreements(Vec<Held>),
    /// Nothing: the code of the refusal.
    Problem(String),
}

/// An agreement as a member's node holds it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Held {
    /// Its name.
    pub name: ResourceName,
    /// The digest of its terms.
    pub digest: String,
    /// Its state there.
    pub state: AgreementState,
}

/// The copies that serve and do not run the bundle of this digest.
pub async fn behind<'a>(pods: impl Iterator<Item = &'a DynamicObject>, digest: &str) -> Vec<String> {
    let asked = pods.filter_map(|pod| Some((pod.name_any(), address(pod)?))).map(async |(name, address)| {
        let told: Option<Running> = ask(address, "/bundle").await;
        told.is_none_or(|told| told.digest != digest).then_some(name)
    });
    join_all(asked).await.into_iter().flatten().collect()
}

/// What other members' nodes told this one, by member, as the first copy that answers says.
pub async fn peers<'a>(pods: impl Iterator<Item = &'a DynamicObject>) -> Option<BTreeMap<JurisdictionId, Told>> {
    for address in pods.filter_map(address) {
        if let Some(told) = ask(address, "/peers").await {
            return Some(told);
        }
    }
    None
}

/// Where a copy that is ready can be asked. One that is not counts among the copies that are missing.
fn address(pod: &DynamicObject) -> Option<SocketAddr> {
    let status = &pod.data["status"];
    let ready = status["conditions"].as_array()?.iter().any(|c| c["type"] == "Ready" && c["status"] == "True");
    let ip: IpAddr = status["podIP"].as_str()?.parse().ok()?;
    let port = u16::try_from(OBSERVATION).ok()?;
    (ready && pod.metadata.deletion_timestamp.is_none()).then(|| SocketAddr::new(ip, port))
}

async fn ask<T: DeserializeOwned>(address: SocketAddr, path: &str) -> Option<T> {
    timeout(PATIENCE, get(address, path)).await.ok().flatten()
}

async fn get<T: DeserializeOwned>(address: SocketAddr, path: &str) -> Option<T> {
    let stream = TcpStream::connect(address).await.ok()?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
    // It carries the answer, and may well end in the moment in which the answer is there.
    let mut carrier = JoinSet::new();
    carrier.spawn(connection);
    let request = Request::get(path).header("host", address.to_string()).body(Empty::<Bytes>::new()).ok()?;
    let response = sender.send_request(request).await.ok()?;
    let body = Limited::new(response.into_body(), MOST).collect().await.ok()?;
    serde_json::from_slice(&body.to_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(status: &serde_json::Value) -> DynamicObject {
        serde_json::from_value(json!({"metadata": {"name": "hongkong-node-0"}, "status": status})).unwrap()
    }

    #[tokio::test]
    async fn a_copy_that_does_not_answer_is_behind_and_one_that_is_not_ready_is_not_asked() {
        let ready = json!([{"type": "Ready", "status": "True"}]);
        // Nobody listens there.
        let silent = pod(&json!({"podIP": "127.99.99.99", "conditions": ready}));
        assert_eq!(behind([&silent].into_iter(), "d").await, ["hongkong-node-0"]);
        for status in [
            json!({"podIP": "127.99.99.99", "conditions": [{"type": "Ready", "status": "False"}]}),
            json!({"conditions": ready}),
            json!({"podIP": "not an address", "conditions": ready}),
            json!({}),
        ] {
            assert!(behind([&pod(&status)].into_iter(), "d").await.is_empty());
        }
    }
}
