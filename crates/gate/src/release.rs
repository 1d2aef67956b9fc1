//! Releases that have passed the gate. A [`GatedRelease`] is made only by the gate, and an [`AuditedRelease`] only from
//! one: the exchange sends nothing else, so that no release leaves ungated or unrecorded.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use futures::future::BoxFuture;
use futures::{FutureExt, Stream, StreamExt};
use wanqu_model::bundle::ReleaseRule;
use wanqu_model::names::JurisdictionId;
use wanqu_model::receipt::{Receipt, Signed};
use wanqu_model::refusal::{Code, Refusal};
use wanqu_model::report::LeftOutRecords;
use wanqu_rules::FetchedBytes;
use wanqu_rules::fragment::{BatchStream, ReleaseReport};

/// Account of the gate, for the owner's audit log and for the report that goes with the rows.
#[derive(Debug, Clone, PartialEq)]
pub struct GateAccount {
    /// Rule that was applied; `None` where only public tables were read.
    pub rule: Option<ReleaseRule>,
    /// Rows released; `None` for a stream of public rows, whose number is known at its end.
    pub rows: Option<u64>,
    /// Number of cells that were kept back. For the owner's own log only: nothing of it leaves, see
    /// [`ReleaseReport::may_hide_cells`].
    pub suppressed: u64,
    /// True if any value may be that of an earlier cell, or is withheld for one.
    pub earlier: bool,
}

impl GateAccount {
    /// Returns the account of a release of public rows.
    pub(crate) fn public() -> Self {
        Self { rule: None, rows: None, suppressed: 0, earlier: false }
    }

    fn report(&self, owner: JurisdictionId, rows: u64, fetched: &FetchedBytes, closed: Closed) -> ReleaseReport {
        let rule = self.rule.as_ref();
        let mut left_out = closed.left_out;
        // Those of other members' public tables, which only this owner has seen.
        left_out.extend(fetched.left_out());
        ReleaseReport {
            owner,
            rows,
            min_units: rule.map(|r| r.min_units),
            rounding: rule.map_or(1, |r| r.rounding),
            publish_zeros: rule.is_none_or(|r| r.publish_zeros),
            policies: rule.map(|r| r.policies.clone()).unwrap_or_default(),
            fetched_bytes: fetched.sum(),
            left_out,
            earlier_values: self.earlier,
            audit_sequence: closed.audit.sequence,
            audit_digest: closed.audit.digest,
            receipt: closed.receipt,
        }
    }
}

/// Reference to a release's entry in its owner's audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditReference {
    /// The entry's number.
    pub sequence: u64,
    /// Its SHA-256, hexadecimal.
    pub digest: String,
}

/// End of a release: the facts that are only known once its last row has been taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// Entry of the audit log.
    pub audit: AuditReference,
    /// Datasets whose records are left out, as far as others may know.
    pub left_out: Vec<LeftOutRecords>,
    /// Receipt for whoever asked.
    pub receipt: Option<Box<Signed<Receipt>>>,
}

impl From<AuditReference> for Closed {
    fn from(audit: AuditReference) -> Self {
        Self { audit, left_out: Vec::new(), receipt: None }
    }
}

/// Rows that passed the gate and are not yet recorded.
pub struct GatedRelease {
    schema: SchemaRef,
    batches: BatchStream,
    account: GateAccount,
    fetched: FetchedBytes,
}

impl GatedRelease {
    /// Makes a release. Only the gate calls this.
    pub(crate) fn new(schema: SchemaRef, batches: BatchStream, account: GateAccount, fetched: FetchedBytes) -> Self {
        Self { schema, batches, account, fetched }
    }

    /// Returns the columns.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// Returns the gate's account.
    #[must_use]
    pub fn account(&self) -> &GateAccount {
        &self.account
    }

