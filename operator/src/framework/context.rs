//! What every reconciler is given.

use std::sync::Arc;

use kube::Client;

use super::clock::Clock;
use super::events::Events;
use super::metrics::Metrics;
use super::watched::{Catalogue, Children};
use crate::federated_query::Runs;
use crate::hearsay::Hearsay;
use crate::queues::Queues;
use crate::realm::Realms;
use crate::settings::Settings;

/// What every reconciler is given.
pub struct Context {
    /// The API of the operator's own cluster.
    pub client: Client,
    /// What was said on the command line.
    pub settings: Settings,
    /// The time.
    pub clock: Clock,
    /// Where events go.
    pub events: Events,
    /// What is counted.
    pub metrics: Metrics,
    /// The resources that are there.
    pub catalogue: Catalogue,
    /// The objects that the operator made.
    pub children: Children,
    /// What was compiled.
    pub realms: Realms,
    /// What members elsewhere hold of agreements.
    pub hearsay: Hearsay,
    /// Where to ask that an object be looked at.
    pub queues: Queues,
    /// The questions that are being asked.
    pub runs: Arc<Runs>,
}
