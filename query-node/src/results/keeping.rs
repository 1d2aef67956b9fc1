//! Home service that keeps answers where a question asks for it.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use futures::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use wanqu_model::answer::{Answer, Event, Keep, KeptResult, Question, Summary};
use wanqu_model::bundle::Subject;
use wanqu_model::names::{JurisdictionId, TableRef};
use wanqu_model::refusal::{Code, Refusal};
use wanqu_rules::catalog::Catalog;

use super::file::{Draft, Footer};
use super::{Found, Results};
use crate::audit::{Entry, Log};
use crate::engine::Unavailable;
use crate::home::{Described, HomeService, no_such_result};

/// Longest time that a result is kept, in seconds: thirty days.
const MAX_TTL: u32 = 30 * 24 * 60 * 60;

/// Service of a home node that keeps answers where a question asks for it.
pub struct Keeping {
    home: Arc<dyn HomeService>,
    results: Option<Arc<Results>>,
    /// Audit log of fetches, and the jurisdiction that they are of.
    log: Option<(Arc<Log>, JurisdictionId)>,
}

impl Keeping {
    /// Returns the service; without `results`, it keeps nothing.
    pub fn new(home: Arc<dyn HomeService>, results: Option<Arc<Results>>) -> Self {
        Self { home, results, log: None }
    }

    /// Records every fetch in the audit log of a jurisdiction.
    #[must_use]
    pub fn with_log(self, log: Arc<Log>, own: JurisdictionId) -> Self {
        Self { log: Some((log, own)), ..self }
    }
}

#[async_trait]
impl HomeService for Keeping {
    async fn ask(&self, requester: Subject, question: Question, cancel: CancellationToken) -> Result<Answer, Refusal> {
        let Some(keep) = question.keep else { return self.home.ask(requester, question, cancel).await };
        // Refused before any owner is asked: an answer that cannot be kept.
        let results = self
            .results
            .as_ref()
            .ok_or_else(|| Refusal::new(Code::Limit, "this node keeps no results").with_remedy("ask without `keep`"))?;
        let writer = Writer::begin(Arc::clone(results), requester.clone(), question.clone(), keep)?;
        let answer = self.home.ask(requester, question, cancel).await?;
        Ok(written(answer, writer))
    }

    async fn describe(
        &self,
        requester: Subject,
        question: Question,
        cancel: CancellationToken,
    ) -> Result<Described, Refusal> {
        self.home.describe(requester, question, cancel).await
    }

    fn keeps(&self) -> bool {
        self.results.is_some()
    }

    async fn fetch(&self, requester: Subject, result: Uuid) -> Result<Answer, Refusal> {
        let results = self.results.as_ref().ok_or_else(no_such_result)?;
        let Found { answer, question, contributed } = results.fetch(&requester, result).await?;
        let (project, purpose) =
            question.as_ref().map(|question| (question.project.clone(), question.purpose.clone())).unwrap_or_default();
        // Without its question nobody can say what it rests on.
        let granted = match question {
            Some(question) => self.home.still_granted(&requester, question, &contributed).await,
            None => Err(no_such_result()),
        };
        let granted = granted.map_err(|refusal| match refusal.code {
            Code::UnknownName => no_such_result(),
            _ => refusal,
        });
        if let Some((log, own)) = &self.log {
            let refusal = granted.as_ref().err().cloned();
            let entry = Entry::Fetched { query_id: result, from: own.clone(), requester, project, purpose, refusal };
            log.append_async(results.clock.now(), entry).await.map_err(|error| {
                tracing::error!(%error, "the audit log cannot be written");
                Refusal::new(Code::Source, "the node's audit log cannot be written, so no result is given")
                    .with_rule("every fetch of a result is in the log before a byte leaves")
                    .with_remedy("tell the node's administrator; the node's log has the cause")
            })?;
        }
        granted.map(|()| answer)
    }

    fn catalog(&self) -> Arc<Catalog> {
        self.home.catalog()
    }

    fn unavailable(&self) -> Option<(JurisdictionId, Vec<Unavailable>)> {
        self.home.unavailable()
    }

    fn unavailable_elsewhere(&self) -> BTreeMap<JurisdictionId, Vec<TableRef>> {
        self.home.unavailable_elsewhere()
    }
}

