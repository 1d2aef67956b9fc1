//! Deadlines of fragments: the shorter of what the asking node gives and what the owner gives.

use jiff::{SignedDuration, Timestamp};
use wanqu_model::bundle::Limits;
use wanqu_model::names::JurisdictionId;
use wanqu_model::refusal::{Code, Refusal};

use crate::doors::bounded::deadline_passed;

/// The party whose deadline holds for a fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Due {
    /// The asking node's.
    Asking,
    /// The owner's own, of so many seconds.
    Owner(JurisdictionId, u32),
}

impl Due {
    /// Returns the time that holds, and whose it is.
    pub fn of(asked: Timestamp, owner: &JurisdictionId, limits: &Limits, now: Timestamp) -> (Timestamp, Self) {
        let seconds = limits.deadline_seconds;
        match now.saturating_add(SignedDuration::from_secs(seconds.into())) {
            Ok(own) if own < asked => (own, Self::Owner(owner.clone(), seconds)),
            _ => (asked, Self::Asking),
        }
    }

    /// Returns the refusal of what was not done by then.
    pub fn passed(&self) -> Refusal {
        match self {
            Self::Asking => deadline_passed(),
            Self::Owner(owner, seconds) => Refusal::new(
                Code::Limit,
                format!("{owner} gives a fragment {seconds} seconds, and it was not done by then"),
            )
            .with_rule(format!(
                "a fragment ends at the earlier of two deadlines, of the node that asks and of its owner; this one \
                         is the owner's (limits.deadlineSeconds of {owner})"
            ))
            .with_owner(owner.clone())
            .with_remedy("ask for less: fewer columns, a shorter period, fewer groups"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wanqu_fixtures::identity::jid;

    #[test]
    fn the_shorter_deadline_holds_and_the_refusal_says_whose_it_is() {
        let now: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
        let limits = Limits { deadline_seconds: 3, ..Limits::default() };
        let due = |asked| Due::of(now + SignedDuration::from_secs(asked), &jid("MO"), &limits, now);
        assert_eq!(due(2), (now + SignedDuration::from_secs(2), Due::Asking));
        let (at, whose) = due(60);
        assert_eq!(at, now + SignedDuration::from_secs(3));
        let refusal = whose.passed();
        assert_eq!((refusal.code, refusal.owner), (Code::Limit, Some(jid("MO"))));
        assert!(refusal.rule.unwrap().contains("limits.deadlineSeconds of MO"));
    }
}
