//! Queries: begun, looked at, cancelled; and the catalog.

use std::convert::Infallible;
use std::time::Duration;

use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::LOCATION;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use datafusion::common::ScalarValue;
use futures::{StreamExt, stream};
use serde_json::{Value, json};
use uuid::Uuid;
use wanqu_identity::Bearer;
use wanqu_model::answer::Question;
use wanqu_model::refusal::{Code, Refusal};
use wanqu_rules::parameters::{Parameters, literal};

use super::problem::{described, json_response, refused, response, with_status};
use super::{HttpApi, problem};
use crate::gateway::flight_sql::State as Progress;

/// Header that names a request, so that it can be sent again.
const KEY: &str = "idempotency-key";

/// Time after which a reader of events is told that the query still runs.
const PAUSE: Duration = Duration::from_secs(15);

/// Reads a question, with the values of its parameters in their places.
fn read(body: &[u8]) -> Result<Question, Refusal> {
    let unreadable = |_| {
        Refusal::new(Code::Envelope, "the question cannot be read")
            .with_rule(
                "a question is a JSON object with sql, and if needed values, project, purpose, partial, markIncomplete",
            )
            .with_remedy(r#"{"sql": "SELECT …", "project": "…", "purpose": "…"}"#)
    };
    let mut object: Value = serde_json::from_slice(body).map_err(unreadable)?;
    let values = object.as_object_mut().and_then(|fields| fields.remove("values"));
    let values: Vec<Value> = values.map_or(Ok(Vec::new()), serde_json::from_value).map_err(unreadable)?;
    let mut question: Question = serde_json::from_value(object).map_err(unreadable)?;
    // How long an answer is kept is not for its reader to say.
    question.keep = None;
    let literals = values.iter().map(spelt).collect::<Result<Vec<_>, _>>()?;
    question.sql = Parameters::of(&question.sql)?.bound(&question.sql, &literals)?;
    Ok(question)
}

/// Returns a value of JSON as a literal.
fn spelt(value: &Value) -> Result<String, Refusal> {
    let scalar = match value {
        Value::Null => ScalarValue::Null,
        Value::Bool(truth) => ScalarValue::Boolean(Some(*truth)),
        Value::String(text) => ScalarValue::Utf8(Some(text.clone())),
        Value::Number(number) if number.is_i64() => ScalarValue::Int64(number.as_i64()),
        Value::Number(number) if number.is_f64() => ScalarValue::Float64(number.as_f64()),
        Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            return Err(Refusal::new(
                Code::InvalidSql,
                "a value of a parameter is a list, an object or a number of more than 64 bits",
            )
            .with_rule("values are numbers, texts, true, false and null")
            .with_remedy("write it as text: CAST(? AS DATE), CAST(? AS DECIMAL(38, 0))"));
        }
    };
    literal(&scalar)
}

/// Begins a query.
pub(super) async fn submit(
    State(api): State<HttpApi>,
    Extension(bearer): Extension<Bearer>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    // One that cannot be read is refused: passed over, its retry would be a second release.
    let key = headers.get(KEY).map(|key| key.to_str().unwrap_or_default().to_owned());
    if key.as_ref().is_some_and(|key| key.is_empty() || key.len() > 128) {
        let rule = "a key has from 1 to 128 characters of ASCII";
        let wrong = Refusal::new(Code::Envelope, "the Idempotency-Key cannot be read").with_rule(rule);
        return refused(&wrong.with_remedy("send another"));
    }
    let begun = async {
        let question = read(&api.body(&bearer, body).await?)?;
        api.polled.begin(api.asker.clone(), bearer.clone(), question, key)
    };
    let id = match begun.await {
        Ok(id) => id,
        Err(refusal) => return refused(&refusal),
    };
    match api.polled.looked(&bearer.subject, id).await {
        Ok(state) => {
            let mut response = json_response(StatusCode::ACCEPTED, &told(id, &state));
            if let Ok(place) = HeaderValue::from_str(&format!("/v1/queries/{id}")) {
                response.headers_mut().insert(LOCATION, place);
            }
            response
        }
        Err(refusal) => refused(&refusal),
    }
}

/// Tells how far a query is.
pub(super) async fn status(
    State(api): State<HttpApi>,
    Extension(bearer): Extension<Bearer>,
    Path(id): Path<String>,
) -> Response {
    let Ok(id) = id.parse() else { return problem::nothing_here() };
    match api.polled.looked(&bearer.subject, id).await {
        Ok(state) => json_response(StatusCode::OK, &told(id, &state)),
        Err(refusal) => with_status(StatusCode::NOT_FOUND, &refusal),
    }
}