/// Returns the answer, written down as it passes. When it ends early, or nobody takes it any more, nothing is left of it.
fn written(answer: Answer, writer: Writer) -> Answer {
    stream::unfold((answer, writer), |(mut answer, mut writer)| async move {
        let event = match answer.next().await? {
            Ok(Event::Summary(summary)) => Ok(Event::Summary(writer.end(summary).await)),
            Ok(event) => {
                writer.note(&event).await;
                Ok(event)
            }
            Err(refusal) => Err(refusal),
        };
        Some((event, (answer, writer)))
    })
    .boxed()
}

/// Writer of one answer.
struct Writer {
    results: Arc<Results>,
    requester: Subject,
    question: Question,
    keep: Keep,
    id: Uuid,
    stage: Stage,
}

enum Stage {
    /// The schema has not come yet.
    Waiting,
    Writing(Box<Draft>),
    /// Writing failed; what was written is removed.
    Failed(io::Error),
}

impl Writer {
    fn begin(results: Arc<Results>, requester: Subject, question: Question, keep: Keep) -> Result<Self, Refusal> {
        if keep.ttl_seconds == 0 || keep.ttl_seconds > MAX_TTL {
            return Err(Refusal::new(Code::Limit, "a result cannot be kept for so long")
                .with_rule(format!("a result is kept for 1 to {MAX_TTL} seconds")));
        }
        results.sweep();
        let id = Uuid::new_v4();
        results.ledger.lock().begin(id, &requester).map_err(|full| no_room(&io::Error::other(full)))?;
        Ok(Self { results, requester, question, keep, id, stage: Stage::Waiting })
    }

    async fn note(&mut self, event: &Event) {
        let stage = std::mem::replace(&mut self.stage, Stage::Waiting);
        self.stage = match (stage, event) {
            (Stage::Waiting, Event::Schema(schema)) => self.open(Arc::clone(schema)).await,
            (Stage::Writing(draft), Event::Batch(batch)) => write(draft, batch.clone()).await,
            (stage, _) => stage,
        };
    }

    async fn open(&mut self, schema: SchemaRef) -> Stage {
        let (results, id) = (Arc::clone(&self.results), self.id);
        let created = blocking(move || Draft::create(&results.folder, id, Arc::clone(&results.ledger), &schema));
        created.await.map_or_else(Stage::Failed, |draft| Stage::Writing(Box::new(draft)))
    }

    /// Returns the account, with where the answer is kept or why it is not.
    async fn end(&mut self, mut summary: Summary) -> Summary {
        match self.finish(&summary).await {
            Ok(kept) => summary.result = Some(kept),
            Err(error) => {
                tracing::warn!(query_id = %summary.query_id, %error, "an answer is not kept");
                summary.not_kept = Some(Box::new(no_room(&error)));
            }
        }
        summary
    }

    async fn finish(&mut self, summary: &Summary) -> io::Result<KeptResult> {
        let draft = match std::mem::replace(&mut self.stage, Stage::Waiting) {
            Stage::Writing(draft) => draft,
            Stage::Failed(error) => return Err(error),
            Stage::Waiting => return Err(io::Error::other("the answer had no columns")),
        };
        let expires = expiry(self.results.clock.now(), self.keep);
        let (requester, question) = (self.requester.clone(), Some(self.question.clone()));
        let footer = Footer { requester, expires, summary: summary.clone(), question };
        let results = Arc::clone(&self.results);
        let kept = blocking(move || draft.finish(&results.folder, &footer)).await?;
        Ok(KeptResult { id: summary.query_id, rows: summary.rows, bytes: kept.bytes, expires })
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // A draft that got its name is no draft any more; then this does nothing.
        self.results.ledger.lock().give_up(self.id);
    }
}

async fn write(mut draft: Box<Draft>, batch: RecordBatch) -> Stage {
    let written = blocking(move || draft.write(&batch).map(|()| draft));
    written.await.map_or_else(Stage::Failed, Stage::Writing)
}

/// Runs work on a thread that may block. A panic there is an error here.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| Err(io::Error::other("the writer failed")))
}

fn expiry(now: Timestamp, keep: Keep) -> Timestamp {
    now.checked_add(SignedDuration::from_secs(keep.ttl_seconds.into())).unwrap_or(Timestamp::MAX)
}

fn no_room(error: &io::Error) -> Refusal {
    let refusal = Refusal::new(Code::Limit, "the result cannot be kept");
    match error.get_ref().and_then(|inner| inner.downcast_ref::<super::ledger::Full>()) {
        Some(full) => refusal
            .with_rule(full.to_string())
            .with_remedy("ask for fewer rows, wait until other results have expired, or ask without `keep`"),
        None => refusal.with_rule("the node's disk takes no more").with_remedy("ask without `keep`"),
    }
}
