//! A node's own identity, a gateway's, and what a certificate says of a peer.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use ring::signature::{Ed25519KeyPair, KeyPair};
use rustls::pki_types::CertificateDer;
use rustls::sign::CertifiedKey;
use wanqu_crds::names::JurisdictionId;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::names::parse_node_uri;
use super::{IdentityError, keys};

/// Who is at the other end of a connection, as its certificate says. Whether to believe it is for the verifiers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerIdentity {
    /// The jurisdiction that the certificate's SPIFFE URI names.
    pub jurisdiction: JurisdictionId,
    /// The certificate's Ed25519 public key, with which the peer signs its envelopes.
    pub public_key: [u8; 32],
}

impl PeerIdentity {
    /// Reads a node's certificate: exactly one URI, which names a node of this trust domain, and an Ed25519 key.
    pub fn of(trust_domain: &str, leaf: &CertificateDer<'_>) -> Result<Self, IdentityError> {
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
        let jurisdiction = parse_node_uri(trust_domain, uri)
            .ok_or(IdentityError::Certificate("has a URI that names no node of this trust domain"))?;
        let public_key = keys::ed25519_of_spki(certificate.public_key().raw)?;
        Ok(Self { jurisdiction, public_key })
    }
}

/// A node's own identity: its certificate chain and its key.
pub struct NodeIdentity {
    jurisdiction: JurisdictionId,
    chain_pem: String,
    key_pem: String,
    certified: Arc<CertifiedKey>,
    not_after: Timestamp,
    signer: Ed25519KeyPair,
}

impl NodeIdentity {
    /// Puts an identity together, and checks that the key is the one that the leaf certificate names.
    pub fn from_pem(trust_domain: &str, chain_pem: &str, key_pem: &str) -> Result<Self, IdentityError> {
        let chain = keys::certificates(chain_pem)?;
        let key = keys::private_key(key_pem)?;
        let signer = Ed25519KeyPair::from_pkcs8_maybe_unchecked(key.secret_pkcs8_der())
            .map_err(|_| IdentityError::Key("is not an Ed25519 private key"))?;
        let leaf = PeerIdentity::of(trust_domain, &chain[0])?;
        if signer.public_key().as_ref() != leaf.public_key {
            return Err(IdentityError::Key("does not belong to the certificate"));
        }
        let not_after = not_after(&chain[0])?;
        let certified = Arc::new(keys::certified(chain, key)?);
        let (chain_pem, key_pem) = (chain_pem.to_owned(), key_pem.to_owned());
        Ok(Self { jurisdiction: leaf.jurisdiction, chain_pem, key_pem, certified, not_after, signer })
    }

    /// Writes `node.pem` and `node.key` into a folder.
    pub fn save(&self, dir: &Path) -> Result<(), IdentityError> {
        keys::write_secret(&dir.join("node.key"), &self.key_pem)?;
        keys::write_public(&dir.join("node.pem"), &self.chain_pem)
    }

    /// Reads what [`save`](Self::save) wrote.
    pub fn load(dir: &Path, trust_domain: &str) -> Result<Self, IdentityError> {
        Self::from_pem(trust_domain, &keys::read(&dir.join("node.pem"))?, &keys::read(&dir.join("node.key"))?)
    }

    /// Its certificate chain, PEM.
    #[must_use]
    pub fn chain_pem(&self) -> &str {
        &self.chain_pem
    }

    /// Its key, PEM, for who keeps it in a Secret.
    #[must_use]
    pub fn key_pem(&self) -> &str {
        &self.key_pem
    }

    /// Whose node this is.
    #[must_use]
    pub fn jurisdiction(&self) -> &JurisdictionId {
        &self.jurisdiction
    }

    /// The last moment of its certificate.
    #[must_use]
    pub fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// Its certificate and those that vouch for it, as it shows them.
    #[must_use]
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.certified.cert
    }

    /// Signs with the key of the certificate (Ed25519, RFC 8032).
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        let mut signature = [0; 64];
        signature.copy_from_slice(self.signer.sign(message).as_ref());
        signature
    }

    /// What a peer learns of this identity.
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

/// The identity that a gateway shows to researchers.
pub struct GatewayIdentity {
    chain_pem: String,
    key_pem: String,
    certified: Arc<CertifiedKey>,
    not_after: Timestamp,
}

impl GatewayIdentity {
    /// Puts an identity together, and checks that the key is the one that the leaf certificate names.
    pub fn from_pem(chain_pem: &str, key_pem: &str) -> Result<Self, IdentityError> {
        let (chain, key) = (keys::certificates(chain_pem)?, keys::private_key(key_pem)?);
        let not_after = not_after(&chain[0])?;
        let certified = Arc::new(keys::certified(chain, key)?);
        Ok(Self { chain_pem: chain_pem.to_owned(), key_pem: key_pem.to_owned(), certified, not_after })
    }

    /// The last moment of its certificate.
    #[must_use]
    pub fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// Its certificate chain, PEM.
    #[must_use]
    pub fn chain_pem(&self) -> &str {
        &self.chain_pem
    }

    /// Its key, PEM, for who keeps it in a Secret.
    #[must_use]
    pub fn key_pem(&self) -> &str {
        &self.key_pem
    }

    /// Writes `gateway.pem` and `gateway.key` into a folder.
    pub fn save(&self, dir: &Path) -> Result<(), IdentityError> {
        keys::write_secret(&dir.join("gateway.key"), &self.key_pem)?;
        keys::write_public(&dir.join("gateway.pem"), &self.chain_pem)
    }

    /// Reads what [`save`](Self::save) wrote.
    pub fn load(dir: &Path) -> Result<Self, IdentityError> {
        Self::from_pem(&keys::read(&dir.join("gateway.pem"))?, &keys::read(&dir.join("gateway.key"))?)
    }
}

impl std::fmt::Debug for GatewayIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GatewayIdentity").finish_non_exhaustive()
    }
}

/// What an identity shows in a handshake.
pub(super) trait Shown: std::fmt::Debug + Send + Sync + 'static {
    /// Its certificates and the key to prove them with.
    fn certified(&self) -> Arc<CertifiedKey>;
}

impl Shown for NodeIdentity {
    fn certified(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.certified)
    }
}

impl Shown for GatewayIdentity {
    fn certified(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.certified)
    }
}

fn not_after(leaf: &CertificateDer<'_>) -> Result<Timestamp, IdentityError> {
    let (_, certificate) = X509Certificate::from_der(leaf).map_err(|_| IdentityError::Certificate("cannot be read"))?;
    Timestamp::from_second(certificate.validity().not_after.timestamp())
        .map_err(|_| IdentityError::Certificate("has an end that cannot be read"))
}
