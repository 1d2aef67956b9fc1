//! How many questions a door has open, and whether it lets in more.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use wanqu_model::refusal::{Code, Refusal};

/// The end of a node in good order: first nobody is let in any more, then what still runs is cut. Clones share one state.
#[derive(Debug, Clone, Default)]
pub struct Drain {
    draining: CancellationToken,
    cut: CancellationToken,
}

impl Drain {
    /// From now on nobody is let in.
    pub fn begin(&self) {
        self.draining.cancel();
    }

    /// Ends what still runs.
    pub fn cut(&self) {
        self.cut.cancel();
    }

    /// Whether nobody is let in any more.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.draining.is_cancelled()
    }

    /// Cancelled when one question is to end: a token of its own for each.
    #[must_use]
    pub fn token(&self) -> CancellationToken {
        self.cut.child_token()
    }
}

/// The places behind one door. Clones share one state.
#[derive(Debug, Clone)]
pub struct Places(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    taken: AtomicUsize,
    left: Notify,
    drain: Drain,
}

/// A place that is taken until this is dropped.
#[derive(Debug)]
pub struct Place(Arc<Inner>);

impl Places {
    /// All places free, until the node ends.
    #[must_use]
    pub fn new(drain: Drain) -> Self {
        Self(Arc::new(Inner { taken: AtomicUsize::new(0), left: Notify::new(), drain }))
    }

    /// Takes a place, if fewer than `most` are taken.
    ///
    /// # Errors
    /// [`Code::Limit`] if there is none; [`Code::Draining`] if the node is ending.
    pub fn take(&self, most: usize) -> Result<Place, Refusal> {
        // Taken first and looked at afterwards, so that a node that has begun to end sees everybody who slipped in.
        let before = self.0.taken.fetch_add(1, Ordering::SeqCst);
        let place = Place(Arc::clone(&self.0));
        if self.0.drain.has_begun() {
            return Err(Refusal::new(Code::Draining, "the node is ending and takes no new questions")
                .with_rule("a node that is told to end finishes what it has begun, and nothing else")
                .with_remedy("ask again: another replica answers, or this one when it is back"));
        }
        if before >= most {
            return Err(Refusal::new(Code::Limit, "the node answers as many questions as it may")
                .with_remedy("ask again later"));
        }
        Ok(place)
    }

    /// How many are taken.
    #[must_use]
    pub fn taken(&self) -> usize {
        self.0.taken.load(Ordering::SeqCst)
    }

    /// Waits until none is taken.
    pub async fn empty(&self) {
        loop {
            let left = self.0.left.notified();
            if self.taken() == 0 {
                return;
            }
            left.await;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::SeqCst);
        self.0.left.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn places_are_limited_and_come_back() {
        let places = Places::new(Drain::default());
        let (a, b) = (places.take(2).unwrap(), places.take(2).unwrap());
        assert_eq!(places.take(2).unwrap_err().code, Code::Limit);
        assert_eq!(places.taken(), 2, "a refusal takes no place");
        assert!(places.take(3).is_ok(), "the limit is that of the moment");
        let mut empty = std::pin::pin!(places.empty());
        assert!(empty.as_mut().now_or_never().is_none());
        drop(a);
        assert!(empty.as_mut().now_or_never().is_none());
        drop(b);
        assert!(empty.now_or_never().is_some());
    }

    #[test]
    fn a_node_that_ends_lets_nobody_in_and_cuts_what_runs() {
        let drain = Drain::default();
        let places = Places::new(drain.clone());
        let (place, token) = (places.take(1).unwrap(), drain.token());
        drain.begin();
        assert_eq!(places.take(9).unwrap_err().code, Code::Draining);
        assert!(!token.is_cancelled(), "what has begun goes on");
        drain.cut();
        assert!(token.is_cancelled() && drain.token().is_cancelled());
        drop(place);
        assert!(places.empty().now_or_never().is_some());
    }
}
