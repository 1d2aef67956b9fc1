//! TLS configurations for the exchange (mutual) and the gateway (server side). TLS 1.3 only, HTTP/2 only.

use std::sync::Arc;

use rustls::client::Resumption;
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::TLS13;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use wanqu_model::names::JurisdictionId;

use super::node::Presentable;
use super::trust::{AnyMember, ExactMember, provider};
use super::{GatewayIdentity, IdentityError, NodeIdentity, Slot, Trust, keys};

/// Application protocol: gRPC runs over HTTP/2.
const ALPN: &[u8] = b"h2";

/// Protocol within TLS of the HTTP door.
const HTTP: &[u8] = b"http/1.1";

/// Returns the configuration of an owner's exchange: a client must present a certificate that its own jurisdiction's CA signed.
/// Each handshake presents the identity that is in the slot by then.
pub fn server_config(identity: &Slot<NodeIdentity>, trust: &Trust) -> Result<Arc<ServerConfig>, IdentityError> {
    let config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(Arc::new(AnyMember(trust.clone())))
        .with_cert_resolver(Arc::new(Current(identity.clone())));
    Ok(Arc::new(hardened(config)))
}

/// Returns the configuration of a home node that calls `expected`: the server must be that jurisdiction's node, by that
/// jurisdiction's own CA. All its connections present this identity, since envelopes are signed with the key of their connection.
pub fn client_config(
    identity: &NodeIdentity,
    trust: &Trust,
    expected: JurisdictionId,
) -> Result<Arc<ClientConfig>, IdentityError> {
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(ExactMember { trust: trust.clone(), expected }))
        .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(identity.certified())));
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

/// Returns the configuration of a gateway: researchers have tokens, not certificates. Each handshake presents the identity that
/// is in the slot by then.
pub fn gateway_server_config(identity: &Slot<GatewayIdentity>) -> Result<Arc<ServerConfig>, IdentityError> {
    let config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Current(identity.clone())));
    Ok(Arc::new(hardened(config)))
}

/// Returns the configuration of a gateway's HTTP door: as [`gateway_server_config`], for HTTP/1.1.
pub fn gateway_http_config(identity: &Slot<GatewayIdentity>) -> Result<Arc<ServerConfig>, IdentityError> {
    let mut config = ServerConfig::clone(&*gateway_server_config(identity)?);
    config.alpn_protocols = vec![HTTP.to_vec()];
    Ok(Arc::new(config))
}

/// Returns the configuration of a researcher's client, which trusts the CA certificates in `ca`, PEM, and no other.
pub fn gateway_client_config(ca: &str) -> Result<Arc<ClientConfig>, IdentityError> {
    let mut roots = RootCertStore::empty();
    for certificate in keys::certificates(ca)? {
        roots.add(certificate)?;
    }
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok(Arc::new(config))
}

/// Turns off tickets: a resumed session would skip the verifier, and an expired certificate would live on.
fn hardened(mut config: ServerConfig) -> ServerConfig {
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config
}

/// Resolver that presents the identity in the slot when a client says hello.
#[derive(Debug)]
struct Current<T>(Slot<T>);

impl<T: Presentable> ResolvesServerCert for Current<T> {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.now().certified())
    }
}
