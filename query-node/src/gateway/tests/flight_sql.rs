//! Flight SQL at the gateway, with a home that answers as it is told.

use arrow_flight::FlightDescriptor;
use arrow_flight::sql::{
    ActionCreatePreparedStatementRequest, ActionCreatePreparedStatementResult, Any, CommandStatementQuery,
    ProstMessageExt,
};
use prost::Message;
use tonic::Code as Grpc;
use wanqu_model::answer::{INCOMPLETE_COLUMN, JurisdictionOutcome, KeptResult};

use super::*;

fn statement(sql: &str) -> FlightDescriptor {
    let command = CommandStatementQuery { query: sql.to_owned(), transaction_id: None };
    FlightDescriptor::new_cmd(command.as_any().encode_to_vec())
}

/// An answer that was kept.
fn kept() -> Answer {
    let result = KeptResult { id: Uuid::nil(), rows: 2, bytes: 1, expires: Timestamp::MAX };
    let summary = Summary { rows: 2, result: Some(result), may_lack: true, ..Summary::default() };
    of(vec![Event::Schema(schema()), Event::Summary(summary)])
}

#[tokio::test]
async fn a_statement_is_asked_once_and_kept_with_what_its_headers_say() {
    let mut house = House::new(|| Ok(kept())).await;
    let mut request = house.authorized(statement("SELECT 1 AS n"));
    request.metadata_mut().insert("wanqu-project", "study".parse().unwrap());
    request.metadata_mut().insert("wanqu-partial", "true".parse().unwrap());
    let info = house.flight().get_flight_info(request).await.unwrap().into_inner();
    assert_eq!((info.total_records, info.endpoint.len(), info.endpoint[0].location.len()), (2, 1, 0));
    let account: serde_json::Value = serde_json::from_slice(&info.app_metadata).unwrap();
    assert_eq!((&account["may_lack"], &account["rows_may_be_absent"]), (&true.into(), &false.into()));
    let (subject, question, _) = house.questions.recv().await.unwrap();
    assert_eq!((subject.subject.as_str(), question.sql.as_str()), ("wei", "SELECT 1 AS n"));
    assert!(question.partial && question.keep.is_some() && question.project.unwrap().as_str() == "study");
    assert!(house.questions.try_recv().is_err(), "once");
}

#[tokio::test]
async fn an_answer_that_lacks_a_jurisdiction_is_given_only_with_its_rows_marked() {
    let partial = |columns: SchemaRef, rows, rows_lacking| {
        let outcome = JurisdictionOutcome {
            jurisdiction: jid("MO"),
            releases: vec![],
            rows: 0,
            bytes: 0,
            elapsed_ms: 0,
            missing: Some(Refusal::new(Code::OwnerUnavailable, "MO is away")),
            cut_short: false,
        };
        let result = KeptResult { id: Uuid::nil(), rows: 2, bytes: 1, expires: Timestamp::MAX };
        let outcomes = vec![outcome];
        let summary =
            Summary { rows, rows_lacking, outcomes, result: Some(result), may_lack: true, ..Summary::default() };
        of(vec![Event::Schema(columns), Event::Summary(summary)])
    };
    let marked = || Arc::new(Schema::new(vec![Field::new(INCOMPLETE_COLUMN, DataType::Boolean, false)]));
    let house = House::new(move || Ok(partial(schema(), 2, None))).await;
    let status = house.flight().get_flight_info(house.authorized(statement("SELECT 1 AS n"))).await.unwrap_err();
    for words in ["MO is away", "wanqu-mark-incomplete"] {
        assert!(status.message().contains(words), "{}", status.message());
    }
    // The missing part would have been rows of its own: no row is marked, or there is none.
    for (rows, lacking) in [(2, Some(0)), (0, None), (0, Some(0))] {
        let house = House::new(move || Ok(partial(marked(), rows, lacking))).await;
        let status = house.flight().get_flight_info(house.authorized(statement("SELECT 1 AS n"))).await.unwrap_err();
        assert!(status.message().contains("MO is away") && status.message().contains("no row"), "{}", status.message());
    }
    let house = House::new(move || Ok(partial(marked(), 2, Some(1)))).await;
    let info = house.flight().get_flight_info(house.authorized(statement("SELECT 1 AS n"))).await.unwrap().into_inner();
    assert!(String::from_utf8_lossy(&info.app_metadata).contains("MO is away"));
}

