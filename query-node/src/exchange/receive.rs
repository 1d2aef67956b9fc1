//! Reads a release: schema first, then rows, then the report. It must be what was asked for in each of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::RecordBatch;
use arrow_flight::FlightData;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use prometheus_client::metrics::counter::Counter;
use prost::Message;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tonic::{Status, Streaming};
use wanqu_client::decode::{self, Unreadable};
use wanqu_client::wire::is_note;
use wanqu_identity::Trust;
use wanqu_model::refusal::{Code, Refusal};
use wanqu_rules::fragment::{Fragment, Release, ReleaseReport};

use super::failures::{cut_off, explain, too_late};
use super::receipts::Asked;

/// Greatest length of a report, in bytes.
const MAX_REPORT: usize = 256 * 1024;

/// Greatest length of the digest in a report: SHA-256, hexadecimal.
const MAX_DIGEST: usize = 64;

/// The request that a release is checked against.
pub(super) struct Expected {
    pub fragment: Fragment,
    pub asked: Asked,
    /// CAs of the members, for the owner's receipt.
    pub trust: Trust,
    pub max_rows: u64,
    pub deadline: Instant,
    /// Counter of the bytes received, over all releases of this owner.
    pub received: Counter,
}

impl Expected {
    fn shape(&self, message: &str) -> Refusal {
        Refusal::new(Code::ReleaseShape, message).with_owner(self.fragment.owner.clone())
    }

    fn unreadable(&self, why: Unreadable) -> Refusal {
        tracing::warn!(owner = %self.fragment.owner, query_id = %self.asked.query_id, why = why.reason(), "a release cannot be read");
        self.shape("the release cannot be read")
            .with_subject(why.reason())
            .with_rule("a release is what its columns and its size say: rows in Arrow's format, neither compressed nor encoded")
            .with_remedy("leave this jurisdiction out, and tell its operator")
    }
}

/// Waits for the schema and checks it. Returns the release, whose rows arrive as they are read.
pub(super) async fn receive(stream: Streaming<FlightData>, expected: Expected) -> Result<Release, Refusal> {
    let bytes: Arc<AtomicU64> = Arc::default();
    let (counter, received) = (Arc::clone(&bytes), expected.received.clone());
    let messages = stream.inspect_ok(move |message| {
        let length = message.encoded_len() as u64;
        counter.fetch_add(length, Ordering::Relaxed);
        received.inc_by(length);
    });
    let mut reading = Reading { messages: messages.boxed(), expected, report: None, rows: 0 };
    let Some(first) = reading.message().await? else { return Err(cut_off(&reading.expected.fragment.owner)) };
    let released = decode::columns(&first).map_err(|why| reading.expected.unreadable(why))?;
    if !reading.expected.fragment.fits(&released) {
        return Err(reading.expected.shape("the release has other columns than the fragment asked for"));
    }
    let schema = Arc::clone(&reading.expected.fragment.schema);
    let (tell, report) = oneshot::channel();
    let report = report.map(|report| {
        report.unwrap_or_else(|_| Err(Refusal::new(Code::Cancelled, "the release was not read to its end")))
    });
    Ok(Release { schema, batches: rows(reading, tell), bytes, report: report.boxed() })
}

/// The state of a release that is being read.
struct Reading {
    messages: BoxStream<'static, Result<FlightData, Status>>,
    expected: Expected,
    /// The report, once it has arrived.
    report: Option<ReleaseReport>,
    rows: u64,
}

fn rows(reading: Reading, tell: oneshot::Sender<Result<ReleaseReport, Refusal>>) -> wanqu_rules::fragment::BatchStream {
    stream::unfold(Some((reading, tell)), |reading| async move {
        let (mut reading, tell) = reading?;
        match reading.next().await {
            Ok(Some(batch)) => Some((Ok(batch), Some((reading, tell)))),
            Ok(None) => {
                let outcome = reading.finish();
                // Nobody may be waiting for the report; that is no fault.
                let _ = tell.send(outcome.clone());
                outcome.err().map(|refusal| (Err(refusal), None))
            }
            Err(refusal) => {
                let _ = tell.send(Err(refusal.clone()));
                Some((Err(refusal), None))
            }
        }
    })
    .boxed()
}

impl Reading {
    /// Returns the next message of schema or rows. The report, which must be the last, is put aside.
    async fn message(&mut self) -> Result<Option<FlightData>, Refusal> {
        let owner = &self.expected.fragment.owner;
        loop {
            let next = tokio::time::timeout_at(self.expected.deadline, self.messages.next())
                .await
                .map_err(|_| too_late(owner))?;
            let Some(message) = next else { return Ok(None) };
            let message = message.map_err(|status| explain(&status, owner, self.expected.asked.query_id))?;
            if self.report.is_some() {
                return Err(self.expected.shape("the release has a message after its report"));
            }
            if !is_note(&message) {
                return Ok(Some(message));
            }
            let text = Some(&message.app_metadata).filter(|text| text.len() <= MAX_REPORT);
            let report = text.and_then(|text| serde_json::from_slice(text).ok());
            self.report = Some(report.ok_or_else(|| self.expected.shape("the release's report cannot be read"))?);
        }
    }

    async fn next(&mut self) -> Result<Option<RecordBatch>, Refusal> {
        let Some(message) = self.message().await? else { return Ok(None) };
        let expected = &self.expected;
        let batch = decode::rows(&message, &expected.fragment.schema).map_err(|why| expected.unreadable(why))?;
        self.rows += batch.num_rows() as u64;
        if self.rows > expected.max_rows {
            return Err(Refusal::new(Code::Limit, "the release has more rows than this node takes")
                .with_rule(format!("a release has at most {} rows", expected.max_rows))
                .with_owner(expected.fragment.owner.clone()));
        }
        Ok(Some(batch))
    }

    /// Returns the report, which must be there and fit the rows: without it, the release may have been cut short.
    fn finish(&mut self) -> Result<ReleaseReport, Refusal> {
        let report = self.report.take().ok_or_else(|| cut_off(&self.expected.fragment.owner))?;
        if report.owner != self.expected.fragment.owner || report.rows != self.rows {
            return Err(self.expected.shape("the report does not fit the release"));
        }
        let digest = report.audit_digest.as_bytes();
        if digest.len() > MAX_DIGEST || !digest.iter().all(u8::is_ascii_hexdigit) {
            return Err(self.expected.shape("the report has no digest where one is expected"));
        }
        self.expected.asked.check(&report, &self.expected.trust).map_err(|why| self.expected.shape(&why))?;
        Ok(report)
    }
}
