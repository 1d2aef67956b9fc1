//! `x IN (SELECT y …)` in a WHERE: a semi-join that may stand under OR, so that a row is kept for another reason too.
//!
//! The rules are those of a semi-join: the hidden side is public, or the privacy unit links the two, so that who is
//! hidden is who is counted. `NOT IN` over non-public data is refused: one record without an identifier on the hidden
//! side would empty the whole answer, and tell that it exists.

use std::sync::Arc;

use datafusion::common::Spans;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::expr::InSubquery;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, Operator, Subquery, binary_expr, lit};
use wanqu_model::refusal::{Code, Refusal};

use super::join::{self, Side};
use super::judge::Judge;
use super::node::Node;
use super::predicate;

/// Walk over the plan of a subquery: rewrites it over base columns, or puts a refusal on record.
pub(super) type Walk<'w> = dyn FnMut(&mut Judge<'_>, &LogicalPlan) -> Option<Node> + 'w;

/// Returns true if an expression holds a subquery of this kind.
pub(super) fn has_members(expr: &Expr) -> bool {
    expr.exists(|e| Ok(matches!(e, Expr::InSubquery(_)))).unwrap_or(true)
}

impl Judge<'_> {
    /// Judges the subqueries of a condition over base columns. `None` if one is refused; the refusal is on record.
    pub(super) fn members(&mut self, condition: &Expr, outer: &Node, walk: &mut Walk<'_>) -> Option<Expr> {
        let mut refused = false;
        let judged = condition.clone().transform_down(|expr| {
            let Expr::InSubquery(member) = expr else { return Ok(Transformed::no(expr)) };
            let Some(judged) = self.member(&member, outer, walk) else {
                refused = true;
                return Ok(Transformed::new(Expr::InSubquery(member), false, TreeNodeRecursion::Stop));
            };
            Ok(Transformed::new(judged, true, TreeNodeRecursion::Jump))
        });
        let around = condition.clone().transform_down(|expr| {
            let member = matches!(expr, Expr::InSubquery(_));
            Ok(if member { Transformed::new(lit(true), true, TreeNodeRecursion::Jump) } else { Transformed::no(expr) })
        });
        let (judged, around) = (self.built(judged)?.data, self.built(around)?.data);
        match predicate::check(&around, &self.tables) {
            Ok(()) => {
                self.admit_columns("WHERE", &around, predicate::filter_rule(&self.tables));
            }
            Err(refusal) => {
                self.refuse("WHERE", refusal);
                refused = true;
            }
        }
        (!refused).then_some(judged)
    }

    fn member(&mut self, member: &InSubquery, outer: &Node, walk: &mut Walk<'_>) -> Option<Expr> {
        if !member.subquery.outer_ref_columns.is_empty() {
            self.refuse(
                "IN",
                form(
                    "a subquery that reads the outer query",
                    "compare in IN, or write EXISTS as a condition of its own",
                ),
            );
            return None;
        }
        let inner = walk(self, &member.subquery.subquery)?;
        let [value] = &inner.columns[..] else {
            self.refuse("IN", form("a subquery of several columns", "select one column"));
            return None;
        };
        let value = value.expr.clone();
        let equality = binary_expr((*member.expr).clone(), Operator::Eq, value.clone());
        self.condition("IN", &equality);
        let sides = (Side::new(outer, &self.tables), Side::new(&inner, &self.tables));
        if let Err(refusal) = join::member(&sides.0, &sides.1, &equality, member.negated, &self.tables) {
            self.refuse("IN", refusal);
            return None;
        }
        self.admit_operator("IN", "subquery".to_owned(), "IN may compare public values, or privacy units");
        let plan = LogicalPlanBuilder::from(inner.plan).project([value.alias("member")]);
        let plan = self.built(plan.and_then(LogicalPlanBuilder::build))?;
        let subquery = Subquery { subquery: Arc::new(plan), outer_ref_columns: vec![], spans: Spans::new() };
        let found = Expr::InSubquery(InSubquery { expr: member.expr.clone(), subquery, negated: member.negated });
        // A NULL on the hidden side would make the comparison NULL where nothing is found, and so could be asked for.
        let protected = inner.leaves.clone().any(|leaf| self.tables.leaves.get(leaf).is_none_or(|leaf| !leaf.public));
        Some(if protected { Expr::IsTrue(Box::new(found)) } else { found })
    }
}

fn form(what: &str, remedy: &str) -> Refusal {
    Refusal::new(Code::NotAnAggregate, format!("{what} cannot be run over non-public data"))
        .with_rule("a subquery in WHERE is IN over one column of filtered and joined tables")
        .with_subject(what)
        .with_remedy(remedy)
}
