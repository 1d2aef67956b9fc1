//! Context of every reconciler.

use std::sync::Arc;

use kube::Client;
use wanqu_http::Http;

use crate::compilation::Compilations;
use crate::framework::clock::Clock;
use crate::framework::events::Events;
use crate::framework::metrics::Metrics;
use crate::framework::watched::{Catalogue, Children};
use crate::peer_agreements::PeerAgreements;
use crate::queues::Queues;
use crate::runs::Runs;
use crate::settings::Settings;
use crate::source_reports::SourceReports;

/// Everything that reconcilers share.
pub struct Context {
    /// The API of the operator's own cluster.
    pub client: Client,
    /// Settings from command line and environment.
    pub settings: Settings,
    /// The clock.
    pub clock: Clock,
    /// Recorder of events.
    pub events: Events,
    /// Client for what nodes serve over plain HTTP.
    pub http: Http,
    /// Metrics.
    pub metrics: Metrics,
    /// Stores of the resources.
    pub catalogue: Catalogue,
    /// Stores of the objects that the operator made.
    pub children: Children,
    /// Compilations of federations.
    pub compilations: Compilations,
    /// Agreements that members elsewhere hold.
    pub peers: PeerAgreements,
    /// Datasets that nodes report they cannot read.
    pub sources: SourceReports,
    /// Queues of all controllers.
    pub queues: Queues,
    /// Runs of queries that go on.
    pub runs: Arc<Runs>,
}
