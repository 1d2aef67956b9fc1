//! The tree below the aggregate: scans, aliases, projections, filters and joins, rewritten over base columns.

use std::sync::Arc;

use datafusion::common::{JoinConstraint, JoinType, NullEquality};
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{Distinct, Expr, Filter, Join, LogicalPlan, Operator, Projection, binary_expr};
use wanqu_model::columns::ColumnClass;
use wanqu_model::refusal::{Code, Refusal};

use super::ground::Grounded;
use super::join::{self, Side};
use super::judge::Judge;
use super::{predicate, remedy, scalar, subquery};

/// The most operators below each other. The walk takes a piece of the stack for each.
const MAX_DEPTH: usize = 100;

/// A subtree over base columns.
pub(super) struct Node {
    /// The plan to run.
    pub plan: LogicalPlan,
    /// What each column of the original plan's schema is, over base columns.
    pub columns: Vec<Grounded>,
    /// Which leaves are in it, hidden sides of semi-joins included.
    pub leaves: std::ops::Range<usize>,
}

impl Judge<'_> {
    /// Rewrites a subtree. `above` are the conditions that every row of it will have to meet further up, over base
    /// columns. `None` if the walk cannot go on; a refusal is then on record.
    pub(super) fn tree(&mut self, plan: &LogicalPlan, above: &[Pending]) -> Option<Node> {
        if self.depth == MAX_DEPTH {
            self.refuse("FROM", too_deep());
            return None;
        }
        self.depth += 1;
        let node = self.subtree(plan, above);
        self.depth -= 1;
        let node = node?;
        if let Some(name) = super::ground::reserved_name(plan) {
            self.refuse("SELECT", reserved(&name));
            return None;
        }
        Some(node)
    }

    fn subtree(&mut self, plan: &LogicalPlan, above: &[Pending]) -> Option<Node> {
        match plan {
            LogicalPlan::TableScan(scan) => {
                let first = self.ground.leaves.len();
                let Some((plan, columns)) = self.ground.add(scan) else {
                    self.refuse("FROM", Refusal::new(Code::Internal, "a table is not one of the catalog's"));
                    return None;
                };
                Some(Node { plan, columns, leaves: first..first + 1 })
            }
            LogicalPlan::SubqueryAlias(alias) => {
                let above: Vec<Pending> = above.iter().filter_map(|p| p.below(plan, &alias.input)).collect();
                self.tree(&alias.input, &above)
            }
            LogicalPlan::Projection(projection) => self.projection(projection),
            LogicalPlan::Filter(filter) => self.filter(filter, above),
            LogicalPlan::Join(join) => self.join(join, above),
            LogicalPlan::Aggregate(_) if !self.aggregating => {
                self.refuse("HAVING", super::judge::computed_output());
                None
            }
            other => {
                let refusal = operator(other, self);
                self.refuse("SELECT", refusal);
                None
            }
        }
    }

    fn projection(&mut self, projection: &Projection) -> Option<Node> {
        let node = self.tree(&projection.input, &[])?;
        let mut columns = Vec::new();
        for expr in &projection.expr {
            let grounded = self.ground(expr, &projection.input, &node.columns)?;
            self.computed("SELECT", &grounded.expr);
            columns.push(grounded);
        }
        Some(Node { columns, ..node })
    }

    /// An expression that is computed but not yet used: a bare column may be anything but sealed.
    fn computed(&mut self, operator: &str, expr: &Expr) {
        let verdict = match expr {
            Expr::Column(column) if self.ground.class(column) == ColumnClass::Sealed => {
                Err(predicate::sealed(column, &self.ground))
            }
            Expr::Column(_) => return,
            computed => predicate::classes(computed, &self.ground).and_then(|()| scalar::check(computed, &self.ground)),
        };
        if let Err(refusal) = verdict {
            self.refuse(operator, refusal);
        }
    }

    fn filter(&mut self, filter: &Filter, above: &[Pending]) -> Option<Node> {
        let mut pending = above.to_vec();
        pending.extend(split_conjunction(&filter.predicate).into_iter().map(|e| Pending(e.clone())));
        let node = self.tree(&filter.input, &pending)?;
        let predicate = self.ground(&filter.predicate, &filter.input, &node.columns)?.expr;
        let mut conditions = Vec::new();
        for conjunct in split_conjunction(&predicate) {
            if subquery::has_members(conjunct) {
                conditions.push(self.members(conjunct, &node)?);
            } else {
                self.condition("WHERE", conjunct);
                conditions.push(conjunct.clone());
            }
        }
        // What subqueries hide belongs to this part of the tree, too.
        let leaves = node.leaves.start..self.ground.leaves.len();
        let predicate = conditions.into_iter().reduce(|a, b| binary_expr(a, Operator::And, b)).unwrap_or(predicate);
        let plan = self.built(Filter::try_new(predicate, Arc::new(node.plan)).map(LogicalPlan::Filter))?;
        Some(Node { plan, leaves, ..node })
    }

    /// One condition of a WHERE or ON.
    pub(super) fn condition(&mut self, operator: &str, conjunct: &Expr) {
        if let Some((left, right)) = predicate::unit_link(conjunct, &self.ground) {
            let rule = "an identifier may be joined with an identifier of another non-public table";
            for column in [left.clone(), right.clone()] {
                self.admit_column(operator, &column, rule);
            }
            return;
        }
        let verdict =
            predicate::check(conjunct, &self.ground).and_then(|()| predicate::across_tables(conjunct, &self.ground));
        match verdict {
            Ok(()) => self.admit_columns(
                operator,
                conjunct,
                "rows may be filtered by public columns, dimensions and measures",
            ),
            Err(refusal) => self.refuse(operator, refusal),
        }
    }

    fn join(&mut self, join: &Join, above: &[Pending]) -> Option<Node> {
        let left = self.tree(&join.left, &below_side(above, &join.left))?;
        let right = self.tree(&join.right, &below_side(above, &join.right))?;
        let both: Vec<Grounded> = left.columns.iter().chain(&right.columns).cloned().collect();
        let Ok(schema) = join.left.schema().join(join.right.schema()).map(Arc::new) else {
            self.refuse("JOIN", same_names());
            return None;
        };
        let equality = match join.null_equality {
            NullEquality::NullEqualsNothing => Operator::Eq,
            NullEquality::NullEqualsNull => Operator::IsNotDistinctFrom,
        };
        let mut conditions: Vec<Expr> =
            join.on.iter().map(|(l, r)| binary_expr(l.clone(), equality, r.clone())).collect();
        conditions.extend(join.filter.iter().flat_map(|f| split_conjunction(f).into_iter().cloned()));
        let mut on = Vec::new();
        for condition in &conditions {
            let grounded = self.ground_in(condition, &schema, &both)?.expr;
            if matches!(grounded, Expr::Literal(ref value, _) if *value == datafusion::common::ScalarValue::Boolean(Some(true)))
            {
                continue;
            }
            self.condition("ON", &grounded);
            on.push(grounded);
        }
        let mut met: Vec<Expr> = on.clone();
        if shows_both(join.join_type) {
            for Pending(condition) in above {
                if condition.column_refs().iter().all(|c| schema.has_column(c)) {
                    met.push(self.ground_in(condition, &schema, &both)?.expr);
                }
            }
        }
        match join.join_type {
            JoinType::Left => self.ground.fill(right.leaves.clone()),
            JoinType::Right => self.ground.fill(left.leaves.clone()),
            JoinType::Full => self.ground.fill(left.leaves.start..right.leaves.end),
            _ => {}
        }
        let sides = (Side::new(&left, &self.ground), Side::new(&right, &self.ground));
        let verdict = join::check(join, &sides.0, &sides.1, &met, self);
        match verdict {
            Ok(()) => self.admit_operator("JOIN", join_name(join.join_type), "inputs may be joined on equal keys"),
            Err(refusal) => self.refuse("JOIN", refusal),
        }
        let columns = match join.join_type {
            JoinType::LeftSemi | JoinType::LeftAnti => left.columns,
            JoinType::RightSemi | JoinType::RightAnti => right.columns,
            _ => both,
        };
        let leaves = left.leaves.start..right.leaves.end;
        let filter = on.into_iter().reduce(|a, b| binary_expr(a, Operator::And, b));
        let built = Join::try_new(
            Arc::new(left.plan),
            Arc::new(right.plan),
            vec![],
            filter,
            join.join_type,
            JoinConstraint::On,
            NullEquality::NullEqualsNothing,
            false,
        );
        let plan = self.built(built.map(LogicalPlan::Join))?;
        Some(Node { plan, columns, leaves })
    }
}

