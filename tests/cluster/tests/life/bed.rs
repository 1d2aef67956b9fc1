//! The federation of the tutorial, and short ways to look at it and to change it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams};
use serde_json::{Value, json};
use wanqu_chart_tests::Step;
use wanqu_cluster_tests::researcher::{ask, begin, finish};
use wanqu_cluster_tests::{Laptop, OwnersLog, Researcher, Shell, Stream, federation, follow};
use wanqu_crds::kinds::DataSharingAgreement;
use wanqu_model::refusal::Refusal;
use wanqu_testbed::{Cluster, until};

/// The longest that anything may take on a machine that is busy.
pub const SOON: Duration = Duration::from_mins(3);

/// The nodes: the namespace of each, and its pods.
pub const NODES: [(&str, &str, usize); 3] =
    [("gba-shenzhen", "shenzhen-node", 1), ("gba-hongkong", "hongkong-node", 2), ("gba-macau", "macau-node", 1)];

/// The federation, and who is there to look at it.
pub struct Life {
    pub cluster: Cluster,
    pub shell: Shell,
    pub researcher: Arc<Researcher>,
    pub laptop: Laptop,
    kube: kube::Client,
    since: Instant,
}

impl Life {
    pub async fn begin() -> Self {
        let since = Instant::now();
        let (cluster, shell) = federation().await;
        let laptop = Laptop::start();
        let researcher = Arc::new(Researcher::let_in(&cluster).await);
        let kube = cluster.client().await.unwrap();
        Self { cluster, shell, researcher, laptop, kube, since }
    }

    /// Prints what was done since it last did, and checks what became of the stream meanwhile.
    pub fn passed(&mut self, what: &str, stream: Option<&Stream>) {
        let took = std::mem::replace(&mut self.since, Instant::now()).elapsed().as_secs_f64();
        let tally = stream.map(Stream::so_far).inspect(wanqu_cluster_tests::Tally::check);
        let told = tally.map(|tally| format!("; so far {} right answers, {} asked again", tally.right, tally.again));
        println!("{took:5.1} s  {what}{}", told.unwrap_or_default());
    }

    /// Follows a section of `docs/operations.md`.
    pub fn follow(&self, heading: &str) -> Vec<String> {
        follow(&self.shell, "docs/operations.md", heading).unwrap()
    }

