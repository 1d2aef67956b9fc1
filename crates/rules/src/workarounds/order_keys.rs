//! Columns in an expression of ORDER BY that are called like an alias: `SELECT -id AS x FROM t ORDER BY -x`.
//!
//! Where a key is a name alone, it is that of a column of the answer. In an expression PostgreSQL takes names for columns of
//! the tables; DataFusion takes the alias, and orders by something else. Here such a key is computed beside the columns, where no
//! alias is known: `SELECT c AS x FROM (SELECT -id AS c, -x AS k FROM t) ORDER BY k`. Beside groups a column in an aggregate
//! is named with its table. A name that is an alias alone is the alias.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, GroupByExpr, Ident, JoinConstraint, JoinOperator, OrderByKind, Query, Select, SelectItem, SetExpr, Statement,
    TableFactor, Visit, VisitMut, Visitor, VisitorMut,
};
use wanqu_model::refusal::Refusal;

use super::names::{alias_of, name_of, normal};
use super::order_apart::{computed_apart, mentioned, two};

/// Makes names in a statement's order keys what they are in PostgreSQL. `columns` gives those of a table of the catalog, and
/// `is_aggregate` tells the names of aggregates.
///
/// # Errors
/// The refusal of a key whose name stands for two columns, where it cannot be computed apart.
pub fn name_order_keys(
    statement: &mut Statement,
    columns: impl Fn(&[String]) -> Vec<String>,
    is_aggregate: impl Fn(&str) -> bool,
) -> Result<(), Refusal> {
    let mut queries = Queries { columns: &columns, is_aggregate: &is_aggregate, named: RefCell::default() };
    match VisitMut::visit(statement, &mut queries) {
        ControlFlow::Break(refusal) => Err(*refusal),
        ControlFlow::Continue(()) => Ok(()),
    }
}

struct Queries<'q> {
    columns: &'q dyn Fn(&[String]) -> Vec<String>,
    is_aggregate: &'q dyn Fn(&str) -> bool,
    /// Columns of the queries of WITH, by their names; `None` where they are not known.
    named: RefCell<HashMap<String, Option<Vec<String>>>>,
}

impl VisitorMut for Queries<'_> {
    type Break = Box<Refusal>;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Box<Refusal>> {
        self.note_named(query);
        let (SetExpr::Select(select), Some(order)) = (query.body.as_ref(), &mut query.order_by) else {
            return ControlFlow::Continue(());
        };
        let OrderByKind::Expressions(keys) = &mut order.kind else { return ControlFlow::Continue(()) };
        let aliases = other_aliases(select);
        if aliases.is_empty() {
            return ControlFlow::Continue(());
        }
        let tables = self.tables(select);
        if !is_grouped(select, self.is_aggregate) {
            let can_be_column = |name: &str| {
                tables.as_ref().is_none_or(|tables| {
                    let has = |columns: &Option<Vec<String>>| {
                        columns.as_ref().is_none_or(|columns| columns.iter().any(|column| column == name))
                    };
                    tables.iter().any(|(_, columns)| has(columns))
                })
            };
            let doubtful = aliases.into_iter().filter(|alias| can_be_column(alias)).collect();
            let named = keys.iter().filter(|key| !matches!(key.expr, Expr::Identifier(_)));
            if let Some(name) = named.into_iter().find_map(|key| mentioned(&key.expr, &doubtful)) {
                return if computed_apart(query) {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(Box::new(two(&name)))
                };
            }
            return ControlFlow::Continue(());
        }
        // Beside groups, a column of a table has a value within an aggregate alone.
        let Some(tables) = tables else { return ControlFlow::Continue(()) };
        let tables: Vec<(Ident, Vec<String>)> =
            tables.into_iter().map(|(name, columns)| (name, columns.unwrap_or_default())).collect();
        for key in keys {
            if !matches!(key.expr, Expr::Identifier(_)) {
                let (is_aggregate, aliases, tables) = (self.is_aggregate, &aliases, &tables);
                let mut naming = Naming { is_aggregate, aliases, tables, queries: 0, aggregates: 0 };
                let _ = VisitMut::visit(&mut key.expr, &mut naming);
            }
        }
        ControlFlow::Continue(())
    }
}

