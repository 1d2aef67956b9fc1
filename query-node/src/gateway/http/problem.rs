//! Refusals as problems of RFC 9457.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};
use wanqu_model::refusal::{Code, Refusal};

/// Beginning of the types of problems; the code of the refusal follows.
const TYPE: &str = "urn:wanqu:refusal:";

/// Returns a response with a body of one type.
pub(super) fn response(status: StatusCode, kind: HeaderValue, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

/// Returns a response with a value as JSON.
pub(super) fn json_response(status: StatusCode, value: &Value) -> Response {
    response(status, HeaderValue::from_static("application/json"), value.to_string())
}

/// Returns the problem of a refusal, as JSON.
pub(super) fn described(refusal: &Refusal) -> Value {
    json!({
        "type": format!("{TYPE}{}", refusal.code),
        "title": refusal.message,
        "status": status_of(refusal.code).as_u16(),
        "detail": refusal.to_string(),
        "code": refusal.code,
        "rule": refusal.rule,
        "subject": refusal.subject,
        "owner": refusal.owner,
        "remedy": refusal.remedy,
    })
}

/// Returns the response of a refusal.
pub(super) fn refused(refusal: &Refusal) -> Response {
    with_status(status_of(refusal.code), refusal)
}

/// Returns the response of a refusal with another status than its code has.
pub(super) fn with_status(status: StatusCode, refusal: &Refusal) -> Response {
    let mut problem = described(refusal);
    problem["status"] = status.as_u16().into();
    let mut response = response(status, HeaderValue::from_static("application/problem+json"), problem.to_string());
    let mut header = |name: HeaderName, value| response.headers_mut().insert(name, HeaderValue::from_static(value));
    match status {
        StatusCode::UNAUTHORIZED => drop(header(WWW_AUTHENTICATE, "Bearer")),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => drop(header(RETRY_AFTER, "5")),
        _ => {}
    }
    response
}

fn status_of(code: Code) -> StatusCode {
    match code {
        Code::InvalidSql | Code::UnknownName | Code::NotAQuery | Code::Envelope => StatusCode::BAD_REQUEST,
        Code::Identity => StatusCode::UNAUTHORIZED,
        Code::Limit => StatusCode::TOO_MANY_REQUESTS,
        Code::OwnerUnavailable | Code::Draining => StatusCode::SERVICE_UNAVAILABLE,
        Code::Cancelled => StatusCode::CONFLICT,
        Code::ReleaseShape | Code::Source | Code::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::FORBIDDEN,
    }
}

/// Returns the response to a request for what there is not.
pub(super) fn nothing_here() -> Response {
    let refusal = Refusal::new(Code::UnknownName, "there is nothing here")
        .with_rule("the paths are those of /v1/openapi.json")
        .with_remedy("POST a question to /v1/queries");
    with_status(StatusCode::NOT_FOUND, &refusal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_has_all_parts_of_its_refusal() {
        let refusal =
            Refusal::new(Code::ColumnClass, "name is sealed").with_rule("no query reads it").with_remedy("ask");
        let told = described(&refusal);
        assert_eq!((told["status"].as_u64(), told["code"].as_str()), (Some(403), Some("column-class")));
        assert_eq!((told["rule"].as_str(), told["remedy"].as_str()), (Some("no query reads it"), Some("ask")));
        assert_eq!(told["type"], "urn:wanqu:refusal:column-class");
        let busy = refused(&Refusal::new(Code::Limit, "no"));
        assert_eq!((busy.status().as_u16(), busy.headers()[RETRY_AFTER].as_bytes()), (429, b"5".as_slice()));
        assert_eq!(refused(&Refusal::new(Code::Identity, "no")).headers()[WWW_AUTHENTICATE], "Bearer");
    }
}
