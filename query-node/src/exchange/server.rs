//! The owner's end of the exchange: opens envelopes, hands them to the owner's service, and sends what it releases.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arrow_flight::{Action, FlightData, Ticket};
use async_trait::async_trait;
use futures::future::{self, BoxFuture};
use futures::{FutureExt, Stream, StreamExt, stream};
use prost::Message;
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::Status;
use tracing::Instrument;
use wanqu_client::status::{internal, to_status};
use wanqu_client::wire::note;
use wanqu_gate::AuditedRelease;
use wanqu_identity::{IdentityError, NodeIdentity, PeerIdentity, Slot, Trust, server_config, sign_statement};
use wanqu_model::names::{JurisdictionId, TableRef};
use wanqu_model::receipt::Checkpoint;
use wanqu_model::refusal::{Code, Refusal};
use wanqu_rules::envelope::Envelope;
use wanqu_rules::fragment::ReleaseReport;

use super::agreements::{self, HeldAgreement};
use super::capacity::{Capacity, STREAMS, Seat, Work};
use super::checkpoints;
use super::due::Due;
use super::lapse::{trust_lapsed, until_lapsed};
use super::replay::ReplayGuard;
use super::signing::open;
use super::unavailable;
use crate::doors::bounded::bounded;
use crate::doors::flight::{Acted, Call, Door, Head, Messages, Who, serve};
use crate::doors::listener::{Accepting, Caller};
use crate::doors::wire::encode;
use crate::doors::{Doorway, Tap};
use crate::observe::{InFlight, Metrics};
use crate::stay::{self, Stay};
use crate::trace::{self, Kind, Step};

/// Bytes of an envelope beside its SQL text.
const ENVELOPE_SLACK: usize = 64 * 1024;

/// Time that a service has to end what was cancelled.
const ENDING: Duration = Duration::from_secs(5);

/// An envelope whose sender has been verified.
#[derive(Debug)]
pub struct VerifiedRequest {
    envelope: Envelope,
    peer: JurisdictionId,
    /// `None` for a question of this node's own: the gateway bounds those.
    seat: Option<Arc<Seat>>,
    due: Due,
    judged: Arc<AtomicU64>,
}

impl VerifiedRequest {
    /// A question that a jurisdiction asks of itself; it crosses no border and needs no signature.
    ///
    /// # Errors
    /// If the envelope is to or from anybody else.
    pub fn from_self(envelope: Envelope) -> Result<Self, Refusal> {
        if envelope.from != envelope.to {
            return Err(
                Refusal::new(Code::Envelope, "the envelope is for another node").with_subject(envelope.to.to_string())
            );
        }
        let peer = envelope.from.clone();
        Ok(Self { envelope, peer, seat: None, due: Due::Asking, judged: Arc::default() })
    }

    /// Takes a place for the work that was admitted. It is held until the release has been sent, or given up.
    ///
    /// # Errors
    /// [`Code::Limit`] if all places for such work are taken.
    pub fn begin(&self, work: Work) -> Result<(), Refusal> {
        self.seat.as_ref().map_or(Ok(()), |seat| seat.begin(work))
    }

    /// Returns the refusal of a fragment that was not done when its deadline passed.
    #[must_use]
    pub fn late(&self) -> Refusal {
        self.due.passed()
    }

    /// Notes the number of the bundle by which it was admitted last.
    pub fn judged_by(&self, bundle: u64) {
        self.judged.store(bundle, Ordering::SeqCst);
    }

    /// Returns what [`judged_by`](Self::judged_by) notes, for whoever has given the request away.
    pub(super) fn judged(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.judged)
    }

    /// Returns the envelope. Its deadline is the earlier one of what its sender and this owner give.
    #[must_use]
    pub fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// Returns the jurisdiction that asks: the one that the connection's certificate names.
    #[must_use]
    pub fn peer(&self) -> &JurisdictionId {
        &self.peer
    }
}

