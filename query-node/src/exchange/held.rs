//! What two members tell each other of the agreements between them, so that both see that they hold the same terms before
//! anybody asks under them.
//!
//! A member is told of agreements that it is a party to, and of no others. No data is behind this: it is no release.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use wanqu_model::bundle::{Agreement, AgreementState, NodeBundle};
use wanqu_model::names::{JurisdictionId, ResourceName};
use wanqu_model::refusal::{Code, Refusal};

/// The name of the errand: a Flight action.
pub(super) const ERRAND: &str = "agreements";

/// The longest answer, in bytes: room for some thousands of agreements.
pub(super) const LONGEST: usize = 1 << 20;

/// How many agreements of a member are kept that this node does not hold itself: what its operator declared a moment ago,
/// and what another operator declared before this one.
const UNKNOWN: usize = 64;

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

/// The agreements of a bundle between its own jurisdiction and one other.
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

/// Reads an answer. What is in it is shown to people, so nothing passes for a digest that is none.
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

/// What is kept of an answer: each agreement once, first those that this node holds too, and some that it does not hold, or
/// not yet. However much a member says, it takes no more room than that.
#[must_use]
pub fn noted(bundle: &NodeBundle, peer: &JurisdictionId, told: Vec<HeldAgreement>) -> Vec<HeldAgreement> {
    let own: HashSet<ResourceName> = agreements_with(bundle, peer).into_iter().map(|held| held.name).collect();
    let mut seen = HashSet::new();
    let (mut noted, more): (Vec<_>, Vec<_>) =
        told.into_iter().filter(|held| seen.insert(held.name.clone())).partition(|held| own.contains(&held.name));
    noted.extend(more.into_iter().take(UNKNOWN));
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
        assert_eq!((own.len(), noted.len()), (2, own.len() + UNKNOWN));
        assert_eq!(noted[..own.len()], own, "what both hold comes first, as it was said first");
    }
}
