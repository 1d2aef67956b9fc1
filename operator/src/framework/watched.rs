//! One watch per kind: a store that controllers read, and routes from its events to their queues.

use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::NamespaceResourceScope;
use kube::api::{ApiResource, DynamicObject};
use kube::core::gvk::GroupVersionKind;
use kube::runtime::reflector::{ObjectRef, Store, store};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::task::JoinSet;
use wanqu_crds::kinds::{
    CommonTable, DataSharingAgreement, Dataset, DisclosurePolicy, FederatedQuery, Federation, Jurisdiction,
    ResearchProject,
};
use wanqu_model::names::JurisdictionId;

use super::guarded::Guarded;
use super::labels;

/// What to do when an object appears, changes or goes.
pub type Route<K> = Box<dyn Fn(&K) + Send + Sync>;

/// A kind that is about to be watched: who wants to hear of it is said first.
pub struct Watched<K: Resource + Clone + 'static>
where
    K::DynamicType: Hash + Eq + Clone,
{
    store: Store<K>,
    writer: store::Writer<K>,
    routes: Vec<Route<K>>,
}

impl<K> Watched<K>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
    K::DynamicType: Hash + Eq + Clone + Debug + Default + Unpin + Send + Sync,
{
    /// A watch of a kind that is known at compile time.
    #[must_use]
    pub fn new() -> Self {
        let (store, writer) = store();
        Self { store, writer, routes: Vec::new() }
    }
}

impl<K> Default for Watched<K>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
    K::DynamicType: Hash + Eq + Clone + Debug + Default + Unpin + Send + Sync,
{
    fn default() -> Self {
        Self::new()
    }
}

impl<K> Watched<K>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
    K::DynamicType: Hash + Eq + Clone + Debug + Unpin + Send + Sync,
{
    /// Where its objects are kept.
    #[must_use]
    pub fn store(&self) -> Store<K> {
        self.store.clone()
    }

    /// Calls `route` with every object that appears, changes or goes.
    pub fn route(&mut self, route: impl Fn(&K) + Send + Sync + 'static) {
        self.routes.push(Box::new(route));
    }

    /// Watches until the task is ended. The watch goes on after errors, from where it was or from the start.
    pub fn start(self, api: Api<K>, config: watcher::Config, tasks: &mut JoinSet<()>) {
        let Self { writer, routes, .. } = self;
        tasks.spawn(async move {
            let stream = watcher(api, config)
                .default_backoff()
                // Who manages which field is of no use here, and half of what an object weighs.
                .modify(|object| object.managed_fields_mut().clear())
                .reflect(writer)
                .touched_objects()
                .inspect_err(|error| tracing::warn!(%error, "a watch was interrupted"));
            let mut stream = std::pin::pin!(stream);
            while let Some(event) = stream.next().await {
                if let Ok(object) = event {
                    for route in &routes {
                        route(&object);
                    }
                }
            }
        });
    }
}

/// The resources of this project, as they are seen.
#[derive(Clone)]
pub struct Catalogue {
    /// Federations.
    pub federations: Store<Guarded<Federation>>,
    /// Members.
    pub jurisdictions: Store<Guarded<Jurisdiction>>,
    /// What they hold.
    pub datasets: Store<Guarded<Dataset>>,
    /// What they call alike.
    pub common_tables: Store<Guarded<CommonTable>>,
    /// What may be released.
    pub policies: Store<Guarded<DisclosurePolicy>>,
    /// Who may ask whom.
    pub agreements: Store<Guarded<DataSharingAgreement>>,
    /// Who asks.
    pub projects: Store<Guarded<ResearchProject>>,
    /// What is asked.
    pub queries: Store<Guarded<FederatedQuery>>,
}

impl Catalogue {
    /// Ends when everything that was there at the start has been seen.
    pub async fn ready(&self) {
        // The writers go only when the operator stops.
        let _ = self.federations.wait_until_ready().await;
        let _ = self.jurisdictions.wait_until_ready().await;
        let _ = self.datasets.wait_until_ready().await;
        let _ = self.common_tables.wait_until_ready().await;
        let _ = self.policies.wait_until_ready().await;
        let _ = self.agreements.wait_until_ready().await;
        let _ = self.projects.wait_until_ready().await;
        let _ = self.queries.wait_until_ready().await;
    }

