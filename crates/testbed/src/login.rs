//! Who a test is to the API server.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::json;

use crate::error::{Result, TestbedError};
use crate::pki::Pair;
use crate::scratch::Scratch;

/// One user's way in: a kubeconfig, as a file for programs and as a client for the test itself.
#[derive(Debug, Clone)]
pub struct Login {
    config: Kubeconfig,
    path: PathBuf,
}

/// How a user proves who it is.
pub(crate) enum Proof {
    /// Not at all: `system:anonymous`.
    Nothing,
    Certificate(Pair),
    Token(String),
}

/// The server that a login leads to.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    pub(crate) url: String,
    /// The certificate of its authority, PEM.
    pub(crate) authority: String,
}

impl Login {
    /// Puts a kubeconfig together and writes it into a file of this name.
    pub(crate) fn new(scratch: &Scratch, file: &str, server: &Server, proof: &Proof) -> Result<Self> {
        let user = match proof {
            Proof::Nothing => json!({}),
            Proof::Certificate(pair) => json!({
                "client-certificate-data": STANDARD.encode(&pair.certificate),
                "client-key-data": STANDARD.encode(&pair.key),
            }),
            Proof::Token(token) => json!({ "token": token }),
        };
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "testbed", "cluster": {
                "server": server.url,
                "certificate-authority-data": STANDARD.encode(&server.authority),
            }}],
            "users": [{"name": "user", "user": user}],
            "contexts": [{"name": "testbed", "context": {"cluster": "testbed", "user": "user"}}],
            "current-context": "testbed",
        });
        // JSON is YAML, which is what readers of a kubeconfig expect.
        let path = scratch.write(file, &config.to_string())?;
        let config = serde_json::from_value(config)
            .map_err(|error| TestbedError::Content { path: path.clone(), reason: error.to_string() })?;
        Ok(Self { config, path })
    }

    /// A client of its own. Connections belong to the runtime that makes them, so each test makes its own client.
    pub async fn client(&self) -> Result<Client> {
        let mut config = Config::from_custom_kubeconfig(self.config.clone(), &KubeConfigOptions::default()).await?;
        // A proxy of the surroundings has no business with a server on loopback.
        config.proxy_url = None;
        Ok(Client::try_from(config)?)
    }

    /// The kubeconfig as a value, for instance to put it into a Secret.
    #[must_use]
    pub fn kubeconfig(&self) -> &Kubeconfig {
        &self.config
    }

    /// The kubeconfig as a file, for `KUBECONFIG` of a program.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}
