//! A place to watch the border from: tests record everything that crosses, and every connection that was refused.

use std::net::SocketAddr;
use std::sync::Arc;

use wanqu_model::names::JurisdictionId;

/// Sees what crosses at an owner, in both directions, before encryption.
pub trait WireTap: Send + Sync + 'static {
    /// One message: an envelope on its way in, or a part of a release or a refusal on its way out, as encoded.
    fn crossed(&self, from: &JurisdictionId, to: &JurisdictionId, bytes: &[u8]);

    /// A connection that ended before it began, and why. The log has it too.
    fn refused(&self, _address: SocketAddr, _reason: &str) {}
}

/// A tap that may be there.
pub type Tap = Option<Arc<dyn WireTap>>;
