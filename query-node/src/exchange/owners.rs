//! Owners, as a home node asks them, whatever carries its requests.
//!
//! ```text
//! home ─▶ Owners ─▶ Members ─┬▶ InProcess ─▶ OwnerService     this node's own part
//!                            └▶ Exchange  ══▶ ExchangeServer   the other members', over Arrow Flight
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::{RecordBatch, RecordBatchOptions};
use async_trait::async_trait;
use futures::StreamExt;
use tokio_util::sync::CancellationToken;
use wanqu_model::names::{JurisdictionId, TableRef};
use wanqu_model::refusal::{Code, Refusal};
use wanqu_rules::envelope::Envelope;
use wanqu_rules::fragment::{Fragment, Release};

use super::client::Exchange;
use super::lapse::until_lapsed;
use super::server::{OwnerService, VerifiedRequest, answer_on_a_task, withdrawn};

/// A way to ask owners.
#[async_trait]
pub trait Owners: Send + Sync + 'static {
    /// Asks the owner that the envelope names for a fragment. Returns its release once the columns have been checked; the rows
    /// are checked as they are taken, and the report comes after the last of them. Dropping the future or the release
    /// cancels the work.
    ///
    /// # Errors
    /// The owner's refusal, or why it has not answered.
    async fn ask(&self, envelope: &Envelope, fragment: &Fragment) -> Result<Release, Refusal>;

    /// Returns the tables that other members cannot read, as they told last.
    fn unavailable(&self) -> BTreeMap<JurisdictionId, Vec<TableRef>> {
        BTreeMap::new()
    }
}

#[async_trait]
impl Owners for Exchange {
    async fn ask(&self, envelope: &Envelope, fragment: &Fragment) -> Result<Release, Refusal> {
        self.send(envelope, fragment).await
    }

    fn unavailable(&self) -> BTreeMap<JurisdictionId, Vec<TableRef>> {
        Self::unavailable(self)
    }
}

/// This node's own owner: the same admission and the same gate, without a wire.
pub struct InProcess(Arc<dyn OwnerService>);

impl InProcess {
    /// Asks this service.
    #[must_use]
    pub fn new(service: Arc<dyn OwnerService>) -> Self {
        Self(service)
    }
}

#[async_trait]
impl Owners for InProcess {
    async fn ask(&self, envelope: &Envelope, fragment: &Fragment) -> Result<Release, Refusal> {
        let request = VerifiedRequest::from_self(envelope.clone())?;
        let judged = request.judged();
        let released = answer_on_a_task(Arc::clone(&self.0), request, CancellationToken::new()).await?;
        let judged = judged.load(Ordering::SeqCst);
        let withdrawn = withdrawn(Arc::clone(&self.0), envelope.clone(), envelope.from.clone(), judged);
        if !fragment.fits(&released.schema()) {
            return Err(Refusal::new(Code::ReleaseShape, "the release does not have the columns that were asked for"));
        }
        let (batches, report) = released.into_parts();
        let batches = until_lapsed(batches, withdrawn);
        let target = Arc::clone(&fragment.schema);
        let batches = batches.map(move |batch| {
            let batch = batch?;
            let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
            RecordBatch::try_new_with_options(Arc::clone(&target), batch.columns().to_vec(), &options)
                .map_err(|_| Refusal::new(Code::ReleaseShape, "a batch of the release does not fit its columns"))
        });
        let (schema, bytes) = (Arc::clone(&fragment.schema), Arc::new(AtomicU64::new(0)));
        Ok(Release { schema, batches: batches.boxed(), bytes, report })
    }
}

/// All members of a federation: this node's own jurisdiction, and the others.
pub struct Members {
    own: JurisdictionId,
    here: InProcess,
    others: Arc<dyn Owners>,
}

impl Members {
    /// Asks `here` for the part of `own`, and `others` for everybody else's.
    #[must_use]
    pub fn new(own: JurisdictionId, here: InProcess, others: Arc<dyn Owners>) -> Self {
        Self { own, here, others }
    }
}

#[async_trait]
impl Owners for Members {
    async fn ask(&self, envelope: &Envelope, fragment: &Fragment) -> Result<Release, Refusal> {
        if envelope.to == self.own {
            self.here.ask(envelope, fragment).await
        } else {
            self.others.ask(envelope, fragment).await
        }
    }

    fn unavailable(&self) -> BTreeMap<JurisdictionId, Vec<TableRef>> {
        self.others.unavailable()
    }
}
