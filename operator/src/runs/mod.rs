//! Runs that this process is asking. They end with it, and when it loses the lease: only the leader asks.

pub(crate) mod inline;

use std::collections::{BTreeSet, HashMap};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt;
use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use parking_lot::Mutex;
use tokio::task::AbortHandle;
use wanqu_crds::kinds::FederatedQuery;
use wanqu_model::answer::Summary;
use wanqu_model::refusal::{Code, Refusal};

use self::inline::Inline;
use crate::framework::{Clock, Queue};

/// The most questions that one operator asks at once.
const MOST: usize = 64;

/// The time for which it is remembered that an admission policy guards requesters.
const REMEMBERED: SignedDuration = SignedDuration::from_secs(30);

/// Runs of one operator process.
pub struct Runs {
    me: String,
    table: Mutex<HashMap<(String, u32), Run>>,
    guarded: Mutex<HashMap<String, Timestamp>>,
}

enum Run {
    Asking { _task: Asking },
    Ended(Arc<Ended>),
}

/// A task that is cancelled when this is dropped.
struct Asking(AbortHandle);

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// An answer.
pub(crate) struct Answered {
    /// Its account: who released what, who is missing.
    pub(crate) summary: Summary,
    /// Its rows, if they are few enough for a `ConfigMap`.
    pub(crate) inline: Option<Inline>,
}

/// The end of a run, kept until it is recorded.
pub(crate) struct Ended {
    /// The time at which it ended.
    pub(crate) at: Timestamp,
    /// The answer, or the refusal.
    pub(crate) outcome: Result<Answered, Refusal>,
}

impl Runs {
    /// The empty table of a process. Its name is never used again, so that a run tells whether its process is gone.
    #[must_use]
    pub fn new(me: String) -> Self {
        Self { me, table: Mutex::default(), guarded: Mutex::default() }
    }

    /// Returns the name of this process.
    pub(crate) fn me(&self) -> &str {
        &self.me
    }

    /// Returns the numbers of a query's runs that go on.
    pub(crate) fn alive(&self, uid: &str) -> BTreeSet<u32> {
        let table = self.table.lock();
        table
            .iter()
            .filter(|((of, _), run)| of == uid && matches!(run, Run::Asking { .. }))
            .map(|((_, n), _)| *n)
            .collect()
    }

    /// Returns true if one more run may begin.
    pub(crate) fn have_room(&self) -> bool {
        self.table.lock().values().filter(|run| matches!(run, Run::Asking { .. })).count() < MOST
    }

    /// Returns the end of a run, if it has ended.
    pub(crate) fn ended(&self, uid: &str, number: u32) -> Option<Arc<Ended>> {
        match self.table.lock().get(&(uid.to_owned(), number)) {
            Some(Run::Ended(ended)) => Some(Arc::clone(ended)),
            _ => None,
        }
    }

    /// Cancels a run; dropping its stream cancels the question at the owners.
    pub(crate) fn cancel(&self, uid: &str, number: u32) {
        if self.table.lock().remove(&(uid.to_owned(), number)).is_some() {
            tracing::info!(query = uid, number, "a question is cancelled");
        }
    }

    /// Cancels all runs of a query.
    pub(crate) fn cancel_all(&self, uid: &str) {
        self.table.lock().retain(|(of, _), _| of != uid);
    }

    /// Forgets a run whose end is recorded.
    pub(crate) fn forget(&self, uid: &str, number: u32) {
        self.table.lock().remove(&(uid.to_owned(), number));
    }

    /// Returns true if the requesters of a namespace were found to be guarded a moment ago.
    pub(crate) fn is_guarded(&self, namespace: &str, now: Timestamp) -> bool {
        self.guarded.lock().get(namespace).is_some_and(|since| now.duration_since(*since) < REMEMBERED)
    }

    /// Remembers that the requesters of a namespace are guarded.
    pub(crate) fn guarded_at(&self, namespace: &str, now: Timestamp) {
        self.guarded.lock().insert(namespace.to_owned(), now);
    }

    fn end(&self, uid: &str, number: u32, ended: Ended) {
        // A run that was cancelled meanwhile is not in the table any more.
        if let Some(run) = self.table.lock().get_mut(&(uid.to_owned(), number)) {
            *run = Run::Ended(Arc::new(ended));
        }
    }
}

/// Begins a run that is recorded. Its end gets its time from the clock, and then the query is queued.
pub(crate) fn begin(
    runs: &Arc<Runs>,
    (clock, queue): (Clock, Queue<FederatedQuery>),
    query: &FederatedQuery,
    number: u32,
    question: impl Future<Output = Result<Answered, Refusal>> + Send + 'static,
) {
    let (uid, namespace, name) =
        (query.uid().unwrap_or_default(), query.namespace().unwrap_or_default(), query.name_any());
    tracing::info!(namespace, name, number, "a question is asked");
    let mut table = runs.table.lock();
    // The table owns the task, so the task must not own the table.
    let (runs, of) = (Arc::downgrade(runs), uid.clone());
    let task = tokio::spawn(async move {
        // Else the run would be in the table for ever.
        let outcome = AssertUnwindSafe(question).catch_unwind().await.unwrap_or_else(|_| Err(panicked()));
        if let Some(runs) = runs.upgrade() {
            runs.end(&of, number, Ended { at: clock.now(), outcome });
            queue.push(&namespace, &name);
        }
    });
    table.insert((uid, number), Run::Asking { _task: Asking(task.abort_handle()) });
}

/// Refusal for a question whose task panicked. Owners may have released, so it is not asked again.
fn panicked() -> Refusal {
    Refusal::new(Code::Internal, "the operator failed while it asked the question; owners may have released already")
        .with_remedy("see the operator's log and the owners' audit logs, and then create another FederatedQuery")
}
