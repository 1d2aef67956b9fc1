//! What is counted, in the text format of Prometheus. Labels have few values, all known beforehand: kinds and classes of
//! errors, never names.

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

/// The operator's metrics. Clones count together.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Registry>,
    reconciles: Family<Kind, Counter>,
    failures: Family<Failure, Counter>,
    durations: Family<Kind, Histogram>,
    leading: Gauge,
}

impl Metrics {
    /// Nothing counted yet.
    #[must_use]
    pub fn new() -> Self {
        let reconciles = Family::<Kind, Counter>::default();
        let failures = Family::<Failure, Counter>::default();
        let durations =
            Family::<Kind, Histogram>::new_with_constructor(|| Histogram::new(exponential_buckets(0.001, 4.0, 8)));
        let leading = Gauge::default();
        let mut registry = Registry::with_prefix("wanqu_operator");
        registry.register("reconciles", "Objects looked at", reconciles.clone());
        registry.register("reconcile_failures", "Objects that could not be brought to their end", failures.clone());
        registry.register("reconcile_duration_seconds", "How long one look took", durations.clone());
        registry.register("leading", "Whether this operator is the one that works", leading.clone());
        Self { registry: Arc::new(registry), reconciles, failures, durations, leading }
    }

    /// An object of a kind was looked at.
    pub fn reconciled(&self, kind: &str, took: Duration, error: Option<&Error>) {
        let labels = Kind { kind: kind.to_owned() };
        self.reconciles.get_or_create(&labels).inc();
        self.durations.get_or_create(&labels).observe(took.as_secs_f64());
        if let Some(error) = error {
            let failure = Failure { kind: kind.to_owned(), class: error.class().to_owned() };
            self.failures.get_or_create(&failure).inc();
        }
    }

    /// Whether this operator works or waits.
    pub fn leads(&self, leads: bool) {
        self.leading.set(i64::from(leads));
    }

    /// Everything, as Prometheus reads it.
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
    fn what_happened_is_counted_by_kind_and_class() {
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
