//! Authorities and nodes for tests.

use jiff::Timestamp;
use wanqu_crds::names::JurisdictionId;

use super::{Authority, NodeIdentity, Trust, Validity};

pub(crate) const TRUST_DOMAIN: &str = "gba.example";

pub(crate) fn jid(text: &str) -> JurisdictionId {
    text.parse().unwrap()
}

pub(crate) fn validity() -> Validity {
    Validity::days(Timestamp::now(), 1)
}

pub(crate) fn authority(name: &str) -> Authority {
    Authority::new(jid(name), TRUST_DOMAIN, validity()).unwrap()
}

pub(crate) fn node(authority: &Authority) -> NodeIdentity {
    authority.issue_node(validity()).unwrap()
}

/// A trust in which each named jurisdiction has the CA beside it.
pub(crate) fn trust(members: &[(&str, &Authority)]) -> Trust {
    Trust::new(TRUST_DOMAIN, members.iter().map(|(name, ca)| (jid(name), ca.certificate_pem().to_owned()))).unwrap()
}
