//! Addresses and ports of a control plane.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use wanqu_testing::free_port;

/// Addresses and ports of a control plane.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    /// The network namespace; none for the test's own, on loopback.
    pub(crate) namespace: Option<PathBuf>,
    /// The address that the API server listens on and tells others.
    pub(crate) address: IpAddr,
    /// The port of the API server.
    pub(crate) port: u16,
    /// The ports of etcd, on loopback: for clients and for peers, of which there are none.
    pub(crate) etcd: [u16; 2],
    /// The addresses that Services get.
    pub(crate) services: String,
    /// The first of them: the Service `kubernetes`.
    pub(crate) kubernetes: IpAddr,
}

impl Site {
    /// Returns a site on loopback, with ports that are free now.
    pub(crate) fn loopback() -> Self {
        Self {
            namespace: None,
            address: Ipv4Addr::LOCALHOST.into(),
            port: free_port(),
            etcd: [free_port(), free_port()],
            services: "10.96.0.0/16".to_owned(),
            kubernetes: Ipv4Addr::new(10, 96, 0, 1).into(),
        }
    }
}
