//! When an errand may be run again: as long as nobody has begun with it.
//!
//! What a node has begun may have made owners release something, and each release counts; whether to ask for another is not
//! for a program to say. But a copy of a node that cannot be reached, or that ends and takes nothing new, has begun nothing,
//! and behind the same address there may be another copy, or soon this one again.

use std::time::Duration;

use tonic::Status;
use wanqu_model::refusal::Code;

use crate::connect::ConnectError;
use crate::status::from_status;

/// How long is waited before each further try: as long as a Service may still lead to a copy that ends.
pub const PAUSES: [Duration; 2] = [Duration::from_millis(300), Duration::from_secs(1)];

/// Whether a call came to nothing before anybody looked at what it carries.
#[must_use]
pub fn not_begun(status: &Status) -> bool {
    match ConnectError::beneath(status) {
        Some(ConnectError::Unreachable(_)) => true,
        // Who is there instead will not become another by waiting.
        Some(ConnectError::Unproven(_)) => false,
        None => {
            let refusal = from_status(status, None);
            // Where an owner ends, the home node and other owners have begun.
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
