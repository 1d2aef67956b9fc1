//! The home node's end of the exchange: sends fragments, and takes releases only as they were asked for.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::{Action, FlightData, Ticket};
use bytes::Bytes;
use futures::TryStreamExt;
use parking_lot::Mutex;
use rustls::pki_types::ServerName;
use tokio::time::Instant;
use tonic::transport::Channel;
use tonic::{Response, Status, Streaming};
use wanqu_client::begun::{Begun, PAUSES};
use wanqu_client::connect::channel;
use wanqu_client::wire::MAX_MESSAGE;
use wanqu_identity::{NodeIdentity, Slot, Trust, client_config, node_dns};
use wanqu_model::bundle::NodeBundle;
use wanqu_model::names::{JurisdictionId, TableRef};
use wanqu_model::receipt::{Checkpoint, Signed};
use wanqu_model::refusal::{Code, Refusal};
use wanqu_rules::envelope::Envelope;
use wanqu_rules::fragment::{Fragment, Release};

use super::agreements::{self, HeldAgreement};
use super::checkpoints;
use super::failures::{explain, explain_call, too_late, unconnected};
use super::receipts::Asked;
use super::receive::{Expected, receive};
use super::signing::sign;
use super::unavailable;
use crate::clock::{Clock, SystemClock};
use crate::observe::Metrics;

/// Time that a member has to say which agreements it holds.
const AGREEMENTS_TIMEOUT: Duration = Duration::from_secs(10);

/// The home node's end of the exchange. One connection to each owner, made when it is first needed, carries all
/// fragments that go there. When this node's identity changes, or the owner's CA, the next fragment goes over a new one;
/// what runs on the old one ends there by itself.
pub struct Exchange {
    identity: Slot<NodeIdentity>,
    trust: Trust,
    peers: Mutex<BTreeMap<JurisdictionId, Peer>>,
    /// Tables that the other members cannot read, as they told last.
    unavailable: Mutex<BTreeMap<JurisdictionId, Vec<TableRef>>>,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
}

struct Peer {
    endpoint: String,
    link: Option<Link>,
}

/// A connection, with the identity and the CA that it was made with.
#[derive(Clone)]
struct Link {
    channel: Channel,
    /// This node's identity on it. It signs the envelopes that go over it, whatever identity has come into the slot since.
    identity: Arc<NodeIdentity>,
    /// The CA that vouched for the owner.
    ca: Option<Arc<str>>,
}

impl Exchange {
    /// Creates an exchange that knows the endpoints (`host:port`) of these members.
    #[must_use]
    pub fn new(
        identity: impl Into<Slot<NodeIdentity>>,
        trust: Trust,
        endpoints: impl IntoIterator<Item = (JurisdictionId, String)>,
    ) -> Self {
        let identity = identity.into();
        let exchange = Self {
            identity,
            trust,
            peers: Mutex::default(),
            unavailable: Mutex::default(),
            clock: Arc::new(SystemClock),
            metrics: Metrics::default(),
        };
        exchange.set_endpoints(endpoints);
        exchange
    }

    /// Creates an exchange that knows the endpoints of a bundle's members.
    #[must_use]
    pub fn from_bundle(identity: impl Into<Slot<NodeIdentity>>, trust: Trust, bundle: &NodeBundle) -> Self {
        Self::new(identity, trust, endpoints_of(bundle))
    }

    /// Uses another clock than the machine's.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Counts fragments in the metrics of its node.
    #[must_use]
    pub fn with_metrics(mut self, metrics: Metrics) -> Self {
        self.metrics = metrics;
        self
    }

    /// Replaces the endpoints. Connections to those that did not move stay.
    pub fn set_endpoints(&self, endpoints: impl IntoIterator<Item = (JurisdictionId, String)>) {
        let mut peers = self.peers.lock();
        let mut old = std::mem::take(&mut *peers);
        for (jurisdiction, endpoint) in endpoints {
            let link = old.remove(&jurisdiction).filter(|peer| peer.endpoint == endpoint).and_then(|peer| peer.link);
            peers.insert(jurisdiction, Peer { endpoint, link });
        }
    }

    /// Signs the envelope, sends it to the owner it names, and returns the release once its schema has been checked.
    /// The rows are checked as they are taken; the release's report comes after the last of them. Dropping the release
    /// cancels the query at the owner.
    ///
    /// # Errors
    /// The owner's refusal; [`Code::OwnerUnavailable`] if it cannot be reached or breaks off, with a text that says so where
    /// it may have answered; [`Code::Identity`] if who
    /// is there did not prove to be the owner; [`Code::ReleaseShape`] if the release is not what was asked for;
    /// [`Code::Limit`] when the envelope's deadline passes.
    pub async fn send(&self, envelope: &Envelope, fragment: &Fragment) -> Result<Release, Refusal> {
        if envelope.to != fragment.owner || envelope.sql != fragment.sql {
            return Err(Refusal::new(Code::Internal, "the envelope is not this fragment's"));
        }
        let owner = &fragment.owner;
        let left = envelope.deadline.duration_since(self.clock.now());
        let deadline = Instant::now() + left.try_into().unwrap_or_default();
        let expected = Expected {
            fragment: fragment.clone(),
            asked: Asked::of(envelope),
            trust: self.trust.clone(),
            max_rows: envelope.max_rows,
            deadline,
            received: self.metrics.received(owner),
        };
        let answer = async {
            let stream = match self.call(envelope).await? {
                Ok(stream) => stream,
                // The owner is away or ending, and another replica of it may take over in a moment. It is sent the same
                // envelope: a replica that had begun with it all the same would refuse it as used.
                Err(status) if Begun::of(&status) == Begun::Unreached => {
                    self.forget(owner);
                    tokio::time::sleep(PAUSES[0]).await;
                    self.call(envelope).await?.map_err(|status| explain(&status, owner, envelope.query_id))?
                }
                Err(status) => return Err(explain(&status, owner, envelope.query_id)),
            };
            receive(stream, expected).await
        };
        let outcome = tokio::time::timeout_at(deadline, answer).await.unwrap_or_else(|_| Err(too_late(owner)));
        let code = outcome.as_ref().map_or_else(|refusal| refusal.code.to_string(), |_| "answered".to_owned());
        self.metrics.asked(owner, code);
        outcome
    }

