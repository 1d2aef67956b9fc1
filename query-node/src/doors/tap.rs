//! Observation of the border: tests record everything that crosses, and every connection that was refused.

use std::net::SocketAddr;
use std::sync::Arc;

use wanqu_model::names::JurisdictionId;

/// Observer of what crosses at an owner, in both directions, before encryption.
pub trait WireTap: Send + Sync + 'static {
    /// Is shown one message: an envelope on its way in, or a part of a release or a refusal on its way out, as encoded.
    fn crossed(&self, from: &JurisdictionId, to: &JurisdictionId, bytes: &[u8]);

    /// Is told of a connection that was refused, and of the reason. The log has it too.
    fn refused(&self, _address: SocketAddr, _reason: &str) {}
}

/// The observer of an exchange, if it has one.
pub type Tap = Option<Arc<dyn WireTap>>;
