//! DataSharingAgreements: in force by their state and by the clock, and held by both parties with the same terms.

use jiff::Timestamp;
use kube::ResourceExt;
use wanqu_crds::agreement_digest;
use wanqu_crds::kinds::{DataSharingAgreement, DataSharingAgreementSpec};
use wanqu_model::bundle::AgreementState;

use super::Described;
use super::agreed::{Parties, agreed, ours, parties};
use crate::context::Context;
use crate::framework::conditions::{Claim, Reason, Type};

impl Described for DataSharingAgreement {
    fn own_conditions(&self, context: &Context) -> (Vec<Claim>, Option<Timestamp>) {
        let (name, namespace) = (self.name_any(), self.namespace().unwrap_or_default());
        // Both ends compare the digest: an agreement counts only where they hold the same.
        let digest = name.parse().map(|name| agreement_digest(&name, &self.spec)).unwrap_or_default();
        let (in_force, until) = in_force(&self.spec, &digest, context.clock.now());
        let agreed = parties(&context.catalogue, &namespace, &self.spec).map(|parties| match parties {
            Parties::Ours => ours(&digest),
            Parties::Apart { here, there } => {
                let answer = context.peers.answer(&namespace, &here, &there);
                agreed(&name, &digest, (&here, &there), answer.as_ref())
            }
        });
        ([Some(in_force), agreed].into_iter().flatten().collect(), until)
    }
}

/// Returns the condition `InForce`, and the time at which it will be another one.
fn in_force(spec: &DataSharingAgreementSpec, digest: &str, now: Timestamp) -> (Claim, Option<Timestamp>) {
    let terms = format!("its terms have the digest sha256:{digest}");
    let no = |reason, why: String| Claim::no(Type::InForce, reason, format!("{why}; {terms}"));
    if now >= spec.expires {
        (no(Reason::Expired, format!("it ended on {}", spec.expires)), None)
    } else if spec.state != AgreementState::Active {
        let why = format!("its state is {:?}; only an Active agreement allows queries", spec.state);
        (no(Reason::Inactive, why), Some(spec.expires))
    } else if now < spec.not_before {
        (no(Reason::NotYet, format!("it begins on {}", spec.not_before)), Some(spec.not_before))
    } else {
        let message = format!("it is in force until {}; {terms}", spec.expires);
        (Claim::yes(Type::InForce, Reason::Active, message), Some(spec.expires))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agreement(state: &str) -> DataSharingAgreement {
        let text = serde_json::json!({
            "apiVersion": "wanqu.dev/v1alpha1", "kind": "DataSharingAgreement", "metadata": {"name": "hk-to-mo"},
            "spec": {
                "from": "HK", "to": "MO", "datasets": ["visits"], "purposes": ["health-planning"],
                "filingReference": "F-1", "notBefore": "2026-01-01T00:00:00Z", "expires": "2027-01-01T00:00:00Z",
                "state": state, "agreedBy": ["HK", "MO"],
            },
        });
        serde_json::from_value(text).unwrap()
    }

    #[test]
    fn an_agreement_is_in_force_by_its_state_and_by_the_clock() {
        let cases = [
            ("Active", "2025-12-31T23:59:59Z", Reason::NotYet, Some("2026-01-01T00:00:00Z")),
            ("Active", "2026-01-01T00:00:00Z", Reason::Active, Some("2027-01-01T00:00:00Z")),
            ("Active", "2026-12-31T23:59:59Z", Reason::Active, Some("2027-01-01T00:00:00Z")),
            ("Active", "2027-01-01T00:00:00Z", Reason::Expired, None),
            ("Suspended", "2026-06-01T00:00:00Z", Reason::Inactive, Some("2027-01-01T00:00:00Z")),
            ("Requested", "2027-06-01T00:00:00Z", Reason::Expired, None),
        ];
        for (state, now, reason, until) in cases {
            let (claim, next) = in_force(&agreement(state).spec, "d1", now.parse().unwrap());
            assert_eq!((claim.reason, next), (reason, until.map(|t| t.parse().unwrap())), "{state} at {now}");
            assert_eq!(claim.holds, Some(reason == Reason::Active));
            assert!(claim.message.contains("sha256:d1"), "{}", claim.message);
        }
    }
}
