//! One trace over two nodes: the spans that a collector is told of, and the lines of the logs.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use futures::TryStreamExt;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use wanqu_model::answer::Event;

use crate::observed::question;
use crate::process::{PATIENCE, Process};
use crate::world::{RESEARCHER, World};

/// Request to a collector.
struct Told {
    /// Head, in small letters.
    head: String,
    body: ExportTraceServiceRequest,
}

impl Told {
    fn spans(self) -> impl Iterator<Item = Span> {
        self.body.resource_spans.into_iter().flat_map(|of| of.scope_spans).flat_map(|of| of.spans)
    }
}

/// Starts a collector on loopback, and returns the requests that it takes. It refuses the first ones with 503, which is to
/// say: later.
fn collector(tls: Option<ServerConfig>, refused: usize) -> (SocketAddr, Receiver<Told>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, told) = channel();
    let tls = tls.map(Arc::new);
    std::thread::spawn(move || {
        let mut refused = refused;
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            match &tls {
                None => take(stream, &mut refused, &tell),
                Some(tls) => {
                    let connection = ServerConnection::new(Arc::clone(tls)).unwrap();
                    take(StreamOwned::new(connection, stream), &mut refused, &tell);
                }
            }
        }
    });
    (address, told)
}

/// Takes one request, and closes the connection.
fn take(stream: impl Read + Write, refused: &mut usize, tell: &Sender<Told>) {
    let mut stream = BufReader::new(stream);
    let (mut line, mut head, mut length) = (String::new(), String::new(), 0);
    loop {
        line.clear();
        // Whoever does not trust the collector says nothing.
        if stream.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        head += &line.to_ascii_lowercase();
        match line.trim().to_ascii_lowercase().split_once(": ") {
            Some(("content-length", value)) => length = value.parse().unwrap(),
            None if line.trim().is_empty() => break,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    let status = if *refused > 0 { "503 Service Unavailable" } else { "200 OK" };
    let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    stream.get_mut().write_all(answer.as_bytes()).unwrap();
    stream.get_mut().flush().unwrap();
    if *refused > 0 {
        *refused -= 1;
    } else {
        // The test may have seen enough.
        let _ = tell.send(Told { head, body: ExportTraceServiceRequest::decode(body.as_slice()).unwrap() });
    }
}

fn text<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a str> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?;
    match found.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_is_one_trace_at_home_and_at_the_owner() {
    let world = World::new();
    let (address, told) = collector(None, 0);
    let endpoint = format!("http://{address}");
    let traced = [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str())];
    let (mut hk, mut mo) = (Process::start(&world, "HK", &traced), Process::start(&world, "MO", &traced));
    let sql = "SELECT specialty, count(*) AS n FROM gba.health.visits
               WHERE jurisdiction = 'MO' AND specialty <> 'zz-a-literal-zz' GROUP BY specialty";
    let answer = world.client("HK", hk.gateway).ask(&question(sql)).await.unwrap();
    let events: Vec<Event> = answer.try_collect().await.unwrap();
    let Some(Event::Summary(summary)) = events.last() else { panic!("no account") };
    let query = summary.query_id.to_string();
    // A node that ends sends what it has.
    for node in [&mut hk, &mut mo] {
        node.terminate();
        assert_eq!(node.ended().code(), Some(0));
    }

    let mut found: Vec<Span> = Vec::new();
    let mut named = |name: &str| -> Span {
        loop {
            if let Some(at) = found.iter().position(|span| span.name == name) {
                return found.remove(at);
            }
            let told = told.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("no span {name}: {found:?}"));
            let resource = told.body.resource_spans[0].resource.clone().unwrap();
            assert_eq!(text(&resource.attributes, "service.name"), Some("query-node"));
            found.extend(told.spans());
        }
    };
    let (asked, fragment, question) = (named("ask"), named("fragment"), named("question"));
    for span in [&asked, &fragment] {
        assert_eq!(span.trace_id, question.trace_id);
        assert_eq!(text(&span.attributes, "wanqu.query"), Some(query.as_str()), "{span:?}");
    }
    assert!(question.parent_span_id.is_empty());
    assert_eq!(asked.parent_span_id, question.span_id);
    assert_eq!(fragment.parent_span_id, asked.span_id);
    for span in [&asked, &fragment, &question] {
        assert!(span.events.is_empty() && span.links.is_empty(), "{span:?}");
        assert!(span.start_time_unix_nano <= span.end_time_unix_nano);
        let shown = format!("{span:?}");
        for never in ["SELECT", "zz-a-literal-zz", RESEARCHER, "specialty"] {
            assert!(!shown.contains(never), "{shown}");
        }
    }

    let trace = question.trace_id.iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    for (node, says) in [(&hk, "answered"), (&mo, "admitted and run")] {
        let log = node.log();
        let line = log.lines().find(|line| line.contains(says)).unwrap_or_else(|| panic!("{says} is not in\n{log}"));
        assert!(line.contains(&trace) && line.contains(&query), "{line}");
        assert!(!log.contains("zz-a-literal-zz"), "{log}");
    }
}

