//! Health, readiness and metrics over plain HTTP: nothing of them is data.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use kube::Client;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use wanqu_crds::kinds::{GROUP, VERSION, definitions};

use super::metrics::Metrics;

/// The longest that a client may take to ask.
const PATIENCE: Duration = Duration::from_secs(5);

/// Binds the address, so that a port that is taken is known at once.
///
/// # Errors
/// When the address cannot be bound.
pub async fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// Answers until the task is ended.
pub async fn serve(listener: TcpListener, client: Client, metrics: Metrics) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                let (client, metrics) = (client.clone(), metrics.clone());
                let service = service_fn(move |request| answer(request, client.clone(), metrics.clone()));
                connections.spawn(async move {
                    let connection = http1::Builder::new()
                        .timer(TokioTimer::new())
                        .header_read_timeout(PATIENCE)
                        .serve_connection(TokioIo::new(stream), service);
                    // A client that goes away is no event.
                    let _ = connection.await;
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn answer(
    request: Request<Incoming>,
    client: Client,
    metrics: Metrics,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (status, body) = match request.uri().path() {
        "/livez" => (StatusCode::OK, "ok\n".to_owned()),
        "/readyz" => match missing_kinds(&client).await {
            Ok(missing) if missing.is_empty() => (StatusCode::OK, "ok\n".to_owned()),
            Ok(missing) => (
                StatusCode::SERVICE_UNAVAILABLE,
                format!("the custom resource definitions of {} are not installed\n", missing.join(", ")),
            ),
            Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("the API server cannot be asked: {error}\n")),
        },
        "/metrics" => (StatusCode::OK, metrics.encode()),
        _ => (StatusCode::NOT_FOUND, "not here\n".to_owned()),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    Ok(response)
}

/// The kinds of this project that the API server does not serve. Discovery is open to everybody who may log in, so that
/// no right to read definitions is needed.
///
/// # Errors
/// When the API server cannot be asked.
pub async fn missing_kinds(client: &Client) -> Result<Vec<String>, kube::Error> {
    let served = match client.list_api_group_resources(&format!("{GROUP}/{VERSION}")).await {
        Ok(list) => list.resources.into_iter().map(|resource| resource.kind).collect(),
        // A group that is not served at all is answered by a plain 404, without the reason of an object that is missing.
        Err(kube::Error::Api(status)) if status.code == 404 => Vec::new(),
        Err(error) => return Err(error),
    };
    let kinds = definitions().into_iter().map(|definition| definition.kind().to_owned());
    Ok(kinds.filter(|kind| !served.contains(kind)).collect())
}

/// Ends when all kinds are served.
pub async fn wait_for_kinds(client: &Client) {
    loop {
        match missing_kinds(client).await {
            Ok(missing) if missing.is_empty() => return,
            Ok(missing) => tracing::warn!(missing = missing.join(", "), "waiting for custom resource definitions"),
            Err(error) => tracing::warn!(%error, "waiting for the API server"),
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
}
