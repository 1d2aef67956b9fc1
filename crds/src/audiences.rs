//! Audiences of tokens at the gateways of a federation: those that its Jurisdictions state, and those that follow from their ids.

use std::collections::{BTreeMap, BTreeSet};

use wanqu_model::audience::gateway_audience;
use wanqu_model::names::JurisdictionId;

use crate::kinds::{IssuerSpec, JurisdictionSpec};

/// Audiences of the gateways of one federation.
///
/// An audience that several jurisdictions state for one issuer stands for none of them, since a token with it would be good at
/// each of their gateways. It is passed over, and each of them takes tokens for its default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audiences<'a> {
    trust_domain: &'a str,
    /// Issuers and their audiences that several jurisdictions state.
    shared: BTreeSet<(&'a str, &'a str)>,
}

impl<'a> Audiences<'a> {
    /// Returns the audiences in a federation of these jurisdictions.
    pub fn of(trust_domain: &'a str, jurisdictions: impl IntoIterator<Item = &'a JurisdictionSpec>) -> Self {
        let mut stated: BTreeMap<(&str, &str), BTreeSet<&JurisdictionId>> = BTreeMap::new();
        for jurisdiction in jurisdictions {
            for issuer in &jurisdiction.issuers {
                if let Some(audience) = &issuer.audience {
                    stated.entry((&issuer.issuer, audience)).or_default().insert(&jurisdiction.id);
                }
            }
        }
        let shared = stated.into_iter().filter(|(_, members)| members.len() > 1).map(|(shared, _)| shared).collect();
        Self { trust_domain, shared }
    }

    /// Returns the claim `aud` of tokens of an issuer for the gateway of a jurisdiction that lists it.
    #[must_use]
    pub fn at(&self, jurisdiction: &JurisdictionId, issuer: &IssuerSpec) -> String {
        match &issuer.audience {
            Some(audience) if !self.shared.contains(&(issuer.issuer.as_str(), audience.as_str())) => audience.clone(),
            _ => gateway_audience(self.trust_domain, jurisdiction),
        }
    }
}
