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
    issuers: BTreeMap<String, LocalIssuer>,
}

/// Issuer of researchers' tokens for one member's gateway.
struct LocalIssuer {
    issuer: TokenIssuer,
    /// Audience of its tokens.
    audience: String,
    /// Longest life of its tokens.
    max_life: Duration,
}

impl MemberIdentities {
    /// Issues the identities of the member that `bundle` describes.
    pub(super) fn new(bundle: &NodeBundle, now: Timestamp) -> Result<Self, IdentityError> {
        let validity = Validity::days(now, DAYS);
        let authority = Authority::new(bundle.jurisdiction.clone(), &bundle.trust_domain, validity)?;
        let own = bundle.members.iter().filter(|member| member.jurisdiction == bundle.jurisdiction);
        let issuers = own
            .flat_map(|member| &member.issuers)
            .map(|issuer| {
                let own = LocalIssuer {
                    issuer: TokenIssuer::new(&issuer.issuer)?,
                    audience: issuer.audience.clone(),
                    max_life: Duration::from_secs(issuer.max_life_seconds.into()),
                };
                Ok((issuer.issuer.clone(), own))
            })
            .collect::<Result<_, IdentityError>>()?;
        let node = Arc::new(authority.issue_node(validity)?);
        let gateway = Arc::new(authority.issue_gateway(validity)?);
        Ok(Self { authority, node, gateway, issuers })
    }

    /// Returns the public keys of its issuers, by issuer.
    pub(super) fn issuer_keys(&self) -> BTreeMap<String, Vec<String>> {
        self.issuers.iter().map(|(name, own)| (name.clone(), vec![own.issuer.public_key_pem()])).collect()
    }

    /// Returns a token for a researcher, that lives for `lifetime` or as long as tokens of its issuer may.
    ///
    /// # Errors
    /// [`LocalError::Issuer`] if the member does not accept the researcher's issuer.
    pub(super) fn token(&self, subject: &Subject, now: Timestamp, lifetime: Duration) -> Result<String, LocalError> {
        let own = self.issuers.get(&subject.issuer).ok_or_else(|| LocalError::Issuer(subject.issuer.clone()))?;
        let LocalIssuer { issuer, audience, max_life } = own;
        Ok(issuer.issue(&subject.subject, audience, now, lifetime.min(*max_life))?)
    }
}

/// Issues the identities of every member.
pub(super) fn issue(
    bundles: &BTreeMap<JurisdictionId, NodeBundle>,
    now: Timestamp,
) -> Result<BTreeMap<JurisdictionId, MemberIdentities>, IdentityError> {
    bundles.iter().map(|(id, bundle)| Ok((id.clone(), MemberIdentities::new(bundle, now)?))).collect()
}
