//! One trace over two nodes: what a collector is told, and what the logs say.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::{Receiver, channel};

use futures::TryStreamExt;
use serde_json::Value;
use wanqu_model::answer::Event;

use crate::observed::question;
use crate::process::{PATIENCE, Process};
use crate::world::{RESEARCHER, World};

/// A collector on loopback: each span that it is told of.
fn collector() -> (SocketAddr, Receiver<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, spans) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let (mut line, mut length) = (String::new(), 0);
            stream.read_line(&mut line).unwrap();
            assert_eq!(line.trim(), "POST /v1/traces HTTP/1.1");
            loop {
                line.clear();
                stream.read_line(&mut line).unwrap();
                match line.trim().to_ascii_lowercase().split_once(": ") {
                    None => break,
                    Some(("content-length", value)) => length = value.parse().unwrap(),
                    Some(_) => {}
                }
            }
            let mut body = vec![0; length];
            stream.read_exact(&mut body).unwrap();
            stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").unwrap();
            let body: Value = serde_json::from_slice(&body).unwrap();
            for span in body["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap() {
                // The test may have seen enough.
                let _ = tell.send(span.clone());
            }
        }
    });
    (address, spans)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_is_one_trace_at_home_and_at_the_owner() {
    let world = World::new();
    let (address, spans) = collector();
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

    let named = |name: &str, found: &mut Vec<Value>| -> Value {
        loop {
            if let Some(at) = found.iter().position(|span| span["name"] == name) {
                return found.remove(at);
            }
            found.push(spans.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("no span {name}: {found:?}")));
        }
    };
    let mut found = Vec::new();
    let (asked, fragment) = (named("ask", &mut found), named("fragment", &mut found));
    let question = named("question", &mut found);
    for span in [&asked, &fragment] {
        assert_eq!(span["traceId"], question["traceId"]);
        let text = span.to_string();
        assert!(text.contains(&query), "{text}");
    }
    assert_eq!(question["parentSpanId"], "");
    assert_eq!(asked["parentSpanId"], question["spanId"]);
    assert_eq!(fragment["parentSpanId"], asked["spanId"]);
    for span in [&asked, &fragment, &question] {
        let text = span.to_string();
        for never in ["SELECT", "zz-a-literal-zz", RESEARCHER, "specialty"] {
            assert!(!text.contains(never), "{text}");
        }
    }

    let trace = question["traceId"].as_str().unwrap();
    for (node, says) in [(&hk, "answered"), (&mo, "admitted and run")] {
        let log = node.log();
        let line = log.lines().find(|line| line.contains(says)).unwrap_or_else(|| panic!("{says} is not in\n{log}"));
        assert!(line.contains(trace) && line.contains(&query), "{line}");
        assert!(!log.contains("zz-a-literal-zz"), "{log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_away_costs_nobody_an_answer() {
    let world = World::new();
    let nowhere = [("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")];
    let mut hk = Process::start(&world, "HK", &nowhere);
    let question = question("SELECT count(*) AS n FROM hongkong.finance.rates");
    let answer = world.client("HK", hk.gateway).ask(&question).await.unwrap();
    let events: Vec<Event> = answer.try_collect().await.unwrap();
    assert!(matches!(events.last(), Some(Event::Summary(_))));
    hk.terminate();
    assert_eq!(hk.ended().code(), Some(0));
    assert_eq!(hk.log().matches("traces cannot be sent").count(), 1, "{}", hk.log());
}
