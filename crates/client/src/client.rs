//! Client of a gateway, as the command line, the operator and the tests use it.

use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::SchemaRef;
use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::{Action, FlightData, Ticket};
use futures::{StreamExt, TryStreamExt, stream};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use serde::Serialize;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Channel;
use tonic::{Request, Status, Streaming};
use uuid::Uuid;
use wanqu_identity::gateway_client_config;
use wanqu_model::answer::{Answer, Event, Fetch, Progress, Question};
use wanqu_model::listing::TableListing;
use wanqu_model::refusal::{Code, Refusal};

use crate::begun::{Begun, PAUSES, Unanswered, broke, broken};
use crate::connect::{ConnectError, channel};
use crate::decode;
use crate::note::Note;
use crate::status::{from_status, internal};
use crate::wire::{MAX_MESSAGE, is_note};

/// Client of one gateway, for one researcher's token.
#[derive(Clone)]
pub struct Client {
    endpoint: String,
    name: ServerName<'static>,
    tls: Arc<ClientConfig>,
    flight: FlightServiceClient<Channel>,
    token: MetadataValue<Ascii>,
}

impl Client {
    /// Makes a client of the gateway at `endpoint`, `https://host:port` or `host:port`, that trusts the CA in `ca` (PEM) and
    /// no other. The gateway must prove to be `server_name`, or else the endpoint's host. It connects when it is first
    /// used, which must be within a Tokio runtime, as must this call.
    ///
    /// # Errors
    /// [`Code::Identity`] if the CA, the name or the token is not one.
    pub fn connect(endpoint: &str, ca: &str, token: &str, server_name: Option<&str>) -> Result<Self, Refusal> {
        let wrong = |what: &str| Refusal::new(Code::Identity, format!("{what} cannot be used"));
        let endpoint = endpoint.strip_prefix("https://").unwrap_or(endpoint).trim_end_matches('/').to_owned();
        let host = endpoint.rsplit_once(':').map_or(endpoint.as_str(), |(host, _port)| host);
        let name = server_name.unwrap_or(host).trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(name).map_err(|_| wrong("the gateway's name"))?;
        let tls = gateway_client_config(ca).map_err(|_| wrong("the CA's certificate"))?;
        let token = format!("Bearer {token}").parse().map_err(|_| wrong("the token"))?;
        let flight = dial(&endpoint, &name, &tls).map_err(|_| wrong("the gateway's endpoint"))?;
        Ok(Self { endpoint, name, tls, flight, token })
    }

    /// Asks a question. The events come as they happen; dropping the answer cancels the query. A gateway that cannot be reached,
    /// or that drains, is tried again a little later over a new connection, since there may be another replica.
    ///
    /// # Errors
    /// The refusal, here or in the answer; [`Code::OwnerUnavailable`] if the gateway cannot be reached or breaks off.
    pub async fn ask(&self, question: &Question) -> Result<Answer, Refusal> {
        self.get(question, true, &PAUSES).await.map_err(|unanswered| unanswered.refusal)
    }

    /// Asks once. The caller decides whether to ask again.
    ///
    /// # Errors
    /// The refusal, and whether anybody may have begun with the question.
    pub async fn ask_once(&self, question: &Question) -> Result<Answer, Unanswered> {
        self.get(question, true, &[]).await
    }

    /// Fetches an answer that was kept. Its events come in the order of the first time, the account last.
    ///
    /// # Errors
    /// As for [`ask`](Self::ask); [`Code::UnknownName`] if the token's bearer has no such result.
    pub async fn fetch(&self, result: Uuid) -> Result<Answer, Refusal> {
        self.get(&Fetch { result }, false, &PAUSES).await.map_err(|unanswered| unanswered.refusal)
    }

    /// Sends a request, of which owners may make releases if it is `asking`; and again after each of the pauses, over a new connection, while nobody can have begun with it and
    /// another attempt may reach somebody.
    async fn get(&self, request: &impl Serialize, asking: bool, pauses: &[Duration]) -> Result<Answer, Unanswered> {
        let unsent = |refusal| Unanswered { refusal, may_have_begun: false };
        let ticket = ticket(request).map_err(unsent)?;
        let mut flight = self.flight.clone();
        let mut pauses = pauses.iter();
        loop {
            let status = match flight.do_get(self.authorized(ticket.clone())).await {
                Ok(stream) => return Ok(events(self.clone(), stream.into_inner(), asking)),
                Err(status) => status,
            };
            let begun = Begun::of(&status);
            let Some(pause) = pauses.next().filter(|_| begun == Begun::Unreached) else {
                return Err(Unanswered {
                    refusal: self.interrupted(&status, asking, None),
                    may_have_begun: begun.possible(),
                });
            };
            tokio::time::sleep(*pause).await;
            flight = dial(&self.endpoint, &self.name, &self.tls).map_err(|_| unsent(internal()))?;
        }
    }

