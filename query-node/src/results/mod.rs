//! Answers that the home node keeps, so that they can be fetched again.
//!
//! ```text
//! answer ─▶ Keeping ─▶ researcher        a question with `keep`: the rows are written while they pass
//!              └─▶ <id>.parquet          named only once the answer is whole
//! fetch  ─▶ Keeping ◀─ <id>.parquet      for the one who asked, until it expires
//! ```
//!
//! The answer is written as it went to its researcher, so all of it has passed the gates. A result is its requester's
//! alone: whether an id is unknown, somebody else's or expired is not told apart. The room is bounded, for everybody and
//! for each; where it ends, or the disk does, the answer goes on and its account says that it is not kept.

mod file;
mod keeping;
mod ledger;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use futures::{StreamExt, TryStreamExt, stream};
use parking_lot::Mutex;
use parquet::arrow::ParquetRecordBatchStreamBuilder;
use uuid::Uuid;
use wanqu_model::answer::{Answer, Event, KeptResult, Question};
use wanqu_model::bundle::Subject;
use wanqu_model::names::JurisdictionId;
use wanqu_model::refusal::{Code, Refusal};

pub use keeping::Keeping;

use crate::clock::Clock;
use crate::home::no_such_result;
use crate::supervisor::{Progress, blocking};
use file::{Footer, file_name, inspect};
use ledger::Ledger;

/// Pause between two removals of what has expired.
const PERIOD: Duration = Duration::from_mins(1);

/// Settings of the kept results.
#[derive(Debug, Clone)]
pub struct ResultsSettings {
    /// Folder of their files.
    pub folder: PathBuf,
    /// Largest size of all files together, in bytes.
    pub quota: u64,
}

/// Results that a node keeps.
pub struct Results {
    folder: PathBuf,
    ledger: Arc<Mutex<Ledger>>,
    clock: Arc<dyn Clock>,
}

impl Results {
    /// Longest time that a removal of expired results may take until readiness says so.
    pub(crate) const PATIENCE: Duration = Duration::from_mins(10);

