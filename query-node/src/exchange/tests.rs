//! Two nodes on loopback: honest ones, and each in turn hostile.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringViewArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::{FlightData, Ticket};
use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use wanqu_client::wire::note;
use wanqu_crds::bundle::Limits;
use wanqu_crds::names::JurisdictionId;

use super::envelope::Envelope;
use super::flight::{Call, Door, Messages, serve};
use super::listener::Accepting;
use super::signing::tests::envelope;
use super::*;
use crate::fragment::{BatchStream, Fragment, ReleaseReport};
use crate::gate::AuditedRelease;
use crate::identity::testing::{authority, jid, node, trust, validity};
use crate::identity::{Authority, NodeIdentity, Trust, server_config};
use crate::refusal::{Code, Refusal};

/// What a test owner does with a question.
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
        Ok(AuditedRelease::untouched(schema, batches, jid("MO")))
    }

    async fn turned_away(&self, peer: &JurisdictionId, refusal: Refusal) -> Refusal {
        assert_eq!(peer, &jid("HK"));
        self.turned_away.lock().push(refusal.code);
        refusal
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
        until(|| self.refused.lock().iter().find(|why| why.contains(reason)).map(drop)).await;
    }
}

/// Waits for a condition, not for a time.
async fn until<T>(mut condition: impl FnMut() -> Option<T>) -> T {
    let wait = async {
        loop {
            if let Some(value) = condition() {
                return value;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait).await.expect("it never happened")
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

/// What an honest owner does.
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

#[tokio::test]
async fn a_release_arrives_as_it_was_sent() {
    let border = Border::new();
    let (exchange, _questions) = border.owner(ROWS).await;
    let (envelope, fragment) = question();
    let release = exchange.send(&envelope, &fragment).await.unwrap();
    let bytes = Arc::clone(&release.bytes);
    let batches: Vec<_> = release.batches.try_collect().await.unwrap();
    assert_eq!(batches, [batch()]);
    let report = release.report.await.unwrap();
    assert_eq!((report.owner, report.rows), (jid("MO"), 2));
    assert!(bytes.load(Ordering::Relaxed) > 200);
    assert!(border.tap.saw("HK", &envelope.sql) && border.tap.saw("MO", "Nossa Senhora"));
    // The same connection again; and the same envelope again, which is a replay.
    assert!(ask(&exchange).await.is_ok());
    let refusal = exchange.send(&envelope, &fragment).await.err().unwrap();
    assert_eq!((refusal.code, refusal.owner), (Code::Envelope, Some(jid("MO"))));
}

#[tokio::test]
async fn large_releases_come_in_pieces() {
    let border = Border::new();
    let text = "x".repeat(1000);
    let column: ArrayRef = Arc::new(StringViewArray::from(vec![text.as_str(); 12_000]));
    let schema = Arc::new(Schema::new(vec![Field::new("text", DataType::Utf8View, true)]));
    let large = RecordBatch::try_new(Arc::clone(&schema), vec![column]).unwrap();
    let sent = large.clone();
    let (exchange, _questions) =
        border.owner(move || Ok((sent.schema(), stream::iter([Ok(sent.clone())]).boxed()))).await;
    let (mut envelope, mut fragment) = question();
    envelope.max_rows = 20_000;
    fragment.schema = schema;
    let release = exchange.send(&envelope, &fragment).await.unwrap();
    let bytes = Arc::clone(&release.bytes);
    let batches: Vec<_> = release.batches.try_collect().await.unwrap();
    assert!(batches.len() > 4);
    assert_eq!(arrow::compute::concat_batches(&large.schema(), &batches).unwrap(), large);
    assert!(bytes.load(Ordering::Relaxed) < 14_000_000, "no piece brings the others' buffers");
}

#[tokio::test]
async fn releases_that_nobody_reads_yet_do_not_stop_others() {
    let border = Border::new();
    let column: ArrayRef = Arc::new(StringViewArray::from(vec!["x".repeat(1000).as_str(); 1000]));
    let schema = Arc::new(Schema::new(vec![Field::new("text", DataType::Utf8View, true)]));
    let part = RecordBatch::try_new(Arc::clone(&schema), vec![column]).unwrap();
    let (exchange, _questions) =
        border.owner(move || Ok((part.schema(), stream::repeat(part.clone()).take(10).map(Ok).boxed()))).await;
    let mut waiting = Vec::new();
    for _ in 0..24 {
        let (mut envelope, mut fragment) = question();
        envelope.max_rows = 20_000;
        fragment.schema = Arc::clone(&schema);
        waiting.push(exchange.send(&envelope, &fragment).await.unwrap());
    }
    let last = waiting.pop().unwrap();
    let rows: Vec<RecordBatch> = last.batches.try_collect().await.unwrap();
    assert_eq!(rows.iter().map(RecordBatch::num_rows).sum::<usize>(), 10_000);
}

#[tokio::test]
async fn refusals_cross_whole_and_failures_without_their_words() {
    let border = Border::new();
    let refusal = Refusal::new(Code::ColumnClass, "“name” is sealed")
        .with_rule("no fragment reads a sealed column")
        .with_owner(jid("MO"))
        .with_remedy("leave it out");
    let said = refusal.clone();
    let (exchange, _questions) = border.owner(move || Err(said.clone())).await;
    assert_eq!(ask(&exchange).await.unwrap_err(), refusal);
    assert!(border.tap.saw("MO", "is sealed"), "a refusal crosses, so the tap sees it");

    let said = refusal.clone();
    let late = move || Ok((schema(), stream::iter([Ok(batch()), Err(said.clone())]).boxed()));
    let (exchange, _questions) = border.owner(late).await;
    assert_eq!(ask(&exchange).await.unwrap_err(), refusal);

    let (exchange, _questions) = border.owner(|| panic!("CANARY")).await;
    let failure = ask(&exchange).await.unwrap_err();
    assert_eq!(failure.code, Code::Internal);
    assert!(!failure.to_string().contains("CANARY") && !border.tap.saw("MO", "CANARY"));

    let panics = || Ok((schema(), stream::poll_fn(|_| panic!("CANARY")).boxed()));
    let (exchange, _questions) = border.owner(panics).await;
    assert_eq!(ask(&exchange).await.unwrap_err().code, Code::Internal);
}

#[tokio::test]
async fn a_release_of_another_shape_is_not_taken() {
    let border = Border::new();
    let text = |name: &str| Field::new(name, DataType::Utf8View, true);
    let number = |name: &str| Field::new(name, DataType::Int64, true);
    for fields in [
        vec![text("district")],
        vec![text("district"), number("visits"), number("extra")],
        vec![text("name"), number("visits")],
        vec![number("visits"), text("district")],
        vec![text("district"), Field::new("visits", DataType::Int32, true)],
    ] {
        let other = Arc::new(Schema::new(fields));
        let (exchange, _questions) = border.owner(move || Ok((Arc::clone(&other), stream::empty().boxed()))).await;
        assert_eq!(ask(&exchange).await.unwrap_err().code, Code::ReleaseShape);
    }
    // Nulls where the fragment allows none.
    let nullable = || {
        let columns: Vec<ArrayRef> =
            vec![Arc::new(StringViewArray::from(vec!["a"])), Arc::new(Int64Array::from(vec![None]))];
        Ok((schema(), stream::iter([Ok(RecordBatch::try_new(schema(), columns).unwrap())]).boxed()))
    };
    let (exchange, _questions) = border.owner(nullable).await;
    let (envelope, mut fragment) = question();
    fragment.schema = Arc::new(Schema::new(vec![text("district"), Field::new("visits", DataType::Int64, false)]));
    let release = exchange.send(&envelope, &fragment).await.unwrap();
    let outcome: Result<Vec<_>, _> = release.batches.try_collect().await;
    assert_eq!(outcome.unwrap_err().code, Code::ReleaseShape);
    assert_eq!(release.report.await.unwrap_err().code, Code::ReleaseShape);
}

fn report(rows: u64, owner: &str) -> FlightData {
    let report = ReleaseReport {
        owner: jid(owner),
        rows,
        suppressed_cells: None,
        min_units: None,
        rounding: 1,
        publish_zeros: true,
        policies: Vec::new(),
        audit_sequence: 1,
        audit_digest: String::new(),
    };
    note(&report).unwrap()
}

#[tokio::test]
async fn an_owner_cannot_cut_short_or_add_to_a_release() {
    let border = Border::new();
    let encoder = FlightDataEncoderBuilder::new().with_schema(schema()).build(stream::iter([Ok(batch())]));
    let messages: Vec<FlightData> = encoder.try_collect().await.unwrap();
    let (head, rows) = (messages[0].clone(), messages[1].clone());
    let garbage = FlightData { data_header: vec![7; 64].into(), ..FlightData::default() };
    let mut broken = rows.clone();
    broken.data_body = broken.data_body.slice(..8);
    let odd_note = FlightData { app_metadata: b"{}".to_vec().into(), ..FlightData::default() };
    let cases: Vec<(&str, Vec<FlightData>, Code)> = vec![
        ("nothing", vec![], Code::OwnerUnavailable),
        ("only the schema", vec![head.clone()], Code::OwnerUnavailable),
        ("no report", vec![head.clone(), rows.clone()], Code::OwnerUnavailable),
        ("rows first", vec![rows.clone(), report(2, "MO")], Code::ReleaseShape),
        ("fewer rows than reported", vec![head.clone(), report(2, "MO")], Code::ReleaseShape),
        ("more rows than reported", vec![head.clone(), rows.clone(), report(1, "MO")], Code::ReleaseShape),
        ("rows after the report", vec![head.clone(), report(2, "MO"), rows.clone()], Code::ReleaseShape),
        ("another's report", vec![head.clone(), rows.clone(), report(2, "CN-SZ")], Code::ReleaseShape),
        ("a second schema", vec![head.clone(), head.clone(), report(0, "MO")], Code::ReleaseShape),
        ("garbage", vec![head.clone(), garbage.clone(), report(0, "MO")], Code::ReleaseShape),
        ("garbage first", vec![garbage], Code::ReleaseShape),
        ("rows cut off", vec![head.clone(), broken, report(2, "MO")], Code::ReleaseShape),
        ("a report that is none", vec![head.clone(), rows.clone(), odd_note], Code::ReleaseShape),
    ];
    for (what, messages, code) in cases {
        let exchange = border.hostile(move || messages.iter().cloned().map(Ok).collect()).await;
        assert_eq!(ask(&exchange).await.expect_err(what).code, code, "{what}");
    }
    let honest = [head.clone(), rows.clone(), report(2, "MO")];
    let exchange = border.hostile(move || honest.iter().cloned().map(Ok).collect()).await;
    assert!(ask(&exchange).await.is_ok(), "this test's own messages are right");
    let exchange = border.hostile(|| vec![Err(Status::internal("engine text with CANARY"))]).await;
    let failure = ask(&exchange).await.unwrap_err();
    assert!(failure.code == Code::Internal && !failure.to_string().contains("CANARY"));
    let endless = move || std::iter::once(head.clone()).chain(vec![rows.clone(); 600]).map(Ok).collect();
    let exchange = border.hostile(endless).await;
    assert_eq!(ask(&exchange).await.unwrap_err().code, Code::Limit, "more rows than the home node takes");
}

#[tokio::test]
async fn going_away_cancels_the_owners_work() {
    let border = Border::new();
    let endless = || Ok((schema(), stream::repeat_with(|| Ok(batch())).boxed()));
    let (exchange, mut questions) = border.owner(endless).await;
    let (envelope, fragment) = question();
    let release = exchange.send(&envelope, &fragment).await.unwrap();
    let cancel = questions.recv().await.unwrap();
    assert!(!cancel.is_cancelled());
    drop(release);
    tokio::time::timeout(Duration::from_secs(20), cancel.cancelled()).await.expect("cancelled while sending");

    let (asked, mut questions) = mpsc::unbounded_channel();
    let owner = Owner { never_answers: true, ..Owner::new(Box::new(ROWS), asked) };
    let exchange = border.exchange(border.serve_as(node(&border.mo), listener().await, owner));
    let call = tokio::spawn(async move { ask(&exchange).await });
    let cancel = questions.recv().await.unwrap();
    call.abort();
    tokio::time::timeout(Duration::from_secs(20), cancel.cancelled()).await.expect("cancelled before sending");
}

#[tokio::test]
async fn the_deadline_ends_both_sides() {
    let border = Border::new();
    let (asked, mut questions) = mpsc::unbounded_channel();
    let owner = Owner { never_answers: true, ..Owner::new(Box::new(ROWS), asked) };
    let exchange = border.exchange(border.serve_as(node(&border.mo), listener().await, owner));
    let (mut envelope, fragment) = question();
    envelope.deadline = Timestamp::now() + SignedDuration::from_millis(300);
    assert_eq!(exchange.send(&envelope, &fragment).await.err().unwrap().code, Code::Limit);
    let cancel = questions.recv().await.unwrap();
    tokio::time::timeout(Duration::from_secs(20), cancel.cancelled()).await.expect("cancelled");

    let stalls = || Ok((schema(), stream::pending().boxed()));
    let (exchange, mut questions) = border.owner(stalls).await;
    let (mut envelope, fragment) = question();
    envelope.deadline = Timestamp::now() + SignedDuration::from_millis(300);
    let release = exchange.send(&envelope, &fragment).await.unwrap();
    let outcome: Result<Vec<_>, _> = release.batches.try_collect().await;
    assert_eq!(outcome.unwrap_err().code, Code::Limit);
    let cancel = questions.recv().await.unwrap();
    tokio::time::timeout(Duration::from_secs(20), cancel.cancelled()).await.expect("cancelled");
}

#[tokio::test]
async fn a_forged_or_oversized_envelope_reaches_no_owner_and_is_told_of() {
    let border = Border::new();
    let (asked, mut questions) = mpsc::unbounded_channel();
    let owner = Owner::new(Box::new(ROWS), asked);
    let turned_away = Arc::clone(&owner.turned_away);
    let exchange = border.exchange(border.serve_as(node(&border.mo), listener().await, owner));
    let (mut envelope, fragment) = question();
    envelope.from = jid("MO");
    assert_eq!(exchange.send(&envelope, &fragment).await.err().unwrap().code, Code::Identity);
    let (mut envelope, mut fragment) = question();
    envelope.sql = "x".repeat(1 << 20);
    fragment.sql.clone_from(&envelope.sql);
    assert_eq!(exchange.send(&envelope, &fragment).await.err().unwrap().code, Code::Limit);
    let (mut envelope, fragment) = question();
    envelope.deadline = envelope.issued_at + SignedDuration::from_secs(7200);
    assert_eq!(exchange.send(&envelope, &fragment).await.err().unwrap().code, Code::Envelope);
    assert!(questions.try_recv().is_err());
    // What is larger than a message may be is not even received.
    assert_eq!(*turned_away.lock(), [Code::Identity, Code::Envelope]);
}

#[tokio::test]
async fn only_the_owner_itself_is_believed_to_be_the_owner() {
    let border = Border::new();
    for identity in [
        border.hk.issue_node(validity()).unwrap(),
        border.hk.issue_node_named(&jid("MO"), validity()).unwrap(),
        node(&authority("MO")),
    ] {
        let (asked, mut questions) = mpsc::unbounded_channel();
        let owner = Owner::new(Box::new(ROWS), asked);
        let exchange = border.exchange(border.serve_as(identity, listener().await, owner));
        let refusal = ask(&exchange).await.unwrap_err();
        assert_eq!((refusal.code, refusal.owner), (Code::Identity, Some(jid("MO"))));
        assert!(questions.try_recv().is_err());
    }
    assert!(border.tap.messages.lock().is_empty(), "nothing was sent to an impostor");
}

#[tokio::test]
async fn strangers_and_plaintext_are_refused_and_noted() {
    let border = Border::new();
    let (asked, mut questions) = mpsc::unbounded_channel();
    let owner = Owner::new(Box::new(ROWS), asked);
    let address = border.serve_as(node(&border.mo), listener().await, owner);

    // Another authority in Hong Kong's name, and Hong Kong's own in Macau's.
    for (identity, reason) in [
        (node(&authority("HK")), "BadSignature"),
        (border.hk.issue_node_named(&jid("MO"), validity()).unwrap(), "UnknownIssuer"),
    ] {
        let exchange = Exchange::new(identity, border.trust.clone(), [(jid("MO"), address.to_string())]);
        assert_eq!(ask(&exchange).await.unwrap_err().code, Code::OwnerUnavailable);
        border.tap.refuses(reason).await;
    }

    let mut plain = TcpStream::connect(address).await.unwrap();
    plain.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    let mut rest = Vec::new();
    // The node may close the connection before or after its last words.
    let _ = plain.read_to_end(&mut rest).await;
    border.tap.refuses("corrupt message").await;
    assert!(questions.try_recv().is_err());
}

#[tokio::test]
async fn an_owner_that_is_away_is_named_and_found_again() {
    let border = Border::new();
    let first = listener().await;
    let address = first.local_addr().unwrap();
    drop(first);
    let exchange = border.exchange(address);
    let refusal = ask(&exchange).await.unwrap_err();
    assert_eq!((refusal.code, refusal.owner), (Code::OwnerUnavailable, Some(jid("MO"))));

    let (asked, _questions) = mpsc::unbounded_channel();
    let owner = Owner::new(Box::new(ROWS), asked);
    border.serve_as(node(&border.mo), TcpListener::bind(address).await.unwrap(), owner);
    assert!(ask(&exchange).await.is_ok(), "the next question connects anew");

    let (mut envelope, mut fragment) = question();
    envelope.to = jid("CN-SZ");
    fragment.owner = jid("CN-SZ");
    let refusal = exchange.send(&envelope, &fragment).await.err().unwrap();
    assert_eq!((refusal.code, refusal.owner), (Code::OwnerUnavailable, Some(jid("CN-SZ"))));
}

/// Serves on a runtime of its own, so that everything that it runs ends with it, connections included.
fn on_its_own(server: ExchangeServer, listener: TcpListener) -> tokio::runtime::Runtime {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let listener = listener.into_std().unwrap();
    runtime
        .spawn(async move { server.serve(TcpListener::from_std(listener).unwrap(), CancellationToken::new()).await });
    runtime
}

#[tokio::test]
async fn an_owner_that_was_restarted_is_asked_as_before() {
    let border = Border::new();
    let mut listening = listener().await;
    let address = listening.local_addr().unwrap();
    let exchange = border.exchange(address);
    for _ in 0..5 {
        let (asked, _questions) = mpsc::unbounded_channel();
        let owner = Arc::new(Owner::new(Box::new(ROWS), asked));
        let server =
            ExchangeServer::new(&node(&border.mo).into(), border.trust.clone(), owner, Limits::default().into())
                .unwrap();
        let runtime = on_its_own(server, listening);
        assert!(ask(&exchange).await.is_ok());
        runtime.shutdown_background();
        let free = until(|| std::net::TcpListener::bind(address).ok()).await;
        free.set_nonblocking(true).unwrap();
        listening = free.try_into().unwrap();
    }
}

#[tokio::test]
async fn an_owner_killed_in_mid_stream_never_looks_complete() {
    let border = Border::new();
    let listener = listener().await;
    let address = listener.local_addr().unwrap();
    let (asked, _questions) = mpsc::unbounded_channel();
    let stalls = || Ok((schema(), stream::iter([Ok(batch())]).chain(stream::pending()).boxed()));
    let owner: Arc<dyn OwnerService> = Arc::new(Owner::new(Box::new(stalls), asked));
    let server =
        ExchangeServer::new(&node(&border.mo).into(), border.trust.clone(), owner, Limits::default().into()).unwrap();
    let runtime = on_its_own(server, listener);
    let exchange = border.exchange(address);
    let (envelope, fragment) = question();
    let mut release = exchange.send(&envelope, &fragment).await.unwrap();
    assert!(release.batches.next().await.unwrap().is_ok());
    runtime.shutdown_background();
    assert_eq!(release.batches.next().await.unwrap().unwrap_err().code, Code::OwnerUnavailable);
    assert!(release.report.await.is_err());
}

/// Macau's node with a clock and an end of its own.
async fn macau(border: &Border, change: impl FnOnce(ExchangeServer) -> ExchangeServer) -> SocketAddr {
    let (asked, mut questions) = mpsc::unbounded_channel();
    // Nobody looks at the questions.
    tokio::spawn(async move { while questions.recv().await.is_some() {} });
    let owner = Arc::new(Owner::new(Box::new(ROWS), asked));
    let limits = Limits::default().into();
    let server = ExchangeServer::new(&node(&border.mo).into(), border.trust.clone(), owner, limits).unwrap();
    let server = change(server.with_tap(Some(Arc::clone(&border.tap) as _)));
    let listener = listener().await;
    let address = listener.local_addr().unwrap();
    tokio::spawn(server.serve(listener, border.stop.clone()));
    address
}

/// A clock that can be put forward.
#[derive(Clone)]
struct Later(Arc<Mutex<SignedDuration>>);

impl crate::clock::Clock for Later {
    fn now(&self) -> Timestamp {
        Timestamp::now() + *self.0.lock()
    }
}

#[tokio::test]
async fn a_connection_does_not_outlive_its_certificate() {
    let border = Border::new();
    let clock = Later(Arc::default());
    let address = macau(&border, |server| server.with_clock(Arc::new(clock.clone()))).await;
    let exchange = border.exchange(address);
    ask(&exchange).await.unwrap();
    *clock.0.lock() = SignedDuration::from_hours(25);
    let refusal = ask(&exchange).await.unwrap_err();
    assert_eq!(refusal.code, Code::Identity);
    assert!(refusal.message.contains("no longer trusted"), "{refusal}");
}

#[tokio::test]
async fn an_owner_that_ends_is_asked_once_more_and_named() {
    let border = Border::new();
    let drain = Drain::default();
    let address = macau(&border, |server| server.with_drain(drain.clone(), Places::new(drain.clone()))).await;
    let exchange = border.exchange(address);
    ask(&exchange).await.unwrap();
    let sent = || border.tap.messages.lock().iter().filter(|(from, _, _)| *from == jid("HK")).count();
    assert_eq!(sent(), 1);
    drain.begin();
    let refusal = ask(&exchange).await.unwrap_err();
    assert_eq!((refusal.code, refusal.owner), (Code::Draining, Some(jid("MO"))));
    assert_eq!(sent(), 3, "another replica might have answered the second time");
}

#[tokio::test]
async fn new_certificates_take_the_next_fragment_and_leave_the_running_one_alone() {
    let border = Border::new();
    let address = macau(&border, |server| server).await;
    let slot = crate::identity::Slot::from(node(&border.hk));
    let exchange = Exchange::new(slot.clone(), border.trust.clone(), [(jid("MO"), address.to_string())]);
    let (envelope, fragment) = question();
    let running = exchange.send(&envelope, &fragment).await.unwrap();
    slot.replace(node(&border.hk));
    ask(&exchange).await.unwrap();
    let rows: Vec<_> = running.batches.try_collect().await.unwrap();
    assert_eq!(rows.len(), 1);
    running.report.await.unwrap();
}

/// Replicas of one node show one certificate and remember nonces each for itself.
#[tokio::test]
async fn an_envelope_is_of_no_use_to_anybody_but_its_sender_at_any_replica() {
    let (now, hk, first, second) =
        (Timestamp::now(), node(&authority("HK")), ReplayGuard::default(), ReplayGuard::default());
    let bytes = sign(&envelope(now), &hk).unwrap();
    let at = |peer: &NodeIdentity, replica| open(&bytes, &peer.as_peer(), &jid("MO"), 1 << 16, replica, now);
    assert!(at(&hk, &first).is_ok());
    assert_eq!(at(&hk, &first).unwrap_err().code, Code::Envelope, "once at one replica");
    // Whoever saw it, another node or the first replica itself, has no connection of Hong Kong's to send it over.
    for thief in [node(&authority("MO")), node(&authority("CN-SZ")), node(&authority("HK"))] {
        assert_eq!(at(&thief, &second).unwrap_err().code, Code::Identity);
    }
    // Hong Kong itself may ask each replica once: no more than by signing a second envelope.
    assert!(at(&hk, &second).is_ok());
}
