//! One node, put together: everything that stands behind its two doors.
//!
//! ```text
//! researchers ─▶ Gateway ─▶ Home ─▶ Exchange ══▶ other nodes
//!                            └────▶ Owner (its own part)
//! other nodes ══▶ ExchangeServer ─▶ Owner ─▶ audit log
//! ```
//!
//! Bundle and identities can be replaced while the node runs: what is running keeps what it began with, and whatever comes
//! next finds the new ones. [`Node::checks`] says whether the node can be asked.

mod checkpoints;
mod checks;
mod doors;
mod error;
mod folders;
mod identities;
mod in_force;
mod peers;
mod services;
mod sources;
mod spill;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use wanqu_identity::{GatewayIdentity, NodeIdentity};
use wanqu_model::bundle::NodeBundle;
use wanqu_model::names::JurisdictionId;

use crate::audit::{AuditError, AuditSettings, BundleStanding, Entry};
use crate::bundle_file::FiledBundle;
use crate::clock::Clock;
use crate::doors::Tap;
use crate::observe::{Door, Metrics};
use crate::results::ResultsSettings;
use crate::state::NARROWED;
use crate::supervisor::Supervisor;

use checkpoints::Checkpoints;
pub use checks::Check;
use checks::Health;
use doors::Doors;
pub use error::NodeError;
use folders::NodeFolders;
use identities::Identities;
use in_force::InForce;
pub use peers::PeerAnswer;
use peers::Peers;
use services::Services;

/// Settings of a node.
pub struct NodeSettings {
    /// Its bundle.
    pub bundle: FiledBundle,
    /// Certificate and key that it shows to other nodes.
    pub identity: Arc<NodeIdentity>,
    /// Certificate and key that it shows to researchers.
    pub gateway: Arc<GatewayIdentity>,
    /// Its audit log.
    pub audit: AuditSettings,
    /// Folder of the answers that researchers ask to be kept; `None` if the node keeps none.
    pub results: Option<ResultsSettings>,
    /// Folders that the node keeps for itself besides these two: with its bundle, its certificates and keys. No Dataset reads
    /// a file of them, nor one of a folder around them or in them.
    pub own: Vec<PathBuf>,
    /// Clock by which certificates, envelopes, tokens and agreements hold.
    pub clock: Arc<dyn Clock>,
    /// Watcher of everything that crosses its exchange.
    pub tap: Tap,
}

/// One node.
pub struct Node {
    in_force: InForce,
    identities: Identities,
    services: Services,
    doors: Doors,
    health: Health,
    peers: Peers,
    checkpoints: Checkpoints,
    supervisor: Supervisor,
    metrics: Metrics,
    clock: Arc<dyn Clock>,
}

impl Node {
    /// Makes the bundle ready and opens the audit log.
    ///
    /// # Errors
    /// Whatever of the settings cannot be used.
    pub fn open(settings: NodeSettings) -> Result<Self, NodeError> {
        let NodeSettings { bundle, identity, gateway, audit, results, own, clock, tap } = settings;
        let metrics = Metrics::default();
        let identities = Identities::new(identity, gateway);
        let kept = results.iter().map(|results| results.folder.clone()).chain([audit.folder.clone()]);
        let folders = NodeFolders::new(own.into_iter().chain(kept));
        let in_force = InForce::open(bundle, &identities, folders, &clock, &metrics)?;
        let services = Services::open(&in_force, &audit, results, &identities.node, &clock)?;
        Ok(Self {
            in_force,
            identities,
            services,
            doors: Doors::new(tap),
            health: Health::default(),
            peers: Peers::default(),
            checkpoints: Checkpoints::default(),
            supervisor: Supervisor::new(metrics.clone()),
            metrics,
            clock,
        })
    }

