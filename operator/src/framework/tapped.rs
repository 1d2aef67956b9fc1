//! A client whose calls are followed: the API's own types hide that a watch was established again, or that a lease was
//! renewed.

use axum::http::{Method, Request, Response, StatusCode, Uri};
use kube::Client;
use kube::client::Body;

/// A call that has been answered, or could not be made.
pub struct Call<'a> {
    /// Its method.
    pub method: &'a Method,
    /// Its path and query.
    pub uri: &'a Uri,
    /// The status of the answer, or why there is none.
    pub outcome: Result<StatusCode, &'a kube::Error>,
}

impl Call<'_> {
    /// Returns true if it established a watch.
    #[must_use]
    pub fn established_watch(&self) -> bool {
        let query = self.uri.query().unwrap_or_default();
        self.outcome.is_ok_and(|status| status.is_success()) && query.split('&').any(|pair| pair == "watch=true")
    }
}

/// Returns a client that makes its calls by `client` and tells `tap` how each was answered.
pub fn tapped(client: &Client, tap: impl Fn(&Call<'_>) + Clone + Send + Sync + 'static) -> Client {
    let inner = client.clone();
    let service = tower::service_fn(move |request: Request<Body>| {
        let (inner, tap) = (inner.clone(), tap.clone());
        let (method, uri) = (request.method().clone(), request.uri().clone());
        async move {
            let answer = inner.send(request).await;
            tap(&Call { method: &method, uri: &uri, outcome: answer.as_ref().map(Response::status) });
            answer
        }
    });
    Client::new(service, client.default_namespace())
}
