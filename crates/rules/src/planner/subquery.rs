//! Subqueries that stand under OR or NOT IN, as text: `x IN (SELECT y …)`.
//!
//! The engine turns them into mark joins and null-aware anti-joins, for which SQL has no syntax. A mark is carried
//! through the plan as a placeholder, a column that nobody can name, and written out where an expression names it.

use datafusion::common::{Column, JoinType};
use datafusion::logical_expr::{Expr, Join};

/// Prefix of the names of placeholders. They have no qualifier, and every column of a fragment has one.
const PLACEHOLDER: &str = "__member_";

/// Returns true if a join has the form `x IN (SELECT y …)` or `x NOT IN (SELECT y …)`.
pub(super) fn is_membership(join: &Join) -> bool {
    let form = join.join_type == JoinType::LeftMark || join.null_aware && join.join_type == JoinType::LeftAnti;
    form && join.on.len() == 1 && join.filter.is_none()
}

/// The memberships of one text, in the order in which they were met.
#[derive(Debug, Default)]
pub(super) struct Members(Vec<String>);

impl Members {
    /// Adds `value IN (select)`. Returns the placeholder that stands for it.
    pub fn add(&mut self, value: &str, select: &str) -> Expr {
        // A mark is true or false, never NULL.
        self.0.push(format!("(({value} IN ({select})) IS TRUE)"));
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
