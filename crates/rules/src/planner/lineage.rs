//! Origin of columns, as far as splitting needs it. The owner judges classes for itself.

use datafusion::common::Column;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{Expr, LogicalPlan};
use wanqu_model::columns::ColumnClass;

use crate::catalog;

/// Returns true if an expression is a bare identifier column of a table below.
pub(super) fn is_identifier(expr: &Expr, plan: &LogicalPlan) -> bool {
    match expr {
        Expr::Column(column) => class_of(column, plan) == Some(ColumnClass::Identifier),
        Expr::Alias(alias) => is_identifier(&alias.expr, plan),
        _ => false,
    }
}

/// Returns the class of a column, traced down through projections and aliases to its table.
fn class_of(column: &Column, plan: &LogicalPlan) -> Option<ColumnClass> {
    let index = plan.schema().maybe_index_of_column(column)?;
    match plan {
        LogicalPlan::TableScan(scan) => Some(catalog::table_of(scan)?.class_of(&column.name)),
        LogicalPlan::Projection(projection) => match projection.expr.get(index)?.clone().unalias_nested().data {
            Expr::Column(inner) => class_of(&inner, &projection.input),
            _ => None,
        },
        LogicalPlan::SubqueryAlias(alias) => {
            let (qualifier, field) = alias.input.schema().qualified_field(index);
            class_of(&Column::new(qualifier.cloned(), field.name()), &alias.input)
        }
        other => other.inputs().into_iter().find_map(|input| class_of(column, input)),
    }
}

/// Returns true if every non-public common table below says that no unit has records in two jurisdictions.
pub(super) fn units_are_disjoint(plan: &LogicalPlan) -> bool {
    let mut disjoint = true;
    let walked = plan.apply(|node| {
        if let LogicalPlan::TableScan(scan) = node
            && let Some(table) = catalog::table_of(scan)
            && !table.is_public()
        {
            disjoint &= table.common.as_ref().is_none_or(|info| info.disjoint_units);
        }
        Ok(TreeNodeRecursion::Continue)
    });
    walked.is_ok() && disjoint
}
