//! Term of a leader: the time until which it may write, and clients that write only within it.
//!
//! The API server does not know who leads: it takes a write of whoever has the rights. So a leader that is cut off has to stop by
//! itself, before another one may take over. Each renewal of the lease lengthens the term, counted from before the renewal was
//! sent; nothing but the clock ends it.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::SystemTime;

use axum::http::{Request, Response};
use kube::Client;
use kube::client::Body;
use tokio::sync::watch;
use tokio::time::{Duration, Instant, sleep_until};

/// Time between two looks at the time of day.
const LOOK: Duration = Duration::from_secs(1);

/// Term of this process as the leader. Clones share it.
#[derive(Debug, Clone)]
pub struct Term(Arc<watch::Sender<Option<Deadline>>>);

/// End of a term, by two clocks: the monotonic one stands still while a virtual machine is paused, and the other one may be set
/// back. The first of the two counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Deadline {
    monotonic: Instant,
    wall: SystemTime,
}

/// Time at which a renewal was about to be sent.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    monotonic: Instant,
    wall: SystemTime,
}

/// A write that was refused, or given up, because this process does not lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this copy of the operator does not lead any more, so it writes nothing; the copy that leads does")]
pub struct NotLeading;

impl Asked {
    /// The present.
    #[must_use]
    pub fn now() -> Self {
        Self { monotonic: Instant::now(), wall: SystemTime::now() }
    }
}

impl Deadline {
    fn is_over(&self) -> bool {
        Instant::now() >= self.monotonic || SystemTime::now() >= self.wall
    }
}

impl Default for Term {
    fn default() -> Self {
        Self::new()
    }
}

impl Term {
    /// A term that has not begun.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }

    /// Begins or lengthens the term: it ends so long after the renewal was about to be sent.
    pub fn last(&self, asked: Asked, long: Duration) {
        self.0.send_replace(Some(Deadline { monotonic: asked.monotonic + long, wall: asked.wall + long }));
    }

    /// Ends the term.
    pub fn end(&self) {
        self.0.send_replace(None);
    }

    /// Returns true if this process may write.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.0.borrow().is_some_and(|deadline| !deadline.is_over())
    }

    /// Waits until the term is over. Can be cancelled and begun anew.
    pub async fn over(&self) {
        let mut changes = self.0.subscribe();
        loop {
            let Some(deadline) = *changes.borrow_and_update() else { return };
            if deadline.is_over() {
                return;
            }
            tokio::select! {
                // The time of day may leap, as after a pause of the machine.
                () = sleep_until(deadline.monotonic.min(Instant::now() + LOOK)) => {}
                // The sender is in `self`.
                _ = changes.changed() => {}
            }
        }
    }

    /// Waits until a term begins. Can be cancelled and begun anew.
    pub async fn begun(&self) {
        let _ = self.0.subscribe().wait_for(|deadline| deadline.is_some_and(|deadline| !deadline.is_over())).await;
    }
}

/// Returns a client that makes its calls by `client`, and those that write only within the term: one that has no answer when
/// the term ends is given up.
#[must_use]
pub fn fenced(client: &Client, term: &Term) -> Client {
    let (inner, term) = (client.clone(), term.clone());
    let service = tower::service_fn(move |request: Request<Body>| {
        let (inner, term) = (inner.clone(), term.clone());
        async move { send(&inner, &term, request).await }
    });
    Client::new(service, client.default_namespace())
}

async fn send(client: &Client, term: &Term, request: Request<Body>) -> Result<Response<Body>, tower::BoxError> {
    if request.method().is_safe() {
        return Ok(client.send(request).await?);
    }
    let (mut over, mut answer) = (pin!(term.over()), pin!(client.send(request)));
    poll_fn(|context| {
        // Looked at before each step, by both clocks, so that nothing goes out after the end, however long this was not run.
        if !term.holds() || over.as_mut().poll(context).is_ready() {
            return Poll::Ready(Err(NotLeading.into()));
        }
        answer.as_mut().poll(context).map_err(Into::into)
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::Api;
    use kube::api::{DeleteParams, PostParams};

    use super::*;

    const LONG: Duration = Duration::from_hours(1);
    const SHORT: Duration = Duration::from_millis(50);

    /// A client of a server that counts its calls and answers reads; it never answers writes.
    fn client(calls: &Arc<AtomicUsize>) -> Client {
        let calls = Arc::clone(calls);
        let service = tower::service_fn(move |request: Request<Body>| {
            calls.fetch_add(1, Ordering::Relaxed);
            async move {
                if !request.method().is_safe() {
                    std::future::pending::<()>().await;
                }
                let text = br#"{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}"#.to_vec();
                Ok::<_, Infallible>(Response::new(Body::from(text)))
            }
        });
        Client::new(service, "default")
    }

    fn is_fenced(error: kube::Error) -> bool {
        matches!(error, kube::Error::Service(inner) if inner.is::<NotLeading>())
    }

    #[tokio::test]
    async fn without_a_term_nothing_is_written_and_everything_read() {
        let (calls, term) = (Arc::default(), Term::new());
        let api: Api<ConfigMap> = Api::default_namespaced(fenced(&client(&calls), &term));
        assert!(is_fenced(api.create(&PostParams::default(), &ConfigMap::default()).await.unwrap_err()));
        assert!(is_fenced(api.delete("a", &DeleteParams::default()).await.unwrap_err()));
        assert_eq!(calls.load(Ordering::Relaxed), 0, "nothing was sent");
        api.get("a").await.unwrap();
        assert_eq!(calls.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn a_write_without_an_answer_is_given_up_when_the_term_ends_and_not_before() {
        let (calls, term) = (Arc::default(), Term::new());
        let api: Api<ConfigMap> = Api::default_namespaced(fenced(&client(&calls), &term));
        let begun = Asked::now();
        term.last(begun, SHORT);
        let prolonged = term.clone();
        let delete = tokio::spawn(async move { api.delete("a", &DeleteParams::default()).await });
        tokio::time::sleep(SHORT / 2).await;
        prolonged.last(Asked::now(), SHORT * 4);
        let error = delete.await.unwrap().unwrap_err();
        assert!(is_fenced(error) && begun.monotonic.elapsed() >= SHORT * 4, "{:?}", begun.monotonic.elapsed());
        assert_eq!(calls.load(Ordering::Relaxed), 1);
        assert!(!term.holds());
    }

    #[test]
    fn a_term_is_counted_from_before_it_was_asked_for_and_by_both_clocks() {
        let term = Term::new();
        assert!(!term.holds());
        term.last(Asked::now(), LONG);
        assert!(term.holds());
        let earlier = Asked { monotonic: Instant::now(), wall: SystemTime::now() - LONG };
        term.last(earlier, LONG);
        assert!(!term.holds(), "the machine stood still");
        term.last(Asked::now(), LONG);
        term.end();
        assert!(!term.holds());
    }
}
