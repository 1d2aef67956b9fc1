//! Network policies hold, and clusters reach each other by a line that can be cut.

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::Resource;
use kube::api::{Api, PostParams};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use wanqu_testbed::image::BUSYBOX;
use wanqu_testbed::{Cluster, Host, until};

const SOON: Duration = Duration::from_mins(2);
/// What asks the server, by address and port; fails if there is no answer in two seconds.
const ASK: &str = "echo | nc -w 2 \"$0\" \"$1\"";

async fn create<K>(cluster: &Cluster, object: Value) -> K
where
    K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>
        + Clone
        + std::fmt::Debug
        + Serialize
        + DeserializeOwned,
{
    let api: Api<K> = Api::namespaced(cluster.client().await.unwrap(), "default");
    api.create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await.unwrap()
}

async fn pod(cluster: &Cluster, name: &str, labels: Value, script: &str) -> IpAddr {
    let container = json!({"name": "c", "image": BUSYBOX, "imagePullPolicy": "Never", "command": ["sh", "-c", script]});
    let spec = json!({"containers": [container], "terminationGracePeriodSeconds": 0});
    create::<Pod>(cluster, json!({"metadata": {"name": name, "labels": labels}, "spec": spec})).await;
    let pods: Api<Pod> = Api::namespaced(cluster.client().await.unwrap(), "default");
    until(&format!("the pod {name} running"), SOON, async || {
        let status = pods.get(name).await?.status.unwrap_or_default();
        let running = status.phase.as_deref() == Some("Running");
        Ok(status.pod_ip.clone().filter(|_| running).ok_or_else(|| format!("{status:?}")))
    })
    .await
    .unwrap()
    .parse()
    .unwrap()
}

/// A pod that answers, with a Service that has a port of the node.
async fn server(cluster: &Cluster) -> (IpAddr, u16) {
    let serve = "while :; do echo here | nc -l -p 8080; done";
    let address = pod(cluster, "web", json!({"app": "web"}), serve).await;
    let spec = json!({"type": "NodePort", "selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]});
    let service: Service = create(cluster, json!({"metadata": {"name": "web"}, "spec": spec})).await;
    let port = service.spec.and_then(|spec| spec.ports?.first()?.node_port).unwrap();
    (address, u16::try_from(port).unwrap())
}

/// What a pod is answered.
fn from_pod(cluster: &Cluster, pod: &str, host: &str, port: u16) -> String {
    let port = port.to_string();
    cluster.kubectl(&["exec", pod, "--", "sh", "-c", ASK, host, &port]).unwrap_or_default()
}

/// What a program on a cluster's node is answered.
fn from_node(cluster: &Cluster, host: &str, port: u16) -> String {
    let port = port.to_string();
    let output = cluster.inside("busybox").args(["sh", "-c", &ASK.replace("nc ", "busybox nc "), host, &port]).output();
    String::from_utf8(output.unwrap().stdout).unwrap()
}

/// Waits until a question is answered, or until it is not.
async fn becomes(what: &str, answered: bool, ask: impl Fn() -> String) {
    until(what, SOON, async || {
        let answer = ask();
        Ok(if (answer == "here\n") == answered { Ok(()) } else { Err(answer) })
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_policy_lets_pass_what_it_names_and_nothing_else_also_from_another_cluster() {
    let (home, abroad) = tokio::join!(Cluster::start_with_policies(), Cluster::start());
    let (home, abroad) = (home.unwrap(), abroad.unwrap());
    let link = home.join(&abroad).unwrap();
    let (address, port) = server(&home).await;
    let (address, node) = (address.to_string(), home.node_address().to_string());
    let sleep = "sleep 100000";
    let friend = pod(&home, "friend", json!({"role": "friend"}), sleep).await;
    pod(&home, "stranger", json!({}), sleep).await;
    pod(&abroad, "foreigner", json!({}), sleep).await;

    // Without a policy everybody passes, by each way.
    becomes("the Service answering a friend", true, || from_pod(&home, "friend", "web.default.svc.cluster.local", 80))
        .await;
    becomes("a stranger being answered", true, || from_pod(&home, "stranger", &address, 8080)).await;
    becomes("a pod of the other cluster being answered", true, || from_pod(&abroad, "foreigner", &address, 8080)).await;
    becomes("the node's port being answered abroad", true, || from_node(&abroad, &node, port)).await;

    // The line is cut and restored.
    link.cut().unwrap();
    assert_eq!(from_pod(&abroad, "foreigner", &address, 8080), "");
    link.restore().unwrap();
    becomes("the restored line", true, || from_pod(&abroad, "foreigner", &address, 8080)).await;

    // A policy that names the friend.
    let policy = json!({"metadata": {"name": "friends"}, "spec": {
        "podSelector": {"matchLabels": {"app": "web"}},
        "policyTypes": ["Ingress"],
        "ingress": [{
            "from": [{"podSelector": {"matchLabels": {"role": "friend"}}}],
            "ports": [{"protocol": "TCP", "port": 8080}],
        }],
    }});
    create::<NetworkPolicy>(&home, policy).await;
    becomes("the stranger being refused", false, || from_pod(&home, "stranger", &address, 8080)).await;
    becomes("the foreigner being refused", false, || from_pod(&abroad, "foreigner", &address, 8080)).await;
    becomes("the node's port being refused", false, || from_node(&abroad, &node, port)).await;
    becomes("the friend passing still", true, || from_pod(&home, "friend", &address, 8080)).await;
    let by_name = || from_pod(&home, "friend", "web.default.svc.cluster.local", 80);
    becomes("the friend passing by the Service's name", true, by_name).await;
    assert_eq!(from_pod(&home, "stranger", &address, 8080), "", "refused all the time");

    // A host that is no part of the cluster, until it goes.
    let outside = home.outside().unwrap();
    let listener = outside.host().listen(8080).unwrap();
    let (host, name) = (outside.host().address().to_string(), format!("{}-outside", home.node_name()));
    let reached = |from: &Host| {
        let mut ask = from.command("busybox");
        let connects = ask.args(["nc", "-w", "2", &host, "8080", "-e", "true"]).status().unwrap().success();
        if connects { "here\n".to_owned() } else { String::new() }
    };
    let (machine, friend) = (home.machine(), home.pod(friend).unwrap());
    for from in [&machine, &friend] {
        becomes("the host outside being reached", true, || reached(from)).await;
    }
    let there = || Path::new("/run/netns").join(&name).exists();
    assert!(there());
    drop((listener, outside));
    assert!(!there() && reached(&friend).is_empty(), "it goes");
    home.outside().expect("another one in its place");

    drop(link);
    tokio::join!(home.stop(), abroad.stop());
}