/// An owner's handling of requests.
#[async_trait]
pub trait OwnerService: Send + Sync + 'static {
    /// Admits, takes a place for the work ([`VerifiedRequest::begin`]), runs, gates and records. `cancel` is cancelled when
    /// the home node goes away or the deadline passes.
    async fn answer(&self, request: VerifiedRequest, cancel: CancellationToken) -> Result<AuditedRelease, Refusal>;

    /// Records that an envelope of `peer` was refused before it was read, or before anything was run for it. Returns the
    /// refusal to send.
    async fn turned_away(&self, peer: &JurisdictionId, refusal: Refusal) -> Refusal;

    /// Waits until a fragment would not be admitted any more, that was admitted by the bundle of this number
    /// ([`VerifiedRequest::judged_by`]). Returns the refusal. By default that never happens.
    async fn withdrawn(&self, _envelope: Envelope, _peer: JurisdictionId, _judged: u64) -> Refusal {
        std::future::pending().await
    }

    /// Returns the agreements that the owner holds with `peer`.
    fn agreements_with(&self, peer: &JurisdictionId) -> Vec<HeldAgreement>;

    /// Returns the end of the owner's audit log; `None` if it has no entry, or cannot be told. By default there is no log.
    async fn checkpoint(&self) -> Option<Checkpoint> {
        None
    }

    /// Returns the tables that the owner cannot read now, of those that `peer` may ask for.
    fn unavailable_to(&self, _peer: &JurisdictionId) -> Vec<TableRef> {
        Vec::new()
    }
}

/// Lets a service answer on a task of its own. Dropping this future cancels the work; the service still runs to its end, so
/// that it can record that it was cancelled.
pub(crate) async fn answer_on_a_task(
    service: Arc<dyn OwnerService>,
    request: VerifiedRequest,
    cancel: CancellationToken,
) -> Result<AuditedRelease, Refusal> {
    let dropped = cancel.clone().drop_guard();
    let answer = async move { service.answer(request, cancel).await };
    let answered = tokio::spawn(stay::carried(trace::carried(answer)).in_current_span()).await;
    let _ = dropped.disarm();
    answered.unwrap_or_else(|_| Err(internal()))
}

/// Waits until a fragment whose release is on its way would not be admitted any more.
pub(crate) fn withdrawn(
    service: Arc<dyn OwnerService>,
    envelope: Envelope,
    peer: JurisdictionId,
    judged: u64,
) -> BoxFuture<'static, Refusal> {
    async move { service.withdrawn(envelope, peer, judged).await }.boxed()
}

/// The owner's end of the exchange.
pub struct ExchangeServer {
    own: JurisdictionId,
    identity: Slot<NodeIdentity>,
    trust: Trust,
    tls: Arc<rustls::ServerConfig>,
    service: Arc<dyn OwnerService>,
    door: Doorway,
    capacity: Capacity,
    replays: ReplayGuard,
    tap: Tap,
}

impl ExchangeServer {
    /// Creates the server.
    ///
    /// # Errors
    /// If the identity cannot be used for TLS.
    pub fn new(
        identity: &Slot<NodeIdentity>,
        trust: Trust,
        service: Arc<dyn OwnerService>,
        door: Doorway,
    ) -> Result<Self, IdentityError> {
        Ok(Self {
            own: identity.now().jurisdiction().clone(),
            identity: identity.clone(),
            tls: server_config(identity, &trust)?,
            trust,
            service,
            capacity: Capacity::new(door.places.clone()),
            door,
            replays: ReplayGuard::default(),
            tap: None,
        })
    }

    /// Shows everything that crosses here to an observer.
    #[must_use]
    pub fn with_tap(mut self, tap: Tap) -> Self {
        self.tap = tap;
        self
    }

    /// Serves on a listener until `stop`.
    pub async fn serve(self, listener: TcpListener, stop: CancellationToken) -> Result<(), tonic::transport::Error> {
        let address: Option<SocketAddr> = listener.local_addr().ok();
        tracing::info!(jurisdiction = %self.own, ?address, "the exchange is open");
        let how = Accepting { tls: Arc::clone(&self.tls), tap: self.tap.clone() };
        serve(self, listener, how, STREAMS, stop).await
    }

    /// Returns the length of the longest envelope that is accepted now. JSON writes a control character as six bytes; a text
    /// of nothing else is refused, rightly.
    fn max_envelope(&self) -> usize {
        self.door.limits.now().sql_bytes as usize * 2 + ENVELOPE_SLACK
    }

    fn crossed(&self, from: &JurisdictionId, to: &JurisdictionId, bytes: &[u8]) {
        if let Some(tap) = &self.tap {
            tap.crossed(from, to, bytes);
        }
    }

    /// Returns the caller's identity, verified anew at each call: a connection does not outlive its certificate, its CA or its
    /// membership.
    fn verified_peer(&self, caller: &Caller) -> Result<PeerIdentity, Refusal> {
        self.trust.vouches(&caller.chain, self.door.clock.now()).map_err(|error| {
            tracing::warn!(%error, "a call on a connection that is no longer trusted was refused");
            Refusal::new(Code::Identity, "the connection's certificate is no longer trusted here")
                .with_rule("a member's own CA vouches for its node, at every call")
                .with_remedy("connect again with a certificate of the CA that the bundle names")
        })
    }

