//! The owner's side of a query: admit, run, gate, record, release. Every outcome is in the audit log before a byte leaves.

mod listed;
mod receipts;
mod turned_away;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;
use wanqu_client::status::{internal, shortened};
use wanqu_gate::{AuditReference, AuditedRelease, Closed, Ending, GatedRelease};
use wanqu_identity::{NodeIdentity, Slot};
use wanqu_model::names::{JurisdictionId, TableRef};
use wanqu_model::receipt::Checkpoint;
use wanqu_model::refusal::{Code, Refusal};
use wanqu_rules::admission::{self, AdmittedFragment, Request, Shape};
use wanqu_rules::envelope::Envelope;
use wanqu_rules::while_wanted;

use crate::audit::{Appended, Entry, FragmentRequest, Log, RepeatedRefusals};
use crate::clock::Clock;
use crate::exchange::{HeldAgreement, OwnerService, VerifiedRequest, Work, agreements_with, unavailable_to};
use crate::ledger::DurableLedger;
use crate::state::{Live, NodeState};
use crate::stay;

use listed::Listed;
use receipts::Receipts;

pub use turned_away::TurnedAway;

/// Time between two looks whether another bundle is in force while a fragment is answered.
const LOOK: Duration = Duration::from_millis(500);

/// Service of an owner node.
pub struct Owner {
    live: Arc<Live>,
    log: Arc<Log>,
    ledger: Arc<DurableLedger>,
    identity: Slot<NodeIdentity>,
    clock: Arc<dyn Clock>,
    turned_away: Arc<TurnedAway>,
    listed: Listed,
}

impl Owner {
    /// Creates the service of an owner that records in `log`, remembers released cells in `ledger`, and signs receipts with
    /// `identity`.
    #[must_use]
    pub fn new(
        live: Arc<Live>,
        log: Arc<Log>,
        ledger: Arc<DurableLedger>,
        identity: Slot<NodeIdentity>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let turned_away = Arc::new(TurnedAway::new(Arc::clone(&log), Arc::clone(&clock), RepeatedRefusals::default()));
        Self { live, log, ledger, identity, clock, turned_away, listed: Listed::default() }
    }

    /// Returns the record of refusals that cost their sender nothing, which a task of the node has to write.
    #[must_use]
    pub fn refusals(&self) -> &Arc<TurnedAway> {
        &self.turned_away
    }

    async fn gated(
        &self,
        state: &Arc<NodeState>,
        request: &VerifiedRequest,
        cancel: &CancellationToken,
    ) -> Result<(Vec<TableRef>, GatedRelease), Stopped> {
        state.grants()?;
        request.judged_by(state.number);
        let (envelope, peer) = (request.envelope(), request.peer());
        let admitted = admitted(Arc::clone(state), envelope, peer, self.clock.now(), cancel.clone()).await?;
        request.begin(work_of(&admitted, state)).map_err(Stopped::Crowded)?;
        let release = wanqu_gate::release(&admitted, &state.engine, self.ledger.as_ref()).await?;
        // A permission that a new bundle withdrew while it ran is gone.
        let now = self.live.now();
        if now.number != state.number || now.closed().is_some() {
            self.admitted_still(now, request.envelope(), request.peer()).await?;
        }
        Ok((admitted.tables().to_vec(), release))
    }

    /// Checks that a fragment would be admitted in this state too.
    async fn admitted_still(
        &self,
        state: Arc<NodeState>,
        envelope: &Envelope,
        peer: &JurisdictionId,
    ) -> Result<(), Refusal> {
        state.grants()?;
        let owner = state.bundle.jurisdiction.clone();
        let admitted = admitted(state, envelope, peer, self.clock.now(), CancellationToken::new()).await;
        admitted.map(|_| ()).map_err(|refusal| match refusal.owner {
            Some(_) => refusal,
            None => refusal.with_owner(owner),
        })
    }

