//! What is known of a federation only when it runs: addresses, certificates, keys and folders.

use std::collections::BTreeMap;

use wanqu_model::names::JurisdictionId;

/// What is known of the members once they are placed. Everything is optional: without it, the manifests alone speak.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Placements {
    /// The folder that a relative `dataRoot` in a manifest starts from: on a laptop, the folder of the manifests.
    pub base: Option<String>,
    /// By member.
    pub members: BTreeMap<JurisdictionId, Placement>,
}

/// What is known of one member once it is placed. It goes before what its manifest says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Placement {
    /// `host:port` of its exchange.
    pub endpoint: Option<String>,
    /// Its own certificate authority, PEM.
    pub ca: Option<String>,
    /// Public keys (PEM) of issuers that it accepts, by issuer; they are added to those of the manifest.
    pub issuer_keys: BTreeMap<String, Vec<String>>,
    /// The folder that its file sources lie in.
    pub data_root: Option<String>,
}
