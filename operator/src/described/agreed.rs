//! Whether the other party of an agreement holds the same terms. Where both parties' nodes are run from here they hold what
//! is declared here; where another operator runs one, its node is asked.

use wanqu_crds::kinds::DataSharingAgreementSpec;
use wanqu_model::bundle::AgreementState;
use wanqu_model::names::JurisdictionId;

use crate::framework::conditions::{Claim, Reason, Type};
use crate::framework::watched::{Catalogue, in_namespace};
use crate::observed::Told;
use crate::placed::Placed;

/// Who runs the nodes of an agreement's parties.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Parties {
    /// This operator, both.
    Ours,
    /// This operator the one, whose node can be asked, and another operator the other.
    Apart {
        /// Whose node runs here.
        here: JurisdictionId,
        /// Whose node runs elsewhere.
        there: JurisdictionId,
    },
}

/// Who runs them; nothing if both run where nobody can be asked from here.
pub(super) fn parties(catalogue: &Catalogue, namespace: &str, spec: &DataSharingAgreementSpec) -> Option<Parties> {
    let members = in_namespace(&catalogue.jurisdictions, namespace);
    let placed = |id: &JurisdictionId| {
        members.iter().filter_map(|member| member.read()).find(|member| member.spec.id == *id).map(Placed::of)
    };
    match (placed(&spec.from)?, placed(&spec.to)?) {
        (Placed::Here, Placed::Elsewhere(_)) => {
            Some(Parties::Apart { here: spec.from.clone(), there: spec.to.clone() })
        }
        (Placed::Elsewhere(_), Placed::Here) => {
            Some(Parties::Apart { here: spec.to.clone(), there: spec.from.clone() })
        }
        (Placed::Here | Placed::There(_), Placed::Here | Placed::There(_)) => Some(Parties::Ours),
        _ => None,
    }
}

/// Two nodes that run the bundles of one operator hold the same terms.
pub(super) fn ours(digest: &str) -> Claim {
    let message = format!("both parties' nodes run what is declared here, sha256:{digest}");
    Claim::yes(Type::Agreed, Reason::SameTerms, message)
}

/// Whether the party elsewhere holds the terms of this digest, as its node told the party here.
pub(super) fn agreed(
    name: &str,
    digest: &str,
    (here, there): (&JurisdictionId, &JurisdictionId),
    told: Option<&Told>,
) -> Claim {
    let no = |reason, message: String| Claim::no(Type::Agreed, reason, message);
    let held = match told {
        None => {
            let message = format!("the node of {here} has not said yet what the node of {there} holds");
            return Claim::unknown(Type::Agreed, Reason::Waiting, message);
        }
        Some(Told::Problem(code)) => {
            let message = format!(
                "the node of {there} does not tell the node of {here} what it holds [{code}]; see that its endpoint and \
                 its authority are those that placement.external says, and that the way there is open"
            );
            return Claim::unknown(Type::Agreed, Reason::PeerUnreachable, message);
        }
        Some(Told::Agreements(held)) => held.iter().find(|held| held.name.as_str() == name),
    };
    match held {
        None => no(
            Reason::NotHeld,
            format!(
                "{there} holds no agreement of this name with {here}; its operator declares it, with the same terms"
            ),
        ),
        Some(held) if held.digest != digest => no(
            Reason::DigestDiffers,
            format!(
                "{there} holds other terms under this name: sha256:{} there, sha256:{digest} here; it allows nothing until \
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
    use crate::observed::Held;

    fn id(id: &str) -> JurisdictionId {
        id.parse().unwrap()
    }

    fn told(name: &str, digest: &str, state: AgreementState) -> Told {
        Told::Agreements(vec![Held { name: name.parse().unwrap(), digest: digest.to_owned(), state }])
    }

    #[test]
    fn an_agreement_counts_only_where_the_other_party_holds_the_same() {
        let active = AgreementState::Active;
        for (told, holds, reason, says) in [
            (None, None, Reason::Waiting, "has not said yet"),
            (Some(Told::Problem("identity".to_owned())), None, Reason::PeerUnreachable, "[identity]"),
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
            let claim = agreed("mo-to-hk", "d1", (&id("HK"), &id("MO")), told.as_ref());
            assert_eq!((claim.of, claim.holds, claim.reason), (Type::Agreed, holds, reason));
            assert!(claim.message.contains(says), "{}", claim.message);
        }
    }
}
