//! The reach of a subquery: it may name columns of the query directly around it. DataFusion reads names of queries further
//! out, but has no plan for them.

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DataFusionError, Result as DfResult};
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, LogicalPlan};
use wanqu_model::refusal::{Code, Refusal};

use crate::fault::known;

/// Checks that no subquery of a plan reaches past the query around it.
///
/// # Errors
/// The refusal of the first that does.
pub fn check_reach(plan: &LogicalPlan) -> Result<(), Refusal> {
    let checked = plan.apply_with_subqueries(|node| {
        // A derived table in a join reads the tables before it, which are not this node's inputs.
        if matches!(node, LogicalPlan::Subquery(_)) {
            return Ok(TreeNodeRecursion::Continue);
        }
        let around = merge_schema(&node.inputs());
        node.apply_expressions(|expr| {
            expr.apply(|part| {
                let Some(inner) = subquery_of(part) else { return Ok(TreeNodeRecursion::Continue) };
                match outer_columns(inner)?.into_iter().find(|column| !around.has_column(column)) {
                    Some(column) => Err(DataFusionError::External(Box::new(too_far(&column)))),
                    None => Ok(TreeNodeRecursion::Continue),
                }
            })
        })
    });
    match checked {
        Ok(_) => Ok(()),
        Err(error) => known(&error).map_or(Ok(()), Err),
    }
}

fn subquery_of(expr: &Expr) -> Option<&LogicalPlan> {
    match expr {
        Expr::ScalarSubquery(inner) => Some(&inner.subquery),
        Expr::InSubquery(member) => Some(&member.subquery.subquery),
        Expr::Exists(exists) => Some(&exists.subquery.subquery),
        _ => None,
    }
}

/// Returns the outer columns that a subquery names itself, without those of the subqueries inside it.
fn outer_columns(inner: &LogicalPlan) -> DfResult<Vec<Column>> {
    let mut columns = vec![];
    inner.apply(|node| {
        // A derived table that reads the tables before it reads them as outer ones.
        if matches!(node, LogicalPlan::Subquery(_)) {
            return Ok(TreeNodeRecursion::Jump);
        }
        node.apply_expressions(|expr| {
            expr.apply(|part| {
                if let Expr::OuterReferenceColumn(_, column) = part {
                    columns.push(column.clone());
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(columns)
}

fn too_far(column: &Column) -> Refusal {
    Refusal::new(
        Code::NotSplittable,
        format!("a subquery names {column}, which is not of the query directly around it"),
    )
    .with_rule("a subquery may name columns of the query directly around it, and of none further out")
    .with_subject(column.to_string())
    .with_remedy("add the column to the query between them, or write the subquery as a join")
}
