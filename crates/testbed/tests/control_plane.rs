//! A control plane is what it says: a real API server that knows its users, writes down what they ask, and leaves nothing.

use std::path::Path;
use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Namespace, ServiceAccount};
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::api::{DeleteParams, ListParams, ObjectMeta, Patch, PatchParams, PostParams};
use kube::{Api, Client, Error, Resource};
use serde_json::json;
use wanqu_testbed::{ControlPlane, Mark, binaries, until};

fn named<T>(name: &str, make: impl FnOnce(ObjectMeta) -> T) -> T {
    make(ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() })
}

async fn namespace(client: &Client, name: &str) {
    let object = named(name, |metadata| Namespace { metadata, ..Namespace::default() });
    Api::all(client.clone()).create(&PostParams::default(), &object).await.unwrap();
}

/// Lets a subject write config maps of one namespace.
async fn allow(client: &Client, namespace: &str, subject: serde_json::Value) {
    let role: Role = serde_json::from_value(json!({
        "metadata": {"name": "writer"},
        "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "create", "patch"]}],
    }))
    .unwrap();
    let binding: RoleBinding = serde_json::from_value(json!({
        "metadata": {"name": "writer"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "writer"},
        "subjects": [subject],
    }))
    .unwrap();
    let create = PostParams::default();
    Api::namespaced(client.clone(), namespace).create(&create, &role).await.unwrap();
    Api::namespaced(client.clone(), namespace).create(&create, &binding).await.unwrap();
}

fn code<T: std::fmt::Debug>(answer: Result<T, Error>) -> u16 {
    match answer.unwrap_err() {
        Error::Api(status) => status.code,
        other => panic!("{other}"),
    }
}

fn alive(id: u32) -> bool {
    Path::new(&format!("/proc/{id}")).exists()
}

#[tokio::test]
async fn the_control_plane_authenticates_users_and_enforces_roles() {
    let plane = ControlPlane::start().await.unwrap();
    let admin = plane.client().await.unwrap();
    assert_eq!(admin.apiserver_version().await.unwrap().git_version, "v1.34.4");
    namespace(&admin, "gba").await;
    namespace(&admin, "other").await;
    allow(&admin, "gba", json!({"kind": "User", "name": "wei", "apiGroup": "rbac.authorization.k8s.io"})).await;
    allow(&admin, "other", json!({"kind": "Group", "name": "stewards", "apiGroup": "rbac.authorization.k8s.io"})).await;

    let stranger = plane.anonymous().unwrap().client().await.unwrap();
    let namespaces: Api<Namespace> = Api::all(stranger);
    assert_eq!(code(namespaces.list(&ListParams::default()).await), 403);

    let maps = |client: &Client, namespace: &str| -> Api<ConfigMap> { Api::namespaced(client.clone(), namespace) };
    let map = named("a", |metadata| ConfigMap { metadata, ..ConfigMap::default() });
    let wei = plane.user("wei", None).unwrap().client().await.unwrap();
    maps(&wei, "gba").create(&PostParams::default(), &map).await.unwrap();
    assert_eq!(code(maps(&wei, "other").create(&PostParams::default(), &map).await), 403);
    let ana = plane.user("ana", Some("stewards")).unwrap().client().await.unwrap();
    maps(&ana, "other").create(&PostParams::default(), &map).await.unwrap();
    assert_eq!(code(maps(&ana, "gba").list(&ListParams::default()).await), 403);
}

#[tokio::test]
async fn a_service_account_logs_in_as_its_pod_would_and_its_requests_are_written_down() {
    let plane = ControlPlane::start().await.unwrap();
    let admin = plane.client().await.unwrap();
    namespace(&admin, "gba").await;
    let account = named("worker", |metadata| ServiceAccount { metadata, ..ServiceAccount::default() });
    Api::namespaced(admin.clone(), "gba").create(&PostParams::default(), &account).await.unwrap();
    allow(&admin, "gba", json!({"kind": "ServiceAccount", "name": "worker", "namespace": "gba"})).await;

    let login = plane.service_account("gba", "worker").await.unwrap();
    let maps: Api<ConfigMap> = Api::namespaced(login.client().await.unwrap(), "gba");
    let mark = plane.audit().mark().unwrap();
    let apply =
        Patch::Apply(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": "v"}}));
    maps.patch("a", &PatchParams::apply("worker"), &apply).await.unwrap();
    maps.get("a").await.unwrap();

    let user = "system:serviceaccount:gba:worker";
    let writes = plane.audit().writes_by(user, mark).unwrap();
    assert_eq!(writes.len(), 1, "{writes:?}");
    assert_eq!((writes[0].verb.as_str(), writes[0].resource(), writes[0].response.code), ("patch", "configmaps", 201));
    let since = plane.audit().since(mark).unwrap();
    assert_eq!(since.iter().filter(|request| request.user.username == user).count(), 2, "the read is there too");
    assert!(plane.audit().since(Mark::default()).unwrap().len() > since.len());
}

#[tokio::test]
async fn controllers_run_where_a_test_wants_them() {
    let mut plane = ControlPlane::start().await.unwrap();
    let admin = plane.client().await.unwrap();
    namespace(&admin, "gba").await;
    let maps: Api<ConfigMap> = Api::namespaced(admin, "gba");
    let owner = named("owner", |metadata| ConfigMap { metadata, ..ConfigMap::default() });
    let owner = maps.create(&PostParams::default(), &owner).await.unwrap();
    let mut owned = named("owned", |metadata| ConfigMap { metadata, ..ConfigMap::default() });
    owned.metadata.owner_references = owner.owner_ref(&()).map(|reference| vec![reference]);
    maps.create(&PostParams::default(), &owned).await.unwrap();

    plane.start_controllers(&["garbage-collector-controller"]).unwrap();
    maps.delete("owner", &DeleteParams::default()).await.unwrap();
    until("what its owner left behind going", Duration::from_mins(2), async || {
        Ok(maps.get_opt("owned").await?.map_or(Ok(()), |map| Err(format!("{map:?}"))))
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn control_planes_stand_side_by_side_and_leave_nothing() {
    let (first, second) = tokio::join!(ControlPlane::start(), ControlPlane::start());
    let (first, second) = (first.unwrap(), second.unwrap());
    namespace(&first.client().await.unwrap(), "only-here").await;
    let there: Api<Namespace> = Api::all(second.client().await.unwrap());
    assert!(there.get_opt("only-here").await.unwrap().is_none());

    // A kubeconfig is for other programs too.
    let kubectl = std::process::Command::new(binaries::ensure(binaries::Tool::Kubectl).unwrap())
        .env("KUBECONFIG", first.admin().path())
        .args(["get", "namespace", "only-here", "--output=name"])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&kubectl.stdout).trim(), "namespace/only-here", "{kubectl:?}");

    let ids = [first.processes(), second.processes()].concat();
    assert!(ids.iter().all(|id| alive(*id)));
    let folder = first.audit().path().parent().unwrap().to_owned();
    first.stop();
    drop(second);
    assert!(!ids.iter().any(|id| alive(*id)) && !folder.exists());
}
