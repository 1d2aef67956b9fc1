//! Answers that are kept at home, so that they can be fetched again.
//!
//! ```text
//! answer ─▶ Keeping ─▶ researcher        a question with `keep`: the rows are written while they pass
//!              └─▶ <id>.parquet          named only once the answer is whole
//! fetch  ─▶ Keeping ◀─ <id>.parquet      for the one who asked, until it expires
//! ```
//!
//! What is written is the answer as it went to its researcher, so all of it has passed the gates. A result is its
//! requester's alone: whether an id is unknown, somebody else's or expired is not told apart. The room is bounded, for
//! everybody and for each; where it ends, or the disk does, the answer goes on and its account says that it is not kept.

mod file;
mod keeping;
mod ledger;
#[cfg(test)]
mod tests;

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
use wanqu_model::answer::{Answer, Event, KeptResult};
use wanqu_model::bundle::Subject;
use wanqu_model::refusal::{Code, Refusal};

pub use keeping::Keeping;

use crate::clock::Clock;
use crate::home::no_such_result;
use file::{Footer, Found, file_name, inspect};
use ledger::Ledger;

/// How often what has expired is removed.
const SWEEP: Duration = Duration::from_mins(1);

/// Where results are kept.
#[derive(Debug, Clone)]
pub struct ResultsSettings {
    /// The folder.
    pub folder: PathBuf,
    /// The most that all of them may take, in bytes.
    pub quota: u64,
}

/// The results that a node keeps.
pub struct Results {
    folder: PathBuf,
    ledger: Arc<Mutex<Ledger>>,
    clock: Arc<dyn Clock>,
}

impl Results {
    /// Opens the folder, makes it if it is not there, and takes stock: what was not whole is removed, and so is what has
    /// expired meanwhile.
    ///
    /// # Errors
    /// The folder cannot be made, read or written.
    pub fn open(settings: ResultsSettings, clock: Arc<dyn Clock>) -> io::Result<Self> {
        let ResultsSettings { folder, quota } = settings;
        DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        let mut ledger = Ledger::new(quota);
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            match inspect(&path) {
                Found::Result(id, kept) => ledger.finish(id, id, kept),
                Found::Draft => fs::remove_file(&path)?,
                Found::Foreign => tracing::warn!(path = %path.display(), "this is no result, and is left alone"),
            }
        }
        let results = Self { folder, ledger: Arc::new(Mutex::new(ledger)), clock };
        results.sweep();
        Ok(results)
    }

    /// Removes what has expired.
    pub fn sweep(&self) {
        let gone = self.ledger.lock().expire(self.clock.now());
        for id in gone {
            match fs::remove_file(self.folder.join(file_name(id))) {
                Ok(()) => tracing::info!(result = %id, "a result has expired"),
                Err(error) => tracing::error!(result = %id, %error, "an expired result cannot be removed"),
            }
        }
    }

    /// Sweeps now and then, for as long as it is polled.
    pub async fn keep_clean(&self) {
        let mut times = tokio::time::interval(SWEEP);
        loop {
            times.tick().await;
            self.sweep();
        }
    }

    /// A result, for the one who asked. It is read as it is taken.
    ///
    /// # Errors
    /// The same for an id that is unknown, somebody else's or expired.
    pub async fn fetch(&self, requester: &Subject, id: Uuid) -> Result<Answer, Refusal> {
        self.ledger.lock().find(id, requester, self.clock.now()).ok_or_else(no_such_result)?;
        let failed = |error: &dyn std::fmt::Display| {
            tracing::error!(result = %id, %error, "a result cannot be read");
            Refusal::new(Code::Internal, "the result cannot be read; the node's log says why")
        };
        let file = tokio::fs::File::open(self.folder.join(file_name(id))).await.map_err(|e| failed(&e))?;
        let bytes = file.metadata().await.map_err(|e| failed(&e))?.len();
        let builder = ParquetRecordBatchStreamBuilder::new(file).await.map_err(|e| failed(&e))?;
        let footer = Footer::among(builder.metadata().file_metadata().key_value_metadata());
        // The file says it too: nobody gets another's rows because a file was moved by hand.
        let footer = footer.filter(|footer| footer.requester == *requester).ok_or_else(no_such_result)?;
        // What the file says of itself is no part of the answer.
        let schema = Arc::new(Schema::new(builder.schema().fields().clone()));
        let rows = builder.build().map_err(|e| failed(&e))?;
        let mut summary = footer.summary;
        summary.result = Some(KeptResult { id, rows: summary.rows, bytes, expires: footer.expires });
        let plain = Arc::clone(&schema);
        let rows = rows.map_err(move |error| {
            tracing::error!(result = %id, %error, "a result cannot be read to its end");
            Refusal::new(Code::Internal, "the result cannot be read to its end; the node's log says why")
        });
        let rows = rows.and_then(move |batch| {
            let batch = RecordBatch::try_new(Arc::clone(&plain), batch.columns().to_vec());
            std::future::ready(batch.map(Event::Batch).map_err(|_| wanqu_client::status::internal()))
        });
        let head = stream::iter([Ok(Event::Schema(schema))]);
        Ok(head.chain(rows).chain(stream::iter([Ok(Event::Summary(summary))])).boxed())
    }
}
