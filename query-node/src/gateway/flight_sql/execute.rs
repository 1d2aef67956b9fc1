//! Statements that run: the question is asked once and its answer kept, and the client fetches what was kept.

use std::collections::HashMap;

use arrow::datatypes::{Schema, SchemaRef};
use arrow_flight::sql::{Any, Command, ProstMessageExt, TicketStatementQuery};
use arrow_flight::{FlightDescriptor, FlightEndpoint, FlightInfo, Ticket};
use futures::StreamExt;
use prost::Message;
use serde_json::{Value, json};
use tonic::metadata::MetadataMap;
use wanqu_client::status::internal;
use wanqu_identity::Bearer;
use wanqu_model::answer::{
    Answer, Event, Fetch, INCOMPLETE_COLUMN, Keep, KeptResult, Progress, Question, Summary, TicketRequest,
};
use wanqu_model::refusal::{Code, Refusal};

use super::handle::{Handle, statement};
use super::plain::plain_schema;
use super::{request, unencoded};
use crate::gateway::Gateway;
use crate::gateway::asker::{Asker, of_one_result};
use crate::results::ACCOUNT;

/// How long an answer is kept for its client to fetch.
pub(super) const KEPT: Keep = Keep { ttl_seconds: 15 * 60 };

impl Gateway {
    /// Runs what a descriptor says. Returns where the rows are.
    pub(in crate::gateway) async fn flight_info(
        &self,
        bearer: Bearer,
        headers: &MetadataMap,
        descriptor: &FlightDescriptor,
    ) -> Result<FlightInfo, Refusal> {
        if bearer.single_use.is_some() {
            return Err(of_one_result());
        }
        let info = match self.meant(headers, descriptor)? {
            Meant::Question(question) => self.asker.executed(bearer, question, |_| {}).await?.info,
            Meant::Known(info) => info,
        };
        Ok(info.with_descriptor(descriptor.clone()))
    }

    /// Reads what a descriptor asks for.
    pub(super) fn meant(&self, headers: &MetadataMap, descriptor: &FlightDescriptor) -> Result<Meant, Refusal> {
        Ok(match request::described(descriptor)? {
            Command::CommandStatementQuery(query) => Meant::Question(statement(query.query, headers)?),
            Command::CommandPreparedStatementQuery(query) => {
                Meant::Question(Handle::read(&query.prepared_statement_handle)?.asked(headers)?)
            }
            command => {
                let schema = self.table(&command)?.schema();
                let endpoint = FlightEndpoint::new().with_ticket(Ticket { ticket: descriptor.cmd.clone() });
                let info = FlightInfo::new().try_with_schema(&schema).map_err(|error| unencoded(&error))?;
                Meant::Known(info.with_endpoint(endpoint))
            }
        })
    }
}

/// A question that was asked, and whose answer is kept.
#[derive(Debug)]
pub(in crate::gateway) struct Executed {
    /// Where the rows are.
    pub info: FlightInfo,
    /// Its account.
    pub summary: Summary,
}

/// What a descriptor asks for.
pub(super) enum Meant {
    /// An answer.
    Question(Question),
    /// Rows that are there already, and where.
    Known(FlightInfo),
}

impl Asker {
    /// Asks a question, and takes its answer to the end. `told` hears of the progress.
    pub(super) async fn executed(
        &self,
        bearer: Bearer,
        question: Question,
        told: impl Fn(&Progress) + Send + Sync,
    ) -> Result<Executed, Refusal> {
        if !self.service.keeps() {
            return Err(keeps_nothing());
        }
        let question = Question { keep: Some(KEPT), ..question };
        let waiting = |ahead| told(&Progress::Waiting { ahead: u32::try_from(ahead).unwrap_or(u32::MAX) });
        let (answer, work) = self.begun(bearer, TicketRequest::Question(question), waiting).await?;
        let (columns, mut summary) = work.run(taken(answer, told)).await?;
        let not_kept = |why: Refusal| why.with_remedy("ask for fewer rows, or wait until other answers have expired");
        shown_as_partial(&columns, &summary)?;
        let kept = summary.result.take();
        let kept = kept.ok_or_else(|| summary.not_kept.take().map_or_else(internal, |why| not_kept(*why)))?;
        // ADBC gives its reader the columns as they are here, and not as they come with the rows.
        let whole = Summary { result: Some(kept.clone()), ..summary.clone() };
        let metadata = HashMap::from([(ACCOUNT.to_owned(), serde_json::to_string(&whole).map_err(|_| internal())?)]);
        let columns = Schema::new_with_metadata(columns.fields().clone(), metadata);
        let info = FlightInfo::new().try_with_schema(&columns).map_err(|error| unencoded(&error))?;
        let account = serde_json::to_vec(&account(&summary, &kept)).map_err(|_| internal())?;
        let rows = i64::try_from(kept.rows).unwrap_or(i64::MAX);
        let info =
            info.with_endpoint(endpoint(&kept)?).with_total_records(rows).with_ordered(true).with_app_metadata(account);
        Ok(Executed { info, summary: whole })
    }
}

