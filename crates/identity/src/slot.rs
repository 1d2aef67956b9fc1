//! What a node shows of itself at the moment. Certificates are short-lived, so it changes while the node runs.

use std::sync::Arc;

use parking_lot::RwLock;

/// Something that is in use, and may be replaced while it is. Clones share one state.
#[derive(Debug)]
pub struct Slot<T>(Arc<RwLock<Arc<T>>>);

impl<T> Slot<T> {
    /// What is in it now. Whoever holds it keeps it, whatever is put in its place.
    #[must_use]
    pub fn now(&self) -> Arc<T> {
        Arc::clone(&self.0.read())
    }

    /// Puts another in its place.
    pub fn replace(&self, next: impl Into<Arc<T>>) {
        *self.0.write() = next.into();
    }
}

impl<T> Clone for Slot<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> From<Arc<T>> for Slot<T> {
    fn from(first: Arc<T>) -> Self {
        Self(Arc::new(RwLock::new(first)))
    }
}

impl<T> From<T> for Slot<T> {
    fn from(first: T) -> Self {
        Arc::new(first).into()
    }
}
