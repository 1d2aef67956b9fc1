//! State of a node that is made of its bundle. A new bundle is made ready beside the old one and then takes its place;
//! queries that are running keep the one they began with.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::RwLock;
use prometheus_client::metrics::gauge::Gauge;
use wanqu_model::bundle::{LeftOut, NodeBundle};
use wanqu_model::refusal::{Code, Refusal};
use wanqu_rules::catalog::Catalog;
use wanqu_rules::planner::Planner;

use crate::bundle_file::FiledBundle;
use crate::engine::{Engine, EngineError, Folders, RemotePublic};
use crate::lease::Lease;

/// Bundle with everything that is made of it.
#[derive(Debug)]
pub struct NodeState {
    /// The bundle.
    pub bundle: NodeBundle,
    /// SHA-256 of the text that it was read from, with [`NARROWED`] after it if only a part of that bundle is left.
    pub digest: String,
    /// Objects of that text that are not in the bundle, because this version does not understand them.
    pub left_out: Vec<LeftOut>,
    /// Planner of the questions of this jurisdiction's researchers.
    pub planner: Arc<Planner>,
    /// Catalog that fragments are planned against.
    pub owner_catalog: Catalog,
    /// Engine that runs admitted fragments.
    pub engine: Engine,
    /// Number among all states of this process, from 1.
    pub number: u64,
    /// True once nothing of it holds any more, although nothing could take its place.
    withdrawn: AtomicBool,
    /// Time for which it holds without its file being read.
    lease: Arc<Lease>,
}

/// Reason for which nothing of a bundle is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// Its successor cannot be used, nor what is left of it then.
    Unusable,
    /// Its file could not be read for longer than the node may go on without.
    Unread,
}

/// Ending of a digest that marks what is left of a bundle whose successor cannot be used. No bundle's own digest has it.
pub const NARROWED: &str = "+narrowed";

/// Number of the next state.
static NEXT: AtomicU64 = AtomicU64::new(1);

impl NodeState {
    /// Makes a bundle ready in these folders, that holds as long as `lease`; `memory` shows what its queries reserve.
    ///
    /// # Errors
    /// If one of its own datasets' mappings cannot be run; then the bundle is not to be used.
    pub fn new(
        filed: FiledBundle,
        remote: Arc<dyn RemotePublic>,
        folders: &Folders,
        memory: Gauge,
        lease: Arc<Lease>,
    ) -> Result<Self, EngineError> {
        let FiledBundle { bundle, digest, left_out } = filed;
        Ok(Self {
            planner: Arc::new(Planner::new(&bundle)),
            owner_catalog: Catalog::owner(&bundle, &bundle.jurisdiction),
            engine: Engine::open_in(&bundle, remote, folders)?.with_memory(memory),
            bundle,
            digest,
            left_out,
            number: NEXT.fetch_add(1, Ordering::SeqCst),
            withdrawn: AtomicBool::new(false),
            lease,
        })
    }

    /// Withdraws all that it grants, for good.
    pub fn withdraw(&self) {
        self.withdrawn.store(true, Ordering::SeqCst);
    }

    /// Returns the reason for which nothing of it is in force; `None` if it is.
    #[must_use]
    pub fn closed(&self) -> Option<Closed> {
        if self.withdrawn.load(Ordering::SeqCst) {
            return Some(Closed::Unusable);
        }
        self.lease.is_over().then_some(Closed::Unread)
    }

    /// Checks that it still grants anything.
    ///
    /// # Errors
    /// The refusal of everything, if it is [`closed`](Self::closed).
    pub fn grants(&self) -> Result<(), Refusal> {
        let Some(closed) = self.closed() else { return Ok(()) };
        let jurisdiction = &self.bundle.jurisdiction;
        let (message, rule, remedy) = match closed {
            Closed::Unusable => (
                format!("the node of {jurisdiction} has no bundle in force, so it releases nothing"),
                "what a new bundle withdraws is withdrawn, even if the node cannot use that bundle",
                "tell the node's administrator; the node's log says why its new bundle cannot be used",
            ),
            Closed::Unread => (
                format!(
                    "the node of {jurisdiction} has not been able to read its bundle for too long, so it releases nothing"
                ),
                "a permission is in force only as long as the node can read that it was not withdrawn",
                "tell the node's administrator; the node's log says why the bundle's file cannot be read",
            ),
        };
        Err(Refusal::new(Code::OwnerUnavailable, message)
            .with_rule(rule)
            .with_owner(jurisdiction.clone())
            .with_remedy(remedy))
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
