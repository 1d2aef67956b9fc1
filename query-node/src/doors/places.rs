//! Bound on the calls that a door has open at once, and the door's closing when the node ends.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use wanqu_model::refusal::{Code, Refusal};

/// Orderly end of a node: first the doors admit no new calls, then running ones are cancelled. Clones share one state.
#[derive(Debug, Clone, Default)]
pub struct Drain {
    draining: CancellationToken,
    cut: CancellationToken,
}

impl Drain {
    /// Closes the doors to new calls.
    pub fn begin(&self) {
        self.draining.cancel();
    }

    /// Cancels the calls that still run.
    pub fn cut(&self) {
        self.cut.cancel();
    }

    /// Returns true if the doors admit no new calls.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.draining.is_cancelled()
    }

    /// Returns a token for one call. It is cancelled by [`cut`](Self::cut), and can be cancelled by itself.
    #[must_use]
    pub fn token(&self) -> CancellationToken {
        self.cut.child_token()
    }
}

/// Places for calls behind one door. Clones share one state.
#[derive(Debug, Clone)]
pub struct Places(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    taken: AtomicUsize,
    by_caller: Mutex<HashMap<Arc<str>, usize>>,
    left: Notify,
    drain: Drain,
}

/// A place that one call holds until this is dropped.
#[derive(Debug)]
pub struct Place {
    places: Arc<Inner>,
    caller: Option<Arc<str>>,
}

/// Greatest number of places that one caller may hold, for each place that is free: one that asks for all there are leaves
/// a part to others, however many ask for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share(pub usize);

impl Places {
    /// Creates places that are all free. None can be taken once `drain` has begun.
    #[must_use]
    pub fn new(drain: Drain) -> Self {
        Self(Arc::new(Inner { taken: AtomicUsize::new(0), by_caller: Mutex::default(), left: Notify::new(), drain }))
    }

    /// Takes a place if fewer than `most` are taken. Does not wait.
    ///
    /// # Errors
    /// [`Code::Limit`] if there is none; [`Code::Draining`] if the node is ending.
    pub fn take(&self, most: usize) -> Result<Place, Refusal> {
        // Taken first and looked at afterwards, so that a node that has begun to end sees everybody who slipped in.
        let before = self.0.taken.fetch_add(1, Ordering::SeqCst);
        let place = Place { places: Arc::clone(&self.0), caller: None };
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

    /// Takes a place as [`take`](Self::take) does, if `caller` does not hold its share of them already.
    ///
    /// # Errors
    /// As for [`take`](Self::take); [`Code::Limit`] if the caller holds its share.
    pub fn take_for(&self, caller: &str, share: Share, most: usize) -> Result<Place, Refusal> {
        let mut by_caller = self.0.by_caller.lock();
        let free = most.saturating_sub(self.taken());
        let held = by_caller.get(caller).copied().unwrap_or_default();
        // A place that is given up here has no caller yet, so it does not ask for the lock that is held.
        let mut place = self.take(most)?;
        if held >= share.0.saturating_mul(free) {
            return Err(Refusal::new(Code::Limit, "the node answers as many questions of yours as it may")
                .with_rule(format!("{held} of {most} places are yours; of those left, each caller has a share"))
                .with_remedy("ask again when one of yours has been answered"));
        }
        let caller: Arc<str> = caller.into();
        *by_caller.entry(Arc::clone(&caller)).or_default() += 1;
        place.caller = Some(caller);
        Ok(place)
    }

    /// Returns the number of places that are taken.
    #[must_use]
    pub fn taken(&self) -> usize {
        self.0.taken.load(Ordering::SeqCst)
    }

    /// Waits until no place is taken.
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
        if let Some(caller) = &self.caller {
            let mut by_caller = self.places.by_caller.lock();
            if let Some(held) = by_caller.get_mut(caller) {
                *held -= 1;
                if *held == 0 {
                    by_caller.remove(caller);
                }
            }
        }
        self.places.taken.fetch_sub(1, Ordering::SeqCst);
        self.places.left.notify_waiters();
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
    fn a_caller_who_asks_for_all_places_leaves_a_part_to_each_of_the_others() {
        for (share, most, expected) in [(1, 12, [6, 3, 2]), (3, 32, [24, 6, 2]), (3, 1, [1, 0, 0]), (3, 2, [2, 0, 0])] {
            let places = Places::new(Drain::default());
            let mut held = Vec::new();
            let greedy = ["a", "b", "c"].map(|caller| {
                let before = held.len();
                while let Ok(place) = places.take_for(caller, Share(share), most) {
                    held.push(place);
                }
                held.len() - before
            });
            assert_eq!(greedy, expected, "{share} for each that is free, of {most}");
            assert_eq!(places.taken(), held.len());
            drop(held);
            assert!(places.0.by_caller.lock().is_empty() && places.taken() == 0);
        }
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
