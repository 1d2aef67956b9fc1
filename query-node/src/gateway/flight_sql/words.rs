//! Refusals for clients that show the text of a status and nothing else.

use arrow_flight::FlightData;
use futures::StreamExt;
use tonic::metadata::MetadataValue;
use tonic::{Code as Grpc, Status};
use wanqu_client::status::from_status;
use wanqu_model::refusal::Refusal;

use crate::doors::flight::Messages;

/// Rule of what is not offered, by which its status is told from that of other refusals.
pub(super) const NOT_OFFERED: &str = "researchers read: a statement is one query";

/// Name of the refusal among the metadata of a status.
const REFUSAL: &str = "wanqu-refusal-bin";

/// Greatest size of the text of a status as it travels, in bytes: the details travel beside it, in a head of which Java takes
/// 8 KiB.
const MAX_TEXT: usize = 3 * 1024;

/// Greatest size of the details beside it, in bytes: as base64 they take a third more.
const MAX_DETAILS: usize = 3 * 1024;

/// Returns the status with all that its refusal says as its text. The details stay, for clients that read them.
pub(in crate::gateway) fn worded(status: Status) -> Status {
    if status.details().is_empty() {
        return status;
    }
    let refusal = from_status(&status, None);
    let code = if refusal.rule.as_deref() == Some(NOT_OFFERED) { Grpc::Unimplemented } else { status.code() };
    Status::with_details(code, text(refusal), status.details().to_vec().into())
}

/// Returns all that a refusal says, as far as it can travel. A long message, which repeats what the client wrote, is cut before the
/// rule and the remedy.
fn text(mut refusal: Refusal) -> String {
    let whole = refusal.to_string();
    if size(&whole) <= MAX_TEXT {
        return whole;
    }
    refusal.message = cut(refusal.message, MAX_TEXT / 4);
    refusal.subject = refusal.subject.map(|subject| cut(subject, MAX_TEXT / 8));
    cut(refusal.to_string(), MAX_TEXT)
}

/// Returns the status for clients of Flight SQL, with the refusal as JSON among its metadata: those that read the details of a status
/// take them for a message of protobuf. What does not fit into the heads of all clients is in the text alone.
pub(in crate::gateway) fn fitting(status: Status) -> Status {
    if status.details().is_empty() {
        return status;
    }
    let status = worded(status);
    let refusal = from_status(&status, None);
    let mut told = Status::new(status.code(), status.message());
    with_refusal(&mut told, refusal);
    told
}

/// Returns the status for clients of either kind, of a refusal that is short.
pub(in crate::gateway) fn fitting_all(status: Status) -> Status {
    let mut status = worded(status);
    let refusal = from_status(&status, None);
    with_refusal(&mut status, refusal);
    status
}

fn with_refusal(status: &mut Status, mut refusal: Refusal) {
    for _ in 0..2 {
        let json = serde_json::to_vec(&refusal).unwrap_or_default();
        if json.len() <= MAX_DETAILS {
            status.metadata_mut().insert_bin(REFUSAL, MetadataValue::from_bytes(&json));
            return;
        }
        refusal.remedy = None;
    }
}

/// Returns the messages of an answer, of which a failure is said as `form` does.
pub(in crate::gateway) fn worded_messages(
    messages: Messages<FlightData>,
    form: fn(Status) -> Status,
) -> Messages<FlightData> {
    messages.map(move |message| message.map_err(form)).boxed()
}

/// Returns the greatest number of bytes that a character travels as: each byte that is no letter and no digit may be three.
fn size_of(c: char) -> usize {
    if c.is_ascii_alphanumeric() { 1 } else { 3 * c.len_utf8() }
}

fn size(text: &str) -> usize {
    text.chars().map(size_of).sum()
}

/// Cuts a text that travels as more than so many bytes.
fn cut(mut text: String, most: usize) -> String {
    let mut size = 0;
    let end = text.char_indices().find(|(_, c)| {
        size += size_of(*c);
        size > most
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
    use wanqu_model::refusal::Code;

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
        let long = Refusal::new(Code::Limit, "湾".repeat(600)).with_rule("x".repeat(1000)).with_remedy("SELECT 2");
        let long = worded(to_status(long));
        assert!(
            size(long.message()) <= MAX_TEXT + 9
                && long.message().contains("湾…")
                && long.message().contains("SELECT 2")
        );
        let long = worded(to_status(Refusal::new(Code::Limit, "no").with_remedy("湾".repeat(600))));
        assert!(size(long.message()) <= MAX_TEXT + 9 && long.message().ends_with('…'));
    }

    #[test]
    fn a_status_fits_into_the_head_that_java_takes() {
        let told = |status: &Status| status.metadata().get_bin(REFUSAL).map(|json| json.to_bytes().unwrap());
        let head = |status: &Status| size(status.message()) + told(status).map_or(0, |json| json.len().div_ceil(3) * 4);
        let read = |status: &Status| serde_json::from_slice::<Refusal>(&told(status)?).ok();
        let base = Refusal::new(Code::ColumnClass, "m".repeat(1500)).with_rule("r".repeat(1000));
        for remedy in [900, 7000] {
            let long = base.clone().with_subject("s".repeat(200)).with_remedy("x".repeat(remedy));
            let status = fitting(to_status(long));
            assert!(head(&status) < 7 * 1024 + 512 && status.details().is_empty(), "{}", head(&status));
            let read = read(&status).unwrap();
            assert_eq!((read.code, read.remedy), (Code::ColumnClass, None));
            assert!(status.message().contains("column-class"));
        }
        let longest = base.with_subject("s".repeat(2000));
        assert_eq!(read(&fitting(to_status(longest))), None);
        let short = Refusal::new(Code::Limit, "no").with_remedy("wait");
        assert_eq!(read(&fitting(to_status(short.clone()))), Some(short));
    }

    #[test]
    fn what_is_not_offered_has_a_status_of_its_own() {
        let status = worded(to_status(super::super::not_offered("ingest", "ask a query")));
        assert_eq!(status.code(), Grpc::Unimplemented);
        assert!(status.message().contains("ask a query"));
    }
}
