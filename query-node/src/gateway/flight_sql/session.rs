//! Options of a session: what a question belongs to, said once for a connection.
//!
//! The options are in the cookie that the client keeps, and nowhere else: the node holds nothing of a session, and any replica
//! goes on with it. A cookie says no more than the headers of a call can, so a forged one is one more way to say them. Clients
//! that keep no cookies, as ADBC by default, are refused: they would take an option for set, and ask without it.
//!
//! arrow-flight 59 has no messages of sessions, so they are declared here.

use std::collections::{BTreeMap, HashMap};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use prost::Message;
use serde::{Deserialize, Serialize};
use tonic::metadata::MetadataMap;
use wanqu_client::status::internal;
use wanqu_model::answer::Question;
use wanqu_model::names::{Purpose, ResourceName};
use wanqu_model::refusal::{Code, Refusal};

use crate::doors::flight::Acted;

/// Name of the cookie.
const COOKIE: &str = "wanqu-session";

/// Cookie of a session without options, by its name and whole: whoever keeps it shows that cookies are kept. It is the empty JSON
/// object.
pub(in crate::gateway) const GREETING: (&str, &str) = (COOKIE, "wanqu-session=e30");

/// Options that can be set, for refusals.
const NAMES: &str = "the options of a session are project, purpose, partial and mark_incomplete";

/// How options are sent by clients that keep no cookies.
const COOKIES: &str = "have the client keep cookies (in ADBC, adbc.flight.sql.rpc.with_cookie_middleware = true), or send the \
                       options as headers wanqu-project, wanqu-purpose, wanqu-partial and wanqu-mark-incomplete";

/// Value of an option.
#[derive(Clone, PartialEq, prost::Message)]
struct OptionValue {
    #[prost(oneof = "Kind", tags = "1, 2, 3, 4, 5")]
    kind: Option<Kind>,
}

/// Kinds of values.
#[derive(Clone, PartialEq, prost::Oneof)]
enum Kind {
    #[prost(string, tag = "1")]
    Text(String),
    #[prost(bool, tag = "2")]
    Switch(bool),
    #[prost(sfixed64, tag = "3")]
    Integer(i64),
    #[prost(double, tag = "4")]
    Float(f64),
    #[prost(message, tag = "5")]
    Texts(Texts),
}

/// List of texts.
#[derive(Clone, PartialEq, Eq, prost::Message)]
struct Texts {
    #[prost(string, repeated, tag = "1")]
    values: Vec<String>,
}

/// Options by name: a request to set them, and the answer to what they are.
#[derive(Clone, PartialEq, prost::Message)]
struct OptionValues {
    #[prost(map = "string, message", tag = "1")]
    options: HashMap<String, OptionValue>,
}

/// Result of closing a session.
#[derive(Clone, PartialEq, Eq, prost::Message)]
struct Closed {
    /// What became of it: 1 is "closed".
    #[prost(int32, tag = "1")]
    status: i32,
}

/// Options of a session.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Session {
    #[serde(skip_serializing_if = "Option::is_none")]
    project: Option<ResourceName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    purpose: Option<Purpose>,
    #[serde(skip_serializing_if = "Option::is_none")]
    partial: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mark_incomplete: Option<bool>,
}

impl Session {
    /// Reads the session of a call; `None` if its client keeps none.
    ///
    /// # Errors
    /// [`Code::Envelope`] for a cookie that this gateway did not give.
    pub fn of(headers: &MetadataMap) -> Result<Option<Self>, Refusal> {
        let lines = headers.get_all("cookie").iter().filter_map(|line| line.to_str().ok());
        let mut cookies = lines.flat_map(|line| line.split(';')).filter_map(|cookie| cookie.trim().split_once('='));
        let Some((_, value)) = cookies.find(|(name, _)| *name == COOKIE) else { return Ok(None) };
        let json = URL_SAFE_NO_PAD.decode(value.trim_matches('"')).unwrap_or_default();
        serde_json::from_slice(&json).map(Some).map_err(|_| {
            Refusal::new(Code::Envelope, "the session of this connection cannot be read")
                .with_subject(format!("cookie {COOKIE}"))
                .with_rule("a session is what this gateway gave as a cookie")
                .with_remedy("connect anew, and set the options again")
        })
    }

