//! Refusals that cost a sender nothing are counted, not listed, so that a flood of them does not fill the disk.
//!
//! The first of a kind is written before it is answered. Those that follow within a minute are counted, and written as one
//! entry when the minute is over, or with the next of their kind after that. A kind is a sender and a code: there are as
//! many senders as members, because only those come as far as this.

use std::collections::HashMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use tokio::sync::Notify;
use wanqu_model::names::JurisdictionId;
use wanqu_model::refusal::{Code, Refusal};

use super::entry::Entry;

/// Counter of refusals of unread envelopes that are not written yet.
#[derive(Debug)]
pub struct RepeatedRefusals {
    kinds: Mutex<HashMap<(JurisdictionId, Code), Kind>>,
    window: Duration,
    /// Notified when a refusal is counted.
    counts: Notify,
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
        Self::counting_for(Duration::from_mins(1))
    }
}

impl RepeatedRefusals {
    /// Returns a counter whose refusals are counted together for so long.
    #[must_use]
    pub fn counting_for(window: Duration) -> Self {
        Self { kinds: Mutex::default(), window, counts: Notify::new() }
    }

    /// Waits until a refusal has been counted.
    pub async fn counted(&self) {
        self.counts.notified().await;
    }

    /// Returns the time for which refusals are counted together.
    #[must_use]
    pub fn window(&self) -> Duration {
        self.window
    }

    /// Takes one more refusal. Returns the entry that is to be written before the refusal is sent; with `None` the refusal
    /// was counted, and [`next_counted`](Self::next_counted) has it.
    pub fn add(&self, from: &JurisdictionId, refusal: &Refusal, now: Timestamp) -> Option<Entry> {
        let window = SignedDuration::try_from(self.window).unwrap_or(SignedDuration::MAX);
        let mut kinds = self.kinds.lock();
        let key = (from.clone(), refusal.code);
        let before = match kinds.get_mut(&key) {
            Some(kind) if now.duration_since(kind.written).abs() < window => {
                let so_far = kind.counted.as_ref().map_or(0, |(times, _)| *times);
                kind.counted = Some((so_far + 1, refusal.clone()));
                self.counts.notify_one();
                return None;
            }
            Some(kind) => kind.counted.take().map_or(0, |(times, _)| times),
            None => 0,
        };
        kinds.insert(key, Kind { written: now, counted: None });
        Some(Entry::TurnedAway { from: from.clone(), refusal: refusal.clone(), times: before + 1 })
    }

    /// Takes the counted refusals of one kind, if there are any, as the entry that is to be written now.
    pub fn next_counted(&self) -> Option<Entry> {
        let mut kinds = self.kinds.lock();
        let ((from, _), (times, refusal)) =
            kinds.iter_mut().find_map(|(key, kind)| Some((key, kind.counted.take()?)))?;
        Some(Entry::TurnedAway { from: from.clone(), refusal, times })
    }

    /// Counts the refusals of an entry again, which could not be written.
    pub fn put_back(&self, entry: Entry) {
        let Entry::TurnedAway { from, refusal, times } = entry else { return };
        if let Some(kind) = self.kinds.lock().get_mut(&(from, refusal.code)) {
            let since = kind.counted.take();
            let (more, last) = since.unwrap_or((0, refusal));
            kind.counted = Some((more + times, last));
            self.counts.notify_one();
        }
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
        let counted = refusals.next_counted().unwrap();
        assert_eq!(times(Some(&counted)), Some(10_000));
        assert!(refusals.next_counted().is_none(), "told once");
        refusals.put_back(counted);
        assert_eq!(times(refusals.next_counted().as_ref()), Some(10_000), "unless it was not written");
        assert_eq!(refusals.add(&jid("HK"), &forged, start), None);
        let later = start + SignedDuration::from_mins(2);
        assert_eq!(times(refusals.add(&jid("HK"), &forged, later).as_ref()), Some(2), "with what was counted before");
    }
}
