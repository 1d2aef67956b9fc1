//! A real API server, three real nodes over real TLS, and an operator that asks them.

use std::ops::Deref;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kube::Api;
use kube::api::PostParams;
use serde_json::{Value, json};
use wanqu_crds::kinds::FederatedQuery;
use wanqu_identity::TokenIssuer;
use wanqu_testbed::Login;
use wanqu_testing::until;

use crate::bed::{Bed, OPERATOR, Running, WITHIN};
use crate::nodes::{Nodes, WORLD};
use crate::{guard, rights};

/// The operator's name as an issuer.
const ISSUER: &str = "kubernetes";

/// A control plane and the nodes that it describes.
pub struct World {
    bed: Bed,
    pub nodes: Nodes,
}

impl Deref for World {
    type Target = Bed;

    fn deref(&self) -> &Bed {
        &self.bed
    }
}

impl World {
    /// Nodes that run and an API server that describes them. Whoever asks is guarded by the chart's policy.
    pub async fn start() -> Self {
        let world = Self::unguarded().await;
        world.guard().await;
        world
    }

    /// The same without the policy.
    pub async fn unguarded() -> Self {
        let issuer = TokenIssuer::new(ISSUER).unwrap();
        let nodes = Nodes::start(&issuer).await;
        let world = Self { bed: Bed::empty().await, nodes };
        world.namespace("gba").await;
        world.describe(&issuer).await;
        rights::bind(&world.client, OPERATOR).await;
        for user in ["wei", "mallory"] {
            world.allow(user).await;
        }
        world
    }

    /// Applies the resources that the nodes were compiled of.
    async fn describe(&self, issuer: &TokenIssuer) {
        self.apply(WORLD).await;
        // As the operator left them when it last ran: the nodes know this key, and this authority.
        let metadata = json!({
            "name": "wanqu-token-issuer", "namespace": "gba", "annotations": {"wanqu.dev/made-for": "gba/gba"},
            "labels": {"app.kubernetes.io/managed-by": "wanqu-operator"},
        });
        let key = STANDARD.encode(issuer.key_pem());
        self.apply(
            &json!({
                "apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {"issuer.key": key},
            })
            .to_string(),
        )
        .await;
        let (certificate, key) = self.nodes.authority();
        self.apply(
            &json!({
                "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "hk-ca", "namespace": "gba"},
                "data": {"ca.pem": STANDARD.encode(certificate), "ca.key": STANDARD.encode(key)},
            })
            .to_string(),
        )
        .await;
    }

    /// Installs the policy that the chart makes.
    pub async fn guard(&self) {
        guard::install(&self.client).await;
        // The API server takes a moment to follow its own policies.
        let mallory = self.queries(&self.user("mallory")).await;
        until("the policy being in force", WITHIN, async || {
            let dry = PostParams { dry_run: true, ..PostParams::default() };
            mallory.create(&dry, &query("probe", "wei", &json!({}))).await.err().map(drop).ok_or("it was created")
        })
        .await;
    }

    /// Lets a user ask, and read what comes of it.
    async fn allow(&self, user: &str) {
        let metadata = json!({"name": user, "namespace": "gba"});
        self.apply(
            &json!({
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": metadata,
                "rules": [
                    {"apiGroups": ["wanqu.dev"], "resources": ["federatedqueries"], "verbs": ["*"]},
                    {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]},
                ],
            })
            .to_string(),
        )
        .await;
        self.apply(
            &json!({
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": metadata,
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": user},
                "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
            })
            .to_string(),
        )
        .await;
    }

    pub fn user(&self, name: &str) -> Login {
        self.plane.user(name, None).unwrap()
    }

    pub async fn queries(&self, login: &Login) -> Api<FederatedQuery> {
        Api::namespaced(login.client().await.unwrap(), "gba")
    }

    /// An operator that asks Hong Kong's node. It has the rights that the chart gives, and no more.
    pub async fn operator(&self) -> Running {
        let gateway = self.nodes.gateway();
        let arguments = ["--watch-namespaces", "gba", "--gateway-address", &gateway];
        let client = self.user(OPERATOR).client().await.unwrap();
        let operator = self.operator_with(client, "asker", &arguments);
        // The node runs, though not in a pod.
        self.run_workload("gba", "hongkong-node").await;
        operator
    }

    /// Waits until `look` finds in a query what it looks for, and returns that.
    pub async fn until<T>(&self, name: &str, look: impl Fn(&FederatedQuery) -> Option<T>) -> T {
        let api: Api<FederatedQuery> = Api::namespaced(self.client.clone(), "gba");
        until(&format!("FederatedQuery {name} being as expected"), WITHIN, async || {
            let object = api.get_opt(name).await.unwrap();
            let seen = object.as_ref().map(|object| serde_json::to_string_pretty(&object.status).unwrap());
            object.and_then(|object| look(&object)).ok_or_else(|| seen.unwrap_or_default())
        })
        .await
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
        self.bed.until_gone("FederatedQuery", "gba", name).await;
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
