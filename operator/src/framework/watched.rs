//! Watches: one per kind, with a store that controllers read and routes from its events to their queues.

use std::collections::HashMap;
use std::fmt::{Debug, Display};
use std::hash::Hash;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt, Stream, StreamExt};
use k8s_openapi::NamespaceResourceScope;
use kube::api::{ApiResource, DynamicObject};
use kube::core::gvk::GroupVersionKind;
use kube::runtime::reflector::store::WriterDropped;
use kube::runtime::reflector::{ObjectRef, Store, store};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use wanqu_crds::kinds::{
    CommonTable, DataSharingAgreement, Dataset, DisclosurePolicy, FederatedQuery, Federation, Jurisdiction,
    ResearchProject,
};

use super::guarded::Guarded;
use super::health::{Health, TaskHealth, TaskName};
use super::labels;
use super::remembered::Remembered;
use super::tapped::{Call, tapped};
use super::tasks::Tasks;

/// The shortest time that an established watch must last before it counts as recovered. Much shorter than a task may fail
/// before the operator counts as not ready, so that a watch that is cut again and again stays failing.
const STEADY: Duration = Duration::from_secs(10);

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
        let established = watch::Sender::new(None);
        let api = api(noting(watches.client, established.clone()));
        watches.tasks.spawn(name, async move {
            let stream = watcher(api, config)
                .default_backoff()
                // The managers of fields are of no use here, and half of an object's size.
                .modify(|object| object.managed_fields_mut().clear())
                .reflect(writer)
                .touched_objects();
            let route = |object: &K| routes.iter().for_each(|route| route(object));
            follow(stream, &established, STEADY, &health, route).await;
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

/// Time at which a watch was last established; none if it broke since, or has been noted as steady.
type Established = watch::Sender<Option<Instant>>;

/// Returns a client for a watch that notes when it is established: until something happens to an object, its stream of
/// events does not tell.
fn noting(client: &Client, established: Established) -> Client {
    tapped(client, move |call: &Call<'_>| {
        if call.established_watch() {
            established.send_replace(Some(Instant::now()));
        }
    })
}

/// Routes the objects of a watch until its stream ends, and reports how the watch fares: it fails from its first error until
/// it has been established for `steady` without another one. Objects alone prove nothing, since each attempt lists them anew.
async fn follow<T, E: Display>(
    stream: impl Stream<Item = Result<T, E>>,
    established: &Established,
    steady: Duration,
    health: &TaskHealth,
    route: impl Fn(&T),
) {
    let mut stream = pin!(stream);
    let mut changes = established.subscribe();
    loop {
        tokio::select! {
            biased;
            () = lasting(&mut changes, steady) => {
                established.send_replace(None);
                health.recovered();
            }
            event = stream.next() => match event {
                Some(Ok(object)) => route(&object),
                Some(Err(error)) => {
                    tracing::warn!(task = %health.task(), %error, "a watch was interrupted");
                    established.send_replace(None);
                    health.failed(&error.to_string());
                }
                None => break,
            },
        }
    }
}

/// Waits until a watch has been established for `steady`. Can be cancelled and begun anew.
async fn lasting(established: &mut watch::Receiver<Option<Instant>>, steady: Duration) {
    loop {
        let since = *established.borrow_and_update();
        let lasts = async {
            match since {
                Some(since) => sleep_until(since + steady).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = lasts => return,
            // The sender lives as long as whoever waits here.
            _ = established.changed() => {}
        }
    }
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

/// The kind that is not watched.
const SECRET: &str = "Secret";

/// Group, version and kind of the objects that the operator makes and watches. Secrets are not among them: the right to list
/// or watch some Secrets of a namespace is the right to read all of them.
const CHILDREN: [(&str, &str, &str); 7] = [
    ("", "v1", "ConfigMap"),
    ("", "v1", "Service"),
    ("", "v1", "ServiceAccount"),
    ("", "v1", "Pod"),
    ("apps", "v1", "StatefulSet"),
    ("networking.k8s.io", "v1", "NetworkPolicy"),
    ("policy", "v1", "PodDisruptionBudget"),
];

/// Stores of the objects that the operator made in its own cluster: only those with its label are watched. Secrets are
/// remembered instead.
#[derive(Clone)]
pub struct Children {
    watched: Arc<HashMap<&'static str, KindStores>>,
    secrets: Arc<Remembered>,
}

/// Stores of one kind.
struct KindStores {
    resource: ApiResource,
    stores: Scoped<DynamicObject>,
}

/// Stores of one kind, one per namespace that is watched, or one of all namespaces.
pub struct Scoped<K: Resource + Clone + 'static>(Vec<(Option<String>, Store<K>)>)
where
    K::DynamicType: Hash + Eq + Clone;

impl<K> Scoped<K>
where
    K: Resource + Clone + 'static,
    K::DynamicType: Hash + Eq + Clone,
{
    /// Stores of these scopes.
    #[must_use]
    pub fn new(stores: Vec<(Option<String>, Store<K>)>) -> Self {
        Self(stores)
    }

    /// Returns the store that has a namespace in it; `None` if it is not watched.
    #[must_use]
    pub fn of(&self, namespace: &str) -> Option<&Store<K>> {
        let covers = |scope: &Option<String>| scope.as_ref().is_none_or(|scope| scope == namespace);
        self.0.iter().find(|(scope, _)| covers(scope)).map(|(_, store)| store)
    }

    /// Returns all stores.
    pub fn all(&self) -> impl Iterator<Item = &Store<K>> {
        self.0.iter().map(|(_, store)| store)
    }

    /// Returns true if every object of a namespace that was there at the start is in its store, also if it is not watched. False
    /// as long as the operator has not been able to read the namespace, as without a Role there.
    #[must_use]
    pub fn is_read(&self, namespace: &str) -> bool {
        self.of(namespace).is_none_or(|store| matches!(store.wait_until_ready().now_or_never(), Some(Ok(()))))
    }

    /// Waits until every object that was there at the start is in its store: those of a scope, or of all with `None`.
    ///
    /// # Errors
    /// If a watch ended before.
    pub async fn ready(&self, namespace: Option<&str>) -> Result<(), WriterDropped> {
        let is_wanted = |scope: &Option<String>| namespace.is_none() || scope.as_deref() == namespace;
        for (_, store) in self.0.iter().filter(|(scope, _)| is_wanted(scope)) {
            store.wait_until_ready().await?;
        }
        Ok(())
    }
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
                stores.push((namespace.map(str::to_owned), watched.store()));
                let api = |client| match namespace {
                    Some(namespace) => Api::namespaced_with(client, namespace, &resource),
                    None => Api::all_with(client, &resource),
                };
                watched.start(namespace, watcher::Config::default().labels(&labels::managed()), api, watches);
            }
            kinds.insert(kind, KindStores { resource, stores: Scoped::new(stores) });
        }
        Self { watched: Arc::new(kinds), secrets: Arc::default() }
    }

    /// Returns an object by kind, namespace and name.
    #[must_use]
    pub fn get(&self, kind: &str, namespace: &str, name: &str) -> Option<Arc<DynamicObject>> {
        if let Some(memory) = self.memory_of(kind) {
            return memory.get(namespace, name);
        }
        let kept = self.watched.get(kind)?;
        let reference = ObjectRef::new_with(name, kept.resource.clone()).within(namespace);
        kept.stores.of(namespace)?.get(&reference)
    }

    /// Returns the memory of a kind that is not watched.
    #[must_use]
    pub fn memory_of(&self, kind: &str) -> Option<&Remembered> {
        (kind == SECRET).then_some(&*self.secrets)
    }

    /// Returns every object of a kind that is watched.
    #[must_use]
    pub fn all(&self, kind: &str) -> Vec<Arc<DynamicObject>> {
        self.watched.get(kind).map(|kept| kept.stores.all().flat_map(Store::state).collect()).unwrap_or_default()
    }

    /// Returns every object of a kind that is watched in a namespace.
    #[must_use]
    pub fn list(&self, kind: &str, namespace: &str) -> Vec<Arc<DynamicObject>> {
        let mut found = self.all(kind);
        found.retain(|object| object.metadata.namespace.as_deref() == Some(namespace));
        found
    }

    /// Returns the pods of a node in a namespace: those that were made for the Jurisdiction `name` of the namespace `home`. Pods of
    /// another federation may have the same labels but one.
    #[must_use]
    pub fn pods_of(&self, namespace: &str, home: &str, name: &str) -> Vec<Arc<DynamicObject>> {
        let mut pods = self.list("Pod", namespace);
        pods.retain(|pod| labels::is_made_for(&**pod, home, name));
        pods
    }

    /// Returns true if what was made in a namespace is known. False as long as the operator has not been able to read it.
    #[must_use]
    pub fn are_read(&self, namespace: &str) -> bool {
        self.watched.values().all(|kept| kept.stores.is_read(namespace))
    }

    /// Waits until every object that was there at the start is in its store: those of a namespace, or all with `None`.
    ///
    /// # Errors
    /// If a watch ended before.
    pub async fn ready(&self, namespace: Option<&str>) -> Result<(), WriterDropped> {
        for kept in self.watched.values() {
            kept.stores.ready(namespace).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use futures::channel::mpsc;
    use parking_lot::Mutex;
    use tokio::task::JoinSet;
    use wanqu_testing::until;

    use super::*;
    use crate::framework::metrics::Metrics;

    /// The longest that anything may take on a machine that is busy.
    const WITHIN: Duration = Duration::from_mins(1);

    /// A watch whose stream and calls are a test's.
    struct Bench {
        metrics: Metrics,
        established: Established,
        events: mpsc::UnboundedSender<Result<u32, &'static str>>,
        routed: Arc<Mutex<Vec<u32>>>,
        _running: JoinSet<()>,
    }

    impl Bench {
        fn new(steady: Duration) -> Self {
            let metrics = Metrics::new();
            let health = Health::new(metrics.clone()).of(TaskName::new("watch of Dataset"));
            let (events, stream) = mpsc::unbounded();
            let (established, routed) = (Established::new(None), Arc::new(Mutex::new(Vec::new())));
            let mut running = JoinSet::new();
            running.spawn({
                let (established, routed) = (established.clone(), Arc::clone(&routed));
                async move {
                    follow(stream, &established, steady, &health, |number| routed.lock().push(*number)).await;
                }
            });
            Self { metrics, established, events, routed, _running: running }
        }

        fn establish(&self) {
            self.established.send_replace(Some(Instant::now()));
        }

        async fn until_fails(&self, count: u32) {
            let line = format!("wanqu_operator_failing_tasks{{task=\"watch of Dataset\"}} {count}");
            until(&line, WITHIN, async || {
                let text = self.metrics.encode();
                if text.lines().any(|found| found == line) { Ok(()) } else { Err(text) }
            })
            .await;
        }

        /// Sends an object and waits until it has been routed.
        async fn object(&self, number: u32) {
            self.events.unbounded_send(Ok(number)).unwrap();
            until("the object to be routed", WITHIN, async || {
                if self.routed.lock().last() == Some(&number) { Ok(()) } else { Err("it is not yet") }
            })
            .await;
        }
    }

    #[tokio::test]
    async fn a_watch_that_breaks_whenever_it_is_established_keeps_failing() {
        let bench = Bench::new(Duration::from_hours(1));
        bench.events.unbounded_send(Err("410 Gone")).unwrap();
        bench.until_fails(1).await;
        for number in 0..3 {
            bench.establish();
            // The objects that each attempt lists anew.
            bench.object(number).await;
            bench.until_fails(1).await;
            bench.events.unbounded_send(Err("410 Gone")).unwrap();
        }
        bench.object(3).await;
        bench.until_fails(1).await;
    }

    #[tokio::test]
    async fn a_watch_that_is_established_counts_as_recovered_before_its_first_event() {
        let bench = Bench::new(Duration::from_millis(20));
        bench.events.unbounded_send(Err("connection refused")).unwrap();
        bench.until_fails(1).await;
        bench.establish();
        bench.until_fails(0).await;
        bench.object(1).await;
    }
}
