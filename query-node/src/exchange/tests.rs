//! Two nodes on loopback: honest ones, and each in turn hostile.

mod agreements;
mod arriving;
mod each_other;
mod ending;
mod passed;
mod strangers;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringViewArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::{FlightData, Ticket};
use async_trait::async_trait;
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use wanqu_client::wire::note;
use wanqu_fixtures::identity::{authority, jid, node, trust, validity};
use wanqu_gate::AuditedRelease;
use wanqu_identity::{Authority, NodeIdentity, Trust, server_config};
use wanqu_model::bundle::{AgreementState, Limits};
use wanqu_model::names::JurisdictionId;
use wanqu_model::refusal::{Code, Refusal};
use wanqu_rules::envelope::Envelope;
use wanqu_rules::fragment::{BatchStream, Fragment, ReleaseReport};
use wanqu_testing::until;

use super::signing::tests::envelope;
use super::*;
use crate::doors::flight::{Acted, Call, Door, Messages, serve};
use crate::doors::listener::Accepting;
use crate::doors::{Doorway, Drain, WireTap};

/// Reaction of a test owner to a question.
type Behaviour = dyn Fn() -> Result<(SchemaRef, BatchStream), Refusal> + Send + Sync;

/// An owner that does as it is told, and shows each question's cancellation.
struct Owner {
    behaviour: Box<Behaviour>,
    never_answers: bool,
    asked: mpsc::UnboundedSender<CancellationToken>,
    turned_away: Arc<Mutex<Vec<Code>>>,
}

impl Owner {
    fn new(behaviour: Box<Behaviour>, asked: mpsc::UnboundedSender<CancellationToken>) -> Self {
        Self { behaviour, never_answers: false, asked, turned_away: Arc::default() }
    }
}

#[async_trait]
impl OwnerService for Owner {
    async fn answer(&self, request: VerifiedRequest, cancel: CancellationToken) -> Result<AuditedRelease, Refusal> {
        assert_eq!(request.peer(), &jid("HK"));
        self.asked.send(cancel.clone()).unwrap();
        if self.never_answers {
            cancel.cancelled().await;
            return Err(Refusal::new(Code::Cancelled, "it was cancelled"));
        }
        let (schema, batches) = (self.behaviour)()?;
        passed::passed(jid("MO"), schema, batches).await
    }

    async fn turned_away(&self, peer: &JurisdictionId, refusal: Refusal) -> Refusal {
        assert_eq!(peer, &jid("HK"));
        self.turned_away.lock().push(refusal.code);
        refusal
    }

    fn agreements_with(&self, peer: &JurisdictionId) -> Vec<HeldAgreement> {
        vec![HeldAgreement {
            name: format!("mo-to-{}", peer.as_str().to_lowercase()).parse().unwrap(),
            digest: "a".repeat(64),
            state: AgreementState::Active,
        }]
    }
}

/// Records what crosses.
#[derive(Default)]
struct Recorder {
    messages: Mutex<Vec<(JurisdictionId, JurisdictionId, Vec<u8>)>>,
    refused: Mutex<Vec<String>>,
}

impl WireTap for Recorder {
    fn crossed(&self, from: &JurisdictionId, to: &JurisdictionId, bytes: &[u8]) {
        self.messages.lock().push((from.clone(), to.clone(), bytes.to_vec()));
    }

    fn refused(&self, _address: SocketAddr, reason: &str) {
        self.refused.lock().push(reason.to_owned());
    }
}

impl Recorder {
    fn saw(&self, from: &str, text: &str) -> bool {
        let of = |bytes: &[u8]| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        self.messages.lock().iter().any(|(sender, _, bytes)| *sender == jid(from) && of(bytes))
    }

    /// Waits until a connection is refused for a reason.
    async fn refuses(&self, reason: &str) {
        until(&format!("a connection refused for {reason:?}"), Duration::from_secs(20), async || {
            let refused = self.refused.lock().clone();
            if refused.iter().any(|why| why.contains(reason)) { Ok(()) } else { Err(refused.join("\n")) }
        })
        .await;
    }
}

