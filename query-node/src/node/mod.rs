//! One node, put together: everything that stands behind its two doors.
//!
//! ```text
//! researchers ─▶ Gateway ─▶ Home ─▶ Exchange ══▶ other nodes
//!                            └────▶ Owner (its own part)
//! other nodes ══▶ ExchangeServer ─▶ Owner ─▶ audit log
//! ```
//!
//! Bundle and identities can be replaced while the node runs: what is running keeps what it began with, and whatever comes
//! next finds the new ones. [`Node::checks`] says whether the node is fit to be asked.

mod checks;
mod identities;
mod peers;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use wanqu_identity::{GatewayIdentity, IdentityError, NodeIdentity, Slot, TokenVerifier, Trust};
use wanqu_model::bundle::{Issuer, NodeBundle};
use wanqu_model::names::JurisdictionId;

use crate::audit::{AuditError, Log};
use crate::bundle_file::FiledBundle;
use crate::clock::Clock;
use crate::engine::EngineError;
use crate::exchange::{Doorway, Drain, Exchange, ExchangeServer, LiveLimits, OwnerService, Places, Tap, endpoints_of};
use crate::gateway::Gateway;
use crate::home::{Home, PeerTables};
use crate::observe::{Door, Metrics};
use crate::owner::Owner;
use crate::results::{Keeping, Results, ResultsSettings};
use crate::state::{Live, NodeState};

pub use checks::Check;
use checks::Standing;
use peers::Peers;
pub use peers::Told;