/// Takes an answer to its end. Its rows are kept as they pass, and needed nowhere else.
async fn taken(mut answer: Answer, told: impl Fn(&Progress) + Send + Sync) -> Result<(SchemaRef, Summary), Refusal> {
    let mut columns = None;
    while let Some(event) = answer.next().await {
        match event? {
            Event::Progress(progress) => told(&progress),
            Event::Batch(_) => {}
            Event::Schema(schema) => columns = Some(plain_schema(&schema)),
            Event::Summary(summary) => return Ok((columns.ok_or_else(internal)?, summary)),
        }
    }
    Err(internal())
}

/// Checks that an answer which lacks a jurisdiction shows it: its reader sees rows, and not the account.
///
/// # Errors
/// The reason why the jurisdiction is missing, if no row is marked: there is no column of marks, no row, or the missing part would
/// have been rows of its own.
fn shown_as_partial(columns: &SchemaRef, summary: &Summary) -> Result<(), Refusal> {
    let has_marks = columns.fields().last().is_some_and(|field| field.name() == INCOMPLETE_COLUMN);
    let marked = has_marks && summary.rows > 0 && summary.rows_lacking != Some(0);
    let missing = summary.outcomes.iter().find_map(|outcome| Some((&outcome.jurisdiction, outcome.missing.as_ref()?)));
    match missing {
        Some((owner, why)) if !marked => Err(Refusal::new(why.code, format!("the answer lacks a part: {}", why.message))
            .with_owner(owner.clone())
            .with_rule("a partial answer is shown as one, and a client of Flight SQL shows its rows alone")
            .with_remedy(if has_marks {
                "no row of this answer is marked, since what is missing are rows of their own: ask of the jurisdictions that \
                 answer (WHERE jurisdiction IN …), or with wanqu query, whose account says what is missing"
            } else {
                "send the header wanqu-mark-incomplete too (SET wanqu.mark_incomplete = true;), which marks the rows; or ask \
                 with wanqu query"
            })),
        _ => Ok(()),
    }
}

/// Returns where a kept answer is: here, under a ticket that is good until it expires.
fn endpoint(kept: &KeptResult) -> Result<FlightEndpoint, Refusal> {
    let handle = serde_json::to_vec(&Fetch { result: kept.id }).map_err(|_| internal())?;
    let ticket = TicketStatementQuery { statement_handle: handle.into() }.as_any();
    let mut endpoint = FlightEndpoint::new().with_ticket(Ticket { ticket: Any::encode_to_vec(&ticket).into() });
    endpoint.expiration_time.get_or_insert_with(Default::default).seconds = kept.expires.as_second();
    Ok(endpoint)
}

/// Returns the account of an answer, as far as its reader must know it.
fn account(summary: &Summary, kept: &KeptResult) -> Value {
    let missing = summary.outcomes.iter().filter_map(|outcome| {
        let why = outcome.missing.as_ref()?;
        Some(json!({ "jurisdiction": outcome.jurisdiction, "code": why.code, "message": why.message }))
    });
    json!({
        "wanqu.query_id": summary.query_id,
        "rows": summary.rows,
        "rows_lacking": summary.rows_lacking,
        "may_lack": summary.may_lack,
        "rows_may_be_absent": summary.rows_may_be_absent,
        "missing": missing.collect::<Vec<_>>(),
        "expires": kept.expires,
    })
}

fn keeps_nothing() -> Refusal {
    Refusal::new(Code::Limit, "this node keeps no answers, so none can be fetched by Flight SQL")
        .with_rule("a statement is asked once, and its answer kept for its client to fetch")
        .with_remedy("ask with wanqu query, or have the node's administrator give it a folder for answers (--results)")
}
