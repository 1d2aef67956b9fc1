//! The gateway: authenticates the requester, reads the ticket, and streams the answer.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow::ipc::writer::IpcWriteOptions;
use arrow_flight::{Action, FlightData, FlightDescriptor, FlightInfo, PollInfo, SchemaAsIpc, SchemaResult, Ticket};
use async_trait::async_trait;
use futures::{FutureExt, Stream, StreamExt, stream};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};
use wanqu_client::note::Note;
use wanqu_client::status::to_status;
use wanqu_client::wire::note;
use wanqu_identity::{Bearer, GatewayIdentity, IdentityError, Slot, TokenVerifier, gateway_server_config};
use wanqu_model::answer::{Answer, Event, TicketRequest};
use wanqu_model::refusal::{Code, Refusal};

use super::asker::{Asker, may_request, of_one_result};
use super::flight_sql::{
    GREETING, Polled, SqlTicket, fitting, fitting_all, is_sql, plain_schema, worded, worded_messages,
};
use super::line::waited;
use super::work::{Standing, Turn, Work};
use crate::doors::Doorway;
use crate::doors::bounded::{bounded, deadline_passed};
use crate::doors::flight::{Acted, Call, Door, Head, Messages, Who, serve};
use crate::doors::listener::Accepting;
use crate::doors::wire::encode;
use crate::home::HomeService;
use crate::observe::InFlight;
use crate::trace::{self, Kind, Step, TraceContext};

/// The front door of a home node.
pub struct Gateway {
    tls: Arc<rustls::ServerConfig>,
    pub(super) asker: Asker,
    pub(super) polled: Polled,
}

impl Gateway {
    /// Creates the gateway.
    ///
    /// # Errors
    /// If the identity cannot be used for TLS.
    pub fn new(
        identity: &Slot<GatewayIdentity>,
        tokens: TokenVerifier,
        service: Arc<dyn HomeService>,
        door: Doorway,
    ) -> Result<Self, IdentityError> {
        Ok(Self {
            tls: gateway_server_config(identity)?,
            asker: Asker { tokens, service, door },
            polled: Polled::default(),
        })
    }

    /// Serves on a listener until `stop`.
    pub async fn serve(self, listener: TcpListener, stop: CancellationToken) -> Result<(), tonic::transport::Error> {
        tracing::info!(address = ?listener.local_addr().ok(), "the gateway is open");
        let how = Accepting { tls: Arc::clone(&self.tls), tap: None };
        serve(self, listener, how, 64, stop).await
    }

    /// Returns the length of the longest question that is accepted now, in bytes.
    pub(super) fn max_question(&self) -> usize {
        self.asker.max_question()
    }