    /// Turns it into a release that can be sent. `closing` is called with the ending once the last row has been taken, or
    /// the reader has left, and returns with the entry of the audit log: for a gated release one that is durable already,
    /// for public rows the one that closes it.
    #[must_use]
    pub fn audited(
        self,
        owner: JurisdictionId,
        closing: impl FnOnce(Ending) -> BoxFuture<'static, Result<Closed, Refusal>> + Send + 'static,
    ) -> AuditedRelease {
        let rows = Arc::new(AtomicU64::new(0));
        let (ended, end) = futures::channel::oneshot::channel();
        let batches = Counted { inner: self.batches, rows: Arc::clone(&rows), ended: Some(ended) };
        let (account, fetched) = (self.account, self.fetched);
        let mut closer = Closer { rows, closing: Some(Box::new(closing)) };
        let report = async move {
            match end.await {
                Ok(Ok(())) => {}
                Ok(Err(refusal)) => return Err(refusal),
                Err(_) => return Err(Refusal::new(Code::Cancelled, "the release was not read to its end")),
            }
            let (rows, closed) = closer.complete().await?;
            Ok(account.report(owner, rows, &fetched, closed))
        };
        AuditedRelease { schema: self.schema, batches: batches.boxed(), report: report.boxed() }
    }
}

/// End of a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ending {
    /// Rows that were taken.
    pub rows: u64,
    /// True if those were all rows of the release.
    pub complete: bool,
}

type Closing = Box<dyn FnOnce(Ending) -> BoxFuture<'static, Result<Closed, Refusal>> + Send>;

/// Guard that closes a release once, whether it is read to its end or not.
struct Closer {
    rows: Arc<AtomicU64>,
    closing: Option<Closing>,
}

impl Closer {
    fn ending(&self, complete: bool) -> Ending {
        Ending { rows: self.rows.load(Ordering::Acquire), complete }
    }

    async fn complete(&mut self) -> Result<(u64, Closed), Refusal> {
        let ending = self.ending(true);
        match self.closing.take() {
            Some(closing) => Ok((ending.rows, closing(ending).await?)),
            None => Err(Refusal::new(Code::Internal, "a release was closed twice")),
        }
    }
}

impl Drop for Closer {
    fn drop(&mut self) {
        let ending = self.ending(false);
        // Outside of a runtime the node is ending: the log then has the release as opened and never closed, as after a
        // crash.
        if let (Some(closing), Ok(runtime)) = (self.closing.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(closing(ending));
        }
    }
}

impl fmt::Debug for GatedRelease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GatedRelease").field("account", &self.account).finish_non_exhaustive()
    }
}

/// A release that is in its owner's audit log: the only thing that the exchange sends.
pub struct AuditedRelease {
    schema: SchemaRef,
    batches: BatchStream,
    report: BoxFuture<'static, Result<ReleaseReport, Refusal>>,
}

impl AuditedRelease {
    /// Returns the columns.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// Returns the rows, and the report, which is ready once the rows have ended.
    #[must_use]
    pub fn into_parts(self) -> (BatchStream, BoxFuture<'static, Result<ReleaseReport, Refusal>>) {
        (self.batches, self.report)
    }
}

impl fmt::Debug for AuditedRelease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditedRelease").field("schema", &self.schema).finish_non_exhaustive()
    }
}

/// Stream that counts its rows, and reports when and how it ended.
struct Counted {
    inner: BatchStream,
    rows: Arc<AtomicU64>,
    ended: Option<futures::channel::oneshot::Sender<Result<(), Refusal>>>,
}

impl Counted {
    fn tell(&mut self, outcome: Result<(), Refusal>) {
        if let Some(ended) = self.ended.take() {
            // The receiver is gone where nobody waits for the report.
            let _ = ended.send(outcome);
        }
    }
}

impl Stream for Counted {
    type Item = Result<RecordBatch, Refusal>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let item = futures::ready!(self.inner.poll_next_unpin(cx));
        match &item {
            Some(Ok(batch)) => {
                self.rows.fetch_add(batch.num_rows() as u64, Ordering::AcqRel);
            }
            Some(Err(refusal)) => self.tell(Err(refusal.clone())),
            None => self.tell(Ok(())),
        }
        Poll::Ready(item)
    }
}
