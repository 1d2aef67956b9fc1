//! Ends of what is being answered, when what it rests on is withdrawn: trust in the node that asks, or the permission.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, stream};
use rustls::pki_types::CertificateDer;
use wanqu_identity::Trust;
use wanqu_model::refusal::{Code, Refusal};
use wanqu_rules::fragment::BatchStream;

use crate::clock::Clock;

/// Time between two looks. A look costs next to nothing.
const EVERY: Duration = Duration::from_millis(500);

/// Waits until the certificates of a connection are not trusted any more. Returns the refusal of what runs on it.
pub(super) async fn trust_lapsed(
    trust: Trust,
    chain: Arc<[CertificateDer<'static>]>,
    clock: Arc<dyn Clock>,
) -> Refusal {
    loop {
        tokio::time::sleep(EVERY).await;
        if let Err(error) = trust.vouches(&chain, clock.now()) {
            tracing::warn!(%error, "the work of a node that is no longer trusted is ended");
            return Refusal::new(Code::Identity, "the connection's certificate is no longer trusted here")
                .with_rule("a member's own CA vouches for its node, for as long as it is answered")
                .with_remedy("connect again with a certificate of the CA that the bundle names");
        }
    }
}

/// Returns the rows up to the moment at which `lapsed` is done, and then its refusal.
pub(super) fn until_lapsed(batches: BatchStream, lapsed: BoxFuture<'static, Refusal>) -> BatchStream {
    stream::unfold(Some((batches, lapsed.fuse())), |state| async {
        let (mut batches, mut lapsed) = state?;
        let next = tokio::select! {
            biased;
            refusal = &mut lapsed => return Some((Err(refusal), None)),
            next = batches.next() => next,
        };
        next.map(|batch| (batch, Some((batches, lapsed))))
    })
    .boxed()
}

#[cfg(test)]
mod tests {
    use arrow::array::RecordBatch;
    use arrow::datatypes::Schema;

    use super::*;

    #[tokio::test]
    async fn rows_end_with_the_refusal_once_the_permission_is_gone() {
        let (withdraw, withdrawn) = tokio::sync::oneshot::channel::<()>();
        let lapsed = async move {
            let _ = withdrawn.await;
            Refusal::new(Code::NoAgreement, "it has ended")
        };
        let batch = RecordBatch::new_empty(Arc::new(Schema::empty()));
        let endless = stream::repeat_with(move || Ok(batch.clone())).boxed();
        let mut rows = until_lapsed(endless, lapsed.boxed());
        assert!(rows.next().await.unwrap().is_ok());
        withdraw.send(()).unwrap();
        assert_eq!(rows.next().await.unwrap().unwrap_err().code, Code::NoAgreement);
        assert!(rows.next().await.is_none());
    }
}
