//! Releases of rows that a test made up: rows of a public table, which pass the gate as they come.

use async_trait::async_trait;
use datafusion::common::{DataFusionError, Result as DfResult, internal_err};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlan, TableScan};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use wanqu_fixtures::bundle;
use wanqu_gate::{AuditReference, BoundLeaf, Engine, Run, SourcesState};
use wanqu_rules::FetchedBytes;
use wanqu_rules::admission::{Request, admit};
use wanqu_rules::catalog::{Catalog, planning_state};

use super::*;

/// Passes a stream of rows of this schema through the gate, as a release of `owner`.
pub(super) async fn passed(
    owner: JurisdictionId,
    schema: SchemaRef,
    batches: BatchStream,
) -> Result<AuditedRelease, Refusal> {
    let mut bundle = bundle::empty();
    let kind = |field: &Field| if field.data_type() == &DataType::Int64 { "int64" } else { "string" };
    let columns: Vec<String> =
        schema.fields().iter().map(|field| format!("{}: {} public", field.name(), kind(field))).collect();
    let (slice, _) = bundle::dataset(&bundle, "rows", &columns.join("; "), bundle::rule(1, 1));
    bundle.slices.push(slice);
    bundle.limits.release_rows = u64::MAX;
    let own = bundle.jurisdiction.clone();
    let now = Timestamp::now();
    let mut envelope = envelope(now);
    (envelope.from, envelope.to, envelope.sql) = (own.clone(), own.clone(), "SELECT * FROM shenzhen.d.rows".to_owned());
    (envelope.issued_at, envelope.deadline) = (now, now + SignedDuration::from_secs(60));
    envelope.max_rows = u64::MAX;
    let catalog = Catalog::owner(&bundle, &own);
    let fragment = admit(&Request { envelope: &envelope, peer: &own }, &bundle, &catalog, now)?;
    let release =
        wanqu_gate::release(&fragment, &Rows(Mutex::new(Some((schema, batches)))), &wanqu_gate::NoLedger).await?;
    let reference = AuditReference { sequence: 1, digest: "0".repeat(64) };
    Ok(release.audited(owner, |_| async move { Ok(reference.into()) }.boxed()))
}

/// An engine that has one stream of rows.
struct Rows(Mutex<Option<(SchemaRef, BatchStream)>>);

impl Engine for Rows {
    fn start(&self, _: Timestamp) -> Result<Box<dyn Run + '_>, Refusal> {
        Ok(Box::new(OneRun(self)))
    }

    fn start_public(&self, _: Timestamp) -> Result<Box<dyn Run + '_>, Refusal> {
        Ok(Box::new(OneRun(self)))
    }
}

struct OneRun<'a>(&'a Rows);

impl std::fmt::Debug for OneRun<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OneRun")
    }
}

#[async_trait]
impl Run for OneRun<'_> {
    fn bind(&self, plan: &LogicalPlan) -> DfResult<LogicalPlan> {
        Ok(plan.clone())
    }

    fn bind_expr(&self, expr: &Expr) -> DfResult<Expr> {
        Ok(expr.clone())
    }

    fn bind_leaf(&self, _: &TableScan, _: Option<wanqu_gate::Hidden<'_>>) -> DfResult<BoundLeaf> {
        internal_err!("public rows are bound as a whole")
    }

    async fn fingerprint(&self, _: &LogicalPlan) -> Result<SourcesState, Refusal> {
        Ok(SourcesState(Vec::new()))
    }

    async fn execute(&self, _: &LogicalPlan) -> DfResult<SendableRecordBatchStream> {
        let Some((schema, batches)) = self.0.0.lock().take() else { return internal_err!("the rows are gone") };
        let batches = batches.map_err(|refusal| DataFusionError::External(Box::new(refusal)));
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, batches)))
    }

    fn fetched_bytes(&self) -> FetchedBytes {
        FetchedBytes::default()
    }

    fn memory_bytes(&self) -> usize {
        1 << 30
    }

    fn state(&self) -> &SessionState {
        planning_state()
    }
}
