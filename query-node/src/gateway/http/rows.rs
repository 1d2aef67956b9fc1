//! Rows of an answer that was kept, in the form that the reader accepts, as they are read.

use std::io::{self, Write};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::ipc::writer::StreamWriter;
use arrow::json::{LineDelimitedWriter, WriterBuilder};
use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::header::{ACCEPT, HeaderName};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use futures::{StreamExt, stream};
use parking_lot::Mutex;
use parquet::arrow::ArrowWriter;
use tokio::sync::mpsc;
use uuid::Uuid;
use wanqu_client::status::internal;
use wanqu_identity::Bearer;
use wanqu_model::answer::{Answer, Event, Fetch, TicketRequest};
use wanqu_model::refusal::{Code, Refusal};

use super::problem::{refused, response, with_status};
use super::{HttpApi, problem};
use crate::doors::bounded::deadline_passed;
use crate::gateway::flight_sql::{State as Progress, plain_schema};
use crate::gateway::work::Work;

/// Forms of rows: their types, and the words of `Accept` that ask for them.
const FORMS: [(&str, Form); 4] = [
    ("application/vnd.apache.arrow.stream", Form::Arrow),
    ("application/x-ndjson", Form::Json),
    ("text/csv", Form::Csv),
    ("application/vnd.apache.parquet", Form::Parquet),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Arrow,
    Json,
    Csv,
    Parquet,
}

