//! HTTP at a port of its own, for those who have no client of Flight: curl, browsers' tools, any language.
//!
//! ```text
//! POST   /v1/queries              a question as JSON; it runs, or waits for a place      202, Location
//! GET    /v1/queries/{id}         how far it is; at its end its account                  waits a little
//! GET    /v1/queries/{id}/events  the same as server-sent events, until its end
//! GET    /v1/queries/{id}/rows    the answer that was kept, as `Accept` says             as often as it is fetched
//! DELETE /v1/queries/{id}         cancels it, at the owners too
//! GET    /v1/catalog              the tables that a query can name
//! GET    /v1/openapi.json         this list, for programs
//! ```
//!
//! The rules are those of the gateway's other port: the same tokens, places, line, statements and kept answers. A query is a statement
//! that is polled (`flight_sql::polled`), so it belongs to who began it and ends when nobody looks at it. A refusal is a problem of
//! RFC 9457 with code, rule and remedy.

mod openapi;
mod problem;
mod queries;
mod rows;
mod serve;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::routing::{get, post};

use super::Gateway;
use super::asker::Asker;
use super::flight_sql::Polled;
use crate::doors::Unfinished;

/// The HTTP door of a gateway. Clones share one state, with each other and with the gateway.
#[derive(Clone)]
pub(crate) struct HttpApi {
    asker: Asker,
    polled: Polled,
    /// Bodies of requests that have not come to their end.
    unfinished: Unfinished,
}

impl Gateway {
    /// Returns the HTTP door of this gateway.
    pub(crate) fn http(&self) -> HttpApi {
        HttpApi { asker: self.asker.clone(), polled: self.polled.clone(), unfinished: Unfinished::default() }
    }
}

impl HttpApi {
    /// Returns what answers requests.
    fn router(&self) -> Router {
        Router::new()
            .route("/v1/queries", post(queries::submit))
            .route("/v1/queries/{id}", get(queries::status).delete(queries::cancel))
            .route("/v1/queries/{id}/events", get(queries::events))
            .route("/v1/queries/{id}/rows", get(rows::rows))
            .route("/v1/catalog", get(queries::catalog))
            .layer(from_fn_with_state(self.clone(), serve::identified))
            .route("/v1/openapi.json", get(openapi::document))
            .fallback(nothing_here)
            .with_state(self.clone())
    }
}

async fn nothing_here() -> Response {
    problem::nothing_here()
}
