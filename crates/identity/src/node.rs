//! Identities of a node, of a gateway, and of a peer by its certificate.

use std::path::Path;
use std::sync::Arc;

use ring::signature::{Ed25519KeyPair, KeyPair};
use rustls::pki_types::CertificateDer;
use rustls::sign::CertifiedKey;
use wanqu_model::names::JurisdictionId;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::names::parse_node_uri;
use super::{Credentials, IdentityError, keys};

/// Identity of the peer of a connection, as its certificate states it. The verifiers decide whether to accept it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerIdentity {
    /// Jurisdiction that the certificate's SPIFFE URI names.
    pub jurisdiction: JurisdictionId,
    /// Ed25519 public key of the certificate, whose private half signs the peer's envelopes.
    pub public_key: [u8; 32],
}

impl PeerIdentity {
    /// Reads a node's certificate: exactly one URI, which names a node of this trust domain, and an Ed25519 key.
    pub fn of(trust_domain: &str, leaf: &CertificateDer<'_>) -> Result<Self, IdentityError> {
        let (uri, public_key) = uri_and_key(leaf)?;
        let jurisdiction = parse_node_uri(trust_domain, &uri)
            .ok_or(IdentityError::Certificate("has a URI that names no node of this trust domain"))?;
        Ok(Self { jurisdiction, public_key })
    }
}

/// Returns the trust domain of the SPIFFE ID in a certificate. Nobody is believed for it: it is for reading what was signed
/// in a federation that is not at hand, with the CA of its member.
///
/// # Errors
/// The certificate cannot be read, or has no such id.
pub fn trust_domain_of(leaf: &CertificateDer<'_>) -> Result<String, IdentityError> {
    let (uri, _) = uri_and_key(leaf)?;
    let domain = uri.strip_prefix("spiffe://").and_then(|rest| rest.split('/').next());
    domain.map(str::to_owned).ok_or(IdentityError::Certificate("has a URI that is no SPIFFE ID"))
}

/// Returns the only URI of a certificate, and its Ed25519 key.
fn uri_and_key(leaf: &CertificateDer<'_>) -> Result<(String, [u8; 32]), IdentityError> {
    let (rest, certificate) =
        X509Certificate::from_der(leaf).map_err(|_| IdentityError::Certificate("cannot be read"))?;
    if !rest.is_empty() {
        return Err(IdentityError::Certificate("has bytes after its end"));
    }
    let names = certificate
        .subject_alternative_name()
        .map_err(|_| IdentityError::Certificate("has alternative names that cannot be read"))?
        .ok_or(IdentityError::Certificate("has no alternative names"))?;
    let uris: Vec<&str> = names
        .value
        .general_names
        .iter()
        .filter_map(|name| if let GeneralName::URI(uri) = name { Some(*uri) } else { None })
        .collect();
    // X.509-SVID, section 2: exactly one URI.
    let [uri] = uris[..] else { return Err(IdentityError::Certificate("does not have exactly one URI")) };
    Ok((uri.to_owned(), keys::ed25519_of_spki(certificate.public_key().raw)?))
}

/// Identity of a node: its certificate chain and its key.
pub struct NodeIdentity {
    jurisdiction: JurisdictionId,
    credentials: Credentials,
    signer: Ed25519KeyPair,
}

impl NodeIdentity {
    /// Makes an identity of a chain and a key, and checks that the key is the one that the leaf certificate names.
    pub fn from_pem(trust_domain: &str, chain_pem: &str, key_pem: &str) -> Result<Self, IdentityError> {
        let chain = keys::certificates(chain_pem)?;
        let signer = Ed25519KeyPair::from_pkcs8_maybe_unchecked(keys::private_key(key_pem)?.secret_pkcs8_der())
            .map_err(|_| IdentityError::Key("is not an Ed25519 private key"))?;
        let leaf = PeerIdentity::of(trust_domain, &chain[0])?;
        if signer.public_key().as_ref() != leaf.public_key {
            return Err(IdentityError::Key("does not belong to the certificate"));
        }
        let credentials = Credentials::from_pem(chain_pem, key_pem)?;
        Ok(Self { jurisdiction: leaf.jurisdiction, credentials, signer })
    }

    /// Writes `node.pem` and `node.key` into a folder.
    pub fn save(&self, dir: &Path) -> Result<(), IdentityError> {
        self.credentials.save(dir, "node")
    }

    /// Reads what [`save`](Self::save) wrote.
    pub fn load(dir: &Path, trust_domain: &str) -> Result<Self, IdentityError> {
        let (chain, key) = Credentials::read(dir, "node")?;
        Self::from_pem(trust_domain, &chain, &key)
    }

    /// Returns its certificates and its key.
    #[must_use]
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// Returns the jurisdiction of the node.
    #[must_use]
    pub fn jurisdiction(&self) -> &JurisdictionId {
        &self.jurisdiction
    }

    /// Signs with the key of the certificate (Ed25519, RFC 8032).
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        let mut signature = [0; 64];
        signature.copy_from_slice(self.signer.sign(message).as_ref());
        signature
    }

    /// Returns the identity that a peer reads from its certificate.
    #[must_use]
    pub fn as_peer(&self) -> PeerIdentity {
        let mut public_key = [0; 32];
        public_key.copy_from_slice(self.signer.public_key().as_ref());
        PeerIdentity { jurisdiction: self.jurisdiction.clone(), public_key }
    }
}

impl std::fmt::Debug for NodeIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NodeIdentity").field("jurisdiction", &self.jurisdiction).finish_non_exhaustive()
    }
}

/// Identity that a gateway presents to researchers.
pub struct GatewayIdentity(Credentials);

impl GatewayIdentity {
    /// Makes an identity of a chain and a key, and checks that the key is the one that the leaf certificate names.
    pub fn from_pem(chain_pem: &str, key_pem: &str) -> Result<Self, IdentityError> {
        Credentials::from_pem(chain_pem, key_pem).map(Self)
    }

    /// Returns its certificates and its key.
    #[must_use]
    pub fn credentials(&self) -> &Credentials {
        &self.0
    }

    /// Writes `gateway.pem` and `gateway.key` into a folder.
    pub fn save(&self, dir: &Path) -> Result<(), IdentityError> {
        self.0.save(dir, "gateway")
    }

    /// Reads what [`save`](Self::save) wrote.
    pub fn load(dir: &Path) -> Result<Self, IdentityError> {
        let (chain, key) = Credentials::read(dir, "gateway")?;
        Self::from_pem(&chain, &key)
    }
}

impl std::fmt::Debug for GatewayIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GatewayIdentity").finish_non_exhaustive()
    }
}

/// Identity that a handshake can present.
pub(super) trait Presentable: std::fmt::Debug + Send + Sync + 'static {
    /// Returns its certificates and the key to prove them with.
    fn certified(&self) -> Arc<CertifiedKey>;
}

impl Presentable for NodeIdentity {
    fn certified(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.credentials.certified)
    }
}

impl Presentable for GatewayIdentity {
    fn certified(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.0.certified)
    }
}
