//! The account of a running query: the outcome of each jurisdiction, kept while releases arrive and told in the summary.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use parking_lot::Mutex;
use wanqu_model::answer::JurisdictionOutcome;
use wanqu_model::names::JurisdictionId;
use wanqu_model::refusal::Refusal;
use wanqu_rules::fragment::ReleaseReport;

/// Outcomes by jurisdiction, shared by all the releases of one query.
#[derive(Debug, Clone)]
pub(super) struct Account {
    began: Instant,
    outcomes: Arc<Mutex<BTreeMap<JurisdictionId, Entry>>>,
}

#[derive(Debug)]
struct Entry {
    outcome: JurisdictionOutcome,
    /// Number of fragments whose part of the answer is its own.
    asked: usize,
    /// Counters of the bytes of each release, whether it comes to its end or not.
    received: Vec<Arc<AtomicU64>>,
    /// Counters of the rows of each release.
    readings: Vec<Arc<Reading>>,
}

impl Entry {
    fn outcome(&self) -> JurisdictionOutcome {
        let bytes = self.received.iter().map(|bytes| bytes.load(Ordering::Relaxed)).sum();
        let is_unread =
            |reading: &&Arc<Reading>| !reading.ended.load(Ordering::Relaxed) && self.outcome.missing.is_none();
        let unread = self.readings.iter().filter(is_unread);
        let rows = unread.clone().map(|reading| reading.rows.load(Ordering::Relaxed)).sum::<u64>();
        JurisdictionOutcome {
            bytes,
            rows: self.outcome.rows + rows,
            cut_short: unread.count() > 0,
            ..self.outcome.clone()
        }
    }
}

/// Counter of the rows of one release while they are read. One that has not ended when the answer has is of a release that was not
/// read to its end, because the answer needed no more.
#[derive(Debug, Default)]
pub(super) struct Reading {
    rows: AtomicU64,
    ended: AtomicBool,
}

impl Reading {
    /// Takes note of rows that were read.
    pub fn rows(&self, rows: usize) {
        self.rows.fetch_add(rows as u64, Ordering::Relaxed);
    }

    /// Takes note of the end, of an error too. Returns the number of rows.
    pub fn end(&self) -> u64 {
        self.ended.store(true, Ordering::Relaxed);
        self.rows.load(Ordering::Relaxed)
    }
}

impl Account {
    /// Begins to count the rows of a release.
    pub fn reading(&self, owner: &JurisdictionId) -> Arc<Reading> {
        let reading = Arc::<Reading>::default();
        if let Some(entry) = self.outcomes.lock().get_mut(owner) {
            entry.readings.push(Arc::clone(&reading));
        }
        reading
    }

    /// Opens an account in which each of these is asked.
    pub fn open(owners: impl IntoIterator<Item = JurisdictionId>) -> Self {
        let account = Self { began: Instant::now(), outcomes: Arc::default() };
        owners.into_iter().for_each(|owner| account.asked(&owner));
        account
    }

    /// Takes note of a fragment that a jurisdiction is asked.
    pub fn asked(&self, owner: &JurisdictionId) {
        let outcome = || JurisdictionOutcome {
            jurisdiction: owner.clone(),
            releases: vec![],
            rows: 0,
            bytes: 0,
            elapsed_ms: 0,
            missing: None,
            cut_short: false,
        };
        let mut outcomes = self.outcomes.lock();
        let entry = outcomes.entry(owner.clone()).or_insert_with(|| Entry {
            outcome: outcome(),
            asked: 0,
            received: vec![],
            readings: vec![],
        });
        entry.asked += 1;
    }

    /// Takes note of a fragment that the answer can do without. A jurisdiction that was asked nothing else has no part in it.
    pub fn unneeded(&self, owner: &JurisdictionId) {
        let mut outcomes = self.outcomes.lock();
        if let Some(entry) = outcomes.get_mut(owner) {
            entry.asked = entry.asked.saturating_sub(1);
            if entry.asked == 0 {
                outcomes.remove(owner);
            }
        }
    }

