//! Of several operators, one works: it holds a Lease, renews it, and stops working when it has lost it.

use std::future::Future;

use kube::Client;
use kube_lease_manager::{LeaseManagerBuilder, LeaseManagerError};
use tokio::task::JoinSet;

use super::metrics::Metrics;
use crate::settings::Settings;

/// Works whenever this operator leads, until `stop` ends; then gives the lease back, so that another need not wait.
///
/// # Errors
/// When the lease cannot be read at all.
pub async fn lead<Work>(
    client: Client,
    settings: &Settings,
    metrics: &Metrics,
    stop: impl Future<Output = ()>,
    work: impl Fn() -> Work,
) -> Result<(), LeaseManagerError>
where
    Work: Future<Output = ()> + Send + 'static,
{
    let manager = LeaseManagerBuilder::new(client, &settings.lease)
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
    loop {
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
            () = &mut stop => break,
            changed = leads.changed() => if changed.is_err() { break },
            // Work does not end: a controller panicked. The process goes, so that another one leads.
            Some(_) = working.join_next(), if !working.is_empty() => {
                tracing::error!("the controllers ended by themselves");
                break;
            }
        }
    }
    working.shutdown().await;
    metrics.leads(false);
    // Nobody listens any more: the lease is given back.
    drop(leads);
    if let Ok(result) = manager.await {
        result?;
    }
    Ok(())
}
