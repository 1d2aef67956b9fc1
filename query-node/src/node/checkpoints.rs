//! Ends of the other members' audit logs, held in this node's own: whoever cuts the end of a log, or writes one anew, does not
//! have what the others hold.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join_all;
use parking_lot::Mutex;
use tokio::time::Instant;
use uuid::Uuid;
use wanqu_model::names::JurisdictionId;
use wanqu_model::receipt::{Checkpoint, Signed};

use super::Node;
use crate::audit::{AuditError, Entry};
use crate::exchange::endpoints_of;

/// Time from a node's start to its first round. A node that is restarted again and again does not fill its log with them.
const FIRST: Duration = Duration::from_mins(10);

/// Time between two rounds. Each is one entry, and makes the log of everybody who is asked one entry longer.
const PERIOD: Duration = Duration::from_hours(1);

/// Checkpoints of other members since this node began.
#[derive(Debug)]
pub(super) struct Checkpoints {
    next: Mutex<Instant>,
    last: Mutex<BTreeMap<(JurisdictionId, Uuid), (u64, String)>>,
}

impl Default for Checkpoints {
    fn default() -> Self {
        Self { next: Mutex::new(Instant::now() + FIRST), last: Mutex::default() }
    }
}

impl Checkpoints {
    /// Returns true if a round is due, and begins the time until the next one.
    pub fn is_due(&self) -> bool {
        let (mut next, now) = (self.next.lock(), Instant::now());
        let is_due = *next <= now;
        if is_due {
            *next = now + PERIOD;
        }
        is_due
    }

    /// Notes a checkpoint. Returns false if it contradicts the one before of the same log: it is shorter, or its last entry is
    /// another one.
    fn follows(&self, signed: &Signed<Checkpoint>) -> bool {
        let told = &signed.statement;
        let (log, now) = ((told.member.clone(), told.log), (told.sequence, told.digest.clone()));
        match self.last.lock().insert(log, now.clone()) {
            Some(before) => before.0 < now.0 || before == now,
            None => true,
        }
    }
}

impl Node {
    /// Asks the other members for the ends of their audit logs, and writes down what they say. Returns the number of members
    /// that said something. One that does not answer, or has no log yet, is passed over.
    ///
    /// # Errors
    /// This node's own log cannot be written.
    pub async fn hold_checkpoints(&self) -> Result<usize, AuditError> {
        let state = self.in_force.live.now();
        let others = endpoints_of(&state.bundle).map(|(member, _)| member).filter(|m| *m != state.bundle.jurisdiction);
        let asked = others.map(async |member| match self.in_force.exchange.checkpoint(&member).await {
            Ok(told) => told,
            Err(refusal) => {
                tracing::info!(%member, code = %refusal.code, "a member's node gives no checkpoint of its audit log");
                None
            }
        });
        let held: Vec<Signed<Checkpoint>> = join_all(asked).await.into_iter().flatten().collect();
        for signed in held.iter().filter(|signed| !self.checkpoints.follows(signed)) {
            let told = &signed.statement;
            tracing::error!(
                member = %told.member,
                log = %told.log,
                sequence = told.sequence,
                "a member's audit log is not the one that it was: entries were cut off or written anew"
            );
        }
        let number = held.len();
        if number > 0 {
            let entry = Entry::Checkpoints { node: self.jurisdiction(), held };
            self.services.log.append_async(self.clock.now(), entry).await?;
        }
        Ok(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_is_shorter_or_another_than_it_was_is_noticed() {
        let checkpoints = Checkpoints::default();
        let follows = |log: u128, sequence: u64, digest: &str| {
            let (member, log) = ("HK".parse().unwrap(), Uuid::from_u128(log));
            let time = jiff::Timestamp::UNIX_EPOCH;
            let checkpoint = Checkpoint { member, log, sequence, digest: digest.to_owned(), time };
            checkpoints.follows(&Signed { statement: checkpoint, signature: String::new(), chain: String::new() })
        };
        assert!(follows(1, 7, "a") && follows(1, 7, "a") && follows(1, 9, "b"));
        assert!(follows(2, 1, "x"), "another replica has a log of its own");
        assert!(!follows(1, 8, "c"), "two entries are gone");
        assert!(!follows(1, 8, "d"), "it has another last entry");
        assert!(!checkpoints.is_due(), "not before its time");
    }
}
