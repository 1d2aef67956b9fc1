//! `FROM t, LATERAL (SELECT t.a + 1 AS b)`: columns that are computed of each row. DataFusion makes joins of lateral subqueries,
//! and has none for one that reads no table; it is a projection.

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{JoinType, Result as DfResult, ScalarValue};
use datafusion::logical_expr::{Expr, Join, LogicalPlan, LogicalPlanBuilder};

use super::outside;

/// Rewrites a join with a lateral subquery that reads no table.
pub(super) fn computed(plan: LogicalPlan) -> DfResult<Transformed<LogicalPlan>> {
    let LogicalPlan::Join(join) = &plan else { return Ok(Transformed::no(plan)) };
    let always = |filter: &Expr| matches!(filter, Expr::Literal(ScalarValue::Boolean(Some(true)), _));
    let unconditional = join.on.is_empty() && join.filter.as_ref().is_none_or(always);
    if !unconditional || !matches!(join.join_type, JoinType::Inner | JoinType::Left) {
        return Ok(Transformed::no(plan));
    }
    let Some(values) = values_of(&join.right) else { return Ok(Transformed::no(plan)) };
    // A column of a query further out stays one.
    let of_this_row = |part: &Expr| match part {
        Expr::OuterReferenceColumn(_, column) => join.left.schema().maybe_index_of_column(column).is_some(),
        _ => true,
    };
    if values.iter().any(|value| value.exists(|part| Ok(!of_this_row(part))).unwrap_or(true)) {
        return Ok(Transformed::no(plan));
    }
    let projected = project(join, &values)?;
    Ok(Transformed::yes(projected))
}

/// Returns the columns of a lateral subquery of one row that reads no table.
fn values_of(side: &LogicalPlan) -> Option<Vec<Expr>> {
    let mut plan = side;
    let mut lateral = false;
    loop {
        plan = match plan {
            LogicalPlan::SubqueryAlias(alias) => &alias.input,
            LogicalPlan::Subquery(subquery) => {
                lateral = true;
                &subquery.subquery
            }
            LogicalPlan::Projection(projection) => {
                let one_row = matches!(projection.input.as_ref(), LogicalPlan::EmptyRelation(e) if e.produce_one_row);
                let plain = projection.expr.iter().all(|expr| !holds_more_than_values(expr));
                return (lateral && one_row && plain).then(|| projection.expr.clone());
            }
            _ => return None,
        };
    }
}

/// Returns true for an expression that is no value of one row.
fn holds_more_than_values(expr: &Expr) -> bool {
    expr.is_volatile()
        || expr
            .exists(|part| {
                Ok(matches!(
                    part,
                    Expr::Unnest(_)
                        | Expr::ScalarSubquery(_)
                        | Expr::InSubquery(_)
                        | Expr::Exists(_)
                        | Expr::SetComparison(_)
                        | Expr::AggregateFunction(_)
                        | Expr::WindowFunction(_)
                ))
            })
            .unwrap_or(true)
}

fn project(join: &Join, values: &[Expr]) -> DfResult<LogicalPlan> {
    let mut columns: Vec<Expr> = join.left.schema().columns().into_iter().map(Expr::Column).collect();
    for (value, (qualifier, field)) in values.iter().zip(join.right.schema().iter()) {
        let value = outside(value.clone().unalias())?;
        columns.push(value.alias_qualified(qualifier.cloned(), field.name()));
    }
    LogicalPlanBuilder::new_from_arc(std::sync::Arc::clone(&join.left)).project(columns)?.build()
}
