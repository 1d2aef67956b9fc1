//! Refusals that cost a sender nothing are counted, not listed, so that a flood of them does not fill the disk.
//!
//! The first of a kind is written before it is answered. Those that follow within a minute are counted, and written as one
//! entry when the minute is over, or with the next of their kind after that. A kind is a sender and a code: there are as
//! many senders as members, because only those come as far as this.

use std::collections::HashMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use wanqu_model::names::JurisdictionId;
use wanqu_model::refusal::{Code, Refusal};

use super::entry::Entry;

/// Counter of refusals of unread envelopes that are not written yet.
#[derive(Debug)]
pub struct RepeatedRefusals {
    kinds: Mutex<HashMap<(JurisdictionId, Code), Kind>>,
    window: Duration,
}

#[derive(Debug)]
struct Kind {
    /// Time of the last refusal that was written.
    written: Timestamp,
    /// Number of refusals since then, and the last of them.
    counted: Option<(u64, Refusal)>,
}

impl Default for RepeatedRefusals {
    fn default() -> Self {
        Self { kinds: Mutex::default(), window: Duration::from_mins(1) }
    }
}

impl RepeatedRefusals {
    /// Returns the time for which refusals are counted together.
    #[must_use]
    pub fn window(&self) -> Duration {
        self.window
    }

    /// Takes one more refusal. Returns the entry that is to be written before the refusal is sent; with `None` the refusal
    /// was counted, and [`take_counted`](Self::take_counted) has it.
    pub fn add(&self, from: &JurisdictionId, refusal: &Refusal, now: Timestamp) -> Option<Entry> {
        let window = SignedDuration::try_from(self.window).unwrap_or(SignedDuration::MAX);
        let mut kinds = self.kinds.lock();
        let key = (from.clone(), refusal.code);
        let before = match kinds.get_mut(&key) {
            Some(kind) if now.duration_since(kind.written).abs() < window => {
                let so_far = kind.counted.as_ref().map_or(0, |(times, _)| *times);
                kind.counted = Some((so_far + 1, refusal.clone()));
                return None;
            }
            Some(kind) => kind.counted.take().map_or(0, |(times, _)| times),
            None => 0,
        };
        kinds.insert(key, Kind { written: now, counted: None });
        Some(Entry::TurnedAway { from: from.clone(), refusal: refusal.clone(), times: before + 1 })
    }

    /// Returns an entry for each kind of which refusals were counted and are not written. They are to be written now.
    pub fn take_counted(&self) -> Vec<Entry> {
        let mut entries = Vec::new();
        for ((from, _), kind) in self.kinds.lock().iter_mut() {
            if let Some((times, refusal)) = kind.counted.take() {
                entries.push(Entry::TurnedAway { from: from.clone(), refusal, times });
            }
        }
        entries
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wanqu_fixtures::identity::jid;

    fn times(entry: Option<&Entry>) -> Option<u64> {
        entry.map(|entry| match entry {
            Entry::TurnedAway { times, .. } => *times,
            other => panic!("{other:?}"),
        })
    }

    #[test]
    fn a_flood_is_two_entries_a_minute_and_no_one_is_lost() {
        let refusals = RepeatedRefusals::default();
        let start: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
        let forged = Refusal::new(Code::Identity, "the signature does not hold");
        let replayed = Refusal::new(Code::Envelope, "used before");
        assert_eq!(times(refusals.add(&jid("HK"), &forged, start).as_ref()), Some(1));
        for n in 0..10_000 {
            let now = start + SignedDuration::from_millis(n);
            assert_eq!(refusals.add(&jid("HK"), &forged, now), None);
        }
        assert_eq!(times(refusals.add(&jid("HK"), &replayed, start).as_ref()), Some(1), "another kind");
        assert_eq!(times(refusals.add(&jid("MO"), &forged, start).as_ref()), Some(1), "another sender");
        let counted = refusals.take_counted();
        assert_eq!((counted.len(), times(counted.first())), (1, Some(10_000)));
        assert!(refusals.take_counted().is_empty(), "told once");
        assert_eq!(refusals.add(&jid("HK"), &forged, start), None);
        let later = start + SignedDuration::from_mins(2);
        assert_eq!(times(refusals.add(&jid("HK"), &forged, later).as_ref()), Some(2), "with what was counted before");
    }
}
