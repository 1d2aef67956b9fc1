//! The one recorder of events.

use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Client, Resource};

use super::labels::MANAGER;

/// Tells the readers of `kubectl describe` what was done, and what could not be.
#[derive(Clone)]
pub struct Events(Recorder);

impl Events {
    /// Events in the name of this operator; `instance` is its pod.
    #[must_use]
    pub fn new(client: Client, instance: &str) -> Self {
        let reporter = Reporter { controller: MANAGER.to_owned(), instance: Some(instance.to_owned()) };
        Self(Recorder::new(client, reporter))
    }

    /// Something was done.
    pub async fn normal<K: Resource<DynamicType = ()>>(&self, of: &K, action: &str, reason: &str, note: String) {
        self.publish(of, EventType::Normal, action, reason, note).await;
    }

    /// Something could not be done.
    pub async fn warning<K: Resource<DynamicType = ()>>(&self, of: &K, action: &str, reason: &str, note: String) {
        self.publish(of, EventType::Warning, action, reason, note).await;
    }

    /// An event that is lost is no reason to stop: what it says stands in the conditions too.
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
