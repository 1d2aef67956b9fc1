//! Agreements that members report to each other, so that both see that they hold the same terms before anybody asks under
//! them.
//!
//! A member is told of the agreements that it is a party to, and of no others. No data is read for this: it is no release.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use wanqu_model::bundle::{Agreement, AgreementState, NodeBundle};
use wanqu_model::names::{JurisdictionId, ResourceName};
use wanqu_model::refusal::{Code, Refusal};

/// Name of the Flight action.
pub(super) const ACTION: &str = "agreements";

/// Longest answer, in bytes: room for some thousands of agreements.
pub(super) const MAX_ANSWER: usize = 1 << 20;

/// Number of a member's agreements that are kept although this node does not hold them: those that the member's operator
/// declared a moment ago, before this node's did.
const MAX_UNKNOWN: usize = 64;

/// An agreement as one of its parties holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HeldAgreement {
    /// Its name.
    pub name: ResourceName,
    /// The digest of its terms: SHA-256, hexadecimal.
    pub digest: String,
    /// Its state there.
    pub state: AgreementState,
}

/// Returns the agreements of a bundle between its own jurisdiction and `peer`.
#[must_use]
pub fn agreements_with(bundle: &NodeBundle, peer: &JurisdictionId) -> Vec<HeldAgreement> {
    let own = &bundle.jurisdiction;
    let shared = |agreement: &&Agreement| {
        let parties = [&agreement.from, &agreement.to];
        parties.contains(&own) && parties.contains(&peer) && own != peer
    };
    let held = |agreement: &Agreement| HeldAgreement {
        name: agreement.name.clone(),
        digest: agreement.digest.clone(),
        state: agreement.state,
    };
    bundle.agreements.iter().filter(shared).map(held).collect()
}

/// Reads an answer. Its digests are shown to people, so an answer with a malformed one is refused.
pub(super) fn read(answer: &[u8], peer: &JurisdictionId) -> Result<Vec<HeldAgreement>, Refusal> {
    let is_digest = |text: &str| text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    serde_json::from_slice::<Vec<HeldAgreement>>(answer)
        .ok()
        .filter(|held| held.iter().all(|agreement| is_digest(&agreement.digest)))
        .ok_or_else(|| {
            Refusal::new(Code::ReleaseShape, "what the node says of its agreements cannot be read")
                .with_owner(peer.clone())
        })
}

/// Returns the part of an answer that is kept: each agreement once, first those that this node holds too, then at most
/// 64 others. A long answer takes no more memory than that.
#[must_use]
pub fn noted(bundle: &NodeBundle, peer: &JurisdictionId, told: Vec<HeldAgreement>) -> Vec<HeldAgreement> {
    let own: HashSet<ResourceName> = agreements_with(bundle, peer).into_iter().map(|held| held.name).collect();
    let mut seen = HashSet::new();
    let (mut noted, more): (Vec<_>, Vec<_>) =
        told.into_iter().filter(|held| seen.insert(held.name.clone())).partition(|held| own.contains(&held.name));
    noted.extend(more.into_iter().take(MAX_UNKNOWN));
    noted
}

#[cfg(test)]
mod tests {
    use wanqu_model::bundle::AgreementState::{Active, Suspended};

    use super::*;
    use wanqu_fixtures::bundle::{agreement, empty};
    use wanqu_fixtures::identity::jid;

    fn held(name: &str, state: AgreementState) -> HeldAgreement {
        HeldAgreement { name: name.parse().unwrap(), digest: "d".repeat(64), state }
    }

    #[test]
    fn a_member_that_says_very_much_hides_nothing_and_takes_no_room() {
        let mut bundle = empty();
        bundle.agreements = vec![agreement("sz-to-hk", "CN-SZ", "HK"), agreement("hk-to-sz", "HK", "CN-SZ")];
        let own = agreements_with(&bundle, &jid("HK"));
        let flood = (0..10_000).map(|number| held(&format!("invented-{number}"), Active));
        let twice = own.iter().cloned().chain(own.iter().map(|own| HeldAgreement { state: Suspended, ..own.clone() }));
        let noted = noted(&bundle, &jid("HK"), flood.chain(twice).collect());
        assert_eq!((own.len(), noted.len()), (2, own.len() + MAX_UNKNOWN));
        assert_eq!(noted[..own.len()], own, "what both hold comes first, as it was said first");
    }
}
