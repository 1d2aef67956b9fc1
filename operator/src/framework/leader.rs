//! Leader election: of several operators, the one that holds a Lease works.

use kube::Client;
use kube_lease_manager::{LeaseManagerBuilder, LeaseManagerError};
use tokio::task::{JoinError, JoinSet};

use super::health::{Health, TaskName};
use super::metrics::Metrics;
use super::tapped::{Call, tapped};
use super::tasks::Ended;
use crate::settings::Settings;

/// Reason for which an election ended without being told to.
#[derive(Debug, thiserror::Error)]
pub enum LeadError {
    /// The lease cannot be read, or not be given back.
    #[error("the lease cannot be used: {0}")]
    Lease(#[from] LeaseManagerError),
    /// One of the tasks that work while this operator leads has ended.
    #[error("{0}")]
    Work(#[from] Ended),
}

/// Runs `work` whenever this operator leads, until `stop` ends. Then gives the lease back, so that the next leader need not
/// wait for it to expire. Work that ends by itself, or that panics, ends the election: the process goes, and another one
/// leads.
///
/// # Errors
/// [`LeadError::Work`] if work ended, [`LeadError::Lease`] if the lease cannot be read at all or its task ended.
pub async fn lead<Work>(
    client: &Client,
    settings: &Settings,
    (metrics, health): (&Metrics, &Health),
    stop: impl Future<Output = ()>,
    work: impl Fn() -> Work,
) -> Result<(), LeadError>
where
    Work: Future<Output = Ended> + Send + 'static,
{
    let manager = LeaseManagerBuilder::new(observed(client, health), &settings.lease)
        .with_namespace(&settings.operator_namespace)
        .with_identity(&settings.instance)
        // The field manager stays one of each copy's own: by it the API server tells two that want the lease at once.
        .with_duration(settings.lease_seconds)
        .with_grace(settings.lease_seconds.div_ceil(3))
        .build()
        .await?;
    let (mut leads, manager) = manager.watch().await;
    let mut stop = std::pin::pin!(stop);
    let mut working = JoinSet::new();
    let outcome = loop {
        let now = *leads.borrow_and_update();
        metrics.leads(now);
        if now && working.is_empty() {
            tracing::info!("this operator leads");
            working.spawn(work());
        } else if !now && !working.is_empty() {
            tracing::info!("another operator leads");
            working.shutdown().await;
        }
        tokio::select! {
            () = &mut stop => break Ok(()),
            changed = leads.changed() => if changed.is_err() {
                break Err(Ended { task: TaskName::new(LEASE), panicked: false });
            },
            Some(ended) = working.join_next(), if !working.is_empty() => break Err(ended.unwrap_or_else(|e| of(&e))),
        }
    };
    working.shutdown().await;
    metrics.leads(false);
    // Nobody listens any more: the lease is given back.
    drop(leads);
    let given_back = manager.await;
    outcome?;
    given_back.map_err(|_| Ended { task: TaskName::new(LEASE), panicked: true })??;
    Ok(())
}

/// Name of the task that renews the lease.
const LEASE: &str = "renewal of the lease";

/// Returns a client for the lease, whose failures show in health.
fn observed(client: &Client, health: &Health) -> Client {
    let health = health.of(TaskName::new(LEASE));
    tapped(client, move |call: &Call<'_>| match call.outcome {
        // Not there yet, or written by another operator at the same time: both are part of an election.
        Ok(status) if status.is_success() || [404, 409].contains(&status.as_u16()) => health.recovered(),
        Ok(status) => health.failed(&format!("{} is answered with {status}", call.method)),
        Err(error) => health.failed(&error.to_string()),
    })
}

/// Returns the end of work that panicked before it came to its tasks.
fn of(error: &JoinError) -> Ended {
    Ended { task: TaskName::new("start of the controllers"), panicked: error.is_panic() }
}
