//! Queries of many aggregates.
//!
//! DataFusion's `project` makes a map of all aggregates below it for each column of a SELECT, which hashes 1,500 expressions
//! 1,500 times. It makes none where a filter lies between the two. So a wide SELECT gets a HAVING that is always true, which is
//! taken away again once the plan is there.

use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::common::{Result as DfResult, ScalarValue};
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::sql::sqlparser::ast::{Expr as SqlExpr, Select, SelectItem, Statement, Value, VisitMut, VisitorMut};

/// Columns from which a SELECT is wide.
const WIDE: usize = 100;

/// Puts a filter over the aggregates of wide SELECTs. `is_aggregate` knows the functions.
pub fn part_from_aggregates(statement: &mut Statement, is_aggregate: impl Fn(&str) -> bool) {
    let _ = VisitMut::visit(statement, &mut Wide { is_aggregate });
}

struct Wide<F> {
    is_aggregate: F,
}

impl<F: Fn(&str) -> bool> VisitorMut for Wide<F> {
    type Break = ();

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        let aggregate = |item: &SelectItem| match item {
            SelectItem::UnnamedExpr(SqlExpr::Function(function))
            | SelectItem::ExprWithAlias { expr: SqlExpr::Function(function), .. } => {
                function.over.is_none() && (self.is_aggregate)(&function.name.to_string().to_lowercase())
            }
            _ => false,
        };
        if select.having.is_none() && select.projection.len() >= WIDE && select.projection.iter().any(aggregate) {
            select.having = Some(SqlExpr::value(Value::Boolean(true)));
        }
        ControlFlow::Continue(())
    }
}

/// Takes the filters over aggregates away that are always true.
pub fn without_true_having(plan: LogicalPlan) -> DfResult<LogicalPlan> {
    let stripped = plan.transform_up_with_subqueries(|node| {
        Ok(match node {
            LogicalPlan::Filter(filter) if is_true(&filter.predicate) && is_aggregate(&filter.input) => {
                Transformed::yes(Arc::unwrap_or_clone(filter.input))
            }
            other => Transformed::no(other),
        })
    });
    stripped.map(|stripped| stripped.data)
}

fn is_true(predicate: &Expr) -> bool {
    matches!(predicate, Expr::Literal(ScalarValue::Boolean(Some(true)), _))
}

fn is_aggregate(plan: &LogicalPlan) -> bool {
    matches!(plan, LogicalPlan::Aggregate(_))
}
