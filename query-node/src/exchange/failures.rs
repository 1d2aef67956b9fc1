//! Refusals for what goes wrong between a home node and an owner.

use tonic::Status;
use uuid::Uuid;
use wanqu_client::begun::broke;
use wanqu_client::connect::ConnectError;
use wanqu_client::status::from_status;
use wanqu_model::names::JurisdictionId;
use wanqu_model::refusal::{Code, Refusal};

/// Returns the refusal that a status of an owner stands for, after it was sent a fragment of this query.
pub(super) fn explain(status: &Status, owner: &JurisdictionId, query_id: Uuid) -> Refusal {
    match ConnectError::beneath(status) {
        Some(error) => unconnected(&error, owner),
        None if broke(status) => interrupted(owner, query_id),
        None => from_status(status, Some(owner)),
    }
}

/// Returns the refusal that a status of a member stands for, where no release is at stake.
pub(super) fn explain_call(status: &Status, member: &JurisdictionId) -> Refusal {
    match ConnectError::beneath(status) {
        Some(error) => unconnected(&error, member),
        None => from_status(status, Some(member)),
    }
}

/// Returns the refusal for a connection that broke after the fragment was sent.
fn interrupted(owner: &JurisdictionId, query_id: Uuid) -> Refusal {
    Refusal::new(
        Code::OwnerUnavailable,
        format!("the connection to the node of {owner} broke after the fragment was sent: it may have been answered"),
    )
    .with_subject(format!("query {query_id}"))
    .with_rule("each answer is a release, so what may have been answered is not asked again by itself")
    .with_remedy(format!("look for the query in the audit log of {owner}; ask again if it may be released once more"))
    .with_owner(owner.clone())
}

/// Returns the refusal for a connection that was not made.
pub(super) fn unconnected(error: &ConnectError, owner: &JurisdictionId) -> Refusal {
    let refusal = match error {
        ConnectError::Unreachable(_) => {
            Refusal::new(Code::OwnerUnavailable, format!("the node of {owner} cannot be reached"))
        }
        ConnectError::Unproven(_) => {
            Refusal::new(Code::Identity, format!("the node at {owner}'s endpoint did not prove to be {owner}'s"))
                .with_rule("a jurisdiction's own CA, and no other, vouches for its node")
        }
    };
    refusal.with_owner(owner.clone())
}

/// Returns the refusal for an answer that did not come in time.
pub(super) fn too_late(owner: &JurisdictionId) -> Refusal {
    Refusal::too_late("the deadline passed before the answer was complete").with_owner(owner.clone())
}

/// Returns the refusal for an answer that ended without its report.
pub(super) fn cut_off(owner: &JurisdictionId) -> Refusal {
    Refusal::new(Code::OwnerUnavailable, "the release broke off before its end").with_owner(owner.clone())
}
