//! Subqueries that stand under OR or NOT IN, as text: `x IN (SELECT y …)`.
//!
//! The engine turns them into mark joins and null-aware anti-joins, for which SQL has no syntax. A mark is carried
//! through the plan as a placeholder, a column that nobody can name, and written out when the whole text is there.

use std::ops::ControlFlow;

use datafusion::common::{Column, JoinType, Result as DfResult, plan_datafusion_err};
use datafusion::logical_expr::{Expr, Join};
use datafusion::sql::sqlparser::ast::{self, visit_expressions_mut};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};

/// Prefix of the names of placeholders. No name of a query begins with it in a fragment's text.
const PLACEHOLDER: &str = "__member_";

/// Returns true if a join has the form `x IN (SELECT y …)` or `x NOT IN (SELECT y …)`.
pub(super) fn is_membership(join: &Join) -> bool {
    let form = join.join_type == JoinType::LeftMark || join.null_aware && join.join_type == JoinType::LeftAnti;
    form && join.on.len() == 1 && join.filter.is_none()
}

/// The memberships of one text, in the order in which they were met.
#[derive(Debug, Default)]
pub(super) struct Members(Vec<ast::Expr>);

impl Members {
    /// Adds `value IN (select)`. Returns the placeholder that stands for it.
    pub fn add(&mut self, value: &str, select: &str) -> DfResult<Expr> {
        // A mark is true or false, never NULL.
        let text = format!("(({value} IN ({select})) IS TRUE)");
        let mut expr = parser(&text)?.parse_expr().map_err(|e| unreadable(&e))?;
        self.spell_out(&mut expr);
        self.0.push(expr);
        Ok(Expr::Column(Column::new_unqualified(format!("{PLACEHOLDER}{}", self.0.len() - 1))))
    }

    /// Returns the text with every placeholder written out.
    pub fn written_out(&self, sql: String) -> DfResult<String> {
        if self.0.is_empty() {
            return Ok(sql);
        }
        let mut query = parser(&sql)?.parse_query().map_err(|e| unreadable(&e))?;
        self.spell_out(&mut query);
        Ok(query.to_string())
    }

    fn spell_out(&self, text: &mut impl ast::VisitMut) {
        let _ = visit_expressions_mut(text, |expr: &mut ast::Expr| {
            if let ast::Expr::Identifier(name) = expr
                && let Some(membership) = number(&name.value).and_then(|number| self.0.get(number))
            {
                *expr = membership.clone();
            }
            ControlFlow::<()>::Continue(())
        });
    }
}

/// Returns true if an expression is a placeholder.
pub(super) fn is_placeholder(expr: &Expr) -> bool {
    matches!(expr, Expr::Column(column) if column.relation.is_none() && number(&column.name).is_some())
}

fn number(name: &str) -> Option<usize> {
    name.strip_prefix(PLACEHOLDER)?.parse().ok()
}

fn parser(text: &str) -> DfResult<Parser<'static>> {
    Parser::new(&GenericDialect {}).try_with_sql(text).map_err(|e| unreadable(&e))
}

fn unreadable(error: &ParserError) -> datafusion::common::DataFusionError {
    plan_datafusion_err!("a subquery has no form in a fragment: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_written_out_and_literals_are_left_alone() {
        let mut members = Members::default();
        let inner = members.add("t2.y", "SELECT t3.z AS member FROM c AS t3").unwrap();
        assert!(is_placeholder(&inner));
        members.add("t1.x", "SELECT t2.y AS member FROM b AS t2 WHERE (\"__member_0\" OR t2.w)").unwrap();
        let sql = "SELECT count(*) AS n FROM a AS t1 WHERE (__member_1 OR t1.s = '__member_0')".to_owned();
        assert_eq!(
            members.written_out(sql).unwrap(),
            "SELECT count(*) AS n FROM a AS t1 WHERE (((t1.x IN (SELECT t2.y AS member FROM b AS t2 \
             WHERE (((t2.y IN (SELECT t3.z AS member FROM c AS t3)) IS TRUE) OR t2.w))) IS TRUE) OR t1.s = '__member_0')"
        );
    }
}
