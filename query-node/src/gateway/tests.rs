//! A gateway on loopback, its researchers and its intruders.

mod copies;
mod flight_sql;

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::{Action, Ticket};
use async_trait::async_trait;
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use parking_lot::Mutex;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;
use tonic::Request;
use tonic::transport::Channel;
use uuid::Uuid;
use wanqu_client::Client;
use wanqu_client::connect::channel;
use wanqu_client::status::from_status;
use wanqu_fixtures::identity::{TRUST_DOMAIN, authority, jid, validity};
use wanqu_identity::{Authority, TokenIssuer, TokenVerifier, gateway_client_config, gateway_dns};
use wanqu_model::answer::{Answer, Event, Progress, Question, Summary};
use wanqu_model::bundle::{Limits, Subject};
use wanqu_model::refusal::{Code, Refusal};
use wanqu_rules::catalog::Catalog;

use super::*;
use crate::home::{Described, HomeService};

use crate::doors::{Doorway, Drain};
use crate::trace::TraceContext;

const ISSUER: &str = "https://issuer.example";

/// Audience of the gateway.
const AUDIENCE: &str = "wanqu:gba.example/HK";

type Behaviour = dyn Fn() -> Result<Answer, Refusal> + Send + Sync;

/// A home node that answers as it is told.
struct Home {
    behaviour: Box<Behaviour>,
    asked: mpsc::UnboundedSender<(Subject, Question, CancellationToken)>,
    trace: Arc<Mutex<Option<TraceContext>>>,
}

#[async_trait]
impl HomeService for Home {
    async fn ask(&self, requester: Subject, question: Question, cancel: CancellationToken) -> Result<Answer, Refusal> {
        *self.trace.lock() = crate::trace::current();
        self.asked.send((requester, question, cancel)).unwrap();
        (self.behaviour)()
    }

    async fn describe(&self, _: Subject, _: Question, _: CancellationToken) -> Result<Described, Refusal> {
        Ok(Described { columns: Some(schema()), parameters: Vec::new() })
    }

    fn keeps(&self) -> bool {
        true
    }

    fn catalog(&self) -> Arc<Catalog> {
        Arc::new(Catalog::default())
    }
}

struct House {
    hk: Arc<Authority>,
    issuer: Arc<TokenIssuer>,
    endpoint: String,
    drain: Drain,
    questions: mpsc::UnboundedReceiver<(Subject, Question, CancellationToken)>,
    trace: Arc<Mutex<Option<TraceContext>>>,
    stop: CancellationToken,
}

impl House {
    async fn new(behaviour: impl Fn() -> Result<Answer, Refusal> + Send + Sync + 'static) -> Self {
        Self::with_limits(behaviour, &Limits::default()).await
    }

    async fn with_limits(
        behaviour: impl Fn() -> Result<Answer, Refusal> + Send + Sync + 'static,
        limits: &Limits,
    ) -> Self {
        let (hk, issuer) = (authority("HK"), TokenIssuer::new(ISSUER).unwrap());
        Self::of(Arc::new(hk), Arc::new(issuer), behaviour, limits).await
    }

    async fn of(
        hk: Arc<Authority>,
        issuer: Arc<TokenIssuer>,
        behaviour: impl Fn() -> Result<Answer, Refusal> + Send + Sync + 'static,
        limits: &Limits,
    ) -> Self {
        let (asked, questions) = mpsc::unbounded_channel();
        let trace = Arc::default();
        let home = Arc::new(Home { behaviour: Box::new(behaviour), asked, trace: Arc::clone(&trace) });
        let tokens = TokenVerifier::new(&[issuer.as_issuer(AUDIENCE)]).unwrap();
        let door = Doorway::from(limits.clone());
        let drain = door.drain.clone();
        let gateway = Gateway::new(&hk.issue_gateway(validity()).unwrap().into(), tokens, home, door).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("https://{}", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        tokio::spawn(gateway.serve(listener, stop.clone()));
        Self { hk, issuer, endpoint, drain, questions, trace, stop }
    }

    fn token(&self) -> String {
        self.issuer.issue("wei", AUDIENCE, Timestamp::now(), Duration::from_mins(1)).unwrap()
    }

    fn client(&self) -> Client {
        Client::connect(&self.endpoint, self.hk.certificate_pem(), &self.token(), None).unwrap()
    }

    /// The bare protocol, for what a [`Client`] would never send.
    fn flight(&self) -> FlightServiceClient<Channel> {
        let name = ServerName::try_from("localhost").unwrap();
        let tls = gateway_client_config(self.hk.certificate_pem()).unwrap();
        let address = self.endpoint.trim_start_matches("https://").to_owned();
        FlightServiceClient::new(channel(address, name, tls).unwrap())
    }

    /// A message with a good token.
    fn authorized<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert("authorization", format!("Bearer {}", self.token()).parse().unwrap());
        request
    }

