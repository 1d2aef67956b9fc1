//! Errors of identities.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::{CertificateError, OtherError};
use wanqu_model::names::JurisdictionId;

/// Error of an identity. No variant carries key material.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    File {
        /// Path of the file.
        path: PathBuf,
        /// Error of the file system.
        source: std::io::Error,
    },
    /// A text is not the PEM that was expected.
    #[error("{0} is not valid PEM")]
    Pem(&'static str),
    /// A certificate lacks what a node's certificate must have.
    #[error("the certificate {0}")]
    Certificate(&'static str),
    /// A key is not an Ed25519 key, or not the one that belongs to the certificate.
    #[error("the key {0}")]
    Key(&'static str),
    /// The peer is not the jurisdiction that was called.
    #[error("the peer is {found}, not {expected}")]
    WrongJurisdiction {
        /// Jurisdiction that was called.
        expected: JurisdictionId,
        /// Jurisdiction that answered.
        found: JurisdictionId,
    },
    /// The bundle names no CA for this jurisdiction.
    #[error("no certificate authority is known for {0}")]
    UnknownJurisdiction(JurisdictionId),
    /// The jurisdiction's CA does not vouch for a certificate, or not at this time.
    #[error("the CA of {0} does not vouch for the certificate: {1}")]
    Unvouched(JurisdictionId, String),
    /// A certificate could not be made.
    #[error("cannot issue a certificate: {0}")]
    Issue(String),
    /// The TLS library refuses the configuration.
    #[error("TLS configuration: {0}")]
    Tls(String),
    /// A sealed token cannot be made or opened.
    #[error("the sealed token {0}")]
    Sealed(&'static str),
    /// A token could not be signed.
    #[error("the token could not be signed")]
    Unsigned,
}

impl From<rcgen::Error> for IdentityError {
    fn from(error: rcgen::Error) -> Self {
        Self::Issue(error.to_string())
    }
}

impl From<rustls::Error> for IdentityError {
    fn from(error: rustls::Error) -> Self {
        Self::Tls(error.to_string())
    }
}

impl From<IdentityError> for rustls::Error {
    /// Converts to the error that a verifier reports: the handshake ends, and the reason reaches the log.
    fn from(error: IdentityError) -> Self {
        Self::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(error))))
    }
}

/// Returns the reason why a handshake failed, in words fit for a log.
#[must_use]
pub fn tls_reason(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(own))) => own.to_string(),
        other => other.to_string(),
    }
}
