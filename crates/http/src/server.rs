//! Plain HTTP server for a router: one request for each connection, and bounds on what a client may hold.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};

/// Pause after a connection that could not be accepted: out of file handles, which passes.
const PAUSE: Duration = Duration::from_millis(50);

/// Longest head of a request, in bytes.
const HEAD: usize = 16 * 1024;

/// Time between two looks for a connection that can make room.
const LOOK: Duration = Duration::from_millis(100);

/// Bounds on what clients may hold.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Connections at once, at least one. A further one takes the place of one that has sent no request yet, or that has not
    /// taken its answer for a while; or it waits.
    pub connections: usize,
    /// Time until the head of the request must have come.
    pub head: Duration,
    /// Time from the request after which an answer that is not taken makes room.
    pub answer: Duration,
    /// Time from the connection to the end of the answer.
    pub whole: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            connections: 64,
            head: Duration::from_secs(5),
            answer: Duration::from_secs(1),
            whole: Duration::from_secs(10),
        }
    }
}

/// Serves the router until it is dropped, and its connections with it. The listener is shared, so that it outlives a server
/// that panics.
///
/// A connection is always accepted. If there are as many as there may be, the oldest that has not sent its request yet makes
/// room: whoever holds connections open and says nothing keeps nobody from an answer. Nor does whoever asks and does not take the
/// answer: if all have asked, the oldest whose answer should have been taken by then makes room.
pub async fn serve(listener: Arc<TcpListener>, router: Router, bounds: Bounds) {
    let mut connections = Connections::default();
    let bounds = Bounds { connections: bounds.connections.max(1), ..bounds };
    loop {
        tokio::select! {
            accepted = listener.accept(), if connections.can_make_room(bounds) => match accepted {
                Ok((stream, _)) => {
                    connections.make_room(bounds);
                    connections.add(stream, router.clone(), bounds);
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept an HTTP connection");
                    tokio::time::sleep(PAUSE).await;
                }
            },
            Some(ended) = connections.tasks.join_next_with_id() => connections.ended(&ended),
            () = tokio::time::sleep(LOOK), if !connections.can_make_room(bounds) => {}
        }
    }
}

/// The connections of a server, from the oldest to the newest.
#[derive(Default)]
struct Connections {
    tasks: JoinSet<()>,
    open: VecDeque<Open>,
}

/// One connection.
struct Open {
    task: AbortHandle,
    /// Time at which its request came.
    asked: Arc<OnceLock<Instant>>,
}

impl Connections {
    /// Returns true if there are fewer than there may be, or one of them can make room.
    fn can_make_room(&self, bounds: Bounds) -> bool {
        self.open.len() < bounds.connections || self.in_the_way(bounds.answer).is_some()
    }

    /// Ends a connection that can make room, if there are as many as there may be.
    fn make_room(&mut self, bounds: Bounds) {
        if self.open.len() >= bounds.connections
            && let Some(one) = self.in_the_way(bounds.answer).and_then(|one| self.open.remove(one))
        {
            one.task.abort();
        }
    }

    /// Returns the oldest that has asked for nothing yet, or else the oldest that asked so long ago.
    fn in_the_way(&self, answer: Duration) -> Option<usize> {
        let is_silent = |open: &Open| open.asked.get().is_none();
        let is_stuck = |open: &Open| open.asked.get().is_some_and(|asked| asked.elapsed() >= answer);
        self.open.iter().position(is_silent).or_else(|| self.open.iter().position(is_stuck))
    }

    fn add(&mut self, stream: TcpStream, router: Router, bounds: Bounds) {
        let asked = Arc::default();
        let task = self.tasks.spawn(connection(stream, router, bounds, Arc::clone(&asked)));
        self.open.push_back(Open { task, asked });
    }

    fn ended(&mut self, ended: &Result<(Id, ()), JoinError>) {
        let id = match ended {
            Ok((id, ())) => *id,
            Err(error) => error.id(),
        };
        self.open.retain(|open| open.task.id() != id);
    }
}

