//! Joins that let others have a turn, and can be cancelled.
//!
//! A task ends, or lets another one work, only where it waits. DataFusion makes sources count how often they were ready, and
//! wait now and then; but a join can make any number of batches of one that it read, and an aggregate above it takes them in
//! without ever waiting. Such a query went on for minutes after it was cancelled. So joins count too.

use std::sync::Arc;

use datafusion::common::Result as DfResult;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coop::CooperativeExec;

/// Operators that make many batches of one.
const MULTIPLY: [&str; 6] = [
    "CrossJoinExec",
    "HashJoinExec",
    "NestedLoopJoinExec",
    "PiecewiseMergeJoinExec",
    "SortMergeJoinExec",
    "UnnestExec",
];

/// Returns the plan with each such operator waiting now and then.
///
/// # Errors
/// If the plan cannot be put together.
pub fn cooperative(plan: Arc<dyn ExecutionPlan>) -> DfResult<Arc<dyn ExecutionPlan>> {
    let whole = plan.transform_up(|node| {
        Ok(if MULTIPLY.contains(&node.name()) {
            let waiting: Arc<dyn ExecutionPlan> = Arc::new(CooperativeExec::new(node));
            Transformed::yes(waiting)
        } else {
            Transformed::no(node)
        })
    })?;
    Ok(whole.data)
}
