//! Controllers: a queue, a reconciler, and another try when it fails.

use std::fmt::Debug;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use k8s_openapi::NamespaceResourceScope;
use kube::Resource;
use kube::runtime::controller::{Action, Config, Error as RunError, applier};
use kube::runtime::reflector::Store;
use tokio_stream::wrappers::UnboundedReceiverStream;

use super::error::{Error, Result};
use super::guarded::Guarded;
use super::metrics::Metrics;
use super::queue::Requests;

/// The pause after a change before an object is reconciled: a folder of manifests arrives as a burst.
const DEBOUNCE: Duration = Duration::from_millis(200);
/// The most objects of a kind that are reconciled at the same time.
const CONCURRENCY: u16 = 16;

/// Reconciles the objects of one kind as they are requested, and counts that in `metrics`. Returns when no sender of
/// requests is left.
pub async fn run<K, Context, Reconciled>(
    store: Store<Guarded<K>>,
    requests: Requests<K>,
    context: Arc<Context>,
    metrics: Metrics,
    reconcile: impl Fn(Arc<Guarded<K>>, Arc<Context>) -> Reconciled + Clone + Send + Sync + 'static,
) where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + Send + Sync + 'static,
    Context: Send + Sync + 'static,
    Reconciled: Future<Output = Result<Action>> + Send + 'static,
{
    let kind = K::kind(&()).into_owned();
    let measured = move |object: Arc<Guarded<K>>, context: Arc<Context>| {
        let (kind, reconcile, metrics) = (kind.clone(), reconcile.clone(), metrics.clone());
        Box::pin(async move {
            let begun = Instant::now();
            let result = reconcile(object, context).await;
            metrics.reconciled(&kind, begun.elapsed(), result.as_ref().err());
            result
        })
    };
    let queue = UnboundedReceiverStream::new(requests).map(Ok::<_, std::convert::Infallible>);
    let config = Config::default().debounce(DEBOUNCE).concurrency(CONCURRENCY);
    applier(measured, |_, error: &Error, _| Action::requeue(error.requeue()), context, store, queue, config)
        .for_each(|result| {
            match result {
                Ok(_) | Err(RunError::ObjectNotFound(_)) => {}
                Err(RunError::ReconcilerFailed(error, object)) => {
                    tracing::warn!(%object, class = error.class(), %error, "a reconciliation failed; it is tried again");
                }
                Err(error) => tracing::error!(%error, "a request could not be taken from a queue"),
            }
            std::future::ready(())
        })
        .await;
}
