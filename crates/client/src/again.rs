//! Retries of requests that no node has begun to answer.
//!
//! A node that has begun may have made owners release something, and each release counts: whether to ask for another is for the
//! researcher to decide. A replica that cannot be reached, or that drains, has begun nothing, and behind the same address there
//! may be another replica, or soon this one again.

use std::time::Duration;

use tonic::Status;
use wanqu_model::refusal::Code;

use crate::connect::ConnectError;
use crate::status::from_status;

/// Pauses before the retries: a Service may lead to a replica that ends for about so long.
pub const PAUSES: [Duration; 2] = [Duration::from_millis(300), Duration::from_secs(1)];

/// Returns true if a call failed before anybody read the request.
#[must_use]
pub fn not_begun(status: &Status) -> bool {
    match ConnectError::beneath(status) {
        Some(ConnectError::Unreachable(_)) => true,
        // Waiting does not change who answers at the address.
        Some(ConnectError::Unproven(_)) => false,
        None => {
            let refusal = from_status(status, None);
            // If it is an owner that drains, the home node and other owners have begun.
            refusal.code == Code::Draining && refusal.owner.is_none()
        }
    }
}

#[cfg(test)]
mod tests {
    use wanqu_fixtures::identity::jid;

    use super::*;
    use crate::status::to_status;
    use wanqu_model::refusal::Refusal;

    #[test]
    fn only_what_nobody_has_begun_is_asked_again() {
        let beneath = |error: ConnectError| Status::from_error(Box::new(error));
        assert!(not_begun(&beneath(ConnectError::Unreachable("connection refused".to_owned()))));
        assert!(!not_begun(&beneath(ConnectError::Unproven("UnknownIssuer".to_owned()))));
        let ends = Refusal::new(Code::Draining, "the node is ending and takes no new questions");
        assert!(not_begun(&to_status(ends.clone())));
        assert!(!not_begun(&to_status(ends.with_owner(jid("MO")))), "others may have released already");
        for code in [Code::OwnerUnavailable, Code::Limit, Code::Cancelled, Code::Identity, Code::NoAgreement] {
            assert!(!not_begun(&to_status(Refusal::new(code, "no"))), "{code}");
        }
        assert!(!not_begun(&Status::unavailable("the connection broke")), "it may have been read");
    }
}