    async fn ask(&self) -> Result<Vec<Event>, Refusal> {
        self.client().ask(&question()).await?.try_collect().await
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn question() -> Question {
    Question { sql: "SELECT 1 AS n".to_owned(), ..Question::default() }
}

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, true)]))
}

fn batch(n: i64) -> Event {
    let column: ArrayRef = Arc::new(Int64Array::from(vec![n]));
    Event::Batch(RecordBatch::try_new(schema(), vec![column]).unwrap())
}

fn released(rows: u64) -> Event {
    Event::Progress(Progress::Released { jurisdiction: jid("MO"), rows })
}

fn summary() -> Event {
    Event::Summary(Summary { rows: 2, ..Summary::default() })
}

fn answer() -> Vec<Event> {
    vec![released(1), Event::Schema(schema()), batch(1), released(2), batch(2), summary()]
}

fn of(events: Vec<Event>) -> Answer {
    stream::iter(events.into_iter().map(Ok)).boxed()
}

#[tokio::test]
async fn an_answer_arrives_in_its_order() {
    let mut house = House::new(|| Ok(of(answer()))).await;
    let events = house.ask().await.unwrap();
    assert_eq!(format!("{events:?}"), format!("{:?}", answer()));
    let (requester, asked, _) = house.questions.recv().await.unwrap();
    assert_eq!(requester, Subject { issuer: ISSUER.to_owned(), subject: "wei".to_owned() });
    assert_eq!(asked, question());
    assert_eq!(house.client().catalog().await.unwrap(), []);
}

#[tokio::test]
async fn progress_does_not_wait_for_rows() {
    let go = Arc::new(Notify::new());
    let wait = Arc::clone(&go);
    let house = House::new(move || {
        let wait = Arc::clone(&wait);
        let rest = async move { wait.notified().await }.map(|()| stream::iter(answer().into_iter().skip(1).map(Ok)));
        Ok(stream::iter([Ok(released(1))]).chain(rest.flatten_stream()).boxed())
    })
    .await;
    let mut events = house.client().ask(&question()).await.unwrap();
    assert!(matches!(events.next().await, Some(Ok(Event::Progress(_)))));
    assert!(events.next().now_or_never().is_none(), "the query is still running");
    go.notify_one();
    assert_eq!(events.try_collect::<Vec<_>>().await.unwrap().len(), 5);
}

#[tokio::test]
async fn refusals_come_whole_at_any_time() {
    let refusal = Refusal::new(Code::ColumnClass, "“name” is sealed").with_owner(jid("MO")).with_remedy("leave it out");
    let said = refusal.clone();
    assert_eq!(House::new(move || Err(said.clone())).await.ask().await.unwrap_err(), refusal);
    let said = refusal.clone();
    let late = move || Ok(stream::iter([Ok(Event::Schema(schema())), Ok(batch(1)), Err(said.clone())]).boxed());
    assert_eq!(House::new(late).await.ask().await.unwrap_err(), refusal);
}

#[tokio::test]
async fn an_answer_without_its_account_is_not_whole() {
    for events in [vec![], vec![Event::Schema(schema())], answer()[..5].to_vec()] {
        let house = House::new(move || Ok(of(events.clone()))).await;
        assert_eq!(house.ask().await.unwrap_err().code, Code::OwnerUnavailable);
    }
    // Rows before their columns are a fault of the gateway, which says so; what comes after the account the client notices.
    let house = House::new(|| Ok(of(vec![batch(1), summary()]))).await;
    assert_eq!(house.ask().await.unwrap_err().code, Code::Internal);
    let house = House::new(|| Ok(of([answer(), vec![batch(3)]].concat()))).await;
    assert_eq!(house.ask().await.unwrap_err().code, Code::ReleaseShape);
    let house = House::new(|| Ok(stream::poll_fn(|_| panic!("CANARY")).boxed())).await;
    let failure = house.ask().await.unwrap_err();
    assert!(failure.code == Code::Internal && !failure.to_string().contains("CANARY"));
}

