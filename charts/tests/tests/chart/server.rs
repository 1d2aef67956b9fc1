//! The rendered objects on a real API server.

use std::path::Path;

use kube::api::{DynamicObject, ListParams, Patch, PatchParams, PostParams, ValidationDirective};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, Client};
use serde_json::{Value, json};
use wanqu_chart_tests::{Helm, Rendered, chart, values_files};
use wanqu_testbed::ControlPlane;

/// Kinds of the Prometheus operator, which is not part of Kubernetes.
const FOREIGN: [&str; 3] = ["ServiceMonitor", "PodMonitor", "PrometheusRule"];

fn api(client: &Client, object: &Value) -> Api<DynamicObject> {
    let kind = object["kind"].as_str().unwrap();
    let (group, version) = object["apiVersion"].as_str().unwrap().rsplit_once('/').unwrap_or(("", "v1"));
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
    match object["metadata"]["namespace"].as_str() {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    }
}

/// Applies objects; unknown fields and fields given twice are errors.
pub async fn apply(client: &Client, objects: &[Value], dry_run: bool) {
    for object in objects {
        let name = object["metadata"]["name"].as_str().unwrap();
        let params = PatchParams {
            dry_run,
            field_manager: Some("chart-tests".to_owned()),
            field_validation: Some(ValidationDirective::Strict),
            ..PatchParams::default()
        };
        let applied = api(client, object).patch(name, &params, &Patch::Apply(object)).await;
        applied.unwrap_or_else(|error| panic!("{} {name}: {error}", object["kind"]));
    }
}

/// A namespace that enforces the restricted standard, with the account that every namespace gets from a controller.
pub async fn namespace(client: &Client, name: &str) {
    let objects = [
        json!({
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": name, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
        }),
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": name}}),
    ];
    apply(client, &objects, false).await;
}

fn rendered_with(file: &Path) -> Rendered {
    Helm::new().template(&["--values", file.to_str().unwrap()])
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_server_takes_every_object_of_every_values_file() {
    let plane = ControlPlane::start().await.unwrap();
    let client = plane.client().await.unwrap();
    for name in ["wanqu-system", "gba", "gba-hongkong", "gba-macau"] {
        namespace(&client, name).await;
    }
    for file in values_files() {
        let rendered = rendered_with(&file);
        let mut objects = rendered.objects().to_vec();
        objects.retain(|object| !FOREIGN.contains(&object["kind"].as_str().unwrap()));
        assert!(objects.len() >= 8, "{}", file.display());
        apply(&client, &objects, true).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_pass_the_restricted_standard() {
    let plane = ControlPlane::start().await.unwrap();
    let client = plane.client().await.unwrap();
    namespace(&client, "wanqu-system").await;
    let rendered = Helm::new().template(&[]);
    apply(&client, &[rendered.one("ServiceAccount").clone()], false).await;
    let template = &rendered.one("Deployment")["spec"]["template"];
    let mut operator =
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": template["metadata"], "spec": template["spec"]});
    operator["metadata"]["name"] = "operator".into();
    operator["metadata"]["namespace"] = "wanqu-system".into();
    let test = rendered.one("Pod").clone();
    apply(&client, &[operator.clone(), test], true).await;

    // Without these settings the same pod is refused.
    operator["spec"]["containers"][0]["securityContext"] = json!({});
    let refused = api(&client, &operator)
        .create(
            &PostParams { dry_run: true, ..PostParams::default() },
            &serde_json::from_value(operator.clone()).unwrap(),
        )
        .await
        .unwrap_err()
        .to_string();
    assert!(refused.contains("violates PodSecurity \"restricted"), "{refused}");
}

/// Install, describe something, upgrade, uninstall: definitions and what they describe are still there.
#[tokio::test(flavor = "multi_thread")]
async fn an_uninstall_keeps_definitions_and_what_they_describe() {
    let plane = ControlPlane::start().await.unwrap();
    let client = plane.client().await.unwrap();
    let helm = Helm::of(plane.admin().path());
    let chart = chart();
    let chart = chart.to_str().unwrap();
    let run = |arguments: &[&str]| {
        let output = helm.run(arguments);
        assert!(output.success, "helm {arguments:?}: {}", output.stderr);
        output.stdout
    };

    let notes = run(&["install", "wanqu", chart, "--create-namespace"]);
    assert!(notes.contains("kubectl --namespace gba wait --for=condition=Ready federation/gba"), "{notes}");
    let definition = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition"});
    let kinds = wanqu_crds::kinds::definitions().len();
    assert_eq!(api(&client, &definition).list(&ListParams::default()).await.unwrap().items.len(), kinds);
    wanqu_testbed::crds::install(&client, &wanqu_chart_tests::root().join("crds/yaml")).await.unwrap();

    namespace(&client, "gba").await;
    let federation = json!({
        "apiVersion": "wanqu.dev/v1alpha1", "kind": "Federation", "metadata": {"name": "gba", "namespace": "gba"},
        "spec": {"trustDomain": "gba.example", "members": ["HK", "MO"]},
    });
    apply(&client, std::slice::from_ref(&federation), false).await;
    let kept = api(&client, &federation).get("gba").await.unwrap();

    run(&["upgrade", "wanqu", chart, "--set", "replicas=3", "--set", "watchNamespaces={gba}"]);
    let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"namespace": "wanqu-system"}});
    let upgraded = api(&client, &deployment).get("wanqu-operator").await.unwrap();
    assert_eq!(upgraded.data["spec"]["replicas"], 3);
    let roles = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole"});
    let left = api(&client, &roles).get_opt("wanqu-system-wanqu-operator").await.unwrap();
    assert!(left.is_none(), "the role for the whole cluster goes when it is not needed any more");

    let said = run(&["uninstall", "wanqu"]);
    assert!(said.contains("[CustomResourceDefinition] federations.wanqu.dev"), "{said}");
    assert_eq!(api(&client, &definition).list(&ListParams::default()).await.unwrap().items.len(), kinds);
    assert_eq!(api(&client, &federation).get("gba").await.unwrap(), kept);
    assert!(api(&client, &deployment).get_opt("wanqu-operator").await.unwrap().is_none());

    // Nobody gets a query in another's name past it while it is away, for the next one to ask.
    let query = json!({
        "apiVersion": "wanqu.dev/v1alpha1", "kind": "FederatedQuery", "metadata": {"name": "forged", "namespace": "gba"},
        "spec": {"sql": "SELECT 1", "from": "HK", "requester": "somebody.else@hku.example"},
    });
    let refused = api(&client, &query)
        .create(&PostParams::default(), &serde_json::from_value(query.clone()).unwrap())
        .await
        .unwrap_err()
        .to_string();
    assert!(refused.contains("spec.requester must be the user who creates the query"), "{refused}");

    // A new installation finds the objects that the old one left.
    run(&["install", "wanqu", chart]);
    assert_eq!(api(&client, &federation).get("gba").await.unwrap(), kept);
}
