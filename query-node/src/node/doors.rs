//! The two doors of a node: serving them, and closing them in good order.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::FutureExt;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use wanqu_identity::gateway_http_config;

use super::{Node, NodeError};
use crate::doors::{Doorway, Drain, Places, Tap};
use crate::exchange::ExchangeServer;
use crate::gateway::Gateway;
use crate::results::Results;

/// State of the two doors.
pub(super) struct Doors {
    /// End of the node in good order.
    pub drain: Drain,
    /// Fragments of other nodes that are being answered.
    pub fragments: Places,
    /// Questions of researchers that are being answered.
    pub questions: Places,
    /// True while other nodes are let in.
    pub exchange_is_open: AtomicBool,
    /// True while researchers are let in.
    pub gateway_is_open: AtomicBool,
    tap: Tap,
}

impl Doors {
    /// Returns two doors that are closed; `tap` watches what crosses the exchange.
    pub fn new(tap: Tap) -> Self {
        let drain = Drain::default();
        Self {
            fragments: Places::new(drain.clone()),
            questions: Places::new(drain.clone()),
            drain,
            exchange_is_open: AtomicBool::new(false),
            gateway_is_open: AtomicBool::new(false),
            tap,
        }
    }
}

impl Node {
    /// Serves both doors until `stop`, and researchers over HTTP too where there is a listener for it. When one of the doors closes
    /// by itself, so does the other.
    ///
    /// # Errors
    /// A door cannot be opened, or closed before `stop`.
    pub async fn serve(
        &self,
        exchange: TcpListener,
        gateway: TcpListener,
        http: Option<TcpListener>,
        stop: CancellationToken,
    ) -> Result<(), NodeError> {
        let door = |places: &Places| Doorway {
            limits: self.in_force.limits.clone(),
            drain: self.doors.drain.clone(),
            places: places.clone(),
            metrics: self.metrics.clone(),
            clock: Arc::clone(&self.clock),
        };
        let (back, front) = (door(&self.doors.fragments), door(&self.doors.questions));
        let trust = self.in_force.trust.clone();
        let back = ExchangeServer::new(&self.identities.node, trust, self.services.owner.clone(), back)?
            .with_tap(self.doors.tap.clone());
        let tokens = self.in_force.tokens.clone();
        let front = Gateway::new(&self.identities.gateway, tokens, self.services.home.clone(), front)?;
        let over_http = match http {
            Some(listener) => {
                tracing::info!(address = ?listener.local_addr().ok(), "the gateway is open to HTTP");
                let tls = gateway_http_config(&self.identities.gateway)?;
                front.http().serve(listener, tls, stop.clone()).boxed()
            }
            None => std::future::pending().boxed(),
        };
        let back = back.serve(exchange, stop.clone());
        let front = front.serve(gateway, stop.clone());
        let doors = async {
            tokio::join!(
                serve_door("other nodes", back, &self.doors.exchange_is_open, &stop),
                serve_door("researchers", front, &self.doors.gateway_is_open, &stop),
            )
        };
        let (back, front) = tokio::select! {
            ended = doors => ended,
            // It ends at `stop` alone, as the doors do.
            never = async { over_http.await; std::future::pending::<Infallible>().await } => match never {},
            never = self.expire_results() => match never {},
            never = self.write_counted_refusals() => match never {},
            never = self.follow_sources() => match never {},
        };
        // In the node's own log it is said if this fails; those who were turned away have their answer.
        let _ = self.services.owner.refusals().write_counted().await;
        back.and(front)
    }

    /// Removes results that have expired, for as long as it is polled.
    async fn expire_results(&self) -> Infallible {
        let Some(results) = &self.services.results else { return std::future::pending().await };
        let expire = |progress| Results::expire(Arc::clone(results), progress);
        self.supervisor.keep_running("result-expiry", Some(Results::PATIENCE), expire).await
    }

    /// Writes to the audit log the refusals that were counted, for as long as it is polled.
    async fn write_counted_refusals(&self) -> Infallible {
        let write = |progress| Arc::clone(self.services.owner.refusals()).keep_writing(progress);
        self.supervisor.keep_running("refusal-writer", None, write).await
    }

    /// Ends in good order: from now on no new questions, those that run have until `bound`, and what is left then is
    /// cancelled. The doors stay open meanwhile, so that whoever comes is told to ask elsewhere.
    pub async fn drain(&self, bound: Duration) {
        let Doors { drain, questions, fragments, .. } = &self.doors;
        drain.begin();
        tracing::info!(
            questions = questions.taken(),
            fragments = fragments.taken(),
            "the node takes no new questions; those that run have some time to end"
        );
        let ended = async {
            questions.empty().await;
            fragments.empty().await;
        };
        if tokio::time::timeout(bound, ended).await.is_err() {
            tracing::warn!(
                questions = questions.taken(),
                fragments = fragments.taken(),
                "the time to end is over; what still runs is cancelled"
            );
        }
        drain.cut();
    }
}

/// Serves one door until `stop`. A door that ends before that, by itself or by a panic, cancels `stop` for the other.
async fn serve_door(
    whose: &'static str,
    door: impl Future<Output = Result<(), tonic::transport::Error>> + Send + 'static,
    open: &AtomicBool,
    stop: &CancellationToken,
) -> Result<(), NodeError> {
    // A set of one: it aborts the door when this future is dropped.
    let mut running = JoinSet::new();
    running.spawn(door);
    open.store(true, Ordering::SeqCst);
    let ended = running.join_next().await;
    open.store(false, Ordering::SeqCst);
    let told = stop.is_cancelled();
    stop.cancel();
    match ended {
        Some(Ok(Err(error))) => Err(error.into()),
        Some(Ok(Ok(()))) if told => Ok(()),
        _ => Err(NodeError::Closed(whose)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_door_that_ends_or_panics_by_itself_is_an_error_and_closes_the_other() {
        let ends: [fn() -> Result<(), tonic::transport::Error>; 2] = [|| Ok(()), || panic!("patient 4711")];
        for end in ends {
            let (open, stop) = (AtomicBool::new(false), CancellationToken::new());
            let ended = serve_door("researchers", async move { end() }, &open, &stop).await.unwrap_err();
            assert!(ended.to_string().starts_with("the door for researchers closed by itself"), "{ended}");
            assert!(stop.is_cancelled() && !open.load(Ordering::SeqCst));
        }
        let (open, stop) = (AtomicBool::new(false), CancellationToken::new());
        let until_told = stop.clone();
        let door = async move {
            until_told.cancelled().await;
            Ok(())
        };
        let (ended, ()) = tokio::join!(serve_door("researchers", door, &open, &stop), async {
            tokio::task::yield_now().await;
            stop.cancel();
        });
        assert!(ended.is_ok(), "a door that was told to close has no fault");
    }
}
