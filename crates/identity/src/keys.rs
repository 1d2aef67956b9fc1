//! Ed25519 keys in PEM files, and the files themselves.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};

use super::IdentityError;

/// Prefix of the DER of every Ed25519 `SubjectPublicKeyInfo` (RFC 8410); the 32 bytes of the key follow.
const ED25519_SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// Returns the raw Ed25519 public key in a DER `SubjectPublicKeyInfo`.
pub(super) fn ed25519_of_spki(der: &[u8]) -> Result<[u8; 32], IdentityError> {
    der.strip_prefix(&ED25519_SPKI_PREFIX)
        .and_then(|key| key.try_into().ok())
        .ok_or(IdentityError::Key("is not an Ed25519 public key"))
}

/// Returns the raw Ed25519 public key in a PEM `SubjectPublicKeyInfo`.
pub(super) fn ed25519_of_pem(pem: &str) -> Result<[u8; 32], IdentityError> {
    let der =
        SubjectPublicKeyInfoDer::from_pem_slice(pem.as_bytes()).map_err(|_| IdentityError::Pem("the public key"))?;
    ed25519_of_spki(&der)
}

/// Returns every certificate in a PEM text, at least one.
pub(super) fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, IdentityError> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|_| IdentityError::Pem("the certificate"))?;
    if chain.is_empty() { Err(IdentityError::Pem("the certificate")) } else { Ok(chain) }
}

/// Returns the private key in a PEM text.
pub(super) fn private_key(pem: &str) -> Result<PrivatePkcs8KeyDer<'static>, IdentityError> {
    PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| IdentityError::Pem("the private key"))
}

/// Returns a chain with the key of its leaf, as TLS uses them.
pub(super) fn certified(
    chain: Vec<CertificateDer<'static>>,
    key: PrivatePkcs8KeyDer<'static>,
) -> Result<CertifiedKey, IdentityError> {
    CertifiedKey::from_der(chain, key.into(), &default_provider()).map_err(|error| match error {
        Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            IdentityError::Key("does not belong to the certificate")
        }
        Error::InvalidCertificate(_) => IdentityError::Certificate("cannot be read"),
        _ => IdentityError::Key("is of a kind that is not known here"),
    })
}

/// Reads a PEM file.
pub(super) fn read(path: &Path) -> Result<String, IdentityError> {
    wanqu_file::read_text(path, wanqu_file::SMALL)
        .map_err(|source| IdentityError::File { path: path.to_owned(), source })
}

/// Writes a PEM file that everybody may read.
pub(super) fn write_public(path: &Path, text: &str) -> Result<(), IdentityError> {
    write(path, text, 0o644)
}

/// Writes a PEM file that only its owner may read.
pub(super) fn write_secret(path: &Path, text: &str) -> Result<(), IdentityError> {
    write(path, text, 0o600)
}

/// Writes beside the file and renames, so that a reader never sees half of it and no old permissions remain.
fn write(path: &Path, text: &str, mode: u32) -> Result<(), IdentityError> {
    let failed = |source| IdentityError::File { path: path.to_owned(), source };
    let beside = path.with_extension("new");
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    let mut file = options.open(&beside).map_err(failed)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
    fs::rename(&beside, path).map_err(failed)
}
