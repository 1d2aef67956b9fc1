//! Reports of a node's copies at their port of observation: the digest of the bundle in force, which can be behind the
//! one in the `ConfigMap`, and what other members' nodes told them.

use std::collections::BTreeMap;
use std::net::IpAddr;

use futures::future::join_all;
use kube::ResourceExt;
use kube::api::DynamicObject;
use serde::Deserialize;
use wanqu_http::Http;
use wanqu_model::bundle::AgreementState;
use wanqu_model::names::{JurisdictionId, ResourceName};

/// The port of observation.
pub const OBSERVATION: i32 = 9090;

#[derive(Deserialize)]
struct Running {
    digest: String,
}

/// Answer of a member's node to the question which agreements it holds.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PeerAnswer {
    /// It holds these.
    Agreements(Vec<HeldAgreement>),
    /// It did not say: the code of the refusal.
    Problem(String),
}

/// An agreement as a member's node holds it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct HeldAgreement {
    /// Name of the agreement.
    pub name: ResourceName,
    /// The digest of its terms.
    pub digest: String,
    /// Its state at that member.
    pub state: AgreementState,
}

/// Returns the names of the ready pods that do not run the bundle of this digest, or do not say.
pub async fn behind<'a>(http: &Http, pods: impl Iterator<Item = &'a DynamicObject>, digest: &str) -> Vec<String> {
    let asked = pods.filter_map(|pod| Some((pod.name_any(), address(pod)?))).map(async |(name, address)| {
        let running = http.json::<Running>(&address, "/bundle").await;
        (!running.is_ok_and(|running| running.digest == digest)).then_some(name)
    });
    join_all(asked).await.into_iter().flatten().collect()
}

/// Returns what the nodes of other members told this one, by member, as the first ready pod that answers says.
pub async fn peers<'a>(
    http: &Http,
    pods: impl Iterator<Item = &'a DynamicObject>,
) -> Option<BTreeMap<JurisdictionId, PeerAnswer>> {
    for address in pods.filter_map(address) {
        match http.json(&address, "/peers").await {
            Ok(told) => return Some(told),
            Err(error) => tracing::debug!(address, %error, "a node does not say what other members hold"),
        }
    }
    None
}

/// Returns the address at which a ready pod is observed. One that is not ready counts among those that are missing.
fn address(pod: &DynamicObject) -> Option<String> {
    let status = &pod.data["status"];
    let ready = status["conditions"].as_array()?.iter().any(|c| c["type"] == "Ready" && c["status"] == "True");
    let ip: IpAddr = status["podIP"].as_str()?.parse().ok()?;
    let host = if ip.is_ipv6() { format!("[{ip}]") } else { ip.to_string() };
    (ready && pod.metadata.deletion_timestamp.is_none()).then(|| format!("{host}:{OBSERVATION}"))
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
        // Nothing listens at this address.
        let silent = pod(&json!({"podIP": "127.99.99.99", "conditions": ready}));
        assert_eq!(behind(&Http::new(), [&silent].into_iter(), "d").await, ["hongkong-node-0"]);
        for status in [
            json!({"podIP": "127.99.99.99", "conditions": [{"type": "Ready", "status": "False"}]}),
            json!({"conditions": ready}),
            json!({"podIP": "not an address", "conditions": ready}),
            json!({}),
        ] {
            assert!(behind(&Http::new(), [&pod(&status)].into_iter(), "d").await.is_empty());
        }
    }
}
