//! Tables that a plan reads, and the strictest of their rules.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::logical_expr::LogicalPlan;
use wanqu_model::bundle::ReleaseRule;
use wanqu_model::names::ResourceName;
use wanqu_model::refusal::{Code, Refusal};

use crate::catalog::{self, CatalogTable};

/// Returns every table that a plan reads, in subqueries too, each once and by name.
///
/// # Errors
/// A table that is not the catalog's.
pub(super) fn tables_of(plan: &LogicalPlan) -> Result<Vec<Arc<CatalogTable>>, Refusal> {
    let mut tables: Vec<Arc<CatalogTable>> = Vec::new();
    let mut foreign = false;
    let walked = plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            match catalog::table_of(scan) {
                Some(table) if tables.iter().any(|t| t.name == table.name) => {}
                Some(table) => tables.push(Arc::clone(table)),
                None => foreign = true,
            }
        }
        Ok(TreeNodeRecursion::Continue)
    });
    if foreign || walked.is_err() {
        return Err(Refusal::new(Code::Internal, "a plan reads what is not in the catalog"));
    }
    tables.sort_by_key(|table| table.name.to_string());
    Ok(tables)
}

/// Returns the strictest of the rules of all non-public slices; `None` if there is none.
pub(super) fn strictest_rule(tables: &[Arc<CatalogTable>]) -> Option<ReleaseRule> {
    let slices = tables.iter().flat_map(|table| &table.slices).filter(|slice| !slice.is_public());
    slices.map(|slice| slice.policy.clone()).reduce(|a, b| {
        let policies: BTreeSet<ResourceName> = a.policies.into_iter().chain(b.policies).collect();
        ReleaseRule {
            policies: policies.into_iter().collect(),
            min_units: a.min_units.max(b.min_units),
            rounding: a.rounding.max(b.rounding),
            publish_zeros: a.publish_zeros && b.publish_zeros,
            remember_cells: a.remember_cells || b.remember_cells,
            contributions: a.contributions.and(b.contributions),
        }
    })
}
