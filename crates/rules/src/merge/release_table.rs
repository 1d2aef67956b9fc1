//! A leaf of the merge plan: the releases of one fragment, one partition for each owner, read as they arrive.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::{ArrayRef, Int64Array, RecordBatch, new_null_array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DataFusionError, Result, exec_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use parking_lot::Mutex;

use crate::fragment::BatchStream;

/// Name of the column that says which owner released a cell, by its index among those whose rule may hide cells; NULL for
/// owners whose rule hides none.
pub const OWNER_COLUMN: &str = "__owner";

/// One owner's part: its rows, and the index to write into [`OWNER_COLUMN`].
pub struct Part {
    /// The owner's index among those whose rule may hide cells, if it is one of them.
    pub hiding: Option<usize>,
    /// The rows, in the fragment's schema.
    pub batches: BatchStream,
}

/// A table that is read once, from releases.
pub struct ReleaseTable {
    schema: SchemaRef,
    parts: Mutex<Option<Vec<Part>>>,
    /// True if it has one row in any case, of NULLs where none was released.
    one_row: bool,
    /// True once a part has come.
    released: AtomicBool,
}

impl fmt::Debug for ReleaseTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReleaseTable").field("schema", &self.schema).finish_non_exhaustive()
    }
}

impl ReleaseTable {
    /// Makes a table for releases of this schema; [`OWNER_COLUMN`] is added behind it.
    #[must_use]
    pub fn new(fragment: &Schema) -> Arc<Self> {
        Self::make(fragment, false)
    }

    /// Makes a table for one owner's release of an aggregate without GROUP BY: if its row does not come, there is one of
    /// NULLs.
    #[must_use]
    pub fn of_one_row(fragment: &Schema) -> Arc<Self> {
        Self::make(fragment, true)
    }

    fn make(fragment: &Schema, one_row: bool) -> Arc<Self> {
        let owner = Arc::new(Field::new(OWNER_COLUMN, DataType::Int64, true));
        let fields: Vec<_> = fragment.fields().iter().cloned().chain([owner]).collect();
        let schema = Arc::new(Schema::new(fields));
        Arc::new(Self { schema, parts: Mutex::new(None), one_row, released: AtomicBool::new(false) })
    }

    /// Sets the releases. Called once, before the merge plan runs.
    pub fn fill(&self, mut parts: Vec<Part>) {
        self.released.store(!parts.is_empty(), Ordering::Relaxed);
        // The engine runs nothing over a table without a partition.
        if parts.is_empty() {
            parts.push(Part { hiding: None, batches: futures::stream::empty().boxed() });
        }
        *self.parts.lock() = Some(parts);
    }

    /// Returns true if any owner's part came, with rows or without.
    #[must_use]
    pub fn was_released(&self) -> bool {
        self.released.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl TableProvider for ReleaseTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Temporary
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let Some(parts) = self.parts.lock().take() else {
            return exec_err!("a release is read once, and only after it was asked for");
        };
        let partition = |part: Part| {
            let (schema, one_row) = (Arc::clone(&self.schema), self.one_row);
            Arc::new(PartPartition { schema, one_row, part: Mutex::new(Some(part)) }) as _
        };
        let partitions = parts.into_iter().map(partition).collect();
        let exec = StreamingTableExec::try_new(Arc::clone(&self.schema), partitions, projection, [], false, limit)?;
        Ok(Arc::new(exec))
    }
}

struct PartPartition {
    schema: SchemaRef,
    one_row: bool,
    part: Mutex<Option<Part>>,
}

impl fmt::Debug for PartPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PartPartition")
    }
}

impl PartitionStream for PartPartition {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let schema = Arc::clone(&self.schema);
        let Some(part) = self.part.lock().take() else {
            let error = futures::stream::iter([exec_err!("a release is read once")]);
            return Box::pin(RecordBatchStreamAdapter::new(schema, error));
        };
        let target = Arc::clone(&schema);
        let rows = part.batches.map(move |batch| {
            let batch = batch.map_err(|refusal| DataFusionError::External(Box::new(refusal)))?;
            with_owner(&batch, part.hiding, &target)
        });
        if self.one_row {
            return Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&schema), or_one_row(rows.boxed(), schema)));
        }
        Box::pin(RecordBatchStreamAdapter::new(schema, rows))
    }
}

/// Returns the rows, or one row of NULLs if there are none.
fn or_one_row(
    rows: BoxStream<'static, Result<RecordBatch>>,
    schema: SchemaRef,
) -> impl Stream<Item = Result<RecordBatch>> + Send {
    let any = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&any);
    let rows = rows.inspect(move |batch| {
        let counts = batch.as_ref().map_or(true, |batch| batch.num_rows() > 0);
        seen.fetch_or(counts, Ordering::Relaxed);
    });
    let none = futures::stream::once(async move {
        let columns = schema.fields().iter().map(|field| new_null_array(field.data_type(), 1)).collect();
        (!any.load(Ordering::Relaxed)).then(|| Ok(RecordBatch::try_new(schema, columns)?))
    });
    rows.chain(none.filter_map(std::future::ready))
}

fn with_owner(batch: &RecordBatch, owner: Option<usize>, schema: &SchemaRef) -> Result<RecordBatch> {
    let rows = batch.num_rows();
    let owner: ArrayRef = match owner {
        Some(index) => Arc::new(Int64Array::from_value(i64::try_from(index).unwrap_or(i64::MAX), rows)),
        None => new_null_array(&DataType::Int64, rows),
    };
    let columns = batch.columns().iter().cloned().chain([owner]).collect();
    Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
}
