//! `EXISTS (…)` and `x IN (SELECT …)` as a column of SELECT, or within one. DataFusion 55 plans both in conditions alone.
//!
//! Here they are written with counts, which are scalar subqueries, and those have a place wherever an expression has one:
//!
//! | written | read as |
//! |---|---|
//! | `EXISTS (q)` | `(SELECT count(*) FROM (q)) > 0` |
//! | `x IN (q)`, `x = ANY (q)` | true if a value of q is x; else NULL if one is NULL, or if x is NULL and there is one; else false |
//! | `x NOT IN (q)`, `x <> ALL (q)` | NOT of that |

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, GroupByExpr, Ident, Query, Select, SelectItem, TableFactor, UnaryOperator, VisitMut,
    VisitorMut,
};
use wanqu_sql::Text;

use super::walk::outside_queries;

/// Deepest nesting of the forms below.
const DEPTH: usize = 32;

/// `EXISTS` of the query that stands in the place of `SELECT 1`. No name that is written without quotes has a colon.
const EXISTS: &str = r#"((SELECT count(*) FROM (SELECT 1) AS "exists:q") > 0)"#;

/// `IN` of the query that stands in the place of `SELECT 1`, of the value that stands in the place of `"in:x"`.
const IN: &str = r#"(CASE
    WHEN (SELECT count(*) FROM (SELECT 1) AS "in:q" ("in:v") WHERE "in:q"."in:v" = "in:x") > 0 THEN true
    WHEN (SELECT count(*) FROM (SELECT 1) AS "in:q" ("in:v") WHERE "in:q"."in:v" IS NULL) > 0 THEN NULL
    WHEN "in:x" IS NULL AND (SELECT count(*) FROM (SELECT 1) AS "in:q") > 0 THEN NULL
    ELSE false
END)"#;

/// Place of the value in [`IN`].
const VALUE: &str = "in:x";

/// Writes the subqueries among the columns of a SELECT with counts.
pub(super) fn rewrite(select: &mut Select) {
    // A column that is a key of groups is told by its being written as the key is.
    if !matches!(&select.group_by, GroupByExpr::Expressions(keys, _) if keys.is_empty()) {
        return;
    }
    for item in &mut select.projection {
        let (SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) = item else { continue };
        let (name, mut found) = (expr.to_string(), false);
        outside_queries(expr, |part| {
            if let Some(counted) = counted(part) {
                *part = counted;
                found = true;
            }
        });
        // The name of the column is that of what was written.
        if found && let SelectItem::UnnamedExpr(expr) = item {
            *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias: Ident::with_quote('"', name) };
        }
    }
}

/// Returns a subquery that tells true from false, written with counts; `None` for another expression.
fn counted(expr: &Expr) -> Option<Expr> {
    let (template, value, query, negated) = match expr {
        Expr::Exists { subquery, negated } => (EXISTS, None, subquery.as_ref(), *negated),
        Expr::InSubquery { expr, subquery, negated } => (IN, Some(expr.as_ref()), subquery.as_ref(), *negated),
        Expr::AnyOp { left, compare_op: BinaryOperator::Eq, right, .. } => {
            (IN, Some(left.as_ref()), query(right)?, false)
        }
        Expr::AllOp { left, compare_op: BinaryOperator::NotEq, right } => {
            (IN, Some(left.as_ref()), query(right)?, true)
        }
        _ => return None,
    };
    #[expect(clippy::redundant_closure_for_method_calls, reason = "the method is not one for every lifetime")]
    let mut written = Text::new(template).and_then(|text| text.parse(DEPTH, |parser| parser.parse_expr())).ok()?;
    let _ = VisitMut::visit(&mut written, &mut Filling { query, value });
    Some(if negated { Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(written) } } else { written })
}

/// Returns the query that stands behind ANY or ALL.
fn query(right: &Expr) -> Option<&Query> {
    match right {
        Expr::Subquery(query) => Some(query),
        Expr::Nested(inner) => query(inner),
        _ => None,
    }
}

/// Puts a query and a value into their places.
struct Filling<'q> {
    query: &'q Query,
    value: Option<&'q Expr>,
}

impl VisitorMut for Filling<'_> {
    type Break = ();

    fn post_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        if let TableFactor::Derived { subquery, .. } = factor {
            **subquery = self.query.clone();
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let (Expr::Identifier(name), Some(value)) = (&*expr, self.value)
            && name.value == VALUE
        {
            *expr = Expr::Nested(Box::new(value.clone()));
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::ast::{SetExpr, Statement};

    use super::*;

    fn rewritten(sql: &str) -> String {
        let text = Text::new(sql).unwrap();
        #[expect(clippy::redundant_closure_for_method_calls, reason = "the method is not one for every lifetime")]
        let mut statements = text.parse(DEPTH, |parser| parser.parse_statements()).unwrap();
        let Statement::Query(query) = &mut statements[0] else { panic!("{sql}") };
        let SetExpr::Select(select) = query.body.as_mut() else { panic!("{sql}") };
        rewrite(select);
        statements[0].to_string()
    }

    #[test]
    fn subqueries_of_columns_are_counts_and_conditions_stay() {
        let found = rewritten("SELECT NOT EXISTS (SELECT 1 FROM o WHERE o.k = k.k) FROM k");
        assert_eq!(
            found,
            "SELECT NOT ((SELECT count(*) FROM (SELECT 1 FROM o WHERE o.k = k.k) AS \"exists:q\") > 0) AS \"NOT EXISTS \
             (SELECT 1 FROM o WHERE o.k = k.k)\" FROM k"
        );
        let found = rewritten("SELECT id, CASE WHEN n + 1 IN (SELECT k FROM k) THEN 1 END AS y FROM t");
        assert!(
            found.contains("FROM (SELECT k FROM k) AS \"in:q\" (\"in:v\") WHERE \"in:q\".\"in:v\" = (n + 1)"),
            "{found}"
        );
        for sql in [
            "SELECT id FROM t WHERE n IN (SELECT k FROM k) AND EXISTS (SELECT 1 FROM o)",
            "SELECT (SELECT max(k) FROM o WHERE k IN (SELECT k FROM k)) FROM t",
            "SELECT n IN (1, 2) FROM t",
        ] {
            assert_eq!(rewritten(sql), sql);
        }
    }
}
