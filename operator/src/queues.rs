//! Queues of all controllers, and the watches that fill them.

use k8s_openapi::NamespaceResourceScope;
use kube::runtime::watcher;
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::sync::Arc;
use wanqu_crds::kinds::{
    CommonTable, DataSharingAgreement, Dataset, DisclosurePolicy, FederatedQuery, Federation, Jurisdiction,
    PlacementGrant, ResearchProject,
};

use crate::framework::queue::{Queue, Requests};
use crate::framework::watched::{Catalogue, Children, Scoped, Watched, Watches};
use crate::framework::{Guarded, labels};
use crate::grants::Grants;

/// Queues of all controllers, by which they are asked to reconcile objects.
#[derive(Clone)]
pub struct Queues {
    /// Queue of Federations.
    pub federations: Queue<Federation>,
    /// Queue of Jurisdictions.
    pub jurisdictions: Queue<Jurisdiction>,
    /// Queue of CommonTables.
    pub common_tables: Queue<CommonTable>,
    /// Queue of Datasets.
    pub datasets: Queue<Dataset>,
    /// Queue of DisclosurePolicies.
    pub policies: Queue<DisclosurePolicy>,
    /// Queue of DataSharingAgreements.
    pub agreements: Queue<DataSharingAgreement>,
    /// Queue of ResearchProjects.
    pub projects: Queue<ResearchProject>,
    /// Queue of FederatedQueries.
    pub queries: Queue<FederatedQuery>,
}

impl Queues {
    /// Queues every object of a namespace but its Federation: what is known about them has changed.
    pub fn push_all(&self, catalogue: &Catalogue, namespace: &str) {
        self.jurisdictions.push_all(&catalogue.jurisdictions, namespace);
        self.common_tables.push_all(&catalogue.common_tables, namespace);
        self.datasets.push_all(&catalogue.datasets, namespace);
        self.policies.push_all(&catalogue.policies, namespace);
        self.agreements.push_all(&catalogue.agreements, namespace);
        self.projects.push_all(&catalogue.projects, namespace);
        self.queries.push_all(&catalogue.queries, namespace);
    }

    /// Returns a queue for each kind, and their receiving ends.
    #[must_use]
    pub fn new() -> (Self, AllRequests) {
        let (federations, federation_requests) = Queue::new();
        let (jurisdictions, jurisdiction_requests) = Queue::new();
        let (common_tables, common_table_requests) = Queue::new();
        let (datasets, dataset_requests) = Queue::new();
        let (policies, policy_requests) = Queue::new();
        let (agreements, agreement_requests) = Queue::new();
        let (projects, project_requests) = Queue::new();
        let (queries, query_requests) = Queue::new();
        let queues =
            Self { federations, jurisdictions, common_tables, datasets, policies, agreements, projects, queries };
        let requests = AllRequests {
            federations: federation_requests,
            jurisdictions: jurisdiction_requests,
            common_tables: common_table_requests,
            datasets: dataset_requests,
            policies: policy_requests,
            agreements: agreement_requests,
            projects: project_requests,
            queries: query_requests,
        };
        (queues, requests)
    }
}

/// Receiving ends of [`Queues`].
pub struct AllRequests {
    /// Requests for Federations.
    pub federations: Requests<Federation>,
    /// Requests for Jurisdictions.
    pub jurisdictions: Requests<Jurisdiction>,
    /// Requests for CommonTables.
    pub common_tables: Requests<CommonTable>,
    /// Requests for Datasets.
    pub datasets: Requests<Dataset>,
    /// Requests for DisclosurePolicies.
    pub policies: Requests<DisclosurePolicy>,
    /// Requests for DataSharingAgreements.
    pub agreements: Requests<DataSharingAgreement>,
    /// Requests for ResearchProjects.
    pub projects: Requests<ResearchProject>,
    /// Requests for FederatedQueries.
    pub queries: Requests<FederatedQuery>,
}