    /// Puts another bundle in force. Queries that run keep the one they began with. If this one cannot be used, only what both
    /// it and the one before grant stays in force, so that whatever it withdraws is withdrawn; and the node says in its
    /// [`checks`](Self::checks) that what lies in the file is not what is in force. If even that cannot be put in force,
    /// nothing is: the node refuses every question and fragment until a bundle can be used.
    ///
    /// # Errors
    /// Whatever of the new bundle cannot be used.
    pub fn reload(&self, filed: FiledBundle) -> Result<(), NodeError> {
        let successor = filed.bundle.clone();
        let outcome = caught(|| self.in_force.replace(filed, &self.metrics));
        if outcome.is_err() {
            self.narrow(Some(&successor));
        }
        self.note_bundle(outcome.is_ok());
        if outcome.is_ok() {
            self.peers.ask_again();
        }
        outcome
    }

    /// Takes note that the bundle in the file is one of a newer operator that is not understood as a whole. It may withdraw
    /// any permission, so none stays in force.
    pub fn bundle_is_not_understood(&self) {
        self.narrow(None);
        self.note_bundle(false);
    }

    /// Puts in force what is left of the present bundle if this one is to follow it and cannot be used.
    fn narrow(&self, successor: Option<&NodeBundle>) {
        let state = self.in_force.live.now();
        let replace = |successor| {
            caught(|| {
                let (bundle, left_out) = (state.bundle.narrowed(successor), state.left_out.clone());
                let digest = format!("{}{NARROWED}", state.digest.trim_end_matches(NARROWED));
                self.in_force.replace(FiledBundle { bundle, digest, left_out }, &self.metrics)
            })
        };
        if let Err(error) = replace(successor) {
            tracing::error!(%error, "what is left of the bundle cannot be used: no permission stays in force");
            if let Err(error) = replace(None) {
                tracing::error!(%error, "no bundle is in force: the node refuses everything until it can use one");
                self.in_force.live.now().withdraw();
            }
        }
        self.peers.ask_again();
    }

    /// Lets the bundle hold for this long after its file was last read. Without this it holds for as long as the node runs.
    pub fn limit_bundle(&self, grace: Duration) {
        self.in_force.lease.limit(grace);
    }

    /// Takes note that the bundle's file was read just now, and that no more is in force than it says.
    pub fn bundle_is_read(&self) {
        self.in_force.lease.renew();
    }

    /// Takes note that the bundle's file cannot be read, or holds no bundle of this node. It may withdraw any permission: what
    /// is in force stays so until the time to which it is [limited](Self::limit_bundle). Returns that time.
    pub fn bundle_is_unreadable(&self) -> Option<Timestamp> {
        self.note_bundle(false);
        self.health.bundle_is_unread.store(true, Ordering::SeqCst);
        self.in_force.lease.ends()
    }

    /// Returns how the bundle's file stands to what is in force.
    #[must_use]
    pub fn standing(&self) -> BundleStanding {
        let is = |flag: &AtomicBool| flag.load(Ordering::SeqCst);
        match self.in_force.live.now().closed() {
            Some(_) => BundleStanding::Closed,
            None if is(&self.health.bundle_is_unread) => BundleStanding::Unread,
            None if is(&self.health.bundle_is_stale) => BundleStanding::Narrowed,
            None => BundleStanding::InForce,
        }
    }

