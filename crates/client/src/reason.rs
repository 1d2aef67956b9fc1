//! The reason for a failed handshake, in plain words.

use std::io;

use wanqu_identity::tls_reason;

/// Returns the reason for a failed handshake, whether TLS or the network ended it.
#[must_use]
pub fn handshake_reason(error: &io::Error) -> String {
    error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>())
        .map_or_else(|| error.to_string(), tls_reason)
}
