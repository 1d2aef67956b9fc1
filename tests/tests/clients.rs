//! Clients of others' against gateways of a federation: the answers are those that our own client gets, and no way of asking
//! gives more than a question does.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::sql::{
    ActionClosePreparedStatementRequest, ActionCreatePreparedStatementRequest, ActionCreatePreparedStatementResult,
    Any, CommandGetTables, CommandPreparedStatementQuery, CommandStatementQuery, CommandStatementSubstraitPlan,
    CommandStatementUpdate, ProstMessageExt, TicketStatementQuery,
};
use arrow_flight::{
    Action, CancelFlightInfoRequest, CancelFlightInfoResult, CancelStatus, FlightData, FlightDescriptor, FlightInfo,
    PollInfo, Ticket,
};
use futures::{StreamExt, TryStreamExt, stream};
use prost::Message;
use query_node::audit::{self, Entry, Filter};
use query_node::bundle_file::FiledBundle;
use serde_json::{Value, json};
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use wanqu_client::connect::channel;
use wanqu_identity::gateway_client_config;
use wanqu_model::bundle::Subject;
use wanqu_tests::clients::{
    ADBC_SCRIPT, FRAMES_SCRIPT, GO_PROGRAM, JDBC_PROGRAM, Said, adbc, adbc_in_go, frames, jdbc, spelt, written,
};
use wanqu_tests::compare::{Order, Rows, difference};
use wanqu_tests::federation::{Federation, HONG_KONG, SHENZHEN, jid, researcher};
use wanqu_tests::health::HealthOptions;
use wanqu_tests::world::World;

const VISITS: &str = "SELECT jurisdiction, count(*) AS n FROM gba.health.visits GROUP BY jurisdiction";

async fn federation() -> Federation {
    Federation::start(World::health(4, HealthOptions::default()).unwrap()).await.unwrap()
}

fn token(federation: &Federation, subject: &Subject) -> String {
    federation.local.token(&jid(HONG_KONG), subject, Duration::from_hours(1)).unwrap()
}

