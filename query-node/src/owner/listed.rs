//! Bound on the refusals of read fragments that are listed one by one, with their texts.
//!
//! A fragment that is read and refused costs its sender next to nothing, and its entry in the audit log has a part of its
//! text. So of each member so many are listed at once, and so many a minute after that. The others are counted, like what is
//! refused unread: none is left out of the log, and none makes it grow.

use std::collections::HashMap;

use jiff::Timestamp;
use parking_lot::Mutex;
use wanqu_model::names::JurisdictionId;

/// Refusals that are listed whatever their rate.
const AT_ONCE: i64 = 256;

/// Time after which another one may be listed, in milliseconds.
const EVERY: i64 = 3_000;

/// Refusals of each member that may still be listed.
#[derive(Debug, Default)]
pub(super) struct Listed(Mutex<HashMap<JurisdictionId, (i64, Timestamp)>>);

impl Listed {
    /// Returns true if one more refusal of a member is to be listed, and false if it is to be counted.
    pub fn one_more(&self, peer: &JurisdictionId, now: Timestamp) -> bool {
        let mut members = self.0.lock();
        let (left, since) = members.entry(peer.clone()).or_insert((AT_ONCE, now));
        let more = i64::try_from(now.duration_since(*since).as_millis()).unwrap_or_default() / EVERY;
        if more > 0 {
            *left = left.saturating_add(more).min(AT_ONCE);
            *since = now;
        }
        if *left == 0 {
            return false;
        }
        *left -= 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use wanqu_fixtures::identity::jid;

    use super::*;

    #[test]
    fn a_flood_is_listed_in_part_and_one_member_does_not_use_up_anothers() {
        let listed = Listed::default();
        let now: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
        let at = |seconds| now + SignedDuration::from_secs(seconds);
        let count = |peer: &str, now| (0..1000).filter(|_| listed.one_more(&jid(peer), now)).count();
        assert_eq!(count("HK", now), 256);
        assert_eq!(count("HK", at(2)), 0);
        assert_eq!(count("HK", at(7)), 2);
        assert_eq!(count("MO", at(7)), 256);
        assert_eq!(count("HK", at(86_400)), 256, "what is not used is not saved up");
        assert_eq!(count("HK", at(5)), 0, "a clock that was set back gives nothing");
    }
}
