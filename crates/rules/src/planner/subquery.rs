//! Subqueries that stand under OR or NOT IN, as text: `x IN (SELECT y …)`, and `1 IN (SELECT 1 …)` where all that is asked
//! is whether there is a row.
//!
//! The engine turns them into mark joins and null-aware anti-joins, for which SQL has no syntax. A mark is carried
//! through the plan as a placeholder, a column that nobody can name, and written out where an expression names it.

use std::sync::Arc;

use datafusion::common::{Column, JoinType};
use datafusion::logical_expr::{Expr, FetchType, Join, LogicalPlan, SkipType};

use crate::catalog::is_unconditional;

/// Prefix of the names of placeholders. They have no qualifier, and every column of a fragment has one.
const PLACEHOLDER: &str = "__member_";

/// Returns true if a join has the form `x IN (SELECT y …)` or `x NOT IN (SELECT y …)`, or is a mark for any row at all.
pub(super) fn is_membership(join: &Join) -> bool {
    let form = join.join_type == JoinType::LeftMark || join.null_aware && join.join_type == JoinType::LeftAnti;
    form && join.on.len() == 1 && join.filter.is_none() || is_existence_mark(join)
}

/// Returns true if a join marks each row with whether the other side has a row.
pub(super) fn is_existence_mark(join: &Join) -> bool {
    join.join_type == JoinType::LeftMark && is_unconditional(join)
}

/// Returns the right side of a join that only asks whether it has a row, without the LIMIT that ends its reading early: an
/// owner has no form for it, and one row more tells nothing else. `None` if there is none, or if it decides something.
pub(super) fn without_first_row_limit(join: &Join) -> Option<LogicalPlan> {
    let looked_into = matches!(join.join_type, JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark);
    if looked_into && is_unconditional(join) { unlimited(&join.right) } else { None }
}

/// Returns a plan without a LIMIT that takes a row or more; `None` if it has none.
fn unlimited(plan: &LogicalPlan) -> Option<LogicalPlan> {
    match plan {
        LogicalPlan::Limit(limit) => {
            let first = matches!(limit.get_skip_type(), Ok(SkipType::Literal(0)))
                && matches!(limit.get_fetch_type(), Ok(FetchType::Literal(fetch)) if fetch != Some(0));
            first.then(|| unlimited(&limit.input).unwrap_or_else(|| limit.input.as_ref().clone()))
        }
        LogicalPlan::TableScan(scan) if scan.fetch.is_some_and(|fetch| fetch > 0) => {
            let mut scan = scan.clone();
            scan.fetch = None;
            Some(LogicalPlan::TableScan(scan))
        }
        LogicalPlan::Projection(_) | LogicalPlan::SubqueryAlias(_) => {
            let [input] = &plan.inputs()[..] else { return None };
            let input = unlimited(input)?;
            match plan.clone() {
                LogicalPlan::Projection(mut projection) => {
                    projection.input = Arc::new(input);
                    Some(LogicalPlan::Projection(projection))
                }
                LogicalPlan::SubqueryAlias(mut alias) => {
                    alias.input = Arc::new(input);
                    Some(LogicalPlan::SubqueryAlias(alias))
                }
                _ => None,
            }
        }
        _ => None,
    }
}

/// The memberships of one text, in the order in which they were met.
#[derive(Debug, Default)]
pub(super) struct Members(Vec<String>);

impl Members {
    /// Adds `value IN (select)`. Returns the placeholder that stands for it.
    pub fn add(&mut self, value: &str, select: &str) -> Expr {
        // A mark is true or false, never NULL.
        self.push(format!("(({value} IN ({select})) IS TRUE)"))
    }

    /// Adds the condition that a SELECT of the number 1 has a row. Returns the placeholder that stands for it.
    pub fn add_existence(&mut self, select: &str) -> Expr {
        self.push(format!("(1 IN ({select}))"))
    }

    fn push(&mut self, text: String) -> Expr {
        self.0.push(text);
        Expr::Column(Column::new_unqualified(format!("{PLACEHOLDER}{}", self.0.len() - 1)))
    }

    /// Returns the text that a placeholder stands for; `None` for any other column.
    pub fn text(&self, column: &Column) -> Option<&str> {
        self.0.get(number(column)?).map(String::as_str)
    }
}

/// Returns true if an expression is a placeholder.
pub(super) fn is_placeholder(expr: &Expr) -> bool {
    matches!(expr, Expr::Column(column) if number(column).is_some())
}

fn number(column: &Column) -> Option<usize> {
    if column.relation.is_some() {
        return None;
    }
    column.name.strip_prefix(PLACEHOLDER)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_placeholder_stands_for_its_membership_and_no_other_column_does() {
        let mut members = Members::default();
        members.add("t2.y", "SELECT t3.z AS member FROM c AS t3");
        let Expr::Column(second) = members.add("t1.x", "SELECT t2.y AS member FROM b AS t2") else { panic!() };
        assert_eq!(members.text(&second), Some("((t1.x IN (SELECT t2.y AS member FROM b AS t2)) IS TRUE)"));
        for other in [Column::new(Some("t1"), "__member_0"), Column::new_unqualified("__member_2")] {
            assert_eq!(members.text(&other), None, "{other}");
        }
    }
}
