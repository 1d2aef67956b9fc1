//! Public tables of other members, which the engine fetches over the exchange.

use std::fmt;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::memory::MemorySourceConfig;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DataFusionError, Result as DfResult};
use datafusion::datasource::TableType;
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::ExecutionPlan;
use futures::TryStreamExt;
use tokio::sync::OnceCell;
use wanqu_model::bundle::Slice;
use wanqu_model::names::SqlName;
use wanqu_model::refusal::{Code, Refusal};
use wanqu_rules::catalog::arrow_type;
use wanqu_rules::{Fetched, FetchedBytes};

/// Fetches rows of another member's public slice.
#[async_trait]
pub trait RemotePublic: fmt::Debug + Send + Sync {
    /// The rows of `slice` that meet all of `conditions`, SQL text over its columns; with `columns` in that order and
    /// with their declared types.
    async fn fetch(&self, slice: &Slice, columns: &[SqlName], conditions: &[String]) -> Result<Fetched, Refusal>;
}

/// The columns of a slice as they come from its owner.
pub(super) fn slice_schema(slice: &Slice) -> SchemaRef {
    let fields = slice.columns.iter().map(|c| Field::new(c.name.as_str(), arrow_type(&c.data_type), true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// A batch of `slice` under its declared columns, if they have the declared types.
pub(super) fn fit(batch: &RecordBatch, slice: &Slice, schema: &SchemaRef) -> Result<RecordBatch, Refusal> {
    let same = batch.num_columns() == schema.fields().len()
        && batch.columns().iter().zip(schema.fields()).all(|(c, f)| c.data_type() == f.data_type());
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    let fitted =
        same.then(|| RecordBatch::try_new_with_options(Arc::clone(schema), batch.columns().to_vec(), &options));
    fitted.and_then(Result::ok).ok_or_else(|| {
        Refusal::new(Code::ReleaseShape, format!("{} did not come with its declared columns", slice.table))
            .with_owner(slice.jurisdiction.clone())
    })
}

/// One slice of another member, fetched once for one query.
///
/// Once, and whole: an owner reads it in more than one pass, and a member that answered them differently could show
/// the gate other rows than those that are then aggregated.
#[derive(Debug)]
pub struct RemoteTable {
    slice: Arc<Slice>,
    remote: Arc<dyn RemotePublic>,
    schema: SchemaRef,
    max_bytes: usize,
    bytes: FetchedBytes,
    rows: OnceCell<Vec<RecordBatch>>,
}

impl RemoteTable {
    /// Nothing is fetched yet.
    pub fn new(slice: Arc<Slice>, remote: Arc<dyn RemotePublic>, max_bytes: usize, bytes: FetchedBytes) -> Self {
        let schema = slice_schema(&slice);
        Self { slice, remote, schema, max_bytes, bytes, rows: OnceCell::new() }
    }

    async fn fetch(&self) -> Result<Vec<RecordBatch>, Refusal> {
        let columns: Vec<SqlName> = self.slice.columns.iter().map(|c| c.name.clone()).collect();
        let mut batches = self.bytes.counted(self.remote.fetch(&self.slice, &columns, &[]).await?);
        let mut rows = Vec::new();
        let mut bytes = 0_usize;
        while let Some(batch) = batches.try_next().await? {
            bytes = bytes.saturating_add(batch.get_array_memory_size());
            if bytes > self.max_bytes {
                return Err(Refusal::new(
                    Code::Limit,
                    format!("{} is too large to be fetched for a join", self.slice.table),
                )
                .with_subject(self.slice.table.to_string())
                .with_remedy("join it at home, to the released aggregate"));
            }
            rows.push(fit(&batch, &self.slice, &self.schema)?);
        }
        Ok(rows)
    }
}

#[async_trait]
impl TableProvider for RemoteTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        let rows = self.rows.get_or_try_init(|| self.fetch()).await;
        let rows = rows.map_err(|refusal| DataFusionError::External(Box::new(refusal)))?;
        let parts = state.config().target_partitions().max(1);
        let mut partitions: Vec<Vec<RecordBatch>> = vec![Vec::new(); parts];
        for (index, batch) in rows.iter().enumerate() {
            partitions[index % parts].push(batch.clone());
        }
        Ok(MemorySourceConfig::try_new_exec(&partitions, Arc::clone(&self.schema), projection.cloned())?)
    }
}
