//! Who asks whom to look: the queues of all controllers, and the watches that fill them.

use k8s_openapi::NamespaceResourceScope;
use kube::runtime::watcher;
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use tokio::task::JoinSet;
use wanqu_crds::kinds::{
    CommonTable, DataSharingAgreement, Dataset, DisclosurePolicy, FederatedQuery, Federation, Jurisdiction,
    ResearchProject,
};

use crate::framework::queue::{Queue, Requests};
use crate::framework::watched::{Catalogue, Children, Watched};
use crate::framework::{Guarded, labels};
use crate::settings::Settings;

/// The queues of all controllers.
#[derive(Clone)]
pub struct Queues {
    /// Federations.
    pub federations: Queue<Federation>,
    /// Members.
    pub jurisdictions: Queue<Jurisdiction>,
    /// What they call alike.
    pub common_tables: Queue<CommonTable>,
    /// What they hold.
    pub datasets: Queue<Dataset>,
    /// What may be released.
    pub policies: Queue<DisclosurePolicy>,
    /// Who may ask whom.
    pub agreements: Queue<DataSharingAgreement>,
    /// Who asks.
    pub projects: Queue<ResearchProject>,
    /// What is asked.
    pub queries: Queue<FederatedQuery>,
}

impl Queues {
    /// Asks for everything in a namespace but its federation: what is said of it has changed.
    pub fn push_all(&self, catalogue: &Catalogue, namespace: &str) {
        self.jurisdictions.push_all(&catalogue.jurisdictions, namespace);
        self.common_tables.push_all(&catalogue.common_tables, namespace);
        self.datasets.push_all(&catalogue.datasets, namespace);
        self.policies.push_all(&catalogue.policies, namespace);
        self.agreements.push_all(&catalogue.agreements, namespace);
        self.projects.push_all(&catalogue.projects, namespace);
        self.queries.push_all(&catalogue.queries, namespace);
    }

    /// A queue for each kind, and their other ends.
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

/// The other ends of [`Queues`].
pub struct AllRequests {
    /// Federations.
    pub federations: Requests<Federation>,
    /// Members.
    pub jurisdictions: Requests<Jurisdiction>,
    /// What they call alike.
    pub common_tables: Requests<CommonTable>,
    /// What they hold.
    pub datasets: Requests<Dataset>,
    /// What may be released.
    pub policies: Requests<DisclosurePolicy>,
    /// Who may ask whom.
    pub agreements: Requests<DataSharingAgreement>,
    /// Who asks.
    pub projects: Requests<ResearchProject>,
    /// What is asked.
    pub queries: Requests<FederatedQuery>,
}

/// Watches the resources of this project. Whatever appears, changes or goes is looked at itself, and has its namespace
/// compiled anew.
#[must_use]
pub fn watch_resources(
    client: &Client,
    namespace: Option<&str>,
    queues: &Queues,
    tasks: &mut JoinSet<()>,
) -> Catalogue {
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
    // Where a federation is gone, nothing compiles that could tell the others.
    let (to, known) = (queues.clone(), catalogue.clone());
    federations.route(move |federation: &Guarded<Federation>| {
        let namespace = federation.namespace().unwrap_or_default();
        if known.federations.find(|other| other.uid() == federation.uid()).is_none() {
            to.push_all(&known, &namespace);
        }
    });
    // Whether a home node is ready is what queries wait for. A query itself concerns no other resource.
    let (to, known) = (queues.clone(), catalogue.clone());
    jurisdictions.route(move |jurisdiction: &Guarded<Jurisdiction>| {
        to.queries.push_all(&known.queries, &jurisdiction.namespace().unwrap_or_default());
    });
    let to = queues.clone();
    queries.route(move |query: &Guarded<FederatedQuery>| {
        to.queries.push(&query.namespace().unwrap_or_default(), &query.name_any());
    });
    queries.start(api_of(client, namespace), watcher::Config::default(), tasks);
    let mut watches = Watches { client, namespace, queues, catalogue: &catalogue, tasks };
    watches.start(federations, &queues.federations);
    watches.start(jurisdictions, &queues.jurisdictions);
    watches.start(datasets, &queues.datasets);
    watches.start(common_tables, &queues.common_tables);
    watches.start(policies, &queues.policies);
    watches.start(agreements, &queues.agreements);
    watches.start(projects, &queues.projects);
    catalogue
}

struct Watches<'a> {
    client: &'a Client,
    namespace: Option<&'a str>,
    queues: &'a Queues,
    catalogue: &'a Catalogue,
    tasks: &'a mut JoinSet<()>,
}

impl Watches<'_> {
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
        watched.start(api_of(self.client, self.namespace), watcher::Config::default(), self.tasks);
    }
}

/// A kind where the operator works: in one namespace or in all.
fn api_of<K>(client: &Client, namespace: Option<&str>) -> Api<K>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
{
    match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    }
}

/// Watches the objects that the operator made. Whatever happens to one, the resource that it was made for is looked at.
#[must_use]
pub fn watch_children(
    client: &Client,
    settings: &Settings,
    queues: &Queues,
    catalogue: &Catalogue,
    tasks: &mut JoinSet<()>,
) -> Children {
    let (to, known) = (queues.clone(), catalogue.clone());
    let owners = move |object: &kube::api::DynamicObject| {
        if let Some((namespace, name)) = labels::made_for(object) {
            // It was made for a Jurisdiction or for a Federation; a name that is neither's is passed over.
            to.jurisdictions.push(&namespace, &name);
            to.federations.push_all(&known.federations, &namespace);
        }
    };
    Children::start(client, &settings.places(), owners, tasks)
}
