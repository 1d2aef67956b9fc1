//! Refusals that cost a sender nothing are counted, not listed: a flood of them must not fill the disk.
//!
//! The first of a kind is written before it is answered. What follows within a minute is counted, and written as one
//! entry when the minute is over, or with the next of its kind after that. A kind is a sender and a code: there are as
//! many senders as members, because only those come as far as this.

use std::collections::HashMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use wanqu_model::names::JurisdictionId;
use wanqu_model::refusal::{Code, Refusal};

use super::entry::Entry;

/// Refusals of envelopes that nobody read, as far as they are not written yet.
#[derive(Debug)]
pub struct Floods {
    kinds: Mutex<HashMap<(JurisdictionId, Code), Kind>>,
    window: Duration,
}

#[derive(Debug)]
struct Kind {
    written: Timestamp,
    /// How many have come since, and the last of them.
    counted: Option<(u64, Refusal)>,
}

impl Default for Floods {
    fn default() -> Self {
        Self::with_window(Duration::from_mins(1))
    }
}

impl Floods {
    /// Counts together what comes within so long.
    #[must_use]
    pub fn with_window(window: Duration) -> Self {
        Self { kinds: Mutex::default(), window }
    }

    /// For how long refusals are counted together.
    #[must_use]
    pub fn window(&self) -> Duration {
        self.window
    }

    /// One more refusal. What it returns is to be written before the refusal is sent; with `None` it was counted, and
    /// [`counted`](Self::counted) has it.
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

    /// What was counted and is not written, an entry for each kind. It is to be written now.
    pub fn counted(&self) -> Vec<Entry> {
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
        let floods = Floods::default();
        let start: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
        let forged = Refusal::new(Code::Identity, "the signature does not hold");
        let replayed = Refusal::new(Code::Envelope, "used before");
        assert_eq!(times(floods.add(&jid("HK"), &forged, start).as_ref()), Some(1));
        for n in 0..10_000 {
            let now = start + SignedDuration::from_millis(n);
            assert_eq!(floods.add(&jid("HK"), &forged, now), None);
        }
        assert_eq!(times(floods.add(&jid("HK"), &replayed, start).as_ref()), Some(1), "another kind");
        assert_eq!(times(floods.add(&jid("MO"), &forged, start).as_ref()), Some(1), "another sender");
        let counted = floods.counted();
        assert_eq!((counted.len(), times(counted.first())), (1, Some(10_000)));
        assert!(floods.counted().is_empty(), "told once");
        assert_eq!(floods.add(&jid("HK"), &forged, start), None);
        let later = start + SignedDuration::from_mins(2);
        assert_eq!(times(floods.add(&jid("HK"), &forged, later).as_ref()), Some(2), "with what was counted before");
    }
}