    /// Records a release. Returns it as one that the exchange may send.
    async fn recorded(
        &self,
        state: Arc<NodeState>,
        request: FragmentRequest,
        tables: Vec<TableRef>,
        release: GatedRelease,
    ) -> Result<AuditedRelease, Refusal> {
        let owner = state.bundle.jurisdiction.clone();
        let names = tables.iter().map(ToString::to_string).collect();
        let account = release.account().clone();
        let receipts = Receipts {
            request: request.clone(),
            owner: owner.clone(),
            rules: state.digest.clone(),
            rule: account.rule.clone(),
            log: self.log.id(),
            identity: self.identity.clone(),
            clock: Arc::clone(&self.clock),
        };
        if let Some(rule) = account.rule {
            let entry = Entry::Released {
                request,
                tables: names,
                rule: Some(rule),
                rows: account.rows.unwrap_or_default(),
                suppressed_cells: account.suppressed,
                skipped_records: state.engine.skipped_records(&tables),
            };
            let audit = reference(self.append(entry).await?);
            let receipt = Some(receipts.of(&audit, account.rows.unwrap_or_default())?);
            let closed = Closed { left_out: state.engine.left_out(&tables), audit, receipt };
            return Ok(release.audited(owner, move |_| async move { Ok(closed) }.boxed()));
        }
        let (query_id, fragment, from) = (request.query_id, request.fragment, request.from.clone());
        let opened = self.append(Entry::PublicOpened { request, tables: names }).await?.sequence;
        let (log, clock) = (Arc::clone(&self.log), Arc::clone(&self.clock));
        Ok(release.audited(owner, move |Ending { rows, complete }| {
            async move {
                let skipped_records = state.engine.skipped_records(&tables);
                let entry = Entry::PublicClosed { query_id, fragment, from, opened, rows, complete, skipped_records };
                let left_out = state.engine.left_out(&tables);
                let audit = append(&log, clock.as_ref(), entry).await.map(reference)?;
                let receipt = Some(receipts.of(&audit, rows)?);
                Ok(Closed { audit, left_out, receipt })
            }
            .boxed()
        }))
    }

    async fn append(&self, entry: Entry) -> Result<Appended, Refusal> {
        append(&self.log, self.clock.as_ref(), entry).await
    }
}

#[async_trait]
impl OwnerService for Owner {
    async fn answer(&self, request: VerifiedRequest, cancel: CancellationToken) -> Result<AuditedRelease, Refusal> {
        let state = self.live.now();
        let recorded = FragmentRequest::from(request.envelope());
        // A panic may have a value in its text; it goes to this node's own error stream, and no further.
        let gated = AssertUnwindSafe(self.gated(&state, &request, &cancel)).catch_unwind();
        let outcome = tokio::select! {
            () = cancel.cancelled() => Err(ended(&request, self.clock.as_ref()).into()),
            refusal = self.withdrawn(request.envelope().clone(), request.peer().clone(), state.number) => {
                Err(refusal.into())
            }
            gated = gated => gated.unwrap_or_else(|_| Err(internal().into())),
        };
        match outcome {
            Ok((tables, release)) => {
                tracing::info!(query_id = %recorded.query_id, fragment = recorded.fragment, "admitted and run");
                self.recorded(state, recorded, tables, release).await
            }
            // Nothing was run for it, so it costs its sender nothing: it is counted like what is refused unread.
            Err(Stopped::Crowded(refusal)) => Err(self.turned_away(request.peer(), refusal).await),
            Err(Stopped::Refused(refusal)) => {
                let refusal = match refusal.owner {
                    Some(_) => refusal,
                    None => refusal.with_owner(state.bundle.jurisdiction.clone()),
                };
                // The log has what is sent: a name of any length in the text is no way to fill the disk.
                let refusal = shortened(refusal);
                tracing::info!(
                    query_id = %recorded.query_id,
                    fragment = recorded.fragment,
                    code = %refusal.code,
                    "refused"
                );
                if !self.listed.one_more(request.peer(), self.clock.now()) {
                    return Err(self.turned_away(request.peer(), refusal).await);
                }
                self.append(Entry::Refused { request: recorded.shortened(), refusal: refusal.clone() }).await?;
                Err(refusal)
            }
        }
    }

