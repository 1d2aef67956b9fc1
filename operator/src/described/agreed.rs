//! Condition `Agreed` of an agreement: both parties' nodes hold the same terms. Nodes that this operator runs say which bundle they
//! run; where another operator runs one of them, that node is asked.

use wanqu_crds::kinds::DataSharingAgreementSpec;
use wanqu_model::bundle::AgreementState;
use wanqu_model::names::JurisdictionId;

use crate::framework::conditions::{Claim, Reason, Type};
use crate::framework::watched::{Catalogue, in_namespace};
use crate::host::Host;
use crate::node_reports::PeerAnswer;

/// Operators of the nodes of an agreement's parties.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Parties {
    /// This operator runs both.
    Ours,
    /// This operator runs one, whose node can be asked, and another operator runs the other.
    Apart {
        /// The party whose node this operator runs.
        here: JurisdictionId,
        /// The party whose node another operator runs.
        there: JurisdictionId,
    },
}

/// Returns who runs the parties' nodes; none if neither can be asked from here.
pub(super) fn parties(catalogue: &Catalogue, namespace: &str, spec: &DataSharingAgreementSpec) -> Option<Parties> {
    let members = in_namespace(&catalogue.jurisdictions, namespace);
    let placed = |id: &JurisdictionId| {
        members.iter().filter_map(|member| member.read()).find(|member| member.spec.id == *id).map(Host::of)
    };
    match (placed(&spec.from)?, placed(&spec.to)?) {
        (Host::Here, Host::External(_)) => Some(Parties::Apart { here: spec.from.clone(), there: spec.to.clone() }),
        (Host::External(_), Host::Here) => Some(Parties::Apart { here: spec.to.clone(), there: spec.from.clone() }),
        (Host::Here | Host::Remote(_), Host::Here | Host::Remote(_)) => Some(Parties::Ours),
        _ => None,
    }
}

/// Returns the condition for parties whose nodes both run the bundles of this operator. `behind` says which of them does not run
/// what is declared here, and why.
pub(super) fn ours(digest: &str, behind: Option<&str>) -> Claim {
    if let Some(behind) = behind {
        let message = format!("{behind}; it is to hold the terms sha256:{digest} as they are declared here");
        return Claim::unknown(Type::Agreed, Reason::RollingOut, message);
    }
    let message = format!("this operator runs both parties' nodes, and both hold the same terms, sha256:{digest}");
    Claim::yes(Type::Agreed, Reason::SameTerms, message)
}

/// Returns the condition for a party elsewhere, given what its node told the party here.
pub(super) fn agreed(
    name: &str,
    digest: &str,
    (here, there): (&JurisdictionId, &JurisdictionId),
    answer: Option<&PeerAnswer>,
) -> Claim {
    let no = |reason, message: String| Claim::no(Type::Agreed, reason, message);
    let held = match answer {
        None => {
            let message = format!("the node of {here} has not reported yet which agreements the node of {there} holds");
            return Claim::unknown(Type::Agreed, Reason::Waiting, message);
        }
        Some(PeerAnswer::Problem(code)) => {
            let message = format!(
                "the node of {there} does not tell the node of {here} which agreements it holds [{code}]; check that \
                 placement.external has its endpoint and its authority, and that no firewall is in between"
            );
            return Claim::unknown(Type::Agreed, Reason::PeerUnreachable, message);
        }
        Some(PeerAnswer::Agreements(held)) => held.iter().find(|held| held.name.as_str() == name),
    };
    match held {
        None => no(
            Reason::NotHeld,
            format!(
                "{there} holds no agreement of this name with {here}; it must be declared there too, with the same terms"
            ),
        ),
        Some(held) if held.digest != digest => no(
            Reason::DigestDiffers,
            format!(
                "{there} holds other terms under this name: sha256:{} there, sha256:{digest} here; no query is allowed until \
                 both declare the same parties, commonTables, datasets, domains, purposes, filingReference, notBefore and \
                 expires",
                held.digest
            ),
        ),
        Some(held) if held.state != AgreementState::Active => no(
            Reason::Inactive,
            format!("{there} holds the same terms, sha256:{digest}, but its state there is {:?}", held.state),
        ),
        Some(_) => {
            Claim::yes(Type::Agreed, Reason::SameTerms, format!("{there} holds the same terms, sha256:{digest}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node_reports::HeldAgreement;

    fn id(id: &str) -> JurisdictionId {
        id.parse().unwrap()
    }

    fn told(name: &str, digest: &str, state: AgreementState) -> PeerAnswer {
        PeerAnswer::Agreements(vec![HeldAgreement { name: name.parse().unwrap(), digest: digest.to_owned(), state }])
    }

    #[test]
    fn nothing_is_said_to_be_agreed_while_a_node_runs_something_else() {
        let claim = ours("d1", Some("the node of HK runs another bundle still"));
        assert_eq!((claim.holds, claim.reason), (None, Reason::RollingOut));
        assert!(claim.message.starts_with("the node of HK runs another bundle still; "), "{}", claim.message);
        assert_eq!(ours("d1", None).holds, Some(true));
    }

    #[test]
    fn an_agreement_counts_only_where_the_other_party_holds_the_same() {
        let active = AgreementState::Active;
        for (answer, holds, reason, says) in [
            (None, None, Reason::Waiting, "has not reported yet"),
            (Some(PeerAnswer::Problem("identity".to_owned())), None, Reason::PeerUnreachable, "[identity]"),
            (Some(told("mo-to-hk", "d1", active)), Some(true), Reason::SameTerms, "MO holds the same terms, sha256:d1"),
            (
                Some(told("mo-to-hk", "d2", active)),
                Some(false),
                Reason::DigestDiffers,
                "sha256:d2 there, sha256:d1 here",
            ),
            (Some(told("other", "d1", active)), Some(false), Reason::NotHeld, "MO holds no agreement of this name"),
            (Some(told("mo-to-hk", "d1", AgreementState::Suspended)), Some(false), Reason::Inactive, "is Suspended"),
        ] {
            let claim = agreed("mo-to-hk", "d1", (&id("HK"), &id("MO")), answer.as_ref());
            assert_eq!((claim.of, claim.holds, claim.reason), (Type::Agreed, holds, reason));
            assert!(claim.message.contains(says), "{}", claim.message);
        }
    }
}