    /// The Federation of a namespace: the oldest, if there are several. The others are told so by the compiler.
    #[must_use]
    pub fn federation(&self, namespace: &str) -> Option<Arc<Guarded<Federation>>> {
        in_namespace(&self.federations, namespace).into_iter().next()
    }
}

/// The objects of one namespace, in the order of their age, so that the first of two rivals stays the first.
#[must_use]
pub fn in_namespace<K>(store: &Store<K>, namespace: &str) -> Vec<Arc<K>>
where
    K: Resource<Scope = NamespaceResourceScope> + Clone + 'static,
    K::DynamicType: Hash + Eq + Clone,
{
    let mut found = store.state_filter(|object| object.meta().namespace.as_deref() == Some(namespace));
    found.sort_by_cached_key(|object| (object.creation_timestamp().map(|t| t.0), object.name_any()));
    found
}

/// The kinds of objects that the operator makes: group, version, kind.
const CHILDREN: [(&str, &str, &str); 8] = [
    ("", "v1", "ConfigMap"),
    ("", "v1", "Secret"),
    ("", "v1", "Service"),
    ("", "v1", "ServiceAccount"),
    ("", "v1", "Pod"),
    ("apps", "v1", "StatefulSet"),
    ("networking.k8s.io", "v1", "NetworkPolicy"),
    ("policy", "v1", "PodDisruptionBudget"),
];

/// The objects that the operator made in its own cluster, as they are seen: only those with its label are watched.
#[derive(Clone)]
pub struct Children(Arc<HashMap<&'static str, Kept>>);

/// The objects of one kind, from each place that is watched.
struct Kept {
    resource: ApiResource,
    stores: Vec<Store<DynamicObject>>,
}

impl Children {
    /// Watches all of them, in these namespaces or everywhere, and calls `route` with each that appears, changes or goes.
    pub fn start(
        client: &Client,
        namespaces: &[Option<String>],
        route: impl Fn(&DynamicObject) + Clone + Send + Sync + 'static,
        tasks: &mut JoinSet<()>,
    ) -> Self {
        let mut kinds = HashMap::new();
        for (group, version, kind) in CHILDREN {
            let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
            let mut stores = Vec::new();
            for namespace in namespaces {
                let writer = store::Writer::<DynamicObject>::new(resource.clone());
                let mut watched = Watched { store: writer.as_reader(), writer, routes: Vec::new() };
                watched.route(route.clone());
                stores.push(watched.store());
                let api = match namespace {
                    Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
                    None => Api::all_with(client.clone(), &resource),
                };
                watched.start(api, watcher::Config::default().labels(&labels::managed()), tasks);
            }
            kinds.insert(kind, Kept { resource, stores });
        }
        Self(Arc::new(kinds))
    }

    /// An object by kind, namespace and name, if it is there.
    #[must_use]
    pub fn get(&self, kind: &str, namespace: &str, name: &str) -> Option<Arc<DynamicObject>> {
        let kept = self.0.get(kind)?;
        let reference = ObjectRef::new_with(name, kept.resource.clone()).within(namespace);
        kept.stores.iter().find_map(|store| store.get(&reference))
    }

    /// Every object of a kind.
    #[must_use]
    pub fn all(&self, kind: &str) -> Vec<Arc<DynamicObject>> {
        self.0.get(kind).map(|kept| kept.stores.iter().flat_map(Store::state).collect()).unwrap_or_default()
    }

    /// Every object of a kind in a namespace.
    #[must_use]
    pub fn list(&self, kind: &str, namespace: &str) -> Vec<Arc<DynamicObject>> {
        let mut found = self.all(kind);
        found.retain(|object| object.metadata.namespace.as_deref() == Some(namespace));
        found
    }

    /// The copies of a node that run in a namespace.
    #[must_use]
    pub fn pods_of(&self, namespace: &str, federation: &str, jurisdiction: &JurisdictionId) -> Vec<Arc<DynamicObject>> {
        let wanted = labels::node(federation, jurisdiction);
        let mut pods = self.list("Pod", namespace);
        pods.retain(|pod| wanted.iter().all(|(key, value)| pod.labels().get(key) == Some(value)));
        pods
    }

    /// Ends when everything that was there at the start has been seen.
    pub async fn ready(&self) {
        for store in self.0.values().flat_map(|kept| &kept.stores) {
            // The writer goes only when the operator stops.
            let _ = store.wait_until_ready().await;
        }
    }
}
