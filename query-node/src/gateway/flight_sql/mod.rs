//! Flight SQL at the gateway: the protocol that clients of others' speak, over the calls of the front door.
//!
//! ```text
//! CreatePreparedStatement   read, plan, judge; a handle, the columns, the types of the parameters      nothing runs
//! DoPut                     one row of values for the parameters; another handle                       nothing runs
//! GetFlightInfo             the question is asked, answered to its end, and the answer kept            one release
//! PollFlightInfo            the same, on a task of its own: the client looks again and again              one release
//! DoGet                     the answer that was kept, as often as the client comes for it              nothing runs
//! ```
//!
//! Nothing is held between two calls but the kept answer and the statements that are polled: a handle is the question itself
//! with its values (`handle`), and what a question belongs to comes with it as headers (`options`), is in the cookie that the client
//! keeps (`session`), or stands before its text. A handle is a question of whoever sends it, so a forged one asks what its
//! forger may ask. A ticket names a kept answer, which is given to the one who asked, after another look at what it rests on.
//!
//! The commands are decoded here rather than by `FlightSqlService` of arrow-flight: that one answers for all of Flight,
//! refuses `GetSchema`, and would stand between the door and its bounds.

mod actions;
mod execute;
mod fields;
mod handle;
mod info;
mod keys;
mod metadata;
mod options;
mod plain;
mod polled;
mod prepare;
mod request;
mod session;
mod types;
mod values;
mod words;

pub(super) use plain::plain_schema;
pub(super) use polled::{Polled, State};
pub use request::read_request;
pub(super) use request::{SqlTicket, is_sql};
pub(super) use session::GREETING;
pub(super) use words::{fitting, fitting_all, worded, worded_messages};

use wanqu_client::status::internal;
use wanqu_model::refusal::{Code, Refusal};

use words::NOT_OFFERED;

/// Returns the refusal for a part of Flight SQL that is not offered.
fn not_offered(what: &str, remedy: &str) -> Refusal {
    Refusal::new(Code::NotAQuery, format!("{what} is not offered")).with_rule(NOT_OFFERED).with_remedy(remedy)
}

/// Returns the refusal for a statement that changes data.
fn changes() -> Refusal {
    not_offered("a statement that changes data", "ask one query, with SELECT; in Python by execute, not by executemany")
}

/// Returns the refusal for a message that cannot be encoded. The node's log has the reason.
fn unencoded(error: &impl std::fmt::Display) -> Refusal {
    tracing::error!(%error, "a message of Flight SQL could not be encoded");
    internal()
}
