//! Queues of objects that are to be reconciled.

use k8s_openapi::NamespaceResourceScope;
use kube::runtime::controller::ReconcileRequest;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Resource, ResourceExt};
use tokio::sync::mpsc;

use super::guarded::Guarded;

/// Queue of the objects of one kind. An object that waits in it already is not added twice.
pub struct Queue<K: Resource>(mpsc::UnboundedSender<ReconcileRequest<Guarded<K>>>);

impl<K: Resource> Clone for Queue<K> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// The receiving end of a [`Queue`].
pub type Requests<K> = mpsc::UnboundedReceiver<ReconcileRequest<Guarded<K>>>;

impl<K> Queue<K>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + 'static,
{
    /// Returns a queue and its receiving end.
    #[must_use]
    pub fn new() -> (Self, Requests<K>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(sender), receiver)
    }

    /// Adds one object.
    pub fn push(&self, namespace: &str, name: &str) {
        // The receiver is gone only when the operator stops.
        let _ = self.0.send(ObjectRef::new(name).within(namespace).into());
    }

    /// Adds every object of a namespace.
    pub fn push_all(&self, store: &Store<Guarded<K>>, namespace: &str) {
        for object in store.state_filter(|object| object.meta().namespace.as_deref() == Some(namespace)) {
            self.push(namespace, &object.name_any());
        }
    }
}