async fn connection(stream: TcpStream, router: Router, bounds: Bounds, asked: Arc<OnceLock<Instant>>) {
    let router = TowerToHyperService::new(router);
    let noted = service_fn(move |request: Request<Incoming>| {
        asked.get_or_init(Instant::now);
        router.call(request)
    });
    let served = http1::Builder::new()
        .keep_alive(false)
        .max_buf_size(HEAD)
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.head)
        .serve_connection(TokioIo::new(stream), noted);
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
        let (head, long) = (Duration::from_millis(100), Duration::from_mins(1));
        let bounds = Bounds { connections: 2, head, answer: long, whole: long };
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
                // A connection can be reset, because nobody has read what was sent.
                let _ = stream.read_to_end(&mut rest).await;
                assert!(!rest.starts_with(b"HTTP/1.1 200"), "half a request is not answered");
            }
        };
        let both = async {
            tokio::select! { () = serving => {}, () = asking => {} }
        };
        tokio::time::timeout(Duration::from_secs(20), both).await.expect("a slow client holds the server");
    }

    #[tokio::test]
    async fn a_probe_is_answered_while_a_hundred_connections_are_silent() {
        let listener = Arc::new(TcpListener::bind("127.0.0.1:0").await.unwrap());
        let address = listener.local_addr().unwrap();
        // Nobody is cut off because time has passed.
        let bounds = Bounds { head: Duration::from_mins(10), whole: Duration::from_mins(10), ..Bounds::default() };
        let serving = serve(listener, Router::new().route("/readyz", get("ok\n")), bounds);
        let asking = async {
            let mut silent = Vec::new();
            for number in 0..100 {
                let mut stream = TcpStream::connect(address).await.unwrap();
                if number % 2 == 0 {
                    stream.write_all(b"GET /readyz HTTP/1.1\r\nHost:").await.unwrap();
                }
                silent.push(stream);
            }
            for _ in 0..10 {
                let mut stream = TcpStream::connect(address).await.unwrap();
                stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: node\r\n\r\n").await.unwrap();
                let mut answer = String::new();
                stream.read_to_string(&mut answer).await.unwrap();
                assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("ok\n"), "{answer}");
            }
            assert_eq!(silent.len(), 100);
        };
        let both = async {
            tokio::select! { () = serving => {}, () = asking => {} }
        };
        tokio::time::timeout(Duration::from_secs(20), both).await.expect("silent clients hold the server");
    }

    #[tokio::test]
    async fn a_request_that_is_being_answered_makes_no_room_for_another() {
        let listener = Arc::new(TcpListener::bind("127.0.0.1:0").await.unwrap());
        let address = listener.local_addr().unwrap();
        let long = Duration::from_mins(10);
        let bounds = Bounds { connections: 1, head: long, answer: long, whole: long };
        let slow = get(async || {
            tokio::time::sleep(Duration::from_millis(200)).await;
            "ok\n"
        });
        let serving = serve(listener, Router::new().route("/readyz", slow), bounds);
        let ask = async || {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: node\r\n\r\n").await.unwrap();
            // A body that never comes holds nobody up either: none is read.
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            assert!(answer.ends_with("ok\n"), "{answer}");
        };
        let asking = async {
            let first = ask();
            let second = async {
                tokio::time::sleep(Duration::from_millis(50)).await;
                ask().await;
            };
            tokio::join!(first, second);
        };
        let both = async {
            tokio::select! { () = serving => {}, () = asking => {} }
        };
        tokio::time::timeout(Duration::from_secs(20), both)
            .await
            .expect("the second waits for the first and is answered");
    }

    #[tokio::test]
    async fn a_probe_is_answered_while_others_do_not_take_their_answers() {
        let listener = Arc::new(TcpListener::bind("127.0.0.1:0").await.unwrap());
        let address = listener.local_addr().unwrap();
        let long = Duration::from_mins(10);
        let bounds = Bounds { connections: 8, head: long, answer: Duration::from_millis(100), whole: long };
        // More than a socket takes ahead of its reader.
        let metrics = get(async || "wanqu 1\n".repeat(2 << 20));
        let router = Router::new().route("/livez", get("ok\n")).route("/metrics", metrics);
        let serving = serve(listener, router, bounds);
        let asking = async {
            let mut deaf = Vec::new();
            for _ in 0..24 {
                let mut stream = TcpStream::connect(address).await.unwrap();
                stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: node\r\n\r\n").await.unwrap();
                deaf.push(stream);
            }
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(b"GET /livez HTTP/1.1\r\nHost: node\r\n\r\n").await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            assert!(answer.ends_with("ok\n"), "{answer}");
            assert_eq!(deaf.len(), 24);
        };
        let both = async {
            tokio::select! { () = serving => {}, () = asking => {} }
        };
        tokio::time::timeout(Duration::from_secs(20), both).await.expect("whoever takes no answer holds the server");
    }
}
