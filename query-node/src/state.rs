//! State of a node that is made of its bundle. A new bundle is made ready beside the old one and then takes its place;
//! queries that are running keep the one they began with.

use std::sync::Arc;

use parking_lot::RwLock;
use prometheus_client::metrics::gauge::Gauge;
use wanqu_model::bundle::NodeBundle;
use wanqu_rules::catalog::Catalog;
use wanqu_rules::planner::Planner;

use crate::bundle_file::FiledBundle;
use crate::engine::{Engine, EngineError, RemotePublic};

/// Bundle with everything that is made of it.
#[derive(Debug)]
pub struct NodeState {
    /// The bundle.
    pub bundle: NodeBundle,
    /// SHA-256 of the text that it was read from.
    pub digest: String,
    /// Planner of the questions of this jurisdiction's researchers.
    pub planner: Arc<Planner>,
    /// Catalog that fragments are planned against.
    pub owner_catalog: Catalog,
    /// Engine that runs admitted fragments.
    pub engine: Engine,
}

impl NodeState {
    /// Makes a bundle ready; `memory` shows what its queries reserve.
    ///
    /// # Errors
    /// If one of its own datasets' mappings cannot be run; then the bundle is not to be used.
    pub fn new(filed: FiledBundle, remote: Arc<dyn RemotePublic>, memory: Gauge) -> Result<Self, EngineError> {
        let FiledBundle { bundle, digest } = filed;
        Ok(Self {
            planner: Arc::new(Planner::new(&bundle)),
            owner_catalog: Catalog::owner(&bundle, &bundle.jurisdiction),
            engine: Engine::open(&bundle, remote)?.with_memory(memory),
            bundle,
            digest,
        })
    }
}

/// State in force, which is replaced whole.
#[derive(Debug)]
pub struct Live(RwLock<Arc<NodeState>>);

impl Live {
    /// Begins with this state.
    #[must_use]
    pub fn new(state: NodeState) -> Arc<Self> {
        Arc::new(Self(RwLock::new(Arc::new(state))))
    }

    /// Returns the state in force now. Hold it for one query, not longer.
    #[must_use]
    pub fn now(&self) -> Arc<NodeState> {
        Arc::clone(&self.0.read())
    }

    /// Puts another state in force.
    pub fn replace(&self, state: NodeState) {
        *self.0.write() = Arc::new(state);
    }
}
