//! Metrics, in the text format of Prometheus. Labels have few values, all known beforehand: kinds, tasks and classes of
//! errors, never names of objects.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use super::error::Error;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Kind {
    kind: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Failure {
    kind: String,
    class: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Task {
    task: String,
}

/// Metrics of the operator. Clones count together.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Registry>,
    reconciles: Family<Kind, Counter>,
    failures: Family<Failure, Counter>,
    durations: Family<Kind, Histogram>,
    leading: Gauge,
    failing: Family<Task, Gauge>,
    restarts: Family<Task, Counter>,
}

impl Metrics {
    /// Metrics that have counted nothing yet.
    #[must_use]
    pub fn new() -> Self {
        let reconciles = Family::<Kind, Counter>::default();
        let failures = Family::<Failure, Counter>::default();
        let durations =
            Family::<Kind, Histogram>::new_with_constructor(|| Histogram::new(exponential_buckets(0.001, 4.0, 8)));
        let leading = Gauge::default();
        let mut registry = Registry::with_prefix("wanqu_operator");
        let (failing, restarts) = (Family::<Task, Gauge>::default(), Family::<Task, Counter>::default());
        registry.register("reconciles", "Objects reconciled", reconciles.clone());
        registry.register("reconcile_failures", "Reconciliations that failed", failures.clone());
        registry.register("reconcile_duration_seconds", "Duration of one reconciliation", durations.clone());
        registry.register("leading", "1 while this copy of the operator holds the lease", leading.clone());
        registry.register("failing_tasks", "Long tasks that fail at this moment, such as watches", failing.clone());
        registry.register("task_restarts", "Long tasks that ended and were run again", restarts.clone());
        Self { registry: Arc::new(registry), reconciles, failures, durations, leading, failing, restarts }
    }

    /// Counts a reconciliation of an object of a kind.
    pub fn reconciled(&self, kind: &str, took: Duration, error: Option<&Error>) {
        let labels = Kind { kind: kind.to_owned() };
        self.reconciles.get_or_create(&labels).inc();
        self.durations.get_or_create(&labels).observe(took.as_secs_f64());
        if let Some(error) = error {
            let failure = Failure { kind: kind.to_owned(), class: error.class().to_owned() };
            self.failures.get_or_create(&failure).inc();
        }
    }

    /// Notes that a task began to fail, or that it recovered. Tasks of several namespaces are counted under one label.
    pub fn task_fails(&self, task: &str, fails: bool) {
        self.failing.get_or_create(&Task { task: task.to_owned() }).inc_by(if fails { 1 } else { -1 });
    }

    /// Counts a task that ended and was run again.
    pub fn task_restarted(&self, task: &str) {
        self.restarts.get_or_create(&Task { task: task.to_owned() }).inc();
    }

    /// Notes whether this operator holds the lease.
    pub fn leads(&self, leads: bool) {
        self.leading.set(i64::from(leads));
    }

    /// Returns all metrics in the text format.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut text = String::new();
        // Writing into a String does not fail.
        let _ = text::encode(&mut text, &self.registry);
        text
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reconciliations_are_counted_by_kind_and_class_of_error() {
        let metrics = Metrics::new();
        let taken = Error::Taken { object: "Service gba/x".to_owned(), owner: "a/b".to_owned() };
        metrics.reconciled("Dataset", Duration::from_millis(3), None);
        metrics.reconciled("Jurisdiction", Duration::from_millis(3), Some(&taken));
        let text = metrics.encode();
        assert!(text.contains("wanqu_operator_reconciles_total{kind=\"Dataset\"} 1"), "{text}");
        assert!(text.contains("wanqu_operator_reconcile_failures_total{kind=\"Jurisdiction\",class=\"taken\"} 1"));
        assert!(!text.contains("gba/x"), "no names");
    }
}
