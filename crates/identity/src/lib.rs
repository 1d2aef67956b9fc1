//! Identities: certificate authorities, the nodes that they vouch for, and the researchers whom issuers vouch for.
//!
//! Each jurisdiction has its own CA. A node's certificate names it by a SPIFFE URI,
//! `spiffe://<trust domain>/jurisdiction/<JID>/node`, and **only that jurisdiction's CA may sign it**: the verifiers
//! read the URI first, pick the CA by it, and check the chain against that one alone. So Hong Kong's CA cannot name a
//! node of Macau, however well formed the certificate is. Connections are TLS 1.3 only and are never resumed, so that
//! every one of them is verified anew.
//!
//! Researchers come with a JWT (`tokens`), signed with Ed25519 by an issuer that the node bundle lists, for the gateway of one
//! jurisdiction (`verifier`).

mod authority;
mod credentials;
mod error;
mod keys;
mod names;
mod node;
mod sealed;
mod signed;
mod slot;
#[cfg(test)]
#[path = "../../fixtures/src/identity.rs"]
mod testing;
#[cfg(test)]
mod tests;
mod tls;
mod tokens;
mod trust;
mod verifier;

pub use authority::{Authority, Validity};
pub use credentials::Credentials;
pub use error::{IdentityError, tls_reason};
pub use names::{gateway_dns, node_dns, node_uri};
pub use node::{GatewayIdentity, NodeIdentity, PeerIdentity, trust_domain_of};
pub use sealed::{DeliveryKey, is_sealed_now, seal};
pub use signed::{sign_statement, verify_statement, verify_statement_with_ca};
pub use slot::Slot;
pub use tls::{client_config, gateway_client_config, gateway_http_config, gateway_server_config, server_config};
pub use tokens::TokenIssuer;
pub use trust::Trust;
pub use verifier::{Bearer, SingleUse, TokenFault, TokenVerifier};
