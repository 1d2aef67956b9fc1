//! The tree below the aggregate: scans, aliases, projections, filters and joins, rewritten over base columns.

use std::sync::Arc;

use datafusion::common::{JoinConstraint, JoinType, NullEquality};
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{Expr, Filter, Join, LogicalPlan, Operator, Projection, binary_expr};
use wanqu_model::columns::ColumnClass;
use wanqu_model::refusal::{Code, Refusal};

use super::base::BaseExpr;
use super::join::{self, Side};
use super::judge::Judge;
use super::node::{Node, Rows};
use super::{base, predicate, refusals, scalar, subquery};

/// The most operators below each other. The walk takes a piece of the stack for each.
const MAX_DEPTH: usize = 100;

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
        if let Some(name) = base::reserved_name(plan) {
            self.refuse("SELECT", refusals::reserved(&name));
            return None;
        }
        Some(node)
    }

    fn subtree(&mut self, plan: &LogicalPlan, above: &[Pending]) -> Option<Node> {
        match plan {
            LogicalPlan::TableScan(scan) => {
                let first = self.tables.leaves.len();
                let Some((plan, columns)) = self.tables.add(scan) else {
                    self.refuse("FROM", Refusal::new(Code::Internal, "a table is not one of the catalog's"));
                    return None;
                };
                let leaf = &self.tables.leaves[first];
                let rows = Rows {
                    once: (!leaf.public).then_some(first).into_iter().collect(),
                    single: (!leaf.public && leaf.has_one_row_per_unit()).then_some(first).into_iter().collect(),
                };
                Some(Node { plan, columns, leaves: first..first + 1, rows })
            }
            LogicalPlan::SubqueryAlias(alias) => {
                let above: Vec<Pending> = above.iter().filter_map(|p| p.below(plan, &alias.input)).collect();
                self.tree(&alias.input, &above)
            }
            LogicalPlan::Projection(projection) => self.projection(projection),
            LogicalPlan::Filter(filter) => self.filter(filter, above),
            LogicalPlan::Join(join) => self.join(join, above),
            LogicalPlan::Aggregate(_) if !self.aggregating => {
                self.refuse("HAVING", refusals::computed_output());
                None
            }
            other => {
                let refusal = refusals::operator(other, &self.tables);
                self.refuse("SELECT", refusal);
                None
            }
        }
    }

    fn projection(&mut self, projection: &Projection) -> Option<Node> {
        let node = self.tree(&projection.input, &[])?;
        let mut columns = Vec::new();
        for expr in &projection.expr {
            let rewritten = self.over_base(expr, &projection.input, &node.columns)?;
            self.computed("SELECT", &rewritten.expr);
            columns.push(rewritten);
        }
        Some(Node { columns, ..node })
    }

    /// Judges an expression that is computed and not yet used: a column as it is may have any class but sealed.
    fn computed(&mut self, operator: &str, expr: &Expr) {
        let verdict = match expr {
            Expr::Column(column) if self.tables.class(column) == ColumnClass::Sealed => {
                Err(predicate::sealed(column, &self.tables))
            }
            Expr::Column(_) => return,
            computed => predicate::classes(computed, &self.tables).and_then(|()| scalar::check(computed, &self.tables)),
        };
        if let Err(refusal) = verdict {
            self.refuse(operator, refusal);
        }
    }

    fn filter(&mut self, filter: &Filter, above: &[Pending]) -> Option<Node> {
        let mut pending = above.to_vec();
        pending.extend(split_conjunction(&filter.predicate).into_iter().map(|e| Pending(e.clone())));
        let node = self.tree(&filter.input, &pending)?;
        let predicate = self.over_base(&filter.predicate, &filter.input, &node.columns)?.expr;
        let mut conditions = Vec::new();
        for conjunct in split_conjunction(&predicate) {
            if subquery::has_members(conjunct) {
                conditions.push(self.members(conjunct, &node, &mut |judge, plan| judge.tree(plan, &[]))?);
            } else {
                self.condition("WHERE", conjunct);
                conditions.push(conjunct.clone());
            }
        }
        // The tables of subqueries belong to this part of the tree, too.
        let leaves = node.leaves.start..self.tables.leaves.len();
        let predicate = conditions.into_iter().reduce(|a, b| binary_expr(a, Operator::And, b)).unwrap_or(predicate);
        let plan = self.built(Filter::try_new(predicate, Arc::new(node.plan)).map(LogicalPlan::Filter))?;
        Some(Node { plan, leaves, ..node })
    }

    fn join(&mut self, join: &Join, above: &[Pending]) -> Option<Node> {
        let left = self.tree(&join.left, &below_side(above, &join.left))?;
        let right = self.tree(&join.right, &below_side(above, &join.right))?;
        let both: Vec<BaseExpr> = left.columns.iter().chain(&right.columns).cloned().collect();
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
            let rewritten = self.over_base_in(condition, &schema, &both)?.expr;
            if matches!(rewritten, Expr::Literal(ref value, _) if *value == datafusion::common::ScalarValue::Boolean(Some(true)))
            {
                continue;
            }
            self.condition("ON", &rewritten);
            on.push(rewritten);
        }
        let mut met: Vec<Expr> = on.clone();
        if shows_both(join.join_type) {
            for Pending(condition) in above {
                if condition.column_refs().iter().all(|c| schema.has_column(c)) {
                    met.push(self.over_base_in(condition, &schema, &both)?.expr);
                }
            }
        }
        match join.join_type {
            JoinType::Left => self.tables.fill(right.leaves.clone()),
            JoinType::Right => self.tables.fill(left.leaves.clone()),
            JoinType::Full => self.tables.fill(left.leaves.start..right.leaves.end),
            _ => {}
        }
        let sides = (Side::new(&left, &self.tables), Side::new(&right, &self.tables));
        let rows = match join::check(join, &sides.0, &sides.1, &met, self) {
            Ok(rows) => {
                self.admit_operator("JOIN", join_name(join.join_type), "inputs may be joined on equal keys");
                rows
            }
            Err(refusal) => {
                self.refuse("JOIN", refusal);
                Rows::default()
            }
        };
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
        Some(Node { plan, columns, leaves, rows })
    }
}

/// Condition of a filter further up, over the columns of the plan at hand.
#[derive(Debug, Clone)]
pub(super) struct Pending(Expr);

impl Pending {
    /// Returns the condition over the columns of an alias's input, which are the same under other names.
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

/// Returns the conditions from above that read one side of a join alone.
fn below_side(above: &[Pending], side: &LogicalPlan) -> Vec<Pending> {
    let schema = side.schema();
    above.iter().filter(|Pending(e)| e.column_refs().iter().all(|c| schema.has_column(c))).cloned().collect()
}

/// Returns true if the rows of both sides are in the result.
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
    Refusal::new(Code::UnknownName, "both sides of a join have a column of one name")
        .with_rule("the columns of a join have different qualified names")
        .with_subject("JOIN")
        .with_remedy("give each table an alias of its own")
}

fn too_deep() -> Refusal {
    Refusal::new(Code::Limit, "the query is nested too deeply")
        .with_rule(format!("over non-public data at most {MAX_DEPTH} operators lie below each other"))
        .with_subject("FROM")
        .with_remedy("use fewer levels of derived tables and joins")
}
