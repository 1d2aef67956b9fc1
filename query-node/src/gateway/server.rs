//! The gateway: authenticates the requester, reads the ticket, and streams the answer.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::SchemaRef;
use arrow_flight::{Action, FlightData, Ticket};
use async_trait::async_trait;
use futures::{FutureExt, Stream, StreamExt, stream};
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use wanqu_client::note::Note;
use wanqu_client::status::to_status;
use wanqu_client::wire::note;
use wanqu_identity::{Bearer, GatewayIdentity, IdentityError, Slot, TokenFault, TokenVerifier, gateway_server_config};
use wanqu_model::answer::{Answer, Event, TicketRequest};
use wanqu_model::refusal::{Code, Refusal};

use super::listing::{list, marked, marked_elsewhere};
use crate::doors::bounded::{bounded, deadline_passed};
use crate::doors::flight::{Call, Door, Head, Messages, Who, serve};
use crate::doors::listener::Accepting;
use crate::doors::wire::encode;
use crate::doors::{Doorway, Share};
use crate::home::HomeService;
use crate::observe::InFlight;
use crate::stay::{self, Stay};
use crate::trace::{self, Kind, Step};

/// Share of one researcher in the places for questions: three quarters of them, if nobody else asks.
const SHARE: Share = Share(3);

/// Bytes of a question beside its SQL text.
const QUESTION_SLACK: usize = 16 * 1024;

/// Rule of every call.
const RULE: &str = "a question comes with a token for this gateway, of an issuer that this jurisdiction accepts";

/// The front door of a home node.
pub struct Gateway {
    tls: Arc<rustls::ServerConfig>,
    tokens: TokenVerifier,
    service: Arc<dyn HomeService>,
    door: Doorway,
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
        Ok(Self { tls: gateway_server_config(identity)?, tokens, service, door })
    }

    /// Serves on a listener until `stop`.
    pub async fn serve(self, listener: TcpListener, stop: CancellationToken) -> Result<(), tonic::transport::Error> {
        tracing::info!(address = ?listener.local_addr().ok(), "the gateway is open");
        let how = Accepting { tls: Arc::clone(&self.tls), tap: None };
        serve(self, listener, how, 64, stop).await
    }

    /// Returns the length of the longest question that is accepted now, in bytes.
    fn max_question(&self) -> usize {
        self.door.limits.now().sql_bytes as usize * 2 + QUESTION_SLACK
    }

    fn bearer(&self, token: Option<&str>) -> Result<Bearer, Refusal> {
        let token = token.ok_or_else(|| {
            Refusal::new(Code::Identity, "there is no token")
                .with_rule(RULE)
                .with_remedy("send it as metadata, `authorization: Bearer TOKEN`")
        })?;
        self.tokens.verify(token, self.door.clock.now()).map_err(|fault| refused(&fault))
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

    async fn answer(&self, bearer: Bearer, ticket: &[u8]) -> Result<Messages<FlightData>, Refusal> {
        let request = self.request(ticket)?;
        let Bearer { subject: requester, single_use } = bearer;
        if single_use.is_some() && matches!(request, TicketRequest::Question(_)) {
            return Err(of_one_result());
        }
        let limits = self.door.limits.now();
        let caller = format!("{}\n{}", requester.issuer, requester.subject);
        let place = Arc::new(self.door.places.take_for(&caller, SHARE, limits.concurrent_queries as usize)?);
        // Used up when there is a place for it, and not before: whoever is sent away comes again with the same token.
        if let Some(single_use) = &single_use {
            self.tokens.spend(single_use, self.door.clock.now()).map_err(|fault| refused(&fault))?;
        }
        let deadline = Instant::now() + Duration::from_secs(limits.deadline_seconds.into());
        let cancel = self.door.drain.token();
        let cut = cancel.clone();
        let guard = cancel.clone().drop_guard();
        // The text of a panic can quote a value: it goes no further than this.
        let answer = match request {
            TicketRequest::Question(question) => self.service.ask(requester, question, cancel),
            TicketRequest::Fetch(fetch) => self.service.fetch(requester, fetch.result),
        };
        let answer = stay::within(Stay::new(Arc::clone(&place)), AssertUnwindSafe(answer).catch_unwind());
        let answer = tokio::time::timeout_at(deadline, answer)
            .await
            .map_err(|_| deadline_passed())?
            .unwrap_or_else(|_| Err(wanqu_client::status::internal()))?;
        Ok(Box::pin(bounded(messages(answer), (deadline, deadline_passed()), cut, (guard, place))))
    }
}

fn refused(fault: &TokenFault) -> Refusal {
    Refusal::new(Code::Identity, fault.to_string()).with_rule(RULE).with_remedy(fault.remedy())
}

fn of_one_result() -> Refusal {
    Refusal::new(Code::Identity, "the token is good for fetching one result, and for nothing else")
        .with_rule("a token that the operator delivers fetches one kept answer, once")
        .with_remedy("ask with a token of your own issuer")
}

/// Returns the messages that carry each event, in order.
fn messages(answer: Answer) -> impl Stream<Item = Result<FlightData, Status>> + Send + 'static {
    let mut schema: Option<SchemaRef> = None;
    answer.flat_map(move |event| match event {
        Ok(Event::Progress(progress)) => single(note(&Note::Progress(progress))),
        Ok(Event::Summary(summary)) => single(note(&Note::Summary(summary))),
        Ok(Event::Schema(columns)) => {
            let head = encode(&columns, stream::empty()).boxed();
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
        self.bearer(head.token).map(Who::Researcher).inspect_err(|refusal| {
            tracing::info!(code = %refusal.code, "a call without a token that holds was refused");
            InFlight::question(&self.door.metrics).refused(refusal);
        })
    }

    async fn get(&self, call: Call, ticket: Ticket) -> Result<Messages<FlightData>, Status> {
        let Who::Researcher(bearer) = call.who else { return Err(to_status(wanqu_client::status::internal())) };
        let step = Step::begin("question", Kind::Server, call.trace);
        let context = step.context();
        let mut in_flight = InFlight::question(&self.door.metrics);
        in_flight.set_step(step);
        match trace::within(context, self.answer(bearer, &ticket.ticket)).await {
            Ok(messages) => Ok(in_flight.follow(messages)),
            Err(refusal) => {
                tracing::info!(trace_id = %context.trace_id(), code = %refusal.code, "a question was refused");
                in_flight.refused(&refusal);
                Err(to_status(refusal))
            }
        }
    }

    async fn action(&self, call: Call, action: Action) -> Result<Vec<u8>, Status> {
        if matches!(call.who, Who::Researcher(Bearer { single_use: Some(_), .. })) {
            return Err(to_status(of_one_result()));
        }
        if action.r#type != "catalog" {
            return Err(to_status(
                Refusal::new(Code::UnknownName, "there is no such action").with_remedy("`catalog` is the only one"),
            ));
        }
        let mut tables = list(&self.service.catalog());
        if let Some((own, unavailable)) = self.service.unavailable() {
            tables = marked(tables, &own, &unavailable);
        }
        tables = marked_elsewhere(tables, &self.service.unavailable_elsewhere());
        serde_json::to_vec(&tables).map_err(|_| to_status(wanqu_client::status::internal()))
    }
}
