//! The owner's side of a query: admit, run, gate, record, release. Every outcome is in the audit log before a byte leaves.

mod turned_away;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use async_trait::async_trait;
use futures::FutureExt;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;
use wanqu_client::status::internal;
use wanqu_gate::{AuditReference, AuditedRelease, Closed, Ending, GatedRelease};
use wanqu_model::names::{JurisdictionId, TableRef};
use wanqu_model::refusal::{Code, Refusal};
use wanqu_rules::admission::{self, AdmittedFragment, Request, Shape};
use wanqu_rules::envelope::Envelope;

use crate::audit::{Entry, FragmentRequest, Log, Receipt, RepeatedRefusals};
use crate::clock::Clock;
use crate::doors::flight::deadline_passed;
use crate::exchange::{HeldAgreement, OwnerService, VerifiedRequest, Work, agreements_with, unavailable_to};
use crate::state::{Live, NodeState};

pub use turned_away::TurnedAway;

/// Service of an owner node.
pub struct Owner {
    live: Arc<Live>,
    log: Arc<Log>,
    clock: Arc<dyn Clock>,
    turned_away: Arc<TurnedAway>,
}

impl Owner {
    /// Creates the service of an owner that records in `log`.
    #[must_use]
    pub fn new(live: Arc<Live>, log: Arc<Log>, clock: Arc<dyn Clock>) -> Self {
        let turned_away = Arc::new(TurnedAway::new(Arc::clone(&log), Arc::clone(&clock), RepeatedRefusals::default()));
        Self { live, log, clock, turned_away }
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
    ) -> Result<(Vec<TableRef>, GatedRelease), Stopped> {
        state.grants()?;
        let admitted = admitted(Arc::clone(state), request.clone(), self.clock.now()).await?;
        request.begin(work_of(&admitted, state)).map_err(Stopped::Crowded)?;
        let release = wanqu_gate::release(&admitted, &state.engine).await?;
        Ok((admitted.tables().to_vec(), release))
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
        if let Some(rule) = account.rule {
            let entry = Entry::Released {
                request,
                tables: names,
                rule: Some(rule),
                rows: account.rows.unwrap_or_default(),
                suppressed_cells: account.suppressed_exact,
                skipped_records: state.engine.skipped_records(&tables),
            };
            let closed =
                Closed { left_out: state.engine.left_out(&tables), audit: reference(self.append(entry).await?) };
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
                Ok(Closed { audit, left_out })
            }
            .boxed()
        }))
    }

    async fn append(&self, entry: Entry) -> Result<Receipt, Refusal> {
        append(&self.log, self.clock.as_ref(), entry).await
    }
}

#[async_trait]
impl OwnerService for Owner {
    async fn answer(&self, request: VerifiedRequest, cancel: CancellationToken) -> Result<AuditedRelease, Refusal> {
        let state = self.live.now();
        let recorded = FragmentRequest::from(request.envelope());
        // A panic may have a value in its text; it goes to this node's own error stream, and no further.
        let gated = AssertUnwindSafe(self.gated(&state, &request)).catch_unwind();
        let outcome = tokio::select! {
            () = cancel.cancelled() => Err(ended(request.envelope(), self.clock.as_ref()).into()),
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
                tracing::info!(
                    query_id = %recorded.query_id,
                    fragment = recorded.fragment,
                    code = %refusal.code,
                    "refused"
                );
                self.append(Entry::Refused { request: recorded, refusal: refusal.clone() }).await?;
                Err(refusal)
            }
        }
    }

    async fn turned_away(&self, peer: &JurisdictionId, refusal: Refusal) -> Refusal {
        self.turned_away.record(peer, refusal).await
    }

    fn agreements_with(&self, peer: &JurisdictionId) -> Vec<HeldAgreement> {
        let state = self.live.now();
        if state.closed().is_some() { Vec::new() } else { agreements_with(&state.bundle, peer) }
    }

    fn unavailable_to(&self, peer: &JurisdictionId) -> Vec<TableRef> {
        let state = self.live.now();
        if state.is_withdrawn() {
            return Vec::new();
        }
        let unavailable = state.engine.unavailable().into_iter().map(|one| one.table).collect();
        unavailable_to(&state.bundle, peer, self.clock.now(), &unavailable)
    }
}

/// Decides about a fragment on a thread of its own: planning is pure and may take a while, and cannot be interrupted. The
/// request goes along, so that its place is taken until planning has ended, whoever has left in the meantime.
async fn admitted(
    state: Arc<NodeState>,
    request: VerifiedRequest,
    now: Timestamp,
) -> Result<AdmittedFragment, Refusal> {
    let decided = tokio::task::spawn_blocking(move || {
        let asked = Request { envelope: request.envelope(), peer: request.peer() };
        admission::admit(&asked, &state.bundle, &state.owner_catalog, now)
    });
    decided.await.unwrap_or_else(|_| Err(internal()))
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

/// The kind of work that an admitted fragment makes, by what its plan reads.
fn work_of(admitted: &AdmittedFragment, state: &NodeState) -> Work {
    let public = matches!(admitted.shape(), Shape::Public);
    if public && state.engine.reads_own_slices_alone(admitted.plan()) { Work::PublicRead } else { Work::Fragment }
}

/// Returns the refusal of a fragment that was cancelled before its release.
fn ended(envelope: &Envelope, clock: &dyn Clock) -> Refusal {
    if envelope.deadline <= clock.now() {
        return deadline_passed();
    }
    Refusal::new(Code::Cancelled, "whoever asked went away before the release was ready, or this node is ending")
}

/// Appends an entry to the log. Its error is the refusal to send: what cannot be recorded is neither released nor refused.
async fn append(log: &Arc<Log>, clock: &dyn Clock, entry: Entry) -> Result<Receipt, Refusal> {
    log.append_async(clock.now(), entry).await.map_err(|error| {
        tracing::error!(%error, "the audit log cannot be written");
        Refusal::new(Code::OwnerUnavailable, "the owner's audit log cannot be written, so nothing is released")
            .with_rule("every release and every refusal is in the log before a byte leaves")
            .with_remedy("tell the owner's administrator; the node's log has the cause")
    })
}

fn reference(receipt: Receipt) -> AuditReference {
    AuditReference { sequence: receipt.sequence, digest: receipt.digest }
}
