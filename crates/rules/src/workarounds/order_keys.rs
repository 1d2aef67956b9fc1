//! Columns in an expression of ORDER BY that are called like an alias: `SELECT -id AS x FROM t ORDER BY -x`.
//!
//! Where a key is a name alone, it is that of a column of the answer. In an expression PostgreSQL takes names for columns of
//! the tables; DataFusion takes the alias, and orders by something else. Here such a column is named with its table.

use std::collections::HashSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, GroupByExpr, Ident, JoinConstraint, JoinOperator, OrderByKind, Query, Select, SelectItem, SetExpr, Statement,
    TableFactor, Visit, VisitMut, Visitor, VisitorMut,
};

use super::names::{alias_of, name_of, normal};

/// Names the columns of a statement's order keys by their tables. `columns` gives those of a table of the catalog, and
/// `is_aggregate` tells the names of aggregates.
pub fn name_order_keys(
    statement: &mut Statement,
    columns: impl Fn(&[String]) -> Vec<String>,
    is_aggregate: impl Fn(&str) -> bool,
) {
    let _ = VisitMut::visit(statement, &mut Queries { columns: &columns, is_aggregate: &is_aggregate });
}

struct Queries<'q> {
    columns: &'q dyn Fn(&[String]) -> Vec<String>,
    is_aggregate: &'q dyn Fn(&str) -> bool,
}

impl VisitorMut for Queries<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        let (SetExpr::Select(select), Some(order)) = (query.body.as_ref(), &mut query.order_by) else {
            return ControlFlow::Continue(());
        };
        let OrderByKind::Expressions(keys) = &mut order.kind else { return ControlFlow::Continue(()) };
        let aliases = other_aliases(select);
        let Some(tables) = self.tables(select).filter(|_| !aliases.is_empty()) else {
            return ControlFlow::Continue(());
        };
        // Beside groups, a column of a table has a value within an aggregate alone.
        let grouped = is_grouped(select, self.is_aggregate);
        for key in keys {
            if !matches!(key.expr, Expr::Identifier(_)) {
                let (is_aggregate, aliases, tables) = (self.is_aggregate, &aliases, &tables);
                let mut naming = Naming { is_aggregate, aliases, tables, grouped, queries: 0, aggregates: 0 };
                let _ = VisitMut::visit(&mut key.expr, &mut naming);
            }
        }
        ControlFlow::Continue(())
    }
}

impl Queries<'_> {
    /// Returns the tables of a SELECT with their columns, where these are known; `None` where columns are merged.
    fn tables(&self, select: &Select) -> Option<Vec<(Ident, Vec<String>)>> {
        let mut tables = vec![];
        for from in &select.from {
            for join in &from.joins {
                if let JoinOperator::Join(constraint)
                | JoinOperator::Inner(constraint)
                | JoinOperator::Left(constraint)
                | JoinOperator::LeftOuter(constraint)
                | JoinOperator::Right(constraint)
                | JoinOperator::RightOuter(constraint)
                | JoinOperator::FullOuter(constraint) = &join.join_operator
                    && matches!(constraint, JoinConstraint::Using(_) | JoinConstraint::Natural)
                {
                    return None;
                }
            }
            for factor in std::iter::once(&from.relation).chain(from.joins.iter().map(|join| &join.relation)) {
                if let Some(name) = name_of(factor) {
                    tables.push((name.clone(), self.columns_of(factor)));
                }
            }
        }
        Some(tables)
    }

    fn columns_of(&self, factor: &TableFactor) -> Vec<String> {
        if let Some(alias) = alias_of(factor)
            && !alias.columns.is_empty()
        {
            return alias.columns.iter().map(|column| normal(&column.name)).collect();
        }
        match factor {
            TableFactor::Table { name, args: None, .. } => {
                let parts: Option<Vec<String>> = name.0.iter().map(|part| part.as_ident().map(normal)).collect();
                parts.map(|parts| (self.columns)(&parts)).unwrap_or_default()
            }
            TableFactor::Derived { subquery, .. } => match subquery.body.as_ref() {
                SetExpr::Select(select) => select.projection.iter().filter_map(name_of_item).collect(),
                _ => vec![],
            },
            _ => vec![],
        }
    }
}

fn name_of_item(item: &SelectItem) -> Option<String> {
    match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(normal(alias)),
        SelectItem::UnnamedExpr(Expr::Identifier(name)) => Some(normal(name)),
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) => parts.last().map(normal),
        _ => None,
    }
}