#[tokio::test]
async fn a_question_is_cancelled_by_a_client_that_goes_away_and_by_its_deadline() {
    let endless = || Ok(stream::iter([Ok(released(1))]).chain(stream::pending()).boxed());
    let mut house = House::new(endless).await;
    let mut events = house.client().ask(&question()).await.unwrap();
    assert!(events.next().await.unwrap().is_ok());
    let (_, _, cancel) = house.questions.recv().await.unwrap();
    assert!(!cancel.is_cancelled());
    drop(events);
    tokio::time::timeout(Duration::from_secs(20), cancel.cancelled()).await.expect("cancelled");

    let mut house = House::with_limits(endless, &Limits { deadline_seconds: 1, ..Limits::default() }).await;
    assert_eq!(house.ask().await.unwrap_err().code, Code::Limit);
    let (_, _, cancel) = house.questions.recv().await.unwrap();
    tokio::time::timeout(Duration::from_secs(20), cancel.cancelled()).await.expect("cancelled");
}

#[tokio::test]
async fn questions_beyond_the_places_wait_in_line_and_are_told_where() {
    let (end, ended) = tokio::sync::watch::channel(false);
    let until = move || {
        let mut ended = ended.clone();
        let rest = async move { ended.wait_for(|ended| *ended).await.map(drop) };
        Ok(rest.map(|_| of(answer())).flatten_stream().boxed())
    };
    let mut house = House::with_limits(until, &Limits { concurrent_queries: 1, ..Limits::default() }).await;
    let first = house.client().ask(&question()).await.unwrap();
    house.questions.recv().await.unwrap();
    let ahead = |place: u32| {
        let client = house.client();
        async move {
            let mut events = client.ask(&question()).await.unwrap();
            let Some(Ok(Event::Progress(Progress::Waiting { ahead }))) = events.next().await else { panic!("{place}") };
            assert_eq!(ahead, place);
            events
        }
    };
    let (second, third) = (ahead(0).await, ahead(1).await);
    let mut rest = Vec::new();
    for place in 2..6 {
        rest.push(ahead(place).await);
    }
    assert!(house.questions.try_recv().is_err(), "nobody is asked yet");
    // Eight may wait for one place: three quarters of them of one researcher.
    let refusal = house.client().ask(&question()).await.err().unwrap();
    assert_eq!(refusal.code, Code::Limit);
    assert!(refusal.message.contains("no more can wait"), "{refusal}");

    drop(second);
    let mut third = third;
    let nearer = third.next().await.unwrap().unwrap();
    assert!(matches!(nearer, Event::Progress(Progress::Waiting { ahead: 0 })), "{nearer:?}");
    end.send(true).unwrap();
    assert_eq!(first.try_collect::<Vec<_>>().await.unwrap().len(), 6);
    for waited in std::iter::once(third).chain(rest) {
        let events: Vec<_> = waited.try_collect().await.unwrap();
        let of_answer: Vec<_> =
            events.iter().filter(|event| !matches!(event, Event::Progress(Progress::Waiting { .. }))).collect();
        assert_eq!(format!("{of_answer:?}"), format!("{:?}", answer().iter().collect::<Vec<_>>()));
    }
}

#[tokio::test]
async fn a_question_waits_no_longer_than_its_deadline() {
    let endless = || Ok(stream::pending().boxed());
    let limits = Limits { concurrent_queries: 1, deadline_seconds: 1, ..Limits::default() };
    let mut house = House::with_limits(endless, &limits).await;
    let first = house.client().ask(&question()).await.unwrap();
    house.questions.recv().await.unwrap();
    let waited = tokio::time::timeout(Duration::from_secs(20), house.ask()).await.expect("it ends");
    assert_eq!(waited.unwrap_err().code, Code::Limit);
    drop(first);
}

