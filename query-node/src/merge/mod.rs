//! Merging at home: DataFusion over releases. Nothing here has seen a row of non-public data.

mod average;
mod moments;
mod release_table;

use arrow::datatypes::SchemaRef;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::execute_stream;
use datafusion::prelude::SessionContext;
use futures::StreamExt;

pub use average::decimal_average;
pub use moments::{Statistic, merge_moments};
pub use release_table::{OWNER_COLUMN, Part, ReleaseTable};

use crate::fragment::BatchStream;
use crate::refusal::{Code, Refusal};

/// Runs a merge plan whose release tables are filled.
pub async fn run(session: &SessionContext, plan: LogicalPlan) -> Result<(SchemaRef, BatchStream), Refusal> {
    let stream = start(session, plan).await.map_err(|error| merge_error(&error))?;
    let schema = stream.schema();
    Ok((schema, stream.map(|batch| batch.map_err(|error| merge_error(&error))).boxed()))
}

async fn start(session: &SessionContext, plan: LogicalPlan) -> Result<SendableRecordBatchStream> {
    let state = session.state();
    let physical = state.create_physical_plan(&plan).await?;
    execute_stream(physical, session.task_ctx())
}

/// What the researcher is told when the merge fails. A refusal that an owner sent comes through as it was; the engine's
/// own words are about released and public values alone, so they may be shown to whom those were released.
fn merge_error(error: &DataFusionError) -> Refusal {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(current) = source {
        if let Some(refusal) = current.downcast_ref::<Refusal>() {
            return refusal.clone();
        }
        if let Some(DataFusionError::External(inner)) = current.downcast_ref::<DataFusionError>()
            && let Some(refusal) = inner.downcast_ref::<Refusal>()
        {
            return refusal.clone();
        }
        source = current.source();
    }
    let code = match error.find_root() {
        DataFusionError::ResourcesExhausted(_) => Code::Limit,
        _ => Code::InvalidSql,
    };
    Refusal::new(code, format!("the merge of the releases failed: {}", error.strip_backtrace_ref()))
}

/// `strip_backtrace` without giving the error away.
trait StripBacktrace {
    fn strip_backtrace_ref(&self) -> String;
}

impl StripBacktrace for DataFusionError {
    fn strip_backtrace_ref(&self) -> String {
        let text = self.to_string();
        text.split(DataFusionError::BACK_TRACE_SEP).next().unwrap_or_default().to_owned()
    }
}
