//! Accepts TLS connections, for the exchange and for the gateway.
//!
//! tonic gets finished TLS streams only. Handshakes run beside each other and have a time limit, so that nobody holds
//! up the others by being slow; a connection that is refused is logged with its address and the reason.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::Connected;
use wanqu_client::reason::handshake_reason;

use super::tap::Tap;

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// How many handshakes may run at once; further connections wait in the kernel's queue.
const MAX_HANDSHAKES: usize = 256;

/// How many connections may be open at once; further ones are refused.
const MAX_CONNECTIONS: usize = 1024;

/// How to accept connections.
#[derive(Clone)]
pub(crate) struct Accepting {
    /// The server's side of TLS.
    pub tls: Arc<ServerConfig>,
    /// Who watches.
    pub tap: Tap,
}

/// Who is at the other end; found in a request's extensions.
#[derive(Debug, Clone, Default)]
pub(crate) struct Caller {
    /// The certificates that the node came with, where clients are nodes. The handshake checked them; a connection
    /// outlives what was true then, so whoever answers a call asks the trust of the moment.
    pub chain: Arc<[CertificateDer<'static>]>,
}

/// A TLS connection that was accepted.
pub(crate) struct Connection {
    stream: TlsStream<TcpStream>,
    caller: Caller,
    _permit: OwnedSemaphorePermit,
}

/// Accepts until the receiver is dropped.
pub(crate) fn accept(listener: TcpListener, how: Accepting) -> ReceiverStream<io::Result<Connection>> {
    let (sender, receiver) = mpsc::channel(16);
    tokio::spawn(async move {
        tokio::select! {
            () = accept_all(listener, how, sender.clone()) => {}
            () = sender.closed() => {}
        }
    });
    ReceiverStream::new(receiver)
}

async fn accept_all(listener: TcpListener, how: Accepting, sender: mpsc::Sender<io::Result<Connection>>) {
    let handshakes = Arc::new(Semaphore::new(MAX_HANDSHAKES));
    let connections = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let Ok(handshake) = Arc::clone(&handshakes).acquire_owned().await else { return };
        let (stream, address) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file handles, or a connection that ended in the queue: both pass.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let (how, sender, connections) = (how.clone(), sender.clone(), Arc::clone(&connections));
        tokio::spawn(async move {
            match greet(stream, &how, connections).await {
                Ok(connection) => {
                    // The server has stopped if nobody takes it.
                    let _ = sender.send(Ok(connection)).await;
                }
                Err(reason) => refuse(&how.tap, address, &reason),
            }
            drop(handshake);
        });
    }
}

fn refuse(tap: &Tap, address: SocketAddr, reason: &str) {
    tracing::warn!(%address, reason, "a connection was refused");
    if let Some(tap) = tap {
        tap.refused(address, reason);
    }
}

async fn greet(stream: TcpStream, how: &Accepting, connections: Arc<Semaphore>) -> Result<Connection, String> {
    // Small messages must not wait for each other; where the option is missing it is only slower.
    let _ = stream.set_nodelay(true);
    let handshake = TlsAcceptor::from(Arc::clone(&how.tls)).accept(stream);
    let stream = tokio::time::timeout(HANDSHAKE, handshake)
        .await
        .map_err(|_| "the handshake took too long".to_owned())?
        .map_err(|error| handshake_reason(&error))?;
    let caller = caller(&stream);
    let permit = connections.try_acquire_owned().map_err(|_| "there are too many connections".to_owned())?;
    Ok(Connection { stream, caller, _permit: permit })
}

fn caller(stream: &TlsStream<TcpStream>) -> Caller {
    Caller { chain: stream.get_ref().1.peer_certificates().unwrap_or_default().into() }
}

impl Connected for Connection {
    type ConnectInfo = Caller;
    fn connect_info(&self) -> Caller {
        self.caller.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
