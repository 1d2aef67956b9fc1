//! The HTTP door of a gateway, as curl uses it over TLS.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use query_node::audit::{self, Entry, Filter};
use serde_json::{Value, json};
use wanqu_model::bundle::Subject;
use wanqu_tests::compare::{Order, Rows, difference};
use wanqu_tests::federation::{Federation, HONG_KONG, SHENZHEN, jid, researcher};
use wanqu_tests::health::HealthOptions;
use wanqu_tests::world::World;

const VISITS: &str =
    "SELECT jurisdiction, count(*) AS n FROM gba.health.visits GROUP BY jurisdiction ORDER BY jurisdiction";

/// A caller with a token, who has curl.
#[derive(Clone)]
struct Curl {
    address: String,
    token: String,
    folder: Arc<tempfile::TempDir>,
}

/// What came back.
struct Response {
    status: u16,
    kind: String,
    head: String,
    body: Vec<u8>,
}

impl Response {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&self.body)))
    }
}

impl Curl {
    fn new(federation: &Federation, subject: &Subject) -> Self {
        let (home, local) = (jid(HONG_KONG), &federation.local);
        let folder = Arc::new(tempfile::tempdir().unwrap());
        std::fs::write(folder.path().join("ca.pem"), local.ca(&home).unwrap()).unwrap();
        let token = local.token(&home, subject, Duration::from_hours(1)).unwrap();
        let address = local.http(&home).unwrap().replace("127.0.0.1", "localhost");
        Self { address, token, folder }
    }

    /// Makes a request with more arguments for curl.
    async fn call(&self, method: &str, path: &str, arguments: &[&str]) -> Response {
        let (own, method, path) = (self.clone(), method.to_owned(), path.to_owned());
        let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        tokio::task::spawn_blocking(move || own.run(&method, &path, &arguments)).await.unwrap()
    }

    fn run(&self, method: &str, path: &str, arguments: &[String]) -> Response {
        let folder: &Path = self.folder.path();
        let name = uuid::Uuid::new_v4().to_string();
        let (head, body) = (folder.join(format!("{name}.head")), folder.join(format!("{name}.body")));
        let output = Command::new("curl")
            .args(["--silent", "--show-error", "--max-time", "60", "--request", method, "--cacert"])
            .arg(folder.join("ca.pem"))
            .args(["--write-out", "%{http_code} %{content_type}", "--dump-header"])
            .arg(&head)
            .arg("--output")
            .arg(&body)
            .args(["--header", &format!("authorization: Bearer {}", self.token)])
            .args(arguments)
            .arg(format!("{}{path}", self.address))
            .output()
            .expect("curl is there: on Debian, apt-get install curl");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
        let (status, kind) = said.split_once(' ').unwrap();
        Response {
            status: status.parse().unwrap(),
            kind: kind.to_owned(),
            head: std::fs::read_to_string(head).unwrap().to_lowercase(),
            body: std::fs::read(body).unwrap_or_default(),
        }
    }

    async fn submit(&self, question: &Value, more: &[&str]) -> Response {
        let text = question.to_string();
        let mut arguments = vec!["--header", "content-type: application/json", "--data-binary", text.as_str()];
        arguments.extend(more);
        self.call("POST", "/v1/queries", &arguments).await
    }

    /// Asks, and waits for the end. Returns what is told of it.
    async fn asked(&self, question: &Value) -> Value {
        let mut told = self.submit(question, &[]).await.json();
        while ["waiting", "running"].contains(&told["state"].as_str().unwrap_or_else(|| panic!("{told}"))) {
            told = self.call("GET", &format!("/v1/queries/{}", told["id"].as_str().unwrap()), &[]).await.json();
        }
        told
    }

    async fn rows(&self, told: &Value, accept: &str) -> Response {
        let header = format!("accept: {accept}");
        self.call("GET", told["rows"].as_str().unwrap_or_else(|| panic!("{told}")), &["--header", &header]).await
    }
}

