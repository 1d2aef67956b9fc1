//! Whoever has an address in a cluster's network: its machine, a pod, a host that is no part of it.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Cluster;
use super::network::Network;
use crate::command::run;
use crate::error::{Result, TestbedError};
use crate::process::{Process, Program};

/// Where containerd keeps the network namespaces of pods, below a cluster's folder.
const PODS: &str = "containerd/run/io.containerd.grpc.v1.cri/netns";

/// The cluster's end of the line to a host outside.
const LINE: &str = "outside";

/// Someone with an address, in whose place a test opens connections and takes them.
#[derive(Debug, Clone)]
pub struct Host {
    network: Network,
    address: IpAddr,
    logs: PathBuf,
}

/// A port of a host that takes connections and closes them, until this is dropped.
#[derive(Debug)]
pub struct Listener(#[expect(dead_code, reason = "it ends when it is dropped")] Process);

/// A host beside a cluster and no part of it, joined by a line of its own: what a pod should not reach can be put there, and
/// no address of the real world is ever called. It goes when this is dropped, or with its cluster.
#[derive(Debug)]
pub struct Outside {
    host: Host,
    /// The cluster's network, in which the line ends.
    cluster: Network,
}

impl Host {
    /// Its address.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// A program of this machine that runs in its place: what it opens, the host opens, whatever a pod's image holds.
    #[must_use]
    pub fn command(&self, program: &str) -> Command {
        self.network.command(program)
    }

    /// Takes connections at a port.
    pub fn listen(&self, port: u16) -> Result<Listener> {
        let nc = ["nc", "-ll", "-p", &port.to_string(), "-e", "true"].map(str::to_owned);
        let program = Program::new("/bin/busybox").args(nc).inside(Some(self.network.path()));
        Process::start("listener", &program, &self.logs).map(Listener)
    }
}

impl Outside {
    /// The host itself.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.host
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        // The kernel takes a namespace down some time after it is deleted, and a line at once. It is gone with its cluster.
        let _ = run(self.cluster.command("ip").args(["link", "delete", LINE]));
        self.host.network.delete();
    }
}

impl Cluster {
    /// The machine that its pods run on.
    #[must_use]
    pub fn machine(&self) -> Host {
        self.host(self.network.clone(), self.node_address())
    }

    /// A pod, by its address.
    pub fn pod(&self, address: IpAddr) -> Result<Host> {
        let folder = self.state().join(PODS);
        let entries = std::fs::read_dir(&folder).map_err(TestbedError::io(&folder))?;
        let networks = entries.flatten().map(|entry| Network::at(entry.path()));
        // Networks of pods that end go while they are looked at.
        let has = |network: &Network| {
            let told = run(network.command("ip").args(["-oneline", "address", "show", "dev", "eth0"]));
            told.is_ok_and(|told| told.contains(&format!(" {address}/")))
        };
        let found = networks.into_iter().find(has);
        let missing = || TestbedError::Missing {
            program: format!("a pod with the address {address}"),
            install: "wait until it runs".to_owned(),
        };
        found.map(|network| self.host(network, address)).ok_or_else(missing)
    }

    /// Puts a host beside the cluster; one at a time.
    pub fn outside(&self) -> Result<Outside> {
        let range = self.seat.range();
        let [here, there] = [1, 2].map(|last| Ipv4Addr::from(u32::from(range.outside()) + last));
        let name = range.outside_name();
        run(Command::new("ip").args(["netns", "add", &name]))?;
        let host = self.host(Network::at(Path::new("/run/netns").join(&name)), there.into());
        let outside = Outside { host, cluster: self.network.clone() };
        run(Command::new("ip")
            .args(["link", "add", LINE, "netns", &self.node_name(), "type", "veth"])
            .args(["peer", "name", "cluster", "netns", &name]))?;
        for (network, words) in [
            (&self.network, format!("address add {here}/30 dev {LINE}")),
            (&self.network, format!("link set {LINE} up")),
            (&outside.host.network, format!("address add {there}/30 dev cluster")),
            (&outside.host.network, "link set cluster up".to_owned()),
            (&outside.host.network, format!("route add default via {here}")),
        ] {
            run(network.command("ip").args(words.split(' ')))?;
        }
        Ok(outside)
    }

    fn host(&self, network: Network, address: IpAddr) -> Host {
        Host { network, address, logs: self.state() }
    }
}