/// Cancels a query.
pub(super) async fn cancel(
    State(api): State<HttpApi>,
    Extension(bearer): Extension<Bearer>,
    Path(id): Path<String>,
) -> Response {
    let Ok(id) = id.parse() else { return problem::nothing_here() };
    match api.polled.end(&bearer.subject, id) {
        Ok(()) => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NO_CONTENT;
            response
        }
        Err(refusal) => with_status(StatusCode::NOT_FOUND, &refusal),
    }
}

/// Tells how far a query is each time that it changes, until its end.
pub(super) async fn events(
    State(api): State<HttpApi>,
    Extension(bearer): Extension<Bearer>,
    Path(id): Path<String>,
) -> Response {
    let Ok(id) = id.parse::<Uuid>() else { return problem::nothing_here() };
    let mut state = match api.polled.look(&bearer.subject, id) {
        Ok(state) => state,
        Err(refusal) => return with_status(StatusCode::NOT_FOUND, &refusal),
    };
    state.mark_changed();
    let changes = stream::unfold(Some((api, bearer, state)), move |following| async move {
        let (api, bearer, mut state) = following?;
        // Whoever reads the events looks at the query.
        api.polled.look(&bearer.subject, id).ok()?;
        match tokio::time::timeout(PAUSE, state.changed()).await {
            Err(_) => Some((": it still runs\n\n".to_owned(), Some((api, bearer, state)))),
            Ok(Err(_)) => None,
            Ok(Ok(())) => {
                let now = state.borrow_and_update().clone();
                let (name, ended) = (name(&now), matches!(now, Progress::Ended(_)));
                let event = format!("event: {name}\ndata: {}\n\n", told(id, &now));
                Some((event, (!ended).then_some((api, bearer, state))))
            }
        }
    });
    let body = Body::from_stream(changes.map(Ok::<_, Infallible>));
    response(StatusCode::OK, HeaderValue::from_static("text/event-stream"), body)
}

/// Returns the tables that a query can name.
pub(super) async fn catalog(State(api): State<HttpApi>) -> Response {
    match serde_json::to_value(api.asker.tables()) {
        Ok(tables) => json_response(StatusCode::OK, &tables),
        Err(_) => refused(&wanqu_client::status::internal()),
    }
}

fn name(state: &Progress) -> &'static str {
    match state {
        Progress::Waiting(_) => "waiting",
        Progress::Running(_) => "running",
        Progress::Ended(Ok(_)) => "answered",
        Progress::Ended(Err(_)) => "refused",
    }
}

/// Returns how far a query is, as JSON.
fn told(id: Uuid, state: &Progress) -> Value {
    let mut told = json!({ "id": id, "state": name(state) });
    match state {
        Progress::Waiting(ahead) => told["waitingBehind"] = (*ahead).into(),
        Progress::Running(part) => told["released"] = json!(part),
        Progress::Ended(Ok(executed)) => {
            told["account"] = json!(executed.summary);
            told["rows"] = format!("/v1/queries/{id}/rows").into();
        }
        Progress::Ended(Err(refusal)) => told["problem"] = described(refusal),
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_read_with_its_values_in_their_places() {
        let body =
            r#"{"sql": "SELECT ? AS a, ? AS b", "values": ["it's", 2], "project": "study", "markIncomplete": true}"#;
        let question = read(body.as_bytes()).unwrap();
        assert_eq!(question.sql, "SELECT ('it''s') AS a, (+2) AS b");
        assert!(question.mark_incomplete && question.project.unwrap().as_str() == "study");
        for wrong in
            ["", "[]", "{}", r#"{"sql": 1}"#, r#"{"sql": "SELECT 1", "admin": true}"#, r#"{"sql": "SELECT ?"}"#]
        {
            assert!(read(wrong.as_bytes()).is_err(), "{wrong}");
        }
        for value in ["[1]", "{}", "9223372036854775808"] {
            let refusal = read(format!(r#"{{"sql": "SELECT ?", "values": [{value}]}}"#).as_bytes()).unwrap_err();
            assert!(refusal.remedy.unwrap().contains("CAST"), "{value}");
        }
        let kept = read(br#"{"sql": "SELECT 1", "keep": {"ttlSeconds": 99999}}"#).unwrap();
        assert!(kept.keep.is_none());
    }
}
