//! The addresses of one cluster. Each cluster has a number, and 10.NUMBER.0.0/16 is its own, so that several can be joined.

use std::net::{IpAddr, Ipv4Addr};

/// The number of a cluster among those on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Range(u8);

impl Range {
    /// How many clusters one machine can number.
    pub(crate) const MOST: u8 = 200;

    pub(crate) fn new(number: u8) -> Self {
        Self(number)
    }

    /// The name of its network namespace, its cgroup and its node.
    pub(crate) fn name(self) -> String {
        format!("wanqu-{}", self.0)
    }

    /// The address of its node.
    pub(crate) fn node(self) -> Ipv4Addr {
        Ipv4Addr::new(10, self.0, 0, 2)
    }

    /// The addresses of its pods.
    pub(crate) fn pods(self) -> String {
        format!("10.{}.1.0/24", self.0)
    }

    /// The addresses of its node and of its pods.
    pub(crate) fn nodes_and_pods(self) -> String {
        format!("10.{}.0.0/23", self.0)
    }

    /// The network of the line to a host outside.
    pub(crate) fn outside(self) -> Ipv4Addr {
        Ipv4Addr::new(10, self.0, 2, 0)
    }

    /// The name of the network namespace of a host outside.
    pub(crate) fn outside_name(self) -> String {
        format!("{}-outside", self.name())
    }

    /// The addresses of its Services.
    pub(crate) fn services(self) -> String {
        format!("10.{}.128.0/17", self.0)
    }

    /// The Service `kubernetes`: the first of them.
    pub(crate) fn kubernetes(self) -> IpAddr {
        Ipv4Addr::new(10, self.0, 128, 1).into()
    }
}
