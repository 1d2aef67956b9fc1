//! A way between two clusters, which can be cut.

use std::process::Command;

use super::Cluster;
use super::network::Network;
use super::range::Range;
use crate::command::run;
use crate::error::Result;

/// Two clusters joined: the nodes and pods of each reach those of the other by their own addresses. Services do not: their
/// addresses mean something within their cluster only; a `NodePort` is reached at the node's address.
#[derive(Debug)]
pub struct Link {
    ends: [End; 2],
}

/// One cluster's end.
#[derive(Debug)]
struct End {
    network: Network,
    device: String,
    /// Whom it leads to.
    other: Range,
}

impl Cluster {
    /// Joins this cluster to another.
    pub fn join(&self, other: &Self) -> Result<Link> {
        let end = |from: &Self, to: &Self| End {
            network: from.network.clone(),
            device: format!("to-{}", to.node_name()),
            other: to.seat.range(),
        };
        let link = Link { ends: [end(self, other), end(other, self)] };
        let [here, there] = &link.ends;
        run(Command::new("ip")
            .args(["link", "add", &here.device, "netns", &self.node_name(), "type", "veth"])
            .args(["peer", "name", &there.device, "netns", &other.node_name()]))?;
        link.restore()?;
        Ok(link)
    }
}

impl Link {
    /// Cuts it: what is sent is lost, as on a broken line.
    pub fn cut(&self) -> Result<()> {
        self.ends.iter().try_for_each(|end| end.ip(&["link", "set", &end.device, "down"]))
    }

    /// Restores it.
    pub fn restore(&self) -> Result<()> {
        self.ends.iter().try_for_each(|end| end.ip(&["link", "set", &end.device, "up"]))?;
        // The kernel forgets the routes of a device that goes down.
        self.ends.iter().try_for_each(End::route)
    }
}

impl End {
    /// The other's node answers for its address on this device, though no device here shares its network.
    fn route(&self) -> Result<()> {
        let (reached, node) = (self.other.nodes_and_pods(), self.other.node().to_string());
        self.ip(&["route", "replace", &reached, "via", &node, "dev", &self.device, "onlink"])
    }

    fn ip(&self, arguments: &[&str]) -> Result<()> {
        run(self.network.command("ip").args(arguments)).map(drop)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // The other end goes with it; both are gone already if a cluster is.
        let _ = self.ends[0].ip(&["link", "delete", &self.ends[0].device]);
    }
}
