//! The limits of the bundle in force, as the doors see them.

use std::sync::Arc;

use parking_lot::RwLock;
use wanqu_model::bundle::Limits;

/// The limits in force. Clones share one state, so that a new bundle's hold from the next question on.
#[derive(Debug, Clone)]
pub struct LiveLimits(Arc<RwLock<Limits>>);

impl LiveLimits {
    /// The limits now.
    #[must_use]
    pub fn now(&self) -> Limits {
        self.0.read().clone()
    }

    /// Puts others in force.
    pub fn replace(&self, limits: Limits) {
        *self.0.write() = limits;
    }
}

impl From<Limits> for LiveLimits {
    fn from(first: Limits) -> Self {
        Self(Arc::new(RwLock::new(first)))
    }
}
