//! Judgement of failed calls: did anybody begin with the request, and may it be sent again?
//!
//! A node that has begun may have made owners release something, and each release counts. So a request is sent again by itself
//! only if nobody can have begun with it; in any other case the researcher decides. Behind the same address there may be
//! another replica, or soon this one again.

use std::error::Error;
use std::time::Duration;

use tonic::Status;
use uuid::Uuid;
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

/// Returns true if a status is of a connection that broke after the message may have been read. What a node answers has no
/// source on this side.
#[must_use]
pub fn broke(status: &Status) -> bool {
    ConnectError::beneath(status).is_none() && status.source().is_some() && Begun::of(status).possible()
}

/// Returns the refusal for a question whose answer a gateway broke off.
pub(crate) fn broken(endpoint: &str, query: Option<Uuid>) -> Refusal {
    let refusal = Refusal::new(
        Code::OwnerUnavailable,
        format!("the connection to the gateway at {endpoint} broke before the answer was whole: owners may have released their parts"),
    )
    .with_rule("each answer of an owner is a release, so a question that may have been asked is not asked again by itself");
    match query {
        Some(id) => refusal
            .with_subject(format!("query {id}"))
            .with_remedy("look for the query in the owners' audit logs; ask again if it may be released once more"),
        None => {
            refusal.with_remedy("ask again if what was asked may be released once more; the gateway's log says more")
        }
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
    fn a_connection_that_broke_is_told_from_what_a_node_answered() {
        let reset = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        assert!(broke(&Status::from_error(Box::new(reset))));
        assert!(!broke(&Status::from_error(Box::new(ConnectError::Unreachable("refused".to_owned())))));
        assert!(!broke(&to_status(Refusal::new(Code::OwnerUnavailable, "MO is away").with_owner(jid("MO")))));
        let id = Uuid::from_u128(7);
        let told = broken("hk:443", Some(id)).to_string();
        assert!(told.contains("may have released") && told.contains(&id.to_string()), "{told}");
        assert!(broken("hk:443", None).remedy.is_some());
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
