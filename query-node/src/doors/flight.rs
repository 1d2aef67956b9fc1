//! Arrow Flight for servers that have a few of its methods: the others answer "unimplemented".

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use arrow_flight::flight_service_server::{FlightService, FlightServiceServer};
use arrow_flight::{
    Action, ActionType, Criteria, Empty, FlightData, FlightDescriptor, FlightInfo, HandshakeRequest, HandshakeResponse,
    PollInfo, PutResult, SchemaResult, Ticket,
};
use async_trait::async_trait;
use futures::future::BoxFuture;
use futures::{FutureExt, Stream, stream};
use rustls::pki_types::CertificateDer;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::codegen::{Service, http};
use tonic::metadata::MetadataMap;
use tonic::server::NamedService;
use tonic::transport::Server;
use tonic::{Request, Response, Status, Streaming};
use wanqu_client::status::to_status;
use wanqu_identity::{Bearer, PeerIdentity};
use wanqu_model::refusal::Refusal;

use super::body::{BodyTimes, Timed, Unfinished};
use super::listener::{Accepting, Caller, accept};
use crate::trace::TraceContext;

/// Streams of one connection that may be reset before they are answered.
const RESETS: usize = 32;

/// Largest head of a call, in bytes.
const HEADERS: u32 = 16 * 1024;

/// Bytes that a call may send ahead of its reader.
const STREAM_WINDOW: u32 = 64 * 1024;

/// Bytes that all calls of one connection may.
const CONNECTION_WINDOW: u32 = 1024 * 1024;

/// Stream of messages of one kind.
pub(crate) type Messages<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// The caller of a call, as its head proved it.
#[derive(Debug, Clone)]
pub(crate) enum Who {
    /// Nobody in particular: a door that asks for no proof.
    Anybody,
    /// A researcher, by a token.
    Researcher(Bearer),
    /// A node, by the certificate of its connection.
    Node(Arc<PeerIdentity>),
}

impl Who {
    /// Returns the name by which the caller's share of a door is counted.
    fn name(&self) -> Arc<str> {
        match self {
            Self::Anybody => "".into(),
            // No issuer has a line break in it.
            Self::Researcher(Bearer { subject, .. }) => format!("{}\n{}", subject.issuer, subject.subject).into(),
            Self::Node(peer) => peer.jurisdiction.as_str().into(),
        }
    }
}

/// Head of a call: all that is known before any of its body is read.
pub(crate) struct Head<'a> {
    /// The caller, as the TLS connection shows it.
    pub caller: &'a Caller,
    /// The bearer token, if one was sent.
    pub token: Option<&'a str>,
    /// True if a proof of another kind was sent: a user's name and password.
    pub other_proof: bool,
}

/// Context of a call.
pub(crate) struct Call {
    /// The caller.
    pub who: Who,
    /// The client's certificate chain, where clients are nodes.
    pub chain: Arc<[CertificateDer<'static>]>,
    /// The caller's trace, if it names one (`traceparent`).
    pub trace: Option<TraceContext>,
    /// Headers of the call.
    pub headers: MetadataMap,
}

/// Outcome of an action.
#[derive(Debug, Default)]
pub(crate) struct Acted {
    /// Its result, if it has one.
    pub body: Option<Vec<u8>>,
    /// Cookie that the client keeps from then on.
    pub cookie: Option<String>,
}

impl Acted {
    /// Returns the outcome of an action that has a result, and no other.
    pub fn with(body: Vec<u8>) -> Self {
        Self { body: Some(body), cookie: None }
    }
}

/// A server of the part of Flight that the exchange and the gateway use.
#[async_trait]
pub(crate) trait Door: Send + Sync + 'static {
    /// Returns who makes a call, by its head. The body of a call that this refuses is not read.
    fn identify(&self, _head: &Head<'_>) -> Result<Who, Refusal> {
        Ok(Who::Anybody)
    }

    /// Answers a ticket with rows.
    async fn get(&self, call: Call, ticket: Ticket) -> Result<Messages<FlightData>, Status>;

    /// Returns the length of the longest message that is accepted now, in bytes.
    fn longest_message(&self) -> usize;

    /// Returns the status of a call that is refused before its body is read.
    fn turned_away(&self, refusal: Refusal) -> Status {
        to_status(refusal)
    }

    /// Performs a named action. By default there are no actions.
    async fn action(&self, _call: Call, _action: Action) -> Result<Acted, Status> {
        Err(unimplemented())
    }