/// Hong Kong as home, Macau as owner.
struct Border {
    hk: Authority,
    mo: Authority,
    trust: Trust,
    tap: Arc<Recorder>,
    stop: CancellationToken,
}

impl Border {
    fn new() -> Self {
        let (hk, mo) = (authority("HK"), authority("MO"));
        let trust = trust(&[("HK", &hk), ("MO", &mo)]);
        Self { hk, mo, trust, tap: Arc::default(), stop: CancellationToken::new() }
    }

    fn exchange(&self, address: SocketAddr) -> Exchange {
        Exchange::new(node(&self.hk), self.trust.clone(), [(jid("MO"), address.to_string())])
    }

    fn serve_as(&self, identity: NodeIdentity, listener: TcpListener, owner: Owner) -> SocketAddr {
        let address = listener.local_addr().unwrap();
        let server =
            ExchangeServer::new(&identity.into(), self.trust.clone(), Arc::new(owner), Limits::default().into())
                .unwrap()
                .with_tap(Some(Arc::clone(&self.tap) as _));
        tokio::spawn(server.serve(listener, self.stop.clone()));
        address
    }

    /// Macau's node, and a view of the questions that it is asked.
    async fn owner(
        &self,
        behaviour: impl Fn() -> Result<(SchemaRef, BatchStream), Refusal> + Send + Sync + 'static,
    ) -> (Exchange, mpsc::UnboundedReceiver<CancellationToken>) {
        let (asked, questions) = mpsc::unbounded_channel();
        let owner = Owner::new(Box::new(behaviour), asked);
        let address = self.serve_as(node(&self.mo), listener().await, owner);
        (self.exchange(address), questions)
    }

    /// A node with Macau's identity that sends whatever it likes.
    async fn hostile(
        &self,
        messages: impl Fn() -> Vec<Result<FlightData, Status>> + Send + Sync + 'static,
    ) -> Exchange {
        let listener = listener().await;
        let address = listener.local_addr().unwrap();
        let how = Accepting { tls: server_config(&node(&self.mo).into(), &self.trust).unwrap(), tap: None };
        tokio::spawn(serve(Hostile(Box::new(messages)), listener, how, 8, self.stop.clone()));
        self.exchange(address)
    }
}

impl Drop for Border {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

struct Hostile(Box<dyn Fn() -> Vec<Result<FlightData, Status>> + Send + Sync>);

#[async_trait]
impl Door for Hostile {
    fn longest_message(&self) -> usize {
        1 << 20
    }

    async fn get(&self, _call: Call, _ticket: Ticket) -> Result<Messages<FlightData>, Status> {
        Ok(Box::pin(stream::iter((self.0)())))
    }
}

async fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("district", DataType::Utf8View, true),
        Field::new("visits", DataType::Int64, true),
    ]))
}

fn batch() -> RecordBatch {
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringViewArray::from(vec!["Nossa Senhora de Fátima", "花地瑪堂區"])),
        Arc::new(Int64Array::from(vec![120, 95])),
    ];
    RecordBatch::try_new(schema(), columns).unwrap()
}

/// Reaction of an honest owner.
static ROWS: fn() -> Result<(SchemaRef, BatchStream), Refusal> = || Ok((schema(), stream::iter([Ok(batch())]).boxed()));

fn question() -> (Envelope, Fragment) {
    let envelope = envelope(Timestamp::now());
    let fragment =
        Fragment { id: 0, group: 0, owner: jid("MO"), sql: envelope.sql.clone(), schema: schema(), public: false };
    (envelope, fragment)
}

async fn ask(exchange: &Exchange) -> Result<(Vec<RecordBatch>, ReleaseReport), Refusal> {
    let (envelope, fragment) = question();
    let release = exchange.send(&envelope, &fragment).await?;
    let batches = release.batches.try_collect().await?;
    Ok((batches, release.report.await?))
}
