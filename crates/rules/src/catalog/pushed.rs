//! Conditions on public slices of other members, as the text that their owners are asked.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, Result as DfResult};
use datafusion::logical_expr::{Expr, Filter, LogicalPlan, LogicalPlanBuilder, Projection};
use wanqu_model::bundle::Slice;

use super::{Catalog, Spelling, StubSource, ask_the_same, bare_name_text, table_of, with_room};
use crate::as_written;

/// Returns the SQL text of a condition over bare column names of a slice; `None` if its owner would not test it in the same
/// way.
#[must_use]
pub fn pushed_condition(slice: &Arc<Slice>, condition: &Expr) -> Option<String> {
    if condition.is_volatile() {
        return None;
    }
    with_room(|| {
        let catalog = Catalog::of_slice(slice);
        let meant = meant(&catalog, condition).ok()?;
        let text = text(&meant)?;
        let read = catalog.plan(&format!("SELECT 1 AS one FROM {} WHERE {text}", slice.table), usize::MAX).ok()?;
        let name = |scan: &_| table_of(scan).map(|table| table.name.to_string());
        match ask_the_same(&LogicalPlan::Projection(meant), &read, &name) {
            Ok(true) => Some(text),
            Ok(false) => {
                tracing::error!(table = %slice.table, "a condition's text would be read as another: it is tested here alone");
                None
            }
            Err(_) => None,
        }
    })
}

/// Returns the plan of the rows that meet a condition, without columns.
fn meant(catalog: &Catalog, condition: &Expr) -> DfResult<Projection> {
    // The owner checks arithmetic by itself.
    let bare = as_written(condition.clone())?.transform(|part| {
        Ok(match part {
            Expr::Column(column) => Transformed::yes(Expr::Column(Column::new_unqualified(column.name))),
            other => Transformed::no(other),
        })
    });
    let tables = catalog.tables().map(|table| (table.name.clone(), Arc::new(StubSource(Arc::clone(table)))));
    let Some((name, source)) = tables.into_iter().next() else {
        return datafusion::common::plan_err!("a slice is a table");
    };
    let scan = LogicalPlanBuilder::scan(name, source, None)?.build()?;
    let rows = LogicalPlan::Filter(Filter::try_new(bare?.data, Arc::new(scan))?);
    Projection::try_new(vec![], Arc::new(rows))
}

fn text(meant: &Projection) -> Option<String> {
    let LogicalPlan::Filter(filter) = meant.input.as_ref() else { return None };
    let schema: &DFSchema = filter.input.schema();
    Spelling { schema, column: &|column| bare_name_text(&column.name) }.item(&filter.predicate).ok()
}