    /// Runs what a descriptor says while its client looks again and again, and returns how far it is.
    async fn poll(&self, _call: Call, _descriptor: FlightDescriptor) -> Result<PollInfo, Status> {
        Err(unimplemented())
    }

    /// Returns the cookie that callers without one are given, by its name and whole, if this door gives any.
    fn greeting(&self) -> Option<(&'static str, &'static str)> {
        None
    }

    /// Runs what a descriptor says, and returns where its rows are.
    async fn info(&self, _call: Call, _descriptor: FlightDescriptor) -> Result<FlightInfo, Status> {
        Err(unimplemented())
    }

    /// Returns the columns of what a descriptor says. Runs nothing.
    async fn schema(&self, _call: Call, _descriptor: FlightDescriptor) -> Result<SchemaResult, Status> {
        Err(unimplemented())
    }

    /// Takes rows. Returns what is told of them.
    async fn put(&self, _call: Call, _rows: Streaming<FlightData>) -> Result<Option<Vec<u8>>, Status> {
        Err(unimplemented())
    }

    /// Answers a client that begins by proving who it is, which its head has done.
    async fn greet(&self, _call: Call) -> Result<(), Status> {
        Err(unimplemented())
    }
}

/// Serves until `stop`, then gives running calls a few seconds to end. `streams` is the greatest number of calls at once on
/// one connection.
pub(crate) async fn serve(
    door: impl Door,
    listener: TcpListener,
    how: Accepting,
    streams: u32,
    stop: CancellationToken,
) -> Result<(), tonic::transport::Error> {
    let service = Bounded { door: Arc::new(Adapter(door)), unfinished: Unfinished::default() };
    let server = Server::builder()
        .max_concurrent_streams(streams)
        // A connection on which more streams are reset before anybody has begun with them is closed.
        .http2_max_pending_accept_reset_streams(Some(RESETS))
        // Requests are small; answers go by the windows of whoever asks.
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .http2_keepalive_interval(Some(Duration::from_secs(20)))
        .http2_keepalive_timeout(Some(Duration::from_secs(20)))
        .http2_max_header_list_size(HEADERS)
        // A connection does not outlive its certificate by much.
        .max_connection_age(Duration::from_hours(1))
        .serve_with_incoming_shutdown(service, accept(listener, how), stop.clone().cancelled_owned());
    tokio::select! {
        outcome = server => outcome,
        () = async { stop.cancelled().await; tokio::time::sleep(Duration::from_secs(3)).await } => Ok(()),
    }
}

/// The service: a call's head is judged before its body is read, and the door's message limit is looked up at each call.
struct Bounded<D> {
    door: Arc<Adapter<D>>,
    unfinished: Unfinished,
}

impl<D> Clone for Bounded<D> {
    fn clone(&self) -> Self {
        Self { door: Arc::clone(&self.door), unfinished: self.unfinished.clone() }
    }
}

impl<D: Door> NamedService for Bounded<D> {
    const NAME: &'static str = <FlightServiceServer<Adapter<D>> as NamedService>::NAME;
}

impl<D: Door> Bounded<D> {
    /// Returns the caller, whose connection is from now on that of a known caller.
    fn admitted(&self, request: &http::Request<Body>) -> Result<Who, Refusal> {
        let caller = request.extensions().get::<Caller>().cloned().unwrap_or_default();
        let proof = request.headers().get(http::header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = proof.and_then(|value| value.strip_prefix("Bearer "));
        let other_proof = proof.is_some() && token.is_none();
        let who = self
            .door
            .0
            .identify(&Head { caller: &caller, token, other_proof })
            .inspect_err(|_| caller.call_refused())?;
        caller.known_as(&who.name())?;
        Ok(who)
    }
}

impl<D: Door> Service<http::Request<Body>> for Bounded<D> {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: http::Request<Body>) -> Self::Future {
        let who = match self.admitted(&request) {
            Ok(who) => who,
            Err(refusal) => return std::future::ready(Ok(self.door.0.turned_away(refusal).into_http())).boxed(),
        };
        let held = match self.unfinished.begin(who.name()) {
            Ok(held) => held,
            Err(refusal) => return std::future::ready(Ok(self.door.0.turned_away(refusal).into_http())).boxed(),
        };
        request.extensions_mut().insert(who);
        let request = request.map(|body| Body::new(Timed::new(body, BodyTimes::default(), held)));
        let longest = self.door.0.longest_message();
        let greeting = self.door.0.greeting().filter(|(name, _)| !has_cookie(request.headers(), name));
        let mut service = FlightServiceServer::from_arc(Arc::clone(&self.door)).max_decoding_message_size(longest);
        let answered = service.call(request);
        async move {
            let mut response = answered.await?;
            if let Some((_, cookie)) = greeting {
                let headers = response.headers_mut();
                headers.entry(http::header::SET_COOKIE).or_insert(http::HeaderValue::from_static(cookie));
            }
            Ok(response)
        }
        .boxed()
    }
}

