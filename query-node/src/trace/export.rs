//! Sends finished steps to a collector: OTLP over HTTP, as JSON (`POST …/v1/traces`).
//!
//! A collector that is away costs the node a warning and the steps, never a question.

use std::io;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};

use super::{Kind, TraceContext};

/// Most steps that wait to be sent; further ones are lost.
const WAITING: usize = 4096;

/// Most steps of one request.
const BATCH: usize = 512;

/// Pause between two requests, in which further steps are gathered.
const PAUSE: Duration = Duration::from_secs(1);

/// Longest time that the collector may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Queue of the process's one exporter.
static EXPORTER: OnceLock<mpsc::Sender<Message>> = OnceLock::new();

enum Message {
    Step(Finished),
    Flush(oneshot::Sender<()>),
}

/// Step that has ended.
pub(super) struct Finished {
    pub name: &'static str,
    pub kind: Kind,
    pub context: TraceContext,
    pub parent: Option<TraceContext>,
    pub began: SystemTime,
    pub ended: SystemTime,
    pub attributes: Vec<(&'static str, String)>,
    pub failed: bool,
}

/// Hands a step over, if there is an exporter and it is not behind.
pub(super) fn send(step: impl FnOnce() -> Finished) {
    if let Some(exporter) = EXPORTER.get() {
        // A full queue loses the step: tracing must not hold up what it traces.
        let _ = exporter.try_send(Message::Step(step()));
    }
}

/// Error of a text that is no endpoint of a collector.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("traces cannot be sent to {0}: the endpoint is http://HOST:PORT of a collector that takes OTLP over HTTP")]
pub struct EndpointError(String);

/// Collector that traces are sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exporter {
    authority: String,
    path: String,
}

impl std::str::FromStr for Exporter {
    type Err = EndpointError;

    fn from_str(endpoint: &str) -> Result<Self, Self::Err> {
        let wrong = || EndpointError(endpoint.to_owned());
        let uri: Uri = endpoint.parse().map_err(|_| wrong())?;
        let authority = uri.authority().filter(|_| uri.scheme_str() == Some("http")).ok_or_else(wrong)?;
        if uri.query().is_some() || authority.as_str().contains('@') {
            return Err(wrong());
        }
        let port = authority.port_u16().unwrap_or(4318);
        Ok(Self {
            authority: format!("{}:{port}", authority.host()),
            path: format!("{}/v1/traces", uri.path().trim_end_matches('/')),
        })
    }
}

impl Exporter {
    /// Sends this process's steps there from now on. Must be called within a runtime; a second call changes nothing.
    pub fn start(self) {
        let (sender, receiver) = mpsc::channel(WAITING);
        if EXPORTER.set(sender).is_ok() {
            tokio::spawn(self.run(receiver));
        }
    }

    /// Waits until what has ended by now is sent, but not for ever.
    pub async fn flush() {
        let Some(exporter) = EXPORTER.get() else { return };
        let (done, sent) = oneshot::channel();
        let flushed = async {
            if exporter.send(Message::Flush(done)).await.is_ok() {
                // An exporter that has ended answers nothing, and has nothing to send.
                let _ = sent.await;
            }
        };
        let _ = tokio::time::timeout(PATIENCE, flushed).await;
    }