    /// Opens an envelope of `peer`, if there is room for one more request.
    fn opened(&self, peer: &PeerIdentity, bytes: &[u8]) -> Result<(Envelope, Arc<Seat>), Refusal> {
        // Before the nonce is noted: whoever is turned away here may come again with the same envelope.
        let seat = self.capacity.arrive(&peer.jurisdiction, &self.door.limits.now())?;
        let envelope = open(bytes, peer, &self.own, self.max_envelope(), &self.replays, self.door.clock.now())?;
        Ok((envelope, seat))
    }

    /// Answers an envelope. `in_flight` becomes a step of the trace that the envelope names; `lapsed` is done when its sender
    /// is trusted no more.
    async fn answer(
        &self,
        peer: &PeerIdentity,
        bytes: &[u8],
        in_flight: &mut InFlight,
        mut lapsed: BoxFuture<'static, Refusal>,
    ) -> Result<Sending, Refusal> {
        let (mut envelope, seat) = match self.opened(peer, bytes) {
            Ok(opened) => opened,
            Err(refusal) => return Err(self.service.turned_away(&peer.jurisdiction, refusal).await),
        };
        let now = self.door.clock.now();
        let (at, due) = Due::of(envelope.deadline, &self.own, &self.door.limits.now(), now);
        // From here on nothing knows of another.
        envelope.deadline = at;
        let left = at.duration_since(now);
        let deadline = Instant::now() + left.try_into().unwrap_or_default();
        let cancel = self.door.drain.token();
        let guard = cancel.clone().drop_guard();
        let parent = envelope.traceparent.as_deref().and_then(|parent| parent.parse().ok());
        let step = Step::begin("fragment", Kind::Server, parent)
            .with("wanqu.query", &envelope.query_id)
            .with("wanqu.fragment", &envelope.fragment)
            .with("wanqu.peer", &peer.jurisdiction);
        let (context, query_id, fragment) = (step.context(), envelope.query_id, envelope.fragment);
        let (jurisdiction, trace_id) = (&peer.jurisdiction, context.trace_id());
        let span = tracing::info_span!("fragment", %query_id, fragment, peer = %jurisdiction, trace_id);
        in_flight.set_step(step);
        let late = due.passed();
        let (asked, from) = (envelope.clone(), peer.jurisdiction.clone());
        let (seat_of, judged) = (Some(Arc::clone(&seat)), Arc::default());
        let request = VerifiedRequest { envelope, peer: from.clone(), seat: seat_of, due, judged };
        let judged = request.judged();
        let answer = answer_on_a_task(Arc::clone(&self.service), request, cancel.clone());
        let answer = stay::within(Stay::new(Arc::clone(&seat)), answer);
        let mut answer = std::pin::pin!(trace::within(context, answer).instrument(span));
        let release = tokio::select! {
            answered = &mut answer => answered?,
            refusal = &mut lapsed => {
                cancel.cancel();
                // The service writes down that it was cancelled.
                let _ = tokio::time::timeout(ENDING, answer).await;
                return Err(refusal);
            }
            () = tokio::time::sleep_until(deadline) => {
                cancel.cancel();
                // The service writes down that it was too late. It is not waited for where it cannot.
                return match tokio::time::timeout(ENDING, answer).await {
                    Ok(Err(refusal)) => Err(refusal),
                    Ok(Ok(_)) | Err(_) => Err(late),
                };
            }
        };
        let withdrawn = withdrawn(Arc::clone(&self.service), asked, from, judged.load(Ordering::SeqCst));
        let lapsed = future::select(lapsed, withdrawn).map(|done| done.factor_first().0).boxed();
        Ok(Sending { release, deadline, late, cut: cancel, guard, seat, lapsed })
    }
}

/// A release that is being sent, with the guards that are dropped when it has been.
struct Sending {
    release: AuditedRelease,
    deadline: Instant,
    late: Refusal,
    cut: CancellationToken,
    guard: DropGuard,
    seat: Arc<Seat>,
    lapsed: BoxFuture<'static, Refusal>,
}

