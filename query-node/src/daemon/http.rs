//! Paths at which a node can be observed: plain HTTP, `GET` only, for the cluster's own eyes. Nothing of the data, of a
//! question's text or of a person is served there.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use axum::http::{HeaderName, StatusCode};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::node::Node;

/// The body's kind, as a header of an answer.
type Kind = [(HeaderName, &'static str); 1];

const JSON: Kind = [(CONTENT_TYPE, "application/json")];
const METRICS: Kind = [(CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")];

/// Returns the router of a node's observation port.
pub(super) fn router(node: Arc<Node>) -> Router {
    Router::new()
        .route("/livez", get("ok\n"))
        .route("/readyz", get(ready))
        .route("/bundle", get(bundle))
        .route("/peers", get(peers))
        .route("/metrics", get(metrics))
        .fallback((StatusCode::NOT_FOUND, "/livez, /readyz, /bundle, /peers and /metrics are served here\n"))
        .method_not_allowed_fallback((StatusCode::METHOD_NOT_ALLOWED, "GET only\n"))
        .layer(map_response(uncached))
        .with_state(node)
}

/// Answers with a line for each check; 503 if one has a fault. A dataset that cannot be read has a line, and is no fault of
/// the node: the others can be queried.
async fn ready(State(node): State<Arc<Node>>) -> (StatusCode, String) {
    let unavailable = node.unavailable_datasets();
    let Ok(checks) = tokio::task::spawn_blocking(move || node.checks()).await else {
        return (StatusCode::SERVICE_UNAVAILABLE, "the checks panicked; the node's log says where\n".to_owned());
    };
    let mut body = String::new();
    for check in &checks {
        // Writing into a String does not fail.
        let _ = match &check.fault {
            None => writeln!(body, "ok {}", check.name),
            Some(fault) => writeln!(body, "failed {}: {fault}", check.name),
        };
    }
    for dataset in unavailable {
        let _ = writeln!(body, "unavailable dataset {dataset}");
    }
    let fit = checks.iter().all(|check| check.fault.is_none());
    (if fit { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, body)
}

async fn bundle(State(node): State<Arc<Node>>) -> impl IntoResponse {
    let bundle = serde_json::json!({
        "jurisdiction": node.jurisdiction(),
        "digest": node.bundle_digest(),
        "identityNotAfter": node.identity_not_after(),
        "leftOut": node.left_out(),
        "unavailable": node.unavailable().into_iter().map(|one| (one.name, one.reason)).collect::<BTreeMap<_, _>>(),
    });
    (JSON, bundle.to_string())
}

async fn peers(State(node): State<Arc<Node>>) -> impl IntoResponse {
    (JSON, serde_json::json!(node.peers()).to_string())
}

async fn metrics(State(node): State<Arc<Node>>) -> impl IntoResponse {
    (METRICS, node.metrics())
}

async fn uncached(mut response: Response) -> Response {
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
