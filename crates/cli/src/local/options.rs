//! Options of a local federation.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use query_node::clock::{Clock, SystemClock};
use query_node::doors::Tap;
use wanqu_model::bundle::NodeBundle;
use wanqu_model::names::JurisdictionId;

use super::ports::Ports;

/// Change of a bundle.
pub type Amend = Box<dyn Fn(&mut NodeBundle) + Send + Sync>;

/// Options of a local federation.
pub struct LocalOptions {
    /// Folder below which each node has one of its own for its bundle and its audit log.
    pub nodes: PathBuf,
    /// The folder that relative data roots start from; without it, a data root must be absolute.
    pub base: Option<PathBuf>,
    /// Data roots that replace those of the manifests.
    pub data_roots: BTreeMap<JurisdictionId, PathBuf>,
    /// Ports to listen on.
    pub ports: Ports,
    /// Clock of all nodes.
    pub clock: Arc<dyn Clock>,
    /// Observer of what crosses the exchange.
    pub tap: Tap,
    /// Change made to each bundle before its node reads it, for federations that no manifest could describe.
    pub amend: Option<Amend>,
}

impl LocalOptions {
    /// Returns options with any free ports, the machine's clock and no observer.
    #[must_use]
    pub fn new(nodes: PathBuf) -> Self {
        Self {
            nodes,
            base: None,
            data_roots: BTreeMap::new(),
            ports: Ports::default(),
            clock: Arc::new(SystemClock),
            tap: None,
            amend: None,
        }
    }
}
