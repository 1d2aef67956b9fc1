//! Reports of a node's copies at their port of observation: the digest of the bundle in force, which can be behind the
//! one in the `ConfigMap`; the objects that they leave out of it; and what other members' nodes told them.

use std::collections::{BTreeMap, BTreeSet};
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

/// Report of one copy about the bundle that it runs.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Running {
    digest: String,
    #[serde(default)]
    left_out: Vec<String>,
}

/// State of a node's ready copies, measured by one bundle.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Copies {
    /// Names of the copies that do not run the bundle, or do not say.
    pub behind: Vec<String>,
    /// Names of the copies that run the bundle and do not understand all of it.
    pub too_old: Vec<String>,
    /// Objects of the bundle that these copies leave out, and what they do not know of each.
    pub left_out: BTreeSet<String>,
}

impl Copies {
    /// Adds the report of a copy; `None` if it gave none.
    fn add(&mut self, name: String, running: Option<Running>, digest: &str) {
        match running {
            Some(running) if running.digest == digest => {
                if !running.left_out.is_empty() {
                    self.too_old.push(name);
                    self.left_out.extend(running.left_out);
                }
            }
            _ => self.behind.push(name),
        }
    }
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

/// Returns how the ready pods stand to the bundle of this digest.
pub async fn copies<'a>(http: &Http, pods: impl Iterator<Item = &'a DynamicObject>, digest: &str) -> Copies {
    let asked = pods
        .filter_map(|pod| Some((pod.name_any(), address(pod)?)))
        .map(async |(name, address)| (name, http.json::<Running>(&address, "/bundle").await.ok()));
    let mut copies = Copies::default();
    for (name, running) in join_all(asked).await {
        copies.add(name, running, digest);
    }
    copies
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

/// Report of one copy about the sources of its own datasets.
#[derive(Deserialize)]
struct Sources {
    /// Datasets that it cannot read, by name, and why. A copy of an older version does not say.
    unavailable: Option<BTreeMap<String, String>>,
}

/// Returns the datasets that a node's copies cannot read, by name, and why; `None` if none of them says.
pub async fn unavailable<'a>(
    http: &Http,
    pods: impl Iterator<Item = &'a DynamicObject>,
) -> Option<BTreeMap<String, String>> {
    let asked = pods.filter_map(address).map(async |address| {
        let report = http.json::<Sources>(&address, "/bundle").await.ok()?;
        report.unavailable
    });
    // All of them see the same files, if not at the same moment.
    join_all(asked).await.into_iter().flatten().reduce(|mut all, one| {
        all.extend(one);
        all
    })
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
        assert_eq!(copies(&Http::new(), [&silent].into_iter(), "d").await.behind, ["hongkong-node-0"]);
        for status in [
            json!({"podIP": "127.99.99.99", "conditions": [{"type": "Ready", "status": "False"}]}),
            json!({"conditions": ready}),
            json!({"podIP": "not an address", "conditions": ready}),
            json!({}),
        ] {
            assert_eq!(copies(&Http::new(), [&pod(&status)].into_iter(), "d").await, Copies::default());
        }
    }

    #[test]
    fn a_copy_that_leaves_something_out_of_the_bundle_is_too_old_and_one_with_another_bundle_is_behind() {
        let reports = [
            ("a", json!({"digest": "d", "leftOut": []})),
            ("b", json!({"digest": "d"})),
            ("c", json!({"digest": "d", "leftOut": ["agreements[1] mo-to-hk: unknown field `x`"]})),
            ("d", json!({"digest": "d", "leftOut": ["agreements[1] mo-to-hk: unknown field `x`", "table t: y"]})),
            ("e", json!({"digest": "c", "leftOut": ["table u: y"]})),
            ("f", json!({"digest": "d+narrowed", "leftOut": []})),
        ];
        let mut copies = Copies::default();
        for (name, report) in reports {
            copies.add(name.to_owned(), Some(serde_json::from_value(report).unwrap()), "d");
        }
        assert_eq!(copies.behind, ["e", "f"]);
        assert_eq!(copies.too_old, ["c", "d"]);
        let left_out: Vec<&String> = copies.left_out.iter().collect();
        assert_eq!(left_out, ["agreements[1] mo-to-hk: unknown field `x`", "table t: y"]);
    }
}
