//! Limits of the bundle in force, shared with the doors.

use std::sync::Arc;

use parking_lot::RwLock;
use wanqu_model::bundle::Limits;

/// The limits in force. Clones share one state: the limits of a new bundle hold from the next question on.
#[derive(Debug, Clone)]
pub struct LiveLimits(Arc<RwLock<Limits>>);

impl LiveLimits {
    /// Returns the limits in force now.
    #[must_use]
    pub fn now(&self) -> Limits {
        self.0.read().clone()
    }

    /// Replaces the limits.
    pub fn replace(&self, limits: Limits) {
        *self.0.write() = limits;
    }
}

impl From<Limits> for LiveLimits {
    fn from(first: Limits) -> Self {
        Self(Arc::new(RwLock::new(first)))
    }
}
