//! Puts the controllers together and runs them.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use futures::future::select_all;
use k8s_openapi::NamespaceResourceScope;
use kube::runtime::controller::Action;
use kube::runtime::reflector::Store;
use kube::{Client, Resource};
use tokio::sync::Mutex;
use wanqu_http::{Bounds, Http, serve};

use crate::compilation::Compilations;
use crate::context::Context;
use crate::framework::events::Events;
use crate::framework::health::{Health, TaskName};
use crate::framework::leader::LeadError;
use crate::framework::metrics::Metrics;
use crate::framework::queue::Requests;
use crate::framework::tasks::{Ended, Pace, Tasks, restarting};
use crate::framework::term::{Term, fenced};
use crate::framework::watched::{Catalogue, Children, Watches};
use crate::framework::{Clock, Guarded, Result, controller, leader, observe};
use crate::grants::Grants;
use crate::holdings::Holdings;
use crate::peer_agreements::PeerAgreements;
use crate::peers;
use crate::queues::{AllRequests, Inbox, Queues, watch_children, watch_grants, watch_resources};
use crate::runs::Runs;
use crate::settings::Settings;
use crate::source_reports::SourceReports;
use crate::sources;
use crate::{described, federated_query, federation, jurisdiction};

/// Reason for which the operator does not run, or does not go on.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The address of health and metrics cannot be bound.
    #[error("cannot serve on {0}: {1}; choose another --observe")]
    Observe(std::net::SocketAddr, std::io::Error),
    /// The election of a leader has ended, or what the leader does.
    #[error(transparent)]
    Lead(#[from] LeadError),
    /// A task that works in every copy has ended.
    #[error("{0}")]
    Task(#[from] Ended),
}

/// Runs until `stop` ends: serves health and metrics at all times, and reconciles while it leads.
///
/// # Errors
/// If its address is taken, if the lease cannot be read, or if one of its tasks ends or panics. The process ends then, and
/// its pod starts it again.
pub async fn run(
    client: Client,
    settings: Settings,
    clock: Clock,
    stop: impl Future<Output = ()>,
) -> Result<(), RunError> {
    let metrics = Metrics::new();
    let health = Health::new(metrics.clone());
    let listener = observe::bind(settings.observe).await.map_err(|error| RunError::Observe(settings.observe, error))?;
    let mut tasks = Tasks::default();
    let router = observe::router(health.clone(), metrics.clone());
    tasks.spawn(TaskName::new("HTTP server"), serve(Arc::new(listener), router, Bounds::default()));
    restart(&mut tasks, &health, TaskName::new("check of the API server"), {
        let (client, health) = (client.clone(), health.clone());
        move || observe::follow_kinds(client.clone(), health.clone())
    });
    let mut ended = None;
    let stop = async {
        tokio::select! {
            () = stop => {}
            task = tasks.ended() => ended = Some(task),
        }
    };
    let (placing, term) = (Arc::default(), Term::new());
    let fenced = fenced(&client, &term);
    let operator = Operator { client: fenced, settings: settings.clone(), clock, metrics, health, placing, term };
    let work = || operator.clone().work();
    let observers = (&operator.metrics, &operator.health);
    let led = leader::lead(&client, &settings, observers, &operator.term, stop, work).await;
    match ended {
        Some(ended) => {
            if let Err(error) = led {
                tracing::warn!(%error, "the election ended with an error after a task had ended");
            }
            Err(ended.into())
        }
        None => Ok(led?),
    }
}

/// Adds a task that is run again whenever it ends.
fn restart<Run>(tasks: &mut Tasks, health: &Health, name: TaskName, begin: impl FnMut() -> Run + Send + 'static)
where
    Run: Future<Output = ()> + Send + 'static,
{
    tasks.spawn(name.clone(), restarting(health.of(name), Pace::default(), begin));
}

/// The longest that a namespace waits for the objects of others to be seen.
const OTHER_NAMESPACES: Duration = Duration::from_secs(20);

/// Work in one namespace, or in all.
struct Part {
    scope: Option<String>,
    queues: Queues,
    requests: AllRequests,
    catalogue: Catalogue,
}

/// Everything that the work of a leader needs.
#[derive(Clone)]
struct Operator {
    /// Writes only within the term.
    client: Client,
    settings: Settings,
    clock: Clock,
    metrics: Metrics,
    health: Health,
    placing: Arc<Mutex<()>>,
    term: Term,
}

impl Operator {
    /// Watches and reconciles until a task ends, and returns which. Where only some namespaces are watched, each has
    /// controllers of its own, since a federation lies in one namespace, and all read the same watches: one for each kind and
    /// namespace.
    async fn work(self) -> Ended {
        self.health.kinds_are_served().await;
        let scopes = self.settings.scopes();
        let mut tasks = Tasks::default();
        let mut watches = Watches { client: &self.client, health: &self.health, tasks: &mut tasks };
        let (mut parts, mut inboxes) = (vec![], vec![]);
        for scope in scopes.clone() {
            let (queues, requests) = Queues::new();
            let catalogue = watch_resources(scope.as_deref(), &queues, &mut watches);
            inboxes.push(Inbox { scope: scope.clone(), queues: queues.clone(), catalogue: catalogue.clone() });
            parts.push(Part { scope, queues, requests, catalogue });
        }
        let inboxes: Arc<[Inbox]> = inboxes.into();
        let children = watch_children(&scopes, &inboxes, &mut watches);
        let grants = watch_grants(&scopes, &inboxes, &mut watches);
        let all = parts.into_iter().map(|part| {
            let work = self.clone().work_in(part, children.clone(), grants.clone());
            Box::pin(work)
        });
        tokio::select! {
            ended = tasks.ended() => ended,
            (ended, ..) = select_all(all) => ended,
        }
    }

    async fn work_in(self, part: Part, children: Children, grants: Grants) -> Ended {
        let Part { scope, queues, requests, catalogue } = part;
        let namespace = scope.as_deref();
        // Nothing is decided before everything that is there has been seen. A namespace that cannot be read holds up nodes that
        // are placed in it, and no others.
        let own = async {
            children.ready(namespace).await?;
            grants.ready(namespace).await?;
            catalogue.ready().await
        };
        if own.await.is_err() {
            // The end of the watch is that of the operator.
            return std::future::pending().await;
        }
        let others = async { (children.ready(None).await, grants.ready(None).await) };
        let _ = tokio::time::timeout(OTHER_NAMESPACES, others).await;
        let mut tasks = Tasks::default();
        let process = format!("{}/{}", self.settings.instance, uuid::Uuid::new_v4());
        let context = Arc::new(Context {
            events: Events::new(self.client.clone(), &self.settings.instance),
            client: self.client,
            settings: self.settings,
            clock: self.clock,
            http: Http::new(),
            metrics: self.metrics,
            catalogue,
            children,
            grants,
            placing: self.placing,
            rolling: Mutex::default(),
            term: self.term,
            compilations: Compilations::default(),
            peers: PeerAgreements::default(),
            holdings: Holdings::default(),
            sources: SourceReports::default(),
            queues,
            runs: Arc::new(Runs::new(process)),
        });
        control(&context, namespace, requests, &mut tasks);
        restart(&mut tasks, &self.health, TaskName::new("poll of nodes").within(namespace), {
            let context = Arc::clone(&context);
            move || peers::follow(Arc::clone(&context))
        });
        restart(&mut tasks, &self.health, TaskName::new("poll of sources").within(namespace), {
            let context = Arc::clone(&context);
            move || sources::follow(Arc::clone(&context))
        });
        tasks.ended().await
    }
}

/// Starts the controllers, one per kind.
fn control(context: &Arc<Context>, namespace: Option<&str>, requests: AllRequests, tasks: &mut Tasks) {
    let known = &context.catalogue;
    let mut controllers = Controllers { context, namespace, tasks };
    controllers.start(&known.federations, requests.federations, federation::reconcile);
    controllers.start(&known.jurisdictions, requests.jurisdictions, jurisdiction::reconcile);
    controllers.start(&known.common_tables, requests.common_tables, described::reconcile);
    controllers.start(&known.datasets, requests.datasets, described::reconcile);
    controllers.start(&known.policies, requests.policies, described::reconcile);
    controllers.start(&known.agreements, requests.agreements, described::reconcile);
    controllers.start(&known.projects, requests.projects, described::reconcile);
    controllers.start(&known.queries, requests.queries, federated_query::reconcile);
}

struct Controllers<'a> {
    context: &'a Arc<Context>,
    namespace: Option<&'a str>,
    tasks: &'a mut Tasks,
}

impl Controllers<'_> {
    fn start<K, Reconciled>(
        &mut self,
        store: &Store<Guarded<K>>,
        requests: Requests<K>,
        reconcile: impl Fn(Arc<Guarded<K>>, Arc<Context>) -> Reconciled + Clone + Send + Sync + 'static,
    ) where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + Send + Sync + 'static,
        Reconciled: Future<Output = Result<Action>> + Send + 'static,
    {
        let name = TaskName::new(format!("controller of {}", K::kind(&()))).within(self.namespace);
        let (context, metrics) = (Arc::clone(self.context), self.context.metrics.clone());
        self.tasks.spawn(name, controller::run(store.clone(), requests, context, metrics, reconcile));
    }
}
