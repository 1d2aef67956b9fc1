//! The identities of a local federation: a certificate authority, a node, a gateway and token issuers for each member.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use wanqu_identity::{Authority, GatewayIdentity, IdentityError, NodeIdentity, TokenIssuer, Validity};
use wanqu_model::bundle::{NodeBundle, Subject};
use wanqu_model::names::JurisdictionId;

use super::LocalError;

/// How long the certificates of a local federation hold. They are made anew at every start.
const DAYS: u32 = 30;

/// One member's identities. Its keys never leave the process.
pub(super) struct Role {
    pub(super) authority: Authority,
    pub(super) node: Arc<NodeIdentity>,
    pub(super) gateway: Arc<GatewayIdentity>,
    /// By issuer.
    issuers: BTreeMap<String, TokenIssuer>,
}

impl Role {
    /// Makes a member's identities; `bundle` says its name, the trust domain and the issuers that it accepts.
    pub(super) fn new(bundle: &NodeBundle, now: Timestamp) -> Result<Self, IdentityError> {
        let validity = Validity::days(now, DAYS);
        let authority = Authority::new(bundle.jurisdiction.clone(), &bundle.trust_domain, validity)?;
        let own = bundle.members.iter().filter(|member| member.jurisdiction == bundle.jurisdiction);
        let issuers = own
            .flat_map(|member| &member.issuers)
            .map(|issuer| Ok((issuer.issuer.clone(), TokenIssuer::new(&issuer.issuer, &issuer.audience)?)))
            .collect::<Result<_, IdentityError>>()?;
        let node = Arc::new(authority.issue_node(validity)?);
        let gateway = Arc::new(authority.issue_gateway(validity)?);
        Ok(Self { authority, node, gateway, issuers })
    }

    /// The public keys of its issuers, by issuer.
    pub(super) fn issuer_keys(&self) -> BTreeMap<String, Vec<String>> {
        self.issuers.iter().map(|(name, issuer)| (name.clone(), issuer.as_issuer().public_keys)).collect()
    }

    /// A token for a researcher whom one of its issuers vouches for.
    pub(super) fn token(&self, subject: &Subject, now: Timestamp, lifetime: Duration) -> Result<String, LocalError> {
        let issuer = self.issuers.get(&subject.issuer).ok_or_else(|| LocalError::Issuer(subject.issuer.clone()))?;
        Ok(issuer.issue(&subject.subject, now, lifetime)?)
    }
}

/// The members' identities.
pub(super) fn cast(
    bundles: &BTreeMap<JurisdictionId, NodeBundle>,
    now: Timestamp,
) -> Result<BTreeMap<JurisdictionId, Role>, IdentityError> {
    bundles.iter().map(|(id, bundle)| Ok((id.clone(), Role::new(bundle, now)?))).collect()
}