    fn request(&self, ticket: &[u8]) -> Result<TicketRequest, Refusal> {
        let most = self.max_question();
        if ticket.len() > most {
            return Err(Refusal::new(Code::Limit, "the question is too long")
                .with_rule(format!("a question is at most {most} bytes long")));
        }
        serde_json::from_slice(ticket).map_err(|_| {
            Refusal::new(Code::Envelope, "the question cannot be read")
                .with_rule("a ticket is a question, or the id of a result, as a JSON object with no other fields")
                .with_remedy(r#"{"sql": "SELECT …", "project": "…", "purpose": "…"}"#)
        })
    }

    async fn answer(&self, bearer: Bearer, ticket: &Ticket) -> Result<Messages<FlightData>, Refusal> {
        let ticket = &ticket.ticket;
        match self.sql_ticket(ticket)? {
            Some(SqlTicket::Metadata(command)) => self.metadata(&bearer, &command),
            Some(SqlTicket::Result(fetch)) => {
                let (answer, work) = self.asker.begun(bearer, TicketRequest::Fetch(fetch), |_| {}).await?;
                Ok(carried(answer, Form::Plain, work))
            }
            None => self.told(bearer, self.request(ticket)?).await,
        }
    }

    /// Answers with progress. While there is no place for the question, its client is told how many go first.
    async fn told(&self, bearer: Bearer, request: TicketRequest) -> Result<Messages<FlightData>, Refusal> {
        may_request(&bearer, &request)?;
        let asker = self.asker.clone();
        let mut turn = Turn::of(&self.asker.door, &bearer.subject)?;
        match turn.next().await? {
            Standing::Begun(work) => {
                let (answer, work) = asker.ask(bearer, request, work).await?;
                Ok(carried(answer, Form::Noted, work))
            }
            Standing::Ahead(ahead) => {
                let context = trace::current().unwrap_or_else(TraceContext::begin);
                let begin = move |work| {
                    let asked = async move {
                        let (answer, work) = asker.ask(bearer, request, work).await?;
                        Ok(carried(answer, Form::Noted, work))
                    };
                    trace::within(context, asked).boxed()
                };
                Ok(waited(turn, ahead, Box::new(begin)))
            }
        }
    }
}

/// Returns the messages of an answer, which hold its place until they end.
fn carried(answer: Answer, form: Form, work: Work) -> Messages<FlightData> {
    let (due, cut) = ((work.deadline, deadline_passed()), work.cancel.clone());
    Box::pin(bounded(messages(answer, form), due, cut, work))
}

/// Form of the messages of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// With progress and the account as messages without rows.
    Noted,
    /// Columns and rows alone, of types that every client knows: readers of others' take each message for columns or rows.
    Plain,
}

/// Returns the messages that carry each event, in order.
fn messages(answer: Answer, form: Form) -> impl Stream<Item = Result<FlightData, Status>> + Send + 'static {
    let mut schema: Option<SchemaRef> = None;
    answer.flat_map(move |event| match event {
        Ok(Event::Progress(_) | Event::Summary(_)) if form == Form::Plain => stream::empty().boxed(),
        Ok(Event::Progress(progress)) => single(note(&Note::Progress(progress))),
        Ok(Event::Summary(summary)) => single(note(&Note::Summary(summary))),
        Ok(Event::Schema(columns)) => {
            let (columns, head) = match form {
                Form::Plain => {
                    let columns = plain_schema(&columns);
                    let head = FlightData::from(SchemaAsIpc::new(&columns, &IpcWriteOptions::default()));
                    (columns, single(Ok(head)))
                }
                Form::Noted => {
                    let head = encode(&columns, stream::empty()).boxed();
                    (columns, head)
                }
            };
            schema = Some(columns);
            head
        }
        Ok(Event::Batch(batch)) => match &schema {
            // Each batch is encoded for itself, so that progress can go between; its schema went ahead already.
            Some(schema) => encode(schema, stream::iter([Ok(batch)])).skip(1).boxed(),
            None => single(Err(to_status(wanqu_client::status::internal()))),
        },
        Err(refusal) => single(Err(to_status(refusal))),
    })
}

fn single(message: Result<FlightData, Status>) -> stream::BoxStream<'static, Result<FlightData, Status>> {
    stream::iter([message]).boxed()
}

#[async_trait]
impl Door for Gateway {
    fn longest_message(&self) -> usize {
        self.max_question() + 1024
    }

    fn identify(&self, head: &Head<'_>) -> Result<Who, Refusal> {
        self.asker.bearer(head.token, head.other_proof).map(Who::Researcher).inspect_err(|refusal| {
            tracing::info!(code = %refusal.code, "a call without a token that holds was refused");
            InFlight::question(&self.asker.door.metrics).refused(refusal);
        })
    }

    fn turned_away(&self, refusal: Refusal) -> Status {
        fitting_all(to_status(refusal))
    }

    async fn get(&self, call: Call, ticket: Ticket) -> Result<Messages<FlightData>, Status> {
        let bearer = researcher(call.who)?;
        let (in_flight, context) = self.followed(call.trace);
        // Our own client takes longer heads.
        let form = if is_sql(&ticket.ticket) { fitting } else { worded };
        match trace::within(context, self.answer(bearer, &ticket)).await {
            Ok(messages) => Ok(worded_messages(in_flight.follow(messages), form)),
            Err(refusal) => Err(form(told(in_flight, context, refusal))),
        }
    }

