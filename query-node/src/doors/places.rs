//! Bound on the calls that a door has open at once, the line of those that wait for a place, and the door's closing when the
//! node ends.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;
use wanqu_model::refusal::{Code, Refusal};

use super::queue::{Queue, WAITING};

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
    state: Mutex<State>,
    changed: Notify,
    drain: Drain,
}

#[derive(Debug, Default)]
struct State {
    taken: usize,
    /// Number of places when one was last asked for.
    most: usize,
    by_caller: HashMap<Arc<str>, usize>,
    queue: Queue,
}

impl State {
    fn held(&self, caller: &str) -> usize {
        self.by_caller.get(caller).copied().unwrap_or_default()
    }

    fn free(&self) -> usize {
        self.most.saturating_sub(self.taken)
    }

    fn take(&mut self, caller: &Arc<str>) {
        self.taken += 1;
        *self.by_caller.entry(Arc::clone(caller)).or_default() += 1;
    }

    fn give_back(&mut self, caller: &Arc<str>) {
        self.taken -= 1;
        if let Some(held) = self.by_caller.get_mut(caller) {
            *held -= 1;
            if *held == 0 {
                self.by_caller.remove(caller);
            }
        }
    }
}

/// A place that one call holds until this is dropped.
#[derive(Debug)]
pub struct Place {
    places: Arc<Inner>,
    caller: Arc<str>,
}

/// Greatest number of places that one caller may hold, for each place that is free: one that asks for all there are leaves
/// a part to others, however many ask for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share(pub usize);

impl Share {
    /// Returns the number below which a caller may have another one, with so many that are free.
    pub(super) fn of(self, free: usize) -> usize {
        self.0.saturating_mul(free)
    }
}

/// A place in the queue. Whoever drops it waits no longer.
#[derive(Debug)]
pub struct Waiting {
    places: Arc<Inner>,
    id: u64,
    told: Option<usize>,
    place: oneshot::Receiver<Place>,
}

/// News of one that waits.
#[derive(Debug)]
pub enum News {
    /// It waits no longer.
    Place(Place),
    /// So many go before it, as things stand.
    Ahead(usize),
}

impl Places {
    /// Creates places that are all free. None can be taken once `drain` has begun.
    #[must_use]
    pub fn new(drain: Drain) -> Self {
        Self(Arc::new(Inner { state: Mutex::default(), changed: Notify::new(), drain }))
    }

    /// Takes a place for a caller, if fewer than `most` are taken and the caller does not hold its share of them already. Does
    /// not wait.
    ///
    /// # Errors
    /// [`Code::Limit`] if there is none, or the caller holds its share; [`Code::Draining`] if the node is ending.
    pub fn take_for(&self, caller: &str, share: Share, most: usize) -> Result<Place, Refusal> {
        let mut state = self.0.state.lock();
        // Looked at under the lock, so that a node that has begun to end sees everybody who slipped in.
        if self.0.drain.has_begun() {
            return Err(ending());
        }
        state.most = most;
        if state.free() == 0 {
            return Err(Refusal::new(Code::Limit, "the node answers as many questions as it may")
                .with_remedy("ask again later"));
        }
        let held = state.held(caller);
        if held >= share.of(state.free()) {
            return Err(Refusal::new(Code::Limit, "the node answers as many questions of yours as it may")
                .with_rule(format!("{held} of {most} places are yours; of those left, each caller has a share"))
                .with_remedy("ask again when one of yours has been answered"));
        }
        let caller: Arc<str> = caller.into();
        state.take(&caller);
        Ok(Place { places: Arc::clone(&self.0), caller })
    }

    /// Stands in line for a place for a caller, of `most` that there are. Where one is free, the first
    /// [`news`](Waiting::news) is the place.
    ///
    /// # Errors
    /// [`Code::Limit`] if as many wait as may, or there are no places at all; [`Code::Draining`] if the node is ending.
    pub fn queue_for(&self, caller: &str, share: Share, most: usize) -> Result<Waiting, Refusal> {
        let (given, place) = oneshot::channel();
        let id = {
            let mut state = self.0.state.lock();
            if self.0.drain.has_begun() {
                return Err(ending());
            }
            state.most = most;
            let room = most.saturating_mul(WAITING);
            let waiting = state.queue.len();
            state.queue.enter(&caller.into(), share, room, given).ok_or_else(|| full(most, waiting))?
        };
        self.0.serve();
        Ok(Waiting { places: Arc::clone(&self.0), id, told: None, place })
    }

    /// Returns the number of places that are taken.
    #[must_use]
    pub fn taken(&self) -> usize {
        self.0.state.lock().taken
    }

    /// Returns the number of those that wait for a place.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.0.state.lock().queue.len()
    }

    /// Waits until no place is taken.
    pub async fn empty(&self) {
        loop {
            let changed = self.0.changed.notified();
            if self.taken() == 0 {
                return;
            }
            changed.await;
        }
    }
}

impl Inner {
    /// Gives the places that are free to those that wait. Whoever took a place or gave it back has let go of the lock.
    fn serve(self: &Arc<Self>) {
        let mut unwanted = Vec::new();
        {
            let mut state = self.state.lock();
            while !self.drain.has_begun() && state.free() > 0 {
                let free = state.free();
                let State { queue, by_caller, .. } = &mut *state;
                let Some(waiter) = queue.next(by_caller, free) else { break };
                state.take(&waiter.caller);
                let place = Place { places: Arc::clone(self), caller: waiter.caller };
                unwanted.extend(waiter.place.send(place).err());
            }
        }
        drop(unwanted);
        self.changed.notify_waiters();
    }
}

