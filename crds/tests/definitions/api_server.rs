//! The definitions in the API server itself: it takes them, and each rule accepts and rejects what its examples say.

use std::path::Path;

use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, ApiResource, DynamicObject, ObjectMeta, Patch, PatchParams, PostParams};
use kube::{Client, ResourceExt};
use wanqu_crds::kinds::definitions;
use wanqu_testbed::{ControlPlane, crds};

use crate::rules::{OF_CHANGES, OF_OBJECTS, federation};

/// The objects of a text, in its order.
fn objects(text: &str) -> Vec<DynamicObject> {
    serde_saphyr::from_multiple(text).unwrap()
}

fn api(client: &Client, kind: &str) -> Api<DynamicObject> {
    let definition = definitions().into_iter().find(|definition| definition.kind() == kind).unwrap();
    let spec = &definition.resource().spec;
    let version = &spec.versions[0].name;
    let resource = ApiResource {
        group: spec.group.clone(),
        version: version.clone(),
        api_version: format!("{}/{version}", spec.group),
        kind: kind.to_owned(),
        plural: spec.names.plural.clone(),
    };
    Api::namespaced_with(client.clone(), "gba", &resource)
}

fn kind(object: &DynamicObject) -> &str {
    &object.types.as_ref().unwrap().kind
}

/// Returns the API server's answer to an object in a dry run.
async fn try_to_create(client: &Client, object: &DynamicObject) -> kube::Result<()> {
    let dry = PostParams { dry_run: true, ..PostParams::default() };
    api(client, kind(object)).create(&dry, object).await.map(drop)
}

/// The refusal is by this rule.
fn assert_refused(answer: kube::Result<()>, message: &str) {
    match answer {
        Err(kube::Error::Api(status)) => {
            assert_eq!(status.code, 422, "{message}: {status:?}");
            assert!(status.message.contains(message), "{message}: {}", status.message);
        }
        other => panic!("{message}: {other:?}"),
    }
}

/// An API server that knows the definitions and has a namespace for a federation.
async fn server() -> (ControlPlane, Client) {
    let plane = ControlPlane::start().await.unwrap();
    let client = plane.client().await.unwrap();
    crds::install(&client, &Path::new(env!("CARGO_MANIFEST_DIR")).join("yaml")).await.unwrap();
    let namespace = Namespace {
        metadata: ObjectMeta { name: Some("gba".into()), ..ObjectMeta::default() },
        ..Namespace::default()
    };
    Api::all(client.clone()).create(&PostParams::default(), &namespace).await.unwrap();
    (plane, client)
}

#[tokio::test]
async fn the_manifests_of_the_demo_are_taken_as_they_are() {
    let (_plane, client) = server().await;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/gba");
    let mut taken = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            for object in objects(&std::fs::read_to_string(&path).unwrap()) {
                let apply = PatchParams::apply("tests").validation_strict();
                let api = api(&client, kind(&object));
                let answer = api.patch(&object.name_any(), &apply, &Patch::Apply(&object)).await;
                assert!(answer.is_ok(), "{}: {} {}: {answer:?}", path.display(), kind(&object), object.name_any());
                taken += 1;
            }
        }
    }
    assert!(taken > 20, "{taken}");
}

#[tokio::test]
async fn every_rule_accepts_and_rejects_as_its_examples_say() {
    let (_plane, client) = server().await;
    let untouched = objects(&federation());
    for example in OF_OBJECTS {
        for object in objects(&example.accepted()) {
            let answer = try_to_create(&client, &object).await;
            assert!(answer.is_ok(), "{}: {} {}: {answer:?}", example.message, kind(&object), object.name_any());
        }
        let changed = objects(&example.rejected()).into_iter().find(|object| !untouched.contains(object)).unwrap();
        assert_refused(try_to_create(&client, &changed).await, example.message);
    }

    for object in &untouched {
        api(&client, kind(object)).create(&PostParams::default(), object).await.unwrap();
    }
    for example in OF_CHANGES {
        let dry = PatchParams { dry_run: true, ..PatchParams::default() };
        let patch = |text: &str| Patch::Merge(serde_json::from_str::<serde_json::Value>(text).unwrap());
        let api = api(&client, example.kind);
        api.patch(example.name, &dry, &patch(example.good)).await.unwrap();
        assert_refused(api.patch(example.name, &dry, &patch(example.bad)).await.map(drop), example.message);
    }
}
