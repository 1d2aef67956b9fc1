//! Checkpoints of audit logs, as members tell them to each other: the wire's side of [`audit`](crate::audit)'s.

use wanqu_identity::{Trust, verify_statement};
use wanqu_model::names::JurisdictionId;
use wanqu_model::receipt::{Checkpoint, Signed};
use wanqu_model::refusal::{Code, Refusal};

/// Name of the Flight action.
pub(super) const ACTION: &str = "checkpoint";

/// Reads an answer: the checkpoint of a log that has an entry, signed by `peer` and by nobody else.
pub(super) fn read(answer: &[u8], peer: &JurisdictionId, trust: &Trust) -> Result<Option<Signed<Checkpoint>>, Refusal> {
    let refuse = |why: &str| {
        Refusal::new(Code::ReleaseShape, format!("the checkpoint of the node's audit log is not taken: {why}"))
            .with_owner(peer.clone())
    };
    let told: Option<Signed<Checkpoint>> = serde_json::from_slice(answer).map_err(|_| refuse("it cannot be read"))?;
    if let Some(signed) = &told {
        if signed.statement.member != *peer {
            return Err(refuse("it is of another member's log"));
        }
        verify_statement(signed, trust).map_err(|why| refuse(&why))?;
    }
    Ok(told)
}
