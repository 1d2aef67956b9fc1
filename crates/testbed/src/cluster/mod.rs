//! A whole cluster: a control plane, a node that runs pods, Services and their names, in a network namespace of its own.
//!
//! ```text
//! seat          a number, held by a lock: 10.NUMBER.0.0/16, cgroup /wanqu-NUMBER, namespace wanqu-NUMBER
//!   network     the namespace; its loopback and its node's address are all there is
//!     tunnel    a port of the test's loopback that leads to the API server inside
//!     plane     etcd, API server
//!     node      containerd, kubelet, kube-proxy; controller manager, scheduler, CoreDNS
//!     storage   a default storage class, whose volumes are folders
//! ```
//!
//! It needs root, and Debian packages that are installed if they are missing. Nothing in it reaches the machine's network.
//! All that it writes lies in one folder, and all of it is gone when it stops: processes, containers, mounts, cgroups, the
//! namespace. What a test that was killed left behind is cleared by the next cluster that starts.

mod background;
mod calico;
mod cgroups;
mod components;
mod config;
mod host;
mod leftovers;
mod link;
mod network;
mod range;
mod seat;
mod storage;
mod tunnel;
mod volume;

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Node, ServiceAccount};
use kube::{Api, Client};

use background::Background;
use components::Components;
pub use host::{Host, Listener, Outside};
pub use link::Link;
use network::Network;
use seat::Seat;
use tunnel::Tunnel;

use crate::binaries::{Tool, ensure};
use crate::command::run;
use crate::control_plane::Site;
use crate::error::{Result, TestbedError};
use crate::image::{self, BUSYBOX};
use crate::packages;
use crate::process::Process;
use crate::scratch::Scratch;
use crate::wait::until;
use crate::{ControlPlane, Login};

/// The longest that a loaded machine may take for one step.
const READY_WITHIN: Duration = Duration::from_mins(3);

/// How pods are joined to the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pods {
    /// By a bridge: every pod reaches every other.
    Bridge,
    /// By Calico, which holds them to network policies.
    Policies,
}

/// A running cluster of one node. It ends, and all that it made goes, when this is dropped.
pub struct Cluster {
    // Dropped in this order: the provider of volumes; the programs of the node, the kubelet first, so that nothing starts containers anew; what they
    // left; the control plane, and with it the folder.
    storage: Option<Background>,
    node: Vec<Process>,
    seat: Seat,
    plane: ControlPlane,
    network: Network,
    /// Kept open: the test reaches the API server by it.
    _api: Tunnel,
}

impl Cluster {
    /// Starts a cluster and waits until its node is ready and names resolve. Several run side by side. Network policies have
    /// no effect in it.
    ///
    /// # Errors
    /// If this is not root, a package or a program cannot be had, or something is not ready in time.
    pub async fn start() -> Result<Self> {
        Self::start_as(Pods::Bridge).await
    }