    pub fn log<'a>(&'a self, namespace: &'a str, pod: &'a str) -> OwnersLog<'a> {
        OwnersLog { cluster: &self.cluster, namespace, pod }
    }

    /// The rows of a question through the gateway, once it is answered.
    pub async fn rows(&self, sql: &str) -> String {
        until("the gateway answering", SOON, async || {
            Ok(ask(&self.researcher.client(), sql).await.map_err(|refusal| refusal.to_string()))
        })
        .await
        .unwrap()
        .rows
    }

    pub fn helm_upgrade(&self, values: &str) {
        let command =
            format!("helm upgrade wanqu charts/wanqu --namespace wanqu-system --wait --timeout 5m --set {values}");
        self.shell.run(&Step { command, line: 0 }).unwrap();
    }

    /// Waits until every copy of every node runs an image, and is ready.
    pub async fn all_run(&self, image: &str) {
        let pods: Api<Pod> = Api::all(self.kube.clone());
        let nodes = ListParams::default().labels("app.kubernetes.io/name=wanqu-node");
        let wanted = NODES.iter().map(|(_, _, copies)| copies).sum::<usize>();
        until("every node running the image", SOON, async || {
            let pods = pods.list(&nodes).await?.items;
            let so = pods.iter().filter(|pod| ready(pod) && runs(pod, image)).count();
            Ok(if so == wanted && pods.len() == wanted { Ok(()) } else { Err(format!("{so} of {} pods", pods.len())) })
        })
        .await
        .unwrap();
    }

    /// Waits until a Secret of Hong Kong's has these keys, and not those.
    pub async fn authority(&self, has: &[&str], lacks: &[&str]) -> BTreeMap<String, Vec<u8>> {
        let secrets: Api<Secret> = Api::namespaced(self.kube.clone(), "gba-hongkong");
        until("the authority being rolled", SOON, async || {
            let data = secrets.get("hongkong-ca").await?.data.unwrap_or_default();
            let there = |key: &&str| data.contains_key(*key);
            let so = has.iter().all(there) && !lacks.iter().any(there);
            let keys: Vec<&String> = data.keys().collect();
            let seen = if so { Ok(()) } else { Err(format!("{keys:?}")) };
            Ok(seen.map(|()| data.into_iter().map(|(key, value)| (key, value.0)).collect()))
        })
        .await
        .unwrap()
    }

    /// Waits until every copy of every node shows certificates that hold for as long as this.
    pub async fn certificates_hold(&self, for_at_least: Duration) {
        for (namespace, set, copies) in NODES {
            for copy in 0..copies {
                let path = format!("/api/v1/namespaces/{namespace}/pods/{set}-{copy}:9090/proxy/bundle");
                until("certificates that hold for long", SOON, async || {
                    let said = self.cluster.kubectl(&["get", "--raw", &path]).unwrap_or_default();
                    let told: Value = serde_json::from_str(&said).unwrap_or_default();
                    let until: Option<jiff::Timestamp> =
                        told["identityNotAfter"].as_str().and_then(|time| time.parse().ok());
                    let enough = jiff::Timestamp::now() + for_at_least;
                    Ok(if until.is_some_and(|until| until > enough) { Ok(()) } else { Err(said) })
                })
                .await
                .unwrap();
            }
        }
    }

    /// Has Macau's pod go while it works at a question, as its own log shows: what became of the answer, once the next
    /// pod is ready.
    pub async fn macaus_pod_goes(&self, slow: &str, grace: Option<u32>) -> Result<String, Refusal> {
        // Macau can be reached, so that what it does not begin now it will not begin.
        self.rows("SELECT count(*) AS n FROM macau.health.facilities").await;
        let (query, answer) = begin(&self.researcher.client(), slow).await.unwrap();
        let finished = tokio::spawn(finish(answer));
        let macau = self.log("gba-macau", "macau-node-0");
        let begun = until("Macau working at the question", SOON, async || {
            assert!(!finished.is_finished(), "it ended before Macau was seen to work at it");
            let entries = macau.entries(Some(query))?;
            Ok(if entries.is_empty() { Err(String::new()) } else { Ok(entries) })
        });
        let events: Vec<Value> = begun.await.unwrap().iter().map(|entry| entry["event"].clone()).collect();
        assert_eq!(events, ["publicOpened"], "it is being answered");
        let pods: Api<Pod> = Api::namespaced(self.kube.clone(), "gba-macau");
        let gone = pods.get("macau-node-0").await.unwrap().metadata.uid;
        let how = DeleteParams { grace_period_seconds: grace, ..DeleteParams::default() };
        pods.delete("macau-node-0", &how).await.unwrap();
        let outcome = finished.await.unwrap().map(|answered| answered.rows);
        until("Macau's next pod being ready", SOON, async || {
            let next = pods.get_opt("macau-node-0").await?.filter(|pod| pod.metadata.uid != gone);
            Ok(if next.as_ref().is_some_and(ready) { Ok(()) } else { Err(format!("{next:?}")) })
        })
        .await
        .unwrap();
        outcome
    }

    /// Sets the state of the agreement by which Hong Kong asks Shenzhen.
    pub async fn agreement(&self, state: &str) {
        let agreements: Api<DataSharingAgreement> = Api::namespaced(self.kube.clone(), "gba");
        let patch = Patch::Merge(json!({"spec": {"state": state}}));
        agreements.patch("shenzhen-to-hongkong", &PatchParams::default(), &patch).await.unwrap();
    }
}

fn ready(pod: &Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let ready = conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True");
    ready && pod.metadata.deletion_timestamp.is_none()
}

fn runs(pod: &Pod, image: &str) -> bool {
    pod.spec.iter().flat_map(|spec| &spec.containers).all(|container| container.image.as_deref() == Some(image))
}
