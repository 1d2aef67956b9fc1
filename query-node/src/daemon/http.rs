//! The observation door: plain HTTP/1.1, five paths, GET only.

use std::convert::Infallible;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use crate::node::Node;

/// How many connections may be open at once; further ones wait.
const CONNECTIONS: usize = 64;

/// How long a connection lasts: for one request and its answer, so that nobody holds the door.
const CONNECTION: Duration = Duration::from_secs(10);

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";
const METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Serves until it is dropped.
pub async fn serve(node: Arc<Node>, listener: TcpListener) {
    let connections = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(permit) = Arc::clone(&connections).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let node = Arc::clone(&node);
                tokio::spawn(async move {
                    connection(node, stream).await;
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection for observation");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn connection(node: Arc<Node>, stream: TcpStream) {
    let service = service_fn(move |request: Request<Incoming>| {
        let node = Arc::clone(&node);
        async move { Ok::<_, Infallible>(answer(&node, request.method(), request.uri().path()).await) }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .keep_alive(false)
        .max_buf_size(16 * 1024)
        .serve_connection(TokioIo::new(stream), service);
    match tokio::time::timeout(CONNECTION, served).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a connection for observation broke off"),
        Err(_) => tracing::debug!("a connection for observation took too long"),
    }
}

async fn answer(node: &Arc<Node>, method: &Method, path: &str) -> Response<Full<Bytes>> {
    if method != Method::GET {
        return respond(StatusCode::METHOD_NOT_ALLOWED, TEXT, "GET only\n".to_owned());
    }
    match path {
        "/livez" => respond(StatusCode::OK, TEXT, "ok\n".to_owned()),
        "/readyz" => ready(node).await,
        "/bundle" => respond(StatusCode::OK, JSON, bundle(node)),
        "/peers" => respond(StatusCode::OK, JSON, serde_json::json!(node.peers()).to_string()),
        "/metrics" => respond(StatusCode::OK, METRICS, node.metrics()),
        _ => respond(
            StatusCode::NOT_FOUND,
            TEXT,
            "/livez, /readyz, /bundle, /peers and /metrics are served here\n".to_owned(),
        ),
    }
}

/// A line for each check; 503 if one has a fault.
async fn ready(node: &Arc<Node>) -> Response<Full<Bytes>> {
    let looking = Arc::clone(node);
    let Ok(checks) = tokio::task::spawn_blocking(move || looking.checks()).await else {
        return respond(StatusCode::SERVICE_UNAVAILABLE, TEXT, "the checks failed\n".to_owned());
    };
    let mut body = String::new();
    for check in &checks {
        // Writing into a String does not fail.
        let _ = match check.fault {
            None => writeln!(body, "ok {}", check.name),
            Some(fault) => writeln!(body, "failed {}: {fault}", check.name),
        };
    }
    let fit = checks.iter().all(|check| check.fault.is_none());
    respond(if fit { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, TEXT, body)
}

fn bundle(node: &Node) -> String {
    serde_json::json!({
        "jurisdiction": node.jurisdiction(),
        "digest": node.bundle_digest(),
        "identityNotAfter": node.identity_not_after(),
    })
    .to_string()
}

fn respond(status: StatusCode, kind: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