impl Queries<'_> {
    /// Takes note of the columns of the queries of WITH.
    fn note_named(&self, query: &Query) {
        for cte in query.with.iter().flat_map(|with| &with.cte_tables) {
            let columns = if cte.alias.columns.is_empty() {
                self.columns_of_body(&cte.query.body)
            } else {
                Some(cte.alias.columns.iter().map(|column| normal(&column.name)).collect())
            };
            // Two of one name may have different columns.
            let mut named = self.named.borrow_mut();
            let known = named.entry(normal(&cte.alias.name)).or_insert_with(|| columns.clone());
            if *known != columns {
                *known = None;
            }
        }
    }

    /// Returns the tables of a SELECT with their columns, where these are known; `None` where columns are merged.
    fn tables(&self, select: &Select) -> Option<Vec<(Ident, Option<Vec<String>>)>> {
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
                tables.push((name_of(factor)?.clone(), self.columns_of(factor)));
            }
        }
        Some(tables)
    }

    fn columns_of(&self, factor: &TableFactor) -> Option<Vec<String>> {
        if let Some(alias) = alias_of(factor)
            && !alias.columns.is_empty()
        {
            return Some(alias.columns.iter().map(|column| normal(&column.name)).collect());
        }
        match factor {
            TableFactor::Table { name, args: None, .. } => {
                let parts: Vec<String> =
                    name.0.iter().map(|part| part.as_ident().map(normal)).collect::<Option<_>>()?;
                if let [name] = &parts[..]
                    && let Some(named) = self.named.borrow().get(name)
                {
                    return named.clone();
                }
                Some((self.columns)(&parts)).filter(|columns| !columns.is_empty())
            }
            TableFactor::Derived { subquery, .. } => self.columns_of_body(&subquery.body),
            _ => None,
        }
    }

    /// Returns the columns of a query that have names here; `None` where they are not known.
    fn columns_of_body(&self, body: &SetExpr) -> Option<Vec<String>> {
        match body {
            SetExpr::Select(select) => {
                let mut columns = vec![];
                for item in &select.projection {
                    match item {
                        SelectItem::Wildcard(_) => {
                            for (_, of_table) in self.tables(select)? {
                                columns.extend(of_table?);
                            }
                        }
                        SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. } => {
                            columns.extend(name_of_item(item));
                        }
                        _ => return None,
                    }
                }
                Some(columns)
            }
            SetExpr::Query(query) => self.columns_of_body(&query.body),
            SetExpr::SetOperation { left, .. } => self.columns_of_body(left),
            _ => None,
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
        if self.queries > 0 || self.aggregates == 0 || !self.aliases.contains(&column) {
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
        let named = name_order_keys(&mut statements[0], columns, |name| name == "sum");
        named.map_or_else(|refusal| refusal.message, |()| statements[0].to_string())
    }

    #[test]
    fn a_column_in_a_key_is_that_of_its_table() {
        for (sql, expected) in [
            (
                "SELECT -id AS x, g FROM t ORDER BY -x, g, id LIMIT 3",
                "SELECT \"order:column 0\" AS x, \"order:column 1\" AS g FROM (SELECT -id AS \"order:column 0\", g AS \
                 \"order:column 1\", -x AS \"order:key 0\", id AS \"order:key 2\" FROM t) AS \"order:rows\" \
                 ORDER BY \"order:key 0\", g, \"order:key 2\" LIMIT 3",
            ),
            (
                "SELECT g, sum(x) AS x FROM t GROUP BY g ORDER BY sum(x), x + 1",
                "SELECT g, sum(x) AS x FROM t GROUP BY g ORDER BY sum(t.x), x + 1",
            ),
            (
                "WITH q AS (SELECT * FROM t) SELECT g, sum(x) AS x FROM q GROUP BY g ORDER BY sum(x)",
                "WITH q AS (SELECT * FROM t) SELECT g, sum(x) AS x FROM q GROUP BY g ORDER BY sum(q.x)",
            ),
        ] {
            assert_eq!(named(sql), expected);
        }
        for sql in [
            "SELECT -id AS x FROM t ORDER BY x",
            "SELECT -id AS y FROM t ORDER BY -y",
            "SELECT x AS x FROM t ORDER BY -x",
            "SELECT -id AS x FROM t ORDER BY (SELECT x)",
            "WITH q AS (SELECT id FROM t) SELECT -id AS x FROM q ORDER BY -x",
        ] {
            assert_eq!(named(sql), sql);
        }
        for sql in [
            "SELECT -x AS x FROM t JOIN t AS b USING(id) ORDER BY -x",
            "SELECT -id AS x FROM t AS a CROSS JOIN t AS b ORDER BY -x",
            "SELECT -id AS x FROM (SELECT * FROM t) AS q ORDER BY abs(x)",
            "WITH q AS (SELECT id, x FROM t UNION SELECT 1, 2) SELECT -id AS x FROM q ORDER BY -x",
            "SELECT -v AS x FROM unnest(ARRAY[1]) AS u ORDER BY -x",
        ] {
            assert!(named(sql).contains("AS \"order:key 0\""), "{sql}: {}", named(sql));
        }
        for sql in [
            "SELECT DISTINCT -id AS x FROM t ORDER BY -x",
            "SELECT *, -id AS x FROM t ORDER BY -x",
            "SELECT -id AS x, id + 1 FROM t ORDER BY -x",
        ] {
            assert_eq!(named(sql), "ORDER BY computes with x, which is a column and an alias");
        }
    }
}
