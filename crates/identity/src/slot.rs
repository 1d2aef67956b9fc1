//! Values that are replaced while they are in use, such as short-lived certificates.

use std::sync::Arc;

use parking_lot::RwLock;

/// Value that is in use and may be replaced meanwhile. Clones share one state.
#[derive(Debug)]
pub struct Slot<T>(Arc<RwLock<Arc<T>>>);

impl<T> Slot<T> {
    /// Returns the present value. Its holder keeps it when another takes its place.
    #[must_use]
    pub fn now(&self) -> Arc<T> {
        Arc::clone(&self.0.read())
    }

    /// Replaces the value.
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