/// A condition of a filter further up, over the columns of the plan at hand.
#[derive(Debug, Clone)]
pub(super) struct Pending(Expr);

impl Pending {
    /// The same condition over the columns of an alias's input, which are the same under another name.
    fn below(&self, alias: &LogicalPlan, input: &LogicalPlan) -> Option<Self> {
        use datafusion::common::tree_node::{Transformed, TreeNode};
        let (outer, inner) = (alias.schema(), input.schema());
        let renamed = self.0.clone().transform(|node| {
            Ok(match node {
                Expr::Column(c) => match outer.maybe_index_of_column(&c) {
                    Some(index) => Transformed::yes(Expr::Column(inner.qualified_field(index).into())),
                    None => Transformed::no(Expr::Column(c)),
                },
                other => Transformed::no(other),
            })
        });
        renamed.ok().map(|t| Self(t.data))
    }
}

/// The conditions from above that speak of one side of a join alone.
fn below_side(above: &[Pending], side: &LogicalPlan) -> Vec<Pending> {
    let schema = side.schema();
    above.iter().filter(|Pending(e)| e.column_refs().iter().all(|c| schema.has_column(c))).cloned().collect()
}

/// Whether the rows of both sides are in the result.
pub(super) fn shows_both(join_type: JoinType) -> bool {
    match join_type {
        JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full => true,
        JoinType::LeftSemi
        | JoinType::LeftAnti
        | JoinType::RightSemi
        | JoinType::RightAnti
        | JoinType::LeftMark
        | JoinType::RightMark => false,
    }
}

