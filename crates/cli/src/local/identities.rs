//! The identities of a local federation: a certificate authority, a node, a gateway and token issuers for each member.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use wanqu_identity::{Authority, GatewayIdentity, IdentityError, NodeIdentity, TokenIssuer, Validity};
use wanqu_model::bundle::{NodeBundle, Subject};
use wanqu_model::names::JurisdictionId;

use super::LocalError;

/// Validity of a local federation's certificates in days. They are issued anew at every start.
const DAYS: u32 = 30;

/// One member's identities. Its keys never leave the process.
pub(super) struct MemberIdentities {
    pub(super) authority: Authority,
    pub(super) node: Arc<NodeIdentity>,
    pub(super) gateway: Arc<GatewayIdentity>,
    /// Token issuers by name.
    issuers: BTreeMap<String, TokenIssuer>,
}

impl MemberIdentities {
    /// Issues the identities of the member that `bundle` describes.
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

    /// Returns the public keys of its issuers, by issuer.
    pub(super) fn issuer_keys(&self) -> BTreeMap<String, Vec<String>> {
        self.issuers.iter().map(|(name, issuer)| (name.clone(), issuer.as_issuer().public_keys)).collect()
    }

    /// Returns a token for a researcher.
    ///
    /// # Errors
    /// [`LocalError::Issuer`] if the member does not accept the researcher's issuer.
    pub(super) fn token(&self, subject: &Subject, now: Timestamp, lifetime: Duration) -> Result<String, LocalError> {
        let issuer = self.issuers.get(&subject.issuer).ok_or_else(|| LocalError::Issuer(subject.issuer.clone()))?;
        Ok(issuer.issue(&subject.subject, now, lifetime)?)
    }
}

/// Issues the identities of every member.
pub(super) fn issue(
    bundles: &BTreeMap<JurisdictionId, NodeBundle>,
    now: Timestamp,
) -> Result<BTreeMap<JurisdictionId, MemberIdentities>, IdentityError> {
    bundles.iter().map(|(id, bundle)| Ok((id.clone(), MemberIdentities::new(bundle, now)?))).collect()
}
