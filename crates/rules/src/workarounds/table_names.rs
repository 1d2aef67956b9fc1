//! Tables that are called like a column: `FROM k WHERE EXISTS (SELECT … FROM o WHERE o.k = k.k)`.
//!
//! DataFusion reads `k.k` in the inner query as a field inside the inner column `k`, before it looks at the table `k` of the
//! outer one. PostgreSQL looks for a table first. Here such tables get another name in the whole of the statement, and all
//! that names them with it, so that nothing is called like a column. Columns keep their names.

use std::collections::HashSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Ident, ObjectName, ObjectNamePart, Query, Select, SelectItem, SelectItemQualifiedWildcardKind, Statement,
    TableAlias, TableFactor, Visit, VisitMut, Visitor, VisitorMut,
};

use super::names::{alias_of, name_of, normal};

/// Renames the tables of a statement that are called like a column. `columns` gives those of a table of the catalog.
pub fn tell_tables_from_columns(statement: &mut Statement, columns: impl Fn(&[String]) -> Vec<String>) {
    let mut names = Names { columns: HashSet::new(), tables: HashSet::new(), queries: 0, of_table: &columns };
    let _ = Visit::visit(&*statement, &mut names);
    // Only an inner query can mistake the name of an outer table.
    if names.queries < 2 {
        return;
    }
    let both: HashSet<String> = names.tables.intersection(&names.columns).cloned().collect();
    if !both.is_empty() {
        let _ = VisitMut::visit(statement, &mut Renaming { tables: &both });
    }
}

/// Names in a statement, as SQL compares them.
struct Names<'c> {
    columns: HashSet<String>,
    tables: HashSet<String>,
    queries: usize,
    of_table: &'c dyn Fn(&[String]) -> Vec<String>,
}

impl Visitor for Names<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.queries += 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        for item in &select.projection {
            if let SelectItem::ExprWithAlias { alias, .. } = item {
                self.columns.insert(normal(alias));
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        self.tables.extend(name_of(factor).map(normal));
        if let Some(alias) = alias_of(factor) {
            self.columns.extend(alias.columns.iter().map(|column| normal(&column.name)));
        }
        if let TableFactor::Table { name, args: None, .. } = factor {
            let parts: Option<Vec<String>> = name.0.iter().map(|part| part.as_ident().map(normal)).collect();
            self.columns.extend(parts.map(|parts| (self.of_table)(&parts)).unwrap_or_default());
        }
        ControlFlow::Continue(())
    }
}

/// Gives tables another name.
struct Renaming<'n> {
    tables: &'n HashSet<String>,
}

impl Renaming<'_> {
    fn renamed(&self, name: &Ident) -> Option<Ident> {
        let name = normal(name);
        // No name that is written without quotes has a colon.
        self.tables.contains(&name).then(|| Ident::with_quote('"', format!("{name}:table")))
    }

    /// Returns the name by which a column or `*` of a table is to be named; `None` where it stays.
    fn table_of<'p>(&self, parts: impl Iterator<Item = &'p Ident>) -> Option<Ident> {
        parts.last().and_then(|table| self.renamed(table))
    }
}

impl VisitorMut for Renaming<'_> {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::CompoundIdentifier(parts) = expr
            && let [tables @ .., column] = &parts[..]
            && let Some(table) = self.table_of(tables.iter())
        {
            *parts = vec![table, column.clone()];
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        for item in &mut select.projection {
            if let SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) = item
                && let Some(table) = self.table_of(name.0.iter().filter_map(ObjectNamePart::as_ident))
            {
                *name = ObjectName::from(vec![table]);
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        let renamed = name_of(factor).and_then(|name| self.renamed(name));
        if let Some(name) = renamed
            && let TableFactor::Table { alias, .. }
            | TableFactor::Derived { alias, .. }
            | TableFactor::Function { alias, .. }
            | TableFactor::UNNEST { alias, .. } = factor
        {
            match alias {
                Some(alias) => alias.name = name,
                None => *alias = Some(TableAlias { explicit: true, name, columns: vec![], at: None }),
            }
        }
        ControlFlow::Continue(())
    }
}
