//! Keys of ORDER BY that are computed beside the columns of their SELECT, where no alias is known.

use std::collections::HashSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Ident, OrderByKind, Query, SelectItem, SetExpr, TableAlias, TableFactor, TableWithJoins, Visit, Visitor,
};
use wanqu_model::refusal::{Code, Refusal};

use super::names::normal;

/// Makes a refusal of a key with this name.
pub(super) fn two(name: &str) -> Refusal {
    Refusal::new(Code::InvalidSql, format!("ORDER BY computes with {name}, which is a column and an alias"))
        .with_rule("in an expression of ORDER BY a name is that of a column of the tables, as in PostgreSQL")
        .with_subject(name.to_owned())
        .with_remedy("give the column of the answer another name, or order by the name alone")
}

/// Returns a name of an expression that is among these, but for names in the queries inside it.
pub(super) fn mentioned(expr: &Expr, names: &HashSet<String>) -> Option<String> {
    struct Mentions<'a> {
        names: &'a HashSet<String>,
        queries: usize,
    }
    impl Visitor for Mentions<'_> {
        type Break = String;

        fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<String> {
            self.queries += 1;
            ControlFlow::Continue(())
        }

        fn post_visit_query(&mut self, _: &Query) -> ControlFlow<String> {
            self.queries -= 1;
            ControlFlow::Continue(())
        }

        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<String> {
            match expr {
                Expr::Identifier(name) if self.queries == 0 && self.names.contains(&normal(name)) => {
                    ControlFlow::Break(normal(name))
                }
                _ => ControlFlow::Continue(()),
            }
        }
    }
    match Visit::visit(expr, &mut Mentions { names, queries: 0 }) {
        ControlFlow::Break(name) => Some(name),
        ControlFlow::Continue(()) => None,
    }
}

/// Computes the keys of a query beside its columns. Returns false, and changes nothing, where a column has no name here.
pub(super) fn computed_apart(query: &mut Query) -> bool {
    let quoted = |name: String| Ident::with_quote('"', name);
    let mut inner = query.clone();
    (inner.with, inner.order_by, inner.limit_clause, inner.fetch) = (None, None, None, None);
    let (SetExpr::Select(outer), Some(order)) = (query.body.as_mut(), &mut query.order_by) else { return false };
    let (SetExpr::Select(select), OrderByKind::Expressions(keys)) = (inner.body.as_mut(), &mut order.kind) else {
        return false;
    };
    if select.distinct.is_some() || select.top.is_some() {
        return false;
    }
    let mut names = vec![];
    for item in &select.projection {
        names.push(match item {
            SelectItem::ExprWithAlias { alias, .. } => alias.clone(),
            SelectItem::UnnamedExpr(Expr::Identifier(name)) => name.clone(),
            SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) => match parts.last() {
                Some(name) => name.clone(),
                None => return false,
            },
            _ => return false,
        });
    }
    let of_answer: HashSet<String> = names.iter().map(normal).collect();
    let columns = std::mem::take(&mut select.projection).into_iter().enumerate().filter_map(|(i, item)| {
        let (SelectItem::ExprWithAlias { expr, .. } | SelectItem::UnnamedExpr(expr)) = item else { return None };
        Some(SelectItem::ExprWithAlias { expr, alias: quoted(format!("order:column {i}")) })
    });
    select.projection = columns.collect();
    for (i, key) in keys.iter_mut().enumerate() {
        let stays = match &key.expr {
            Expr::Identifier(name) => of_answer.contains(&normal(name)),
            Expr::Value(_) => true,
            _ => false,
        };
        if !stays {
            let alias = quoted(format!("order:key {i}"));
            let expr = std::mem::replace(&mut key.expr, Expr::Identifier(alias.clone()));
            select.projection.push(SelectItem::ExprWithAlias { expr, alias });
        }
    }
    let shown = names.into_iter().enumerate().map(|(i, alias)| SelectItem::ExprWithAlias {
        expr: Expr::Identifier(quoted(format!("order:column {i}"))),
        alias,
    });
    outer.projection = shown.collect();
    (outer.selection, outer.qualify, outer.named_window) = (None, None, vec![]);
    let alias = Some(TableAlias { explicit: true, name: quoted("order:rows".to_owned()), columns: vec![], at: None });
    let relation = TableFactor::Derived { lateral: false, subquery: Box::new(inner), alias, sample: None };
    outer.from = vec![TableWithJoins { relation, joins: vec![] }];
    true
}
