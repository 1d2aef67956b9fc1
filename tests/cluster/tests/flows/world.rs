//! The participants: the federation's nodes and the operator, strangers who label their pods as they like, and a host
//! outside.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use serde_json::{Value, json};
use wanqu_testbed::image::BUSYBOX;
use wanqu_testbed::{Cluster, Host, Listener, Outside, until};

use crate::table::{Flow, Outcome};

const SOON: Duration = Duration::from_mins(3);
const SLEEP: &str = "sleep 100000";
/// A collector of traces that tells its log what it gets, headers and all.
const COLLECT: &str = r#"cat > /tmp/take <<'END'
length=0
while read -r line; do
  line=$(echo "$line" | tr -d '\r')
  echo "$line" >&2
  case "$line" in [Cc]ontent-[Ll]ength:*) length=${line#*: } ;; "") break ;; esac
done
head -c "$length" >&2
echo >&2
printf 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n'
END
exec nc -ll -p 4318 -e sh /tmp/take"#;

/// Everybody by a short name.
pub struct World {
    pub cluster: Cluster,
    hosts: BTreeMap<&'static str, Host>,
    // The listener on the host is dropped before the host.
    listeners: Vec<Listener>,
    outside: Outside,
}

impl World {
    /// Adds strangers and a host outside to a federation that is ready.
    pub async fn around(cluster: Cluster) -> Self {
        let outside = cluster.outside().unwrap();
        let mut listeners = Vec::new();
        for port in [80, 53, 6443, 7443] {
            listeners.push(outside.host().listen(port).unwrap());
        }
        for namespace in ["stranger", "observability"] {
            cluster.kubectl(&["create", "namespace", namespace]).unwrap();
        }
        let node = json!({
            "app.kubernetes.io/name": "wanqu-node",
            "wanqu.dev/federation-namespace": "gba", "wanqu.dev/jurisdiction": "MO",
        });
        let clients = json!({"wanqu.dev/gateway-client": "true", "wanqu.dev/metrics-client": "true"});
        let mut hosts = BTreeMap::from([("machine", cluster.machine()), ("outside", outside.host().clone())]);
        for (name, namespace, labels, script) in [
            ("stranger", "stranger", json!({}), SLEEP),
            // Anybody may write these labels on pods of his own.
            ("impostor", "stranger", node, "exec nc -ll -p 7443 -e true"),
            ("pretender", "stranger", clients, SLEEP),
            ("false-boss", "stranger", json!({"app.kubernetes.io/name": "wanqu-operator"}), SLEEP),
            ("collector", "observability", json!({}), COLLECT),
            ("console", "gba-hongkong", json!({"wanqu.dev/gateway-client": "true"}), SLEEP),
            ("prometheus", "gba-hongkong", json!({"wanqu.dev/metrics-client": "true"}), SLEEP),
            ("samples", "gba-hongkong", json!({"app.kubernetes.io/name": "wanqu-samples"}), SLEEP),
        ] {
            hosts.insert(name, pod(&cluster, name, namespace, &labels, script).await);
        }
        let world = Self { cluster, hosts, listeners, outside };
        world.with_nodes().await
    }

    /// The nodes and the operator, as they run now.
    async fn with_nodes(mut self) -> Self {
        for (name, namespace, selector) in [
            ("shenzhen", "gba-shenzhen", "app.kubernetes.io/name=wanqu-node"),
            ("macau", "gba-macau", "app.kubernetes.io/name=wanqu-node"),
        ] {
            self.hosts.insert(name, running(&self.cluster, namespace, selector).await);
        }
        self.find_operator().await;
        self.trace_hongkong().await;
        // A port of a node's pod that no policy speaks of.
        let other = self.hosts["macau"].listen(7000).unwrap();
        self.listeners.push(other);
        self
    }

    /// The operator, as it runs now.
    pub async fn find_operator(&mut self) {
        let host = running(&self.cluster, "wanqu-system", "app.kubernetes.io/name=wanqu-operator").await;
        self.hosts.insert("operator", host);
    }

    /// Has Hong Kong's node send its traces to the collector, and waits for its new copy.
    async fn trace_hongkong(&mut self) {
        let endpoint = format!("http://{}:4318", self.hosts["collector"].address());
        let patch = json!({"spec": {"traces": {"endpoint": endpoint, "namespace": "observability"}}}).to_string();
        self.merge("jurisdiction", "hongkong", &patch);
        let path =
            "--output=jsonpath={.items[*].spec.containers[0].env[?(@.name==\"OTEL_EXPORTER_OTLP_ENDPOINT\")].value}";
        let selector = "app.kubernetes.io/name=wanqu-node";
        until("Hong Kong's node being told of the collector", SOON, async || {
            let told =
                self.cluster.kubectl(&["--namespace=gba-hongkong", "get", "pods", "--selector", selector, path])?;
            Ok(if told == endpoint { Ok(()) } else { Err(told) })
        })
        .await
        .unwrap();
        let host = running(&self.cluster, "gba-hongkong", selector).await;
        self.hosts.insert("hongkong", host);
    }

    /// Changes a resource of the federation.
    pub fn merge(&self, kind: &str, name: &str, patch: &str) {
        self.cluster.kubectl(&["--namespace=gba", "patch", kind, name, "--type=merge", "--patch", patch]).unwrap();
    }

    /// The address of the host outside.
    pub fn outside(&self) -> IpAddr {
        self.outside.host().address()
    }

    /// Takes everything down.
    pub async fn stop(self) {
        let Self { cluster, listeners, outside, .. } = self;
        drop((listeners, outside));
        cluster.stop().await;
    }

    /// Tries to connect.
    pub fn attempt(&self, flow: Flow) -> Outcome {
        let (host, port) = (self.hosts[flow.to].address().to_string(), flow.port.to_string());
        let mut command = self.hosts[flow.from].command("busybox");
        let output = command.args(["nc", "-w", "2", &host, &port, "-e", "true"]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        match output.status.success() {
            true => Outcome::Passes,
            false if said.contains("timed out") => Outcome::Dropped,
            false => Outcome::Other(said),
        }
    }
}

/// Runs a pod that keeps to the `restricted` standard.
async fn pod(cluster: &Cluster, name: &str, namespace: &str, labels: &Value, script: &str) -> Host {
    let mut labels = labels.clone();
    labels["flows"] = name.into();
    let container = json!({
        "name": "c", "image": BUSYBOX, "imagePullPolicy": "Never", "command": ["sh", "-c", script],
        "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
    });
    let object = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {
            "containers": [container], "volumes": [{"name": "tmp", "emptyDir": {}}], "terminationGracePeriodSeconds": 0,
            "automountServiceAccountToken": false,
            "securityContext": {"runAsNonRoot": true, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
        },
    });
    let file = cluster.state().join(format!("{name}.json"));
    std::fs::write(&file, object.to_string()).unwrap();
    until("the namespace having an account for pods", SOON, async || {
        let made = cluster.kubectl(&["apply", "--filename", &file.display().to_string()]);
        Ok(made.map(drop).map_err(|error| error.to_string()))
    })
    .await
    .unwrap();
    running(cluster, namespace, &format!("flows={name}")).await
}

/// A pod that is ready, by its labels.
async fn running(cluster: &Cluster, namespace: &str, selector: &str) -> Host {
    let place = ["--namespace", namespace, "get", "pods", "--selector", selector, "--output=json"];
    let address: IpAddr = until(&format!("{selector} running in {namespace}"), SOON, async || {
        let pods: Value = serde_json::from_str(&cluster.kubectl(&place)?).unwrap();
        let pod = &pods["items"][0];
        let conditions = pod["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let ready = conditions.iter().any(|said| said["type"] == "Ready" && said["status"] == "True");
        let stays = pod["metadata"].get("deletionTimestamp").is_none();
        let address = pod["status"]["podIP"].as_str().filter(|_| ready && stays);
        Ok(address.map(|text| text.parse().unwrap()).ok_or_else(|| pod["status"].to_string()))
    })
    .await
    .unwrap();
    cluster.pod(address).unwrap()
}
