//! An answer brought to where its rows are wanted: standard output or a file, which gets its name only once it is whole.

use std::fs::Permissions;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::util::pretty::pretty_format_batches;
use clap::ValueEnum;
use futures::StreamExt;
use parquet::arrow::ArrowWriter;
use tempfile::NamedTempFile;
use wanqu_client::answer::{Answer, Event, Summary};
use wanqu_client::refusal::{Code, Refusal};

use crate::args::RowsArgs;
use crate::failure::{Failure, Outcome};

/// How rows are written.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A table for people.
    #[default]
    Table,
    /// Comma-separated values with a header line (RFC 4180).
    Csv,
    /// One array of objects.
    Json,
    /// Apache Parquet; needs --output.
    Parquet,
}

/// Takes an answer to its end and writes its rows, then says what is missing.
///
/// # Errors
/// The answer breaks off, or cannot be written.
pub async fn deliver(mut answer: Answer, how: &RowsArgs) -> Outcome {
    let cut_short = || Refusal::new(Code::OwnerUnavailable, "the answer broke off before its end");
    let (mut columns, mut batches, mut account) = (None, Vec::new(), None);
    while let Some(event) = answer.next().await {
        match event? {
            Event::Progress(_) => {}
            Event::Schema(schema) => columns = Some(schema),
            Event::Batch(batch) => batches.push(batch),
            Event::Summary(summary) => account = Some(summary),
        }
    }
    // An answer without its account is not whole, and must not pass for one.
    let (Some(columns), Some(account)) = (columns, account) else { return Err(cut_short().into()) };
    write(&columns, &batches, how)?;
    conclude(&account, how.quiet)
}

/// Writes rows.
///
/// # Errors
/// They cannot be written.
pub fn write(columns: &SchemaRef, batches: &[RecordBatch], how: &RowsArgs) -> Outcome {
    let failed = |error: &dyn std::fmt::Display| Failure::failed(format!("the rows cannot be written: {error}"));
    let Some(path) = &how.output else {
        if how.format == Format::Parquet {
            return Err(Failure::failed("--format parquet needs --output FILE"));
        }
        let mut out = io::stdout();
        return into(&mut out, columns, batches, how.format).and_then(|()| Ok(out.flush()?)).map_err(|e| failed(&e));
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // The mode is cut by the umask, as for any file that a shell would make.
    let file = tempfile::Builder::new().permissions(Permissions::from_mode(0o666)).tempfile_in(folder);
    let mut file: NamedTempFile = file.map_err(|error| failed(&error))?;
    into(&mut file, columns, batches, how.format).map_err(|error| failed(&error))?;
    file.persist(path).map_err(|error| failed(&error))?;
    Ok(())
}

fn into(
    out: &mut (impl Write + Send),
    columns: &SchemaRef,
    batches: &[RecordBatch],
    format: Format,
) -> Result<(), ArrowError> {
    let empty = [RecordBatch::new_empty(columns.clone())];
    let batches = if batches.is_empty() { &empty } else { batches };
    match format {
        Format::Table => writeln!(out, "{}", pretty_format_batches(batches)?)?,
        Format::Csv => {
            let mut writer = arrow::csv::WriterBuilder::new().with_header(true).build(out);
            for batch in batches {
                writer.write(batch)?;
            }
        }
        Format::Json => {
            let mut writer = arrow::json::ArrayWriter::new(&mut *out);
            writer.write_batches(&batches.iter().collect::<Vec<_>>())?;
            writer.finish()?;
            writeln!(out)?;
        }
        Format::Parquet => {
            let mut writer = ArrowWriter::try_new(out, columns.clone(), None)?;
            for batch in batches {
                writer.write(batch)?;
            }
            writer.close()?;
        }
    }
    Ok(())
}

/// Says on standard error who released what, and who is missing. What is missing is said in any case.
fn conclude(account: &Summary, quiet: bool) -> Outcome {
    let mut partial = false;
    for outcome in &account.outcomes {
        if let Some(why) = &outcome.missing {
            partial = true;
            eprintln!("{} is missing: {why}", outcome.jurisdiction);
        } else if !quiet {
            let kept_back: u64 = outcome.releases.iter().filter_map(|release| release.suppressed_cells).sum();
            eprintln!("{}: {} rows, {kept_back} cells kept back", outcome.jurisdiction, outcome.rows);
        }
    }
    if account.may_lack && !partial {
        eprintln!("some rows may lack the part of an owner whose rule kept it back");
    }
    if partial { Err(Failure::Partial) } else { Ok(()) }
}