/// Why a node does not start, does not take a bundle, or ended.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The node's certificate is another jurisdiction's than its bundle.
    #[error("the certificate is that of {certificate}, the bundle that of {bundle}")]
    OtherIdentity {
        /// Whom the certificate names.
        certificate: String,
        /// Whose bundle it is.
        bundle: String,
    },
    /// The gateway's certificate is not of this time.
    #[error("the gateway's certificate expired at {0}")]
    Expired(Timestamp),
    /// A certificate, a key or an issuer does not hold.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The bundle's datasets cannot be run.
    #[error("the bundle cannot be used: {0}")]
    Engine(#[from] EngineError),
    /// The audit log cannot be written, or was changed.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// The folder of results cannot be used.
    #[error("the results in {}: {source}", .path.display())]
    Results {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The node's threads or doors cannot be set up.
    #[error("cannot be set up: {0}")]
    Runtime(std::io::Error),
    /// A door closed by itself.
    #[error("the network: {0}")]
    Transport(#[from] tonic::transport::Error),
}

/// What a node is made of.
pub struct NodeSettings {
    /// Its bundle.
    pub bundle: FiledBundle,
    /// What it shows to other nodes.
    pub identity: Arc<NodeIdentity>,
    /// What it shows to researchers.
    pub gateway: Arc<GatewayIdentity>,
    /// The folder of its audit log.
    pub audit: PathBuf,
    /// Where answers are kept that are to be fetched again; nowhere if not said.
    pub results: Option<ResultsSettings>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Who watches what crosses its exchange.
    pub tap: Tap,
}

/// One node.
pub struct Node {
    live: Arc<Live>,
    trust: Trust,
    tokens: TokenVerifier,
    limits: LiveLimits,
    exchange: Arc<Exchange>,
    peers: Arc<PeerTables>,
    owner: Arc<Owner>,
    home: Arc<Keeping>,
    results: Option<Arc<Results>>,
    log: Arc<Log>,
    identity: Slot<NodeIdentity>,
    gateway: Slot<GatewayIdentity>,
    clock: Arc<dyn Clock>,
    tap: Tap,
    drain: Drain,
    fragments: Places,
    questions: Places,
    standing: Standing,
    peering: Peers,
    metrics: Metrics,
}

impl Node {
    /// Makes the bundle ready and opens the audit log.
    ///
    /// # Errors
    /// Whatever of it cannot be used.
    pub fn open(settings: NodeSettings) -> Result<Self, NodeError> {
        let NodeSettings { bundle: filed, identity, gateway, audit, results, clock, tap } = settings;
        let bundle = &filed.bundle;
        let trust = Trust::from_bundle(bundle)?;
        identities::fits(&identity, bundle, &trust, clock.now())?;
        identities::holds(&gateway, clock.now())?;
        let tokens = TokenVerifier::new(&own_issuers(bundle))?;
        let limits = LiveLimits::from(bundle.limits.clone());
        let metrics = Metrics::default();
        let (identity, gateway) = (Slot::from(identity), Slot::from(gateway));
        let exchange = Exchange::from_bundle(identity.clone(), trust.clone(), bundle)
            .with_clock(Arc::clone(&clock))
            .with_metrics(metrics.clone());
        let exchange = Arc::new(exchange);
        let peers = Arc::new(PeerTables::new(bundle.jurisdiction.clone(), Arc::clone(&exchange), Arc::clone(&clock)));
        let live = Live::new(NodeState::new(filed, peers.clone(), metrics.memory())?);
        let log = Arc::new(Log::open(&audit)?);
        let owner = Arc::new(Owner::new(Arc::clone(&live), Arc::clone(&log), Arc::clone(&clock)));
        let own: Arc<dyn OwnerService> = owner.clone();
        let results = results.map(|settings| open_results(settings, Arc::clone(&clock))).transpose()?;
        let home = Home::new(Arc::clone(&live), Arc::clone(&exchange), own, Arc::clone(&clock));
        let home = Arc::new(Keeping::new(Arc::new(home), results.clone()));
        let drain = Drain::default();
        let (fragments, questions) = (Places::new(drain.clone()), Places::new(drain.clone()));
        let standing = Standing::default();
        Ok(Self {
            live,
            trust,
            tokens,
            limits,
            exchange,
            peers,
            owner,
            home,
            results,
            log,
            identity,
            gateway,
            clock,
            tap,
            drain,
            fragments,
            questions,
            standing,
            peering: Peers::default(),
            metrics,
        })
    }

    /// Takes another bundle. Queries that run keep the one they began with; if this one cannot be used, so does the node,
    /// and says in its [`checks`](Self::checks) that what lies in the file is not what is in force.
    ///
    /// # Errors
    /// What is wrong with the new bundle.
    pub fn reload(&self, filed: FiledBundle) -> Result<(), NodeError> {
        let outcome = self.take(filed);
        self.note_bundle(outcome.is_ok());
        outcome
    }

    /// Takes note that what lies in the bundle's file cannot be read.
    pub fn bundle_is_unreadable(&self) {
        self.note_bundle(false);
    }

    fn note_bundle(&self, taken: bool) {
        self.standing.bundle_is_stale.store(!taken, Ordering::SeqCst);
        self.metrics.bundle_reload(taken);
    }

    fn take(&self, filed: FiledBundle) -> Result<(), NodeError> {
        let endpoints: Vec<_> = endpoints_of(&filed.bundle).collect();
        let issuers = own_issuers(&filed.bundle);
        // Everything is tried before anything is replaced.
        TokenVerifier::new(&issuers)?;
        let state = NodeState::new(filed, self.peers.clone(), self.metrics.memory())?;
        self.trust.replace(&state.bundle)?;
        self.tokens.replace(&issuers)?;
        self.limits.replace(state.bundle.limits.clone());
        self.exchange.set_endpoints(endpoints);
        self.live.replace(state);
        self.peering.ask_again();
        Ok(())
    }

    /// Takes other certificates and keys. Connections and queries that run keep theirs; handshakes and fragments that
    /// follow use the new ones. If either cannot be used, both old ones stay.
    ///
    /// # Errors
    /// What is wrong with the new ones.
    pub fn reidentify(&self, identity: NodeIdentity, gateway: GatewayIdentity) -> Result<(), NodeError> {
        self.show(identity, gateway)?;
        self.identity_is_back();
        self.metrics.identity_reload(true);
        Ok(())
    }

    /// Takes note that what lies in the files of the certificates and keys cannot be used.
    pub fn identity_is_unusable(&self) {
        self.standing.identity_is_stale.store(true, Ordering::SeqCst);
        self.metrics.identity_reload(false);
    }

    /// Takes note that what lies in these files is what is in use.
    pub fn identity_is_back(&self) {
        self.standing.identity_is_stale.store(false, Ordering::SeqCst);
    }

    fn show(&self, identity: NodeIdentity, gateway: GatewayIdentity) -> Result<(), NodeError> {
        let now = self.clock.now();
        identities::fits(&identity, &self.live.now().bundle, &self.trust, now)?;
        identities::holds(&gateway, now)?;
        self.identity.replace(identity);
        self.gateway.replace(gateway);
        Ok(())
    }

    /// Serves both doors until `stop`. When one of them closes by itself, so does the other.
    ///
    /// # Errors
    /// Why a door could not be opened, or closed by itself.
    pub async fn serve(
        &self,
        exchange: TcpListener,
        gateway: TcpListener,
        stop: CancellationToken,
    ) -> Result<(), NodeError> {
        let door = |places: &Places| Doorway {
            limits: self.limits.clone(),
            drain: self.drain.clone(),
            places: places.clone(),
            metrics: self.metrics.clone(),
            clock: Arc::clone(&self.clock),
        };
        let (back, front) = (door(&self.fragments), door(&self.questions));
        let back = ExchangeServer::new(&self.identity, self.trust.clone(), self.owner.clone(), back)?
            .with_tap(self.tap.clone());
        let front = Gateway::new(&self.gateway, self.tokens.clone(), self.home.clone(), front)?;
        let standing = &self.standing;
        let (back, front, ()) = tokio::join!(
            closing(back.serve(exchange, stop.clone()), &standing.exchange_is_open, &stop),
            closing(front.serve(gateway, stop.clone()), &standing.gateway_is_open, &stop),
            self.keep_clean(&stop),
        );
        back?;
        front?;
        Ok(())
    }

    /// Removes results that have expired, until `stop`.
    async fn keep_clean(&self, stop: &CancellationToken) {
        let Some(results) = &self.results else { return };
        tokio::select! {
            () = results.keep_clean() => {}
            () = stop.cancelled() => {}
        }
    }

    /// Ends in good order: from now on no new questions, those that run have until `bound`, and what is left then is
    /// cancelled. The doors stay open meanwhile, so that whoever comes is told to ask elsewhere.
    pub async fn drain(&self, bound: Duration) {
        self.drain.begin();
        let (questions, fragments) = (self.questions.taken(), self.fragments.taken());
        tracing::info!(questions, fragments, "no new questions; what runs has some time to end");
        let ended = async {
            self.questions.empty().await;
            self.fragments.empty().await;
        };
        if tokio::time::timeout(bound, ended).await.is_err() {
            let (questions, fragments) = (self.questions.taken(), self.fragments.taken());
            tracing::warn!(questions, fragments, "what still runs is cancelled");
        }
        self.drain.cut();
    }

    /// Whose node this is.
    #[must_use]
    pub fn jurisdiction(&self) -> JurisdictionId {
        self.live.now().bundle.jurisdiction.clone()
    }

    /// The trust domain of the bundle in force.
    #[must_use]
    pub fn trust_domain(&self) -> String {
        self.trust.trust_domain()
    }

    /// The digest of the bundle in force.
    #[must_use]
    pub fn bundle_digest(&self) -> String {
        self.live.now().digest.clone()
    }

    /// Until when this node can show who it is: the earlier end of its two certificates.
    #[must_use]
    pub fn identity_not_after(&self) -> Timestamp {
        self.identity.now().credentials().not_after().min(self.gateway.now().credentials().not_after())
    }

    /// What it has counted so far, in the text format of Prometheus.
    #[must_use]
    pub fn metrics(&self) -> String {
        self.metrics.audit_sequence(self.log.sequence());
        self.metrics.certificate(Door::Exchange, self.identity.now().credentials().not_after());
        self.metrics.certificate(Door::Gateway, self.gateway.now().credentials().not_after());
        self.metrics.running(Door::Exchange, self.fragments.taken());
        self.metrics.running(Door::Gateway, self.questions.taken());
        self.metrics.text()
    }
}

/// Opens the folder of results.
fn open_results(settings: ResultsSettings, clock: Arc<dyn Clock>) -> Result<Arc<Results>, NodeError> {
    let path = settings.folder.clone();
    Results::open(settings, clock).map(Arc::new).map_err(|source| NodeError::Results { path, source })
}

/// Whoever ends first ends the other.
async fn closing<T>(door: impl Future<Output = T>, open: &AtomicBool, stop: &CancellationToken) -> T {
    open.store(true, Ordering::SeqCst);
    let ended = door.await;
    open.store(false, Ordering::SeqCst);
    stop.cancel();
    ended
}

/// The issuers whose tokens this node's gateway accepts.
fn own_issuers(bundle: &NodeBundle) -> Vec<Issuer> {
    let own = bundle.members.iter().filter(|member| member.jurisdiction == bundle.jurisdiction);
    own.flat_map(|member| member.issuers.clone()).collect()
}
