//! Connections of the HTTP door: TLS, who makes a request, and bounds on its body.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use axum::middleware::Next;
use axum::response::Response;
use axum::{Extension, Router};
use futures::StreamExt;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::transport::server::Connected;
use wanqu_identity::Bearer;
use wanqu_model::refusal::{Code, Refusal};

use super::{HttpApi, problem};
use crate::doors::listener::{Accepting, Caller, Connection, accept};
use crate::gateway::asker::of_one_result;

/// Longest head of a request, in bytes.
const HEAD: usize = 16 * 1024;

/// Time that the head of a request may take, also while a connection is kept open.
const HEAD_TIME: Duration = Duration::from_mins(1);

/// Time after which a connection ends, so that none outlives its certificate by much, and no reader that has stopped stays.
const AGE: Duration = Duration::from_hours(1);

/// Time that the body of a request may take.
const BODY_TIME: Duration = Duration::from_secs(20);

impl HttpApi {
    /// Serves on a listener until `stop`.
    pub async fn serve(self, listener: TcpListener, tls: Arc<rustls::ServerConfig>, stop: CancellationToken) {
        let mut arrivals = accept(listener, Accepting { tls, tap: None });
        let (router, mut connections) = (self.router(), JoinSet::new());
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                arrival = arrivals.next() => match arrival {
                    Some(Ok(arrived)) => drop(connections.spawn(connection(arrived, router.clone()))),
                    Some(Err(_)) => {}
                    None => return,
                },
                Some(_) = connections.join_next() => {}
            }
        }
    }

    /// Reads the body of a request, so long as a question can be.
    /// What has not come to its end counts for its caller.
    pub(super) async fn body(&self, bearer: &Bearer, body: Body) -> Result<Vec<u8>, Refusal> {
        let most = self.asker.max_question();
        let too_long = || {
            Refusal::new(Code::Limit, "the question is too long, or broke off")
                .with_rule(format!("a question is at most {most} bytes long"))
                .with_remedy("load long lists as a registered public table and join it")
        };
        let too_slow = |_| {
            Refusal::new(Code::Limit, "the question took too long to come")
                .with_rule(format!("the body of a request comes within {} s", BODY_TIME.as_secs()))
                .with_remedy("send it again")
        };
        let mut held = self.unfinished.begin(caller_name(bearer).into())?;
        let read = async {
            let (mut read, mut pieces) = (Vec::new(), body.into_data_stream());
            while let Some(piece) = pieces.next().await {
                let piece = piece.map_err(|_| too_long())?;
                if read.len() + piece.len() > most {
                    return Err(too_long());
                }
                held.grow(piece.len())?;
                read.extend_from_slice(&piece);
            }
            Ok(read)
        };
        tokio::time::timeout(BODY_TIME, read).await.map_err(too_slow)?
    }
}

async fn connection(arrived: Connection, router: Router) {
    let service = TowerToHyperService::new(router.layer(Extension(arrived.connect_info())));
    let served = http1::Builder::new()
        .max_buf_size(HEAD)
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .serve_connection(TokioIo::new(arrived), service);
    match tokio::time::timeout(AGE, served).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "an HTTP connection broke off"),
        Err(_) => tracing::debug!("an HTTP connection has grown old"),
    }
}

/// Returns the name by which a caller is counted.
fn caller_name(bearer: &Bearer) -> String {
    format!("{}\n{}", bearer.subject.issuer, bearer.subject.subject)
}

/// Lets a request through whose token holds; the bearer is among its extensions.
pub(super) async fn identified(
    State(api): State<HttpApi>,
    Extension(caller): Extension<Caller>,
    mut request: Request,
    next: Next,
) -> Response {
    let proof = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = proof.and_then(|value| value.strip_prefix("Bearer "));
    let bearer = match api.asker.bearer(token, proof.is_some() && token.is_none()) {
        Ok(bearer) if bearer.single_use.is_none() => bearer,
        Ok(_) => return problem::refused(&of_one_result()),
        Err(refusal) => {
            caller.call_refused();
            return problem::refused(&refusal);
        }
    };
    if let Err(refusal) = caller.known_as(&caller_name(&bearer)) {
        return problem::refused(&refusal);
    }
    request.extensions_mut().insert(bearer);
    next.run(request).await
}
