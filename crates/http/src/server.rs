//! Plain HTTP server for a router: one request for each connection, and bounds on what a client may hold.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Pause after a connection that could not be accepted: out of file handles, which passes.
const PAUSE: Duration = Duration::from_millis(50);

/// Longest head of a request, in bytes.
const HEAD: usize = 16 * 1024;

/// Bounds on what clients may hold.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Connections at once, at least one; further ones wait.
    pub connections: usize,
    /// Time until the head of the request must have come.
    pub head: Duration,
    /// Time from the connection to the end of the answer.
    pub whole: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { connections: 64, head: Duration::from_secs(5), whole: Duration::from_secs(10) }
    }
}

/// Serves the router until it is dropped, and its connections with it. The listener is shared, so that it outlives a server
/// that panics.
pub async fn serve(listener: Arc<TcpListener>, router: Router, bounds: Bounds) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if connections.len() < bounds.connections.max(1) => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, router.clone(), bounds));
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept an HTTP connection");
                    tokio::time::sleep(PAUSE).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(stream: TcpStream, router: Router, bounds: Bounds) {
    let served = http1::Builder::new()
        .keep_alive(false)
        .max_buf_size(HEAD)
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.head)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    match tokio::time::timeout(bounds.whole, served).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "an HTTP connection broke off"),
        Err(_) => tracing::debug!("an HTTP connection took too long"),
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn slow_clients_are_cut_off_and_the_next_is_answered() {
        let listener = Arc::new(TcpListener::bind("127.0.0.1:0").await.unwrap());
        let address = listener.local_addr().unwrap();
        let bounds = Bounds { connections: 2, head: Duration::from_millis(100), whole: Duration::from_mins(1) };
        let serving = serve(listener, Router::new().route("/livez", get("ok\n")), bounds);
        let asking = async {
            // Two that send half a request and wait, which is as many as there may be.
            let mut slow = [TcpStream::connect(address).await.unwrap(), TcpStream::connect(address).await.unwrap()];
            for stream in &mut slow {
                stream.write_all(b"GET /livez HTTP/1.1\r\nHost:").await.unwrap();
            }
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(b"GET /livez HTTP/1.1\r\nHost: node\r\n\r\n").await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("ok\n"), "{answer}");
            for stream in &mut slow {
                let mut rest = Vec::new();
                stream.read_to_end(&mut rest).await.unwrap();
                assert!(!rest.starts_with(b"HTTP/1.1 200"), "half a request is not answered");
            }
        };
        let both = async {
            tokio::select! { () = serving => {}, () = asking => {} }
        };
        tokio::time::timeout(Duration::from_secs(20), both).await.expect("a slow client holds the server");
    }
}