    /// Returns the question with the options of the session.
    pub fn applied(self, mut question: Question) -> Question {
        question.project = self.project.or(question.project);
        question.purpose = self.purpose.or(question.purpose);
        question.partial = self.partial.unwrap_or(question.partial);
        question.mark_incomplete = self.mark_incomplete.unwrap_or(question.mark_incomplete);
        question
    }

    /// Sets an option; without a value, takes it away.
    fn set(&mut self, name: &str, value: Option<Kind>) -> Result<(), Refusal> {
        let plain = name.strip_prefix("wanqu.").or_else(|| name.strip_prefix("wanqu-")).unwrap_or(name);
        match plain.replace('-', "_").as_str() {
            "project" => self.project = parsed(value, "project is the name of a ResearchProject")?,
            "purpose" => self.purpose = parsed(value, "purpose is a purpose of the project")?,
            "partial" => self.partial = switch(value, "partial is true or false")?,
            "mark_incomplete" => self.mark_incomplete = switch(value, "mark_incomplete is true or false")?,
            "catalog" | "schema" => {
                return Err(Refusal::new(Code::UnknownName, "a session has no current catalog or schema")
                    .with_rule(NAMES)
                    .with_remedy("write the names of tables in full, as in gba.health.visits"));
            }
            _ => {
                return Err(Refusal::new(Code::UnknownName, "there is no such option of a session")
                    .with_rule(NAMES)
                    .with_remedy("set one of these"));
            }
        }
        Ok(())
    }

    fn values(&self) -> OptionValues {
        let texts = [
            ("project", self.project.as_ref().map(ToString::to_string)),
            ("purpose", self.purpose.as_ref().map(ToString::to_string)),
        ];
        let switches = [("partial", self.partial), ("mark_incomplete", self.mark_incomplete)];
        let texts = texts.into_iter().filter_map(|(name, text)| Some((name, Kind::Text(text?))));
        let switches = switches.into_iter().filter_map(|(name, on)| Some((name, Kind::Switch(on?))));
        let value = |(name, kind): (&str, Kind)| (name.to_owned(), OptionValue { kind: Some(kind) });
        OptionValues { options: texts.chain(switches).map(value).collect() }
    }

    fn cookie(&self) -> Result<String, Refusal> {
        let json = serde_json::to_vec(self).map_err(|_| internal())?;
        Ok(format!("{COOKIE}={}", URL_SAFE_NO_PAD.encode(json)))
    }
}

fn wrong(rule: &str) -> Refusal {
    Refusal::new(Code::Envelope, "an option of the session has another value than it can have")
        .with_rule(rule)
        .with_remedy(NAMES)
}

fn parsed<T: std::str::FromStr>(value: Option<Kind>, rule: &str) -> Result<Option<T>, Refusal> {
    match value {
        None => Ok(None),
        Some(Kind::Text(text)) => text.parse().map(Some).map_err(|_| wrong(rule)),
        Some(_) => Err(wrong(rule)),
    }
}

fn switch(value: Option<Kind>, rule: &str) -> Result<Option<bool>, Refusal> {
    match value {
        None => Ok(None),
        Some(Kind::Switch(on)) => Ok(Some(on)),
        Some(Kind::Text(text)) => super::options::on(&text).map(Some).ok_or_else(|| wrong(rule)),
        Some(_) => Err(wrong(rule)),
    }
}

/// Sets the options that a request names.
///
/// # Errors
/// [`Code::Envelope`] for a request that cannot be read or a value that an option cannot have; [`Code::UnknownName`] for an option
/// that there is not; [`Code::NotAQuery`] for a client that keeps no cookies. Then none is set.
pub(super) fn set(headers: &MetadataMap, body: &[u8]) -> Result<Acted, Refusal> {
    let request = OptionValues::decode(body).map_err(|_| {
        Refusal::new(Code::Envelope, "the options of the session cannot be read")
            .with_rule("SetSessionOptions has options by name")
            .with_remedy(NAMES)
    })?;
    let Some(mut session) = Session::of(headers)? else {
        return Err(super::not_offered("an option of a session for a client that keeps no cookies", COOKIES));
    };
    let options: BTreeMap<String, OptionValue> = request.options.into_iter().collect();
    for (name, value) in options {
        session.set(&name, value.kind)?;
    }
    // No errors: an empty message.
    Ok(Acted { body: Some(Vec::new()), cookie: Some(session.cookie()?) })
}

/// Returns the options of the session of a call.
pub(super) fn get(headers: &MetadataMap) -> Result<Acted, Refusal> {
    let session = Session::of(headers)?.unwrap_or_default();
    Ok(Acted::with(session.values().encode_to_vec()))
}