    /// Takes note of a release that begins to arrive, and of the counter of its bytes.
    pub fn arriving(&self, owner: &JurisdictionId, bytes: &Arc<AtomicU64>) {
        if let Some(entry) = self.outcomes.lock().get_mut(owner) {
            entry.received.push(Arc::clone(bytes));
        }
    }

    /// Takes note of a release that has arrived in full.
    pub fn released(&self, report: ReleaseReport, rows: u64) {
        let elapsed = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        if let Some(Entry { outcome, .. }) = self.outcomes.lock().get_mut(&report.owner) {
            outcome.rows += rows;
            outcome.elapsed_ms = outcome.elapsed_ms.max(elapsed);
            outcome.releases.push(report);
        }
    }

    /// Takes note of a jurisdiction that is missing from the answer.
    pub fn missing(&self, owner: &JurisdictionId, why: Refusal) {
        if let Some(Entry { outcome, .. }) = self.outcomes.lock().get_mut(owner) {
            outcome.missing.get_or_insert(why);
        }
    }

    /// Returns true if every jurisdiction that was asked is missing.
    pub fn nobody_answered(&self) -> bool {
        let outcomes = self.outcomes.lock();
        !outcomes.is_empty() && outcomes.values().all(|entry| entry.outcome.missing.is_some())
    }

    /// Returns true if a jurisdiction is missing.
    pub fn anybody_missing(&self) -> bool {
        self.outcomes.lock().values().any(|entry| entry.outcome.missing.is_some())
    }

    /// Returns the outcomes so far, by jurisdiction.
    pub fn outcomes(&self) -> Vec<JurisdictionOutcome> {
        self.outcomes.lock().values().map(Entry::outcome).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wanqu_model::refusal::Code;

    #[test]
    fn a_jurisdiction_whose_part_is_not_needed_is_not_missed() {
        let (hk, mo): (JurisdictionId, JurisdictionId) = ("HK".parse().unwrap(), "MO".parse().unwrap());
        let account = Account::open([hk.clone(), mo.clone(), mo.clone()]);
        account.unneeded(&hk);
        account.unneeded(&mo);
        let there: Vec<_> = account.outcomes().into_iter().map(|outcome| outcome.jurisdiction).collect();
        assert_eq!(there, [mo]);
    }

    #[test]
    fn a_release_that_is_not_read_to_its_end_is_in_the_account_as_cut_short() {
        let hk: JurisdictionId = "HK".parse().unwrap();
        let account = Account::open([hk.clone()]);
        let (reading, lost) = (account.reading(&hk), account.reading(&hk));
        lost.rows(100);
        lost.end();
        reading.rows(3);
        reading.rows(4);
        let outcomes = account.outcomes();
        assert_eq!((outcomes[0].rows, outcomes[0].cut_short, outcomes[0].releases.len()), (7, true, 0));
        reading.end();
        assert!(!account.outcomes()[0].cut_short);
    }

    #[test]
    fn bytes_of_a_part_that_was_lost_are_in_the_account() {
        let (hk, mo): (JurisdictionId, JurisdictionId) = ("HK".parse().unwrap(), "MO".parse().unwrap());
        let account = Account::open([hk.clone(), mo.clone()]);
        let counters = [300, 20, 1].map(|bytes| Arc::new(AtomicU64::new(bytes)));
        account.arriving(&hk, &counters[0]);
        account.arriving(&mo, &counters[1]);
        account.arriving(&mo, &counters[2]);
        account.missing(&mo, Refusal::new(Code::OwnerUnavailable, "the release broke off before its end"));
        counters[2].store(7, Ordering::Relaxed);
        let bytes: Vec<u64> = account.outcomes().iter().map(|outcome| outcome.bytes).collect();
        assert_eq!(bytes, [300, 27]);
        assert!(account.anybody_missing() && !account.nobody_answered());
    }
}
