//! Accepts TLS connections, for the exchange and for the gateway.
//!
//! tonic gets finished TLS streams only. Every connection is accepted at once, and is a stranger's until a call on it has
//! proved who makes it; [`super::crowd`] bounds how many there are, and closes those that wait longest for newcomers. The
//! TLS handshake has a time limit, and so has what follows, up to that first call. A connection that is refused is logged
//! with its address and the reason.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::Connected;
use wanqu_client::reason::handshake_reason;
use wanqu_model::refusal::Refusal;

use super::crowd::{Crowd, CrowdBounds, Presence};
use super::refused::RefusedConnections;
use super::tap::Tap;

/// Time that a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Time that a connection has, from its arrival, for its first call that proves who makes it.
const FIRST_CALL: Duration = Duration::from_mins(1);

/// Pause after a connection that could not be accepted, such as one more than there are file handles.
const PAUSE: Duration = Duration::from_millis(50);

/// Settings for accepting connections.
#[derive(Clone)]
pub(crate) struct Accepting {
    /// TLS configuration of the server.
    pub tls: Arc<ServerConfig>,
    /// Observer that is told of refused connections.
    pub tap: Tap,
}

/// The other end of a connection; found in a request's extensions.
#[derive(Debug, Clone, Default)]
pub(crate) struct Caller {
    /// The client's certificate chain, where clients are nodes. The handshake verified it; it may be trusted no longer, so
    /// whoever answers a call verifies it again.
    pub chain: Arc<[CertificateDer<'static>]>,
    presence: Option<Arc<Presence>>,
}

impl Caller {
    /// Notes that a call has proved that `caller` makes it.
    ///
    /// # Errors
    /// A refusal if there are as many connections of known callers, or of this one, as there may be.
    pub fn known_as(&self, caller: &str) -> Result<(), Refusal> {
        self.presence.as_ref().map_or(Ok(()), |presence| presence.known_as(caller))
    }

    /// Notes a call that did not prove who makes it.
    pub fn call_refused(&self) {
        if let Some(presence) = &self.presence {
            presence.call_refused();
        }
    }
}

/// A TLS connection that was accepted. It breaks when it is to be closed.
pub(crate) struct Connection {
    stream: TlsStream<TcpStream>,
    caller: Caller,
    broken: Pin<Box<dyn Future<Output = ()> + Send>>,
    ended: bool,
}

/// Accepts connections until the receiver is dropped.
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
    let crowd = Crowd::new(CrowdBounds::default());
    let refused = Arc::new(RefusedConnections::new(how.tap));
    loop {
        let (stream, address) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file handles, or a connection that ended in the queue: both pass.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let presence = Arc::new(crowd.arrive(address.ip()));
        let (tls, sender, refused) = (Arc::clone(&how.tls), sender.clone(), Arc::clone(&refused));
        tokio::spawn(async move {
            let close = presence.close().clone();
            let greeted = tokio::select! {
                greeted = greet(stream, tls, presence, address, &refused) => greeted,
                () = close.cancelled() => Err("it had not said who it is when others came".to_owned()),
            };
            match greeted {
                Ok(connection) => {
                    // The server has stopped if nobody takes it.
                    let _ = sender.send(Ok(connection)).await;
                }
                Err(reason) => refused.note(address, &reason),
            }
        });
    }
}

async fn greet(
    stream: TcpStream,
    tls: Arc<ServerConfig>,
    presence: Arc<Presence>,
    address: SocketAddr,
    refused: &Arc<RefusedConnections>,
) -> Result<Connection, String> {
    let arrived = Instant::now();
    // Small messages must not wait for each other; where the option is missing it is only slower.
    let _ = stream.set_nodelay(true);
    let handshake = TlsAcceptor::from(tls).accept(stream);
    let stream = tokio::time::timeout(HANDSHAKE, handshake)
        .await
        .map_err(|_| "the handshake took too long".to_owned())?
        .map_err(|error| handshake_reason(&error))?;
    let broken = Box::pin(to_be_closed(Arc::clone(&presence), arrived + FIRST_CALL, address, Arc::clone(refused)));
    Ok(Connection { caller: caller(&stream, presence), stream, broken, ended: false })
}

/// Waits until a connection is to be closed: no call has proved in time who makes it, or it has been told to.
async fn to_be_closed(presence: Arc<Presence>, until: Instant, address: SocketAddr, refused: Arc<RefusedConnections>) {
    let reason = tokio::select! {
        reason = presence.is_cut_off() => reason,
        reason = still_a_stranger(&presence, until) => reason,
    };
    refused.note(address, reason);
}

/// Waits until a connection on which no call has proved who makes it is to be closed. Returns the reason.
async fn still_a_stranger(presence: &Presence, until: Instant) -> &'static str {
    let reason = tokio::select! {
        () = presence.close().cancelled() => "it had not said who it is when others came",
        () = sleep_until(until) => "it did not say in time who it is",
    };
    if presence.is_known() {
        // From now on it ends as HTTP/2 has it: by its own end, or when it answers no ping.
        return std::future::pending().await;
    }
    reason
}

fn caller(stream: &TlsStream<TcpStream>, presence: Arc<Presence>) -> Caller {
    Caller { chain: stream.get_ref().1.peer_certificates().unwrap_or_default().into(), presence: Some(presence) }
}

impl Connection {
    /// Fails once it is to be closed.
    fn poll_broken(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        if !self.ended {
            ready!(self.broken.as_mut().poll(cx));
            self.ended = true;
        }
        Poll::Ready(io::ErrorKind::ConnectionAborted.into())
    }
}

impl Connected for Connection {
    type ConnectInfo = Caller;
    fn connect_info(&self) -> Caller {
        self.caller.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if let Poll::Ready(error) = self.poll_broken(cx) {
            return Poll::Ready(Err(error));
        }
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if let Poll::Ready(error) = self.poll_broken(cx) {
            return Poll::Ready(Err(error));
        }
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(error) = self.poll_broken(cx) {
            return Poll::Ready(Err(error));
        }
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
