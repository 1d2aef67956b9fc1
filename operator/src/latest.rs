//! Latest reports that nodes gave, by the namespace of their federation.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::RwLock;

/// Latest reports of one kind. Copies of it are the same store.
#[derive(Clone, Default)]
pub struct Latest<T>(Arc<RwLock<HashMap<String, T>>>);

impl<T: PartialEq> Latest<T> {
    /// Returns what `look` finds in the reports of a namespace; `None` if there are none.
    pub(crate) fn find<R>(&self, namespace: &str, look: impl FnOnce(&T) -> Option<R>) -> Option<R> {
        self.0.read().get(namespace).and_then(look)
    }

    /// Stores the reports of a namespace and returns true if they differ from those before.
    pub(crate) fn store(&self, namespace: &str, reports: T) -> bool {
        let mut all = self.0.write();
        if all.get(namespace).is_some_and(|before| *before == reports) {
            return false;
        }
        all.insert(namespace.to_owned(), reports);
        true
    }

    /// Forgets all namespaces but these.
    pub(crate) fn retain_namespaces(&self, namespaces: &[String]) {
        self.0.write().retain(|namespace, _| namespaces.contains(namespace));
    }
}
