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
use futures::future::{BoxFuture, Shared};
use futures::stream::BoxStream;
use futures::{FutureExt, Stream, StreamExt, TryStreamExt};
use parking_lot::Mutex;
use wanqu_model::refusal::Refusal;

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

/// How often a table of releases is read, and what it has where none was released.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reading {
    /// True if it has one row in any case, of NULLs where none was released: it is one owner's aggregate without GROUP BY.
    pub one_row: bool,
    /// True if it is read in each round of a recursive query, and kept for that.
    pub repeated: bool,
}

/// A table that is read from releases: once, or in each round of a recursive query.
pub struct ReleaseTable {
    schema: SchemaRef,
    parts: Mutex<Option<Vec<Part>>>,
    reading: Reading,
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
    pub fn new(fragment: &Schema, reading: Reading) -> Arc<Self> {
        let owner = Arc::new(Field::new(OWNER_COLUMN, DataType::Int64, true));
        let fields: Vec<_> = fragment.fields().iter().cloned().chain([owner]).collect();
        let schema = Arc::new(Schema::new(fields));
        Arc::new(Self { schema, parts: Mutex::new(None), reading, released: AtomicBool::new(false) })
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
            let Part { hiding, batches } = part;
            let rows = if self.reading.repeated { Rows::kept(batches) } else { Rows::Once(Mutex::new(Some(batches))) };
            let (schema, one_row) = (Arc::clone(&self.schema), self.reading.one_row);
            Arc::new(PartPartition { schema, one_row, hiding, rows }) as _
        };
        let partitions = parts.into_iter().map(partition).collect();
        let exec = StreamingTableExec::try_new(Arc::clone(&self.schema), partitions, projection, [], false, limit)?;
        Ok(Arc::new(exec))
    }
}

struct PartPartition {
    schema: SchemaRef,
    one_row: bool,
    hiding: Option<usize>,
    rows: Rows,
}

/// Rows of one owner's part.
enum Rows {
    /// They are read as they arrive.
    Once(Mutex<Option<BatchStream>>),
    /// They are read whenever they are asked for, after the last has come.
    Kept(Shared<BoxFuture<'static, Result<Arc<Kept>, Arc<DataFusionError>>>>),
}

/// Rows that have come.
struct Kept {
    batches: Vec<RecordBatch>,
    /// The stream that they came from holds their memory.
    _source: Mutex<BatchStream>,
}

impl Rows {
    fn kept(mut source: BatchStream) -> Self {
        let kept = async move {
            let mut batches = Vec::new();
            while let Some(batch) = source.try_next().await.map_err(|refusal| Arc::new(external(refusal)))? {
                batches.push(batch);
            }
            Ok(Arc::new(Kept { batches, _source: Mutex::new(source) }))
        };
        Self::Kept(kept.boxed().shared())
    }

    /// Returns the rows from the first on.
    fn read(&self) -> BoxStream<'static, Result<RecordBatch>> {
        match self {
            Self::Once(rows) => match rows.lock().take() {
                Some(rows) => rows.map_err(external).boxed(),
                None => futures::stream::iter([exec_err!("a release is read once")]).boxed(),
            },
            Self::Kept(kept) => {
                let kept = kept.clone().map(|kept| match kept {
                    Ok(kept) => futures::stream::iter(kept.batches.clone()).map(Ok).boxed(),
                    Err(error) => futures::stream::iter([Err(DataFusionError::Shared(error))]).boxed(),
                });
                kept.flatten_stream().boxed()
            }
        }
    }
}

fn external(refusal: Refusal) -> DataFusionError {
    DataFusionError::External(Box::new(refusal))
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
        let (target, hiding) = (Arc::clone(&schema), self.hiding);
        let rows = self.rows.read().map(move |batch| with_owner(&batch?, hiding, &target));
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
