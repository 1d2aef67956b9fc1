//! A real API server, three real nodes over real TLS, and an operator that asks them.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::StatefulSet;
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::gvk::GroupVersionKind;
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use wanqu_crds::kinds::FederatedQuery;
use wanqu_identity::TokenIssuer;
use wanqu_operator::Settings;
use wanqu_operator::framework::Clock;
use wanqu_testbed::{ControlPlane, Login, crds, until};

use crate::nodes::{Nodes, WORLD};
use crate::{guard, rights};

/// The longest that anything may take on a machine that is busy.
pub const WITHIN: Duration = Duration::from_secs(90);

/// The user that the operator is.
const OPERATOR: &str = "the-operator";

/// The operator's name as an issuer.
const ISSUER: &str = "kubernetes";

/// Everything that a query needs.
pub struct Bed {
    pub plane: ControlPlane,
    pub client: Client,
    pub nodes: Nodes,
    clock: Arc<AtomicI64>,
}

/// An operator that runs, until it is stopped or dropped.
pub struct Running {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Running {
    /// Stops it as SIGTERM does.
    pub async fn stop(self) {
        self.stop.send(()).expect("it runs");
        self.task.await.expect("it ends in peace");
    }
}

impl Bed {
    /// Nodes that run and an API server that describes them. Whoever asks is guarded by the chart's policy.
    pub async fn start() -> Self {
        let bed = Self::unguarded().await;
        bed.guard().await;
        bed
    }

