//! Hostile owner: a node with a valid identity that answers every question with messages of the test's choice.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use arrow_flight::flight_service_server::{FlightService, FlightServiceServer};
use arrow_flight::{
    Action, ActionType, Criteria, Empty, FlightData, FlightDescriptor, FlightInfo, HandshakeRequest, HandshakeResponse,
    PollInfo, PutResult, SchemaResult, Ticket,
};
use async_trait::async_trait;
use futures::stream::BoxStream;
use futures::{StreamExt, stream};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::transport::Server;
use tonic::transport::server::Connected;
use tonic::{Request, Response, Status, Streaming};
use wanqu_identity::{Slot, Trust, server_config};

use super::release::Answer;
use crate::federation::{Federation, jid};
use crate::impostor::identity_of;

/// Hostile owner. Its exchange is open until this is dropped.
pub struct HostileOwner {
    address: String,
    answer: Arc<Mutex<Answer>>,
    _stop: DropGuard,
}

impl HostileOwner {
    /// Opens a node with the identity of `jurisdiction`, which answers nothing yet.
    ///
    /// # Panics
    /// If the jurisdiction is no member, or nothing can be listened to.
    pub async fn open(federation: &Federation, jurisdiction: &str) -> Self {
        let bundle = federation.local.bundle(&jid(jurisdiction)).expect("a member");
        let trust = Trust::from_bundle(bundle).expect("authorities that can be read");
        let identity: Slot<_> = identity_of(federation, jurisdiction).into();
        let tls = TlsAcceptor::from(server_config(&identity, &trust).expect("an identity for TLS"));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        let answer = Arc::<Mutex<Answer>>::default();
        let stop = CancellationToken::new();
        let service = FlightServiceServer::new(Service { answer: Arc::clone(&answer), tokens: Arc::default() });
        let connections = accepted(listener, tls);
        let until = stop.clone().cancelled_owned();
        tokio::spawn(Server::builder().serve_with_incoming_shutdown(service, connections, until));
        Self { address, answer, _stop: stop.drop_guard() }
    }

    /// Returns where it listens.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Answers every question with these messages from now on.
    pub fn answers(&self, messages: Answer) {
        *self.answer.lock() = messages;
    }
}

/// Returns the connections of a listener whose handshakes have succeeded.
pub(super) fn accepted(listener: TcpListener, tls: TlsAcceptor) -> ReceiverStream<io::Result<Connection>> {
    let (sender, receiver) = mpsc::channel(4);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(stream) = tls.accept(stream).await
                && sender.send(Ok(Connection(stream))).await.is_err()
            {
                return;
            }
        }
    });
    ReceiverStream::new(receiver)
}

pub(super) struct Connection(TlsStream<TcpStream>);

impl Connected for Connection {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// Flight service of a villain.
pub(super) struct Service {
    /// Messages of every answer.
    pub answer: Arc<Mutex<Answer>>,
    /// Tokens that it was shown.
    pub tokens: Arc<Mutex<Vec<String>>>,
}

type Messages<T> = BoxStream<'static, Result<T, Status>>;

fn nothing<T>() -> Result<Response<T>, Status> {
    Err(Status::unimplemented("a villain"))
}

#[async_trait]
impl FlightService for Service {
    type HandshakeStream = Messages<HandshakeResponse>;
    type ListFlightsStream = Messages<FlightInfo>;
    type DoGetStream = Messages<FlightData>;
    type DoPutStream = Messages<PutResult>;
    type DoExchangeStream = Messages<FlightData>;
    type DoActionStream = Messages<arrow_flight::Result>;
    type ListActionsStream = Messages<ActionType>;

    async fn do_get(&self, request: Request<Ticket>) -> Result<Response<Self::DoGetStream>, Status> {
        let token = request.metadata().get("authorization").and_then(|value| value.to_str().ok());
        self.tokens.lock().extend(token.and_then(|value| value.strip_prefix("Bearer ")).map(str::to_owned));
        let answer = self.answer.lock().clone();
        Ok(Response::new(stream::iter(answer).boxed()))
    }

    async fn do_action(&self, _: Request<Action>) -> Result<Response<Self::DoActionStream>, Status> {
        nothing()
    }

    async fn handshake(
        &self,
        _: Request<Streaming<HandshakeRequest>>,
    ) -> Result<Response<Self::HandshakeStream>, Status> {
        nothing()
    }

    async fn list_flights(&self, _: Request<Criteria>) -> Result<Response<Self::ListFlightsStream>, Status> {
        nothing()
    }

    async fn get_flight_info(&self, _: Request<FlightDescriptor>) -> Result<Response<FlightInfo>, Status> {
        nothing()
    }

    async fn poll_flight_info(&self, _: Request<FlightDescriptor>) -> Result<Response<PollInfo>, Status> {
        nothing()
    }

    async fn get_schema(&self, _: Request<FlightDescriptor>) -> Result<Response<SchemaResult>, Status> {
        nothing()
    }

    async fn do_put(&self, _: Request<Streaming<FlightData>>) -> Result<Response<Self::DoPutStream>, Status> {
        nothing()
    }

    async fn do_exchange(&self, _: Request<Streaming<FlightData>>) -> Result<Response<Self::DoExchangeStream>, Status> {
        nothing()
    }

    async fn list_actions(&self, _: Request<Empty>) -> Result<Response<Self::ListActionsStream>, Status> {
        nothing()
    }
}