    async fn info(&self, call: Call, descriptor: FlightDescriptor) -> Result<FlightInfo, Status> {
        let bearer = researcher(call.who)?;
        let (in_flight, context) = self.followed(call.trace);
        match trace::within(context, self.flight_info(bearer, &call.headers, &descriptor)).await {
            Ok(info) => {
                in_flight.answered();
                Ok(info)
            }
            Err(refusal) => Err(fitting(told(in_flight, context, refusal))),
        }
    }

    async fn schema(&self, call: Call, descriptor: FlightDescriptor) -> Result<SchemaResult, Status> {
        let bearer = researcher(call.who)?;
        let (in_flight, context) = self.followed(call.trace);
        let schema = trace::within(context, self.columns(bearer, &call.headers, &descriptor)).await;
        passed(in_flight, context, schema)
    }

    async fn put(&self, call: Call, rows: Streaming<FlightData>) -> Result<Option<Vec<u8>>, Status> {
        let bearer = researcher(call.who)?;
        let (in_flight, context) = self.followed(call.trace);
        let told = trace::within(context, self.take_rows(&bearer, rows)).await;
        passed(in_flight, context, told)
    }

    async fn greet(&self, _call: Call) -> Result<(), Status> {
        Ok(())
    }

    async fn poll(&self, call: Call, descriptor: FlightDescriptor) -> Result<PollInfo, Status> {
        let bearer = researcher(call.who)?;
        let (in_flight, context) = self.followed(call.trace);
        let polled = trace::within(context, self.polled(bearer, &call.headers, &descriptor)).await;
        passed(in_flight, context, polled)?.map_err(|refusal| fitting(to_status(refusal)))
    }

    fn greeting(&self) -> Option<(&'static str, &'static str)> {
        Some(GREETING)
    }

    async fn action(&self, call: Call, action: Action) -> Result<Acted, Status> {
        let bearer = researcher(call.who)?;
        if bearer.single_use.is_some() {
            return Err(fitting_all(to_status(of_one_result())));
        }
        if action.r#type == "catalog" {
            return self.listing().map(Acted::with);
        }
        let (in_flight, context) = self.followed(call.trace);
        let done = trace::within(context, self.sql_action(bearer, &call.headers, &action)).await;
        passed(in_flight, context, done)
    }
}

/// Returns the researcher who makes a call.
fn researcher(who: Who) -> Result<Bearer, Status> {
    match who {
        Who::Researcher(bearer) => Ok(bearer),
        Who::Anybody | Who::Node(_) => Err(to_status(wanqu_client::status::internal())),
    }
}

/// Ends a call that asks nothing with its outcome. Only a refusal is counted.
fn passed<T>(in_flight: InFlight, context: TraceContext, outcome: Result<T, Refusal>) -> Result<T, Status> {
    match outcome {
        Ok(answer) => {
            in_flight.passed();
            Ok(answer)
        }
        Err(refusal) => Err(fitting(told(in_flight, context, refusal))),
    }
}

/// Ends a call with a refusal, which is counted and logged.
fn told(in_flight: InFlight, context: TraceContext, refusal: Refusal) -> Status {
    tracing::info!(trace_id = %context.trace_id(), code = %refusal.code, "a question was refused");
    in_flight.refused(&refusal);
    to_status(refusal)
}

impl Gateway {
    /// Begins to count and to trace a call.
    fn followed(&self, caller: Option<TraceContext>) -> (InFlight, TraceContext) {
        let step = Step::begin("question", Kind::Server, caller);
        let context = step.context();
        let mut in_flight = InFlight::question(&self.asker.door.metrics);
        in_flight.set_step(step);
        (in_flight, context)
    }

    /// Returns the catalog as JSON.
    fn listing(&self) -> Result<Vec<u8>, Status> {
        serde_json::to_vec(&self.asker.tables()).map_err(|_| to_status(wanqu_client::status::internal()))
    }
}
