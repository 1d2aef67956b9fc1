//! The ports of a local federation, bound before the bundles are compiled, because the bundles name them.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use super::LocalError;

/// Ports to listen on.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    /// Port of the first member's gateway; the next members take the ports after it. 0 takes any free ports.
    pub gateway: u16,
    /// Port of the first member's exchange; the next members take the ports after it. 0 takes any free ports.
    pub exchange: u16,
    /// Port of the first member's gateway over HTTP; the next members take the ports after it. 0 takes any free ports.
    pub http: u16,
}

/// Bound listeners of one member.
pub(super) struct Listeners {
    pub(super) gateway: TcpListener,
    pub(super) exchange: TcpListener,
    pub(super) http: TcpListener,
}

impl Listeners {
    /// Binds the listeners of the member at `position`, on loopback.
    ///
    /// # Errors
    /// If a port is in use, or there is none left after the first.
    pub(super) fn open(ports: Ports, position: usize) -> Result<Self, LocalError> {
        let (gateway, exchange) = (listen(ports.gateway, position)?, listen(ports.exchange, position)?);
        Ok(Self { gateway, exchange, http: listen(ports.http, position)? })
    }
}

/// Returns the address of a listener.
pub(super) fn address(listener: &TcpListener) -> Result<SocketAddr, LocalError> {
    listener.local_addr().map_err(|source| LocalError::Port { port: 0, source })
}

fn listen(first: u16, position: usize) -> Result<TcpListener, LocalError> {
    let offset = u16::try_from(position).unwrap_or(u16::MAX);
    let port = match first {
        0 => 0,
        first => first.checked_add(offset).ok_or(LocalError::NoPort { first })?,
    };
    let open = || {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    };
    open().map_err(|source| LocalError::Port { port, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_follow_each_other_and_one_in_use_is_named() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        let error = listen(port, 0).unwrap_err();
        assert_eq!(error.to_string(), format!("port {port} cannot be listened on: the port is in use"));
        assert!(matches!(listen(65_535, 1), Err(LocalError::NoPort { first: 65_535 })));
        assert_ne!(address(&listen(0, 5).unwrap()).unwrap().port(), 0);
    }
}
