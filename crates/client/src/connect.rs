//! Makes connections to gateways; nodes call each other by it too.

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

/// How long it may take to connect, greeting included.
const CONNECT: Duration = Duration::from_secs(5);

/// How often the other side is asked for a sign of life while something is expected of it, and how long that may take. A
/// machine that lost its power, or a pod whose network was taken away, says no farewell.
const SIGN_OF_LIFE: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(10));

/// Why there is no connection.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ConnectError {
    /// Nobody is there, or not in time.
    #[error("cannot be reached: {0}")]
    Unreachable(String),
    /// Somebody is there who did not prove to be who was called.
    #[error("is not who was called: {0}")]
    Unproven(String),
}

impl ConnectError {
    /// The connect error beneath another error, if there is one.
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

/// A channel to `address` (`host:port`) that connects when it is first used, and again when the connection is lost.
///
/// # Errors
/// [`ConnectError::Unreachable`] if the name is none that a request can carry.
pub fn channel(address: String, name: ServerName<'static>, tls: Arc<ClientConfig>) -> Result<Channel, ConnectError> {
    // The URI is only for headers: where to connect is decided below.
    let endpoint = Endpoint::from_shared(format!("http://{}", name.to_str()))
        .map_err(|error| ConnectError::Unreachable(error.to_string()))?
        // A stream that nobody reads for a while (the other side of a join comes first) fills its own window; were the
        // connection's not much larger, it would stop the streams that are being waited for.
        .initial_stream_window_size(2 * 1024 * 1024)
        .initial_connection_window_size(1 << 30)
        .http2_max_header_list_size(MAX_HEADERS)
        .http2_keep_alive_interval(SIGN_OF_LIFE.0)
        .keep_alive_timeout(SIGN_OF_LIFE.1);
    let connector = tower::service_fn(move |_: tonic::transport::Uri| {
        let (address, name, tls) = (address.clone(), name.clone(), Arc::clone(&tls));
        async move {
            tokio::time::timeout(CONNECT, connect(&address, name, tls))
                .await
                .unwrap_or_else(|_| Err(ConnectError::Unreachable("it took too long".to_owned())))
                .inspect_err(|error| tracing::warn!(%address, %error, "a node cannot be called"))
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
