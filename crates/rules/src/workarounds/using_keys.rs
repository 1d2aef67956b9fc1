//! The merged key of JOIN … USING in WHERE: DataFusion calls `WHERE k = 2` ambiguous after `a FULL JOIN b USING (k)`, though
//! it knows `k` in SELECT. Here `k` is named by its first table, whose column the merged key takes the place of.

use std::collections::HashSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Ident, Join, JoinConstraint, JoinOperator, Query, Select, Statement, VisitMut, VisitorMut,
};

use super::names::{name_of, normal};

/// Names the merged keys in the conditions of a statement by their table.
pub fn name_merged_keys(statement: &mut Statement) {
    struct Selects;
    impl VisitorMut for Selects {
        type Break = ();

        fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
            name_keys(select);
            ControlFlow::Continue(())
        }
    }
    let _ = VisitMut::visit(statement, &mut Selects);
}

fn name_keys(select: &mut Select) {
    let [from] = &select.from[..] else { return };
    let (Some(table), [first, others @ ..]) = (name_of(&from.relation).cloned(), &from.joins[..]) else { return };
    let mut keys = keys_of(first);
    // A key that a later join does not merge as well is of two tables.
    for join in others {
        let also: HashSet<String> = keys_of(join);
        if also.is_empty() {
            return;
        }
        keys.retain(|key| also.contains(key));
    }
    if keys.is_empty() {
        return;
    }
    if let Some(condition) = &mut select.selection {
        let _ = VisitMut::visit(condition, &mut Naming { table, keys, depth: 0 });
    }
}

/// Names the keys in an expression, but not in the queries inside it: theirs may be other columns.
struct Naming {
    table: Ident,
    keys: HashSet<String>,
    depth: usize,
}

impl VisitorMut for Naming {
    type Break = ();

    fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Identifier(name) = expr
            && self.depth == 0
            && self.keys.contains(&normal(name))
        {
            *expr = Expr::CompoundIdentifier(vec![self.table.clone(), name.clone()]);
        }
        ControlFlow::Continue(())
    }
}

fn keys_of(join: &Join) -> HashSet<String> {
    let (JoinOperator::Join(constraint)
    | JoinOperator::Inner(constraint)
    | JoinOperator::Left(constraint)
    | JoinOperator::LeftOuter(constraint)
    | JoinOperator::Right(constraint)
    | JoinOperator::RightOuter(constraint)
    | JoinOperator::FullOuter(constraint)) = &join.join_operator
    else {
        return HashSet::new();
    };
    let JoinConstraint::Using(columns) = constraint else { return HashSet::new() };
    columns.iter().filter_map(|name| name.0.last().and_then(|part| part.as_ident())).map(normal).collect()
}
