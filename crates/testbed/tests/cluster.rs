//! A whole cluster is what it says: pods run, Services have names, standards are enforced, and nothing is left.

use std::process::Command;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::api::{Api, PostParams};
use serde_json::json;
use wanqu_testbed::image::BUSYBOX;
use wanqu_testbed::{Cluster, until};

const SOON: Duration = Duration::from_mins(2);

async fn create<K>(cluster: &Cluster, namespace: &str, object: serde_json::Value) -> kube::Result<K>
where
    K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>
        + Clone
        + std::fmt::Debug
        + serde::Serialize
        + serde::de::DeserializeOwned,
{
    let object: K = serde_json::from_value(object).unwrap();
    Api::namespaced(cluster.client().await.unwrap(), namespace).create(&PostParams::default(), &object).await
}

/// A pod that answers "here" on port 8080, set up as the `restricted` standard wants it.
fn web(user: u32) -> serde_json::Value {
    json!({
        "metadata": {"name": "web", "labels": {"app": "web"}},
        "spec": {
            "automountServiceAccountToken": false,
            "securityContext": {
                "runAsUser": user, "runAsNonRoot": user != 0, "fsGroup": 65532, "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [{
                "name": "web",
                "image": BUSYBOX,
                "imagePullPolicy": "Never",
                "command": ["sh", "-c", "echo started; id -u > /state/user; id -u > /more/user; while :; do echo here | nc -l -p 8080; done"],
                "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
                "volumeMounts": [{"name": "state", "mountPath": "/state"}, {"name": "more", "mountPath": "/more"}],
            }],
            "volumes": [
                {"name": "state", "persistentVolumeClaim": {"claimName": "state"}},
                {"name": "more", "persistentVolumeClaim": {"claimName": "more"}},
            ],
        },
    })
}

async fn running(cluster: &Cluster, namespace: &str, name: &str) {
    let pods: Api<Pod> = Api::namespaced(cluster.client().await.unwrap(), namespace);
    until(&format!("the pod {name} running"), SOON, async || {
        let status = pods.get(name).await?.status.unwrap_or_default();
        Ok(if status.phase.as_deref() == Some("Running") { Ok(()) } else { Err(format!("{status:?}")) })
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn pods_run_services_have_names_and_nothing_is_left() {
    let cluster = Cluster::start().await.unwrap();
    let namespace: Namespace = serde_json::from_value(json!({
        "metadata": {"name": "work", "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
    }))
    .unwrap();
    Api::all(cluster.client().await.unwrap()).create(&PostParams::default(), &namespace).await.unwrap();
    let folder = cluster.state().join("volume");
    cluster.volume("state", &folder, "work", "state").await.unwrap();
    // One of a folder that the test knows, and one on demand.
    for (name, class) in [("state", json!({"storageClassName": ""})), ("more", json!({}))] {
        let mut claim = json!({
            "metadata": {"name": name},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
        });
        claim["spec"].as_object_mut().unwrap().extend(class.as_object().unwrap().clone());
        create::<k8s_openapi::api::core::v1::PersistentVolumeClaim>(&cluster, "work", claim).await.unwrap();
    }
    let account = "the default service account of the namespace being there";
    let accounts: Api<k8s_openapi::api::core::v1::ServiceAccount> =
        Api::namespaced(cluster.client().await.unwrap(), "work");
    until(account, SOON, async || Ok(accounts.get_opt("default").await?.map(drop).ok_or_else(String::new)))
        .await
        .unwrap();

    // The standard holds: root is refused, a user is not.
    let refused = create::<Pod>(&cluster, "work", web(0)).await.unwrap_err().to_string();
    assert!(refused.contains("restricted") && refused.contains("runAsNonRoot"), "{refused}");
    create::<Pod>(&cluster, "work", web(65532)).await.unwrap();
    let service = json!({
        "metadata": {"name": "web"},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]},
    });
    create::<k8s_openapi::api::core::v1::Service>(&cluster, "work", service).await.unwrap();
    running(&cluster, "work", "web").await;
    for folder in [folder, cluster.state().join("volumes/work-more")] {
        let written = std::fs::read_to_string(folder.join("user")).unwrap();
        assert_eq!(written, "65532\n", "{} is the pod's to write", folder.display());
    }

    // Logs and exec, through the API server and the kubelet.
    assert_eq!(cluster.kubectl(&["--namespace=work", "logs", "web"]).unwrap(), "started\n");
    let ask = "echo | nc -w 2 web.work.svc.cluster.local 80";
    until("the Service answering by its name", SOON, async || {
        let answer = cluster.kubectl(&["--namespace=work", "exec", "web", "--", "sh", "-c", ask]);
        Ok(answer.map_err(|error| error.to_string()).and_then(|text| if text == "here\n" { Ok(()) } else { Err(text) }))
    })
    .await
    .unwrap();

    // From the test's own process too.
    let ip = cluster.kubectl(&["--namespace=work", "get", "service", "web", "--output=jsonpath={.spec.clusterIP}"]);
    let forward = cluster.forward(format!("{}:80", ip.unwrap()).parse().unwrap()).unwrap();
    let mut stream = std::net::TcpStream::connect(forward.address()).unwrap();
    let mut text = String::new();
    std::io::Read::read_to_string(&mut stream, &mut text).unwrap();
    assert_eq!(text, "here\n");
    drop(forward);

    let (name, state) = (cluster.node_name(), cluster.state());
    cluster.stop().await;
    assert_nothing_is_left(&name, &state);
}

fn assert_nothing_is_left(name: &str, state: &std::path::Path) {
    assert!(!state.exists(), "the folder");
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains(&state.display().to_string()), "mounts: {mounts}");
    let processes = Command::new("ps").args(["-eo", "args"]).output().unwrap();
    assert!(!String::from_utf8_lossy(&processes.stdout).contains(&state.display().to_string()), "processes");
    let namespaces = Command::new("ip").args(["netns", "list"]).output().unwrap();
    let namespaces = String::from_utf8_lossy(&namespaces.stdout).into_owned();
    assert!(!namespaces.lines().any(|line| line.split(' ').next() == Some(name)), "namespaces: {namespaces}");
    for group in ["memory", "cpu", "pids", "."] {
        let path = std::path::Path::new("/sys/fs/cgroup").join(group).join(name);
        assert!(!path.exists(), "{}", path.display());
    }
}