    /// Opens the folder, makes it if it is not there, and takes stock: files that are not whole are removed, and so are
    /// those that have expired meanwhile. A file that cannot be read at the moment stays where it is, and is not served.
    ///
    /// # Errors
    /// The folder cannot be made, read or written.
    pub fn open(settings: ResultsSettings, clock: Arc<dyn Clock>) -> io::Result<Self> {
        let ResultsSettings { folder, quota } = settings;
        DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        let mut ledger = Ledger::new(quota);
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            let path_shown = path.display();
            match inspect(&path) {
                Ok(file::Found::Result(id, kept)) => ledger.finish(id, id, kept),
                Ok(file::Found::Partial) => fs::remove_file(&path)?,
                Ok(file::Found::Foreign) => {
                    tracing::warn!(path = %path_shown, "this file is no result, and is left alone");
                }
                Err(error) => {
                    tracing::error!(path = %path_shown, %error, "this result cannot be read: it stays, and is not served");
                }
            }
        }
        let results = Self { folder, ledger: Arc::new(Mutex::new(ledger)), clock };
        results.sweep();
        Ok(results)
    }

    /// Removes what has expired. What cannot be removed still counts towards the quota, and is tried again next time.
    pub fn sweep(&self) {
        let expired = self.ledger.lock().expired(self.clock.now());
        for id in expired {
            match fs::remove_file(self.folder.join(file_name(id))) {
                Ok(()) => tracing::info!(result = %id, "a result has expired, and is removed"),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    tracing::warn!(result = %id, "the file of a result that has expired was removed by somebody else");
                }
                Err(error) => {
                    tracing::error!(result = %id, %error, "a result has expired, and its file cannot be removed");
                    continue;
                }
            }
            self.ledger.lock().forget(id);
        }
    }

    /// Removes what has expired once a minute.
    pub(crate) async fn expire(results: Arc<Self>, progress: Progress) {
        let mut times = tokio::time::interval(PERIOD);
        loop {
            times.tick().await;
            let results = Arc::clone(&results);
            blocking(move || results.sweep()).await;
            progress.made();
        }
    }

    /// Returns a result to the one who asked for it to be kept, and the question that it answers; `None` if an earlier version
    /// wrote it without. Its file is read as the rows are taken.
    ///
    /// # Errors
    /// [`no_such_result`] for an id that is unknown, somebody else's or expired, and for a file that is gone;
    /// [`Code::Source`] for a file that is there and cannot be read.
    pub async fn fetch(&self, requester: &Subject, id: Uuid) -> Result<Found, Refusal> {
        self.ledger.lock().find(id, requester, self.clock.now()).ok_or_else(no_such_result)?;
        let failed = |error: &dyn std::fmt::Display| unreadable(id, error);
        let path = self.folder.join(file_name(id));
        let file = match blocking(move || wanqu_file::open(&path)).await {
            Ok(file) => tokio::fs::File::from_std(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                tracing::warn!(result = %id, "the file of a result was removed by somebody else");
                self.ledger.lock().forget(id);
                return Err(no_such_result());
            }
            Err(error) => return Err(failed(&error)),
        };
        let bytes = file.metadata().await.map_err(|e| failed(&e))?.len();
        let builder = ParquetRecordBatchStreamBuilder::new(file).await.map_err(|e| failed(&e))?;
        let footer = Footer::among(builder.metadata().file_metadata().key_value_metadata());
        // The file says it too: nobody gets another's rows because a file was moved by hand.
        let footer = footer.filter(|footer| footer.requester == *requester).ok_or_else(no_such_result)?;
        let fields = builder.schema().fields().clone();
        let rows = builder.build().map_err(|e| failed(&e))?;
        let question = footer.question;
        let mut summary = footer.summary;
        let outcomes = summary.outcomes.iter().filter(|outcome| outcome.missing.is_none());
        let contributed = outcomes.map(|outcome| outcome.jurisdiction.clone()).collect();
        summary.result = Some(KeptResult { id, rows: summary.rows, bytes, expires: footer.expires });
        // The file's own metadata is no part of the answer. Its account is: readers of others' see columns and rows alone.
        let account = serde_json::to_string(&summary).map_err(|e| failed(&e))?;
        let schema = Arc::new(Schema::new(fields).with_metadata(HashMap::from([(ACCOUNT.to_owned(), account)])));
        let plain = Arc::clone(&schema);
        let rows = rows.map_err(move |error| unreadable(id, &error));
        let rows = rows.and_then(move |batch| {
            let batch = RecordBatch::try_new(Arc::clone(&plain), batch.columns().to_vec());
            std::future::ready(batch.map(Event::Batch).map_err(|error| unreadable(id, &error)))
        });
        let head = stream::iter([Ok(Event::Schema(schema))]);
        let answer = head.chain(rows).chain(stream::iter([Ok(Event::Summary(summary))])).boxed();
        Ok(Found { answer, question, contributed })
    }
}

/// Key of the account, as JSON, in the metadata of the columns of a result.
pub const ACCOUNT: &str = "wanqu.account";

/// A result that was found.
pub struct Found {
    /// The answer, as it was given.
    pub answer: Answer,
    /// The question that it answers, if the file has it.
    pub question: Option<Question>,
    /// Jurisdictions whose parts are in it.
    pub contributed: Vec<JurisdictionId>,
}

/// Logs why a result's file cannot be read, and returns the refusal, which does not say it: reasons can quote paths.
fn unreadable(id: Uuid, error: &dyn std::fmt::Display) -> Refusal {
    tracing::error!(result = %id, %error, "a result's file cannot be read");
    Refusal::new(Code::Source, "the result is kept, and its file cannot be read")
        .with_rule("the node's log has the cause")
        .with_remedy("fetch it again later, ask the question anew, or tell the node's administrator")
}
