//! The merged key of JOIN … USING: DataFusion calls `WHERE k = 2` ambiguous after `a FULL JOIN b USING (k)`, though it knows `k`
//! in SELECT, and calls `k` ambiguous everywhere after `a JOIN b USING (k) JOIN c USING (k)`. Here `k` is named by its first
//! table, whose column the merged key takes the place of. In a chain of inner and left joins, where that column is the key
//! itself, USING is written as ON too, since DataFusion does not find the key of a third.

use std::collections::HashSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Ident, Join, JoinConstraint, JoinOperator, Select, SelectItem, Statement, VisitMut,
    VisitorMut,
};

use super::names::{name_of, normal};
use super::walk::outside_queries;

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
    let [from] = &mut select.from[..] else { return };
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
    let chained = !others.is_empty();
    if chained && !has_wildcard(&select.projection) && from.joins.iter().all(|join| keeps_left_key(join, &keys)) {
        for join in &mut from.joins {
            join_on_first(join, &table);
        }
    }
    let mut name = |expr: &mut Expr| {
        if let Expr::Identifier(name) = expr
            && keys.contains(&normal(name))
        {
            *expr = Expr::CompoundIdentifier(vec![table.clone(), name.clone()]);
        }
    };
    outside_queries(&mut select.selection, &mut name);
    if chained {
        outside_queries(&mut select.projection, &mut name);
        outside_queries(&mut select.group_by, &mut name);
        outside_queries(&mut select.having, &mut name);
        outside_queries(&mut select.qualify, &mut name);
    }
}

fn has_wildcard(items: &[SelectItem]) -> bool {
    items.iter().any(|item| matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..)))
}

/// Returns true for a join by these keys alone, of which the left one is the merged one.
fn keeps_left_key(join: &Join, keys: &HashSet<String>) -> bool {
    let of_left = matches!(
        join.join_operator,
        JoinOperator::Join(_) | JoinOperator::Inner(_) | JoinOperator::Left(_) | JoinOperator::LeftOuter(_)
    );
    of_left && name_of(&join.relation).is_some() && keys_of(join) == *keys
}

/// Writes USING as ON, with the keys of the first table.
fn join_on_first(join: &mut Join, first: &Ident) {
    let Some(table) = name_of(&join.relation).cloned() else { return };
    let (JoinOperator::Join(constraint)
    | JoinOperator::Inner(constraint)
    | JoinOperator::Left(constraint)
    | JoinOperator::LeftOuter(constraint)) = &mut join.join_operator
    else {
        return;
    };
    let JoinConstraint::Using(columns) = constraint else { return };
    let equal = columns.iter().filter_map(|name| name.0.last().and_then(|part| part.as_ident())).map(|key| {
        let of = |table: &Ident| Box::new(Expr::CompoundIdentifier(vec![table.clone(), key.clone()]));
        Expr::BinaryOp { left: of(first), op: BinaryOperator::Eq, right: of(&table) }
    });
    let both = |left, right| Expr::BinaryOp { left: Box::new(left), op: BinaryOperator::And, right: Box::new(right) };
    if let Some(condition) = equal.reduce(both) {
        *constraint = JoinConstraint::On(condition);
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

#[cfg(test)]
mod tests {
    use wanqu_sql::Text;

    use super::*;

    fn named(sql: &str) -> String {
        let text = Text::new(sql).unwrap();
        #[expect(clippy::redundant_closure_for_method_calls, reason = "the method is not one for every lifetime")]
        let mut statements = text.parse(32, |parser| parser.parse_statements()).unwrap();
        name_merged_keys(&mut statements[0]);
        statements[0].to_string()
    }

    #[test]
    fn the_key_of_a_chain_is_named_by_its_first_table() {
        for (sql, expected) in [
            ("SELECT k FROM a FULL JOIN b USING(k) WHERE k > 1", "SELECT k FROM a FULL JOIN b USING(k) WHERE a.k > 1"),
            (
                "SELECT k FROM a FULL JOIN b USING(k) FULL JOIN c USING(k) WHERE k > 1",
                "SELECT a.k FROM a FULL JOIN b USING(k) FULL JOIN c USING(k) WHERE a.k > 1",
            ),
            (
                "SELECT k, max(x) FROM a LEFT JOIN b USING(k) JOIN c USING(k) JOIN d USING(k) GROUP BY k HAVING k > 1",
                "SELECT a.k, max(x) FROM a LEFT JOIN b ON a.k = b.k JOIN c ON a.k = c.k JOIN d ON a.k = d.k GROUP BY a.k \
                 HAVING a.k > 1",
            ),
            (
                "SELECT x FROM a JOIN b USING(k, l) JOIN c USING(k, l)",
                "SELECT x FROM a JOIN b ON a.k = b.k AND a.l = b.l JOIN c ON a.k = c.k AND a.l = c.l",
            ),
            (
                "SELECT * FROM a JOIN b USING(k) JOIN c USING(k) WHERE k > 1",
                "SELECT * FROM a JOIN b USING(k) JOIN c USING(k) WHERE a.k > 1",
            ),
        ] {
            assert_eq!(named(sql), expected);
        }
        let apart = "SELECT x FROM a JOIN b USING(k) JOIN c USING(l) WHERE k > 1";
        assert_eq!(named(apart), apart);
    }
}