/// Returns the first form that a reader accepts; Arrow, if any will do.
fn accepted(headers: &HeaderMap) -> Option<(&'static str, Form)> {
    let Some(accept) = headers.get(ACCEPT) else { return Some(FORMS[0]) };
    let kinds = accept.to_str().ok()?.split(',');
    let mut kinds = kinds.map(|kind| kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
    kinds.find_map(|kind| match kind.as_str() {
        "*/*" | "application/*" => Some(FORMS[0]),
        "text/*" => Some(FORMS[2]),
        kind => FORMS.into_iter().find(|(name, _)| *name == kind),
    })
}

/// Returns the rows of an answer.
pub(super) async fn rows(
    State(api): State<HttpApi>,
    Extension(bearer): Extension<Bearer>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    let Ok(id) = id.parse::<Uuid>() else { return problem::nothing_here() };
    let Some((kind, form)) = accepted(&headers) else {
        let refusal = Refusal::new(Code::Envelope, "rows have no such form")
            .with_rule(format!("rows come as {}", FORMS.map(|(name, _)| name).join(", ")))
            .with_remedy("send one of these as Accept");
        return with_status(StatusCode::NOT_ACCEPTABLE, &refusal);
    };
    let kept = match api.polled.looked(&bearer.subject, id).await {
        Err(refusal) => return with_status(StatusCode::NOT_FOUND, &refusal),
        Ok(Progress::Ended(Err(refusal))) => return refused(&refusal),
        Ok(Progress::Ended(Ok(executed))) => executed.summary.result.as_ref().map(|kept| kept.id),
        Ok(Progress::Waiting(_) | Progress::Running(_)) => {
            let refusal =
                Refusal::new(Code::Envelope, "the query has not ended").with_remedy("look at it until it has");
            return with_status(StatusCode::CONFLICT, &refusal);
        }
    };
    let Some(result) = kept else { return refused(&internal()) };
    let fetched = api.asker.begun(bearer, TicketRequest::Fetch(Fetch { result }), |_| {}).await;
    match fetched {
        Ok((answer, work)) => {
            let mut rows = response(StatusCode::OK, HeaderValue::from_static(kind), streamed(answer, work, form));
            let none = HeaderValue::from_static("no-store");
            rows.headers_mut().insert(HeaderName::from_static("cache-control"), none);
            rows
        }
        Err(refusal) => refused(&refusal),
    }
}

/// Returns rows as a body. They are made on a task, which ends at the deadline, whether anybody takes them or not. A body that
/// breaks off is not whole, as its reader sees.
fn streamed(answer: Answer, work: Work, form: Form) -> Body {
    let (send, receive) = mpsc::channel(2);
    tokio::spawn(async move {
        let deadline = work.deadline;
        let all = tokio::time::timeout_at(deadline, written(answer, form, &send)).await;
        drop(work);
        match all.unwrap_or_else(|_| Err(deadline_passed())) {
            // Its reader may have left.
            Ok(()) => drop(send.send(Piece::End).await),
            Err(refusal) => tracing::info!(code = %refusal.code, "rows broke off"),
        }
    });
    Body::from_stream(stream::unfold(Some(receive), |receive| async move {
        let mut receive = receive?;
        match receive.recv().await {
            Some(Piece::Bytes(bytes)) => Some((Ok(bytes), Some(receive))),
            Some(Piece::End) => None,
            // Whoever wrote has gone, by a failure or a panic: the body must not look whole.
            None => Some((Err(io::Error::other("the rows broke off")), None)),
        }
    }))
}

/// A part of a body, or its end.
enum Piece {
    Bytes(Bytes),
    End,
}

async fn written(mut answer: Answer, form: Form, send: &mpsc::Sender<Piece>) -> Result<(), Refusal> {
    let mut writer: Option<Writer> = None;
    while let Some(event) = answer.next().await {
        let bytes = match event? {
            Event::Progress(_) => continue,
            Event::Schema(columns) => {
                let new = Writer::new(form, &plain_schema(&columns)).map_err(|error| unwritten(&error))?;
                writer.insert(new).taken()
            }
            Event::Batch(batch) => {
                let writer = writer.as_mut().ok_or_else(internal)?;
                writer.write(&batch).map_err(|error| unwritten(&error))?;
                writer.taken()
            }
            Event::Summary(_) => match writer.take() {
                Some(writer) => writer.finish().map_err(|error| unwritten(&error))?,
                None => return Err(internal()),
            },
        };
        if !bytes.is_empty() && send.send(Piece::Bytes(bytes)).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
}

fn unwritten(error: &dyn std::fmt::Display) -> Refusal {
    tracing::error!(%error, "rows could not be written");
    internal()
}

/// What was written, until it is taken.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writer of rows in one form.
struct Writer {
    written: Written,
    columns: SchemaRef,
    form: Encoder,
}

enum Encoder {
    Arrow(Box<StreamWriter<Written>>),
    Json(Box<LineDelimitedWriter<Written>>),
    Csv(Box<arrow::csv::Writer<Written>>),
    Parquet(Box<ArrowWriter<Written>>),
}

type WriteResult<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

impl Writer {
    fn new(form: Form, columns: &SchemaRef) -> WriteResult<Self> {
        let written = Written::default();
        let form = match form {
            Form::Arrow => Encoder::Arrow(Box::new(StreamWriter::try_new(written.clone(), columns)?)),
            Form::Json => {
                Encoder::Json(Box::new(WriterBuilder::new().with_explicit_nulls(true).build(written.clone())))
            }
            Form::Csv => {
                let mut writer = arrow::csv::WriterBuilder::new().with_header(true).build(written.clone());
                // An answer without rows has its header too.
                writer.write(&RecordBatch::new_empty(Arc::clone(columns)))?;
                Encoder::Csv(Box::new(writer))
            }
            Form::Parquet => {
                Encoder::Parquet(Box::new(ArrowWriter::try_new(written.clone(), Arc::clone(columns), None)?))
            }
        };
        Ok(Self { written, columns: Arc::clone(columns), form })
    }

    fn write(&mut self, batch: &RecordBatch) -> WriteResult<()> {
        let columns = batch.columns().iter().zip(self.columns.fields());
        let columns = columns.map(|(column, field)| arrow::compute::cast(column, field.data_type()));
        let batch = RecordBatch::try_new(Arc::clone(&self.columns), columns.collect::<Result<_, _>>()?)?;
        match &mut self.form {
            Encoder::Arrow(writer) => writer.write(&batch)?,
            Encoder::Json(writer) => writer.write(&batch)?,
            Encoder::Csv(writer) => writer.write(&batch)?,
            Encoder::Parquet(writer) => writer.write(&batch)?,
        }
        Ok(())
    }

    fn taken(&self) -> Bytes {
        std::mem::take(&mut *self.written.0.lock()).into()
    }

    fn finish(self) -> WriteResult<Bytes> {
        match self.form {
            Encoder::Arrow(mut writer) => writer.finish()?,
            Encoder::Json(mut writer) => writer.finish()?,
            Encoder::Csv(_) => {}
            Encoder::Parquet(writer) => drop(writer.close()?),
        }
        let written = std::mem::take(&mut *self.written.0.lock());
        Ok(written.into())
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, Int64Array, StringViewArray};
    use arrow::datatypes::{DataType, Field, Schema};

    use super::*;

    fn all(form: Form, rows: &[Option<i64>]) -> Vec<u8> {
        let schema = Arc::new(Schema::new(vec![
            Field::new("n", DataType::Int64, true),
            Field::new("t", DataType::Utf8View, true),
        ]));
        let mut writer = Writer::new(form, &plain_schema(&schema)).unwrap();
        if !rows.is_empty() {
            let texts = StringViewArray::from(vec![Some("a,\"湾\""); rows.len()]);
            let columns: Vec<ArrayRef> = vec![Arc::new(Int64Array::from(rows.to_vec())), Arc::new(texts)];
            writer.write(&RecordBatch::try_new(schema, columns).unwrap()).unwrap();
        }
        let begun = writer.taken();
        [begun.to_vec(), writer.finish().unwrap().to_vec()].concat()
    }

    #[test]
    fn rows_are_written_in_each_form() {
        let rows = [Some(1), None];
        assert_eq!(String::from_utf8(all(Form::Csv, &rows)).unwrap(), "n,t\n1,\"a,\"\"湾\"\"\"\n,\"a,\"\"湾\"\"\"\n");
        let json = String::from_utf8(all(Form::Json, &rows)).unwrap();
        assert_eq!(json.lines().next().unwrap(), r#"{"n":1,"t":"a,\"湾\""}"#);
        let arrow = arrow::ipc::reader::StreamReader::try_new(io::Cursor::new(all(Form::Arrow, &rows)), None).unwrap();
        assert_eq!(arrow.map(|batch| batch.unwrap().num_rows()).sum::<usize>(), 2);
        let parquet = Bytes::from(all(Form::Parquet, &rows));
        let read = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(parquet).unwrap();
        assert_eq!(read.build().unwrap().map(|batch| batch.unwrap().num_rows()).sum::<usize>(), 2);
        assert_eq!(all(Form::Csv, &[]), b"n,t\n");
        assert!(all(Form::Json, &[]).is_empty());
    }

    #[test]
    fn the_form_is_the_first_that_is_accepted() {
        let form = |accept: &str| {
            let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_str(accept).unwrap())]);
            accepted(&headers).map(|(_, form)| form)
        };
        assert_eq!(accepted(&HeaderMap::new()).unwrap().1, Form::Arrow);
        for (accept, expected) in [
            ("text/csv", Some(Form::Csv)),
            ("text/html, application/x-ndjson;q=0.9, */*;q=0.1", Some(Form::Json)),
            ("application/vnd.apache.parquet", Some(Form::Parquet)),
            ("*/*", Some(Form::Arrow)),
            ("text/html", None),
        ] {
            assert_eq!(form(accept), expected, "{accept}");
        }
    }
}
