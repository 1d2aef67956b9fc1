//! State of the operator's long tasks and of its API server, for `/readyz` and for metrics.
//!
//! A probe reads what is kept here and asks nobody: tasks report their own faults, and one task asks the API server.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::watch;

use super::metrics::Metrics;

/// The longest that a task may fail before the operator counts as not ready.
pub const TOLERATED: Duration = Duration::from_mins(2);
/// The greatest age of the API server's last answer.
const FRESH: Duration = Duration::from_secs(45);

/// Name of a long task.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TaskName {
    what: String,
    namespace: Option<String>,
}

impl TaskName {
    /// The name of a task that works for the whole operator: `HTTP server`.
    #[must_use]
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), namespace: None }
    }

    /// The same task for one namespace; for all of them if `namespace` is none.
    #[must_use]
    pub fn within(self, namespace: Option<&str>) -> Self {
        Self { namespace: namespace.map(str::to_owned), ..self }
    }

    /// The name without its namespace, as the label of a metric.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.what
    }
}

impl fmt::Display for TaskName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{} in namespace {namespace}", self.what),
            None => f.write_str(&self.what),
        }
    }
}

/// The kinds of this project that the API server serves, as it was last asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kinds {
    /// It has not been asked yet.
    Unknown,
    /// All of them.
    Served,
    /// All but these.
    Missing(Vec<String>),
    /// It could not be asked, and why.
    Unreachable(String),
}

/// Health of one operator. Clones share it.
#[derive(Clone)]
pub struct Health(Arc<Shared>);

struct Shared {
    faults: Mutex<BTreeMap<TaskName, Fault>>,
    kinds: watch::Sender<(Kinds, Instant)>,
    metrics: Metrics,
}

/// A task that fails.
#[derive(Debug, Clone)]
struct Fault {
    since: Instant,
    since_time: Timestamp,
    problem: String,
}

impl Health {
    /// Health of an operator that has just started: no task has failed, and the API server has not been asked.
    #[must_use]
    pub fn new(metrics: Metrics) -> Self {
        let kinds = watch::Sender::new((Kinds::Unknown, Instant::now()));
        Self(Arc::new(Shared { faults: Mutex::default(), kinds, metrics }))
    }

    /// Returns the handle by which a task reports how it fares. Its faults are forgotten when the last clone is dropped.
    #[must_use]
    pub fn of(&self, task: TaskName) -> TaskHealth {
        TaskHealth(Arc::new(Reporter { health: self.clone(), task }))
    }

    /// Notes what the API server serves.
    pub fn set_kinds(&self, kinds: Kinds) {
        self.0.kinds.send_replace((kinds, Instant::now()));
    }

    /// Waits until the API server serves all kinds.
    pub async fn kinds_are_served(&self) {
        // The sender is in `self`.
        let _ = self.0.kinds.subscribe().wait_for(|(kinds, _)| *kinds == Kinds::Served).await;
    }

    /// Returns what keeps the operator from being ready, a line each; none if it is ready.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let (kinds, asked) = self.0.kinds.borrow().clone();
        let now = Instant::now();
        let mut problems: Vec<String> = api_server(&kinds, now.saturating_duration_since(asked)).into_iter().collect();
        problems.extend(failing(&self.0.faults.lock(), now));
        problems
    }

    fn failed(&self, task: &TaskName, problem: &str) {
        let mut faults = self.0.faults.lock();
        let fault = faults.entry(task.clone()).or_insert_with(|| {
            self.0.metrics.task_fails(task.label(), true);
            Fault { since: Instant::now(), since_time: Timestamp::now(), problem: String::new() }
        });
        problem.clone_into(&mut fault.problem);
    }

    fn recovered(&self, task: &TaskName) {
        if self.0.faults.lock().remove(task).is_some() {
            self.0.metrics.task_fails(task.label(), false);
        }
    }
}

/// Reports how one task fares.
#[derive(Clone)]
pub struct TaskHealth(Arc<Reporter>);

struct Reporter {
    health: Health,
    task: TaskName,
}

impl TaskHealth {
    /// Notes that the task fails. It fails since the first of these notes, until [`recovered`](Self::recovered).
    pub fn failed(&self, problem: &str) {
        self.0.health.failed(&self.0.task, problem);
    }

    /// Notes that the task works.
    pub fn recovered(&self) {
        self.0.health.recovered(&self.0.task);
    }

