//! Leader election: of several operators, the one that holds a Lease works.

use std::time::Duration;

use kube::Client;
use kube_lease_manager::{LeaseManagerBuilder, LeaseManagerError};
use tokio::task::{JoinError, JoinHandle, JoinSet};
use tokio::time::timeout;

use super::health::{Health, TaskName};
use super::metrics::Metrics;
use super::tapped::{Call, tapped};
use super::tasks::Ended;
use crate::settings::Settings;

/// The longest that the end waits for the lease to be given back: well within the time that a pod has to end.
const GIVING_BACK: Duration = Duration::from_secs(15);

/// Reason for which an election ended without being told to.
#[derive(Debug, thiserror::Error)]
pub enum LeadError {
    /// The lease cannot be read, or not be given back.
    #[error("the lease cannot be used: {0}")]
    Lease(#[from] LeaseManagerError),
    /// The API server did not take the lease back in time.
    #[error(
        "the lease was not given back within {} s, so the next leader waits until it expires; check that the API server answers",
        .0.as_secs()
    )]
    Kept(Duration),
    /// One of the tasks that work while this operator leads has ended.
    #[error("{0}")]
    Work(#[from] Ended),
}

/// Runs `work` whenever this operator leads, until `stop` ends. Then gives the lease back, so that the next leader need not
/// wait for it to expire. Work that ends by itself, or that panics, ends the election: the process goes, and another one
/// leads.
///
/// An API server that does not answer holds up the end for no longer than the lease lasts, and for at most 15 seconds.
///
/// # Errors
/// [`LeadError::Work`] if work ended or the lease's task did, whatever becomes of the lease; [`LeadError::Lease`] if the lease
/// cannot be read at all, or not be given back; [`LeadError::Kept`] if it was not given back in time.
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
    let longest = Duration::from_secs(settings.lease_seconds).min(GIVING_BACK);
    concluded(outcome, given_back(manager, longest).await)
}

/// Waits until the manager of the lease has given it back, for at most `longest`.
async fn given_back<T>(
    mut manager: JoinHandle<Result<T, LeaseManagerError>>,
    longest: Duration,
) -> Result<(), LeadError> {
    match timeout(longest, &mut manager).await {
        Ok(Ok(Ok(_))) => Ok(()),
        Ok(Ok(Err(error))) => Err(error.into()),
        Ok(Err(error)) => Err(Ended { task: TaskName::new(LEASE), panicked: error.is_panic() }.into()),
        Err(_) => {
            manager.abort();
            Err(LeadError::Kept(longest))
        }
    }
}

/// Returns the error that ended the election. If it ended by itself, what became of the lease is only logged.
fn concluded(outcome: Result<(), Ended>, given_back: Result<(), LeadError>) -> Result<(), LeadError> {
    match (outcome, given_back) {
        (Err(ended), given_back) => {
            if let Err(error) = given_back {
                tracing::warn!(%error, "the election ended without giving the lease back");
            }
            Err(ended.into())
        }
        (Ok(()), given_back) => given_back,
    }
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

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    type Managed = Result<(), LeaseManagerError>;

    fn panicked() -> Ended {
        Ended { task: TaskName::new("controller of Federation"), panicked: true }
    }

    #[tokio::test]
    async fn a_lease_that_nobody_takes_back_is_not_waited_for_without_end() {
        let longest = Duration::from_millis(20);
        let manager = tokio::spawn(pending::<Managed>());
        let outcome = concluded(Err(panicked()), given_back(manager, longest).await);
        assert_eq!(outcome.unwrap_err().to_string(), "the controller of Federation panicked");
        let manager = tokio::spawn(pending::<Managed>());
        assert!(matches!(concluded(Ok(()), given_back(manager, longest).await), Err(LeadError::Kept(_))));
    }

    #[tokio::test]
    async fn a_lease_that_was_given_back_hides_no_fault_and_makes_none() {
        let longest = Duration::from_mins(1);
        let given = given_back(tokio::spawn(ready(Managed::Ok(()))), longest).await;
        assert!(matches!(concluded(Err(panicked()), given), Err(LeadError::Work(_))));
        let given = given_back(tokio::spawn(ready(Managed::Ok(()))), longest).await;
        assert!(concluded(Ok(()), given).is_ok());
        let refused = Managed::Err(LeaseManagerError::NonexistentLease("wanqu-operator".to_owned()));
        let given = given_back(tokio::spawn(ready(refused)), longest).await;
        assert!(matches!(concluded(Ok(()), given), Err(LeadError::Lease(_))));
    }
}
