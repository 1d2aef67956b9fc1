//! Watches: one per kind, with a store that controllers read and routes from its events to their queues.

use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;

use futures::StreamExt;
use k8s_openapi::NamespaceResourceScope;
use kube::api::{ApiResource, DynamicObject};
use kube::core::gvk::GroupVersionKind;
use kube::runtime::reflector::store::WriterDropped;
use kube::runtime::reflector::{ObjectRef, Store, store};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use wanqu_crds::kinds::{
    CommonTable, DataSharingAgreement, Dataset, DisclosurePolicy, FederatedQuery, Federation, Jurisdiction,
    ResearchProject,
};
use wanqu_model::names::JurisdictionId;

use super::guarded::Guarded;
use super::health::{Health, TaskHealth, TaskName};
use super::labels;
use super::tapped::{Call, tapped};
use super::tasks::Tasks;

/// Route of an event: called with each object that appears, changes or goes.
pub type Route<K> = Box<dyn Fn(&K) + Send + Sync>;

/// Watch of a kind that has not begun: its routes are added first.
pub struct Watched<K: Resource + Clone + 'static>
where
    K::DynamicType: Hash + Eq + Clone,
{
    kind: String,
    store: Store<K>,
    writer: store::Writer<K>,
    routes: Vec<Route<K>>,
}

/// Everything that watches need in order to begin.
pub struct Watches<'a> {
    /// The API of the cluster.
    pub client: &'a Client,
    /// The receiver of their reports.
    pub health: &'a Health,
    /// The tasks that they become. A watch that ends leaves a store that grows old, so it must not end.
    pub tasks: &'a mut Tasks,
}

