//! The owner's side of a query: admit, run, gate, record, release. Whatever happens is in the log before anything leaves.

use std::sync::Arc;

use async_trait::async_trait;
use futures::FutureExt;
use tokio_util::sync::CancellationToken;

use crate::admission::{self, Request};
use crate::audit::{Asked, Entry, Log, Receipt};
use crate::clock::Clock;
use crate::exchange::{OwnerService, VerifiedRequest};
use crate::gate::{self, AuditReference, AuditedRelease, GatedRelease};
use crate::refusal::{Code, Refusal};
use crate::state::{Live, NodeState};

/// An owner node's service.
pub struct Owner {
    live: Arc<Live>,
    log: Arc<Log>,
    clock: Arc<dyn Clock>,
}

impl Owner {
    /// Puts it together.
    #[must_use]
    pub fn new(live: Arc<Live>, log: Arc<Log>, clock: Arc<dyn Clock>) -> Self {
        Self { live, log, clock }
    }

    async fn gated(
        &self,
        state: &NodeState,
        request: &VerifiedRequest,
    ) -> Result<(Vec<String>, GatedRelease), Refusal> {
        let asked = Request { envelope: request.envelope(), peer: request.peer() };
        let admitted = admission::admit(&asked, &state.bundle, &state.owner_catalog, self.clock.now())?;
        let tables = admitted.tables().iter().map(ToString::to_string).collect();
        let release = gate::release(&admitted, &state.engine).await?;
        Ok((tables, release))
    }

    /// Records a release, and makes it one that the exchange may send.
    async fn recorded(
        &self,
        state: &NodeState,
        asked: Asked,
        tables: Vec<String>,
        release: GatedRelease,
    ) -> Result<AuditedRelease, Refusal> {
        let owner = state.bundle.jurisdiction.clone();
        let account = release.account().clone();
        if let Some(rule) = account.rule {
            let entry = Entry::Released {
                asked,
                tables,
                rule: Some(rule),
                rows: account.rows.unwrap_or_default(),
                suppressed_cells: account.suppressed_exact,
                skipped_records: 0,
            };
            let reference = reference(self.append(entry).await?);
            return Ok(release.audited(owner, move |_| async move { Ok(reference) }.boxed()));
        }
        let (query_id, fragment, from) = (asked.query_id, asked.fragment, asked.from.clone());
        let opened = self.append(Entry::PublicOpened { asked, tables }).await?.sequence;
        let (log, clock) = (Arc::clone(&self.log), Arc::clone(&self.clock));
        Ok(release.audited(owner, move |rows| {
            async move {
                let entry =
                    Entry::PublicClosed { query_id, fragment, from, opened, rows, complete: true, skipped_records: 0 };
                append(&log, clock.as_ref(), entry).await.map(reference)
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
        let asked = Asked::from(request.envelope());
        let outcome = tokio::select! {
            () = cancel.cancelled() => Err(Refusal::new(Code::Cancelled, "the query was cancelled")),
            gated = self.gated(&state, &request) => gated,
        };
        match outcome {
            Ok((tables, release)) => self.recorded(&state, asked, tables, release).await,
            Err(refusal) => {
                let refusal = match refusal.owner {
                    Some(_) => refusal,
                    None => refusal.with_owner(state.bundle.jurisdiction.clone()),
                };
                tracing::info!(query_id = %asked.query_id, fragment = asked.fragment, code = %refusal.code, "refused");
                self.append(Entry::Refused { asked, refusal: refusal.clone() }).await?;
                Err(refusal)
            }
        }
    }
}

/// Nothing is released, nor refused, that cannot be written down.
async fn append(log: &Arc<Log>, clock: &dyn Clock, entry: Entry) -> Result<Receipt, Refusal> {
    log.append_async(clock.now(), entry).await.map_err(|error| {
        tracing::error!(%error, "the audit log cannot be written");
        Refusal::new(Code::Internal, "the owner's audit log cannot be written, so nothing is released")
            .with_rule("every release and every refusal is in the log before a byte leaves")
            .with_remedy("tell the owner's administrator; the node's log has the cause")
    })
}

fn reference(receipt: Receipt) -> AuditReference {
    AuditReference { sequence: receipt.sequence, digest: receipt.digest }
}