/// Returns true if a caller sends a cookie of this name.
fn has_cookie(headers: &http::HeaderMap, name: &str) -> bool {
    let lines = headers.get_all(http::header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    lines
        .flat_map(|line| line.split(';'))
        .any(|cookie| cookie.trim().split_once('=').is_some_and(|(own, _)| own == name))
}

struct Adapter<D>(D);

fn call<T>(request: &Request<T>) -> Call {
    let who = request.extensions().get::<Who>().cloned().unwrap_or(Who::Anybody);
    let trace = request.metadata().get("traceparent").and_then(|value| value.to_str().ok());
    let chain = request.extensions().get::<Caller>().map(|caller| Arc::clone(&caller.chain)).unwrap_or_default();
    Call { who, chain, trace: trace.and_then(|value| value.parse().ok()), headers: request.metadata().clone() }
}

fn unimplemented() -> Status {
    Status::unimplemented("this node has no such call")
}

#[async_trait]
impl<D: Door> FlightService for Adapter<D> {
    type HandshakeStream = Messages<HandshakeResponse>;
    type ListFlightsStream = Messages<FlightInfo>;
    type DoGetStream = Messages<FlightData>;
    type DoPutStream = Messages<PutResult>;
    type DoExchangeStream = Messages<FlightData>;
    type DoActionStream = Messages<arrow_flight::Result>;
    type ListActionsStream = Messages<ActionType>;

    async fn do_get(&self, request: Request<Ticket>) -> Result<Response<Self::DoGetStream>, Status> {
        let call = call(&request);
        self.0.get(call, request.into_inner()).await.map(Response::new)
    }

    async fn do_action(&self, request: Request<Action>) -> Result<Response<Self::DoActionStream>, Status> {
        let call = call(&request);
        let Acted { body, cookie } = self.0.action(call, request.into_inner()).await?;
        let result = body.map(|body| Ok(arrow_flight::Result { body: body.into() }));
        let mut response: Response<Self::DoActionStream> = Response::new(Box::pin(stream::iter(result)));
        if let Some(cookie) = cookie.and_then(|cookie| cookie.parse().ok()) {
            response.metadata_mut().insert("set-cookie", cookie);
        }
        Ok(response)
    }

    async fn handshake(
        &self,
        request: Request<Streaming<HandshakeRequest>>,
    ) -> Result<Response<Self::HandshakeStream>, Status> {
        self.0.greet(call(&request)).await?;
        Ok(Response::new(Box::pin(stream::iter([Ok(HandshakeResponse::default())]))))
    }

    async fn list_flights(&self, _: Request<Criteria>) -> Result<Response<Self::ListFlightsStream>, Status> {
        Err(unimplemented())
    }

    async fn get_flight_info(&self, request: Request<FlightDescriptor>) -> Result<Response<FlightInfo>, Status> {
        let call = call(&request);
        self.0.info(call, request.into_inner()).await.map(Response::new)
    }

    async fn poll_flight_info(&self, request: Request<FlightDescriptor>) -> Result<Response<PollInfo>, Status> {
        let call = call(&request);
        self.0.poll(call, request.into_inner()).await.map(Response::new)
    }

    async fn get_schema(&self, request: Request<FlightDescriptor>) -> Result<Response<SchemaResult>, Status> {
        let call = call(&request);
        self.0.schema(call, request.into_inner()).await.map(Response::new)
    }

    async fn do_put(&self, request: Request<Streaming<FlightData>>) -> Result<Response<Self::DoPutStream>, Status> {
        let call = call(&request);
        let told = self.0.put(call, request.into_inner()).await?;
        let told = told.map(|told| Ok(PutResult { app_metadata: told.into() }));
        Ok(Response::new(Box::pin(stream::iter(told))))
    }

    async fn do_exchange(&self, _: Request<Streaming<FlightData>>) -> Result<Response<Self::DoExchangeStream>, Status> {
        Err(unimplemented())
    }

    async fn list_actions(&self, _: Request<Empty>) -> Result<Response<Self::ListActionsStream>, Status> {
        Err(unimplemented())
    }
}
