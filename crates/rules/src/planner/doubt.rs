//! Doubt about rows that are absent, where no mark can stand: a value that lacks an owner's part may have decided about them.

use datafusion::common::tree_node::TreeNode;
use datafusion::logical_expr::{LogicalPlan, Sort};

/// Returns true if an operator of a plan at home decides about rows by their values or their place: if a part is missing
/// altogether, rows may then be absent however the rest is marked.
pub(super) fn chooses(plan: &LogicalPlan) -> bool {
    let found = plan.exists(|node| {
        Ok(match node {
            LogicalPlan::Filter(_) | LogicalPlan::Limit(_) | LogicalPlan::Sort(Sort { fetch: Some(_), .. }) => true,
            LogicalPlan::Join(join) => !join.on.is_empty() || join.filter.is_some(),
            _ => false,
        })
    });
    // In doubt it does.
    found.unwrap_or(true)
}

/// Circumstances under which rows may be absent from an answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Doubt {
    /// None: no cell that may lack a part decides about a row.
    #[default]
    Never,
    /// An owner that may keep cells back released fewer cells than the others.
    CellsLack,
    /// Any: it cannot be told from the released cells.
    Always,
}

impl Doubt {
    /// Returns true if rows may be absent. `cells_lack` is true if an owner that may keep cells back released fewer than others.
    #[must_use]
    pub fn holds(self, cells_lack: bool) -> bool {
        match self {
            Self::Never => false,
            Self::CellsLack => cells_lack,
            Self::Always => true,
        }
    }
}
