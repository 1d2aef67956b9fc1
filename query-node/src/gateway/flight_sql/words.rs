//! Refusals for clients that show the text of a status and nothing else.

use arrow_flight::FlightData;
use futures::StreamExt;
use tonic::{Code as Grpc, Status};
use wanqu_client::status::from_status;

use crate::doors::flight::Messages;

/// Rule of what is not offered, by which its status is told from that of other refusals.
pub(super) const NOT_OFFERED: &str = "researchers read: a statement is one query";

/// Greatest size of the text of a status as it travels, in bytes: the details travel beside it, in a head that clients bound.
const MAX_TEXT: usize = 3 * 1024;

/// Returns the status with all that its refusal says as its text. The details stay, for clients that read them.
pub(in crate::gateway) fn worded(status: Status) -> Status {
    if status.details().is_empty() {
        return status;
    }
    let refusal = from_status(&status, None);
    let code = if refusal.rule.as_deref() == Some(NOT_OFFERED) { Grpc::Unimplemented } else { status.code() };
    let text = cut(refusal.to_string());
    Status::with_details(code, text, status.details().to_vec().into())
}

/// Returns the messages of an answer, of which a failure is worded.
pub(in crate::gateway) fn worded_messages(messages: Messages<FlightData>) -> Messages<FlightData> {
    messages.map(|message| message.map_err(worded)).boxed()
}

/// Cuts a text that is too long to travel. Beyond ASCII a byte travels as three.
fn cut(mut text: String) -> String {
    let mut size = 0;
    let end = text.char_indices().find(|(_, c)| {
        size += if c.is_ascii() && !c.is_control() { 1 } else { 3 * c.len_utf8() };
        size > MAX_TEXT
    });
    if let Some((end, _)) = end {
        text.truncate(end);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use wanqu_client::status::to_status;
    use wanqu_model::refusal::{Code, Refusal};

    use super::*;

    #[test]
    fn the_text_of_a_status_says_all_that_its_refusal_says() {
        let refusal =
            Refusal::new(Code::ColumnClass, "name is sealed").with_rule("no query reads it").with_remedy("SELECT 1");
        let status = worded(to_status(refusal.clone()));
        assert_eq!(status.code(), Grpc::PermissionDenied);
        for part in ["name is sealed", "no query reads it", "SELECT 1", "column-class"] {
            assert!(status.message().contains(part), "{part}");
        }
        assert_eq!(from_status(&status, None), refusal, "our own client reads the details");
        let long = worded(to_status(Refusal::new(Code::Limit, "湾".repeat(600)).with_rule("x".repeat(1000))));
        assert!(long.message().len() <= MAX_TEXT && long.message().ends_with('…'));
    }

    #[test]
    fn what_is_not_offered_has_a_status_of_its_own() {
        let status = worded(to_status(super::super::not_offered("ingest", "ask a query")));
        assert_eq!(status.code(), Grpc::Unimplemented);
        assert!(status.message().contains("ask a query"));
    }
}