#[tokio::test]
async fn without_a_good_token_nobody_asks() {
    let mut house = House::new(|| Ok(of(answer()))).await;
    let now = Timestamp::now();
    let stranger = TokenIssuer::new(ISSUER).unwrap();
    for token in [
        String::new(),
        "garbage".to_owned(),
        stranger.issue("wei", AUDIENCE, now, Duration::from_mins(1)).unwrap(),
        house.issuer.issue("wei", "wanqu:gba.example/MO", now, Duration::from_mins(1)).unwrap(),
        house.issuer.issue("wei", AUDIENCE, now - jiff::SignedDuration::from_hours(1), Duration::from_mins(1)).unwrap(),
    ] {
        let client = Client::connect(&house.endpoint, house.hk.certificate_pem(), &token, None).unwrap();
        assert_eq!(client.ask(&question()).await.err().unwrap().code, Code::Identity, "{token:?}");
        assert_eq!(client.catalog().await.unwrap_err().code, Code::Identity, "{token:?}");
    }
    let ticket = Ticket { ticket: serde_json::to_vec(&question()).unwrap().into() };
    let missing = house.flight().do_get(ticket).await.unwrap_err();
    let refusal = from_status(&missing, None);
    assert!(refusal.code == Code::Identity && refusal.remedy.unwrap().contains("Bearer"));
    assert!(house.questions.try_recv().is_err());
}

#[tokio::test]
async fn a_token_for_another_gateway_says_for_which_and_how_to_get_one() {
    let house = House::new(|| Ok(of(answer()))).await;
    let token = house.issuer.issue("wei", "wanqu:gba.example/MO", Timestamp::now(), Duration::from_mins(1)).unwrap();
    let client = Client::connect(&house.endpoint, house.hk.certificate_pem(), &token, None).unwrap();
    let refusal = client.ask(&question()).await.err().unwrap();
    assert_eq!(
        refusal.message,
        "the token is for wanqu:gba.example/MO; this gateway takes tokens for wanqu:gba.example/HK"
    );
    assert_eq!(refusal.remedy.as_deref(), Some("ask the issuer for a token with the audience wanqu:gba.example/HK"));
    assert!(refusal.rule.unwrap().contains("a token for this gateway"));
}

#[tokio::test]
async fn a_delivered_token_fetches_one_result_once_and_asks_nothing() {
    let mut house = House::new(|| Ok(of(answer()))).await;
    let now = Timestamp::now();
    let token = || house.issuer.issue_for_result("wei", AUDIENCE, now, Duration::from_mins(5)).unwrap();
    let client = |token: &str| Client::connect(&house.endpoint, house.hk.certificate_pem(), token, None).unwrap();
    let first = client(&token());
    let refusal = first.ask(&question()).await.err().unwrap();
    assert_eq!(refusal.code, Code::Identity);
    assert!(refusal.message.contains("fetching one result"), "{refusal}");
    assert_eq!(first.catalog().await.unwrap_err().code, Code::Identity);
    assert!(house.questions.try_recv().is_err());
    // The home of this test keeps nothing: what matters is how far the token gets.
    let fetched = first.fetch(Uuid::nil()).await.err().unwrap();
    assert_ne!(fetched.code, Code::Identity, "{fetched}");
    let again = first.fetch(Uuid::nil()).await.err().unwrap();
    assert_eq!(again.message, "the token was used already, and is good for one use");
    assert!(again.remedy.unwrap().contains("ask for the result again"));
    assert_ne!(client(&token()).fetch(Uuid::nil()).await.err().unwrap().code, Code::Identity, "another token");
}