async fn federation() -> Federation {
    Federation::start(World::health(4, HealthOptions::default()).unwrap()).await.unwrap()
}

fn question(sql: &str) -> Value {
    json!({"sql": sql, "project": "capacity", "purpose": "health-planning"})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_is_asked_once_and_its_answer_comes_in_each_form() {
    let federation = federation().await;
    let curl = Curl::new(&federation, &researcher());
    let begun = curl.submit(&question(VISITS), &[]).await;
    let id = begun.json()["id"].as_str().unwrap().to_owned();
    assert!(begun.status == 202 && begun.head.contains(&format!("location: /v1/queries/{id}")), "{}", begun.head);
    let events = curl.call("GET", &format!("/v1/queries/{id}/events"), &[]).await;
    let events = String::from_utf8(events.body).unwrap();
    assert!(events.trim_end().split("\n\n").last().unwrap().starts_with("event: answered\ndata: {"), "{events}");
    let told = curl.call("GET", &format!("/v1/queries/{id}"), &[]).await.json();
    assert_eq!((&told["state"], &told["account"]["rows"]), (&json!("answered"), &json!(3)));

    let expected = federation.ask(HONG_KONG, VISITS).await.unwrap().rows;
    let arrow = curl.rows(&told, "application/vnd.apache.arrow.stream").await;
    let reader = arrow::ipc::reader::StreamReader::try_new(arrow.body.as_slice(), None).unwrap();
    let schema = reader.schema();
    let got = Rows::read(&schema, &reader.collect::<Result<Vec<_>, _>>().unwrap()).unwrap();
    assert_eq!(difference(&expected, &got, Order::Total), None);
    let parquet = curl.rows(&told, "application/vnd.apache.parquet").await;
    assert!(parquet.body.starts_with(b"PAR1") && parquet.body.ends_with(b"PAR1"));
    let csv = String::from_utf8(curl.rows(&told, "text/csv").await.body).unwrap();
    let json = String::from_utf8(curl.rows(&told, "application/x-ndjson").await.body).unwrap();
    for (row, (csv, json)) in expected.rows.iter().zip(csv.lines().skip(1).zip(json.lines())) {
        assert_eq!(csv, format!("{},{}", row[0], row[1]));
        let json: Value = serde_json::from_str(json).unwrap();
        assert_eq!(
            (json["jurisdiction"].as_str().unwrap(), json["n"].to_string()),
            (&*row[0].to_string(), row[1].to_string())
        );
    }
    assert_eq!((csv.lines().count(), json.lines().count()), (4, 3));
    assert_eq!(curl.rows(&told, "text/html").await.status, 406);

    let folder = federation.local.audit(&jid(SHENZHEN)).unwrap();
    let entries = audit::read(&[folder], &Filter::default()).unwrap();
    let released = entries.iter().filter(|record| matches!(record.entry, Entry::Released { .. })).count();
    assert_eq!(released, 2, "one for this query, however often it was fetched, and one for the other client's");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_is_sent_again_is_the_same_query() {
    let federation = federation().await;
    let curl = Curl::new(&federation, &researcher());
    let key = ["--header", "idempotency-key: first"];
    let first = curl.submit(&question(VISITS), &key).await.json();
    let again = curl.submit(&question(VISITS), &key).await.json();
    assert_eq!(first["id"], again["id"]);
    let other = curl.submit(&question("SELECT 1 AS one"), &key).await;
    assert!(other.status == 400 && other.json()["title"].as_str().unwrap().contains("another question"));
    assert_ne!(curl.submit(&question(VISITS), &[]).await.json()["id"], first["id"]);

    let path = format!("/v1/queries/{}", first["id"].as_str().unwrap());
    let stranger = Curl::new(&federation, &Subject { subject: "somebody-else".to_owned(), ..researcher() });
    for path in [
        path.clone(),
        format!("{path}/rows"),
        format!("{path}/events"),
        format!("/v1/queries/{}", uuid::Uuid::new_v4()),
    ] {
        let refused = stranger.call("GET", &path, &[]).await;
        assert_eq!((refused.status, refused.kind.as_str()), (404, "application/problem+json"), "{path}");
        assert!(refused.json()["title"].as_str().unwrap().contains("there is no such statement"));
    }
    assert_eq!(stranger.call("DELETE", &path, &[]).await.status, 404);
    assert_eq!(curl.call("DELETE", &path, &[]).await.status, 204);
    assert_eq!(curl.call("GET", &path, &[]).await.status, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_are_problems_with_rule_and_remedy() {
    let federation = federation().await;
    let curl = Curl::new(&federation, &researcher());
    let preview = curl.asked(&question("SELECT * FROM gba.health.visits LIMIT 200")).await;
    let problem = &preview["problem"];
    assert_eq!(
        (&preview["state"], &problem["code"], &problem["status"]),
        (&json!("refused"), &json!("not-an-aggregate"), &json!(403))
    );
    assert!(problem["rule"].is_string() && problem["remedy"].as_str().unwrap().contains("count(*)"), "{problem}");
    let rows = curl.call("GET", &format!("/v1/queries/{}/rows", preview["id"].as_str().unwrap()), &[]).await;
    assert_eq!((rows.status, &rows.json()["code"]), (403, &json!("not-an-aggregate")));
    let bound = json!({"sql": "SELECT facility FROM gba.health.facilities WHERE facility = ?", "values": ["'; DROP TABLE x; --"]});
    assert_eq!(curl.asked(&bound).await["account"]["rows"], 0);
    let fine = json!({"sql": "SELECT facility FROM gba.health.facilities WHERE facility = ?", "values": ["HK-01"]});
    assert_eq!(curl.asked(&fine).await["account"]["rows"], 1);

    for (text, status) in
        [("", 400), ("[]", 400), ("{\"sql\": 1}", 400), ("{\"sql\": \"SELECT 1\", \"admin\": true}", 400)]
    {
        let refused = curl.call("POST", "/v1/queries", &["--data-binary", text]).await;
        assert_eq!((refused.status, refused.kind.as_str()), (status, "application/problem+json"), "{text}");
    }
    let long = question(&"x".repeat(3_000_000));
    std::fs::write(curl.folder.path().join("long"), long.to_string()).unwrap();
    let file = format!("@{}", curl.folder.path().join("long").display());
    assert_eq!(curl.call("POST", "/v1/queries", &["--data-binary", &file]).await.status, 429);
    assert_eq!(curl.call("GET", "/nothing", &[]).await.status, 404);

    let nobody = Curl { token: "x.y.z".to_owned(), ..curl.clone() };
    let refused = nobody.call("GET", "/v1/catalog", &[]).await;
    assert_eq!((refused.status, &refused.json()["code"]), (401, &json!("identity")));
    assert!(refused.head.contains("www-authenticate: bearer"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_description_has_every_path_and_the_catalog_every_table() {
    let federation = federation().await;
    let curl = Curl::new(&federation, &researcher());
    let described = curl.call("GET", "/v1/openapi.json", &[]).await.json();
    let paths = described["paths"].as_object().unwrap();
    assert_eq!(paths.len(), 6);
    for (path, methods) in paths {
        for method in methods.as_object().unwrap().keys() {
            let path = path.replace("{id}", &uuid::Uuid::new_v4().to_string());
            let answer = curl.call(&method.to_uppercase(), &path, &[]).await;
            assert_ne!(answer.status, 405, "{method} {path}");
            if answer.status == 404 {
                assert!(answer.json()["title"].as_str().unwrap().contains("no such statement"), "{method} {path}");
            }
        }
    }
    let catalog = curl.call("GET", "/v1/catalog", &[]).await.json();
    assert!(catalog.as_array().unwrap().iter().any(|table| table["name"] == "gba.health.visits"));
}
