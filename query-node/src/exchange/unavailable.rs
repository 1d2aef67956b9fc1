//! Tables that a member cannot read now, as it tells the members that may ask for them, so that their catalogs show it before
//! anybody asks.
//!
//! No reason is told: one can speak of a record, and those who mend it are at the owner. A member that may not ask for a table
//! is told nothing of it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use wanqu_model::bundle::{Agreement, AgreementState, NodeBundle, Slice};
use wanqu_model::names::{JurisdictionId, TableRef};
use wanqu_model::refusal::{Code, Refusal};

/// Name of the Flight action.
pub(super) const ACTION: &str = "unavailable";

/// Most tables of one member that are kept.
const MOST: usize = 1024;

/// Returns those of the tables of the bundle's own jurisdiction that `peer` may ask for: public ones, and those that an agreement
/// in force covers.
#[must_use]
pub fn unavailable_to(
    bundle: &NodeBundle,
    peer: &JurisdictionId,
    now: Timestamp,
    unavailable: &BTreeSet<TableRef>,
) -> Vec<TableRef> {
    let own = bundle.slices.iter().filter(|slice| slice.jurisdiction == bundle.jurisdiction);
    let told = own.filter(|slice| unavailable.contains(&slice.table) && may_ask(bundle, peer, now, slice));
    told.map(|slice| slice.table.clone()).collect()
}

fn may_ask(bundle: &NodeBundle, peer: &JurisdictionId, now: Timestamp, slice: &Slice) -> bool {
    let in_force = |agreement: &&Agreement| {
        agreement.from == bundle.jurisdiction
            && agreement.to == *peer
            && agreement.state == AgreementState::Active
            && (agreement.not_before..agreement.expires).contains(&now)
    };
    // As in admission: by the table's own name, or by that of its dataset.
    let covers = |agreement: &Agreement| {
        bundle
            .slices
            .iter()
            .filter(|other| other.dataset == slice.dataset && other.jurisdiction == slice.jurisdiction)
            .filter(|other| other.table == slice.table || !other.table.is_common())
            .any(|other| agreement.tables.contains(&other.table))
    };
    slice.is_public() || bundle.agreements.iter().filter(in_force).any(covers)
}

/// Reads an answer.
pub(super) fn read(answer: &[u8], peer: &JurisdictionId) -> Result<Vec<TableRef>, Refusal> {
    let tables = serde_json::from_slice::<Vec<TableRef>>(answer).map_err(|_| {
        Refusal::new(Code::ReleaseShape, "what the node says of its tables cannot be read").with_owner(peer.clone())
    })?;
    Ok(tables.into_iter().take(MOST).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use wanqu_fixtures::bundle::{agreement, dataset, empty, rule};
    use wanqu_fixtures::identity::jid;

    #[test]
    fn a_member_is_told_of_what_it_may_ask_for_alone() {
        let mut bundle = empty();
        let own = bundle.jurisdiction.clone();
        for (name, columns) in [
            ("open", "n: int32 public"),
            ("shared", "id: string identifier; n: int32 measure"),
            ("closed", "id: string identifier; n: int32 measure"),
            ("fine", "n: int32 public"),
        ] {
            let (slice, _) = dataset(&bundle, name, columns, rule(5, 1));
            bundle.slices.push(slice);
        }
        let table = |name: &str| -> TableRef { format!("shenzhen.d.{name}").parse().unwrap() };
        let mut granted = agreement("to-hk", own.as_str(), "HK");
        granted.tables = vec![table("shared")];
        let mut other = agreement("from-hk", "HK", own.as_str());
        other.tables = vec![table("closed")];
        bundle.agreements = vec![granted, other];
        let unavailable: BTreeSet<TableRef> = ["open", "shared", "closed"].map(table).into();
        let told = |bundle: &NodeBundle, peer: &str, now: &str| {
            unavailable_to(bundle, &jid(peer), now.parse().unwrap(), &unavailable)
        };
        assert_eq!(told(&bundle, "HK", "2026-06-01T00:00:00Z"), [table("open"), table("shared")]);
        assert_eq!(told(&bundle, "MO", "2026-06-01T00:00:00Z"), [table("open")]);
        assert_eq!(told(&bundle, "HK", "2027-06-01T00:00:00Z"), [table("open")], "it has expired");
        bundle.agreements[0].state = AgreementState::Suspended;
        assert_eq!(told(&bundle, "HK", "2026-06-01T00:00:00Z"), [table("open")]);
    }

    #[test]
    fn an_answer_that_is_no_list_of_tables_is_refused() {
        assert!(read(b"CANARY", &jid("MO")).is_err() && read(br#"["a b\u001b"]"#, &jid("MO")).is_err());
        assert_eq!(read(br#"["macau.d.t"]"#, &jid("MO")).unwrap().len(), 1);
    }
}
