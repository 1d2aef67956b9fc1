//! The programs of a cluster besides the control plane, and how each is started.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use super::config;
use super::network::Network;
use super::range::Range;
use crate::ControlPlane;
use crate::binaries::{Tool, ensure, require};
use crate::error::{Result, TestbedError};
use crate::process::{Process, Program};

/// Builds what is not built yet, before anything runs.
pub(super) fn build() -> Result<()> {
    let tools = [
        Tool::Etcd,
        Tool::KubeApiserver,
        Tool::KubeControllerManager,
        Tool::KubeScheduler,
        Tool::Kubelet,
        Tool::KubeProxy,
        Tool::CoreDns,
        Tool::Kubectl,
    ];
    tools.into_iter().try_for_each(|tool| ensure(tool).map(drop))
}

/// Starts the programs of one cluster, each with a kubeconfig of its own.
pub(super) struct Components<'a> {
    pub(super) range: Range,
    pub(super) network: &'a Network,
    pub(super) plane: &'a ControlPlane,
}

impl Components<'_> {
    fn state(&self) -> &Path {
        self.plane.state()
    }

    fn at(&self, name: &str) -> String {
        self.state().join(name).display().to_string()
    }

    fn start(&self, name: &'static str, program: Program) -> Result<Process> {
        Process::start(name, &program.inside(Some(self.network.path())), self.state())
    }

    /// A kubeconfig for a component.
    fn login(&self, user: &str, group: Option<&str>) -> Result<PathBuf> {
        Ok(self.plane.component(user, group)?.path().to_owned())
    }

    fn folder(&self, name: &str) -> Result<PathBuf> {
        let path = self.state().join(name);
        std::fs::create_dir_all(&path).map_err(TestbedError::io(&path))?;
        Ok(path)
    }

    pub(super) fn controller_manager(&self) -> Result<Process> {
        let kubeconfig = self.login("system:kube-controller-manager", None)?.display().to_string();
        let program = Program::new(ensure(Tool::KubeControllerManager)?)
            .args(["--leader-elect=false", "--use-service-account-credentials=true", "--bind-address=127.0.0.1"])
            .arg(format!("--kubeconfig={kubeconfig}"))
            .arg(format!("--cert-dir={}", self.at("certificates")))
            .arg(format!("--service-account-private-key-file={}", self.at("service-accounts.key")))
            .arg(format!("--root-ca-file={}", self.at("ca.pem")));
        self.start("kube-controller-manager", program)
    }

    pub(super) fn scheduler(&self) -> Result<Process> {
        let kubeconfig = self.login("system:kube-scheduler", None)?.display().to_string();
        let program = Program::new(ensure(Tool::KubeScheduler)?)
            .args(["--leader-elect=false", "--bind-address=127.0.0.1"])
            .arg(format!("--kubeconfig={kubeconfig}"));
        self.start("kube-scheduler", program)
    }

    pub(super) fn containerd(&self, plugins: &Path) -> Result<Process> {
        let networks = self.folder("networks")?;
        let network = networks.join("10-pods.conflist");
        let bridge = config::bridge(self.range, self.state()).to_string();
        std::fs::write(&network, bridge).map_err(TestbedError::io(&network))?;
        let config = self.state().join("containerd.toml");
        let text = config::containerd(self.state(), plugins);
        std::fs::write(&config, text).map_err(TestbedError::io(&config))?;
        let program = Program::new(require("containerd", "install the package `containerd`")?)
            .args(["--log-level=warn", "--config"])
            .arg(config.display().to_string());
        self.start("containerd", program)
    }

    pub(super) fn kubelet(&self) -> Result<Process> {
        let name = self.range.name();
        let kubeconfig = self.login(&format!("system:node:{name}"), Some("system:nodes"))?.display().to_string();
        self.plane.certify("kubelet", &name, self.range.node())?;
        let write = |file: &str, text: String| {
            let path = self.state().join(file);
            std::fs::write(&path, text).map_err(TestbedError::io(path))
        };
        write("resolv.conf", format!("nameserver {}\n", self.range.node()))?;
        write("kubelet.json", config::kubelet(self.range, self.state()).to_string())?;
        let program = Program::new(ensure(Tool::Kubelet)?)
            .arg(format!("--config={}", self.at("kubelet.json")))
            .arg(format!("--kubeconfig={kubeconfig}"))
            .arg(format!("--root-dir={}", self.at("kubelet")))
            .arg(format!("--cert-dir={}", self.at("kubelet-certificates")))
            .arg(format!("--hostname-override={name}"))
            .arg(format!("--node-ip={}", self.range.node()));
        self.start("kubelet", program)
    }

    /// The limits of connections are the machine's, and are left as they are.
    pub(super) fn proxy(&self) -> Result<Process> {
        let kubeconfig = self.login("system:kube-proxy", None)?.display().to_string();
        let program = Program::new(ensure(Tool::KubeProxy)?)
            .args(["--proxy-mode=nftables", "--conntrack-max-per-core=0", "--conntrack-min=0"])
            .args(["--conntrack-tcp-timeout-established=0s", "--conntrack-tcp-timeout-close-wait=0s"])
            .arg(format!("--kubeconfig={kubeconfig}"))
            .arg(format!("--cluster-cidr={}", self.range.pods()))
            .arg(format!("--hostname-override={}", self.range.name()));
        self.start("kube-proxy", program)
    }

    pub(super) fn dns(&self) -> Result<Process> {
        let kubeconfig = self.login("testbed-dns", Some("system:masters"))?;
        let path = self.state().join("Corefile");
        let node: Ipv4Addr = self.range.node();
        std::fs::write(&path, config::corefile(node, &kubeconfig)).map_err(TestbedError::io(&path))?;
        let program = Program::new(ensure(Tool::CoreDns)?).arg("-conf").arg(path.display().to_string());
        self.start("coredns", program)
    }
}