    /// Asks a member which agreements it holds with this one.
    ///
    /// # Errors
    /// As for [`send`](Self::send).
    pub async fn agreements(&self, peer: &JurisdictionId) -> Result<Vec<HeldAgreement>, Refusal> {
        agreements::read(&self.act(peer, agreements::ACTION).await?, peer)
    }

    /// Asks a member which of the tables that it may be asked for it cannot read, and keeps the answer. One that does not answer,
    /// or is older than this question, says nothing of any.
    pub async fn look_for_unavailable(&self, peer: &JurisdictionId) {
        let answer = self.act(peer, unavailable::ACTION).await.and_then(|answer| unavailable::read(&answer, peer));
        self.unavailable.lock().insert(peer.clone(), answer.unwrap_or_default());
    }

    /// Asks a member for the end of its audit log, signed; `None` if it has no entry.
    ///
    /// # Errors
    /// As for [`send`](Self::send); [`Code::ReleaseShape`] for one that is not the member's own, or does not hold.
    pub async fn checkpoint(&self, peer: &JurisdictionId) -> Result<Option<Signed<Checkpoint>>, Refusal> {
        checkpoints::read(&self.act(peer, checkpoints::ACTION).await?, peer, &self.trust)
    }

    /// Forgets what a member told of its tables.
    pub fn forget_unavailable(&self, peer: &JurisdictionId) {
        self.unavailable.lock().remove(peer);
    }

    /// Returns the tables that the other members cannot read, as they told last.
    #[must_use]
    pub fn unavailable(&self) -> BTreeMap<JurisdictionId, Vec<TableRef>> {
        self.unavailable.lock().clone()
    }

    /// Has a member answer an action.
    async fn act(&self, peer: &JurisdictionId, action: &str) -> Result<Bytes, Refusal> {
        let answer = async {
            let channel = self.link(peer)?.channel;
            let mut client = FlightServiceClient::new(channel).max_decoding_message_size(agreements::MAX_ANSWER);
            let action = Action { r#type: action.to_owned(), ..Action::default() };
            let answer = client.do_action(action).await.map_err(|status| explain_call(&status, peer))?;
            let first = answer.into_inner().try_next().await.map_err(|status| explain_call(&status, peer))?;
            Ok(first.unwrap_or_default().body)
        };
        tokio::time::timeout(AGREEMENTS_TIMEOUT, answer).await.unwrap_or_else(|_| Err(too_late(peer)))
    }

    /// Sends one envelope. Returns the owner's stream, or the status that it answered with.
    async fn call(&self, envelope: &Envelope) -> Result<Result<Streaming<FlightData>, Status>, Refusal> {
        let link = self.link(&envelope.to)?;
        let ticket = Ticket { ticket: sign(envelope, &link.identity)?.into() };
        let mut client = FlightServiceClient::new(link.channel).max_decoding_message_size(MAX_MESSAGE);
        Ok(client.do_get(ticket).await.map(Response::into_inner))
    }

    /// Returns the connection to an owner: the one there is if this node's identity and the owner's CA are still those it was
    /// made with, a new one otherwise.
    fn link(&self, owner: &JurisdictionId) -> Result<Link, Refusal> {
        let mut peers = self.peers.lock();
        let peer = peers.get_mut(owner).ok_or_else(|| {
            Refusal::new(Code::OwnerUnavailable, "the bundle has no endpoint for this jurisdiction")
                .with_owner(owner.clone())
        })?;
        let (identity, ca) = (self.identity.now(), self.trust.ca(owner));
        if let Some(link) = peer.link.as_ref().filter(|link| Arc::ptr_eq(&link.identity, &identity) && link.ca == ca) {
            return Ok(link.clone());
        }
        let config = client_config(&identity, &self.trust, owner.clone());
        let name = ServerName::try_from(node_dns(&self.trust.trust_domain(), owner));
        let (Ok(config), Ok(name)) = (config, name) else {
            return Err(Refusal::new(Code::Identity, "this node's identity cannot be used").with_owner(owner.clone()));
        };
        let channel = channel(peer.endpoint.clone(), name, config).map_err(|error| unconnected(&error, owner))?;
        let link = Link { channel, identity, ca };
        peer.link = Some(link.clone());
        Ok(link)
    }

    /// Forgets the connection to an owner, so that the next fragment goes over a new one, perhaps to another replica.
    fn forget(&self, owner: &JurisdictionId) {
        if let Some(peer) = self.peers.lock().get_mut(owner) {
            peer.link = None;
        }
    }
}

impl std::fmt::Debug for Exchange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exchange").field("identity", &self.identity).finish_non_exhaustive()
    }
}

/// Returns the endpoint of each member's exchange, of those that have one.
pub fn endpoints_of(bundle: &NodeBundle) -> impl Iterator<Item = (JurisdictionId, String)> {
    bundle.members.iter().filter_map(|member| Some((member.jurisdiction.clone(), member.endpoint.clone()?)))
}
