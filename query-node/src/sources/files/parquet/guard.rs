//! Faults of files that show while they are scanned: the engine's reader says that some page cannot be decoded, or panics, and
//! names neither the file nor the dataset. Here such a scan ends with the fault of its source, and the owner's log gets the
//! file, the row group and the column.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::error::ArrowError;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{DataFusionError, Result as DfResult, internal_datafusion_err};
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfig};
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::TaskContext;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::execution_plan::ReplaceChildrenOptions;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, SendableRecordBatchStream,
};
use futures::{FutureExt, StreamExt};
use wanqu_model::refusal::Refusal;

use super::ParquetSource;
use crate::sources::SourceFault;

/// Source of a file, which goes with it through the engine's plans.
#[derive(Debug, Clone)]
pub struct SourceOfFile(pub ParquetSource);

/// Guards every scan of Parquet files in a plan that nothing changes any more.
///
/// The guard is laid over it last, because the engine looks for its own scans to push filters, limits and projections into.
///
/// # Errors
/// Those of walking through the plan.
pub fn guarded(plan: Arc<dyn ExecutionPlan>) -> DfResult<Arc<dyn ExecutionPlan>> {
    let walked = plan.transform_up(|node| {
        Ok(match source_of(&node) {
            Some(source) => Transformed::yes(Arc::new(GuardedScan { scan: node, source }) as Arc<dyn ExecutionPlan>),
            None => Transformed::no(node),
        })
    });
    walked.data()
}

/// Returns the source of a scan of Parquet files.
fn source_of(node: &Arc<dyn ExecutionPlan>) -> Option<ParquetSource> {
    let scan = node.downcast_ref::<DataSourceExec>()?;
    let config = scan.data_source().downcast_ref::<FileScanConfig>()?;
    let mut files = config.file_groups.iter().flat_map(FileGroup::iter);
    files.find_map(|file| file.extensions.get::<SourceOfFile>()).map(|SourceOfFile(source)| source.clone())
}

/// Scan whose faults are those of its source.
#[derive(Debug)]
struct GuardedScan {
    scan: Arc<dyn ExecutionPlan>,
    source: ParquetSource,
}

impl DisplayAs for GuardedScan {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GuardedScan")
    }
}

impl ExecutionPlan for GuardedScan {
    fn name(&self) -> &'static str {
        "GuardedScan"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.scan.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.scan]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> DfResult<TreeNodeRecursion>,
    ) -> DfResult<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        self.over(children)
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> DfResult<Arc<dyn ExecutionPlan>> {
        self.over(children)
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> DfResult<SendableRecordBatchStream> {
        let stream = catch_unwind(AssertUnwindSafe(|| self.scan.execute(partition, context)));
        let stream = stream.unwrap_or_else(|_| Err(SourceFault::Damaged.in_engine(&self.source.files.dataset)))?;
        let source = self.source.clone();
        let batches = AssertUnwindSafe(stream).catch_unwind().then(move |batch| {
            let source = source.clone();
            async move {
                match batch {
                    Ok(Ok(batch)) => Ok(batch),
                    Ok(Err(error)) => Err(fault(&source, Some(error)).boxed().await),
                    Err(_) => Err(fault(&source, None).boxed().await),
                }
            }
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), batches)))
    }
}

impl GuardedScan {
    fn over(&self, mut children: Vec<Arc<dyn ExecutionPlan>>) -> DfResult<Arc<dyn ExecutionPlan>> {
        let scan = children.pop().ok_or_else(|| internal_datafusion_err!("a guarded scan without its scan"))?;
        Ok(Arc::new(Self { scan, source: self.source.clone() }))
    }
}

/// Returns what the error of a scan, or a panic in it, means: a fault of its source, or else the error itself.
async fn fault(source: &ParquetSource, error: Option<DataFusionError>) -> DataFusionError {
    let dataset = &source.files.dataset;
    let suspicion = error.as_ref().map_or(Suspicion::Sure, suspicion);
    if suspicion == Suspicion::None {
        return error.unwrap_or_else(|| SourceFault::Damaged.in_engine(dataset));
    }
    match (source.damage().await, error) {
        (Err(fault), _) => fault.in_engine(dataset),
        (Ok(()), Some(error)) if suspicion == Suspicion::Slight => error,
        (Ok(()), error) => {
            // Parts that only the engine reads are damaged: indexes of pages, Bloom filters.
            let reason = error.map_or("the reader panicked".to_owned(), |error| error.strip_backtrace());
            tracing::warn!(%dataset, reason, "a scan failed, and each file by itself can be read");
            SourceFault::Damaged.in_engine(dataset)
        }
    }
}

/// Degree to which an error of a scan speaks for a damaged file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Suspicion {
    None,
    /// It can be that of a computation, too, which the engine has moved into the scan.
    Slight,
    Sure,
}

fn suspicion(error: &DataFusionError) -> Suspicion {
    match error.find_root() {
        DataFusionError::ParquetError(_) | DataFusionError::ObjectStore(_) | DataFusionError::IoError(_) => {
            Suspicion::Sure
        }
        DataFusionError::ArrowError(arrow, _) => match arrow.as_ref() {
            ArrowError::ParquetError(_) | ArrowError::IoError(..) => Suspicion::Sure,
            ArrowError::DivideByZero | ArrowError::ArithmeticOverflow(_) | ArrowError::CastError(_) => Suspicion::None,
            _ => Suspicion::Slight,
        },
        DataFusionError::External(inner) if inner.is::<Refusal>() => Suspicion::None,
        DataFusionError::ResourcesExhausted(_) => Suspicion::None,
        _ => Suspicion::Slight,
    }
}
