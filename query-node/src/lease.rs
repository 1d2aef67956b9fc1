//! Lease of the bundle in force: it holds for a grace time after the bundle's file was last read.
//!
//! A bundle that cannot be read may withdraw any permission. For a while that is a file which is being written, or a disk that
//! hangs; longer than the grace time it is not left open. The lease is looked at when something is to be granted, so that it
//! ends whatever became of the task that reads the file.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;

use crate::clock::Clock;

/// Lease of the bundle in force.
pub struct Lease {
    clock: Arc<dyn Clock>,
    term: Mutex<Option<Term>>,
}

/// Limit of a lease.
#[derive(Debug, Clone, Copy)]
struct Term {
    grace: Duration,
    /// Time of the last renewal, by the clock and by one that nobody can set back.
    renewed: (Timestamp, Instant),
}

impl Lease {
    /// Returns a lease without an end, of a bundle that follows no file.
    #[must_use]
    pub fn unlimited(clock: Arc<dyn Clock>) -> Self {
        Self { clock, term: Mutex::default() }
    }

    /// Ends the lease this long after now, and after each renewal.
    pub fn limit(&self, grace: Duration) {
        *self.term.lock() = Some(Term { grace, renewed: self.now() });
    }

    /// Renews the lease: the file was read, and what it says is in force, or less.
    pub fn renew(&self) {
        if let Some(term) = self.term.lock().as_mut() {
            term.renewed = self.now();
        }
    }

    /// Returns true if the lease has ended. It may be renewed.
    #[must_use]
    pub fn is_over(&self) -> bool {
        let Some(Term { grace, renewed: (at, instant) }) = *self.term.lock() else { return false };
        self.clock.now().duration_since(at) > signed(grace) || instant.elapsed() > grace
    }

    /// Returns the time at which the lease ends unless it is renewed; `None` if it has no end.
    #[must_use]
    pub fn ends(&self) -> Option<Timestamp> {
        let Term { grace, renewed: (at, _) } = (*self.term.lock())?;
        Some(at.checked_add(signed(grace)).unwrap_or(Timestamp::MAX))
    }

    fn now(&self) -> (Timestamp, Instant) {
        (self.clock.now(), Instant::now())
    }
}

fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}

impl std::fmt::Debug for Lease {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lease").field("term", &self.term).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SetClock;

    #[test]
    fn a_lease_ends_its_grace_time_after_it_was_last_renewed() {
        let clock = Arc::new(SetClock::new(Timestamp::UNIX_EPOCH));
        let lease = Lease::unlimited(clock.clone());
        clock.pass(SignedDuration::from_hours(1000));
        assert!(!lease.is_over() && lease.ends().is_none());
        lease.limit(Duration::from_mins(5));
        clock.pass(SignedDuration::from_mins(5));
        assert!(!lease.is_over());
        assert_eq!(lease.ends(), Some(clock.now()));
        clock.pass(SignedDuration::from_secs(1));
        assert!(lease.is_over());
        lease.renew();
        assert!(!lease.is_over());
        clock.pass(SignedDuration::from_hours(-1));
        assert!(!lease.is_over());
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_prolong_a_lease() {
        let clock = Arc::new(SetClock::new(Timestamp::UNIX_EPOCH));
        let lease = Lease::unlimited(clock.clone());
        lease.limit(Duration::ZERO);
        clock.pass(SignedDuration::from_hours(-1));
        let began = Instant::now();
        while began.elapsed() == Duration::ZERO {}
        assert!(lease.is_over());
    }
}
