//! An owner answers an envelope once.

use std::collections::HashMap;

use jiff::Timestamp;
use parking_lot::Mutex;
use uuid::Uuid;
use wanqu_model::names::JurisdictionId;
use wanqu_model::refusal::{Code, Refusal};

/// How many unexpired nonces of one peer are remembered.
const MAX_PER_PEER: usize = 100_000;

/// Remembers nonces until their deadlines pass; after that the deadline itself refuses a replay.
///
/// It forgets when the node restarts. Only the peer itself can then repeat its envelope, because the signature is bound
/// to the key of the connection; it could as well sign a new one.
#[derive(Debug)]
pub struct ReplayGuard {
    seen: Mutex<HashMap<JurisdictionId, HashMap<Uuid, Timestamp>>>,
    max_per_peer: usize,
}

impl Default for ReplayGuard {
    fn default() -> Self {
        Self { seen: Mutex::default(), max_per_peer: MAX_PER_PEER }
    }
}

impl ReplayGuard {
    /// Takes note of a nonce.
    ///
    /// # Errors
    /// [`Code::Envelope`] if it was seen before; [`Code::Limit`] if the peer has too many unexpired ones.
    pub fn admit(
        &self,
        from: &JurisdictionId,
        nonce: Uuid,
        deadline: Timestamp,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let mut seen = self.seen.lock();
        let nonces = seen.entry(from.clone()).or_default();
        if nonces.contains_key(&nonce) {
            return Err(Refusal::new(Code::Envelope, "the envelope was used before")
                .with_rule("an owner answers an envelope once"));
        }
        if nonces.len() >= self.max_per_peer {
            nonces.retain(|_, deadline| *deadline > now);
            if nonces.len() >= self.max_per_peer {
                return Err(Refusal::new(Code::Limit, "too many envelopes at once")
                    .with_rule(format!("at most {} unexpired envelopes of one jurisdiction", self.max_per_peer)));
            }
        }
        nonces.insert(nonce, deadline);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use wanqu_fixtures::identity::jid;

    #[test]
    fn memory_is_bounded_by_deadlines_and_by_peer() {
        let guard = ReplayGuard { max_per_peer: 3, ..ReplayGuard::default() };
        let now = Timestamp::now();
        let later = now + SignedDuration::from_secs(10);
        let admit = |from: &str, now| guard.admit(&jid(from), Uuid::new_v4(), now + SignedDuration::from_secs(10), now);
        for _ in 0..3 {
            admit("HK", now).unwrap();
        }
        assert_eq!(admit("HK", now).unwrap_err().code, Code::Limit);
        assert!(admit("MO", now).is_ok(), "one peer does not crowd out another");
        assert!(admit("HK", later).is_ok(), "what has expired makes room");
        assert_eq!(guard.seen.lock()[&jid("HK")].len(), 1);
    }
}
