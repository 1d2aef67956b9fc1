//! Audiences of tokens: the gateway that a token is for.
//!
//! Whoever is shown a token can show it to others. So a token is for the gateway of one jurisdiction, which it names in the claim
//! `aud`: a hostile home node cannot ask elsewhere in the name of its researchers.

use crate::names::JurisdictionId;

/// Beginning of every audience that is derived from a trust domain and a jurisdiction.
const PREFIX: &str = "wanqu:";

/// Returns the audience of tokens for a jurisdiction's gateway: `wanqu:gba.example/CN-SZ`.
///
/// The trust domain stands for the federation: it is the same in every member's resources, and cannot change.
#[must_use]
pub fn gateway_audience(trust_domain: &str, jurisdiction: &JurisdictionId) -> String {
    format!("{PREFIX}{trust_domain}/{jurisdiction}")
}

/// Returns true if an audience is one of those that [`gateway_audience`] makes, for whichever gateway.
#[must_use]
pub fn is_gateway_audience(audience: &str) -> bool {
    audience.starts_with(PREFIX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_audience_names_the_federation_and_the_jurisdiction() {
        let audience = gateway_audience("gba.example", &"CN-SZ".parse().unwrap());
        assert_eq!(audience, "wanqu:gba.example/CN-SZ");
        assert!(is_gateway_audience(&audience) && !is_gateway_audience("gba.example"));
    }
}