#[tokio::test]
async fn hanging_up_before_the_answer_cancels_the_question() {
    let mut house = House::new(|| Ok(stream::pending().boxed())).await;
    let request = house.authorized(statement("SELECT 1 AS n"));
    let mut flight = house.flight();
    let call = tokio::spawn(async move { flight.get_flight_info(request).await });
    let (_, _, cancel) = house.questions.recv().await.unwrap();
    assert!(!cancel.is_cancelled());
    call.abort();
    tokio::time::timeout(Duration::from_secs(20), cancel.cancelled()).await.expect("cancelled");
}

#[tokio::test]
async fn a_refusal_is_one_text_with_rule_and_remedy() {
    let refusal =
        || Refusal::new(Code::ColumnClass, "name is sealed").with_rule("no query reads it").with_remedy("leave it out");
    let house = House::new(move || Err(refusal())).await;
    let status = house.flight().get_flight_info(house.authorized(statement("SELECT 1 AS n"))).await.unwrap_err();
    let told = status.metadata().get_bin("wanqu-refusal-bin").unwrap().to_bytes().unwrap();
    assert_eq!((status.code(), serde_json::from_slice::<Refusal>(&told).unwrap()), (Grpc::PermissionDenied, refusal()));
    for words in ["name is sealed", "no query reads it", "leave it out"] {
        assert!(status.message().contains(words), "{}", status.message());
    }
    let mut request = Request::new(statement("SELECT 1 AS n"));
    request.metadata_mut().insert("authorization", "Basic d2VpOnNlY3JldA==".parse().unwrap());
    let status = house.flight().get_flight_info(request).await.unwrap_err();
    assert_eq!(status.code(), Grpc::Unauthenticated);
    assert!(status.message().contains("Bearer TOKEN"), "{}", status.message());
}

#[tokio::test]
async fn a_client_greets_with_its_token_and_prepares_without_asking() {
    let mut house = House::new(|| Ok(kept())).await;
    let greeting = house.authorized(stream::iter([arrow_flight::HandshakeRequest::default()]));
    let mut greeted = house.flight().handshake(greeting).await.unwrap().into_inner();
    assert!(greeted.message().await.unwrap().is_some());
    let stranger = Request::new(stream::iter([arrow_flight::HandshakeRequest::default()]));
    assert_eq!(house.flight().handshake(stranger).await.unwrap_err().code(), Grpc::Unauthenticated);

    let prepare = ActionCreatePreparedStatementRequest { query: "SELECT 1 AS n".to_owned(), transaction_id: None };
    let action = Action { r#type: "CreatePreparedStatement".to_owned(), body: prepare.as_any().encode_to_vec().into() };
    let mut results = house.flight().do_action(house.authorized(action)).await.unwrap().into_inner();
    let body = results.message().await.unwrap().unwrap().body;
    let prepared: ActionCreatePreparedStatementResult = Any::decode(body).unwrap().unpack().unwrap().unwrap();
    assert!(!prepared.dataset_schema.is_empty() && prepared.parameter_schema.is_empty());
    assert!(house.questions.try_recv().is_err());
}

#[tokio::test]
async fn a_delivered_token_does_nothing_of_flight_sql() {
    let mut house = House::new(|| Ok(kept())).await;
    let token = house.issuer.issue_for_result("wei", AUDIENCE, Timestamp::now(), Duration::from_mins(5)).unwrap();
    let mut request = Request::new(statement("SELECT 1 AS n"));
    request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    let status = house.flight().get_flight_info(request).await.unwrap_err();
    assert!(status.message().contains("fetching one result"), "{}", status.message());
    assert!(house.questions.try_recv().is_err());
}