    /// Writes into the audit log how the bundle's file stands to what is in force. Blocks.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn record_standing(&self, standing: BundleStanding) -> Result<(), AuditError> {
        let entry = Entry::Bundle { node: self.jurisdiction(), standing, digest: self.bundle_digest() };
        self.services.log.append(self.clock.now(), entry).map(drop)
    }

    fn note_bundle(&self, taken: bool) {
        self.health.bundle_is_unread.store(false, Ordering::SeqCst);
        self.health.bundle_is_stale.store(!taken, Ordering::SeqCst);
        self.metrics.bundle_reload(taken);
    }

    /// Puts other certificates and keys in use. Connections and queries that run keep theirs; handshakes and fragments that
    /// follow use the new ones. If either cannot be used, both old ones stay.
    ///
    /// # Errors
    /// Whatever of the new ones cannot be used.
    pub fn reidentify(&self, identity: NodeIdentity, gateway: GatewayIdentity) -> Result<(), NodeError> {
        let bundle = &self.in_force.live.now().bundle;
        self.identities.replace(identity, gateway, bundle, &self.in_force.trust, self.clock.now())?;
        self.identity_is_back();
        self.metrics.identity_reload(true);
        Ok(())
    }

    /// Takes note that the files of the certificates and keys cannot be used.
    pub fn identity_is_unusable(&self) {
        self.health.identity_is_stale.store(true, Ordering::SeqCst);
        self.metrics.identity_reload(false);
    }

    /// Takes note that these files hold what is in use.
    pub fn identity_is_back(&self) {
        self.health.identity_is_stale.store(false, Ordering::SeqCst);
    }

    /// Returns the supervisor of the node's long-running tasks.
    #[must_use]
    pub fn supervisor(&self) -> &Supervisor {
        &self.supervisor
    }

    /// Returns the jurisdiction that the node belongs to.
    #[must_use]
    pub fn jurisdiction(&self) -> JurisdictionId {
        self.in_force.live.now().bundle.jurisdiction.clone()
    }

    /// Returns the trust domain of the bundle in force.
    #[must_use]
    pub fn trust_domain(&self) -> String {
        self.in_force.trust.trust_domain()
    }

    /// Returns the digest of the bundle in force. If only a part of a bundle is in force, or nothing, it is no bundle's
    /// digest: one with [`NARROWED`] after it, or `none`.
    #[must_use]
    pub fn bundle_digest(&self) -> String {
        let state = self.in_force.live.now();
        if state.closed().is_some() { "none".to_owned() } else { state.digest.clone() }
    }

    /// Returns the objects of the bundle's file that this version does not understand, and that are not in force.
    #[must_use]
    pub fn left_out(&self) -> Vec<String> {
        let state = self.in_force.live.now();
        state.left_out.iter().map(|part| format!("{}: {}", part.object, part.reason)).collect()
    }

    /// Returns the time until which this node can show who it is: the earlier end of its two certificates.
    #[must_use]
    pub fn identity_not_after(&self) -> Timestamp {
        self.identities.not_after()
    }

    /// Returns the node's metrics in the text format of Prometheus.
    #[must_use]
    pub fn metrics(&self) -> String {
        let metrics = &self.metrics;
        let state = self.in_force.live.now();
        metrics.bundle_left_out(state.left_out.len());
        metrics.bundle_closed(state.closed().is_some());
        metrics.audit_sequence(self.services.log.sequence());
        let (populations, room) = self.services.ledger.room();
        metrics.ledger(populations, room);
        metrics.certificate(Door::Exchange, self.identities.node.now().credentials().not_after());
        metrics.certificate(Door::Gateway, self.identities.gateway.now().credentials().not_after());
        metrics.running(Door::Exchange, self.doors.fragments.taken());
        metrics.running(Door::Gateway, self.doors.questions.taken());
        metrics.waiting(self.doors.questions.waiting());
        metrics.text()
    }

    /// Lets this many of the next bundles panic while they are put in force.
    #[cfg(test)]
    pub(crate) fn panic_at_bundles(&self, count: u32) {
        self.in_force.panics.store(count, Ordering::SeqCst);
    }

    /// Returns the service that answers fragments.
    #[cfg(test)]
    pub(crate) fn owner(&self) -> &crate::owner::Owner {
        &self.services.owner
    }
}

/// Takes a bundle by `take`. A panic is an error like any other, so that the bundle before does not stay in force because of it.
fn caught(take: impl FnOnce() -> Result<(), NodeError>) -> Result<(), NodeError> {
    catch_unwind(AssertUnwindSafe(take)).unwrap_or(Err(NodeError::Panicked))
}
