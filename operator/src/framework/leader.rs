//! Leader election: of several operators, the one that holds a Lease works.

use std::pin::pin;
use std::time::Duration;

use kube::Client;
use tokio::task::{JoinError, JoinSet};
use tokio::time::timeout;

use super::health::{Health, TaskName};
use super::lease::Elector;
use super::metrics::Metrics;
use super::tasks::Ended;
use super::term::Term;
use crate::settings::Settings;

/// The longest that the end waits for the lease to be given back: well within the time that a pod has to end.
const GIVING_BACK: Duration = Duration::from_secs(15);

/// Reason for which an election ended without being told to.
#[derive(Debug, thiserror::Error)]
pub enum LeadError {
    /// The API server did not let the lease be given back.
    #[error("the lease could not be given back, so the next leader waits until it expires: {0}")]
    Lease(#[from] kube::Error),
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
/// While this operator leads, `term` holds; clients that are [`fenced`](super::term::fenced) by it write nothing after its end,
/// which comes before another operator may take the lease, whether or not the API server can be reached.
///
/// An API server that does not answer holds up the end for no longer than the lease lasts, and for at most 15 seconds.
///
/// # Errors
/// [`LeadError::Work`] if work ended, whatever becomes of the lease; [`LeadError::Lease`] if the lease cannot be given back;
/// [`LeadError::Kept`] if it was not given back in time.
pub async fn lead<Work>(
    client: &Client,
    settings: &Settings,
    (metrics, health): (&Metrics, &Health),
    term: &Term,
    stop: impl Future<Output = ()>,
    work: impl Fn() -> Work,
) -> Result<(), LeadError>
where
    Work: Future<Output = Ended> + Send + 'static,
{
    let mut elector = Elector::new(client, settings, term.clone(), health.of(TaskName::new(LEASE)));
    let mut working = JoinSet::new();
    let outcome = {
        let (mut stop, mut campaign) = (pin!(stop), pin!(elector.campaign()));
        loop {
            let leads = term.holds();
            metrics.leads(leads);
            if leads && working.is_empty() {
                tracing::info!("this operator leads");
                working.spawn(work());
            } else if !leads && !working.is_empty() {
                tracing::info!("this operator does not lead any more");
                working.shutdown().await;
            }
            let turned = async {
                if leads {
                    term.over().await;
                } else {
                    term.begun().await;
                }
            };
            tokio::select! {
                () = &mut stop => break Ok(()),
                never = &mut campaign => match never {},
                () = turned => {}
                Some(ended) = working.join_next(), if !working.is_empty() => break Err(ended.unwrap_or_else(|e| of(&e))),
            }
        }
    };
    term.end();
    working.shutdown().await;
    metrics.leads(false);
    let longest = Duration::from_secs(settings.lease_seconds).min(GIVING_BACK);
    concluded(outcome, given_back(elector.give_back(), longest).await)
}

/// Waits until the lease has been given back, for at most `longest`.
async fn given_back(giving: impl Future<Output = kube::Result<()>>, longest: Duration) -> Result<(), LeadError> {
    timeout(longest, giving).await.map_err(|_| LeadError::Kept(longest))?.map_err(LeadError::Lease)
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

/// Returns the end of work that panicked before it came to its tasks.
fn of(error: &JoinError) -> Ended {
    Ended { task: TaskName::new("start of the controllers"), panicked: error.is_panic() }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    fn panicked() -> Ended {
        Ended { task: TaskName::new("controller of Federation"), panicked: true }
    }

    #[tokio::test]
    async fn a_lease_that_nobody_takes_back_is_not_waited_for_without_end() {
        let longest = Duration::from_millis(20);
        let outcome = concluded(Err(panicked()), given_back(pending(), longest).await);
        assert_eq!(outcome.unwrap_err().to_string(), "the controller of Federation panicked");
        assert!(matches!(concluded(Ok(()), given_back(pending(), longest).await), Err(LeadError::Kept(_))));
    }

    #[tokio::test]
    async fn a_lease_that_was_given_back_hides_no_fault_and_makes_none() {
        let longest = Duration::from_mins(1);
        let given = given_back(ready(Ok(())), longest).await;
        assert!(matches!(concluded(Err(panicked()), given), Err(LeadError::Work(_))));
        assert!(concluded(Ok(()), given_back(ready(Ok(())), longest).await).is_ok());
        let given = given_back(ready(Err(kube::Error::LinesCodecMaxLineLengthExceeded)), longest).await;
        assert!(matches!(concluded(Ok(()), given), Err(LeadError::Lease(_))));
    }
}
