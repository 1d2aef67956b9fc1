//! Options of a question that travel beside its text, as headers of the call.
//!
//! Clients have no other place for them that they all keep: state by cookies (`session`) is off in ADBC. ADBC sends a header by the
//! option `adbc.flight.sql.rpc.call_header.NAME`; JDBC sends every property that it does not know as one.

use tonic::metadata::MetadataMap;
use wanqu_model::answer::Question;
use wanqu_model::refusal::{Code, Refusal};

use super::session::Session;

/// How options are sent, for refusals.
const HOW: &str = "send the headers wanqu-project, wanqu-purpose, wanqu-partial and wanqu-mark-incomplete (in \
                              ADBC as the options adbc.flight.sql.rpc.call_header.wanqu-project and so on, in JDBC as \
                              properties), or write SET wanqu.project = 'NAME'; before the query";

/// Returns the question with what the session and the headers of a call say of it. A header goes before the session.
///
/// # Errors
/// [`Code::Envelope`] for a header with another value than it can have, or a session that cannot be read.
pub(super) fn with_options(question: Question, headers: &MetadataMap) -> Result<Question, Refusal> {
    let mut question = Session::of(headers)?.unwrap_or_default().applied(question);
    if let Some(project) = header(headers, "wanqu-project")? {
        question.project = Some(project.parse().map_err(|_| wrong("wanqu-project", "the name of a ResearchProject"))?);
    }
    if let Some(purpose) = header(headers, "wanqu-purpose")? {
        question.purpose = Some(purpose.parse().map_err(|_| wrong("wanqu-purpose", "a purpose of the project"))?);
    }
    if let Some(on) = switch(headers, "wanqu-partial")? {
        question.partial = on;
    }
    if let Some(on) = switch(headers, "wanqu-mark-incomplete")? {
        question.mark_incomplete = on;
    }
    Ok(question)
}

fn header<'a>(headers: &'a MetadataMap, name: &'static str) -> Result<Option<&'a str>, Refusal> {
    let value = headers.get(name).map(|value| value.to_str().map_err(|_| wrong(name, "printable text")));
    value.transpose()
}

fn switch(headers: &MetadataMap, name: &'static str) -> Result<Option<bool>, Refusal> {
    header(headers, name)?.map(|value| on(value).ok_or_else(|| wrong(name, "true or false"))).transpose()
}

/// Reads a switch.
pub(super) fn on(value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "on" | "1" => Some(true),
        "false" | "off" | "0" => Some(false),
        _ => None,
    }
}

fn wrong(name: &str, values: &str) -> Refusal {
    Refusal::new(Code::Envelope, "a header has another value than it can have")
        .with_subject(format!("header {name}"))
        .with_rule(format!("{name} is {values}"))
        .with_remedy(HOW)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(headers: &[(&'static str, &str)]) -> Result<Question, Refusal> {
        let mut map = MetadataMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        with_options(Question { partial: true, ..Question::default() }, &map)
    }

    #[test]
    fn headers_say_what_the_fields_of_a_question_say() {
        let question = options(&[
            ("wanqu-project", "capacity"),
            ("wanqu-purpose", "health-planning"),
            ("wanqu-partial", "false"),
            ("wanqu-mark-incomplete", "1"),
        ]);
        let question = question.unwrap();
        assert_eq!(question.project.unwrap().as_str(), "capacity");
        assert!(question.purpose.is_some() && !question.partial && question.mark_incomplete);
        assert!(options(&[]).unwrap().partial, "what is not sent stays");
    }

    #[test]
    fn other_values_are_refused_with_what_to_send() {
        for header in [("wanqu-partial", "perhaps"), ("wanqu-project", "a b"), ("wanqu-purpose", "")] {
            let refusal = options(&[header]).unwrap_err();
            assert!(refusal.code == Code::Envelope && refusal.subject.unwrap().contains(header.0));
        }
    }
}
