//! DataSharingAgreements: in force by their state and by the clock, and held by both parties with the same terms; as their nodes
//! have them, not only as they are declared.

use jiff::Timestamp;
use kube::ResourceExt;
use wanqu_crds::agreement_digest;
use wanqu_crds::kinds::{DataSharingAgreement, DataSharingAgreementSpec};
use wanqu_model::bundle::{Agreement, AgreementState};
use wanqu_model::names::JurisdictionId;

use super::Described;
use super::agreed::{Parties, agreed, ours, parties};
use crate::context::Context;
use crate::framework::conditions::{Claim, Reason, Type};
use crate::framework::watched::in_namespace;
use crate::holdings::Held;
use crate::host;

impl Described for DataSharingAgreement {
    fn own_conditions(&self, context: &Context) -> (Vec<Claim>, Option<Timestamp>) {
        let (name, namespace) = (self.name_any(), self.namespace().unwrap_or_default());
        // Both ends compare the digest: an agreement counts only where they hold the same.
        let digest = name.parse().map(|name| agreement_digest(&name, &self.spec)).unwrap_or_default();
        let compilation = context.compilations.get(&namespace);
        let compiled = compilation.as_ref().and_then(|compilation| compilation.compiled());
        let compiled = compiled.and_then(|c| c.agreements().iter().find(|agreement| agreement.name.as_str() == name));
        let behind =
            |party: &JurisdictionId| behind(&name, compiled, party, context.holdings.of(&namespace, party).as_ref());
        let parties = parties(&context.catalogue, &namespace, &self.spec);
        let owner_here = match &parties {
            Some(Parties::Ours) => true,
            Some(Parties::Apart { here, .. }) => *here == self.spec.from,
            None => false,
        };
        let (in_force, until) = match compiled {
            Some(_) => in_force(&self.spec, &digest, context.clock.now()),
            None => (left_out(&digest), None),
        };
        // It is the owner that decides.
        let in_force = as_it_runs(in_force, owner_here.then(|| behind(&self.spec.from)).flatten());
        let agreed = parties.map(|parties| match parties {
            Parties::Ours => ours(&digest, behind(&self.spec.from).or_else(|| behind(&self.spec.to)).as_deref()),
            Parties::Apart { here, there } => {
                let answer = context.peers.answer(&namespace, &here, &there);
                let theirs = agreed(&name, &digest, (&here, &there), answer.as_ref());
                match behind(&here).filter(|_| theirs.holds == Some(true)) {
                    Some(behind) => ours(&digest, Some(&behind)),
                    None => theirs,
                }
            }
        });
        // One that is in no bundle is agreed on by nobody.
        let agreed = agreed.filter(|_| compiled.is_some());
        ([Some(in_force), agreed].into_iter().flatten().collect(), until)
    }

    fn is_reported(&self, context: &Context) -> bool {
        let namespace = self.namespace().unwrap_or_default();
        let members = in_namespace(&context.catalogue.jurisdictions, &namespace);
        let runs_here = |party: &JurisdictionId| {
            members
                .iter()
                .filter_map(|member| member.read())
                .any(|member| member.spec.id == *party && host::namespace(member, &namespace).is_some())
        };
        let reported = |party: &JurisdictionId| !runs_here(party) || context.holdings.of(&namespace, party).is_some();
        reported(&self.spec.from) && reported(&self.spec.to)
    }
}

/// Returns that a node does not run an agreement as it was compiled last, and why; `None` if it does.
fn behind(name: &str, compiled: Option<&Agreement>, party: &JurisdictionId, held: Option<&Held>) -> Option<String> {
    if held.is_some_and(|held| held.holds(name, compiled)) {
        return None;
    }
    let why = held.and_then(|held| held.lacking.as_deref()).unwrap_or("it has not reported its bundle yet");
    Some(format!("the node of {party} is not known to run what is declared here: {why}"))
}

/// Returns the condition as far as the owner's node runs it: neither a permission nor a revocation is said to be there before.
fn as_it_runs(declared: Claim, behind: Option<String>) -> Claim {
    match behind {
        None => declared,
        Some(behind) => Claim::unknown(Type::InForce, Reason::RollingOut, format!("{behind}; {}", declared.message)),
    }
}

/// Returns the condition `InForce` of an agreement that no bundle has, because of another object.
fn left_out(digest: &str) -> Claim {
    let message =
        format!("no bundle has it, and its condition Ready says why; its terms have the digest sha256:{digest}");
    Claim::no(Type::InForce, Reason::LeftOut, message)
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
    fn a_suspension_is_not_said_to_hold_before_the_owners_node_runs_it() {
        let spec = agreement("Suspended").spec;
        let (declared, _) = in_force(&spec, "d1", "2026-06-01T00:00:00Z".parse().unwrap());
        let party = "HK".parse().unwrap();
        let held = Held { lacking: Some("hongkong-node-0 runs another bundle still".to_owned()), ..Held::default() };
        // It is withdrawn altogether, and the node has nothing of it.
        assert_eq!(behind("hk-to-mo", None, &party, Some(&held)), None);
        let unread = behind("hk-to-mo", None, &party, None).unwrap();
        assert!(unread.contains("has not reported its bundle yet"), "{unread}");
        let claim = as_it_runs(declared.clone(), Some("the node of HK is not known to run it".to_owned()));
        assert_eq!((claim.holds, claim.reason), (None, Reason::RollingOut));
        assert!(claim.message.contains("the node of HK") && claim.message.contains("its state is Suspended"));
        assert_eq!(as_it_runs(declared.clone(), None), declared);
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
