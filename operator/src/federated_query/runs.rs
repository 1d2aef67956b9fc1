//! The runs that this process is at. They end with it, and with its lead: nothing is asked by an operator that does not
//! lead any more.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use parking_lot::Mutex;
use tokio::task::AbortHandle;
use wanqu_crds::kinds::FederatedQuery;
use wanqu_model::refusal::Refusal;

use super::ask::Answered;
use crate::framework::Context;

/// How many questions one operator asks at once.
const MOST: usize = 64;

/// How long it is remembered whether requesters are vouched for.
const REMEMBERED: SignedDuration = SignedDuration::from_secs(30);

/// The runs of one operator process.
pub struct Runs {
    me: String,
    table: Mutex<HashMap<(String, u32), Run>>,
    guarded: Mutex<HashMap<String, Timestamp>>,
}

enum Run {
    Asking { _task: Asking },
    Ended(Arc<Ended>),
}

/// A task that ends when nobody holds it.
struct Asking(AbortHandle);

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// How a run ended, until that is written down.
pub(super) struct Ended {
    /// When.
    pub(super) at: Timestamp,
    /// With what.
    pub(super) outcome: Result<Answered, Refusal>,
}

impl Runs {
    /// No runs yet, of a process of this name. The name is never used again, so that a run whose process is gone is known
    /// by it.
    #[must_use]
    pub fn new(me: String) -> Self {
        Self { me, table: Mutex::default(), guarded: Mutex::default() }
    }

    /// This process.
    pub(super) fn me(&self) -> &str {
        &self.me
    }

    /// The runs of one query that go on.
    pub(super) fn alive(&self, uid: &str) -> BTreeSet<u32> {
        let table = self.table.lock();
        table
            .iter()
            .filter(|((of, _), run)| of == uid && matches!(run, Run::Asking { .. }))
            .map(|((_, n), _)| *n)
            .collect()
    }

    /// Whether one more may begin.
    pub(super) fn have_room(&self) -> bool {
        self.table.lock().values().filter(|run| matches!(run, Run::Asking { .. })).count() < MOST
    }

    /// How a run ended, if it has.
    pub(super) fn ended(&self, uid: &str, number: u32) -> Option<Arc<Ended>> {
        match self.table.lock().get(&(uid.to_owned(), number)) {
            Some(Run::Ended(ended)) => Some(Arc::clone(ended)),
            _ => None,
        }
    }

    /// Ends a run; dropping its stream cancels the question at the owners.
    pub(super) fn cancel(&self, uid: &str, number: u32) {
        if self.table.lock().remove(&(uid.to_owned(), number)).is_some() {
            tracing::info!(query = uid, number, "a question is cancelled");
        }
    }

    /// Ends all runs of a query.
    pub(super) fn cancel_all(&self, uid: &str) {
        self.table.lock().retain(|(of, _), _| of != uid);
    }

    /// How a run ended is written down.
    pub(super) fn forget(&self, uid: &str, number: u32) {
        self.table.lock().remove(&(uid.to_owned(), number));
    }

    /// Whether requesters of a namespace were found to be vouched for a moment ago.
    pub(super) fn is_guarded(&self, namespace: &str, now: Timestamp) -> bool {
        self.guarded.lock().get(namespace).is_some_and(|since| now.duration_since(*since) < REMEMBERED)
    }

    /// Remembers that they are.
    pub(super) fn guarded_at(&self, namespace: &str, now: Timestamp) {
        self.guarded.lock().insert(namespace.to_owned(), now);
    }

    fn end(&self, uid: &str, number: u32, ended: Ended) {
        // A run that was cancelled meanwhile is none any more.
        if let Some(run) = self.table.lock().get_mut(&(uid.to_owned(), number)) {
            *run = Run::Ended(Arc::new(ended));
        }
    }
}

/// Begins a run that is written down. When it has ended, the query is looked at again.
pub(super) fn begin(
    context: &Arc<Context>,
    query: &FederatedQuery,
    number: u32,
    question: impl Future<Output = Result<Answered, Refusal>> + Send + 'static,
) {
    let (uid, namespace, name) =
        (query.uid().unwrap_or_default(), query.namespace().unwrap_or_default(), query.name_any());
    tracing::info!(namespace, name, number, "a question is asked");
    let mut table = context.runs.table.lock();
    // The task must not keep alive what keeps it alive.
    let (runs, clock, queue) = (Arc::downgrade(&context.runs), context.clock.clone(), context.queues.queries.clone());
    let of = uid.clone();
    let task = tokio::spawn(async move {
        let outcome = question.await;
        if let Some(runs) = runs.upgrade() {
            runs.end(&of, number, Ended { at: clock.now(), outcome });
            queue.push(&namespace, &name);
        }
    });
    table.insert((uid, number), Run::Asking { _task: Asking(task.abort_handle()) });
}
