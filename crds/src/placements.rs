//! Facts of a federation that are known only when it runs: addresses, certificates, keys and folders.

use std::collections::BTreeMap;

use wanqu_model::names::JurisdictionId;

/// Placements of all members. Each value is optional: without it, that of the manifest holds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Placements {
    /// Folder that a relative `dataRoot` in a manifest starts from: on a laptop, that of the manifests. Without it, a relative
    /// `dataRoot` names no folder, and no `dataRoot` none either.
    pub base: Option<String>,
    /// Placement of each member.
    pub members: BTreeMap<JurisdictionId, Placement>,
}

/// Placement of one member. Its values take precedence over those of the manifest.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Placement {
    /// `host:port` of its exchange.
    pub endpoint: Option<String>,
    /// Certificate of its own authority, PEM.
    pub ca: Option<String>,
    /// Public keys (PEM) of issuers that it accepts, by issuer, in addition to those of the manifest.
    pub issuer_keys: BTreeMap<String, Vec<String>>,
    /// Folder of its file sources.
    pub data_root: Option<String>,
}