impl Waiting {
    /// Returns the place when there is one; before that, each time it changes, the number of those that go first.
    ///
    /// # Errors
    /// [`Code::Draining`] if the node is ending.
    pub async fn news(&mut self) -> Result<News, Refusal> {
        loop {
            let changed = self.places.changed.notified();
            if let Ok(place) = self.place.try_recv() {
                return Ok(News::Place(place));
            }
            if self.places.drain.has_begun() {
                return Err(ending());
            }
            let ahead = {
                let state = self.places.state.lock();
                state.queue.ahead(self.id, &state.by_caller)
            };
            if self.told != Some(ahead) {
                self.told = Some(ahead);
                return Ok(News::Ahead(ahead));
            }
            tokio::select! {
                () = changed => {}
                () = self.places.drain.draining.cancelled() => {}
            }
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.places.state.lock().queue.leave(self.id);
        // Others have come nearer.
        self.places.changed.notify_waiters();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.state.lock().give_back(&self.caller);
        self.places.serve();
    }
}

fn ending() -> Refusal {
    Refusal::new(Code::Draining, "the node is ending and takes no new questions")
        .with_rule("a node that is told to end finishes what it has begun, and nothing else")
        .with_remedy("ask again: another replica answers, or this one when it is back")
}

fn full(most: usize, waiting: usize) -> Refusal {
    Refusal::new(Code::Limit, "the node answers as many questions as it may, and no more can wait")
        .with_rule(format!(
            "{most} questions are answered at once and {WAITING} for each of them wait, of which one researcher has at most three for each that is free; {waiting} wait now"
        ))
        .with_remedy("ask again later")
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    const ANY: Share = Share(usize::MAX);

    #[test]
    fn places_are_limited_and_come_back() {
        let places = Places::new(Drain::default());
        let take = |most| places.take_for("a", ANY, most);
        let (a, b) = (take(2).unwrap(), take(2).unwrap());
        assert_eq!(take(2).unwrap_err().code, Code::Limit);
        assert_eq!(places.taken(), 2, "a refusal takes no place");
        assert!(take(3).is_ok(), "the limit is that of the moment");
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
            assert!(places.0.state.lock().by_caller.is_empty() && places.taken() == 0);
        }
    }

    #[test]
    fn a_node_that_ends_lets_nobody_in_and_cuts_what_runs() {
        let drain = Drain::default();
        let places = Places::new(drain.clone());
        let (place, token) = (places.take_for("a", ANY, 1).unwrap(), drain.token());
        let mut waiting = places.queue_for("b", ANY, 1).unwrap();
        assert!(matches!(waiting.news().now_or_never(), Some(Ok(News::Ahead(0)))));
        drain.begin();
        assert_eq!(places.take_for("a", ANY, 9).unwrap_err().code, Code::Draining);
        assert_eq!(places.queue_for("a", ANY, 9).unwrap_err().code, Code::Draining);
        assert_eq!(waiting.news().now_or_never().unwrap().unwrap_err().code, Code::Draining);
        assert!(!token.is_cancelled(), "what has begun goes on");
        drain.cut();
        assert!(token.is_cancelled() && drain.token().is_cancelled());
        drop(place);
        assert!(places.empty().now_or_never().is_some());
    }

    /// The place that one has been given, if it has.
    fn given(waiting: &mut Waiting) -> Option<Place> {
        loop {
            match waiting.news().now_or_never()?.unwrap() {
                News::Place(place) => return Some(place),
                News::Ahead(_) => {}
            }
        }
    }

    #[test]
    fn those_that_wait_get_the_places_that_are_given_back_callers_by_turns() {
        let places = Places::new(Drain::default());
        let queue = |caller| places.queue_for(caller, Share(3), 2).unwrap();
        let mut first = queue("a");
        let held = given(&mut first).expect("one is free");
        let (mut second, mut third, mut other) = (queue("a"), queue("a"), queue("b"));
        assert!(matches!(second.news().now_or_never().unwrap().unwrap(), News::Place(_)));
        let kept = given(&mut other).expect("what was given and dropped comes to the next");
        assert!(given(&mut third).is_none());
        let mut last = queue("b");
        assert!(matches!(last.news().now_or_never().unwrap().unwrap(), News::Ahead(1)));
        drop(third);
        assert!(matches!(last.news().now_or_never().unwrap().unwrap(), News::Ahead(0)), "it came nearer");
        drop((kept, held));
        assert!(given(&mut last).is_some());
        drop((first, second, other, last));
        assert!(places.taken() == 0 && places.0.state.lock().queue.len() == 0);
    }

    #[test]
    fn a_place_that_is_given_to_one_who_has_left_goes_on() {
        let places = Places::new(Drain::default());
        let held = places.take_for("a", ANY, 1).unwrap();
        let (left, mut next) = (places.queue_for("b", ANY, 1).unwrap(), places.queue_for("c", ANY, 1).unwrap());
        drop(held);
        assert!(given(&mut next).is_none(), "it is the first one's");
        drop(left);
        assert!(given(&mut next).is_some());
        assert!(places.queue_for("a", ANY, 0).is_err(), "where there are no places nobody waits");
    }
}
