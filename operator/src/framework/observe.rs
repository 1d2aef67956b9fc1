//! Liveness, readiness and metrics over plain HTTP: nothing of them is data.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use kube::Client;
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};
use wanqu_crds::kinds::{GROUP, VERSION, definitions};

use super::health::{Health, Kinds};
use super::metrics::Metrics;

/// Period of the questions to the API server.
const PERIOD: Duration = Duration::from_secs(5);
/// The longest that the API server may take to say so.
const ANSWER: Duration = Duration::from_secs(10);

/// Binds the address, so that a port that is taken is known at once.
///
/// # Errors
/// If the address cannot be bound.
pub async fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// Returns what is served under which path. No answer waits for anybody.
pub fn router(health: Health, metrics: Metrics) -> Router {
    let ready = move || {
        let problems = health.problems();
        std::future::ready(if problems.is_empty() {
            (StatusCode::OK, "ok\n".to_owned())
        } else {
            (StatusCode::SERVICE_UNAVAILABLE, problems.join("\n") + "\n")
        })
    };
    Router::new()
        .route("/livez", get(|| std::future::ready("ok\n")))
        .route("/readyz", get(ready))
        .route("/metrics", get(move || std::future::ready(metrics.encode())))
        .fallback(|| std::future::ready((StatusCode::NOT_FOUND, "there is nothing here\n")))
}

/// Asks the API server again and again which kinds it serves, and notes that in `health`. Never returns.
pub async fn follow_kinds(client: Client, health: Health) {
    loop {
        let kinds = match timeout(ANSWER, missing_kinds(&client)).await {
            Ok(Ok(missing)) if missing.is_empty() => Kinds::Served,
            Ok(Ok(missing)) => Kinds::Missing(missing),
            Ok(Err(error)) => Kinds::Unreachable(error.to_string()),
            Err(_) => Kinds::Unreachable(format!("it does not answer within {} s", ANSWER.as_secs())),
        };
        match &kinds {
            Kinds::Missing(missing) => tracing::warn!(missing = missing.join(", "), "definitions are not installed"),
            Kinds::Unreachable(error) => tracing::warn!(error, "the API server cannot be asked"),
            Kinds::Unknown | Kinds::Served => {}
        }
        health.set_kinds(kinds);
        sleep(PERIOD).await;
    }
}

/// Returns the kinds of this project that the API server does not serve. Discovery is open to everybody who may log in, so
/// that no right to read definitions is needed.
async fn missing_kinds(client: &Client) -> Result<Vec<String>, kube::Error> {
    let served = match client.list_api_group_resources(&format!("{GROUP}/{VERSION}")).await {
        Ok(list) => list.resources.into_iter().map(|resource| resource.kind).collect(),
        // A group that is not served at all is answered by a plain 404, without the reason of an object that is missing.
        Err(kube::Error::Api(status)) if status.code == 404 => Vec::new(),
        Err(error) => return Err(error),
    };
    let kinds = definitions().into_iter().map(|definition| definition.kind().to_owned());
    Ok(kinds.filter(|kind| !served.contains(kind)).collect())
}
