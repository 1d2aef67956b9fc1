//! Where objects wait to be looked at.

use k8s_openapi::NamespaceResourceScope;
use kube::runtime::controller::ReconcileRequest;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Resource, ResourceExt};
use tokio::sync::mpsc;

use super::guarded::Guarded;

/// Where an object of this kind is asked to be looked at. What is in it already is not put in twice.
pub struct Queue<K: Resource>(mpsc::UnboundedSender<ReconcileRequest<Guarded<K>>>);

impl<K: Resource> Clone for Queue<K> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// The other end of a [`Queue`].
pub type Requests<K> = mpsc::UnboundedReceiver<ReconcileRequest<Guarded<K>>>;

impl<K> Queue<K>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + 'static,
{
    /// A queue, and its other end.
    #[must_use]
    pub fn new() -> (Self, Requests<K>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(sender), receiver)
    }

    /// Asks for one object.
    pub fn push(&self, namespace: &str, name: &str) {
        // Nobody takes requests any more only when the operator stops.
        let _ = self.0.send(ObjectRef::new(name).within(namespace).into());
    }

    /// Asks for every object of a namespace.
    pub fn push_all(&self, store: &Store<Guarded<K>>, namespace: &str) {
        for object in store.state_filter(|object| object.meta().namespace.as_deref() == Some(namespace)) {
            self.push(namespace, &object.name_any());
        }
    }
}
