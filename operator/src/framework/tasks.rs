//! Supervision of long tasks: none of them ends unnoticed.
//!
//! A task whose state cannot be made anew (a watch and its store, a controller and its queue) ends the operator, which its
//! pod starts again: [`Tasks`]. Any other is run again after a pause: [`restarting`].

use std::collections::HashMap;
use std::time::Duration;

use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, sleep};

use super::health::{TaskHealth, TaskName};

/// Pace at which a task is run again.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// The pause after the first end.
    pub first: Duration,
    /// The longest pause. Each is twice the one before while runs are short.
    pub longest: Duration,
    /// The shortest run after which the task counts as recovered.
    pub steady: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { first: Duration::from_secs(1), longest: Duration::from_mins(1), steady: Duration::from_secs(30) }
    }
}

/// A task that ended and should not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the {task} {}", how(*.panicked))]
pub struct Ended {
    /// Which.
    pub task: TaskName,
    /// True if it panicked.
    pub panicked: bool,
}

/// Tasks of which none may end. They are cancelled when this is dropped.
#[derive(Default)]
pub struct Tasks {
    running: JoinSet<()>,
    names: HashMap<Id, TaskName>,
}

impl Tasks {
    /// Starts a task.
    pub fn spawn(&mut self, name: TaskName, task: impl Future<Output = ()> + Send + 'static) {
        let id = self.running.spawn(task).id();
        self.names.insert(id, name);
    }

    /// Waits for the first task to end and returns which it was. Waits for ever if there is none.
    pub async fn ended(&mut self) -> Ended {
        let (id, panicked) = match self.running.join_next_with_id().await {
            Some(Ok((id, ()))) => (id, false),
            Some(Err(error)) => (error.id(), error.is_panic()),
            None => return std::future::pending().await,
        };
        let task = self.names.remove(&id).unwrap_or_else(|| TaskName::new("task"));
        Ended { task, panicked }
    }
}

/// Runs what `begin` makes, and again after each end or panic, with pauses between. Never returns.
pub async fn restarting<Run>(health: TaskHealth, pace: Pace, mut begin: impl FnMut() -> Run)
where
    Run: Future<Output = ()> + Send + 'static,
{
    let mut pause = pace.first;
    loop {
        let begun = Instant::now();
        let result = supervised(begin(), &health, pace.steady).await;
        let how = how(result.is_err_and(|error| error.is_panic()));
        if begun.elapsed() >= pace.steady {
            pause = pace.first;
        }
        tracing::error!(task = %health.task(), pause_seconds = pause.as_secs(), "a task {how}; it is run again");
        health.failed(how);
        sleep(pause).await;
        pause = (pause * 2).min(pace.longest);
        health.restarted();
    }
}

/// Runs a task to its end; it counts as recovered once it has run for a while.
async fn supervised(
    run: impl Future<Output = ()> + Send + 'static,
    health: &TaskHealth,
    steady: Duration,
) -> Result<(), JoinError> {
    let mut running = JoinSet::new();
    running.spawn(run);
    let ended = tokio::time::timeout(steady, running.join_next()).await;
    let ended = if let Ok(ended) = ended {
        ended
    } else {
        health.recovered();
        running.join_next().await
    };
    ended.unwrap_or(Ok(()))
}

fn how(panicked: bool) -> &'static str {
    if panicked { "panicked" } else { "ended by itself" }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parking_lot::Mutex;

    use super::*;
    use crate::framework::health::Health;
    use crate::framework::metrics::Metrics;

    #[tokio::test]
    async fn the_first_task_to_end_is_named_and_how_it_ended() {
        let mut tasks = Tasks::default();
        tasks.spawn(TaskName::new("watch of Dataset"), std::future::pending());
        tasks.spawn(TaskName::new("controller of Jurisdiction").within(Some("gba")), async { panic!("a fault") });
        let ended = tasks.ended().await;
        assert_eq!(ended.to_string(), "the controller of Jurisdiction in namespace gba panicked");
        tasks.spawn(TaskName::new("HTTP server"), async {});
        assert_eq!(tasks.ended().await.to_string(), "the HTTP server ended by itself");
    }

    #[tokio::test]
    async fn a_task_that_panics_is_run_again_after_longer_and_longer_pauses_and_recovers() {
        let metrics = Metrics::new();
        let health = Health::new(metrics.clone());
        let unit = Duration::from_millis(20);
        let pace = Pace { first: unit, longest: unit * 3, steady: unit * 20 };
        let begins = Arc::new(Mutex::new(Vec::new()));
        let again = {
            let begins = Arc::clone(&begins);
            move || {
                let mut begins = begins.lock();
                begins.push(Instant::now());
                let run = begins.len();
                async move {
                    match run {
                        1 | 3 => panic!("a fault"),
                        2 => {}
                        _ => std::future::pending().await,
                    }
                }
            }
        };
        let fails = |count: u32| metrics.encode().contains(&format!("failing_tasks{{task=\"poll\"}} {count}"));
        let task = tokio::spawn(restarting(health.of(TaskName::new("poll")), pace, again));
        let within = Duration::from_secs(20);
        wanqu_testing::until("four runs", within, async || match begins.lock().len() {
            4 => Ok(()),
            runs => Err(runs),
        })
        .await;
        assert!(fails(1), "it runs, but not for long yet");
        assert!(metrics.encode().contains("wanqu_operator_task_restarts_total{task=\"poll\"} 3"));
        let pauses: Vec<Duration> = begins.lock().windows(2).map(|pair| pair[1] - pair[0]).collect();
        for (pause, least) in pauses.iter().zip([unit, unit * 2, unit * 3]) {
            assert!(*pause >= least, "{pauses:?}");
        }
        wanqu_testing::until("recovery", within, async || if fails(0) { Ok(()) } else { Err(metrics.encode()) }).await;
        assert!(!task.is_finished());
    }
}
