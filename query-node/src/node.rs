//! One node, put together: everything that stands behind its two doors.
//!
//! ```text
//! researchers ─▶ Gateway ─▶ Home ─▶ Exchange ══▶ other nodes
//!                            └────▶ Owner (its own part)
//! other nodes ══▶ ExchangeServer ─▶ Owner ─▶ audit log
//! ```
//!
//! The bundle can be replaced while the node runs. What the doors were opened with (limits on message size and on
//! questions at once) stays until the next start.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use wanqu_crds::bundle::{Issuer, NodeBundle};

use crate::audit::{AuditError, Log};
use crate::clock::Clock;
use crate::engine::EngineError;
use crate::exchange::{Exchange, ExchangeServer, OwnerService, Tap, endpoints_of};
use crate::gateway::Gateway;
use crate::home::{Home, PeerTables};
use crate::identity::{GatewayIdentity, IdentityError, NodeIdentity, TokenVerifier, Trust};
use crate::owner::Owner;
use crate::state::{Live, NodeState};

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
    /// A certificate, a key or an issuer does not hold.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The bundle's datasets cannot be run.
    #[error("the bundle cannot be used: {0}")]
    Engine(#[from] EngineError),
    /// The audit log cannot be written, or was changed.
    #[error(transparent)]
    Audit(#[from] AuditError),
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
    pub bundle: NodeBundle,
    /// What it shows to other nodes.
    pub identity: Arc<NodeIdentity>,
    /// What it shows to researchers.
    pub gateway: Arc<GatewayIdentity>,
    /// The folder of its audit log.
    pub audit: PathBuf,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Who watches what crosses its exchange.
    pub tap: Tap,
}

/// One node.
pub struct Node {
    live: Arc<Live>,
    trust: Trust,
    exchange: Arc<Exchange>,
    peers: Arc<PeerTables>,
    owner: Arc<Owner>,
    home: Arc<Home>,
    identity: Arc<NodeIdentity>,
    gateway: Arc<GatewayIdentity>,
    clock: Arc<dyn Clock>,
    tap: Tap,
}

impl Node {
    /// Makes the bundle ready and opens the audit log.
    ///
    /// # Errors
    /// Whatever of it cannot be used.
    pub fn open(settings: NodeSettings) -> Result<Self, NodeError> {
        let NodeSettings { bundle, identity, gateway, audit, clock, tap } = settings;
        if *identity.jurisdiction() != bundle.jurisdiction {
            return Err(NodeError::OtherIdentity {
                certificate: identity.jurisdiction().to_string(),
                bundle: bundle.jurisdiction.to_string(),
            });
        }
        let trust = Trust::from_bundle(&bundle)?;
        let exchange = Exchange::from_bundle(Arc::clone(&identity), trust.clone(), &bundle);
        let exchange = Arc::new(exchange.with_clock(Arc::clone(&clock)));
        let peers = Arc::new(PeerTables::new(bundle.jurisdiction.clone(), Arc::clone(&exchange), Arc::clone(&clock)));
        let live = Live::new(NodeState::new(bundle, peers.clone())?);
        let log = Arc::new(Log::open(&audit)?);
        let owner = Arc::new(Owner::new(Arc::clone(&live), log, Arc::clone(&clock)));
        let own: Arc<dyn OwnerService> = owner.clone();
        let home = Arc::new(Home::new(Arc::clone(&live), Arc::clone(&exchange), own, Arc::clone(&clock)));
        Ok(Self { live, trust, exchange, peers, owner, home, identity, gateway, clock, tap })
    }

    /// Takes another bundle. Queries that run keep the one they began with; if this one cannot be used, so does the node.
    ///
    /// # Errors
    /// What is wrong with the new bundle.
    pub fn reload(&self, bundle: NodeBundle) -> Result<(), NodeError> {
        let endpoints: Vec<_> = endpoints_of(&bundle).collect();
        let state = NodeState::new(bundle, self.peers.clone())?;
        self.trust.replace(&state.bundle)?;
        self.exchange.set_endpoints(endpoints);
        self.live.replace(state);
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
        let state = self.live.now();
        let limits = &state.bundle.limits;
        let tokens = TokenVerifier::new(&own_issuers(&state.bundle))?;
        let server = ExchangeServer::new(&self.identity, self.trust.clone(), self.owner.clone(), limits)?
            .with_clock(Arc::clone(&self.clock))
            .with_tap(self.tap.clone());
        let front = Gateway::new(&self.gateway, tokens, self.home.clone(), limits)?;
        drop(state);
        let (back, front) = tokio::join!(
            closing(server.serve(exchange, stop.clone()), &stop),
            closing(front.serve(gateway, stop.clone()), &stop),
        );
        back?;
        front?;
        Ok(())
    }
}

/// Whoever ends first ends the other.
async fn closing<T>(door: impl Future<Output = T>, stop: &CancellationToken) -> T {
    let ended = door.await;
    stop.cancel();
    ended
}

/// The issuers whose tokens this node's gateway accepts.
fn own_issuers(bundle: &NodeBundle) -> Vec<Issuer> {
    let own = bundle.members.iter().filter(|member| member.jurisdiction == bundle.jurisdiction);
    own.flat_map(|member| member.issuers.clone()).collect()
}
