//! What both doors of a node have, whoever comes through them.

use std::sync::Arc;

use wanqu_model::bundle::Limits;

use super::limits::LiveLimits;
use super::places::{Drain, Places};
use crate::clock::{Clock, SystemClock};
use crate::observe::Metrics;

/// How a door is kept.
#[derive(Clone)]
pub struct Doorway {
    /// The limits of the bundle in force.
    pub limits: LiveLimits,
    /// By which it ends in good order with the rest of its node.
    pub drain: Drain,
    /// Its places; they are counted by the same drain.
    pub places: Places,
    /// Where what comes through is counted.
    pub metrics: Metrics,
    /// The clock by which certificates, envelopes and tokens hold.
    pub clock: Arc<dyn Clock>,
}

impl From<Limits> for Doorway {
    /// A door on its own, with these limits, by the machine's clock.
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
