//! The configuration of a node's programs. Pure: values in, texts out.

use std::net::Ipv4Addr;
use std::path::Path;

use serde_json::{Value, json};

use super::range::Range;

/// The image of a pod's sandbox.
pub(super) const PAUSE: &str = "localhost/wanqu-testbed/pause:1";

/// containerd: state of its own, no registry, the network of pods by the plugins in `plugins`.
pub(super) fn containerd(state: &Path, plugins: &Path) -> String {
    let at = |name: &str| state.join(name).display().to_string();
    format!(
        r#"version = 2
root = "{root}"
state = "{run}"

[grpc]
address = "{socket}"

[plugins."io.containerd.internal.v1.opt"]
path = "{opt}"

[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{PAUSE}"
# Without the right to lower a score below the parent's, every sandbox fails.
restrict_oom_score_adj = true
# So that they lie below the folder of this cluster, and go with it.
netns_mounts_under_state_dir = true

[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "overlayfs"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{plugins}"
conf_dir = "{networks}"
"#,
        root = at("containerd/root"),
        run = at("containerd/run"),
        socket = at("containerd.sock"),
        opt = at("containerd/opt"),
        plugins = plugins.display(),
        networks = at("networks"),
    )
}

/// The network of the pods: a bridge, addresses of the node's range, ports of the node on request.
pub(super) fn bridge(range: Range, state: &Path) -> Value {
    json!({
        "cniVersion": "0.3.1",
        "name": "pods",
        "plugins": [
            {
                "type": "bridge",
                "bridge": "pods",
                "isGateway": true,
                "hairpinMode": true,
                "ipam": {
                    "type": "host-local",
                    "ranges": [[{"subnet": range.pods()}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                    "dataDir": state.join("addresses"),
                },
            },
            {"type": "portmap", "snat": true, "capabilities": {"portMappings": true}},
        ],
    })
}

/// Returns the network configuration with Calico's plugin instead of the bridge: Felix knows the devices that it makes.
pub(super) fn calico(range: Range, state: &Path, kubeconfig: &Path) -> Value {
    json!({
        "cniVersion": "0.3.1",
        "name": "pods",
        "plugins": [
            {
                "type": "calico",
                "log_file_path": state.join("calico-cni.log"),
                "datastore_type": "kubernetes",
                "nodename": range.name(),
                "nodename_file_optional": true,
                "mtu": 1500,
                "ipam": {
                    "type": "host-local",
                    "ranges": [[{"subnet": range.pods()}]],
                    "dataDir": state.join("addresses"),
                },
                "policy": {"type": "k8s"},
                "kubernetes": {"kubeconfig": kubeconfig},
            },
            {"type": "portmap", "snat": true, "capabilities": {"portMappings": true}},
        ],
    })
}

/// The kubelet.
pub(super) fn kubelet(range: Range, state: &Path) -> Value {
    let at = |name: &str| state.join(name);
    json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": range.node(),
        "authentication": {"x509": {"clientCAFile": at("ca.pem")}, "anonymous": {"enabled": false}},
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": at("kubelet.pem"),
        "tlsPrivateKeyFile": at("kubelet.key"),
        "containerRuntimeEndpoint": format!("unix://{}", at("containerd.sock").display()),
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": format!("/{}", range.name()),
        "failCgroupV1": false,
        "failSwapOn": false,
        "enforceNodeAllocatable": [],
        "registerNode": true,
        "clusterDomain": "cluster.local",
        "clusterDNS": [range.node()],
        "resolvConf": at("resolv.conf"),
        "podLogsDir": at("pod-logs"),
        "volumePluginDir": at("volume-plugins"),
        "readOnlyPort": 0,
        // Mounted Secrets and ConfigMaps follow at once, not after a minute.
        "syncFrequency": "10s",
        // The machine's own disk and memory are not what is tested.
        "imageGCHighThresholdPercent": 100,
        "evictionHard": {"memory.available": "1Mi", "nodefs.available": "0%", "imagefs.available": "0%", "nodefs.inodesFree": "0%"},
    })
}

/// `CoreDNS`: the names of Services, and nothing else: there is no world to ask.
pub(super) fn corefile(node: Ipv4Addr, kubeconfig: &Path) -> String {
    format!(
        "cluster.local in-addr.arpa {{
    bind {node}
    errors
    ready 127.0.0.1:8181
    kubernetes cluster.local in-addr.arpa {{
        kubeconfig {}
        ttl 5
    }}
}}
",
        kubeconfig.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_nodes_files_and_ports_lie_in_its_own_folder_and_range() {
        let (range, state) = (Range::new(7), Path::new("/tmp/cluster"));
        let text = containerd(state, Path::new("/usr/lib/cni"));
        for line in text.lines().filter(|line| line.contains("\"/")) {
            assert!(line.contains("/tmp/cluster/") || line.contains("/usr/lib/cni"), "{line}");
        }
        let kubelet = kubelet(range, state).to_string();
        assert!(kubelet.contains("\"cgroupRoot\":\"/wanqu-7\"") && kubelet.contains("10.7.0.2"), "{kubelet}");
        assert!(bridge(range, state).to_string().contains("10.7.1.0/24"));
        assert!(corefile(range.node(), &state.join("k")).contains("bind 10.7.0.2"));
    }
}
