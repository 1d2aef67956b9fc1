//! Merging at home: DataFusion over releases. No row of non-public data comes here.

use arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::execute_stream;
use datafusion::prelude::SessionContext;
use futures::StreamExt;
use wanqu_model::refusal::Refusal;
use wanqu_rules::fragment::BatchStream;
use wanqu_rules::{casts_of_texts, checked, refusal_over_released};

use crate::engine::cooperative;

/// Runs a merge plan whose release tables are filled. Returns the columns and the rows.
///
/// # Errors
/// The refusal of an owner, or of a merge that fails.
pub async fn run(session: &SessionContext, plan: LogicalPlan) -> Result<(SchemaRef, BatchStream), Refusal> {
    let casts = casts_of_texts(&plan);
    let stream = start(session, plan).await.map_err(|error| refusal_over_released(&error, &casts))?;
    let schema = stream.schema();
    Ok((schema, stream.map(move |batch| batch.map_err(|error| refusal_over_released(&error, &casts))).boxed()))
}

async fn start(session: &SessionContext, plan: LogicalPlan) -> Result<SendableRecordBatchStream> {
    let state = session.state();
    let physical = state.create_physical_plan(&checked(plan, false)?).await?;
    execute_stream(cooperative(physical)?, session.task_ctx())
}

#[cfg(test)]
mod tests {
    use arrow::error::ArrowError;
    use datafusion::common::DataFusionError;
    use wanqu_model::refusal::{Code, Refusal};

    use super::*;

    #[test]
    fn errors_of_the_merge_quote_no_released_value() {
        let arrow = |error| DataFusionError::ArrowError(Box::new(error), None);
        for error in [
            arrow(ArrowError::CastError("Cannot cast string 'CANARY' to value of Int32 type".to_owned())),
            arrow(ArrowError::ComputeError("CANARY".to_owned())),
            DataFusionError::Execution("CANARY is out of range".to_owned()),
            DataFusionError::External("CANARY".into()),
        ] {
            let refusal = refusal_over_released(&error, &["CAST(g AS INTEGER)".to_owned()]);
            assert!(!serde_json::to_string(&refusal).unwrap().contains("CANARY"), "{refusal}");
            assert!(refusal.rule.is_some() && refusal.remedy.is_some(), "{refusal}");
        }
        let cast = arrow(ArrowError::CastError(String::new()));
        let refusal = refusal_over_released(&cast, &["CAST(g AS INTEGER)".to_owned()]);
        assert!(refusal.message.contains("CAST(g AS INTEGER) has no result"), "{refusal}");
        let named = refusal_over_released(&DataFusionError::Plan("no function f".to_owned()), &[]);
        assert!(named.message.contains("no function f"), "{named}");
        let owner = Refusal::new(Code::Source, "a file is damaged");
        let wrapped = DataFusionError::Shared(std::sync::Arc::new(DataFusionError::External(Box::new(owner.clone()))));
        assert_eq!(refusal_over_released(&wrapped, &[]), owner);
    }
}
