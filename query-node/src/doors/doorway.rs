//! Parts that both doors of a node have in common.

use std::sync::Arc;

use wanqu_model::bundle::Limits;

use super::limits::LiveLimits;
use super::places::{Drain, Places};
use crate::clock::{Clock, SystemClock};
use crate::observe::Metrics;

/// Settings and shared state of one door.
#[derive(Clone)]
pub struct Doorway {
    /// The limits of the bundle in force.
    pub limits: LiveLimits,
    /// Ends the door in good order, together with the rest of its node.
    pub drain: Drain,
    /// Its places, which are closed by the same drain.
    pub places: Places,
    /// Metrics that count what comes through it.
    pub metrics: Metrics,
    /// Clock that certificates, envelopes and tokens are judged by.
    pub clock: Arc<dyn Clock>,
}

impl From<Limits> for Doorway {
    /// Creates a door of its own with these limits, by the machine's clock.
    fn from(limits: Limits) -> Self {
        let drain = Drain::default();
        Self {
            limits: limits.into(),
            places: Places::new(drain.clone()),
            drain,
            metrics: Metrics::default(),
            clock: Arc::new(SystemClock),
        }
    }
}
