//! The programs of a cluster besides the control plane, and how each is started.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use super::network::Network;
use super::range::Range;
use super::{Pods, calico, config};
use crate::ControlPlane;
use crate::binaries::{Tool, ensure, require};
use crate::control_plane::launch;
use crate::error::{Result, TestbedError};
use crate::process::{Process, Program};

/// Debian's folder of network plugins for pods.
const PLUGINS: &str = "/usr/lib/cni";

/// Builds what is not built yet, before anything runs.
pub(super) fn build(pods: Pods) -> Result<()> {
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
    let more: &[Tool] = match pods {
        Pods::Bridge => &[],
        Pods::Policies => &[Tool::Felix, Tool::CalicoCni],
    };
    tools.iter().chain(more).try_for_each(|tool| ensure(*tool).map(drop))
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
        launch::controllers(self.plane, Some(self.network.path()), &["*"])
    }

    pub(super) fn scheduler(&self) -> Result<Process> {
        let kubeconfig = self.login("system:kube-scheduler", None)?.display().to_string();
        let program = Program::new(ensure(Tool::KubeScheduler)?)
            .args(["--leader-elect=false", "--bind-address=127.0.0.1"])
            .arg(format!("--kubeconfig={kubeconfig}"));
        self.start("kube-scheduler", program)
    }

    pub(super) fn containerd(&self, pods: Pods) -> Result<Process> {
        let plugins = match pods {
            Pods::Bridge => PathBuf::from(PLUGINS),
            Pods::Policies => calico::plugins(Path::new(PLUGINS), &self.folder("plugins")?)?,
        };
        let network = match pods {
            Pods::Bridge => config::bridge(self.range, self.state()),
            Pods::Policies => {
                config::calico(self.range, self.state(), &self.login("testbed-network", Some("system:masters"))?)
            }
        };
        let file = self.folder("networks")?.join("10-pods.conflist");
        std::fs::write(&file, network.to_string()).map_err(TestbedError::io(&file))?;
        let config = self.state().join("containerd.toml");
        let text = config::containerd(self.state(), &plugins);
        std::fs::write(&config, text).map_err(TestbedError::io(&config))?;
        let program = Program::new(require("containerd", "install the package `containerd`")?)
            .args(["--log-level=warn", "--config"])
            .arg(config.display().to_string());
        self.start("containerd", program)
    }

    pub(super) fn felix(&self) -> Result<Process> {
        let kubeconfig = self.login("testbed-felix", Some("system:masters"))?;
        self.start("calico-felix", calico::felix(self.range, &kubeconfig)?)
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
