//! The owner's end of the exchange: opens envelopes, hands them to the owner's service, and sends what it releases.

use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use arrow_flight::{FlightData, Ticket};
use async_trait::async_trait;
use futures::{FutureExt, Stream, StreamExt, stream};
use prost::Message;
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::Status;
use wanqu_crds::bundle::Limits;
use wanqu_crds::names::JurisdictionId;

use super::envelope::Envelope;
use super::flight::{Bounds, Call, Door, Messages, bounded, deadline_passed, serve};
use super::listener::Accepting;
use super::replay::ReplayGuard;
use super::signing::open;
use super::status::{internal, to_status};
use super::tap::Tap;
use super::wire::{encode, note};
use crate::clock::{Clock, SystemClock};
use crate::gate::AuditedRelease;
use crate::identity::{IdentityError, NodeIdentity, PeerIdentity, Trust, server_config};
use crate::refusal::{Code, Refusal};

/// What an envelope takes beside its SQL text, in bytes.
const ENVELOPE_SLACK: usize = 64 * 1024;

/// How many fragments one query may have open at one owner, on average.
const FRAGMENTS: usize = 16;

/// An envelope whose sender is known for certain.
#[derive(Debug)]
pub struct VerifiedRequest {
    envelope: Envelope,
    peer: JurisdictionId,
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
        Ok(Self { envelope, peer })
    }

    /// What is asked.
    #[must_use]
    pub fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// Who asks: the jurisdiction that the connection's certificate names.
    #[must_use]
    pub fn peer(&self) -> &JurisdictionId {
        &self.peer
    }
}

/// What an owner does with a question.
#[async_trait]
pub trait OwnerService: Send + Sync + 'static {
    /// Admits, runs, gates and records; `cancel` is cancelled when the home node goes away or the deadline passes.
    async fn answer(&self, request: VerifiedRequest, cancel: CancellationToken) -> Result<AuditedRelease, Refusal>;
}

/// The owner's end of the exchange.
pub struct ExchangeServer {
    own: JurisdictionId,
    trust: Trust,
    tls: Arc<rustls::ServerConfig>,
    service: Arc<dyn OwnerService>,
    max_envelope: usize,
    running: Arc<Semaphore>,
    replays: ReplayGuard,
    tap: Tap,
    clock: Arc<dyn Clock>,
}

impl ExchangeServer {
    /// Puts it together; `limits` are those of the owner's bundle.
    pub fn new(
        identity: &NodeIdentity,
        trust: Trust,
        service: Arc<dyn OwnerService>,
        limits: &Limits,
    ) -> Result<Self, IdentityError> {
        Ok(Self {
            own: identity.jurisdiction().clone(),
            tls: server_config(identity, &trust)?,
            trust,
            service,
            // JSON writes a control character as six bytes; a text of nothing else is refused, rightly.
            max_envelope: limits.sql_bytes as usize * 2 + ENVELOPE_SLACK,
            running: Arc::new(Semaphore::new(limits.concurrent_queries as usize * FRAGMENTS)),
            replays: ReplayGuard::default(),
            tap: None,
            clock: Arc::new(SystemClock),
        })
    }

    /// Lets a tap watch everything that crosses here.
    #[must_use]
    pub fn with_tap(mut self, tap: Tap) -> Self {
        self.tap = tap;
        self
    }

    /// Tells the time by another clock than the machine's.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Serves on a listener until `stop`.
    pub async fn serve(self, listener: TcpListener, stop: CancellationToken) -> Result<(), tonic::transport::Error> {
        let address: Option<SocketAddr> = listener.local_addr().ok();
        tracing::info!(jurisdiction = %self.own, ?address, "the exchange is open");
        let how = Accepting { tls: Arc::clone(&self.tls), members: Some(self.trust.clone()), tap: self.tap.clone() };
        let bounds = Bounds { message: self.max_envelope + 1024, streams: 512 };
        serve(self, listener, how, bounds, stop).await
    }

    fn crossed(&self, from: &JurisdictionId, to: &JurisdictionId, bytes: &[u8]) {
        if let Some(tap) = &self.tap {
            tap.crossed(from, to, bytes);
        }
    }

    async fn answer(&self, peer: &PeerIdentity, bytes: &[u8]) -> Result<Sending, Refusal> {
        if !self.trust.knows(&peer.jurisdiction) {
            return Err(Refusal::new(Code::Identity, "the peer is no longer a member of the federation"));
        }
        let now = self.clock.now();
        let envelope = open(bytes, peer, &self.own, self.max_envelope, &self.replays, now)?;
        let running = Arc::clone(&self.running).try_acquire_owned().map_err(|_| {
            Refusal::new(Code::Limit, "the node answers as many questions as it may").with_remedy("ask again later")
        })?;
        let left = envelope.deadline.duration_since(now).unsigned_abs();
        let deadline = Instant::now() + left;
        let cancel = CancellationToken::new();
        let guard = cancel.clone().drop_guard();
        let request = VerifiedRequest { envelope, peer: peer.jurisdiction.clone() };
        // A panic may have a value in its text; it goes to this node's own error stream, and no further.
        let answer = AssertUnwindSafe(self.service.answer(request, cancel)).catch_unwind();
        let release = tokio::time::timeout_at(deadline, answer)
            .await
            .map_err(|_| deadline_passed())?
            .unwrap_or_else(|_| Err(internal()))?;
        Ok(Sending { release, deadline, guard, running })
    }
}

/// A release that is being sent, with what lasts as long as the sending.
struct Sending {
    release: AuditedRelease,
    deadline: Instant,
    guard: DropGuard,
    running: OwnedSemaphorePermit,
}

impl Sending {
    /// The messages: schema, rows, report. Dropping the stream cancels the query.
    fn messages(self) -> impl Stream<Item = Result<FlightData, Status>> + Send + 'static {
        let Self { release, deadline, guard, running } = self;
        let schema = release.schema();
        let (batches, report) = release.into_parts();
        let report = async move { report.await.map_err(to_status).and_then(|report| note(&report)) };
        let all = encode(&schema, batches).chain(stream::once(report));
        bounded(all, deadline, (guard, running))
    }
}

#[async_trait]
impl Door for ExchangeServer {
    async fn get(&self, call: Call, ticket: Ticket) -> Result<Messages<FlightData>, Status> {
        let peer = call
            .caller
            .peer
            .ok_or_else(|| to_status(Refusal::new(Code::Identity, "the connection has no certificate")))?;
        self.crossed(&peer.jurisdiction, &self.own, &ticket.ticket);
        let tell = Tell { tap: self.tap.clone(), from: self.own.clone(), to: peer.jurisdiction.clone() };
        match self.answer(&peer, &ticket.ticket).await {
            Ok(sending) => Ok(Box::pin(sending.messages().inspect(move |message| tell.message(message)))),
            Err(refusal) => {
                tracing::info!(peer = %peer.jurisdiction, code = %refusal.code, "a fragment was refused");
                let status = to_status(refusal);
                tell.status(&status);
                Err(status)
            }
        }
    }
}

/// Tells a tap of what is on its way out.
struct Tell {
    tap: Tap,
    from: JurisdictionId,
    to: JurisdictionId,
}

impl Tell {
    fn message(&self, message: &Result<FlightData, Status>) {
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
