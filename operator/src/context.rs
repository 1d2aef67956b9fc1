//! Context of every reconciler.

use std::sync::Arc;

use kube::api::DynamicObject;
use kube::{Client, ResourceExt};
use tokio::sync::Mutex;
use wanqu_http::Http;
use wanqu_model::names::JurisdictionId;

use crate::compilation::Compilations;
use crate::framework::clock::Clock;
use crate::framework::events::Events;
use crate::framework::metrics::Metrics;
use crate::framework::term::Term;
use crate::framework::watched::{Catalogue, Children, in_namespace};
use crate::grants::Grants;
use crate::holdings::Holdings;
use crate::host::{self, Host};
use crate::peer_agreements::PeerAgreements;
use crate::queues::Queues;
use crate::runs::Runs;
use crate::settings::Settings;
use crate::source_reports::SourceReports;

/// Everything that reconcilers share.
pub struct Context {
    /// The API of the operator's own cluster. Writes only within the term.
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
    /// Consents of namespaces to nodes of Jurisdictions from elsewhere.
    pub grants: Grants,
    /// Held while the first object of a node is written, so that of two nodes of one name in one namespace the first stays the
    /// first, whichever controllers write them.
    pub placing: Arc<Mutex<()>>,
    /// Held while the template of a node's pods is changed, so that one member of a federation restarts at a time.
    pub rolling: Mutex<()>,
    /// The term of this process as the leader: by it clients of other clusters are fenced too.
    pub term: Term,
    /// Compilations of federations.
    pub compilations: Compilations,
    /// Agreements that members elsewhere hold.
    pub peers: PeerAgreements,
    /// Agreements that nodes here hold.
    pub holdings: Holdings,
    /// Datasets that nodes report they cannot read.
    pub sources: SourceReports,
    /// Queues of all controllers.
    pub queues: Queues,
    /// Runs of queries that go on.
    pub runs: Arc<Runs>,
}

impl Context {
    /// Returns the pods of the members of a namespace's federation that run in this cluster; `None` without a federation.
    pub(crate) fn pods_here(&self, namespace: &str) -> Option<Vec<(JurisdictionId, Vec<Arc<DynamicObject>>)>> {
        self.catalogue.federation(namespace)?;
        let members = in_namespace(&self.catalogue.jurisdictions, namespace);
        let here = members.iter().filter_map(|member| member.read()).filter(|member| Host::of(member).is_here());
        let pods = here.filter_map(|member| {
            let home = host::namespace(member, namespace)?;
            Some((member.spec.id.clone(), self.children.pods_of(&home, namespace, &member.name_any())))
        });
        Some(pods.collect())
    }
}