    async fn run(self, mut messages: mpsc::Receiver<Message>) {
        let mut failing = false;
        let mut batch = Vec::new();
        while messages.recv_many(&mut batch, BATCH).await > 0 {
            let (mut steps, mut flushes) = (Vec::new(), Vec::new());
            for message in batch.drain(..) {
                match message {
                    Message::Step(step) => steps.push(step),
                    Message::Flush(done) => flushes.push(done),
                }
            }
            if !steps.is_empty() {
                let sent = tokio::time::timeout(PATIENCE, self.post(request_body(&steps))).await;
                let sent = sent.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
                if let Err(error) = &sent
                    && !failing
                {
                    tracing::warn!(%error, collector = %self.authority, "traces cannot be sent; they are lost");
                }
                failing = sent.is_err();
            }
            let asked = !flushes.is_empty();
            for done in flushes {
                let _ = done.send(());
            }
            if !asked {
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    async fn post(&self, body: String) -> io::Result<()> {
        let stream = TcpStream::connect(&self.authority).await?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
        let connection = tokio::spawn(connection);
        let request = Request::post(&self.path)
            .header(HOST, &self.authority)
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))
            .map_err(io::Error::other)?;
        let answer = sender.send_request(request).await.map_err(io::Error::other);
        connection.abort();
        let status = answer?.status();
        if status.is_success() { Ok(()) } else { Err(io::Error::other(format!("the collector answers {status}"))) }
    }
}

/// Returns an `ExportTraceServiceRequest` as JSON.
fn request_body(steps: &[Finished]) -> String {
    let attribute = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    let spans: Vec<Value> = steps
        .iter()
        .map(|step| {
            json!({
                "traceId": step.context.trace_id(),
                "spanId": step.context.span_id(),
                "parentSpanId": step.parent.map(TraceContext::span_id).unwrap_or_default(),
                "name": step.name,
                "kind": match step.kind { Kind::Server => 2, Kind::Client => 3 },
                "startTimeUnixNano": nanos(step.began),
                "endTimeUnixNano": nanos(step.ended),
                "attributes": step.attributes.iter().map(|(key, value)| attribute(key, value)).collect::<Vec<_>>(),
                "status": if step.failed { json!({"code": 2}) } else { json!({}) },
            })
        })
        .collect();
    json!({"resourceSpans": [{
        "resource": {"attributes": [attribute("service.name", "query-node")]},
        "scopeSpans": [{
            "scope": {"name": "query-node", "version": env!("CARGO_PKG_VERSION")},
            "spans": spans,
        }],
    }]})
    .to_string()
}

/// Returns nanoseconds since 1970 as a text: JSON has no 64-bit integers.
fn nanos(time: SystemTime) -> String {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_plain_http() {
        let exporter = |text: &str| text.parse::<Exporter>();
        let at = |authority: &str, path: &str| Exporter { authority: authority.to_owned(), path: path.to_owned() };
        assert_eq!(exporter("http://collector:4318").unwrap(), at("collector:4318", "/v1/traces"));
        assert_eq!(exporter("http://[::1]:1/otlp/").unwrap(), at("[::1]:1", "/otlp/v1/traces"));
        assert_eq!(exporter("http://collector").unwrap(), at("collector:4318", "/v1/traces"));
        for wrong in ["", "collector:4318", "https://collector:4318", "http://a:b@c", "http://c?x", "grpc://c"] {
            assert!(exporter(wrong).unwrap_err().to_string().contains("http://HOST:PORT"), "{wrong}");
        }
    }

    #[test]
    fn a_request_says_what_the_protocol_wants() {
        let parent = TraceContext::begin();
        let began = UNIX_EPOCH + Duration::from_nanos(1_800_000_000_000_000_001);
        let step = Finished {
            name: "fragment",
            kind: Kind::Server,
            context: parent.next(),
            parent: Some(parent),
            began,
            ended: began + Duration::from_nanos(5),
            attributes: vec![("wanqu.peer", "HK".to_owned())],
            failed: true,
        };
        let body: Value = serde_json::from_str(&request_body(&[step])).unwrap();
        let span = &body["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
        assert_eq!(span["traceId"], parent.trace_id());
        assert_eq!(span["parentSpanId"], parent.span_id());
        assert_eq!(span["startTimeUnixNano"], "1800000000000000001");
        assert_eq!(span["endTimeUnixNano"], "1800000000000000006");
        assert_eq!(span["attributes"][0], json!({"key": "wanqu.peer", "value": {"stringValue": "HK"}}));
        assert_eq!(span["status"]["code"], 2);
    }
}