fn join_name(join_type: JoinType) -> String {
    format!("{join_type} join")
}

fn same_names() -> Refusal {
    Refusal::new(Code::UnknownName, "two sides of a join have columns of one name")
        .with_rule("a column of a join has one name")
        .with_subject("JOIN")
        .with_remedy("give each table an alias of its own")
}

fn too_deep() -> Refusal {
    Refusal::new(Code::Limit, "the query is nested too deeply")
        .with_rule(format!("over non-public data at most {MAX_DEPTH} operators lie below each other"))
        .with_subject("FROM")
        .with_remedy("use fewer levels of derived tables and joins")
}

pub(super) fn reserved(name: &str) -> Refusal {
    Refusal::new(Code::UnknownName, "a name that begins with __ or # is reserved")
        .with_rule("names of columns and aliases do not begin with __ or #")
        .with_subject(name.chars().take(40).collect::<String>())
        .with_remedy("choose another name")
}

/// The refusal of an operator that does not belong below (or above) the aggregate.
pub(super) fn operator(plan: &LogicalPlan, judge: &Judge<'_>) -> Refusal {
    let what = match plan {
        LogicalPlan::Aggregate(_) => "an aggregate of an aggregate",
        LogicalPlan::Sort(_) => "ORDER BY",
        LogicalPlan::Limit(_) => "LIMIT",
        LogicalPlan::Window(_) => "a window function",
        LogicalPlan::Union(_) => "a set operation",
        LogicalPlan::Distinct(Distinct::All(_)) => "DISTINCT",
        LogicalPlan::Distinct(Distinct::On(_)) => "DISTINCT ON",
        LogicalPlan::Subquery(_) => "a subquery",
        LogicalPlan::Values(_) | LogicalPlan::EmptyRelation(_) => "a list of literal rows",
        LogicalPlan::Unnest(_) => "UNNEST",
        LogicalPlan::RecursiveQuery(_) => "a recursive query",
        LogicalPlan::Projection(_)
        | LogicalPlan::Filter(_)
        | LogicalPlan::Join(_)
        | LogicalPlan::TableScan(_)
        | LogicalPlan::SubqueryAlias(_) => "rows",
        _ => "a statement that is not a query",
    };
    Refusal::new(Code::NotAnAggregate, format!("{what} over non-public data cannot be released"))
        .with_rule("a fragment over non-public data is one aggregate over filtered and joined tables, and nothing else")
        .with_subject(what)
        .with_remedy(remedy::grouped_count(&judge.ground))
}