/// Returns the aliases of a SELECT that are not the name of what they stand for.
fn other_aliases(select: &Select) -> HashSet<String> {
    let aliases = select.projection.iter().filter_map(|item| match item {
        SelectItem::ExprWithAlias { expr, alias } => {
            let same = name_of_item(&SelectItem::UnnamedExpr(expr.clone()));
            Some(normal(alias)).filter(|alias| same.as_ref() != Some(alias))
        }
        _ => None,
    });
    aliases.collect()
}

fn is_grouped(select: &Select, is_aggregate: &dyn Fn(&str) -> bool) -> bool {
    struct Aggregates<'a>(&'a dyn Fn(&str) -> bool);
    impl Visitor for Aggregates<'_> {
        type Break = ();

        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            match expr {
                Expr::Function(call) if call.over.is_none() && (self.0)(&call.name.to_string().to_lowercase()) => {
                    ControlFlow::Break(())
                }
                _ => ControlFlow::Continue(()),
            }
        }
    }
    let no_keys = matches!(&select.group_by, GroupByExpr::Expressions(keys, _) if keys.is_empty());
    !no_keys || select.having.is_some() || Visit::visit(&select.projection, &mut Aggregates(is_aggregate)).is_break()
}

/// Names columns in an expression by their tables, but not in the queries inside it.
struct Naming<'q> {
    is_aggregate: &'q dyn Fn(&str) -> bool,
    aliases: &'q HashSet<String>,
    tables: &'q [(Ident, Vec<String>)],
    grouped: bool,
    queries: usize,
    aggregates: usize,
}

impl Naming<'_> {
    fn opens_aggregate(&self, expr: &Expr) -> bool {
        matches!(expr, Expr::Function(call) if (self.is_aggregate)(&call.name.to_string().to_lowercase()))
    }
}

impl VisitorMut for Naming<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.queries += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.queries -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        self.aggregates += usize::from(self.opens_aggregate(expr));
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        self.aggregates -= usize::from(self.opens_aggregate(expr));
        let Expr::Identifier(name) = &*expr else { return ControlFlow::Continue(()) };
        let column = normal(name);
        if self.queries > 0 || (self.grouped && self.aggregates == 0) || !self.aliases.contains(&column) {
            return ControlFlow::Continue(());
        }
        let mut with_it = self.tables.iter().filter(|(_, columns)| columns.contains(&column));
        if let (Some((table, _)), None) = (with_it.next(), with_it.next()) {
            *expr = Expr::CompoundIdentifier(vec![table.clone(), name.clone()]);
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use wanqu_sql::Text;

    use super::*;

    fn named(sql: &str) -> String {
        let text = Text::new(sql).unwrap();
        #[expect(clippy::redundant_closure_for_method_calls, reason = "the method is not one for every lifetime")]
        let mut statements = text.parse(32, |parser| parser.parse_statements()).unwrap();
        let columns = |parts: &[String]| match parts {
            [table] if table == "t" => vec!["x".to_owned(), "id".to_owned(), "g".to_owned()],
            _ => vec![],
        };
        name_order_keys(&mut statements[0], columns, |name| name == "sum");
        statements[0].to_string()
    }

    #[test]
    fn a_column_in_a_key_is_that_of_its_table() {
        for (sql, expected) in [
            ("SELECT -id AS x FROM t ORDER BY -x", "SELECT -id AS x FROM t ORDER BY -t.x"),
            (
                "SELECT -id AS x FROM t AS a ORDER BY x + 1 DESC, x",
                "SELECT -id AS x FROM t AS a ORDER BY a.x + 1 DESC, x",
            ),
            (
                "SELECT g, sum(x) AS x FROM t GROUP BY g ORDER BY sum(x), x + 1",
                "SELECT g, sum(x) AS x FROM t GROUP BY g ORDER BY sum(t.x), x + 1",
            ),
            (
                "SELECT -id AS x FROM (SELECT id, g AS x FROM t) AS q ORDER BY abs(x)",
                "SELECT -id AS x FROM (SELECT id, g AS x FROM t) AS q ORDER BY abs(q.x)",
            ),
        ] {
            assert_eq!(named(sql), expected);
        }
        for sql in [
            "SELECT -id AS x FROM t ORDER BY x",
            "SELECT -id AS y FROM t ORDER BY -y",
            "SELECT x AS x FROM t ORDER BY -x",
            "SELECT -x AS x FROM t JOIN t AS b USING(id) ORDER BY -x",
            "SELECT -id AS x FROM t AS a CROSS JOIN t AS b ORDER BY -x",
            "SELECT -id AS x FROM t ORDER BY (SELECT x)",
        ] {
            assert_eq!(named(sql), sql);
        }
    }
}
