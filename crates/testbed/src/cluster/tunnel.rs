//! From loopback into a cluster's network namespace.
//!
//! A socket belongs to the namespace that its thread was in when it was made. So the listener is made out here, and a thread
//! that has moved inside makes the connections onwards: no route, no device and no process joins the two.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener as Listener};
use std::path::Path;

use nix::sched::{CloneFlags, setns};
use tokio::net::{TcpListener, TcpStream};

use super::background::Background;
use crate::error::{Result, TestbedError};

/// A port of loopback that leads to an address inside a network namespace, until this is dropped.
#[derive(Debug)]
pub(crate) struct Tunnel {
    address: SocketAddr,
    _work: Background,
}

impl Tunnel {
    pub(crate) fn open(namespace: &Path, target: SocketAddr) -> Result<Self> {
        let failed = |error| TestbedError::io(format!("a way into {}", namespace.display()))(error);
        let listener = Listener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let inside = File::open(namespace).map_err(failed)?;
        let enter = move || Ok(setns(inside, CloneFlags::CLONE_NEWNET)?);
        let work = Background::start(enter, move || serve(listener, target)).map_err(failed)?;
        Ok(Self { address, _work: work })
    }

    /// Where to call.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

async fn serve(listener: Listener, target: SocketAddr) {
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    loop {
        // A caller that is gone before it is served is no reason to stop.
        if let Ok((mut outside, _)) = listener.accept().await {
            tokio::spawn(async move {
                // Whoever cannot be reached is seen as a connection that closes.
                if let Ok(mut inside) = TcpStream::connect(target).await {
                    let _ = tokio::io::copy_bidirectional(&mut outside, &mut inside).await;
                }
            });
        }
    }
}
