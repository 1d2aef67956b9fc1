//! Certificates and keys in use, and the check that they can be: of this jurisdiction, of this time, and of the CA that
//! the bundle names.

use std::sync::Arc;

use jiff::Timestamp;
use wanqu_identity::{GatewayIdentity, NodeIdentity, Slot, Trust};
use wanqu_model::bundle::NodeBundle;

use super::NodeError;

/// Certificates and keys that the two doors show from now on. Connections keep those that they began with.
pub(super) struct Identities {
    /// Shown to other nodes.
    pub node: Slot<NodeIdentity>,
    /// Shown to researchers.
    pub gateway: Slot<GatewayIdentity>,
}

impl Identities {
    pub fn new(node: Arc<NodeIdentity>, gateway: Arc<GatewayIdentity>) -> Self {
        Self { node: node.into(), gateway: gateway.into() }
    }

    /// Checks that others believe what is in use, under this bundle and at this time.
    pub fn check(&self, bundle: &NodeBundle, trust: &Trust, now: Timestamp) -> Result<(), NodeError> {
        check(&self.node.now(), &self.gateway.now(), bundle, trust, now)
    }

    /// Puts others in use; both old ones stay if either new one fails the check.
    pub fn replace(
        &self,
        node: NodeIdentity,
        gateway: GatewayIdentity,
        bundle: &NodeBundle,
        trust: &Trust,
        now: Timestamp,
    ) -> Result<(), NodeError> {
        check(&node, &gateway, bundle, trust, now)?;
        self.node.replace(node);
        self.gateway.replace(gateway);
        Ok(())
    }

    /// Returns the earlier end of the two certificates.
    pub fn not_after(&self) -> Timestamp {
        self.node.now().credentials().not_after().min(self.gateway.now().credentials().not_after())
    }
}

/// Checks that other nodes would believe the one now, and that the other has not expired. Whether a gateway's issuer is
/// trusted is for its researchers to judge.
fn check(
    node: &NodeIdentity,
    gateway: &GatewayIdentity,
    bundle: &NodeBundle,
    trust: &Trust,
    now: Timestamp,
) -> Result<(), NodeError> {
    if *node.jurisdiction() != bundle.jurisdiction {
        return Err(NodeError::OtherIdentity {
            certificate: node.jurisdiction().to_string(),
            bundle: bundle.jurisdiction.to_string(),
        });
    }
    trust.vouches(node.credentials().chain(), now)?;
    let not_after = gateway.credentials().not_after();
    if not_after <= now { Err(NodeError::Expired(not_after)) } else { Ok(()) }
}
