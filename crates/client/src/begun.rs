//! Judgement of failed calls: did anybody begin with the request, and may it be sent again?
//!
//! A node that has begun may have made owners release something, and each release counts. So a request is sent again by itself
//! only if nobody can have begun with it; in any other case the researcher decides. Behind the same address there may be
//! another replica, or soon this one again.

use std::error::Error;
use std::time::Duration;

use tonic::Status;
use wanqu_model::refusal::{Code, Refusal};

use crate::connect::ConnectError;
use crate::status::from_status;

/// Pauses before a request that nobody began is sent again: a Service may lead to a replica that ends for about so long.
pub const PAUSES: [Duration; 2] = [Duration::from_millis(300), Duration::from_secs(1)];

/// A question that got no answer.
#[derive(Debug, Clone)]
pub struct Unanswered {
    /// The reason.
    pub refusal: Refusal,
    /// False if the question provably reached nobody who would begin with it. Else an owner may have released something.
    pub may_have_begun: bool,
}

/// Progress that a request can have made before its call failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begun {
    /// None, and another attempt may reach somebody who begins: there was no connection, the message was not handed to it, or
    /// the node was ending.
    Unreached,
    /// None, and another attempt meets with the same: one of the two ends did not prove its identity.
    Unproven,
    /// Some, perhaps: the request may have been read.
    Perhaps,
}

impl Begun {
    /// Judges the status with which a call failed.
    #[must_use]
    pub fn of(status: &Status) -> Self {
        match ConnectError::beneath(status) {
            Some(ConnectError::Unreachable(_)) => return Self::Unreached,
            Some(ConnectError::Unproven(_)) => return Self::Unproven,
            None if was_unsent(status) => return Self::Unreached,
            None => {}
        }
        let refusal = from_status(status, None);
        match refusal.code {
            // The same codes with an owner are that owner's, and then the home node and other owners have begun.
            _ if refusal.owner.is_some() => Self::Perhaps,
            // A node says these before it looks at the request.
            Code::Draining => Self::Unreached,
            Code::Identity => Self::Unproven,
            _ => Self::Perhaps,
        }
    }

    /// Returns true unless nobody can have begun with the request.
    #[must_use]
    pub fn possible(self) -> bool {
        self == Self::Perhaps
    }
}

/// Returns true if a connection closed before the message was handed to it.
fn was_unsent(status: &Status) -> bool {
    let mut error: Option<&(dyn Error + 'static)> = status.source();
    while let Some(current) = error {
        if current.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_canceled) {
            return true;
        }
        error = current.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use wanqu_fixtures::identity::jid;

    use super::*;
    use crate::status::to_status;

    #[test]
    fn a_call_that_did_not_connect_reached_nobody() {
        let beneath = |error: ConnectError| Begun::of(&Status::from_error(Box::new(error)));
        assert_eq!(beneath(ConnectError::Unreachable("connection refused".to_owned())), Begun::Unreached);
        assert_eq!(beneath(ConnectError::Unproven("UnknownIssuer".to_owned())), Begun::Unproven);
    }

    #[test]
    fn only_a_node_that_refuses_at_its_door_has_not_begun() {
        for (code, begun) in [(Code::Draining, Begun::Unreached), (Code::Identity, Begun::Unproven)] {
            let refusal = Refusal::new(code, "no");
            assert_eq!(Begun::of(&to_status(refusal.clone())), begun, "{code}");
            let of_owner = to_status(refusal.with_owner(jid("MO")));
            assert_eq!(Begun::of(&of_owner), Begun::Perhaps, "{code}: other owners may have released");
        }
        for code in [Code::OwnerUnavailable, Code::Limit, Code::Cancelled, Code::Internal, Code::NoAgreement] {
            assert_eq!(Begun::of(&to_status(Refusal::new(code, "no"))), Begun::Perhaps, "{code}");
        }
        let broke = Begun::of(&Status::unavailable("the connection broke"));
        assert!(broke.possible(), "the request may have been read");
    }
}
