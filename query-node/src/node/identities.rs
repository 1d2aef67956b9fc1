//! Whether certificates can be used: this jurisdiction's, of this time, and of the CA that the bundle names.

use jiff::Timestamp;
use wanqu_identity::{GatewayIdentity, NodeIdentity, Trust};
use wanqu_model::bundle::NodeBundle;

use super::NodeError;

/// Whether a node's identity can be used with a bundle: other nodes would believe it now.
pub(super) fn fits(
    identity: &NodeIdentity,
    bundle: &NodeBundle,
    trust: &Trust,
    now: Timestamp,
) -> Result<(), NodeError> {
    if *identity.jurisdiction() != bundle.jurisdiction {
        return Err(NodeError::OtherIdentity {
            certificate: identity.jurisdiction().to_string(),
            bundle: bundle.jurisdiction.to_string(),
        });
    }
    trust.vouches(identity.credentials().chain(), now)?;
    Ok(())
}

/// Whether a gateway's certificate is of this time. Who vouches for it is for its researchers to judge.
pub(super) fn holds(gateway: &GatewayIdentity, now: Timestamp) -> Result<(), NodeError> {
    if gateway.credentials().not_after() <= now {
        return Err(NodeError::Expired(gateway.credentials().not_after()));
    }
    Ok(())
}
