//! `wanqu query` and `wanqu explain`: one question to a gateway.

use std::path::Path;

use arrow::array::RecordBatch;
use wanqu_model::answer::Question;

use super::args::{ExplainArgs, Format, QueryArgs};
use super::connect::Connection;
use super::deliver::{Delivery, conclude, deliver};
use super::failure::{Failure, Outcome};
use super::input;
use super::receipts;
use super::render::sink::sink;
use super::state::StateDir;
use super::tour::{answered, lines_of_text};

/// Asks a query and writes its rows.
pub async fn query(state: &StateDir, args: &QueryArgs) -> Outcome {
    let how = Delivery::of(&args.rows)?;
    let connection = Connection::find(state, &args.gateway)?;
    let sql = input::sql(&args.sql)?;
    let question =
        Question { partial: args.partial, mark_incomplete: args.mark_incomplete, ..connection.question(sql) };
    let summary = deliver(connection.ask(&question), how).await?;
    if let Some(file) = &args.receipts {
        receipts::write(file, &summary)?;
    }
    conclude(&summary, how)
}

/// Asks how a query would be split, or which rules admit or refuse it. Nothing is run.
pub async fn explain(state: &StateDir, args: &ExplainArgs) -> Outcome {
    let connection = Connection::find(state, &args.gateway)?;
    let word = if args.policy { "EXPLAIN POLICY" } else { "EXPLAIN" };
    let question = connection.question(format!("{word} {}", input::sql(&args.sql)?));
    let seen = tokio::select! {
        seen = answered(connection.ask(&question)) => seen?,
        _ = tokio::signal::ctrl_c() => return Err(Failure::Interrupted),
    };
    explained(&seen.batches, args.format, args.output.as_deref())
}

/// Writes an explanation: as plain lines for people, in the format asked for otherwise.
pub(super) fn explained(batches: &[RecordBatch], format: Format, output: Option<&Path>) -> Outcome {
    let Some(first) = batches.first() else { return Ok(()) };
    if format == Format::Table
        && output.is_none()
        && let Some(text) = lines_of_text(batches)
    {
        return super::put(&text);
    }
    let mut rows = sink(format, &first.schema(), output, 0)?;
    for batch in batches {
        rows.write(batch)?;
    }
    rows.finish()
}
