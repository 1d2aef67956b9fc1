//! Somebody who has the operator's token: what its rights and the policies of the chart leave.

use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};

use crate::bed::{Bed, OPERATOR};
use crate::disks::class;
use crate::guard;
use crate::rights::bind;

/// A thief in the cluster.
struct Thief<'a> {
    bed: &'a Bed,
    client: Client,
}

impl Thief<'_> {
    fn api(&self, object: &Value) -> Api<DynamicObject> {
        let kind = object["kind"].as_str().unwrap();
        Api::namespaced_with(self.client.clone(), "victim", &Bed::resource(kind))
    }

    /// Writes an object by server-side apply, and returns why not.
    async fn apply(&self, object: &Value) -> Result<(), String> {
        let params = PatchParams::apply("wanqu-operator").force();
        let name = object["metadata"]["name"].as_str().unwrap();
        let applied = self.api(object).patch(name, &params, &Patch::Apply(object)).await;
        applied.map(drop).map_err(|error| error.to_string())
    }

    async fn delete(&self, object: &Value) -> Result<(), String> {
        let name = object["metadata"]["name"].as_str().unwrap();
        self.api(object).delete(name, &DeleteParams::default()).await.map(drop).map_err(|error| error.to_string())
    }

    /// Returns whether the account may do this in the namespace of others.
    async fn may(&self, verb: &str, resource: &str) -> bool {
        let attributes = ResourceAttributes {
            verb: Some(verb.to_owned()),
            resource: Some(resource.to_owned()),
            namespace: Some("victim".to_owned()),
            ..ResourceAttributes::default()
        };
        let spec = SelfSubjectAccessReviewSpec { resource_attributes: Some(attributes), ..<_>::default() };
        let review = SelfSubjectAccessReview { spec, ..SelfSubjectAccessReview::default() };
        let answer = Api::all(self.client.clone()).create(&PostParams::default(), &review).await.unwrap();
        answer.status.unwrap().allowed
    }

    /// Writes an object as a person.
    async fn person(&self, object: &Value) {
        self.bed.apply(&object.to_string()).await;
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is a literal")]
fn named(kind: &str, name: &str, rest: Value) -> Value {
    let group = Bed::resource(kind).api_version;
    let mut object = json!({"apiVersion": group, "kind": kind, "metadata": {"name": name, "namespace": "victim"}});
    object.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    object
}

/// The object with the marks of the operator's own.
fn marked(mut object: Value) -> Value {
    object["metadata"]["labels"] = json!({"app.kubernetes.io/managed-by": "wanqu-operator"});
    object["metadata"]["annotations"] = json!({"wanqu.dev/made-for": "gba/macau"});
    object
}

/// A workload as the operator makes it, with this change.
fn workload(change: impl Fn(&mut Value)) -> Value {
    let mut pod = json!({
        "serviceAccountName": "macau-node", "automountServiceAccountToken": false,
        "containers": [{
            "name": "node", "image": "wanqu:test", "env": [{"name": "A", "value": "b"}],
            "securityContext": {"allowPrivilegeEscalation": false, "runAsNonRoot": true, "capabilities": {"drop": ["ALL"]}},
        }],
        "volumes": [
            {"name": "identity", "secret": {"secretName": "macau-identity"}},
            {"name": "bundle", "configMap": {"name": "macau-bundle"}},
            {"name": "spill", "emptyDir": {}},
        ],
    });
    change(&mut pod);
    let labels = json!({"a": "b"});
    let template = json!({"metadata": {"labels": labels}, "spec": pod});
    let spec = json!({"serviceName": "macau-node", "selector": {"matchLabels": labels}, "template": template});
    marked(named("StatefulSet", "macau-node", json!({"spec": spec})))
}

/// Asserts that a policy refused it, with this message.
fn refused(result: Result<(), String>, why: &str) {
    let error = result.expect_err(why);
    assert!(error.contains("the operator") && error.contains(why), "{error}");
}

#[tokio::test]
async fn with_the_operators_token_nothing_of_others_is_changed_and_no_secret_is_mounted() {
    let bed = Bed::start().await;
    bed.namespace("victim").await;
    bind(&bed.client, OPERATOR).await;
    guard::install(&bed.client).await;
    let client = bed.plane.user(OPERATOR, None).unwrap().client().await.unwrap();
    let thief = Thief { bed: &bed, client };
    // A policy takes effect a moment after it was made.
    let config = named("ConfigMap", "settings", json!({"data": {"a": "b"}}));
    wanqu_testing::until("the policies being in force", crate::bed::WITHIN, async || {
        let params = PatchParams { dry_run: true, ..PatchParams::apply("wanqu-operator") };
        match thief.api(&config).patch("settings", &params, &Patch::Apply(&config)).await {
            Ok(_) => Err("it was written".to_owned()),
            Err(error) if error.to_string().contains("made-for") => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    })
    .await;
    objects_of_others(&thief, config).await;
    secrets(&thief).await;
    pods(&thief).await;
    claims(&thief).await;
    workloads(&thief).await;
}

/// What others made, also if somebody marks it as the operator's in the same stroke.
async fn objects_of_others(thief: &Thief<'_>, config: Value) {
    let theirs = [
        named("Secret", "password", json!({"stringData": {"a": "b"}})),
        config,
        named("Service", "web", json!({"spec": {"ports": [{"port": 80}]}})),
        named("ServiceAccount", "web", json!({})),
        named("NetworkPolicy", "deny", json!({"spec": {"podSelector": {}}})),
        named("PodDisruptionBudget", "web", json!({"spec": {"selector": {}}})),
    ];
    for object in &theirs {
        refused(thief.apply(object).await, "writes only objects that have the annotation wanqu.dev/made-for");
        thief.person(object).await;
        refused(thief.apply(&marked(object.clone())).await, "changes and deletes only objects");
        refused(thief.delete(object).await, "changes and deletes only objects");
        // One that is marked from the start may be written and deleted.
        let mut own = marked(object.clone());
        own["metadata"]["name"] = json!("own");
        thief.apply(&own).await.unwrap();
        thief.delete(&own).await.unwrap();
    }
}

/// Secrets are not found out, and none is filled with the token of an account.
async fn secrets(thief: &Thief<'_>) {
    assert!(thief.may("get", "secrets").await, "the check itself works");
    for verb in ["list", "watch", "update", "deletecollection"] {
        assert!(!thief.may(verb, "secrets").await, "{verb}");
    }
    let mut token = marked(named("Secret", "token", json!({"type": "kubernetes.io/service-account-token"})));
    token["metadata"]["annotations"]["kubernetes.io/service-account.name"] = json!("web");
    refused(thief.apply(&token).await, "only Secrets of type Opaque");
}

/// A pod of others, and one of the operator's own, whose image is another.
async fn pods(thief: &Thief<'_>) {
    let containers = json!([{"name": "web", "image": "web:1"}]);
    let pod = named("Pod", "web", json!({"spec": {"serviceAccountName": "web", "containers": containers}}));
    thief.person(&pod).await;
    let patch = async |name: &str, patch: Value| {
        let patched = thief.api(&pod).patch(name, &PatchParams::default(), &Patch::Strategic(patch)).await;
        patched.map(drop).map_err(|error| error.to_string())
    };
    let note = || json!({"metadata": {"annotations": {"a": "b"}}});
    let image = || json!({"spec": {"containers": [{"name": "web", "image": "mine:1"}]}});
    refused(patch("web", note()).await, "changes and deletes only objects");
    // Two policies refuse it, and either may be the first.
    refused(patch("web", image()).await, "the operator");
    let mut own = marked(pod.clone());
    own["metadata"]["name"] = json!("own");
    thief.person(&own).await;
    patch("own", note()).await.unwrap();
    refused(patch("own", image()).await, "changes nothing but their metadata");
    own["metadata"]["name"] = json!("new");
    assert!(thief.apply(&own).await.is_err());
}

/// Claims of others, and the metadata of a node's own disks.
async fn claims(thief: &Thief<'_>) {
    class(thief.bed, "grows", true).await;
    let spec = json!({
        "accessModes": ["ReadWriteOnce"], "storageClassName": "grows", "volumeName": "v",
        "resources": {"requests": {"storage": "1Gi"}},
    });
    let bound = Patch::Merge(json!({"status": {"phase": "Bound", "capacity": {"storage": "1Gi"}}}));
    let larger = || json!({"spec": {"resources": {"requests": {"storage": "2Gi"}}}});
    for (name, labels) in [
        ("records", json!({"app.kubernetes.io/name": "wanqu-node"})),
        ("state-macau-node-0", json!({"app.kubernetes.io/name": "another"})),
        ("state-macau-node-1", json!({"app.kubernetes.io/name": "wanqu-node"})),
    ] {
        let mut claim = named("PersistentVolumeClaim", name, json!({"spec": spec}));
        claim["metadata"]["labels"] = labels;
        thief.person(&claim).await;
        let persons = thief.bed.api("PersistentVolumeClaim", "victim");
        persons.patch_status(name, &PatchParams::default(), &bound).await.unwrap();
        let patch = async |patch: Value| {
            let patched = thief.api(&claim).patch(name, &PatchParams::default(), &Patch::Merge(patch)).await;
            patched.map(drop).map_err(|error| error.to_string())
        };
        if name == "state-macau-node-1" {
            refused(
                patch(json!({"metadata": {"labels": {"a": "b"}}})).await,
                "changes nothing of a claim but its size",
            );
            refused(patch(json!({"metadata": {"finalizers": []}})).await, "changes nothing of a claim but its size");
            patch(larger()).await.unwrap();
        } else {
            refused(patch(larger()).await, "no claims but the disks of its nodes");
        }
        assert!(thief.apply(&marked(named("PersistentVolumeClaim", "new", json!({"spec": spec})))).await.is_err());
    }
}

/// A workload that mounts somebody's Secret, acts as somebody, or has a hold on its host.
async fn workloads(thief: &Thief<'_>) {
    thief.apply(&workload(|_| {})).await.unwrap();
    let volume = |volume: Value| workload(move |pod| pod["volumes"].as_array_mut().unwrap().push(volume.clone()));
    for volume in [
        volume(json!({"name": "v", "secret": {"secretName": "password"}})),
        volume(json!({"name": "v", "secret": {"secretName": "hongkong-identity"}})),
        volume(json!({"name": "v", "hostPath": {"path": "/"}})),
        volume(json!({"name": "v", "projected": {"sources": [{"secret": {"name": "password"}}]}})),
    ] {
        refused(thief.apply(&volume).await, "and nothing else");
    }
    let with = |field: &str, value: Value| workload(|pod| pod[field] = value.clone());
    let container = |field: &str, value: Value| workload(|pod| pod["containers"][0][field] = value.clone());
    let from = json!({"secretKeyRef": {"name": "password", "key": "a"}});
    for (why, object) in [
        ("has no token", with("automountServiceAccountToken", json!(true))),
        ("has no token", with("serviceAccountName", json!("web"))),
        ("no init containers", with("initContainers", json!([{"name": "i", "image": "mine:1"}]))),
        ("no environment", container("envFrom", json!([{"secretRef": {"name": "password"}}]))),
        ("no environment", container("env", json!([{"name": "A", "valueFrom": from}]))),
        ("no part of their host", with("hostNetwork", json!(true))),
        ("no part of their host", with("hostPID", json!(true))),
        ("no part of their host", with("hostIPC", json!(true))),
        ("no part of their host", container("securityContext", json!({"privileged": true}))),
        (
            "no part of their host",
            workload(|pod| pod["containers"][0]["securityContext"]["capabilities"] = json!({"add": ["SYS_ADMIN"]})),
        ),
        ("no part of their host", container("ports", json!([{"containerPort": 80, "hostPort": 80}]))),
    ] {
        refused(thief.apply(&object).await, why);
    }
}
