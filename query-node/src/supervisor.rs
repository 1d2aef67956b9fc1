//! Supervisor of a node's long-running tasks.
//!
//! A task that ends or panics is started again, after a pause that doubles each time. Until it makes progress again it
//! stands in [`Supervisor::faults`], and so does a task that runs and makes no progress for longer than it may. Readiness
//! shows these, and `wanqu_task_restarts_total` counts the restarts.
//!
//! The message of a panic is never read here, since it can quote data; [`crate::telemetry`] logs the place of a panic.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::task::JoinSet;

use crate::observe::Metrics;

/// Pause before the first restart.
const SHORTEST: Duration = Duration::from_millis(250);

/// Longest pause before a restart. A task that ran for longer than this begins again with the shortest pause.
const LONGEST: Duration = Duration::from_secs(30);

/// Supervisor of the tasks of one node. Clones share one state.
#[derive(Debug, Clone)]
pub struct Supervisor {
    tasks: Arc<Mutex<BTreeMap<&'static str, Task>>>,
    metrics: Metrics,
}

/// State of one task.
#[derive(Debug)]
struct Task {
    /// Longest time that the task may run without progress; unbounded if `None`.
    patience: Option<Duration>,
    /// Last progress, or the start if there was none yet.
    progress: (Instant, Timestamp),
    /// Time at which the task ended, if it has made no progress since.
    down: Option<Timestamp>,
    restarts: u64,
}

/// Handle with which a task reports its progress.
#[derive(Debug, Clone)]
pub struct Progress {
    supervisor: Supervisor,
    task: &'static str,
}

impl Progress {
    /// Reports that the task did what it is there for once more.
    pub fn made(&self) {
        if let Some(task) = self.supervisor.tasks.lock().get_mut(self.task) {
            task.progress = (Instant::now(), Timestamp::now());
            if let Some(since) = task.down.take() {
                tracing::info!(task = self.task, %since, "the task works again");
            }
        }
    }
}

impl Supervisor {
    /// Returns a supervisor that counts restarts in `metrics`.
    #[must_use]
    pub fn new(metrics: Metrics) -> Self {
        Self { tasks: Arc::default(), metrics }
    }

    /// Runs a task for as long as the returned future is polled. `start` makes the task's future: once now, and once more
    /// after each end. A task that reports no progress for `patience` counts as hung; with `None` it only has to run.
    pub async fn keep_running<F>(
        &self,
        task: &'static str,
        patience: Option<Duration>,
        mut start: impl FnMut(Progress) -> F,
    ) -> Infallible
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let now = (Instant::now(), Timestamp::now());
        self.tasks.lock().insert(task, Task { patience, progress: now, down: None, restarts: 0 });
        let restarts = self.metrics.task_restarts(task);
        let mut pause = SHORTEST;
        loop {
            let began = Instant::now();
            // A set of one: it aborts the task when this future is dropped.
            let mut running = JoinSet::new();
            running.spawn(start(Progress { supervisor: self.clone(), task }));
            let panicked = running.join_next().await.is_some_and(|ended| ended.is_err());
            if began.elapsed() > LONGEST {
                pause = SHORTEST;
            }
            tracing::error!(task, panicked, ?pause, "a task of the node ended; it is started again after a pause");
            self.ended(task);
            tokio::time::sleep(pause).await;
            restarts.inc();
            pause = (pause * 2).min(LONGEST);
        }
    }

    fn ended(&self, task: &'static str) {
        if let Some(task) = self.tasks.lock().get_mut(task) {
            task.down.get_or_insert_with(Timestamp::now);
            task.restarts += 1;
        }
    }

    /// Returns a sentence for each task that is down or hung; empty if all work.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        self.tasks
            .lock()
            .iter()
            .filter_map(|(name, task)| task.fault().map(|fault| format!("{name} {fault}")))
            .collect()
    }
}

impl Task {
    fn fault(&self) -> Option<String> {
        let (at, time) = self.progress;
        match (self.down, self.patience) {
            (Some(since), _) => Some(format!("is down since {since:.0}, restarts so far: {}", self.restarts)),
            (None, Some(patience)) if at.elapsed() > patience => Some(format!("has made no progress since {time:.0}")),
            _ => None,
        }
    }
}

/// Runs work that may block on a thread for it. A panic there is one here, so that the supervisor sees it; it is not
/// reported a second time.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is ending, and this future with it.
            Err(_) => std::future::pending().await,
        },
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::sync::Notify;

    use super::*;

    /// Runs a task beside a condition until the condition holds.
    async fn until(task: impl Future<Output = Infallible>, condition: impl Fn() -> bool) {
        let holds = async {
            while !condition() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let both = async {
            tokio::select! { never = task => match never {}, () = holds => {} }
        };
        tokio::time::timeout(Duration::from_secs(20), both).await.expect("the condition never held");
    }

    #[tokio::test]
    async fn a_task_that_panics_or_ends_is_started_again_and_down_until_it_makes_progress() {
        let metrics = Metrics::default();
        let supervisor = Supervisor::new(metrics.clone());
        let (starts, go) = (Arc::new(AtomicU32::new(0)), Arc::new(Notify::new()));
        let task = supervisor.keep_running("follower", None, |progress| {
            let (start, go) = (starts.fetch_add(1, Ordering::SeqCst), Arc::clone(&go));
            async move {
                match start {
                    0 => blocking(|| panic!("patient 4711")).await,
                    1 => {}
                    _ => {
                        go.notified().await;
                        progress.made();
                        std::future::pending::<()>().await;
                    }
                }
            }
        });
        let mut task = std::pin::pin!(task);
        until(&mut task, || starts.load(Ordering::SeqCst) == 3).await;
        let faults = supervisor.faults();
        assert!(faults[0].starts_with("follower is down since 2") && faults[0].ends_with("so far: 2"), "{faults:?}");
        assert!(metrics.text().contains("wanqu_task_restarts_total{task=\"follower\"} 2"), "{}", metrics.text());
        go.notify_one();
        until(&mut task, || supervisor.faults().is_empty()).await;
        assert_eq!(starts.load(Ordering::SeqCst), 3);
    }

    #[tokio::test]
    async fn a_task_that_hangs_is_named() {
        let supervisor = Supervisor::new(Metrics::default());
        let task = supervisor.keep_running("follower", Some(Duration::from_millis(20)), |_| std::future::pending());
        until(task, || supervisor.faults().iter().any(|fault| fault.starts_with("follower has made no progress")))
            .await;
    }

    #[tokio::test]
    async fn a_task_does_not_outlive_its_supervision() {
        let supervisor = Supervisor::new(Metrics::default());
        let held = Arc::new(());
        let task = supervisor.keep_running("follower", None, |progress| {
            let held = Arc::clone(&held);
            async move {
                progress.made();
                std::future::pending::<()>().await;
                drop(held);
            }
        });
        until(task, || Arc::strong_count(&held) > 1).await;
        until(std::future::pending(), || Arc::strong_count(&held) == 1).await;
    }
}
