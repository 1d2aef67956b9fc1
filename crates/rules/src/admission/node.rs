//! A subtree of a plan, rewritten over base columns.

use std::collections::BTreeSet;

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
    /// How often rows of its non-public tables occur in it.
    pub rows: Rows,
}

/// How often the rows of non-public tables occur in a subtree, so that none of them weighs more than another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Rows {
    /// Leaves of which each row occurs at most once.
    pub once: BTreeSet<usize>,
    /// Leaves of which each unit has at most one row in the subtree.
    pub single: BTreeSet<usize>,
}