/// Ends the session of a call: its client forgets the cookie.
pub(super) fn close() -> Acted {
    Acted { body: Some(Closed { status: 1 }.encode_to_vec()), cookie: Some(format!("{COOKIE}=; Max-Age=0")) }
}

/// Reads bytes as a request and as a cookie, and panics if a session that was read is written otherwise.
pub(super) fn read(bytes: &[u8]) {
    let mut headers = MetadataMap::new();
    if let Ok(value) = tonic::metadata::AsciiMetadataValue::try_from(bytes) {
        headers.insert("cookie", value);
    }
    if let Ok(Some(session)) = Session::of(&headers) {
        let cookie = session.cookie().unwrap_or_default();
        let again = cookie.parse().map(|value| headers.insert("cookie", value));
        assert!(again.is_ok(), "a cookie cannot be sent");
        assert_eq!(Session::of(&headers).ok().flatten(), Some(session), "a session that was written is another");
    }
    headers.insert("cookie", tonic::metadata::AsciiMetadataValue::from_static(GREETING.1));
    let _ = set(&headers, bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(options: &[(&str, Option<Kind>)]) -> Vec<u8> {
        let options =
            options.iter().map(|(name, kind)| ((*name).to_owned(), OptionValue { kind: kind.clone() })).collect();
        OptionValues { options }.encode_to_vec()
    }

    fn with(cookie: &str) -> MetadataMap {
        let mut headers = MetadataMap::new();
        headers.insert("cookie", format!("other=1; {cookie};x=y").parse().unwrap());
        headers
    }

    #[expect(clippy::unnecessary_wraps, reason = "the message has no field where there is no value")]
    fn text(text: &str) -> Option<Kind> {
        Some(Kind::Text(text.to_owned()))
    }

    #[test]
    fn options_are_kept_in_the_cookie() {
        let first = set(&with(GREETING.1), &request(&[("wanqu-project", text("capacity")), ("partial", text("true"))]));
        let cookie = first.unwrap().cookie.unwrap();
        let more = [("wanqu.mark_incomplete", Some(Kind::Switch(true))), ("purpose", text("health-planning"))];
        let cookie = set(&with(&cookie), &request(&more)).unwrap().cookie.unwrap();
        let asked = Session::of(&with(&cookie)).unwrap().unwrap().applied(Question::default());
        assert_eq!((asked.project.unwrap().as_str(), asked.purpose.unwrap().as_str()), ("capacity", "health-planning"));
        assert!(asked.partial && asked.mark_incomplete);
        let told = OptionValues::decode(get(&with(&cookie)).unwrap().body.unwrap().as_slice()).unwrap();
        assert_eq!(told.options.len(), 4);
        assert_eq!(told.options["project"].kind, text("capacity"));
        let less = set(&with(&cookie), &request(&[("project", None), ("partial", None)])).unwrap().cookie.unwrap();
        let told = OptionValues::decode(get(&with(&less)).unwrap().body.unwrap().as_slice()).unwrap();
        assert_eq!(told.options.len(), 2);
        assert!(close().cookie.unwrap().ends_with("Max-Age=0"));
    }

    #[test]
    fn what_cannot_be_set_is_refused_in_words() {
        for (option, words) in [
            (("catalog", text("gba")), "gba.health.visits"),
            (("timeout", text("1")), "project, purpose"),
            (("partial", text("perhaps")), "true or false"),
            (("partial", Some(Kind::Integer(1))), "true or false"),
            (("project", text("a b")), "ResearchProject"),
        ] {
            let refusal = set(&with(GREETING.1), &request(&[option])).unwrap_err();
            assert!(refusal.to_string().contains(words), "{refusal}");
        }
        assert!(set(&with(GREETING.1), &[0xff; 9]).is_err());
        let refusal = set(&MetadataMap::new(), &request(&[])).unwrap_err();
        assert!(refusal.remedy.unwrap().contains("cookie_middleware"), "a client that keeps none");
        for forged in ["wanqu-session=e30x", "wanqu-session=", "wanqu-session=eyJhZG1pbiI6dHJ1ZX0"] {
            assert_eq!(Session::of(&with(forged)).unwrap_err().code, Code::Envelope, "{forged}");
        }
        assert!(Session::of(&with("a=b")).unwrap().is_none());
    }
}