impl<K> Watched<K>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
    K::DynamicType: Hash + Eq + Clone + Debug + Unpin + Send + Sync,
{
    /// A watch of a kind that is known at run time.
    #[must_use]
    pub fn of(kind: K::DynamicType) -> Self {
        let name = K::kind(&kind).into_owned();
        let writer = store::Writer::<K>::new(kind);
        Self { kind: name, store: writer.as_reader(), writer, routes: Vec::new() }
    }

    /// A watch of a kind that is known at compile time.
    #[must_use]
    pub fn new() -> Self
    where
        K::DynamicType: Default,
    {
        Self::of(K::DynamicType::default())
    }

    /// Returns the store of its objects.
    #[must_use]
    pub fn store(&self) -> Store<K> {
        self.store.clone()
    }

    /// Adds a route.
    pub fn route(&mut self, route: impl Fn(&K) + Send + Sync + 'static) {
        self.routes.push(Box::new(route));
    }

    /// Begins the watch, in one namespace or in all. It goes on after errors, from where it was or from the start, and
    /// reports them.
    pub fn start(
        self,
        namespace: Option<&str>,
        config: watcher::Config,
        api: impl FnOnce(Client) -> Api<K>,
        watches: &mut Watches<'_>,
    ) {
        let Self { kind, writer, routes, .. } = self;
        let name = TaskName::new(format!("watch of {kind}")).within(namespace);
        let health = watches.health.of(name.clone());
        let api = api(established(watches.client, health.clone()));
        watches.tasks.spawn(name, async move {
            let stream = watcher(api, config)
                .default_backoff()
                // The managers of fields are of no use here, and half of an object's size.
                .modify(|object| object.managed_fields_mut().clear())
                .reflect(writer)
                .touched_objects();
            let mut stream = std::pin::pin!(stream);
            while let Some(event) = stream.next().await {
                match event {
                    Ok(object) => routes.iter().for_each(|route| route(&object)),
                    Err(error) => {
                        tracing::warn!(task = %health.task(), %error, "a watch was interrupted");
                        health.failed(&error.to_string());
                    }
                }
            }
        });
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

/// Returns a client for a watch, which has recovered when it is established again: until something happens to an object,
/// its stream of events does not tell.
fn established(client: &Client, health: TaskHealth) -> Client {
    tapped(client, move |call: &Call<'_>| {
        if call.established_watch() {
            health.recovered();
        }
    })
}

/// Stores of the resources of this project, one per kind.
#[derive(Clone)]
pub struct Catalogue {
    /// Federations.
    pub federations: Store<Guarded<Federation>>,
    /// Jurisdictions: the members of federations.
    pub jurisdictions: Store<Guarded<Jurisdiction>>,
    /// Datasets.
    pub datasets: Store<Guarded<Dataset>>,
    /// Common tables.
    pub common_tables: Store<Guarded<CommonTable>>,
    /// Disclosure policies.
    pub policies: Store<Guarded<DisclosurePolicy>>,
    /// Data sharing agreements.
    pub agreements: Store<Guarded<DataSharingAgreement>>,
    /// Research projects.
    pub projects: Store<Guarded<ResearchProject>>,
    /// Federated queries.
    pub queries: Store<Guarded<FederatedQuery>>,
}

impl Catalogue {
    /// Waits until every object that was there at the start is in its store.
    ///
    /// # Errors
    /// If a watch ended before.
    pub async fn ready(&self) -> Result<(), WriterDropped> {
        self.federations.wait_until_ready().await?;
        self.jurisdictions.wait_until_ready().await?;
        self.datasets.wait_until_ready().await?;
        self.common_tables.wait_until_ready().await?;
        self.policies.wait_until_ready().await?;
        self.agreements.wait_until_ready().await?;
        self.projects.wait_until_ready().await?;
        self.queries.wait_until_ready().await
    }

    /// Returns the Federation of a namespace: the oldest, if there are several. The compiler reports the others.
    #[must_use]
    pub fn federation(&self, namespace: &str) -> Option<Arc<Guarded<Federation>>> {
        in_namespace(&self.federations, namespace).into_iter().next()
    }
}

/// Returns the objects of one namespace, oldest first, so that of two rivals the first stays the first.
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

/// Group, version and kind of the objects that the operator makes.
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

/// Stores of the objects that the operator made in its own cluster: only those with its label are watched.
#[derive(Clone)]
pub struct Children(Arc<HashMap<&'static str, KindStores>>);

/// Stores of one kind, one per namespace that is watched.
struct KindStores {
    resource: ApiResource,
    stores: Vec<Store<DynamicObject>>,
}

impl Children {
    /// Begins to watch all of them, in these namespaces or everywhere, with `route` for their events.
    pub fn start(
        namespaces: &[Option<String>],
        route: impl Fn(&DynamicObject) + Clone + Send + Sync + 'static,
        watches: &mut Watches<'_>,
    ) -> Self {
        let mut kinds = HashMap::new();
        for (group, version, kind) in CHILDREN {
            let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
            let mut stores = Vec::new();
            for namespace in namespaces.iter().map(Option::as_deref) {
                let mut watched = Watched::<DynamicObject>::of(resource.clone());
                watched.route(route.clone());
                stores.push(watched.store());
                let api = |client| match namespace {
                    Some(namespace) => Api::namespaced_with(client, namespace, &resource),
                    None => Api::all_with(client, &resource),
                };
                watched.start(namespace, watcher::Config::default().labels(&labels::managed()), api, watches);
            }
            kinds.insert(kind, KindStores { resource, stores });
        }
        Self(Arc::new(kinds))
    }

    /// Returns an object by kind, namespace and name.
    #[must_use]
    pub fn get(&self, kind: &str, namespace: &str, name: &str) -> Option<Arc<DynamicObject>> {
        let kept = self.0.get(kind)?;
        let reference = ObjectRef::new_with(name, kept.resource.clone()).within(namespace);
        kept.stores.iter().find_map(|store| store.get(&reference))
    }

    /// Returns every object of a kind.
    #[must_use]
    pub fn all(&self, kind: &str) -> Vec<Arc<DynamicObject>> {
        self.0.get(kind).map(|kept| kept.stores.iter().flat_map(Store::state).collect()).unwrap_or_default()
    }

    /// Returns every object of a kind in a namespace.
    #[must_use]
    pub fn list(&self, kind: &str, namespace: &str) -> Vec<Arc<DynamicObject>> {
        let mut found = self.all(kind);
        found.retain(|object| object.metadata.namespace.as_deref() == Some(namespace));
        found
    }

    /// Returns the pods of a node in a namespace.
    #[must_use]
    pub fn pods_of(&self, namespace: &str, federation: &str, jurisdiction: &JurisdictionId) -> Vec<Arc<DynamicObject>> {
        let wanted = labels::node(federation, jurisdiction);
        let mut pods = self.list("Pod", namespace);
        pods.retain(|pod| wanted.iter().all(|(key, value)| pod.labels().get(key) == Some(value)));
        pods
    }

    /// Waits until every object that was there at the start is in its store.
    ///
    /// # Errors
    /// If a watch ended before.
    pub async fn ready(&self) -> Result<(), WriterDropped> {
        for store in self.0.values().flat_map(|kept| &kept.stores) {
            store.wait_until_ready().await?;
        }
        Ok(())
    }
}
