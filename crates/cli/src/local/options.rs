//! How a local federation is started.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use query_node::clock::{Clock, SystemClock};
use query_node::exchange::Tap;
use wanqu_model::bundle::NodeBundle;
use wanqu_model::names::JurisdictionId;

use super::ports::Ports;

/// Changes a bundle.
pub type Amend = Box<dyn Fn(&mut NodeBundle) + Send + Sync>;

/// How a local federation is started.
pub struct LocalOptions {
    /// Each node keeps its bundle and its audit log in a folder of its own below this one.
    pub nodes: PathBuf,
    /// The folder that relative data roots start from; without it, a data root must be absolute.
    pub base: Option<PathBuf>,
    /// Data roots that go before those of the manifests.
    pub data_roots: BTreeMap<JurisdictionId, PathBuf>,
    /// The ports.
    pub ports: Ports,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Who watches what crosses the exchange.
    pub tap: Tap,
    /// Changes each bundle before its node reads it: for tests that need a federation no manifest would describe.
    pub amend: Option<Amend>,
}

impl LocalOptions {
    /// Any free ports, the machine's clock, nobody watching.
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
