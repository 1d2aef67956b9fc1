//! Reasons why connections failed, in words.

use std::io;

use wanqu_identity::tls_reason;

/// Returns the reason why a handshake failed, whether TLS or the network ended it.
#[must_use]
pub fn io_reason(error: &io::Error) -> String {
    error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>())
        .map_or_else(|| error.to_string(), tls_reason)
}
