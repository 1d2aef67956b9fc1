//! Errors of a node.

use std::path::PathBuf;

use jiff::Timestamp;
use wanqu_identity::IdentityError;

use crate::audit::AuditError;
use crate::engine::EngineError;

/// Reason why a node does not start, does not take a bundle, or ended.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The node's certificate is another jurisdiction's than its bundle.
    #[error("the certificate is that of {certificate}, the bundle that of {bundle}")]
    OtherIdentity {
        /// Jurisdiction that the certificate names.
        certificate: String,
        /// Jurisdiction that the bundle is for.
        bundle: String,
    },
    /// The gateway's certificate has expired.
    #[error("the gateway's certificate expired at {0}")]
    Expired(Timestamp),
    /// A certificate, a key or an issuer does not hold.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The bundle's datasets cannot be run.
    #[error("the bundle cannot be used: {0}")]
    Engine(#[from] EngineError),
    /// A fault of the node, met while it took the bundle.
    #[error("the bundle cannot be used: the node panicked while it took it; its log has the place")]
    Panicked,
    /// The audit log cannot be written, or was changed.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// The folder of results cannot be used.
    #[error("the results in {}: {source}", .path.display())]
    Results {
        /// The folder.
        path: PathBuf,
        /// Error of the system.
        source: std::io::Error,
    },
    /// The node's threads or doors cannot be set up.
    #[error("cannot be set up: {0}")]
    Runtime(std::io::Error),
    /// A door cannot serve its port.
    #[error("the network: {0}")]
    Transport(#[from] tonic::transport::Error),
    /// A door ended though nobody told it to.
    #[error("the door for {0} closed by itself; the node's log has the cause")]
    Closed(&'static str),
}
