//! A certificate chain with its key, as files and Secrets hold them and a handshake shows them.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use rustls::sign::CertifiedKey;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{IdentityError, keys};

/// A certificate chain with the key that belongs to its leaf.
pub struct Credentials {
    chain_pem: String,
    key_pem: String,
    pub(super) certified: Arc<CertifiedKey>,
    not_after: Timestamp,
}

impl Credentials {
    /// Puts them together, and checks that the key is the one that the leaf certificate names.
    pub(super) fn from_pem(chain_pem: &str, key_pem: &str) -> Result<Self, IdentityError> {
        let (chain, key) = (keys::certificates(chain_pem)?, keys::private_key(key_pem)?);
        let not_after = not_after(&chain[0])?;
        let certified = Arc::new(keys::certified(chain, key)?);
        Ok(Self { chain_pem: chain_pem.to_owned(), key_pem: key_pem.to_owned(), certified, not_after })
    }

    /// The certificate chain, PEM.
    #[must_use]
    pub fn chain_pem(&self) -> &str {
        &self.chain_pem
    }

    /// The key, PEM, for who keeps it in a Secret.
    #[must_use]
    pub fn key_pem(&self) -> &str {
        &self.key_pem
    }

    /// The last moment of the leaf.
    #[must_use]
    pub fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// The certificates as they are shown, the leaf first.
    #[must_use]
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.certified.cert
    }

    /// Writes `NAME.pem` and `NAME.key` into a folder.
    pub(super) fn save(&self, dir: &Path, name: &str) -> Result<(), IdentityError> {
        keys::write_secret(&dir.join(format!("{name}.key")), &self.key_pem)?;
        keys::write_public(&dir.join(format!("{name}.pem")), &self.chain_pem)
    }

    /// Reads the chain and the key, PEM, that [`save`](Self::save) wrote.
    pub(super) fn read(dir: &Path, name: &str) -> Result<(String, String), IdentityError> {
        Ok((keys::read(&dir.join(format!("{name}.pem")))?, keys::read(&dir.join(format!("{name}.key")))?))
    }
}

fn not_after(leaf: &CertificateDer<'_>) -> Result<Timestamp, IdentityError> {
    let (_, certificate) = X509Certificate::from_der(leaf).map_err(|_| IdentityError::Certificate("cannot be read"))?;
    Timestamp::from_second(certificate.validity().not_after.timestamp())
        .map_err(|_| IdentityError::Certificate("has an end that cannot be read"))
}
