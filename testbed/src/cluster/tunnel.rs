//! From loopback into a cluster's network namespace.
//!
//! A socket belongs to the namespace that its thread was in when it was made. So the listener is made out here, and a thread
//! that has moved inside makes the connections onwards: no route, no device and no process joins the two.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener as Listener};
use std::path::Path;
use std::thread::JoinHandle;

use nix::sched::{CloneFlags, setns};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use crate::error::{Result, TestbedError};

/// A port of loopback that leads to an address inside a network namespace, until this is dropped.
#[derive(Debug)]
pub(crate) struct Tunnel {
    address: SocketAddr,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Tunnel {
    pub(crate) fn open(namespace: &Path, target: SocketAddr) -> Result<Self> {
        let failed = || TestbedError::io(format!("a way into {}", namespace.display()));
        let listener = Listener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed())?;
        listener.set_nonblocking(true).map_err(failed())?;
        let address = listener.local_addr().map_err(failed())?;
        let inside = File::open(namespace).map_err(failed())?;
        let (end, ended) = oneshot::channel();
        let (ready, entered) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let moved = setns(inside, CloneFlags::CLONE_NEWNET);
            let runtime = moved
                .map_err(std::io::Error::from)
                .and_then(|()| tokio::runtime::Builder::new_current_thread().enable_io().build());
            match runtime {
                Ok(runtime) => {
                    let _ = ready.send(Ok(()));
                    runtime.block_on(serve(listener, target, ended));
                }
                Err(error) => {
                    let _ = ready.send(Err(error));
                }
            }
        });
        entered.recv().unwrap_or_else(|_| Err(std::io::Error::other("its thread ended"))).map_err(failed())?;
        Ok(Self { address, end: Some(end), thread: Some(thread) })
    }

    /// Where to call.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            // It holds nothing that a panic of its own could leave broken.
            let _ = thread.join();
        }
    }
}

async fn serve(listener: Listener, target: SocketAddr, ended: oneshot::Receiver<()>) {
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    let accept = async {
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
    };
    tokio::select! {
        () = accept => {}
        _ = ended => {}
    }
}