    /// Returns the tables that a question can name at this gateway.
    ///
    /// # Errors
    /// As for [`ask`](Self::ask).
    pub async fn catalog(&self) -> Result<Vec<TableListing>, Refusal> {
        let request = self.authorized(Action { r#type: "catalog".to_owned(), body: Vec::new().into() });
        let answer = self.flight.clone().do_action(request).await.map_err(|status| self.explain(&status))?;
        let first = answer.into_inner().try_next().await.map_err(|status| self.explain(&status))?;
        first.and_then(|result| serde_json::from_slice(&result.body).ok()).ok_or_else(unreadable)
    }

    fn authorized<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert("authorization", self.token.clone());
        request
    }

    /// Returns the refusal that a status stands for after a question was sent: if the connection broke, owners may have
    /// released their parts.
    fn interrupted(&self, status: &Status, asking: bool, query: Option<Uuid>) -> Refusal {
        if asking && broke(status) { broken(&self.endpoint, query) } else { self.explain(status) }
    }

    fn explain(&self, status: &Status) -> Refusal {
        match ConnectError::beneath(status) {
            Some(ConnectError::Unreachable(_)) => {
                Refusal::new(Code::OwnerUnavailable, format!("the gateway at {} cannot be reached", self.endpoint))
            }
            Some(ConnectError::Unproven(reason)) => {
                Refusal::new(Code::Identity, format!("the gateway at {} did not prove its identity", self.endpoint))
                    .with_rule(reason)
                    .with_remedy("check the CA and the server name of this gateway")
            }
            None => from_status(status, None),
        }
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

fn ticket(request: &impl Serialize) -> Result<Ticket, Refusal> {
    let json = serde_json::to_vec(request).map_err(|_| internal())?;
    Ok(Ticket { ticket: json.into() })
}

/// Returns a connection that is made when it is first used.
fn dial(
    endpoint: &str,
    name: &ServerName<'static>,
    tls: &Arc<ClientConfig>,
) -> Result<FlightServiceClient<Channel>, ConnectError> {
    let channel = channel(endpoint.to_owned(), name.clone(), Arc::clone(tls))?;
    Ok(FlightServiceClient::new(channel).max_decoding_message_size(MAX_MESSAGE))
}

fn unreadable() -> Refusal {
    Refusal::new(Code::ReleaseShape, "the gateway's answer cannot be read")
        .with_remedy("use a client of the gateway's version, and check that the address is a gateway's")
}

/// State of an answer that is being read.
struct Reading {
    client: Client,
    stream: Streaming<FlightData>,
    schema: Option<SchemaRef>,
    /// Id of the query, once the gateway has told it.
    query: Option<Uuid>,
    /// True if owners make releases for it.
    asking: bool,
    whole: bool,
}

fn events(client: Client, stream: Streaming<FlightData>, asking: bool) -> Answer {
    let reading = Reading { client, stream, schema: None, query: None, asking, whole: false };
    stream::unfold(Some(reading), |reading| async move {
        let mut reading = reading?;
        match reading.next().await {
            Ok(Some(event)) => Some((Ok(event), Some(reading))),
            Ok(None) => None,
            Err(refusal) => Some((Err(refusal), None)),
        }
    })
    .boxed()
}

impl Reading {
    async fn next(&mut self) -> Result<Option<Event>, Refusal> {
        let read = self.stream.try_next().await;
        let message = read.map_err(|status| self.client.interrupted(&status, self.asking, self.query))?;
        match message {
            None if self.whole => Ok(None),
            None if self.asking => Err(broken(&self.client.endpoint, self.query)),
            None => Err(Refusal::new(Code::OwnerUnavailable, "the answer broke off before its end")),
            Some(_) if self.whole => Err(unreadable()),
            Some(message) => self.event(&message).map(Some),
        }
    }

    fn event(&mut self, message: &FlightData) -> Result<Event, Refusal> {
        if is_note(message) {
            return match serde_json::from_slice(&message.app_metadata).map_err(|_| unreadable())? {
                Note::Progress(progress) => {
                    if let Progress::Planned { query_id, .. } = &progress {
                        self.query = Some(*query_id);
                    }
                    Ok(Event::Progress(progress))
                }
                Note::Summary(summary) => {
                    self.whole = true;
                    Ok(Event::Summary(summary))
                }
            };
        }
        let damaged = |why: decode::Unreadable| unreadable().with_rule(why.reason());
        if let Some(schema) = &self.schema {
            return decode::rows(message, schema).map(Event::Batch).map_err(damaged);
        }
        let schema = Arc::new(decode::columns(message).map_err(damaged)?);
        self.schema = Some(Arc::clone(&schema));
        Ok(Event::Schema(schema))
    }
}
