//! Order of DISTINCT rows by a computed column: `SELECT DISTINCT n + 1 FROM t ORDER BY n + 1`.
//!
//! DataFusion looks for the columns of the key among those selected, and does not find `n`. Such a key is written as the
//! column's position. Other keys have no one value for a DISTINCT row, and are refused as in PostgreSQL.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{Distinct, Expr, OrderByKind, Query, SelectItem, SetExpr, Value, Visit, Visitor};

/// Writes the order keys of DISTINCT rows that are selected expressions as positions.
pub(super) fn number_keys(query: &mut Query) {
    let (SetExpr::Select(select), Some(order)) = (query.body.as_ref(), &mut query.order_by) else { return };
    let (Some(Distinct::Distinct), OrderByKind::Expressions(keys)) = (&select.distinct, &mut order.kind) else {
        return;
    };
    // A wildcard has as many columns as its tables.
    let Some(items) = select.projection.iter().map(selected).collect::<Option<Vec<&Expr>>>() else { return };
    for key in keys {
        // Two queries of the same text can give different values, as with random().
        let is_computed = !matches!(key.expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_) | Expr::Value(_));
        let position = items.iter().position(|item| **item == key.expr);
        if let (true, Some(position)) = (is_computed && !has_query(&key.expr), position) {
            key.expr = Expr::value(Value::Number((position + 1).to_string(), false));
        }
    }
}

fn selected(item: &SelectItem) -> Option<&Expr> {
    match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => Some(expr),
        _ => None,
    }
}

fn has_query(expr: &Expr) -> bool {
    struct Any;
    impl Visitor for Any {
        type Break = ();

        fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
            ControlFlow::Break(())
        }
    }
    Visit::visit(expr, &mut Any).is_break()
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::sql::sqlparser::ast::Statement;
    use wanqu_sql::Text;

    #[test]
    fn a_selected_expression_is_its_position() {
        for (sql, expected) in [
            (
                "SELECT DISTINCT id, x + 1 AS y FROM t ORDER BY x + 1 DESC, id",
                "SELECT DISTINCT id, x + 1 AS y FROM t ORDER BY 2 DESC, id",
            ),
            ("SELECT DISTINCT upper(g) FROM t ORDER BY lower(g)", "SELECT DISTINCT upper(g) FROM t ORDER BY lower(g)"),
            ("SELECT x + 1 FROM t ORDER BY x + 1", "SELECT x + 1 FROM t ORDER BY x + 1"),
            ("SELECT DISTINCT *, x + 1 FROM t ORDER BY x + 1", "SELECT DISTINCT *, x + 1 FROM t ORDER BY x + 1"),
        ] {
            let text = Text::new(sql).unwrap();
            #[expect(clippy::redundant_closure_for_method_calls, reason = "the method is not one for every lifetime")]
            let mut statements = text.parse(32, |parser| parser.parse_statements()).unwrap();
            let Statement::Query(query) = &mut statements[0] else { panic!("{sql}") };
            number_keys(query);
            assert_eq!(query.to_string(), expected);
        }
    }
}
