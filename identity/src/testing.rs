//! Authorities and nodes for tests of the crates above. Nothing here is of use to anybody else.

use jiff::Timestamp;
use wanqu_crds::names::JurisdictionId;

use super::{Authority, NodeIdentity, Trust, Validity};

/// The trust domain of the tests.
pub const TRUST_DOMAIN: &str = "gba.example";

/// A jurisdiction's id.
#[must_use]
pub fn jid(text: &str) -> JurisdictionId {
    text.parse().expect("an id of a jurisdiction")
}

/// A day from now.
#[must_use]
pub fn validity() -> Validity {
    Validity::days(Timestamp::now(), 1)
}

/// A jurisdiction's new authority.
#[must_use]
pub fn authority(name: &str) -> Authority {
    Authority::new(jid(name), TRUST_DOMAIN, validity()).expect("an authority")
}

/// A new identity of its node.
#[must_use]
pub fn node(authority: &Authority) -> NodeIdentity {
    authority.issue_node(validity()).expect("a node's identity")
}

/// A trust in which each named jurisdiction has the CA beside it.
#[must_use]
pub fn trust(members: &[(&str, &Authority)]) -> Trust {
    Trust::new(TRUST_DOMAIN, members.iter().map(|(name, ca)| (jid(name), ca.certificate_pem().to_owned())))
        .expect("a trust")
}
