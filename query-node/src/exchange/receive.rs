//! Takes a release apart: schema first, then rows, then the report. What does not fit is not taken.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow_flight::FlightData;
use arrow_flight::decode::{DecodedPayload, FlightDataDecoder};
use arrow_flight::error::FlightError;
use futures::stream::BoxStream;
use futures::{FutureExt, Stream, StreamExt, future, stream};
use parking_lot::Mutex;
use prometheus_client::metrics::counter::Counter;
use prost::Message;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tonic::{Status, Streaming};
use wanqu_client::wire::is_note;
use wanqu_model::refusal::{Code, Refusal};
use wanqu_rules::fragment::{Fragment, Release, ReleaseReport};

use super::failures::{cut_off, explain, too_late};

/// What was asked for.
pub(super) struct Expected {
    pub fragment: Fragment,
    pub max_rows: u64,
    pub deadline: Instant,
    /// Counts what comes, over all releases of this owner.
    pub received: Counter,
}

impl Expected {
    fn shape(&self, message: &str) -> Refusal {
        Refusal::new(Code::ReleaseShape, message).with_owner(self.fragment.owner.clone())
    }

    fn explain(&self, error: FlightError) -> Refusal {
        match error {
            FlightError::Tonic(status) => explain(&status, &self.fragment.owner),
            error => {
                tracing::warn!(owner = %self.fragment.owner, %error, "a release cannot be read");
                self.shape("the release cannot be read")
            }
        }
    }
}

/// The report, once it has come.
type Report = Arc<Mutex<Option<ReleaseReport>>>;

/// Waits for the schema, checks it, and returns the rest as it comes.
pub(super) async fn receive(stream: Streaming<FlightData>, expected: Expected) -> Result<Release, Refusal> {
    let (report, bytes): (Report, _) = (Arc::default(), Arc::new(AtomicU64::new(0)));
    let messages = messages(stream, Arc::clone(&report), Arc::clone(&bytes), expected.received.clone());
    let mut decoder = FlightDataDecoder::new(messages);
    let first = AssertUnwindSafe(decoder.next()).catch_unwind().await;
    match first.map_err(|_| expected.shape("the release cannot be read"))? {
        Some(Ok(first)) => match first.payload {
            DecodedPayload::Schema(schema) if expected.fragment.fits(&schema) => {}
            DecodedPayload::Schema(_) => {
                return Err(expected.shape("the release has other columns than the fragment asked for"));
            }
            _ => return Err(expected.shape("the release does not begin with its schema")),
        },
        Some(Err(error)) => return Err(expected.explain(error)),
        None => return Err(cut_off(&expected.fragment.owner)),
    }
    let schema = Arc::clone(&expected.fragment.schema);
    let (send_report, take_report) = oneshot::channel();
    let batches = rows(decoder, expected, report, send_report);
    let report = take_report.map(|report| {
        report.unwrap_or_else(|_| Err(Refusal::new(Code::Cancelled, "the release was not read to its end")))
    });
    Ok(Release { schema, batches, bytes, report: report.boxed() })
}

/// Counts messages, and sets the report aside: it is the last message, and nothing may come after it.
fn messages(
    stream: Streaming<FlightData>,
    report: Report,
    bytes: Arc<AtomicU64>,
    received: Counter,
) -> impl Stream<Item = Result<FlightData, FlightError>> + Send + 'static {
    let stream = stream.inspect(move |message| {
        let length = message.as_ref().map_or(0, Message::encoded_len) as u64;
        bytes.fetch_add(length, Ordering::Relaxed);
        received.inc_by(length);
    });
    stream.filter_map(move |message| future::ready(sort(message, &report).transpose()))
}

fn sort(message: Result<FlightData, Status>, report: &Report) -> Result<Option<FlightData>, FlightError> {
    let data = message?;
    let mut report = report.lock();
    if report.is_some() {
        return Err(FlightError::protocol("a message after the report"));
    }
    if !is_note(&data) {
        return Ok(Some(data));
    }
    let read = serde_json::from_slice(&data.app_metadata)
        .map_err(|_| FlightError::DecodeError("the report cannot be read".to_owned()))?;
    *report = Some(read);
    Ok(None)
}

/// The state of a release that is being read.
struct Reading {
    decoder: BoxStream<'static, Result<arrow_flight::decode::DecodedFlightData, FlightError>>,
    expected: Expected,
    report: Report,
    rows: u64,
    tell: oneshot::Sender<Result<ReleaseReport, Refusal>>,
}

fn rows(
    decoder: FlightDataDecoder,
    expected: Expected,
    report: Report,
    tell: oneshot::Sender<Result<ReleaseReport, Refusal>>,
) -> wanqu_rules::fragment::BatchStream {
    // Bytes from elsewhere must not bring this node down, whatever the decoder thinks of them.
    let decoder = AssertUnwindSafe(decoder)
        .catch_unwind()
        .map(|item| item.unwrap_or_else(|_| Err(FlightError::DecodeError("the decoder gave up".to_owned()))))
        .boxed();
    let reading = Reading { decoder, expected, report, rows: 0, tell };
    stream::unfold(Some(reading), |reading| async move {
        let mut reading = reading?;
        match reading.next().await {
            Ok(Some(batch)) => Some((Ok(batch), Some(reading))),
            Ok(None) => {
                let outcome = reading.finish();
                // Nobody may be waiting for the report; that is no fault.
                let _ = reading.tell.send(outcome.clone());
                outcome.err().map(|refusal| (Err(refusal), None))
            }
            Err(refusal) => {
                let _ = reading.tell.send(Err(refusal.clone()));
                Some((Err(refusal), None))
            }
        }
    })
    .boxed()
}

impl Reading {
    async fn next(&mut self) -> Result<Option<RecordBatch>, Refusal> {
        let expected = &self.expected;
        let next = tokio::time::timeout_at(expected.deadline, self.decoder.next())
            .await
            .map_err(|_| too_late(&expected.fragment.owner))?;
        let payload = match next {
            None => return Ok(None),
            Some(Err(error)) => return Err(expected.explain(error)),
            Some(Ok(decoded)) => decoded.payload,
        };
        let DecodedPayload::RecordBatch(batch) = payload else {
            return Err(expected.shape("the release has something else than rows"));
        };
        self.rows += batch.num_rows() as u64;
        if self.rows > expected.max_rows {
            return Err(Refusal::new(Code::Limit, "the release has more rows than this node takes")
                .with_rule(format!("a release has at most {} rows", expected.max_rows))
                .with_owner(expected.fragment.owner.clone()));
        }
        // This checks types and nulls of the rows themselves.
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(Arc::clone(&expected.fragment.schema), batch.columns().to_vec(), &options)
            .map(Some)
            .map_err(|_| expected.shape("rows of the release have another shape than its schema"))
    }

    /// The report, which must be there and fit the rows: without it, the release may have been cut short.
    fn finish(&self) -> Result<ReleaseReport, Refusal> {
        let report = self.report.lock().take().ok_or_else(|| cut_off(&self.expected.fragment.owner))?;
        if report.owner != self.expected.fragment.owner || report.rows != self.rows {
            return Err(self.expected.shape("the report does not fit the release"));
        }
        Ok(report)
    }
}
