//! Recorder of Kubernetes events.

use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Client, Resource};

use super::labels::MANAGER;

/// Publishes what was done, and what could not be done, for readers of `kubectl describe`.
#[derive(Clone)]
pub struct Events(Recorder);

impl Events {
    /// A recorder in the name of this operator; `instance` is its pod.
    #[must_use]
    pub fn new(client: Client, instance: &str) -> Self {
        let reporter = Reporter { controller: MANAGER.to_owned(), instance: Some(instance.to_owned()) };
        Self(Recorder::new(client, reporter))
    }

    /// Publishes an event of type Normal.
    pub async fn normal<K: Resource<DynamicType = ()>>(&self, of: &K, action: &str, reason: &str, note: String) {
        self.publish(of, EventType::Normal, action, reason, note).await;
    }

    /// Publishes an event of type Warning.
    pub async fn warning<K: Resource<DynamicType = ()>>(&self, of: &K, action: &str, reason: &str, note: String) {
        self.publish(of, EventType::Warning, action, reason, note).await;
    }

    /// A lost event is only logged: conditions say the same.
    async fn publish<K: Resource<DynamicType = ()>>(
        &self,
        of: &K,
        type_: EventType,
        action: &str,
        reason: &str,
        mut note: String,
    ) {
        while note.len() > 1000 {
            note.pop();
        }
        let event =
            Event { type_, reason: reason.to_owned(), note: Some(note), action: action.to_owned(), secondary: None };
        if let Err(error) = self.0.publish(&event, &of.object_ref(&())).await {
            tracing::warn!(%error, reason, "an event could not be recorded");
        }
    }
}
