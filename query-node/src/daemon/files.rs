//! Files of the node's certificates and keys: read together, and again when any of them has changed.

use std::io;
use std::path::{Path, PathBuf};

use wanqu_identity::{GatewayIdentity, NodeIdentity};

use super::{DaemonError, Settings};

/// Most readings of the files until two of them must have agreed.
const READINGS: u32 = 10;

/// Paths of the four files, and what was last read of them.
#[derive(Debug, Clone)]
pub(super) struct IdentityFiles {
    node_cert: PathBuf,
    node_key: PathBuf,
    gateway_cert: PathBuf,
    gateway_key: PathBuf,
    /// Contents of the files that are in use.
    seen: Option<Texts>,
}

/// Contents of the four files.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Texts([String; 4]);

impl std::fmt::Debug for Texts {
    /// Shows nothing: half of the texts are keys.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Texts")
    }
}

impl IdentityFiles {
    pub(super) fn new(settings: &Settings) -> Self {
        let Settings { node_cert, node_key, gateway_cert, gateway_key, .. } = settings;
        Self {
            node_cert: node_cert.clone(),
            node_key: node_key.clone(),
            gateway_cert: gateway_cert.clone(),
            gateway_key: gateway_key.clone(),
            seen: None,
        }
    }

    /// Returns the same files as if nobody had read them yet.
    pub(super) fn unread(&self) -> Self {
        Self { seen: None, ..self.clone() }
    }

    /// Reads the identities that the node starts with.
    pub(super) fn first(&mut self, trust_domain: &str) -> Result<(NodeIdentity, GatewayIdentity), DaemonError> {
        let texts = self.texts()?;
        let identities = self.made_of(&texts, trust_domain)?;
        self.seen = Some(texts);
        Ok(identities)
    }

    /// Reads the files, and returns their contents unless these are the ones that were last [`took`](Self::took).
    pub(super) fn changed(&self) -> Result<Option<Texts>, DaemonError> {
        let texts = self.texts()?;
        Ok((self.seen.as_ref() != Some(&texts)).then_some(texts))
    }

    /// Takes note that these contents are in use.
    pub(super) fn took(&mut self, texts: Texts) {
        self.seen = Some(texts);
    }

    /// Returns the identities in texts that were read before.
    pub(super) fn made_of(
        &self,
        texts: &Texts,
        trust_domain: &str,
    ) -> Result<(NodeIdentity, GatewayIdentity), DaemonError> {
        let wrong = |cert: &Path, key: &Path| {
            let (cert, key) = (cert.to_owned(), key.to_owned());
            move |source| DaemonError::Identity { cert, key, source }
        };
        let Texts([node_cert, node_key, gateway_cert, gateway_key]) = texts;
        let node = NodeIdentity::from_pem(trust_domain, node_cert, node_key)
            .map_err(wrong(&self.node_cert, &self.node_key))?;
        let gateway = GatewayIdentity::from_pem(gateway_cert, gateway_key)
            .map_err(wrong(&self.gateway_cert, &self.gateway_key))?;
        Ok((node, gateway))
    }

    /// Reads the files. A volume may be swapped between one file and the next, so they are read until two readings agree.
    fn texts(&self) -> Result<Texts, DaemonError> {
        let mut before = self.reading()?;
        for _ in 0..READINGS {
            let after = self.reading()?;
            if after == before {
                return Ok(after);
            }
            before = after;
        }
        Err(DaemonError::File { path: self.node_cert.clone(), source: io::Error::other("it changes all the time") })
    }

    fn reading(&self) -> Result<Texts, DaemonError> {
        let read = |path: &PathBuf| {
            let text = wanqu_file::read_text(path, wanqu_file::SMALL);
            text.map_err(|source| DaemonError::File { path: path.clone(), source })
        };
        let texts =
            [read(&self.node_cert)?, read(&self.node_key)?, read(&self.gateway_cert)?, read(&self.gateway_key)?];
        Ok(Texts(texts))
    }
}
