//! Questions that got no answer, and whether asking again would ask for a second release.

use tonic::Status;
use wanqu_model::refusal::{Code, Refusal};

use crate::connect::ConnectError;
use crate::status::from_status;

/// A question that got no answer.
#[derive(Debug, Clone)]
pub struct Unanswered {
    /// Why.
    pub refusal: Refusal,
    /// False if the question provably reached nobody who would begin with it: no connection was made, or the gateway refused
    /// at its door. Else an owner may have released something.
    pub may_have_begun: bool,
}

/// Returns true unless a call provably came to nothing before anybody began with what it asks.
pub(crate) fn may_have_begun(status: &Status) -> bool {
    if ConnectError::beneath(status).is_some() {
        return false;
    }
    let refusal = from_status(status, None);
    // A gateway that drains, or does not accept the token, says so before it looks at the question. The same code with an
    // owner is that owner's, and then the home node has begun.
    let at_the_door = matches!(refusal.code, Code::Draining | Code::Identity) && refusal.owner.is_none();
    !at_the_door
}

#[cfg(test)]
mod tests {
    use wanqu_fixtures::identity::jid;

    use super::*;
    use crate::status::to_status;

    #[test]
    fn only_a_call_that_did_not_connect_or_was_refused_at_the_door_has_not_begun() {
        let connect = |error: ConnectError| Status::from_error(Box::new(error));
        assert!(!may_have_begun(&connect(ConnectError::Unreachable("connection refused".to_owned()))));
        assert!(!may_have_begun(&connect(ConnectError::Unproven("UnknownIssuer".to_owned()))));
        for code in [Code::Draining, Code::Identity] {
            let refusal = Refusal::new(code, "no");
            assert!(!may_have_begun(&to_status(refusal.clone())), "{code}");
            assert!(
                may_have_begun(&to_status(refusal.with_owner(jid("MO")))),
                "{code}: other owners may have released"
            );
        }
        for code in [Code::OwnerUnavailable, Code::Limit, Code::Cancelled, Code::Internal, Code::NoAgreement] {
            assert!(may_have_begun(&to_status(Refusal::new(code, "no"))), "{code}");
        }
        assert!(may_have_begun(&Status::unavailable("the connection broke")), "the question may have been read");
    }
}
