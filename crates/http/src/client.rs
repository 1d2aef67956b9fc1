//! Client of plain HTTP, for what is served at observation ports.

use std::error::Error;
use std::io;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::uri::InvalidUri;
use axum::http::{StatusCode, Uri};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

/// The longest that a connection may take.
const CONNECT: Duration = Duration::from_secs(1);
/// The longest that a whole answer may take, connection included, if nothing else is said.
const ANSWER: Duration = Duration::from_secs(2);
/// The longest that a connection is kept for the next call.
const IDLE: Duration = Duration::from_secs(15);
/// The longest answer, in bytes: some thousands of agreements with each other member.
const LONGEST: usize = 4 << 20;

/// Reason why there is no answer that can be used.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The address is none.
    #[error("{0}")]
    Address(#[from] InvalidUri),
    /// Nobody is there, or the connection broke.
    #[error("{0}")]
    Connection(String),
    /// Somebody is there, and closed the connection without an answer or sent something else.
    #[error("what listens there does not speak HTTP")]
    NotHttp,
    /// The answer was not there in time.
    #[error("no answer within {} s", .0.as_secs())]
    TooLate(Duration),
    /// The answer broke off, or is too long.
    #[error("the answer broke off or is longer than {LONGEST} bytes")]
    Body,
    /// The answer has another status than 200.
    #[error("the answer is {0}")]
    Status(StatusCode),
    /// The answer is not the JSON that was expected.
    #[error("the answer cannot be read")]
    Json(#[from] serde_json::Error),
}

impl From<legacy::Error> for HttpError {
    /// The client's own text names no cause, so the cause's is taken.
    fn from(error: legacy::Error) -> Self {
        match (io_error(&error), error.is_connect()) {
            (Some(cause), _) if cause.kind() == io::ErrorKind::TimedOut => Self::TooLate(CONNECT),
            (Some(cause), _) => Self::Connection(cause.to_string()),
            (None, true) => Self::Connection(error.source().map_or_else(|| error.to_string(), ToString::to_string)),
            (None, false) => Self::NotHttp,
        }
    }
}

/// Returns the I/O error among the sources of an error.
fn io_error(error: &legacy::Error) -> Option<&io::Error> {
    let mut source = error.source();
    while let Some(current) = source {
        if let Some(found) = current.downcast_ref::<io::Error>() {
            return Some(found);
        }
        source = current.source();
    }
    None
}

/// Client that keeps connections for a while. Clones share them.
#[derive(Clone)]
pub struct Http {
    client: legacy::Client<HttpConnector, Empty<Bytes>>,
    /// The longest that a whole answer may take.
    longest: Duration,
}

impl Http {
    /// A client without connections, that waits for at most two seconds.
    #[must_use]
    pub fn new() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT));
        let client = legacy::Client::builder(TokioExecutor::new()).pool_idle_timeout(IDLE).build(connector);
        Self { client, longest: ANSWER }
    }

    /// Waits for at most `longest` for a whole answer, connection included.
    #[must_use]
    pub fn with_longest(self, longest: Duration) -> Self {
        Self { longest, ..self }
    }

    /// Gets `http://AUTHORITY/PATH`: the status and the body.
    ///
    /// # Errors
    /// If there is no whole answer in time.
    pub async fn get(&self, authority: &str, path: &str) -> Result<(StatusCode, Bytes), HttpError> {
        let uri: Uri = format!("http://{authority}{path}").parse()?;
        let answer = async {
            let response = self.client.get(uri).await?;
            let status = response.status();
            let body = Limited::new(response.into_body(), LONGEST).collect().await.map_err(|_| HttpError::Body)?;
            Ok::<_, HttpError>((status, body.to_bytes()))
        };
        timeout(self.longest, answer).await.unwrap_or(Err(HttpError::TooLate(self.longest)))
    }

    /// Gets JSON.
    ///
    /// # Errors
    /// If there is no whole answer in time, if its status is not 200, or if it is not a `T`.
    pub async fn json<T: DeserializeOwned>(&self, authority: &str, path: &str) -> Result<T, HttpError> {
        match self.get(authority, path).await? {
            (StatusCode::OK, body) => Ok(serde_json::from_slice(&body)?),
            (status, _) => Err(HttpError::Status(status)),
        }
    }
}

impl Default for Http {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::Router;
    use axum::routing::get;
    use tokio::net::TcpListener;
    use tokio::task::JoinSet;

    use super::*;
    use crate::{Bounds, serve};

    async fn served(router: Router, servers: &mut JoinSet<()>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        servers.spawn(serve(Arc::new(listener), router, Bounds::default()));
        address
    }

    #[tokio::test]
    async fn an_answer_is_taken_if_it_is_whole_in_time_and_what_was_asked_for() {
        let router = Router::new()
            .route("/number", get(async || "7"))
            .route("/refused", get(async || (StatusCode::SERVICE_UNAVAILABLE, "7")))
            .route("/text", get(async || "seven"))
            .route("/long", get(async || "7".repeat(LONGEST + 1)));
        let mut servers = JoinSet::new();
        let (address, http) = (served(router, &mut servers).await, Http::new());
        assert_eq!(http.json::<u32>(&address, "/number").await.unwrap(), 7);
        assert!(
            matches!(http.json::<u32>(&address, "/refused").await, Err(HttpError::Status(status)) if status == 503)
        );
        assert!(matches!(http.json::<u32>(&address, "/text").await, Err(HttpError::Json(_))));
        assert!(matches!(http.json::<u32>(&address, "/long").await, Err(HttpError::Body)));
        assert!(matches!(http.get("no address", "/").await, Err(HttpError::Address(_))));
    }

    #[tokio::test]
    async fn a_server_that_accepts_and_says_nothing_is_not_waited_for() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let http = Http::new().with_longest(Duration::from_millis(100));
        let answer = timeout(Duration::from_mins(1), http.get(&address, "/bundle")).await;
        assert!(matches!(answer, Ok(Err(HttpError::TooLate(_)))));
        drop(listener);
        let refused = Http::new().get(&address, "/bundle").await.unwrap_err();
        assert!(matches!(&refused, HttpError::Connection(cause) if cause.contains("refused")), "{refused}");
    }
}
