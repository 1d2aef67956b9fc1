//! Puts the controllers together and runs them.

use std::future::Future;
use std::sync::Arc;

use kube::Client;
use tokio::task::JoinSet;

use crate::framework::events::Events;
use crate::framework::metrics::Metrics;
use crate::framework::{Clock, Context, controller, leader, observe};
use crate::hearsay::{self, Hearsay};
use crate::queues::{Queues, watch_children, watch_resources};
use crate::realm::Realms;
use crate::settings::Settings;
use crate::{described, federated_query, federation, jurisdiction};

/// What can keep the operator from running.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The address of health and metrics.
    #[error("cannot serve on {0}: {1}; choose another --observe")]
    Observe(std::net::SocketAddr, std::io::Error),
    /// The lease.
    #[error("cannot take part in the election of a leader: {0}")]
    Lease(#[from] kube_lease_manager::LeaseManagerError),
}

/// Runs until `stop` ends: answers for health and metrics at all times, and works while it leads.
///
/// # Errors
/// When its address is taken or the lease cannot be read.
pub async fn run(
    client: Client,
    settings: Settings,
    clock: Clock,
    stop: impl Future<Output = ()>,
) -> Result<(), RunError> {
    let metrics = Metrics::new();
    let listener = observe::bind(settings.observe).await.map_err(|error| RunError::Observe(settings.observe, error))?;
    let mut answering = JoinSet::new();
    answering.spawn(observe::serve(listener, client.clone(), metrics.clone()));
    let work = || work(client.clone(), settings.clone(), clock.clone(), metrics.clone());
    leader::lead(client.clone(), &settings, &metrics, stop, work).await?;
    Ok(())
}

/// Watches and reconciles, until it is dropped. Where only some namespaces are watched, each has controllers of its own: a
/// federation lies in one namespace.
async fn work(client: Client, settings: Settings, clock: Clock, metrics: Metrics) {
    observe::wait_for_kinds(&client).await;
    let work = |place| work_in(place, client.clone(), settings.clone(), clock.clone(), metrics.clone());
    futures::future::join_all(settings.places().into_iter().map(work)).await;
}

async fn work_in(namespace: Option<String>, client: Client, settings: Settings, clock: Clock, metrics: Metrics) {
    let (queues, requests) = Queues::new();
    let mut watches = JoinSet::new();
    let catalogue = watch_resources(&client, namespace.as_deref(), &queues, &mut watches);
    let children = watch_children(&client, &settings, &queues, &catalogue, &mut watches);
    let events = Events::new(client.clone(), &settings.instance);
    let realms = Realms::default();
    let runs = Arc::new(federated_query::Runs::new(format!("{}/{}", settings.instance, uuid::Uuid::new_v4())));
    let hearsay = Hearsay::default();
    let context =
        Context { client, settings, clock, events, metrics, catalogue, children, realms, hearsay, queues, runs };
    let context = Arc::new(context);
    // Nothing is decided before everything that is there has been seen.
    context.children.ready().await;
    context.catalogue.ready().await;

    let known = &context.catalogue;
    let given = || Arc::clone(&context);
    tokio::join!(
        controller::run(known.federations.clone(), requests.federations, given(), federation::reconcile),
        controller::run(known.jurisdictions.clone(), requests.jurisdictions, given(), jurisdiction::reconcile),
        controller::run(known.common_tables.clone(), requests.common_tables, given(), described::reconcile),
        controller::run(known.datasets.clone(), requests.datasets, given(), described::reconcile),
        controller::run(known.policies.clone(), requests.policies, given(), described::reconcile),
        controller::run(known.agreements.clone(), requests.agreements, given(), described::reconcile),
        controller::run(known.projects.clone(), requests.projects, given(), described::reconcile),
        controller::run(known.queries.clone(), requests.queries, given(), federated_query::reconcile),
        hearsay::follow(given()),
    );
}
