//! Connections to gateways and between nodes.

use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::{Channel, Endpoint};

use crate::reason::handshake_reason;
use crate::status::MAX_HEADERS;

/// Longest time to connect, the TLS handshake included.
const CONNECT: Duration = Duration::from_secs(5);

/// Interval of HTTP/2 keep-alive pings while an answer is awaited, and the longest time that one may take. A machine that lost
/// its power, or a pod whose network was taken away, closes no connection.
const KEEP_ALIVE: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(20));

/// Bytes that one stream may send ahead of its reader.
const STREAM_WINDOW: u32 = 512 * 1024;

/// Bytes that all streams of a connection may send ahead of their readers, the most that HTTP/2 allows. A stream that
/// nobody reads for a while (the other side of a join comes first) fills its own window; if those of all streams did not fit
/// into the connection's, it would stop the streams that are being waited for.
const CONNECTION_WINDOW: u32 = (1 << 31) - 1;

/// The most streams of one connection whose windows fit into the connection's.
pub const UNREAD_STREAMS: u32 = CONNECTION_WINDOW / STREAM_WINDOW;

/// Reason why there is no connection.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ConnectError {
    /// Nobody answers at the address, or not in time.
    #[error("cannot be reached: {0}")]
    Unreachable(String),
    /// Somebody answers who did not prove the identity that was called.
    #[error("did not prove its identity: {0}")]
    Unproven(String),
}

impl ConnectError {
    /// Returns the connect error among the sources of another error; `None` if there is none.
    #[must_use]
    pub fn beneath(mut error: &(dyn std::error::Error + 'static)) -> Option<Self> {
        loop {
            if let Some(found) = error.downcast_ref::<Self>() {
                return Some(found.clone());
            }
            error = error.source()?;
        }
    }
}

/// Returns a channel to `address` (`host:port`) that connects when it is first used, and again when the connection is lost.
///
/// # Errors
/// [`ConnectError::Unreachable`] if a request cannot carry the name.
pub fn channel(address: String, name: ServerName<'static>, tls: Arc<ClientConfig>) -> Result<Channel, ConnectError> {
    // The URI is only for headers: where to connect is decided below.
    let endpoint = Endpoint::from_shared(format!("http://{}", name.to_str()))
        .map_err(|error| ConnectError::Unreachable(error.to_string()))?
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .http2_max_header_list_size(MAX_HEADERS)
        .http2_keep_alive_interval(KEEP_ALIVE.0)
        .keep_alive_timeout(KEEP_ALIVE.1);
    let connector = tower::service_fn(move |_: tonic::transport::Uri| {
        let (address, name, tls) = (address.clone(), name.clone(), Arc::clone(&tls));
        async move {
            tokio::time::timeout(CONNECT, connect(&address, name, tls))
                .await
                .unwrap_or_else(|_| Err(ConnectError::Unreachable("it took too long".to_owned())))
                .inspect_err(|error| tracing::warn!(%address, %error, "cannot connect to a node"))
                .map(TokioIo::new)
        }
    });
    Ok(endpoint.connect_with_connector_lazy(connector))
}

async fn connect(
    address: &str,
    name: ServerName<'static>,
    tls: Arc<ClientConfig>,
) -> Result<TlsStream<TcpStream>, ConnectError> {
    let stream =
        TcpStream::connect(address).await.map_err(|error| ConnectError::Unreachable(error.kind().to_string()))?;
    // Small messages must not wait for each other; where the option is missing it is only slower.
    let _ = stream.set_nodelay(true);
    TlsConnector::from(tls).connect(name, stream).await.map_err(|error| {
        let reason = handshake_reason(&error);
        match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(rustls::Error::InvalidCertificate(_)) => ConnectError::Unproven(reason),
            _ => ConnectError::Unreachable(reason),
        }
    })
}