    /// The same without the policy.
    pub async fn unguarded() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let issuer = TokenIssuer::new(ISSUER, "gba.test").unwrap();
        let nodes = Nodes::start(&issuer).await;
        let plane = ControlPlane::start().await.unwrap();
        let client = plane.client().await.unwrap();
        crds::install(&client, &Path::new(env!("CARGO_MANIFEST_DIR")).join("../crds/yaml")).await.unwrap();
        let bed = Self { plane, client, nodes, clock: Arc::default() };
        bed.apply(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "gba"}})).await;
        bed.describe(&issuer).await;
        rights::bind(&bed.client, OPERATOR).await;
        for user in ["wei", "mallory"] {
            bed.allow(user).await;
        }
        bed
    }

    /// What the nodes run, as resources.
    async fn describe(&self, issuer: &TokenIssuer) {
        for document in serde_saphyr::from_multiple::<Value>(WORLD).unwrap() {
            self.apply(&document).await;
        }
        // As the operator left them when it last ran: the nodes know this key, and this authority.
        let metadata = json!({
            "name": "wanqu-token-issuer", "namespace": "gba", "annotations": {"wanqu.dev/made-for": "gba/gba"},
            "labels": {"app.kubernetes.io/managed-by": "wanqu-operator"},
        });
        let key = STANDARD.encode(issuer.key_pem());
        self.apply(&json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {"issuer.key": key},
        }))
        .await;
        let (certificate, key) = self.nodes.authority();
        self.apply(&json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "hk-ca", "namespace": "gba"},
            "data": {"ca.pem": STANDARD.encode(certificate), "ca.key": STANDARD.encode(key)},
        }))
        .await;
    }

    /// Installs the policy that the chart makes.
    pub async fn guard(&self) {
        guard::install(&self.client).await;
        // The API server takes a moment to follow its own policies.
        let mallory = self.queries(&self.user("mallory")).await;
        until("the policy being in force", WITHIN, async || {
            let dry = PostParams { dry_run: true, ..PostParams::default() };
            Ok(mallory.create(&dry, &query("probe", "wei", &json!({}))).await.err().map(drop).ok_or(String::new()))
        })
        .await
        .unwrap();
    }

    /// Lets a user ask, and read what comes of it.
    async fn allow(&self, user: &str) {
        let metadata = json!({"name": user, "namespace": "gba"});
        self.apply(&json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": metadata,
            "rules": [
                {"apiGroups": ["wanqu.dev"], "resources": ["federatedqueries"], "verbs": ["*"]},
                {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]},
            ],
        }))
        .await;
        self.apply(&json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": metadata,
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": user},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
        }))
        .await;
    }

    pub fn user(&self, name: &str) -> Login {
        self.plane.user(name, None).unwrap()
    }

    pub async fn queries(&self, login: &Login) -> Api<FederatedQuery> {
        Api::namespaced(login.client().await.unwrap(), "gba")
    }

    /// An operator that asks Hong Kong's node.
    pub async fn operator(&self) -> Running {
        let settings = <Settings as clap::Parser>::parse_from([
            "wanqu-operator",
            "--node-image=wanqu:test",
            "--observe=127.0.0.1:0",
            "--watch-namespaces=gba",
            "--operator-namespace=gba",
            "--lease-seconds=3",
            &format!("--gateway-address={}", self.nodes.gateway()),
        ]);
        let ahead = Arc::clone(&self.clock);
        let clock = Clock::new(move || {
            Timestamp::from_second(Timestamp::now().as_second() + ahead.load(Ordering::Relaxed)).unwrap()
        });
        // It has the rights that the chart gives, and no more.
        let client = self.user(OPERATOR).client().await.unwrap();
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            let stopped = async { drop(stopped.await) };
            wanqu_operator::run(client, settings, clock, stopped).await.unwrap();
        });
        self.run_workload().await;
        Running { stop, task }
    }

    /// Says of the home node's workload what its controller would say: the node runs, though not in a pod.
    async fn run_workload(&self) {
        let api: Api<StatefulSet> = Api::namespaced(self.client.clone(), "gba");
        let set = until("the home node's StatefulSet", WITHIN, async || {
            Ok(api.get_opt("hongkong-node").await.unwrap().ok_or_else(String::new))
        });
        let set = set.await.unwrap();
        let status = json!({"status": {
            "observedGeneration": set.metadata.generation, "replicas": 1, "readyReplicas": 1, "updatedReplicas": 1,
            "currentReplicas": 1, "availableReplicas": 1,
        }});
        api.patch_status("hongkong-node", &PatchParams::default(), &Patch::Merge(&status)).await.unwrap();
    }

    /// Turns the operator's clock on.
    pub fn later(&self, seconds: i64) {
        self.clock.fetch_add(seconds, Ordering::Relaxed);
    }

    /// Waits until a query is as `look` wants it.
    pub async fn until<T>(&self, name: &str, look: impl Fn(&FederatedQuery) -> Option<T>) -> T {
        let api: Api<FederatedQuery> = Api::namespaced(self.client.clone(), "gba");
        until(&format!("FederatedQuery {name} being as expected"), WITHIN, async || {
            let object = api.get_opt(name).await.unwrap();
            let seen = object.as_ref().map(|object| serde_json::to_string_pretty(&object.status).unwrap());
            Ok(object.and_then(|object| look(&object)).ok_or_else(|| seen.unwrap_or_default()))
        })
        .await
        .unwrap()
    }

    /// Waits until a condition is true, and returns its reason and message.
    pub async fn condition(&self, name: &str, of: &str, status: &str) -> (String, String) {
        self.until(name, |query| {
            let condition = query.status.as_ref()?.conditions.iter().find(|c| c.type_ == of && c.status == status)?;
            Some((condition.reason.clone(), condition.message.clone()))
        })
        .await
    }

    pub async fn until_gone(&self, name: &str) {
        let api: Api<FederatedQuery> = Api::namespaced(self.client.clone(), "gba");
        until(&format!("FederatedQuery {name} being gone"), WITHIN, async || {
            Ok(api.get_opt(name).await.unwrap().map_or(Ok(()), |object| Err(format!("{:?}", object.metadata))))
        })
        .await
        .unwrap();
    }

    async fn apply(&self, object: &Value) {
        let (kind, name) = (object["kind"].as_str().unwrap(), object["metadata"]["name"].as_str().unwrap());
        let (group, version) = object["apiVersion"].as_str().unwrap().rsplit_once('/').unwrap_or(("", "v1"));
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        let api: Api<DynamicObject> = match object["metadata"]["namespace"].as_str() {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &resource),
            None => Api::all_with(self.client.clone(), &resource),
        };
        let params = PatchParams::apply("test").force();
        api.patch(name, &params, &Patch::Apply(object)).await.unwrap_or_else(|error| panic!("{kind} {name}: {error}"));
    }
}

/// A query of the world's project from Hong Kong.
pub fn query(name: &str, requester: &str, spec: &Value) -> FederatedQuery {
    let mut object = json!({
        "apiVersion": "wanqu.dev/v1alpha1", "kind": "FederatedQuery", "metadata": {"name": name, "namespace": "gba"},
        "spec": {
            "sql": "SELECT 1 AS one", "project": "capacity", "purpose": "health-planning", "from": "HK",
            "requester": requester,
        },
    });
    for (key, value) in spec.as_object().unwrap() {
        object["spec"][key] = value.clone();
    }
    serde_json::from_value(object).unwrap()
}
