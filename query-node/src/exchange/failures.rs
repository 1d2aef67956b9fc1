//! How what goes wrong on the way to an owner, or on the way back, is told.

use tonic::Status;
use wanqu_client::connect::ConnectError;
use wanqu_client::status::from_status;
use wanqu_model::names::JurisdictionId;
use wanqu_model::refusal::{Code, Refusal};

/// The refusal in a status, or the connection that was never made.
pub(super) fn explain(status: &Status, owner: &JurisdictionId) -> Refusal {
    match ConnectError::beneath(status) {
        Some(error) => unconnected(&error, owner),
        None => from_status(status, Some(owner)),
    }
}

/// The connection was not made.
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

/// The answer did not come in time.
pub(super) fn too_late(owner: &JurisdictionId) -> Refusal {
    Refusal::new(Code::Limit, "the deadline passed before the answer was complete").with_owner(owner.clone())
}

/// The answer ended without its report.
pub(super) fn cut_off(owner: &JurisdictionId) -> Refusal {
    Refusal::new(Code::OwnerUnavailable, "the release broke off before its end").with_owner(owner.clone())
}
