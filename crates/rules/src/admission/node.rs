//! A subtree of a plan, rewritten over base columns.

use datafusion::logical_expr::LogicalPlan;

use super::base::BaseExpr;

/// A subtree over base columns.
pub(super) struct Node {
    /// The plan to run.
    pub plan: LogicalPlan,
    /// Each column of the original plan's schema, over base columns.
    pub columns: Vec<BaseExpr>,
    /// Leaves of the subtree, hidden sides of semi-joins included.
    pub leaves: std::ops::Range<usize>,
}
