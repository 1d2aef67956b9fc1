//! A control plane with the definitions, operators that work on it, and short ways to read and to change objects.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{ApiResource, DeleteParams, DynamicObject, ObjectMeta, Patch, PatchParams, PostParams};
use kube::core::gvk::GroupVersionKind;
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use wanqu_operator::Settings;
use wanqu_operator::framework::Clock;
use wanqu_testbed::{ControlPlane, Login, Mark, Request, crds};
use wanqu_testing::until;

/// The longest that anything may take on a machine that is busy.
pub const WITHIN: Duration = Duration::from_secs(90);
/// The user name of the operator: that of the account which the chart makes, so that its policies hold for it.
pub const OPERATOR: &str = "system:serviceaccount:wanqu-system:wanqu-operator";

/// A control plane with the definitions.
pub struct Bed {
    /// The control plane.
    pub plane: ControlPlane,
    /// A client with all rights.
    pub client: Client,
    clock: Arc<AtomicI64>,
}

/// An operator that runs. It stops when this is dropped, wherever it is at that moment.
pub struct Running {
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Running {
    /// Stops it as SIGTERM does.
    pub async fn stop(mut self) {
        if let Some(stop) = self.stop.take() {
            stop.send(()).expect("it runs");
        }
        (&mut self.task).await.expect("it ends in peace");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Bed {
    /// A control plane with the definitions and the namespaces of the examples.
    pub async fn start() -> Self {
        let bed = Self::empty().await;
        for namespace in ["gba", "gba-shenzhen", "gba-hongkong", "gba-macau"] {
            bed.namespace(namespace).await;
        }
        bed
    }

    /// A control plane with the definitions and no namespace of its own.
    pub async fn empty() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let plane = ControlPlane::start().await.unwrap();
        let client = plane.client().await.unwrap();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crds/yaml");
        crds::install(&client, &folder).await.unwrap();
        Self { plane, client, clock: Arc::default() }
    }

    /// Creates a namespace.
    pub async fn namespace(&self, name: &str) {
        let metadata = ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() };
        let object = Namespace { metadata, ..Namespace::default() };
        Api::all(self.client.clone()).create(&PostParams::default(), &object).await.unwrap();
    }

    /// The login of the operator, with all rights.
    pub fn login(&self) -> Login {
        self.plane.user(OPERATOR, Some("system:masters")).unwrap()
    }

    /// An operator of this name, with these arguments.
    pub async fn operator(&self, instance: &str, arguments: &[&str]) -> Running {
        self.operator_as(&self.login(), instance, arguments).await
    }

    /// Starts an operator that logs in so.
    pub async fn operator_as(&self, login: &Login, instance: &str, arguments: &[&str]) -> Running {
        self.operator_with(login.client().await.unwrap(), instance, arguments)
    }

    /// An operator that has only this client.
    pub fn operator_with(&self, client: Client, instance: &str, arguments: &[&str]) -> Running {
        let fixed =
            ["wanqu-operator", "--observe", "127.0.0.1:0", "--instance", instance, "--operator-namespace", "gba"];
        let usual = [["--node-image", "wanqu:test"], ["--lease-seconds", "10"]];
        let usual = usual.iter().filter(|[name, _]| !arguments.contains(name)).flatten();
        let fixed = fixed.iter().chain(usual);
        let settings = <Settings as clap::Parser>::parse_from(fixed.chain(arguments));
        let (stop, stopped) = oneshot::channel();
        let ahead = Arc::clone(&self.clock);
        let clock = Clock::new(move || {
            let now = Timestamp::now().as_second() + ahead.load(Ordering::Relaxed);
            Timestamp::from_second(now).unwrap()
        });
        let task = tokio::spawn(async move {
            let stopped = async { drop(stopped.await) };
            wanqu_operator::run(client, settings, clock, stopped).await.unwrap();
        });
        Running { stop: Some(stop), task }
    }

    /// Sets the operator's clock forward. What is due by then is done at the next reconciliation.
    pub fn later(&self, seconds: i64) {
        self.clock.fetch_add(seconds, Ordering::Relaxed);
    }

    /// A kind, as requests name it.
    pub fn resource(kind: &str) -> ApiResource {
        let (group, version) = match kind {
            "StatefulSet" => ("apps", "v1"),
            "NetworkPolicy" => ("networking.k8s.io", "v1"),
            "PodDisruptionBudget" => ("policy", "v1"),
            "Event" => ("events.k8s.io", "v1"),
            "Lease" => ("coordination.k8s.io", "v1"),
            "Role" | "RoleBinding" => ("rbac.authorization.k8s.io", "v1"),
            "ConfigMap" | "Secret" | "Service" | "ServiceAccount" | "Pod" | "PersistentVolumeClaim" => ("", "v1"),
            _ => ("wanqu.dev", "v1alpha1"),
        };
        ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind))
    }

    /// Returns the API of a kind in a namespace.
    pub fn api(&self, kind: &str, namespace: &str) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), namespace, &Self::resource(kind))
    }

    /// Applies documents as a person does, into the namespace of the federation.
    pub async fn apply(&self, text: &str) {
        self.apply_as(text, "person").await;
    }

    /// Applies documents as this field manager.
    pub async fn apply_as(&self, text: &str, manager: &str) {
        for document in serde_saphyr::from_multiple::<Value>(text).unwrap() {
            let (kind, name) = (document["kind"].as_str().unwrap(), document["metadata"]["name"].as_str().unwrap());
            let namespace = document["metadata"]["namespace"].as_str().unwrap_or("gba");
            let params = PatchParams::apply(manager).force();
            let applied = self.api(kind, namespace).patch(name, &params, &Patch::Apply(&document)).await;
            applied.unwrap_or_else(|error| panic!("{kind} {name}: {error}"));
        }
    }

    /// The manifests of `examples/gba`, and the consents of the members' namespaces.
    pub async fn apply_examples(&self) {
        for member in ["shenzhen", "hongkong", "macau"] {
            self.consent(member).await;
        }
        self.apply_federation().await;
    }

    /// The consent of a member's namespace, by `examples/kubernetes`.
    pub async fn consent(&self, member: &str) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/kubernetes");
        self.apply(&std::fs::read_to_string(folder.join(format!("grant-{member}.yaml"))).unwrap()).await;
    }

    /// The manifests of `examples/gba`, without anybody's consent.
    pub async fn apply_federation(&self) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/gba");
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "yaml") {
                self.apply(&std::fs::read_to_string(path).unwrap()).await;
            }
        }
    }

    /// A definition that somebody edited: the spec of the kind may be anything.
    pub async fn loosen(&self, plural: &str) {
        let definitions: Api<CustomResourceDefinition> = Api::all(self.client.clone());
        let loose = json!([{
            "op": "replace", "path": "/spec/versions/0/schema/openAPIV3Schema/properties/spec",
            "value": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
        }]);
        let patch: Patch<()> = Patch::Json(serde_json::from_value(loose).unwrap());
        definitions.patch(&format!("{plural}.wanqu.dev"), &PatchParams::default(), &patch).await.unwrap();
    }

    /// Changes an object by a merge patch.
    pub async fn merge(&self, kind: &str, namespace: &str, name: &str, patch: Value) {
        let params = PatchParams { field_manager: Some("kubectl-edit".to_owned()), ..PatchParams::default() };
        self.api(kind, namespace).patch(name, &params, &Patch::Merge(patch)).await.unwrap();
    }

    /// Deletes an object.
    pub async fn delete(&self, kind: &str, namespace: &str, name: &str) {
        self.api(kind, namespace).delete(name, &DeleteParams::default()).await.unwrap();
    }

    /// Returns an object, if it is there.
    pub async fn get(&self, kind: &str, namespace: &str, name: &str) -> Option<Value> {
        let object = self.api(kind, namespace).get_opt(name).await.unwrap();
        object.map(|object| serde_json::to_value(object).unwrap())
    }

    /// Waits until `look` finds in an object what it looks for, and returns that.
    pub async fn until<T>(&self, kind: &str, namespace: &str, name: &str, look: impl Fn(&Value) -> Option<T>) -> T {
        until(&format!("{kind} {namespace}/{name} being as expected"), WITHIN, async || {
            let object = self.get(kind, namespace, name).await;
            let seen = object.as_ref().and_then(&look);
            seen.ok_or_else(|| serde_json::to_string_pretty(&object.map(|o| o["status"].clone())).unwrap())
        })
        .await
    }

    /// Waits until an object is gone.
    pub async fn until_gone(&self, kind: &str, namespace: &str, name: &str) {
        until(&format!("{kind} {namespace}/{name} being gone"), WITHIN, async || {
            let object = self.get(kind, namespace, name).await;
            object.map_or(Ok(()), |object| Err(object["metadata"].to_string()))
        })
        .await;
    }

    /// Waits until an object is there, and returns it.
    pub async fn until_there(&self, kind: &str, namespace: &str, name: &str) -> Value {
        self.until(kind, namespace, name, |object| Some(object.clone())).await
    }

    /// Waits for a condition, of the generation that is there now, and returns its message.
    pub async fn condition(&self, kind: &str, name: &str, of: &str, status: &str, reason: &str) -> String {
        self.until(kind, "gba", name, |object| {
            let condition = condition(object, of)?;
            let fits = condition["status"] == status
                && condition["reason"] == reason
                && condition["observedGeneration"] == object["metadata"]["generation"];
            fits.then(|| condition["message"].as_str().unwrap().to_owned())
        })
        .await
    }

    /// Waits until a condition, of the generation that is there now, says something; its reason and its whole message.
    pub async fn told(&self, kind: &str, name: &str, of: &str, status: &str, says: &str) -> (String, String) {
        self.until(kind, "gba", name, |object| {
            let condition = condition(object, of)?;
            let message = condition["message"].as_str().unwrap_or_default();
            let fits = condition["status"] == status
                && condition["observedGeneration"] == object["metadata"]["generation"]
                && message.contains(says);
            fits.then(|| (condition["reason"].as_str().unwrap().to_owned(), message.to_owned()))
        })
        .await
    }

    /// Waits until an object is ready in the generation that is there now.
    pub async fn ready(&self, kind: &str, name: &str) {
        self.until(kind, "gba", name, |object| {
            let condition = condition(object, "Ready")?;
            let fits =
                condition["status"] == "True" && condition["observedGeneration"] == object["metadata"]["generation"];
            fits.then_some(())
        })
        .await;
    }

    /// Sets the status of a workload as its controller does once all copies run.
    pub async fn run_workload(&self, namespace: &str, name: &str) {
        let set = self.until_there("StatefulSet", namespace, name).await;
        let replicas = &set["spec"]["replicas"];
        let status = json!({"status": {
            "observedGeneration": set["metadata"]["generation"], "replicas": replicas, "readyReplicas": replicas,
            "updatedReplicas": replicas, "currentReplicas": replicas, "availableReplicas": replicas,
        }});
        let api = self.api("StatefulSet", namespace);
        api.patch_status(name, &PatchParams::default(), &Patch::Merge(status)).await.unwrap();
    }

    /// Runs the workloads of the examples.
    pub async fn run_workloads(&self) {
        for (namespace, name) in
            [("gba-shenzhen", "shenzhen-node"), ("gba-hongkong", "hongkong-node"), ("gba-macau", "macau-node")]
        {
            self.run_workload(namespace, name).await;
        }
    }

    /// Returns what the operator wrote since then, without its lease and events.
    pub fn writes_since(&self, mark: Mark) -> Vec<Request> {
        let mut writes = self.plane.audit().writes_by(OPERATOR, mark).unwrap();
        writes.retain(|request| !matches!(request.resource(), "leases" | "events"));
        writes
    }

    /// Waits until the operator has written nothing for so long.
    pub async fn until_quiet(&self, quiet: Duration) {
        let mut mark = self.plane.audit().mark().unwrap();
        loop {
            tokio::time::sleep(quiet).await;
            let writes = self.writes_since(mark);
            if writes.is_empty() {
                return;
            }
            mark = self.plane.audit().mark().unwrap();
        }
    }
}

/// A condition of an object, by its type.
pub fn condition<'a>(object: &'a Value, of: &str) -> Option<&'a Value> {
    object["status"]["conditions"].as_array()?.iter().find(|condition| condition["type"] == of)
}

/// Returns the texts of a Secret or `ConfigMap`.
pub fn texts(object: &Value) -> BTreeMap<String, String> {
    use base64::Engine;
    let data = object["data"].as_object().cloned().unwrap_or_default();
    let secret = object["kind"] == "Secret" || object["type"] == "Opaque";
    data.into_iter()
        .map(|(key, value)| {
            let text = value.as_str().unwrap().to_owned();
            let text = if secret {
                String::from_utf8(base64::engine::general_purpose::STANDARD.decode(text).unwrap()).unwrap()
            } else {
                text
            };
            (key, text)
        })
        .collect()
}
