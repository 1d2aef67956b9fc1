//! Queries over public tables alone: every SELECT passes.

use std::sync::Arc;

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::logical_expr::{LogicalPlan, Subquery};
use wanqu_model::columns::ColumnClass;
use wanqu_model::names::JurisdictionId;
use wanqu_model::refusal::{Code, Refusal};

use super::finding::PolicyFinding;
use super::shape::{Judged, Shape};
use crate::catalog::CatalogTable;

/// Returns the line of `EXPLAIN POLICY` for a public table.
pub(super) fn finding(table: &CatalogTable, owner: &JurisdictionId) -> PolicyFinding {
    PolicyFinding {
        owner: owner.clone(),
        operator: "FROM".to_owned(),
        subject: table.name.to_string(),
        class: Some(ColumnClass::Public),
        rule: "rows of a public table may leave".to_owned(),
        admitted: true,
        remedy: None,
        policies: vec![],
    }
}

/// Admits a query over public tables.
///
/// # Errors
/// A statement that is not a query.
pub(super) fn judged(plan: LogicalPlan, tables: Vec<Arc<CatalogTable>>) -> Result<Judged, Refusal> {
    let mut refused = None;
    let walked = plan.apply_with_subqueries(|node| {
        match node {
            LogicalPlan::Projection(_)
            | LogicalPlan::Filter(_)
            | LogicalPlan::Window(_)
            | LogicalPlan::Aggregate(_)
            | LogicalPlan::Sort(_)
            | LogicalPlan::Join(_)
            | LogicalPlan::Union(_)
            | LogicalPlan::TableScan(_)
            | LogicalPlan::EmptyRelation(_)
            | LogicalPlan::Subquery(Subquery { .. })
            | LogicalPlan::SubqueryAlias(_)
            | LogicalPlan::Limit(_)
            | LogicalPlan::Values(_)
            | LogicalPlan::Distinct(_)
            | LogicalPlan::Unnest(_)
            | LogicalPlan::RecursiveQuery(_) => return Ok(TreeNodeRecursion::Continue),
            LogicalPlan::Repartition(_)
            | LogicalPlan::Statement(_)
            | LogicalPlan::Explain(_)
            | LogicalPlan::Analyze(_)
            | LogicalPlan::Extension(_)
            | LogicalPlan::Dml(_)
            | LogicalPlan::Ddl(_)
            | LogicalPlan::Copy(_)
            | LogicalPlan::DescribeTable(_) => {
                refused = Some(
                    Refusal::new(Code::NotAQuery, "the statement is not a query")
                        .with_rule("a fragment is one SELECT statement")
                        .with_remedy("send one query that begins with SELECT or WITH"),
                );
            }
        }
        Ok(TreeNodeRecursion::Stop)
    });
    match (refused, walked) {
        (Some(refusal), _) => Err(refusal),
        (None, Err(_)) => Err(Refusal::new(Code::Internal, "a plan cannot be read")),
        (None, Ok(_)) => Ok(Judged { plan, shape: Shape::Public, tables }),
    }
}
