//! Order of those who wait for a place: bounded, and fair between callers.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::oneshot;

use super::places::{Place, Share};

/// Questions that may wait for each place that there is.
pub(super) const WAITING: usize = 8;

/// One that waits.
#[derive(Debug)]
pub(super) struct Waiter {
    /// Its number: one that came earlier has a smaller one.
    pub id: u64,
    pub caller: Arc<str>,
    pub share: Share,
    /// Where its place goes.
    pub place: oneshot::Sender<Place>,
}

/// Those that wait, in the order of their arrival.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: Vec<Waiter>,
    last: u64,
}

impl Queue {
    /// Adds one that waits. Returns its number, or `None` if no more may wait: `most` of all callers, of which one caller has
    /// at most its share.
    pub fn enter(
        &mut self,
        caller: &Arc<str>,
        share: Share,
        most: usize,
        place: oneshot::Sender<Place>,
    ) -> Option<u64> {
        let own = self.waiting.iter().filter(|waiter| waiter.caller == *caller).count();
        if own >= share.of(most.saturating_sub(self.waiting.len())) {
            return None;
        }
        self.last += 1;
        self.waiting.push(Waiter { id: self.last, caller: Arc::clone(caller), share, place });
        Some(self.last)
    }

    /// Removes one that no longer waits.
    pub fn leave(&mut self, id: u64) {
        self.waiting.retain(|waiter| waiter.id != id);
    }

    /// Takes out the one that is next: of those whose share leaves them another of `free` places, one of the caller who holds the
    /// fewest, and of these the one that came first.
    pub fn next(&mut self, held: &HashMap<Arc<str>, usize>, free: usize) -> Option<Waiter> {
        let of = |caller: &Arc<str>| held.get(caller).copied().unwrap_or_default();
        let may = |waiter: &Waiter| of(&waiter.caller) < waiter.share.of(free);
        let waiting = self.waiting.iter().enumerate().filter(|(_, waiter)| may(waiter));
        let (position, _) = waiting.min_by_key(|(_, waiter)| (of(&waiter.caller), waiter.id))?;
        Some(self.waiting.remove(position))
    }

    /// Returns the number of those whose turn comes before that of one, as things stand.
    pub fn ahead(&self, id: u64, held: &HashMap<Arc<str>, usize>) -> usize {
        let mut places: HashMap<&Arc<str>, usize> = HashMap::new();
        let mut turns = Vec::with_capacity(self.waiting.len());
        for waiter in &self.waiting {
            let next = places.entry(&waiter.caller).or_insert_with(|| held.get(&waiter.caller).copied().unwrap_or(0));
            turns.push((*next, waiter.id));
            *next += 1;
        }
        let own = turns.iter().find(|(_, other)| *other == id).copied();
        own.map_or(0, |own| turns.iter().filter(|turn| **turn < own).count())
    }

    /// Returns the number of those that wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lets one of each of these callers enter, in this order. Returns which of them got in.
    fn entered(queue: &mut Queue, callers: &[&str], most: usize) -> Vec<bool> {
        let enter = |caller: &&str| queue.enter(&(*caller).into(), Share(3), most, oneshot::channel().0).is_some();
        callers.iter().map(enter).collect()
    }

    /// Serves all that wait, one after the other, to callers who keep what they get.
    fn served(queue: &mut Queue, mut held: HashMap<Arc<str>, usize>) -> String {
        let mut order = String::new();
        while let Some(waiter) = queue.next(&held, usize::MAX) {
            order.push_str(&waiter.caller);
            *held.entry(waiter.caller).or_default() += 1;
        }
        order
    }

    #[test]
    fn callers_take_turns_and_each_is_served_in_order() {
        let mut queue = Queue::default();
        entered(&mut queue, &["a", "a", "a", "a", "b", "c", "b"], 100);
        assert_eq!(queue.ahead(4, &HashMap::new()), 6, "the last of a goes behind all of the others");
        assert_eq!(queue.ahead(5, &HashMap::new()), 1, "b comes behind the first of a");
        let holds = HashMap::from([("b".into(), 1)]);
        assert_eq!(queue.ahead(5, &holds), 3);
        queue.leave(2);
        assert_eq!(served(&mut queue, holds), "acabab");
        assert_eq!(queue.ahead(1, &HashMap::new()), 0, "one that has gone waits for nobody");
    }

    #[test]
    fn no_more_wait_than_may_and_one_caller_leaves_room_to_others() {
        let mut queue = Queue::default();
        let greedy = entered(&mut queue, &["a"; 20], 8);
        assert_eq!(greedy.iter().filter(|entered| **entered).count(), 6);
        assert_eq!(entered(&mut queue, &["b", "b", "c"], 8), [true, true, false]);
        assert_eq!(entered(&mut queue, &["d"], 8), [false]);
        assert_eq!(queue.len(), 8);
    }

    #[test]
    fn one_whose_share_is_used_up_does_not_hold_up_others() {
        let mut queue = Queue::default();
        entered(&mut queue, &["a", "b"], 8);
        let held = HashMap::from([("a".into(), 3), ("b".into(), 2)]);
        assert_eq!(queue.next(&held, 1).unwrap().caller.as_ref(), "b");
        assert!(queue.next(&held, 1).is_none(), "three for each that is free");
        assert_eq!(queue.next(&held, 2).unwrap().caller.as_ref(), "a");
    }
}