/// Writes a certificate for loopback that is its own authority, and returns its path with the server's side of TLS.
fn loopback(world: &World) -> (PathBuf, ServerConfig) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let path = world.node("HK").join("collector.pem");
    fs::write(&path, made.cert.pem()).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    (path, config.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).unwrap())
}

async fn ask_once(world: &World, hk: &mut Process) {
    let question = question("SELECT count(*) AS n FROM hongkong.finance.rates");
    let answer = world.client("HK", hk.gateway).ask(&question).await.unwrap();
    let events: Vec<Event> = answer.try_collect().await.unwrap();
    assert!(matches!(events.last(), Some(Event::Summary(_))));
    hk.terminate();
    assert_eq!(hk.ended().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_is_told_over_tls_with_headers_and_again_if_it_says_later() {
    let world = World::new();
    let (certificate, tls) = loopback(&world);
    let (address, told) = collector(Some(tls), 1);
    let (endpoint, certificate) = (format!("https://{address}/otlp"), certificate.display().to_string());
    let settings = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", certificate.as_str()),
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20zz-a-secret-zz,x-tenant=gba"),
        ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test,service.name=hk"),
    ];
    let mut hk = Process::start(&world, "HK", &settings);
    ask_once(&world, &mut hk).await;
    let told = told.recv_timeout(PATIENCE).unwrap();
    for line in ["post /otlp/v1/traces ", "authorization: bearer zz-a-secret-zz\r\n", "x-tenant: gba\r\n"] {
        assert!(told.head.contains(line), "{line} is not in\n{}", told.head);
    }
    let resource = told.body.resource_spans[0].resource.clone().unwrap();
    assert_eq!(text(&resource.attributes, "service.name"), Some("hk"));
    assert_eq!(text(&resource.attributes, "deployment.environment.name"), Some("test"));
    assert!(told.spans().any(|span| span.name == "question"));
    assert!(!hk.log().contains("zz-a-secret-zz"), "{}", hk.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_away_or_not_trusted_costs_nobody_an_answer() {
    let world = World::new();
    let (_, tls) = loopback(&world);
    let (address, told) = collector(Some(tls), 0);
    // Another certificate of the same name is in the file now.
    let (other, _) = loopback(&world);
    for endpoint in ["http://127.0.0.1:9".to_owned(), format!("https://{address}")] {
        let settings = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", other.to_str().unwrap()),
        ];
        let mut hk = Process::start(&world, "HK", &settings);
        ask_once(&world, &mut hk).await;
        assert_eq!(hk.log().matches("traces cannot be sent").count(), 1, "{}", hk.log());
    }
    assert!(told.try_recv().is_err(), "a collector that nobody vouches for is told nothing");
}