/// Questions with parameters, their values, and the same question with literals.
fn cases() -> Vec<(&'static str, &'static str, Value, &'static str)> {
    let grouped = "SELECT specialty, count(*) AS n, avg(cost) AS cost FROM gba.health.visits GROUP BY specialty";
    let public = "SELECT * FROM gba.health.facilities ORDER BY facility";
    vec![
        ("public", public, json!([]), public),
        ("grouped", grouped, json!([]), grouped),
        (
            "explained",
            "EXPLAIN SELECT count(*) AS n FROM gba.health.visits",
            json!([]),
            "EXPLAIN SELECT count(*) AS n FROM gba.health.visits",
        ),
        (
            "values",
            "SELECT ? AS a, ? AS b, ? AS c, ? AS d, ? AS e, ? AS f, ? AS g",
            json!(["it's \\ ; -- /* 湾 ?", -7, 2.5, true, null, {"date": "2024-02-29"}, {"moment": "2024-02-29T12:00:00"}]),
            "SELECT 'it''s \\ ; -- /* 湾 ?' AS a, -7 AS b, CAST('2.5' AS DOUBLE) AS c, true AS d, NULL AS e, \
             DATE '2024-02-29' AS f, CAST('2024-02-29 12:00:00' AS TIMESTAMP(6)) AS g",
        ),
        (
            "filtered",
            "SELECT jurisdiction, count(*) AS n FROM gba.health.visits WHERE specialty = $2 AND emergency = $1 \
             GROUP BY jurisdiction",
            json!([false, "cardiology"]),
            "SELECT jurisdiction, count(*) AS n FROM gba.health.visits WHERE specialty = 'cardiology' AND emergency = false \
             GROUP BY jurisdiction",
        ),
        (
            "days",
            "SELECT facility FROM gba.health.facilities WHERE opened >= ? AND beds > ? ORDER BY facility LIMIT 3",
            json!([{"date": "1990-01-01"}, 10]),
            "SELECT facility FROM gba.health.facilities WHERE opened >= DATE '1990-01-01' AND beds > 10 ORDER BY facility LIMIT 3",
        ),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn adbc_in_python() {
    let federation = Arc::new(federation().await);
    let folder = tempfile::tempdir().unwrap();
    let listed = cases()
        .into_iter()
        .map(|(name, sql, parameters, _)| json!({"name": name, "sql": sql, "parameters": parameters}));
    std::fs::write(folder.path().join("cases.json"), listed.collect::<Value>().to_string()).unwrap();
    let said = script(&federation, ADBC_SCRIPT, folder.path()).await;
    let checks = ADBC_SCRIPT.matches("\ndef check_").count();
    assert_eq!(said.matches("passed check_").count(), checks, "{said}");
    for (name, _, _, sql) in cases() {
        let got = written(&folder.path().join(format!("{name}.arrow"))).unwrap();
        let expected = federation.ask(HONG_KONG, sql).await.unwrap().rows;
        let order = if sql.contains("ORDER BY") { Order::Total } else { Order::Any };
        assert_eq!(difference(&expected, &got, order), None, "{name}");
        assert!(!got.rows.is_empty(), "{name}");
    }
}

/// Values of parameters as the program reads them.
fn spelt_parameters(values: &Value) -> Vec<String> {
    let spelt = |value: &Value| match value {
        Value::Null => "null\u{1f}".to_owned(),
        Value::Bool(truth) => format!("truth\u{1f}{truth}"),
        Value::Number(number) if number.is_f64() => format!("float\u{1f}{number}"),
        Value::Number(number) => format!("integer\u{1f}{number}"),
        Value::Object(typed) => {
            let (kind, text) = typed.iter().next().unwrap();
            let kind = if kind == "date" { "day" } else { kind };
            let zone = if kind == "moment" { "Z" } else { "" };
            format!("{kind}\u{1f}{}{zone}", text.as_str().unwrap())
        }
        text => format!("text\u{1f}{}", text.as_str().unwrap()),
    };
    values.as_array().unwrap().iter().map(spelt).collect()
}

/// Questions for JDBC, which binds values of the types that the text gives its parameters.
fn typed_cases() -> Vec<(&'static str, &'static str, Value, &'static str)> {
    let mut cases = cases();
    cases.retain(|(name, ..)| *name != "values");
    cases.extend([
        (
            "typed",
            "SELECT ? AS a, CAST(? AS BIGINT) AS b, CAST(? AS DOUBLE) AS c, CAST(? AS BOOLEAN) AS d, CAST(? AS INT) AS e, \
             CAST(? AS DATE) AS f, CAST(? AS TIMESTAMP) AS g, CAST(? AS DECIMAL(12, 2)) AS h",
            json!(["it's \\ ; -- /* 湾 ?", -7, 2.5, true, null, {"date": "2024-02-29"}, {"moment": "2024-02-29T12:00:00.125"},
                {"decimal": "-1234.50"}]),
            "SELECT 'it''s \\ ; -- /* 湾 ?' AS a, CAST(-7 AS BIGINT) AS b, CAST('2.5' AS DOUBLE) AS c, true AS d, CAST(NULL AS INT) AS e, \
             DATE '2024-02-29' AS f, CAST('2024-02-29 12:00:00.125' AS TIMESTAMP) AS g, CAST('-1234.50' AS DECIMAL(12, 2)) AS h",
        ),
        (
            "moments",
            "SELECT jurisdiction, count(*) AS n FROM gba.health.visits WHERE seen_at >= ? GROUP BY jurisdiction",
            json!([{"moment": "2018-09-01T00:00:00"}]),
            "SELECT jurisdiction, count(*) AS n FROM gba.health.visits WHERE seen_at >= TIMESTAMP '2018-09-01 00:00:00' \
             GROUP BY jurisdiction",
        ),
    ]);
    cases
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jdbc_in_java() {
    let federation = Arc::new(federation().await);
    let folder = tempfile::tempdir().unwrap();
    let listed = typed_cases().into_iter().map(|(name, sql, parameters, _)| {
        let parts = [name.to_owned(), sql.to_owned()].into_iter().chain(spelt_parameters(&parameters));
        parts.collect::<Vec<_>>().join("\u{1e}")
    });
    std::fs::write(folder.path().join("cases.txt"), listed.collect::<Vec<_>>().join("\u{1d}")).unwrap();
    let said = on_a_thread(&federation, folder.path(), jdbc).await;
    let checks = JDBC_PROGRAM.matches("static void check_").count();
    assert_eq!(said.matches("passed check_").count(), checks, "{said}");
    for (name, _, _, sql) in typed_cases() {
        let expected = federation.ask(HONG_KONG, sql).await.unwrap().rows;
        let rows = spelt(&folder.path().join(format!("{name}.rows"))).unwrap();
        let got = Rows { rows, ..expected.clone() };
        let order = if sql.contains("ORDER BY") { Order::Total } else { Order::Any };
        assert_eq!(difference(&expected, &got, order), None, "{name}");
        assert!(!got.rows.is_empty(), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pandas_polars_and_sqlalchemy() {
    let federation = Arc::new(federation().await);
    let said = on_a_thread(&federation, tempfile::tempdir().unwrap().path(), frames).await;
    assert_eq!(said.matches("passed check_").count(), FRAMES_SCRIPT.matches("\ndef check_").count(), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn adbc_from_go() {
    let federation = Arc::new(federation().await);
    let folder = tempfile::tempdir().unwrap();
    let said = on_a_thread(&federation, folder.path(), adbc_in_go).await;
    let checks = GO_PROGRAM.matches("\nfunc check").count();
    assert!(checks >= 6 && said.matches("passed ").count() == checks, "{said}");
}

/// Runs a program on a thread of its own, and returns what it printed.
async fn on_a_thread(
    federation: &Arc<Federation>,
    folder: &Path,
    program: impl FnOnce(&Federation, &str, &str, &Path) -> Said + Send + 'static,
) -> String {
    let (federation, folder) = (Arc::clone(federation), folder.to_owned());
    let run = tokio::task::spawn_blocking(move || {
        let token = token(&federation, &researcher());
        program(&federation, HONG_KONG, &token, &folder).map_err(|error| error.to_string())
    });
    run.await.unwrap().unwrap_or_else(|said| panic!("{said}"))
}

/// Runs a script on a thread of its own, and returns what it printed.
async fn script(federation: &Arc<Federation>, text: &str, folder: &Path) -> String {
    let text = text.to_owned();
    on_a_thread(federation, folder, move |federation, home, token, folder| adbc(federation, home, token, &text, folder))
        .await
}

/// The blocks of Python on the page are run one after the other, in one script, in each language.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_on_clients() {
    let federation = Arc::new(federation().await);
    for page in ["clients.md", "clients.zh-CN.md"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(page);
        let text = std::fs::read_to_string(&path).unwrap();
        let blocks: Vec<&str> =
            text.split("```python\n").skip(1).map(|rest| rest.split("```").next().unwrap_or_default()).collect();
        assert!(blocks.len() >= 3, "{page} has few examples");
        let said = script(&federation, &blocks.join("\n"), tempfile::tempdir().unwrap().path()).await;
        assert!(said.contains("jurisdiction") && said.contains("remedy:"), "{page}: {said}");
    }
}

/// A caller that speaks the bare protocol.
struct Caller {
    flight: FlightServiceClient<Channel>,
    token: String,
}

impl Caller {
    fn new(federation: &Federation, subject: &Subject) -> Self {
        let gateway = federation.local.gateway(&jid(HONG_KONG)).unwrap();
        let tls = gateway_client_config(federation.local.ca(&jid(HONG_KONG)).unwrap()).unwrap();
        let address = gateway.trim_start_matches("https://").to_owned();
        let flight = FlightServiceClient::new(channel(address, "localhost".try_into().unwrap(), tls).unwrap());
        Self { flight, token: token(federation, subject) }
    }

    fn call<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        let headers = request.metadata_mut();
        headers.insert("authorization", format!("Bearer {}", self.token).parse().unwrap());
        headers.insert("wanqu-project", "capacity".parse().unwrap());
        headers.insert("wanqu-purpose", "health-planning".parse().unwrap());
        request
    }

    async fn info(&mut self, command: Vec<u8>) -> Result<FlightInfo, Status> {
        let request = self.call(FlightDescriptor::new_cmd(command));
        self.flight.get_flight_info(request).await.map(tonic::Response::into_inner)
    }

    async fn executed(&mut self, sql: &str) -> Result<FlightInfo, Status> {
        self.info(bytes(&CommandStatementQuery { query: sql.to_owned(), transaction_id: None })).await
    }

    async fn poll(&mut self, descriptor: FlightDescriptor) -> Result<PollInfo, Status> {
        let request = self.call(descriptor);
        self.flight.poll_flight_info(request).await.map(tonic::Response::into_inner)
    }

    async fn cancel(&mut self, info: FlightInfo) -> CancelStatus {
        let request = CancelFlightInfoRequest { info: Some(info) }.encode_to_vec();
        let body = self.action("CancelFlightInfo", request).await.unwrap().remove(0).body;
        CancelFlightInfoResult::decode(body).unwrap().status()
    }

    async fn get(&mut self, ticket: Ticket) -> Result<Vec<FlightData>, Status> {
        let request = self.call(ticket);
        self.flight.do_get(request).await?.into_inner().try_collect().await
    }

    async fn action(&mut self, name: &str, body: Vec<u8>) -> Result<Vec<arrow_flight::Result>, Status> {
        let request = self.call(Action { r#type: name.to_owned(), body: body.into() });
        self.flight.do_action(request).await?.into_inner().try_collect().await
    }
}

fn bytes(message: &impl ProstMessageExt) -> Vec<u8> {
    message.as_any().encode_to_vec()
}

/// The descriptor of a statement.
fn described(sql: &str) -> FlightDescriptor {
    FlightDescriptor::new_cmd(bytes(&CommandStatementQuery { query: sql.to_owned(), transaction_id: None }))
}

fn ticket(info: &FlightInfo) -> Ticket {
    info.endpoint[0].ticket.clone().unwrap()
}

fn entries(federation: &Federation, node: &str) -> Vec<Entry> {
    let folder = federation.local.audit(&jid(node)).unwrap();
    audit::read(&[folder], &Filter::default()).unwrap().into_iter().map(|record| record.entry).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_execution_is_one_release_however_often_its_answer_is_fetched() {
    let federation = federation().await;
    let mut caller = Caller::new(&federation, &researcher());
    let request = ActionCreatePreparedStatementRequest { query: VISITS.to_owned(), transaction_id: None };
    let prepared = caller.action("CreatePreparedStatement", bytes(&request)).await.unwrap();
    let prepared: ActionCreatePreparedStatementResult =
        Any::decode(prepared[0].body.clone()).unwrap().unpack().unwrap().unwrap();
    assert!(!prepared.dataset_schema.is_empty());
    let released =
        |node: &str| entries(&federation, node).iter().filter(|e| matches!(e, Entry::Released { .. })).count();
    assert_eq!((released(SHENZHEN), released(HONG_KONG)), (0, 0), "preparing asks nobody");

    let handle = prepared.prepared_statement_handle;
    let info =
        caller.info(bytes(&CommandPreparedStatementQuery { prepared_statement_handle: handle.clone() })).await.unwrap();
    let close = ActionClosePreparedStatementRequest { prepared_statement_handle: handle };
    assert!(caller.action("ClosePreparedStatement", bytes(&close)).await.unwrap().is_empty());
    let first = caller.get(ticket(&info)).await.unwrap();
    assert!(first.len() >= 2 && first == caller.get(ticket(&info)).await.unwrap(), "the same bytes");
    assert!(first.iter().all(|message| !message.data_header.is_empty()), "each is of columns or rows");
    assert_eq!((released(SHENZHEN), released(HONG_KONG)), (1, 1));
    let account: Value = serde_json::from_slice(&info.app_metadata).unwrap();
    assert_eq!((&account["rows"], &account["missing"]), (&json!(info.total_records), &json!([])));
    assert!(account["wanqu.query_id"].is_string() && account["may_lack"].is_boolean());
    let fetched =
        entries(&federation, HONG_KONG).iter().filter(|e| matches!(e, Entry::Fetched { refusal: None, .. })).count();
    assert_eq!(fetched, 2);

    let other = Subject { subject: "somebody-else".to_owned(), ..researcher() };
    let refused = Caller::new(&federation, &other).get(ticket(&info)).await.unwrap_err();
    assert!(refused.message().contains("there is no such result"), "{refusal}", refusal = refused.message());
    let forged = TicketStatementQuery { statement_handle: json!({"result": uuid::Uuid::new_v4()}).to_string().into() };
    let unknown = caller.get(Ticket { ticket: bytes(&forged).into() }).await.unwrap_err();
    assert_eq!(unknown.message(), refused.message(), "whether there is one is not told");

    let mut bundle = federation.local.bundle(&jid(HONG_KONG)).unwrap().clone();
    bundle.projects.clear();
    let filed = FiledBundle { bundle, digest: "changed".to_owned(), left_out: Vec::new() };
    federation.local.node(&jid(HONG_KONG)).unwrap().reload(filed).unwrap();
    let ended = caller.get(ticket(&info)).await.unwrap_err();
    assert_eq!(ended.code(), Code::PermissionDenied, "the project has ended: {}", ended.message());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forged_handle_asks_what_its_forger_may_ask() {
    let federation = federation().await;
    let mut caller = Caller::new(&federation, &researcher());
    let rows = "SELECT patient FROM gba.health.visits";
    let plain = caller.executed(rows).await.unwrap_err();
    for (sql, values) in [
        (rows, json!([])),
        ("SELECT ? AS a", json!([format!("1) AS a UNION ALL {rows} --")])),
        ("SELECT ? AS a", json!([format!("({rows} LIMIT 1)")])),
    ] {
        let handle = json!({"question": {"sql": sql}, "values": values}).to_string();
        let command = bytes(&CommandPreparedStatementQuery { prepared_statement_handle: handle.into() });
        let refused = caller.info(command).await.unwrap_err();
        assert_eq!(refused.code(), plain.code(), "{sql} {values}: {}", refused.message());
    }
    let own = json!({"question": {"sql": "SELECT 1 AS one", "keep": {"ttlSeconds": 9_999_999}}}).to_string();
    let info =
        caller.info(bytes(&CommandPreparedStatementQuery { prepared_statement_handle: own.into() })).await.unwrap();
    let kept = info.endpoint[0].expiration_time.as_ref().unwrap().seconds - jiff::Timestamp::now().as_second();
    assert!(kept <= 3600, "a handle does not say for how long an answer is kept: {kept}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_that_are_none_are_refused_in_words() {
    let federation = federation().await;
    let mut caller = Caller::new(&federation, &researcher());
    let any = |name: &str, value: &[u8]| {
        let type_url = format!("type.googleapis.com/arrow.flight.protocol.sql.{name}");
        Any { type_url, value: value.to_vec().into() }.encode_to_vec()
    };
    let update = CommandStatementUpdate { query: "DELETE FROM t".to_owned(), transaction_id: None };
    for (command, code) in [
        (vec![], Code::InvalidArgument),
        (vec![0xff; 300], Code::InvalidArgument),
        (any("CommandStatementQuery", &[0xff; 40]), Code::InvalidArgument),
        (any("CommandNobodyKnows", b""), Code::InvalidArgument),
        (any("CommandPreparedStatementQuery", b"\x0a\x02{}"), Code::InvalidArgument),
        (any("CommandStatementQuery", b"\x0a\x03\xff\xfe\xfd"), Code::InvalidArgument),
        (bytes(&CommandStatementSubstraitPlan::default()), Code::Unimplemented),
        (bytes(&update), Code::Unimplemented),
        // The limit of the transport.
        (vec![b'x'; 8 << 20], Code::OutOfRange),
    ] {
        let (start, length) = (command.iter().take(60).copied().collect::<Vec<_>>(), command.len());
        let refused = caller.info(command).await.unwrap_err();
        assert_eq!(refused.code(), code, "{length} bytes, {start:?}: {}", refused.message());
        assert!(!refused.message().is_empty());
    }
    for (action, code) in [
        ("CreatePreparedStatement", Code::InvalidArgument),
        ("BeginTransaction", Code::Unimplemented),
        ("CreatePreparedSubstraitPlan", Code::Unimplemented),
        ("SetSessionOptions", Code::InvalidArgument),
        ("CancelFlightInfo", Code::InvalidArgument),
        ("shutdown", Code::InvalidArgument),
    ] {
        assert_eq!(caller.action(action, vec![0xff; 20]).await.unwrap_err().code(), code, "{action}");
    }
    assert_eq!(caller.action("CloseSession", vec![]).await.unwrap()[0].body.as_ref(), [8, 1]);
    assert_eq!(caller.action("CancelFlightInfo", vec![]).await.unwrap()[0].body.as_ref(), [8, 3]);

    // Rows for parameters without an end.
    let descriptor = FlightDescriptor::new_cmd(bytes(&CommandPreparedStatementQuery::default()));
    let first = FlightData { flight_descriptor: Some(descriptor), ..FlightData::default() };
    let more = FlightData { data_body: vec![0; 100_000].into(), ..FlightData::default() };
    let request = caller.call(stream::iter([first]).chain(stream::repeat(more)));
    let refused = caller.flight.do_put(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted, "{}", refused.message());

    let tables =
        caller.info(bytes(&CommandGetTables { include_schema: true, ..CommandGetTables::default() })).await.unwrap();
    assert!(caller.get(ticket(&tables)).await.unwrap().len() >= 2, "and the gateway still answers");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_that_is_polled_is_asked_once_and_is_its_own_researchers() {
    let federation = federation().await;
    let mut caller = Caller::new(&federation, &researcher());
    let mut polled = caller.poll(described(VISITS)).await.unwrap();
    let looked = loop {
        let Some(next) = polled.flight_descriptor.take() else { break polled };
        polled = caller.poll(next).await.unwrap();
    };
    let info = looked.info.unwrap();
    assert_eq!((looked.progress, info.endpoint.len(), info.total_records), (Some(1.0), 1, 3));
    let released = entries(&federation, SHENZHEN).iter().filter(|e| matches!(e, Entry::Released { .. })).count();
    assert_eq!(released, 1);
    let name = info.flight_descriptor.clone().unwrap();
    let again = caller.poll(name.clone()).await.unwrap();
    assert_eq!((again.info.as_ref(), again.flight_descriptor), (Some(&info), None), "a look can be repeated");
    assert!(caller.get(ticket(&info)).await.unwrap().len() >= 2);
    assert_eq!(caller.cancel(info.clone()).await, CancelStatus::NotCancellable, "it has ended");

    let mut other = Caller::new(&federation, &Subject { subject: "somebody-else".to_owned(), ..researcher() });
    let refused = other.poll(name.clone()).await.unwrap_err();
    assert!(refused.message().contains("there is no such statement"), "{}", refused.message());
    let unknown = FlightDescriptor::new_cmd(format!("wanqu-statement:{}", uuid::Uuid::new_v4()));
    assert_eq!(other.poll(unknown).await.unwrap_err().message(), refused.message(), "whether there is one is not told");
    let refused = caller.poll(described("SELECT * FROM gba.health.visits LIMIT 200")).await.unwrap_err();
    assert!(refused.message().contains("remedy:"), "{}", refused.message());

    // Of those that have ended, so many stay: the first goes.
    for number in 0..64 {
        caller.poll(described(&format!("SELECT {number} AS n"))).await.unwrap();
    }
    assert!(caller.poll(name).await.unwrap_err().message().contains("there is no such statement"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prepared_statements_that_nobody_closes_are_held_by_their_clients() {
    let federation = federation().await;
    let mut caller = Caller::new(&federation, &researcher());
    let mut handles = Vec::new();
    for number in 0..500 {
        let request =
            ActionCreatePreparedStatementRequest { query: format!("SELECT {number} AS n"), transaction_id: None };
        let body = caller.action("CreatePreparedStatement", bytes(&request)).await.unwrap().remove(0).body;
        let prepared: ActionCreatePreparedStatementResult = Any::decode(body).unwrap().unpack().unwrap().unwrap();
        handles.push(prepared.prepared_statement_handle);
    }
    // The first is as good as the last, at another connection too.
    let mut caller = Caller::new(&federation, &researcher());
    for handle in [handles[0].clone(), handles[499].clone()] {
        let command = bytes(&CommandPreparedStatementQuery { prepared_statement_handle: handle });
        assert_eq!(caller.info(command).await.unwrap().total_records, 1);
    }
}
