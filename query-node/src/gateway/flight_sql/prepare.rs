//! Prepared statements: read, planned and judged before they run.

use arrow::datatypes::{DataType, Field, Schema};
use arrow::ipc::writer::IpcWriteOptions;
use arrow_flight::sql::{
    ActionCreatePreparedStatementRequest, ActionCreatePreparedStatementResult, Any, Command,
    DoPutPreparedStatementResult, ProstMessageExt,
};
use arrow_flight::{FlightData, FlightDescriptor, IpcMessage, SchemaAsIpc, SchemaResult};
use bytes::Bytes;
use futures::StreamExt;
use prost::Message;
use tonic::Streaming;
use tonic::metadata::MetadataMap;
use wanqu_client::status::from_status;
use wanqu_identity::Bearer;
use wanqu_model::answer::Question;
use wanqu_model::refusal::{Code, Refusal};

use super::execute::KEPT;
use super::handle::{Handle, statement};
use super::options::with_options;
use super::plain::{bound_type, plain_schema};
use super::values::values;
use super::{changes, not_offered, request, unencoded};
use crate::gateway::Gateway;
use crate::gateway::asker::of_one_result;
use crate::gateway::work::Work;
use crate::home::Described;

/// Most messages of one row of values: the columns, the row, and some without either.
const MESSAGES: usize = 16;

impl Gateway {
    /// Describes a question. Nobody is asked.
    async fn described(&self, bearer: Bearer, question: Question) -> Result<Described, Refusal> {
        let question = Question { keep: Some(KEPT), ..question };
        let work = Work::begin(&self.asker.door, &bearer.subject, |_| {}).await?;
        work.run(self.asker.service.describe(bearer.subject, question, work.cancel.clone())).await
    }

    /// Prepares a statement. Returns its handle, its columns and the types of its parameters.
    pub(super) async fn prepared(
        &self,
        bearer: Bearer,
        headers: &MetadataMap,
        request: ActionCreatePreparedStatementRequest,
    ) -> Result<Vec<u8>, Refusal> {
        if request.transaction_id.is_some_and(|id| !id.is_empty()) {
            return Err(not_offered("a transaction", "prepare the statement without one"));
        }
        let question = with_options(Question { sql: request.query, ..Question::default() }, headers)?;
        let handle = Handle { question: question.clone(), values: None }.write(self.max_question())?;
        let Described { columns, parameters } = self.described(bearer, question).await?;
        let result = ActionCreatePreparedStatementResult {
            prepared_statement_handle: handle.into(),
            dataset_schema: columns.map(|columns| encoded(&plain_schema(&columns))).transpose()?.unwrap_or_default(),
            parameter_schema: if parameters.is_empty() {
                Bytes::new()
            } else {
                encoded(&parameter_schema(&parameters))?
            },
        };
        Ok(Any::encode_to_vec(&result.as_any()))
    }

    /// Takes one row of values for the parameters of a prepared statement. Returns the handle of the statement with them.
    pub(in crate::gateway) async fn take_rows(
        &self,
        bearer: &Bearer,
        rows: Streaming<FlightData>,
    ) -> Result<Option<Vec<u8>>, Refusal> {
        if bearer.single_use.is_some() {
            return Err(of_one_result());
        }
        let messages = self.messages(rows).await?;
        let descriptor = messages.first().and_then(|first| first.flight_descriptor.as_ref());
        let mut handle = match request::described(descriptor.unwrap_or(&FlightDescriptor::default()))? {
            Command::CommandPreparedStatementQuery(query) => Handle::read(&query.prepared_statement_handle)?,
            Command::CommandStatementIngest(_) => {
                return Err(not_offered("taking rows into tables", "give rows to their custodian"));
            }
            _ => return Err(changes()),
        };
        handle.values = Some(values(&messages)?);
        let result =
            DoPutPreparedStatementResult { prepared_statement_handle: Some(handle.write(self.max_question())?.into()) };
        Ok(Some(result.encode_to_vec()))
    }

    /// Reads the messages of a call, so many and so long as one row of values can be.
    async fn messages(&self, mut rows: Streaming<FlightData>) -> Result<Vec<FlightData>, Refusal> {
        let (mut messages, mut bytes) = (Vec::new(), 0);
        while let Some(message) = rows.next().await {
            let message = message.map_err(|status| from_status(&status, None))?;
            bytes += message.data_header.len() + message.data_body.len() + message.app_metadata.len();
            if bytes > self.max_question() || messages.len() == MESSAGES {
                return Err(Refusal::new(Code::Limit, "the values of the parameters are too long")
                    .with_rule(format!("one row of values has at most {} bytes", self.max_question()))
                    .with_remedy("bind one row; load long lists as a registered public table and join it"));
            }
            messages.push(message);
        }
        Ok(messages)
    }

    /// Returns the columns of what a descriptor says.
    pub(in crate::gateway) async fn columns(
        &self,
        bearer: Bearer,
        headers: &MetadataMap,
        descriptor: &FlightDescriptor,
    ) -> Result<SchemaResult, Refusal> {
        let question = match request::described(descriptor)? {
            Command::CommandStatementQuery(query) => statement(query.query, headers)?,
            Command::CommandPreparedStatementQuery(query) => {
                let handle = Handle::read(&query.prepared_statement_handle)?;
                match handle.values {
                    Some(_) => handle.asked(headers)?,
                    None => with_options(handle.question, headers)?,
                }
            }
            command => return schema_result(&self.table(&command)?.schema()),
        };
        if bearer.single_use.is_some() {
            return Err(of_one_result());
        }
        let columns = self.described(bearer, question).await?.columns.ok_or_else(|| {
            Refusal::new(Code::InvalidSql, "the columns cannot be told before the parameters have values")
                .with_rule("the columns of an answer are those of its plan")
                .with_remedy("bind values to the parameters, or CAST them to the types that they have")
        })?;
        schema_result(&plain_schema(&columns))
    }
}

fn schema_result(schema: &Schema) -> Result<SchemaResult, Refusal> {
    SchemaResult::try_from(SchemaAsIpc::new(schema, &IpcWriteOptions::default())).map_err(|error| unencoded(&error))
}

/// Returns a schema as an encapsulated message of Arrow.
pub(super) fn encoded(schema: &Schema) -> Result<Bytes, Refusal> {
    let IpcMessage(bytes) =
        SchemaAsIpc::new(schema, &IpcWriteOptions::default()).try_into().map_err(|error| unencoded(&error))?;
    Ok(bytes)
}

/// Returns the parameters as columns.
fn parameter_schema(types: &[Option<DataType>]) -> Schema {
    let field = |(position, kind): (usize, &Option<DataType>)| {
        Field::new((position + 1).to_string(), bound_type(kind.as_ref()), true)
    };
    Schema::new(types.iter().enumerate().map(field).collect::<Vec<_>>())
}
