//! Where a control plane runs, and which addresses and ports it takes there.

use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::path::PathBuf;

use crate::error::{Result, TestbedError};

/// Where a control plane runs.
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
    /// On loopback, on ports that are free now.
    pub(crate) fn loopback() -> Result<Self> {
        let [port, client, peer] = free_ports()?;
        Ok(Self {
            namespace: None,
            address: Ipv4Addr::LOCALHOST.into(),
            port,
            etcd: [client, peer],
            services: "10.96.0.0/16".to_owned(),
            kubernetes: Ipv4Addr::new(10, 96, 0, 1).into(),
        })
    }
}

/// Ports of loopback that nobody listens on. All are held until the last is found, so that they differ.
pub(super) fn free_ports<const N: usize>() -> Result<[u16; N]> {
    let failed = TestbedError::io("a free port on 127.0.0.1");
    let held: std::io::Result<Vec<_>> = (0..N).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).collect();
    let ports: std::io::Result<Vec<u16>> =
        held.and_then(|held| held.iter().map(|listener| Ok(listener.local_addr()?.port())).collect());
    let ports = ports.map_err(failed)?;
    Ok(std::array::from_fn(|n| ports[n]))
}