    /// Starts a cluster that enforces network policies, from the first pod on.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn start_with_policies() -> Result<Self> {
        Self::start_as(Pods::Policies).await
    }

    async fn start_as(pods: Pods) -> Result<Self> {
        packages::ensure_for_node()?;
        components::build(pods)?;
        let scratch = Scratch::new()?;
        let seat = Seat::take(scratch.path())?;
        let range = seat.range();
        cgroups::make(&range.name())?;
        let network = Network::make(range)?;
        let server = SocketAddr::new(range.node().into(), 6443);
        let api = Tunnel::open(network.path(), server)?;
        let site = Site {
            namespace: Some(network.path().to_owned()),
            address: server.ip(),
            port: server.port(),
            etcd: [2379, 2380],
            services: range.services(),
            kubernetes: range.kubernetes(),
        };
        let plane = ControlPlane::start_at(&site, Some(format!("https://{}", api.address())), scratch).await?;
        let mut cluster = Self { storage: None, node: Vec::new(), seat, plane, network, _api: api };
        cluster.start_node(pods).await?;
        Ok(cluster)
    }

    async fn start_node(&mut self, pods: Pods) -> Result<()> {
        let containerd = self.components().containerd(pods)?;
        self.node.push(containerd);
        self.containerd_ready().await?;
        self.import_own_images()?;
        if pods == Pods::Policies {
            calico::prepare(&self.client().await?).await?;
            let felix = self.components().felix()?;
            self.node.push(felix);
            self.answers("Felix getting ready", calico::READINESS).await?;
        }
        let kubelet = self.components().kubelet()?;
        self.node.insert(0, kubelet);
        let components = self.components();
        let rest = [components.controller_manager()?, components.scheduler()?, components.proxy()?, components.dns()?];
        self.node.extend(rest);
        self.storage = Some(storage::provide(self.admin(), self.plane.state(), self.node_name()).await?);
        self.ready().await
    }

    fn components(&self) -> Components<'_> {
        Components { range: self.seat.range(), network: &self.network, plane: &self.plane }
    }

    async fn containerd_ready(&mut self) -> Result<()> {
        until("containerd getting ready", READY_WITHIN, async || {
            self.check()?;
            Ok(self.ctr(&["version"]).map(drop).map_err(|error| error.to_string()))
        })
        .await
    }

    /// The sandbox of a pod, which sleeps, and the tools of a shell are one root.
    fn import_own_images(&self) -> Result<()> {
        let work = tempfile::tempdir_in(self.plane.state()).map_err(TestbedError::io(self.plane.state()))?;
        let (root, tar) = (work.path().join("root"), work.path().join("image.tar"));
        image::busybox(&root)?;
        for (name, entrypoint) in [(config::PAUSE, &["/bin/sleep", "2147483647"][..]), (BUSYBOX, &[])] {
            image::archive(name, &root, entrypoint, &tar)?;
            self.import(&tar)?;
        }
        Ok(())
    }

    async fn ready(&mut self) -> Result<()> {
        let client = self.client().await?;
        let nodes: Api<Node> = Api::all(client.clone());
        let name = self.node_name();
        until("the node getting ready", READY_WITHIN, async || {
            self.check()?;
            let node = nodes.get_opt(&name).await?;
            let conditions = node.and_then(|node| node.status?.conditions).unwrap_or_default();
            let ready = conditions.iter().find(|condition| condition.type_ == "Ready");
            Ok(match ready {
                Some(condition) if condition.status == "True" => Ok(()),
                other => Err(other.and_then(|condition| condition.message.clone()).unwrap_or_default()),
            })
        })
        .await?;
        let accounts: Api<ServiceAccount> = Api::namespaced(client, "default");
        until("the default service account being there", READY_WITHIN, async || {
            Ok(accounts.get_opt("default").await?.map(drop).ok_or_else(String::new))
        })
        .await?;
        self.answers("the names of Services being served", (8181, "/ready")).await
    }

    /// Waits until a program inside says that it is ready, on a port of its loopback.
    async fn answers(&mut self, what: &str, (port, path): (u16, &str)) -> Result<()> {
        let way = Tunnel::open(self.network.path(), SocketAddr::from(([127, 0, 0, 1], port)))?;
        until(what, READY_WITHIN, async || {
            self.check()?;
            Ok(ready_over_http(way.address(), path).await.map_err(|error| error.to_string()))
        })
        .await
    }

    /// An error if a program of the node has ended.
    fn check(&mut self) -> Result<()> {
        self.node.iter_mut().try_for_each(Process::check)
    }

    /// Its control plane: who a test is, and what was asked of the API server.
    #[must_use]
    pub fn plane(&self) -> &ControlPlane {
        &self.plane
    }

    /// The administrator, who may do everything.
    #[must_use]
    pub fn admin(&self) -> &Login {
        self.plane.admin()
    }

    /// A client of the administrator.
    pub async fn client(&self) -> Result<Client> {
        self.plane.client().await
    }

    /// The name of its node.
    #[must_use]
    pub fn node_name(&self) -> String {
        self.seat.range().name()
    }

    /// The address of its node, inside: where `NodePort`s answer.
    #[must_use]
    pub fn node_address(&self) -> IpAddr {
        self.seat.range().node().into()
    }

    /// The addresses of its node and pods, with which they come to a cluster that it is joined to.
    #[must_use]
    pub fn addresses(&self) -> String {
        self.seat.range().nodes_and_pods()
    }

    /// Runs `kubectl` as the administrator and gives what it printed.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        let kubectl = ensure(Tool::Kubectl)?;
        run(Command::new(kubectl).env("KUBECONFIG", self.admin().path()).args(arguments))
    }

    /// A command that runs inside the cluster's network namespace, where Services and pods have their addresses.
    #[must_use]
    pub fn inside(&self, program: &str) -> Command {
        self.network.command(program)
    }

    /// A port of the test's loopback that leads to an address inside, for as long as the forward is kept.
    pub fn forward(&self, target: SocketAddr) -> Result<Forward> {
        Tunnel::open(self.network.path(), target).map(Forward)
    }

    /// Makes an image known to the node, from an archive of `docker save` or of OCI. Pods take it with
    /// `imagePullPolicy: IfNotPresent` or `Never`; there is no registry.
    pub fn import(&self, archive: &Path) -> Result<()> {
        self.ctr(&["--namespace=k8s.io", "images", "import", &archive.display().to_string()]).map(drop)
    }

    /// Gives an image that the node knows another name, as a registry does with a new tag of the same image.
    pub fn tag(&self, image: &str, name: &str) -> Result<()> {
        let whole = |name: &str| format!("docker.io/library/{name}");
        self.ctr(&["--namespace=k8s.io", "images", "tag", &whole(image), &whole(name)]).map(drop)
    }

    fn ctr(&self, arguments: &[&str]) -> Result<String> {
        let socket = self.plane.state().join("containerd.sock");
        run(Command::new("ctr").arg("--address").arg(socket).args(arguments))
    }

    /// Where this cluster keeps its state; a test may put what belongs to it there.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.plane.state().to_owned()
    }

    /// Stops it. This takes some seconds; when it returns, nothing of the cluster is left.
    pub async fn stop(self) {
        let stopped = tokio::task::spawn_blocking(|| drop(self)).await;
        // The join fails only if the drop panicked, which is to be seen.
        if let Err(error) = stopped {
            std::panic::resume_unwind(error.into_panic());
        }
    }
}

/// A port of loopback that leads into a cluster.
#[derive(Debug)]
pub struct Forward(Tunnel);

impl Forward {
    /// Where to call.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.0.address()
    }
}

/// Whether a program answers its readiness with 200.
async fn ready_over_http(address: SocketAddr, path: &str) -> std::io::Result<()> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(address).await?;
    stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let status = answer.split(' ').nth(1).unwrap_or_default();
    if status == "200" { Ok(()) } else { Err(std::io::Error::other(format!("answered {status:?}"))) }
}
