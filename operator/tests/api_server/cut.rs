//! A client that lets through so many writes, and then nothing any more: as if the operator had died right there.

use std::future::pending;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::{Context, Poll};

use http::{Method, Request};
use kube::Client;
use kube::client::{Body, ClientBuilder};
use kube::config::{Config, KubeConfigOptions};
use tower::{Layer, Service};
use wanqu_testbed::Login;

/// The number of writes that are left. Leases and events do not count: an operator that dies there has done nothing
/// yet, or all.
#[derive(Clone)]
pub struct Cut(Arc<AtomicI64>);

impl Cut {
    pub fn after(writes: i64) -> Self {
        Self(Arc::new(AtomicI64::new(writes)))
    }

    /// Returns true if one more write was asked for than it lets through.
    pub fn is_over(&self) -> bool {
        self.0.load(Ordering::Relaxed) < 0
    }

    pub async fn client(&self, login: &Login) -> Client {
        let options = KubeConfigOptions::default();
        let mut config = Config::from_custom_kubeconfig(login.kubeconfig().clone(), &options).await.unwrap();
        config.proxy_url = None;
        ClientBuilder::try_from(config).unwrap().with_layer(self).build()
    }
}

impl<S> Layer<S> for Cut {
    type Service = CutService<S>;

    fn layer(&self, inner: S) -> CutService<S> {
        CutService { inner, cut: self.clone() }
    }
}

#[derive(Clone)]
pub struct CutService<S> {
    inner: S,
    cut: Cut,
}

impl<S> Service<Request<Body>> for CutService<S>
where
    S: Service<Request<Body>>,
    S::Future: Send + 'static,
    S::Response: 'static,
    S::Error: 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let path = request.uri().path();
        let counts = request.method() != Method::GET && !path.contains("/leases") && !path.contains("/events");
        let before = if counts { self.cut.0.fetch_sub(1, Ordering::Relaxed) } else { i64::from(!self.cut.is_over()) };
        if before > 0 { Box::pin(self.inner.call(request)) } else { Box::pin(pending()) }
    }
}
