//! An API server in memory that serves as much as an operator needs to begin: discovery, one lease, lists and watches. What
//! it takes is not checked; what is to be checked against Kubernetes is in `tests/api_server`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use kube::Client;
use parking_lot::Mutex;
use serde_json::{Value, json};
use wanqu_crds::kinds::definitions;

/// State and behaviour of the API server.
#[derive(Clone, Default)]
pub struct Api {
    lease: Arc<Mutex<Option<Value>>>,
    /// While true, watches of Datasets are refused.
    pub refuses_datasets: Arc<AtomicBool>,
}

impl Api {
    /// A client of it.
    pub fn client(&self) -> Client {
        let api = self.clone();
        let router = Router::new().fallback(move |request: Request| {
            let api = api.clone();
            async move { api.answer(request).await }
        });
        Client::new(router, "gba")
    }

    async fn answer(&self, request: Request) -> Response {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let watches = request.uri().query().is_some_and(|query| query.contains("watch=true"));
        let plural = path.rsplit('/').next().unwrap_or_default();
        if path == "/apis/wanqu.dev/v1alpha1" {
            return found(&discovery());
        }
        if path.contains("/leases") {
            return self.lease(&method, request).await;
        }
        if method != Method::GET {
            return status(StatusCode::FORBIDDEN);
        }
        if watches && plural == "datasets" && self.refuses_datasets.load(Ordering::Relaxed) {
            return status(StatusCode::FORBIDDEN);
        }
        if watches {
            return Body::from_stream(futures::stream::pending::<Result<Vec<u8>, std::io::Error>>()).into_response();
        }
        let items = if plural == "federations" { json!([federation()]) } else { json!([]) };
        found(&json!({"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": "1"}, "items": items}))
    }

    async fn lease(&self, method: &Method, request: Request) -> Response {
        let body = to_bytes(request.into_body(), 1 << 20).await.unwrap();
        let given = serde_json::from_slice::<Value>(&body).unwrap_or_default();
        let mut lease = self.lease.lock();
        if *method == Method::POST {
            *lease =
                Some(json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": given["metadata"]}));
        }
        let Some(lease) = lease.as_mut() else { return status(StatusCode::NOT_FOUND) };
        if *method == Method::PATCH {
            for (field, value) in given["spec"].as_object().unwrap() {
                lease["spec"][field] = value.clone();
            }
        }
        found(lease)
    }
}

fn found(value: &Value) -> Response {
    (StatusCode::OK, [("content-type", "application/json")], value.to_string()).into_response()
}

fn status(code: StatusCode) -> Response {
    let reason = if code == StatusCode::NOT_FOUND { "NotFound" } else { "Forbidden" };
    let status = json!({
        "apiVersion": "v1", "kind": "Status", "status": "Failure", "reason": reason, "message": reason,
        "code": code.as_u16(),
    });
    (code, [("content-type", "application/json")], status.to_string()).into_response()
}

fn discovery() -> Value {
    let resources = definitions().into_iter().map(|definition| {
        json!({"name": "x", "singularName": "x", "namespaced": true, "kind": definition.kind(), "verbs": ["get"]})
    });
    json!({
        "apiVersion": "v1", "kind": "APIResourceList", "groupVersion": "wanqu.dev/v1alpha1",
        "resources": resources.collect::<Vec<_>>(),
    })
}

fn federation() -> Value {
    json!({
        "apiVersion": "wanqu.dev/v1alpha1", "kind": "Federation",
        "metadata": {"name": "gba", "namespace": "gba", "uid": "u", "generation": 1, "resourceVersion": "1"},
        "spec": {"trustDomain": "gba.example", "members": ["HK"]},
    })
}