/// Watches the resources of this project. Each object that appears, changes or goes is queued itself, and so is the
/// Federation of its namespace, which is compiled again.
#[must_use]
pub fn watch_resources(namespace: Option<&str>, queues: &Queues, watches: &mut Watches<'_>) -> Catalogue {
    let mut federations = Watched::new();
    let mut jurisdictions = Watched::new();
    let datasets = Watched::new();
    let common_tables = Watched::new();
    let policies = Watched::new();
    let agreements = Watched::new();
    let projects = Watched::new();
    let mut queries = Watched::new();
    let catalogue = Catalogue {
        federations: federations.store(),
        jurisdictions: jurisdictions.store(),
        datasets: datasets.store(),
        common_tables: common_tables.store(),
        policies: policies.store(),
        agreements: agreements.store(),
        projects: projects.store(),
        queries: queries.store(),
    };
    // Nothing is compiled for a federation that is gone, so nothing else queues its resources.
    let (to, known) = (queues.clone(), catalogue.clone());
    federations.route(move |federation: &Guarded<Federation>| {
        let namespace = federation.namespace().unwrap_or_default();
        if known.federations.find(|other| other.uid() == federation.uid()).is_none() {
            to.push_all(&known, &namespace);
        }
    });
    // Queries wait for their home node to be ready. A query itself concerns no other resource.
    let (to, known) = (queues.clone(), catalogue.clone());
    jurisdictions.route(move |jurisdiction: &Guarded<Jurisdiction>| {
        to.queries.push_all(&known.queries, &jurisdiction.namespace().unwrap_or_default());
    });
    let to = queues.clone();
    queries.route(move |query: &Guarded<FederatedQuery>| {
        to.queries.push(&query.namespace().unwrap_or_default(), &query.name_any());
    });
    queries.start(namespace, watcher::Config::default(), |client| api_of(client, namespace), watches);
    let mut described = Described { namespace, queues, catalogue: &catalogue, watches };
    described.start(federations, &queues.federations);
    described.start(jurisdictions, &queues.jurisdictions);
    described.start(datasets, &queues.datasets);
    described.start(common_tables, &queues.common_tables);
    described.start(policies, &queues.policies);
    described.start(agreements, &queues.agreements);
    described.start(projects, &queues.projects);
    catalogue
}

/// Starts the watches of the kinds that a federation is compiled of.
struct Described<'a, 'w> {
    namespace: Option<&'a str>,
    queues: &'a Queues,
    catalogue: &'a Catalogue,
    watches: &'a mut Watches<'w>,
}

impl Described<'_, '_> {
    fn start<K>(&mut self, mut watched: Watched<Guarded<K>>, own: &Queue<K>)
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
        K: Clone + DeserializeOwned + Debug + Send + Sync + 'static,
    {
        let (own, federations, known) = (own.clone(), self.queues.federations.clone(), self.catalogue.clone());
        watched.route(move |object: &Guarded<K>| {
            let namespace = object.namespace().unwrap_or_default();
            own.push(&namespace, &object.name_any());
            federations.push_all(&known.federations, &namespace);
        });
        let namespace = self.namespace;
        watched.start(namespace, watcher::Config::default(), |client| api_of(client, namespace), self.watches);
    }
}

/// Returns the API of a kind in one namespace, or in all.
fn api_of<K>(client: Client, namespace: Option<&str>) -> Api<K>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
{
    match namespace {
        Some(namespace) => Api::namespaced(client, namespace),
        None => Api::all(client),
    }
}

/// Queues and stores of the controllers of one namespace, or of all, for watches that they share.
pub struct Inbox {
    /// The namespace; none for all of them.
    pub scope: Option<String>,
    /// Their queues.
    pub queues: Queues,
    /// Their stores.
    pub catalogue: Catalogue,
}

/// Watches the objects that the operator made in these scopes. Whatever happens to one, the resource that it was made for is
/// queued.
#[must_use]
pub fn watch_children(scopes: &[Option<String>], inboxes: &Arc<[Inbox]>, watches: &mut Watches<'_>) -> Children {
    let inboxes = Arc::clone(inboxes);
    let owners = move |object: &kube::api::DynamicObject| {
        if let Some((namespace, name)) = labels::made_for(object) {
            // It was made for a Jurisdiction or for a Federation; a queue drops names of objects that do not exist.
            let is_its = |inbox: &&Inbox| inbox.scope.as_ref().is_none_or(|scope| *scope == namespace);
            for Inbox { queues, catalogue, .. } in inboxes.iter().filter(is_its) {
                queues.jurisdictions.push(&namespace, &name);
                queues.federations.push_all(&catalogue.federations, &namespace);
            }
        }
    };
    Children::start(scopes, owners, watches)
}

/// Watches the grants of these scopes, since nodes are placed in them from others. Whatever happens to one, the Jurisdictions of
/// all other namespaces are queued, since a grant that was changed or deleted no longer says which of them it allowed.
#[must_use]
pub fn watch_grants(scopes: &[Option<String>], inboxes: &Arc<[Inbox]>, watches: &mut Watches<'_>) -> Grants {
    let watch = |scope: &Option<String>| {
        let mut watched = Watched::new();
        let inboxes = Arc::clone(inboxes);
        watched.route(move |grant: &Guarded<PlacementGrant>| {
            for Inbox { queues, catalogue, .. } in inboxes.iter() {
                let elsewhere = |jurisdiction: &Guarded<Jurisdiction>| jurisdiction.namespace() != grant.namespace();
                for jurisdiction in catalogue.jurisdictions.state_filter(elsewhere) {
                    queues.jurisdictions.push(&jurisdiction.namespace().unwrap_or_default(), &jurisdiction.name_any());
                }
            }
        });
        let store = watched.store();
        let namespace = scope.as_deref();
        watched.start(namespace, watcher::Config::default(), |client| api_of(client, namespace), watches);
        (scope.clone(), store)
    };
    Grants::new(Scoped::new(scopes.iter().map(watch).collect()))
}