#[tokio::test]
async fn bad_tickets_are_refused_and_explained() {
    let mut house = House::new(|| Ok(of(answer()))).await;
    let mut flight = house.flight();
    let cases: Vec<(Vec<u8>, Code)> = vec![
        (vec![], Code::Envelope),
        (vec![0xff; 300], Code::Envelope),
        (b"SELECT 1".to_vec(), Code::Envelope),
        (b"{\"sql\": 1}".to_vec(), Code::Envelope),
        (b"{\"sql\": \"SELECT 1\", \"admin\": true}".to_vec(), Code::Envelope),
        (b"{\"sql\": \"SELECT 1\", \"purpose\": \"Not A Purpose\"}".to_vec(), Code::Envelope),
        (b"{\"result\": \"../../audit/00000001.log\"}".to_vec(), Code::Envelope),
        (b"{\"result\": \"00000000-0000-0000-0000-000000000007/../x\"}".to_vec(), Code::Envelope),
        (b"{\"result\": 7}".to_vec(), Code::Envelope),
        (b"{\"result\": \"00000000-0000-0000-0000-000000000007\", \"sql\": \"SELECT 1\"}".to_vec(), Code::Envelope),
        (b"[".repeat(200_000), Code::Envelope),
        (vec![b' '; 541_000], Code::Limit),
        (vec![b'x'; 8 << 20], Code::Limit),
    ];
    for (ticket, code) in cases {
        let (start, length) = (ticket.iter().take(12).copied().collect::<Vec<_>>(), ticket.len());
        let request = house.authorized(Ticket { ticket: ticket.into() });
        let status = flight.do_get(request).await.unwrap_err();
        assert_eq!(from_status(&status, None).code, code, "{length} bytes, {start:?}");
    }
    let request = house.authorized(Action { r#type: "shutdown".to_owned(), body: vec![].into() });
    let status = flight.do_action(request).await.unwrap_err();
    assert!(status.message().contains("[unknown-name]"), "{}", status.message());
    assert!(house.questions.try_recv().is_err());
    assert!(house.ask().await.is_ok(), "and the gateway still answers");
}

#[tokio::test]
async fn a_gateway_that_keeps_no_results_has_none() {
    let house = House::new(|| Ok(of(answer()))).await;
    let refused = house.client().fetch(Uuid::nil()).await.err().unwrap();
    assert_eq!(refused.code, Code::UnknownName);
}

#[tokio::test]
async fn the_gateway_proves_who_it_is() {
    let mut house = House::new(|| Ok(of(answer()))).await;
    let (ca, token) = (house.hk.certificate_pem(), house.token());
    let name = gateway_dns(TRUST_DOMAIN, &jid("HK"));
    for server_name in [None, Some(name.as_str()), Some("localhost")] {
        let client = Client::connect(&house.endpoint, ca, &token, server_name).unwrap();
        assert!(client.catalog().await.is_ok(), "{server_name:?}");
    }
    let other = authority("HK");
    let another_name = gateway_dns(TRUST_DOMAIN, &jid("MO"));
    for (ca, server_name) in [(other.certificate_pem(), None), (ca, Some(another_name.as_str()))] {
        let client = Client::connect(&house.endpoint, ca, &token, server_name).unwrap();
        assert_eq!(client.ask(&question()).await.err().unwrap().code, Code::Identity);
    }
    let nowhere = Client::connect("127.0.0.1:1", ca, &token, None).unwrap();
    assert_eq!(nowhere.ask(&question()).await.err().unwrap().code, Code::OwnerUnavailable);
    assert!(Client::connect(&house.endpoint, "not PEM", &token, None).is_err());
    assert!(Client::connect(&house.endpoint, ca, "line\nbreak", None).is_err());

    let mut plain = TcpStream::connect(house.endpoint.trim_start_matches("https://")).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let mut rest = Vec::new();
    // The gateway may close the connection before or after its last words.
    let _ = plain.read_to_end(&mut rest).await;
    assert!(!rest.starts_with(b"HTTP"));
    assert!(house.questions.try_recv().is_err());
}

#[tokio::test]
async fn a_question_goes_on_in_its_callers_trace() {
    let house = House::new(|| Ok(of(answer()))).await;
    let mut flight = house.flight();
    let caller = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    for (header, continued) in [(Some(caller), true), (Some("garbage"), false), (None, false)] {
        let ticket = Ticket { ticket: serde_json::to_vec(&question()).unwrap().into() };
        let mut request = house.authorized(ticket);
        if let Some(header) = header {
            request.metadata_mut().insert("traceparent", header.parse().unwrap());
        }
        flight.do_get(request).await.unwrap();
        let place = house.trace.lock().take().expect("every question is in a trace");
        assert_eq!(place.trace_id() == "4bf92f3577b34da6a3ce929d0e0e4736", continued, "{header:?}");
        assert_ne!(place.span_id(), "00f067aa0ba902b7", "a step of its own");
    }
}
