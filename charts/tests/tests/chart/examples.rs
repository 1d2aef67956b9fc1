//! The examples for a cluster, held against a real API server.

use std::path::PathBuf;

use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use kube::Api;
use kube::api::PostParams;
use serde_json::{Value, json};
use wanqu_chart_tests::{Rendered, root};
use wanqu_testbed::ControlPlane;

use crate::server::{apply, namespace};

/// The objects of a file or folder of the examples.
fn objects(path: &str) -> Vec<Value> {
    let path = root().join("examples").join(path);
    let mut files: Vec<PathBuf> = if path.is_dir() {
        std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()).collect()
    } else {
        vec![path]
    };
    files.sort();
    files.iter().flat_map(|file| Rendered::parse(std::fs::read_to_string(file).unwrap()).objects().to_vec()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_server_takes_the_examples_and_their_pods_are_restricted() {
    let plane = ControlPlane::start().await.unwrap();
    let client = plane.client().await.unwrap();
    wanqu_testbed::crds::install(&client, &root().join("crds/yaml")).await.unwrap();
    apply(&client, &objects("kubernetes/namespaces.yaml"), false).await;
    for name in ["gba", "gba-shenzhen", "gba-hongkong", "gba-macau"] {
        namespace(&client, name).await;
    }
    apply(&client, &objects("kubernetes"), false).await;
    for mut object in objects("gba") {
        object["metadata"]["namespace"] = "gba".into();
        apply(&client, &[object], false).await;
    }
    let jobs: Vec<Value> = objects("kubernetes").into_iter().filter(|object| object["kind"] == "Job").collect();
    assert_eq!(jobs.len(), 3);
    for job in jobs {
        let template = &job["spec"]["template"];
        let mut pod =
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": template["metadata"], "spec": template["spec"]});
        pod["metadata"]["name"] = "as-the-job-would".into();
        pod["metadata"]["namespace"] = job["metadata"]["namespace"].clone();
        // The namespace enforces the standard: a pod that does not keep to it would be turned away.
        apply(&client, &[pod], true).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_researcher_may_ask_and_read_answers_and_nothing_else() {
    let plane = ControlPlane::start().await.unwrap();
    let client = plane.client().await.unwrap();
    for name in ["gba", "gba-hongkong"] {
        namespace(&client, name).await;
    }
    apply(&client, &objects("kubernetes/researchers.yaml"), false).await;
    let researcher = plane.user("researcher@hku.example", None).unwrap().client().await.unwrap();
    let reviews: Api<SelfSubjectAccessReview> = Api::all(researcher);
    let home = "gba-hongkong";
    for (verb, group, resource, namespace, allowed) in [
        ("create", "wanqu.dev", "federatedqueries", "gba", true),
        ("list", "wanqu.dev", "federatedqueries", "gba", true),
        ("delete", "wanqu.dev", "federatedqueries", "gba", true),
        ("patch", "wanqu.dev", "federatedqueries", "gba", true),
        ("get", "", "configmaps", "gba", true),
        ("list", "", "configmaps", "gba", false),
        ("get", "", "secrets", "gba", false),
        ("patch", "wanqu.dev", "datasharingagreements", "gba", false),
        // The way to the gateway of the home node, and no other to its pods.
        ("list", "", "pods", home, true),
        ("create", "", "pods/portforward", home, true),
        ("create", "", "pods/exec", home, false),
        ("get", "", "pods/log", home, false),
        ("create", "", "pods", home, false),
        ("get", "", "secrets", home, false),
        ("get", "", "configmaps", home, false),
        ("create", "", "pods/portforward", "gba", false),
    ] {
        let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
        let attributes = ResourceAttributes {
            verb: Some(verb.to_owned()),
            group: Some(group.to_owned()),
            resource: Some(resource.to_owned()),
            subresource: Some(subresource.to_owned()),
            namespace: Some(namespace.to_owned()),
            ..ResourceAttributes::default()
        };
        let spec = SelfSubjectAccessReviewSpec { resource_attributes: Some(attributes), ..Default::default() };
        let review = SelfSubjectAccessReview { spec, ..Default::default() };
        let answer = reviews.create(&PostParams::default(), &review).await.unwrap();
        assert_eq!(answer.status.unwrap().allowed, allowed, "{verb} {resource} {subresource} in {namespace}");
    }
}