impl Sending {
    /// Returns the messages: schema, rows, report. Dropping the stream cancels the query.
    fn messages(self, outgoing: Outgoing) -> impl Stream<Item = Result<FlightData, Status>> + Send + 'static {
        let Self { release, deadline, late, cut, guard, seat, lapsed } = self;
        let schema = release.schema();
        let (batches, report) = release.into_parts();
        let batches = until_lapsed(batches, lapsed);
        let counted = outgoing.clone();
        let report = async move {
            let report = report.await.map_err(to_status)?;
            counted.report(&report);
            note(&report)
        };
        let all = encode(&schema, batches).chain(stream::once(report));
        bounded(all, (deadline, late), cut, (guard, seat)).inspect(move |message| outgoing.message(message))
    }
}

#[async_trait]
impl Door for ExchangeServer {
    fn longest_message(&self) -> usize {
        self.max_envelope() + 1024
    }

    fn identify(&self, head: &Head<'_>) -> Result<Who, Refusal> {
        self.verified_peer(head.caller).map(|peer| Who::Node(Arc::new(peer)))
    }

    async fn get(&self, call: Call, ticket: Ticket) -> Result<Messages<FlightData>, Status> {
        let lapsed = trust_lapsed(self.trust.clone(), Arc::clone(&call.chain), Arc::clone(&self.door.clock)).boxed();
        let peer = node(call)?;
        self.crossed(&peer.jurisdiction, &self.own, &ticket.ticket);
        let outgoing = Outgoing {
            tap: self.tap.clone(),
            metrics: self.door.metrics.clone(),
            from: self.own.clone(),
            to: peer.jurisdiction.clone(),
        };
        let mut in_flight = InFlight::fragment(&self.door.metrics, &peer.jurisdiction);
        match self.answer(&peer, &ticket.ticket, &mut in_flight, lapsed).await {
            Ok(sending) => Ok(in_flight.follow(sending.messages(outgoing))),
            Err(refusal) => {
                tracing::info!(peer = %peer.jurisdiction, code = %refusal.code, "a fragment was refused");
                in_flight.refused(&refusal);
                let status = to_status(refusal);
                outgoing.status(&status);
                Err(status)
            }
        }
    }

    async fn action(&self, call: Call, action: Action) -> Result<Acted, Status> {
        let peer = node(call)?.jurisdiction.clone();
        let _seat = self.capacity.arrive(&peer, &self.door.limits.now()).map_err(to_status)?;
        let answer = match action.r#type.as_str() {
            agreements::ACTION => serde_json::to_vec(&self.service.agreements_with(&peer)),
            checkpoints::ACTION => {
                let checkpoint = self.service.checkpoint().await;
                let signed = checkpoint.map(|it| sign_statement(it, &self.identity.now())).transpose();
                serde_json::to_vec(&signed.map_err(|_| to_status(internal()))?)
            }
            unavailable::ACTION => serde_json::to_vec(&self.service.unavailable_to(&peer)),
            _ => {
                let actions = [agreements::ACTION, checkpoints::ACTION, unavailable::ACTION].join("`, `");
                let refusal = Refusal::new(Code::Envelope, "the action is not known here")
                    .with_rule(format!("the actions of an exchange are `{actions}`"));
                return Err(to_status(refusal));
            }
        };
        let answer = answer.map_err(|_| to_status(internal()))?;
        self.crossed(&self.own, &peer, &answer);
        Ok(Acted::with(answer))
    }
}

/// Returns the node that makes a call.
fn node(call: Call) -> Result<Arc<PeerIdentity>, Status> {
    match call.who {
        Who::Node(peer) => Ok(peer),
        Who::Anybody | Who::Researcher(_) => Err(to_status(internal())),
    }
}

/// Shows outgoing messages to the tap, and counts them.
#[derive(Clone)]
struct Outgoing {
    tap: Tap,
    metrics: Metrics,
    from: JurisdictionId,
    to: JurisdictionId,
}

impl Outgoing {
    fn report(&self, report: &ReleaseReport) {
        if report.may_hide_cells() {
            self.metrics.withholding(&self.to);
        }
    }

    fn message(&self, message: &Result<FlightData, Status>) {
        if let Ok(data) = message {
            self.metrics.sent(&self.to, data.encoded_len());
        }
        match (&self.tap, message) {
            (Some(tap), Ok(data)) => tap.crossed(&self.from, &self.to, &data.encode_to_vec()),
            (Some(_), Err(status)) => self.status(status),
            (None, _) => {}
        }
    }

    fn status(&self, status: &Status) {
        if let Some(tap) = &self.tap {
            tap.crossed(&self.from, &self.to, &[status.message().as_bytes(), status.details()].concat());
        }
    }
}
