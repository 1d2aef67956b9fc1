//! Parts of a node that its bundle sets: they are made of one bundle, and replaced together when it changes.

use std::sync::Arc;

use wanqu_identity::{TokenVerifier, Trust};

use super::NodeError;
use super::folders::NodeFolders;
use super::identities::Identities;
use crate::bundle_file::FiledBundle;
use crate::clock::Clock;
use crate::doors::LiveLimits;
use crate::exchange::{Exchange, endpoints_of};
use crate::home::PeerTables;
use crate::lease::Lease;
use crate::observe::Metrics;
use crate::state::{Live, NodeState};

/// Everything that the bundle in force sets.
pub(super) struct InForce {
    /// Tables, agreements, projects and the engine.
    pub live: Arc<Live>,
    /// CAs of the members.
    pub trust: Trust,
    /// Issuers of researchers' tokens.
    pub tokens: TokenVerifier,
    /// Limits of the doors.
    pub limits: LiveLimits,
    /// Connections to the members' endpoints.
    pub exchange: Arc<Exchange>,
    /// Time for which they hold without the bundle's file being read.
    pub lease: Arc<Lease>,
    /// Public tables of the other members, which the engine reads.
    tables: Arc<PeerTables>,
    /// Folders of the engine.
    folders: NodeFolders,
    /// Number of the next replacements that panic halfway.
    #[cfg(test)]
    pub panics: std::sync::atomic::AtomicU32,
}

impl InForce {
    /// Makes the first bundle ready.
    ///
    /// # Errors
    /// Whatever of it cannot be used, with these identities among it.
    pub fn open(
        filed: FiledBundle,
        identities: &Identities,
        folders: NodeFolders,
        clock: &Arc<dyn Clock>,
        metrics: &Metrics,
    ) -> Result<Self, NodeError> {
        let bundle = &filed.bundle;
        let trust = Trust::from_bundle(bundle)?;
        identities.check(bundle, &trust, clock.now())?;
        let tokens = TokenVerifier::from_bundle(bundle)?;
        let limits = LiveLimits::from(bundle.limits.clone());
        let exchange = Exchange::from_bundle(identities.node.clone(), trust.clone(), bundle)
            .with_clock(Arc::clone(clock))
            .with_metrics(metrics.clone());
        let exchange = Arc::new(exchange);
        let tables = PeerTables::new(bundle.jurisdiction.clone(), exchange.clone(), Arc::clone(clock));
        let tables = Arc::new(tables);
        let lease = Arc::new(Lease::unlimited(Arc::clone(clock)));
        let live =
            Live::new(NodeState::new(filed, tables.clone(), folders.engine(), metrics.memory(), Arc::clone(&lease))?);
        Ok(Self {
            live,
            trust,
            tokens,
            limits,
            exchange,
            lease,
            tables,
            folders,
            #[cfg(test)]
            panics: <_>::default(),
        })
    }

    /// Puts another bundle in force. Everything is tried before anything is replaced.
    ///
    /// # Errors
    /// Whatever of it cannot be used; then the one before stays in force. After a panic, parts of both may be.
    pub fn replace(&self, filed: FiledBundle, metrics: &Metrics) -> Result<(), NodeError> {
        let endpoints: Vec<_> = endpoints_of(&filed.bundle).collect();
        TokenVerifier::from_bundle(&filed.bundle)?;
        let state = NodeState::new(
            filed,
            self.tables.clone(),
            self.folders.engine(),
            metrics.memory(),
            Arc::clone(&self.lease),
        )?;
        self.trust.replace(&state.bundle)?;
        self.tokens.replace(&state.bundle)?;
        self.limits.replace(state.bundle.limits.clone());
        #[cfg(test)]
        self.panic_if_told();
        self.exchange.set_endpoints(endpoints);
        self.live.replace(state);
        Ok(())
    }

    #[cfg(test)]
    fn panic_if_told(&self) {
        let left = self.panics.load(std::sync::atomic::Ordering::SeqCst);
        if left > 0 {
            self.panics.store(left - 1, std::sync::atomic::Ordering::SeqCst);
            panic!("patient 4711");
        }
    }
}
