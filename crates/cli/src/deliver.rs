//! Reading an answer to its end and writing its rows in the format asked for.

use std::path::Path;

use futures::StreamExt;
use wanqu_model::answer::{Answer, Event, Summary};
use wanqu_model::refusal::{Code, Refusal};

use super::args::{Format, RowsArgs};
use super::failure::{Failure, Outcome};
use super::render::account::{account, is_partial, warnings};
use super::render::progress::Waiting;
use super::render::sink::{Sink, sink};
use super::render::table::Screen;

/// Format and place in which rows are wanted.
#[derive(Debug, Clone, Copy)]
pub struct Delivery<'a> {
    /// Format of the rows.
    pub format: Format,
    /// File to write to; standard output if none.
    pub output: Option<&'a Path>,
    /// Most rows that a table shows; 0 for all.
    pub max_rows: usize,
    /// True if neither progress nor account is printed.
    pub quiet: bool,
}

impl<'a> Delivery<'a> {
    /// Reads the arguments.
    ///
    /// # Errors
    /// If Parquet is to go to standard output.
    pub fn of(args: &'a RowsArgs) -> Outcome<Self> {
        if args.format == Format::Parquet && args.output.is_none() {
            return Err(Failure::Usage("--format parquet needs --output FILE".to_owned()));
        }
        let RowsArgs { format, max_rows, quiet, .. } = *args;
        Ok(Self { format, output: args.output.as_deref(), max_rows, quiet })
    }
}

/// Reads an answer to its end, writes its rows and returns its account. Ctrl-C drops it, which cancels the query at the owners.
pub async fn deliver(asking: impl Future<Output = Result<Answer, Refusal>>, how: Delivery<'_>) -> Outcome<Summary> {
    tokio::select! {
        outcome = take(asking, how) => outcome,
        _ = tokio::signal::ctrl_c() => Err(Failure::Interrupted),
    }
}

async fn take(asking: impl Future<Output = Result<Answer, Refusal>>, how: Delivery<'_>) -> Outcome<Summary> {
    let mut waiting = Waiting::new(how.quiet);
    let mut answer = asking.await?;
    let mut rows: Option<Box<dyn Sink>> = None;
    let mut summary = None;
    while let Some(event) = answer.next().await {
        match event? {
            Event::Progress(progress) => waiting.event(&progress),
            Event::Schema(schema) => {
                // A terminal cannot show a spinner and rows that stream at the same time.
                if how.format != Format::Table {
                    waiting.done();
                }
                rows = Some(sink(how.format, &schema, how.output, how.max_rows)?);
            }
            Event::Batch(batch) => rows.as_mut().ok_or_else(cut_short)?.write(&batch)?,
            Event::Summary(account) => summary = Some(account),
        }
    }
    waiting.done();
    let (Some(rows), Some(summary)) = (rows, summary) else { return Err(cut_short()) };
    rows.finish()?;
    Ok(summary)
}

/// Returns the failure for an answer without its account: it is not whole.
fn cut_short() -> Failure {
    Refusal::new(Code::OwnerUnavailable, "the answer broke off before its end")
        .with_remedy("ask again; the gateway's log says more")
        .into()
}

/// Prints the account; returns `Failure::Partial` if a jurisdiction is missing.
pub fn conclude(summary: &Summary, how: Delivery<'_>) -> Outcome {
    if how.quiet {
        eprint!("{}", warnings(summary));
    } else if how.format == Format::Table && how.output.is_none() {
        super::put(&account(summary, Screen::stdout()))?;
    } else {
        eprint!("{}", account(summary, Screen::PLAIN));
    }
    if is_partial(summary) { Err(Failure::Partial) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, RecordBatch};
    use futures::stream;

    use super::*;
    use wanqu_model::answer::JurisdictionOutcome;

    fn events() -> Vec<Result<Event, Refusal>> {
        let column: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
        let batch = RecordBatch::try_from_iter([("n", column)]).unwrap();
        let summary = Summary { rows: 2, ..Summary::default() };
        vec![Ok(Event::Schema(batch.schema())), Ok(Event::Batch(batch)), Ok(Event::Summary(summary))]
    }

    async fn to_file(events: Vec<Result<Event, Refusal>>) -> (Outcome<Summary>, Option<String>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.csv");
        let how = Delivery { format: Format::Csv, output: Some(&path), max_rows: 0, quiet: true };
        let answer: Answer = Box::pin(stream::iter(events));
        let outcome = deliver(async { Ok(answer) }, how).await;
        (outcome, std::fs::read_to_string(path).ok())
    }

    #[tokio::test]
    async fn a_whole_answer_is_written() {
        let (outcome, text) = to_file(events()).await;
        assert_eq!(outcome.unwrap().rows, 2);
        assert_eq!(text.unwrap(), "n\n1\n2\n");
    }

    #[tokio::test]
    async fn an_answer_without_its_account_is_no_answer() {
        let mut cut = events();
        cut.pop();
        let (outcome, text) = to_file(cut).await;
        assert_eq!(outcome.unwrap_err().exit_code(), 4);
        assert!(text.is_none(), "no file may appear");
    }

    #[tokio::test]
    async fn a_refusal_in_mid_stream_leaves_no_file() {
        let mut refused = events();
        refused[2] = Err(Refusal::new(Code::Limit, "too many rows"));
        let (outcome, text) = to_file(refused).await;
        assert_eq!(outcome.unwrap_err().exit_code(), 3);
        assert!(text.is_none());
    }

    #[test]
    fn a_partial_answer_has_its_own_exit_code() {
        let missing = JurisdictionOutcome {
            jurisdiction: "MO".parse().unwrap(),
            releases: Vec::new(),
            rows: 0,
            bytes: 0,
            elapsed_ms: 0,
            missing: Some(Refusal::new(Code::OwnerUnavailable, "no answer")),
            cut_short: false,
        };
        let summary = Summary { may_lack: true, outcomes: vec![missing], ..Summary::default() };
        let how = Delivery { format: Format::Csv, output: None, max_rows: 0, quiet: true };
        assert_eq!(conclude(&summary, how).unwrap_err().exit_code(), 5);
    }
}
