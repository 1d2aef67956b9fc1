//! Merging at home: DataFusion over releases. No row of non-public data comes here.

use arrow::datatypes::SchemaRef;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::execute_stream;
use datafusion::prelude::SessionContext;
use futures::StreamExt;
use wanqu_model::refusal::{Code, Refusal};
use wanqu_rules::fragment::BatchStream;
use wanqu_rules::{checked, error_kind};

use crate::engine::cooperative;

/// Runs a merge plan whose release tables are filled. Returns the columns and the rows.
///
/// # Errors
/// The refusal of an owner, or of a merge that fails.
pub async fn run(session: &SessionContext, plan: LogicalPlan) -> Result<(SchemaRef, BatchStream), Refusal> {
    let stream = start(session, plan).await.map_err(|error| merge_error(&error))?;
    let schema = stream.schema();
    Ok((schema, stream.map(|batch| batch.map_err(|error| merge_error(&error))).boxed()))
}

async fn start(session: &SessionContext, plan: LogicalPlan) -> Result<SendableRecordBatchStream> {
    let state = session.state();
    let physical = state.create_physical_plan(&checked(plan, false)?).await?;
    execute_stream(cooperative(physical)?, session.task_ctx())
}

/// Makes a refusal of an error of the merge. A refusal that an owner sent is passed on. The engine's own messages can
/// quote released values, and a refusal goes further than an answer does, into statuses and logs: of an error over a
/// value only the kind is told.
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
    let (code, why) = match error.find_root() {
        DataFusionError::ResourcesExhausted(_) => (Code::Limit, error_kind(error).to_owned()),
        root @ (DataFusionError::Plan(_) | DataFusionError::SchemaError(..) | DataFusionError::NotImplemented(_)) => {
            (Code::InvalidSql, root.strip_backtrace())
        }
        _ => (Code::InvalidSql, error_kind(error).to_owned()),
    };
    Refusal::new(code, format!("the merge of the releases failed: {why}"))
        .with_rule("an expression over released values must have a result for each of them")
        .with_remedy("use TRY_CAST for a cast, and NULLIF for a divisor that can be zero")
}

#[cfg(test)]
mod tests {
    use arrow::error::ArrowError;

    use super::*;

    #[test]
    fn errors_of_the_merge_quote_no_released_value() {
        let cast = ArrowError::CastError("Cannot cast string 'CANARY' to value of Int32 type".to_owned());
        for error in [
            DataFusionError::ArrowError(Box::new(cast), None),
            DataFusionError::Execution("CANARY is out of range".to_owned()),
            DataFusionError::External("CANARY".into()),
        ] {
            let refusal = merge_error(&error);
            assert!(!serde_json::to_string(&refusal).unwrap().contains("CANARY"), "{refusal}");
        }
        assert!(merge_error(&DataFusionError::Plan("no function f".to_owned())).message.contains("no function f"));
    }
}