    /// Notes that the task is run again after it ended.
    pub fn restarted(&self) {
        self.0.health.0.metrics.task_restarted(self.0.task.label());
    }

    /// The task's name.
    #[must_use]
    pub fn task(&self) -> &TaskName {
        &self.0.task
    }
}

impl Drop for Reporter {
    fn drop(&mut self) {
        self.health.recovered(&self.task);
    }
}

/// Returns what is wrong with the API server's last answer, which is `age` old.
fn api_server(kinds: &Kinds, age: Duration) -> Option<String> {
    let stale = || (age > FRESH).then(|| format!("the API server was last asked {} s ago", age.as_secs()));
    match kinds {
        Kinds::Unknown => Some("the API server has not been asked yet".to_owned()),
        Kinds::Served => stale(),
        Kinds::Missing(kinds) => Some(format!(
            "the custom resource definitions of {} are not installed; install the chart's definitions",
            kinds.join(", ")
        )),
        Kinds::Unreachable(problem) => Some(format!("the API server cannot be asked: {problem}")),
    }
}

/// Returns a line for each task that has failed for longer than is tolerated.
fn failing(faults: &BTreeMap<TaskName, Fault>, now: Instant) -> Vec<String> {
    let long = faults.iter().filter(|(_, fault)| now.saturating_duration_since(fault.since) >= TOLERATED);
    long.map(|(task, fault)| {
        let since = Timestamp::from_second(fault.since_time.as_second()).unwrap_or(fault.since_time);
        format!("the {task} fails since {since}: {}", fault.problem)
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(since: Instant) -> Fault {
        Fault { since, since_time: "2026-11-27T22:00:00.5Z".parse().unwrap(), problem: "403 Forbidden".to_owned() }
    }

    #[test]
    fn a_task_that_fails_for_minutes_is_named_with_its_namespace_and_since_when() {
        let begun = Instant::now();
        let watch = TaskName::new("watch of Dataset").within(Some("gba"));
        let faults = BTreeMap::from([(watch, fault(begun))]);
        let just_before = begun + TOLERATED.checked_sub(Duration::from_millis(1)).unwrap();
        assert_eq!(failing(&faults, just_before), [""; 0], "a short interruption is no reason");
        assert_eq!(
            failing(&faults, begun + TOLERATED),
            ["the watch of Dataset in namespace gba fails since 2026-11-27T22:00:00Z: 403 Forbidden"]
        );
    }

    #[test]
    fn readiness_rests_on_the_last_answer_of_the_api_server() {
        let (now, old) = (Duration::ZERO, FRESH + Duration::from_secs(1));
        assert_eq!(api_server(&Kinds::Served, now), None);
        assert!(api_server(&Kinds::Served, old).unwrap().contains("was last asked 46 s ago"));
        assert!(api_server(&Kinds::Unknown, now).unwrap().contains("has not been asked"));
        let missing = Kinds::Missing(vec!["Dataset".to_owned(), "Federation".to_owned()]);
        assert!(api_server(&missing, now).unwrap().contains("Dataset, Federation are not installed"));
        assert!(api_server(&Kinds::Unreachable("refused".to_owned()), now).unwrap().ends_with(": refused"));
    }

    #[test]
    fn faults_last_from_the_first_report_to_recovery_and_no_longer_than_their_task() {
        let health = Health::new(Metrics::new());
        let task = health.of(TaskName::new("watch of Dataset"));
        let fault = || health.0.faults.lock().values().next().cloned();
        let gauge = || health.0.metrics.encode().contains("wanqu_operator_failing_tasks{task=\"watch of Dataset\"} 1");
        task.failed("first");
        let first = fault().unwrap();
        task.failed("second");
        let second = fault().unwrap();
        assert_eq!((second.since, second.problem.as_str()), (first.since, "second"));
        assert!(gauge());
        task.recovered();
        assert!(fault().is_none() && !gauge());
        task.failed("again");
        drop(task);
        assert!(fault().is_none() && !gauge(), "a task that is gone does not fail");
    }

    #[tokio::test]
    async fn work_begins_when_all_kinds_are_served() {
        let health = Health::new(Metrics::new());
        let waiting = tokio::spawn({
            let health = health.clone();
            async move { health.kinds_are_served().await }
        });
        health.set_kinds(Kinds::Missing(vec!["Dataset".to_owned()]));
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        health.set_kinds(Kinds::Served);
        waiting.await.unwrap();
        assert!(health.problems().is_empty());
    }
}