    async fn withdrawn(&self, envelope: Envelope, peer: JurisdictionId, mut judged: u64) -> Refusal {
        loop {
            let state = self.live.now();
            let number = state.number;
            if (number != judged || state.closed().is_some())
                && let Err(refusal) = self.admitted_still(state, &envelope, &peer).await
            {
                return refusal;
            }
            judged = number;
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn turned_away(&self, peer: &JurisdictionId, refusal: Refusal) -> Refusal {
        self.turned_away.record(peer, shortened(refusal)).await
    }

    fn agreements_with(&self, peer: &JurisdictionId) -> Vec<HeldAgreement> {
        let state = self.live.now();
        if state.closed().is_some() { Vec::new() } else { agreements_with(&state.bundle, peer) }
    }

    async fn checkpoint(&self) -> Option<Checkpoint> {
        let (log, time) = (Arc::clone(&self.log), self.clock.now());
        let id = log.id();
        let last = tokio::task::spawn_blocking(move || log.last()).await;
        let last =
            last.ok()?.inspect_err(|error| tracing::error!(%error, "the audit log cannot be written")).ok()??;
        let member = self.live.now().bundle.jurisdiction.clone();
        Some(Checkpoint { member, log: id, sequence: last.sequence, digest: last.digest, time })
    }

    fn unavailable_to(&self, peer: &JurisdictionId) -> Vec<TableRef> {
        let state = self.live.now();
        if state.closed().is_some() {
            return Vec::new();
        }
        let unavailable = state.engine.unavailable().into_iter().map(|one| one.table).collect();
        unavailable_to(&state.bundle, peer, self.clock.now(), &unavailable)
    }
}

/// Reason for which a fragment has no release.
enum Stopped {
    /// It was refused, or failed.
    Refused(Refusal),
    /// There was no place for its work.
    Crowded(Refusal),
}

impl From<Refusal> for Stopped {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// Admits a fragment. Planning may take a while for a large text: not on a thread that serves others. It stops soon after
/// `cancel`, and holds its fragment's place until then.
async fn admitted(
    state: Arc<NodeState>,
    envelope: &Envelope,
    peer: &JurisdictionId,
    now: Timestamp,
    cancel: CancellationToken,
) -> Result<AdmittedFragment, Refusal> {
    let (envelope, peer, held) = (envelope.clone(), peer.clone(), stay::current());
    let admitted = tokio::task::spawn_blocking(move || {
        let _held = held;
        let asked = Request { envelope: &envelope, peer: &peer };
        let admit = || admission::admit(&asked, &state.bundle, &state.owner_catalog, now);
        while_wanted(move || !cancel.is_cancelled(), admit)
    });
    admitted.await.unwrap_or_else(|_| Err(internal()))
}

/// The kind of work that an admitted fragment makes, by what its plan reads.
fn work_of(admitted: &AdmittedFragment, state: &NodeState) -> Work {
    let public = matches!(admitted.shape(), Shape::Public);
    if public && state.engine.reads_own_slices_alone(admitted.plan()) { Work::PublicRead } else { Work::Fragment }
}

/// Returns the refusal of a fragment that was cancelled before its release.
fn ended(request: &VerifiedRequest, clock: &dyn Clock) -> Refusal {
    if request.envelope().deadline <= clock.now() {
        return request.late();
    }
    Refusal::new(Code::Cancelled, "whoever asked went away before the release was ready, or this node is ending")
}

/// Appends an entry to the log. Its error is the refusal to send: what cannot be recorded is neither released nor refused.
async fn append(log: &Arc<Log>, clock: &dyn Clock, entry: Entry) -> Result<Appended, Refusal> {
    log.append_async(clock.now(), entry).await.map_err(|error| {
        tracing::error!(%error, "the audit log cannot be written");
        Refusal::new(Code::OwnerUnavailable, "the owner's audit log cannot be written, so nothing is released")
            .with_rule("every release and every refusal is in the log before a byte leaves")
            .with_remedy("tell the owner's administrator; the node's log has the cause")
    })
}

fn reference(appended: Appended) -> AuditReference {
    AuditReference { sequence: appended.sequence, digest: appended.digest }
}
