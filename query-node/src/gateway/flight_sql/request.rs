//! Commands as they come: a protobuf message in an `Any`, in a descriptor, a ticket or the body of an action.

use arrow_flight::FlightDescriptor;
use arrow_flight::sql::{Any, Command};
use prost::Message;
use wanqu_model::answer::Fetch;
use wanqu_model::refusal::{Code, Refusal};

use super::handle::Handle;
use super::session;
use crate::gateway::Gateway;

/// Beginning of the names of all messages of Flight SQL.
const NAMES: &str = "type.googleapis.com/arrow.flight.protocol.sql.";

/// Content of a ticket that Flight SQL gave.
#[derive(Debug)]
pub(in crate::gateway) enum SqlTicket {
    /// Rows about the catalog or the gateway.
    Metadata(Command),
    /// An answer that was kept.
    Result(Fetch),
}

/// Returns true if a ticket is one of Flight SQL.
pub(in crate::gateway) fn is_sql(ticket: &[u8]) -> bool {
    Any::decode(ticket).is_ok_and(|any| any.type_url.starts_with(NAMES))
}

/// Reads a command; `None` if the bytes are no message of Flight SQL.
fn decoded(bytes: &[u8]) -> Result<Option<Command>, Refusal> {
    let Ok(any) = Any::decode(bytes) else { return Ok(None) };
    if !any.type_url.starts_with(NAMES) {
        return Ok(None);
    }
    Command::try_from(any).map(Some).map_err(|_| unreadable())
}

/// Reads a command.
///
/// # Errors
/// [`Code::Envelope`] if the bytes are none.
pub(super) fn command(bytes: &[u8]) -> Result<Command, Refusal> {
    decoded(bytes)?.ok_or_else(unreadable)
}

/// Reads the command of a descriptor.
///
/// # Errors
/// [`Code::Envelope`] if it has none.
pub(super) fn described(descriptor: &FlightDescriptor) -> Result<Command, Refusal> {
    command(&descriptor.cmd)
}

fn unreadable() -> Refusal {
    Refusal::new(Code::Envelope, "the command cannot be read")
        .with_rule("a command is a message of Flight SQL")
        .with_remedy("ask with a client that speaks Flight SQL, or with wanqu")
}

impl Gateway {
    /// Reads a ticket; `None` if it is none of Flight SQL.
    pub(in crate::gateway) fn sql_ticket(&self, ticket: &[u8]) -> Result<Option<SqlTicket>, Refusal> {
        if ticket.len() > self.max_question() {
            return Ok(None);
        }
        sql_ticket(ticket)
    }
}

fn sql_ticket(ticket: &[u8]) -> Result<Option<SqlTicket>, Refusal> {
    Ok(match decoded(ticket)? {
        Some(Command::TicketStatementQuery(query)) => {
            let fetch = serde_json::from_slice(&query.statement_handle).map_err(|_| {
                Refusal::new(Code::Envelope, "the ticket cannot be read")
                    .with_rule("a ticket is what this gateway gave for an answer")
                    .with_remedy("run the statement again")
            })?;
            Some(SqlTicket::Result(fetch))
        }
        other => other.map(SqlTicket::Metadata),
    })
}

/// Reads bytes as each part of Flight SQL that strangers send, and panics if one that was read is written otherwise.
pub fn read_request(bytes: &[u8]) {
    let handle_of = |handle: &[u8]| {
        let Ok(handle) = Handle::read(handle) else { return };
        let written = handle.write(usize::MAX).unwrap_or_default();
        assert_eq!(Handle::read(&written).ok(), Some(handle), "a handle that was written is another");
    };
    handle_of(bytes);
    session::read(bytes);
    let _ = sql_ticket(bytes);
    match command(bytes) {
        Ok(Command::CommandPreparedStatementQuery(query)) => handle_of(&query.prepared_statement_handle),
        Ok(Command::Unknown(any)) => assert!(any.type_url.starts_with(NAMES)),
        _ => {}
    }
}
