//! The account of a running query: who released what, kept while releases arrive and closed into the summary.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use wanqu_model::answer::JurisdictionOutcome;
use wanqu_model::names::JurisdictionId;
use wanqu_model::refusal::Refusal;
use wanqu_rules::fragment::ReleaseReport;

/// Shared by all the releases of one query.
#[derive(Debug, Clone)]
pub(super) struct Account {
    began: Instant,
    outcomes: Arc<Mutex<BTreeMap<JurisdictionId, JurisdictionOutcome>>>,
}

impl Account {
    /// An account in which each of these is asked.
    pub fn open(owners: impl IntoIterator<Item = JurisdictionId>) -> Self {
        let outcome = |jurisdiction: JurisdictionId| JurisdictionOutcome {
            jurisdiction,
            releases: vec![],
            rows: 0,
            bytes: 0,
            elapsed_ms: 0,
            missing: None,
        };
        let outcomes = owners.into_iter().map(|owner| (owner.clone(), outcome(owner))).collect();
        Self { began: Instant::now(), outcomes: Arc::new(Mutex::new(outcomes)) }
    }

    /// One release has arrived in full.
    pub fn released(&self, report: ReleaseReport, rows: u64, bytes: u64) {
        let elapsed = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        if let Some(outcome) = self.outcomes.lock().get_mut(&report.owner) {
            outcome.rows += rows;
            outcome.bytes += bytes;
            outcome.elapsed_ms = outcome.elapsed_ms.max(elapsed);
            outcome.releases.push(report);
        }
    }

    /// One jurisdiction is missing from the answer.
    pub fn missing(&self, owner: &JurisdictionId, why: Refusal) {
        if let Some(outcome) = self.outcomes.lock().get_mut(owner) {
            outcome.missing.get_or_insert(why);
        }
    }

    /// Whether every jurisdiction that was asked is missing.
    pub fn nobody_answered(&self) -> bool {
        let outcomes = self.outcomes.lock();
        !outcomes.is_empty() && outcomes.values().all(|o| o.missing.is_some())
    }

    /// Whether a jurisdiction is missing.
    pub fn anybody_missing(&self) -> bool {
        self.outcomes.lock().values().any(|o| o.missing.is_some())
    }

    /// The outcomes so far, by jurisdiction.
    pub fn outcomes(&self) -> Vec<JurisdictionOutcome> {
        self.outcomes.lock().values().cloned().collect()
    }
}
