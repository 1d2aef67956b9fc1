//! The merged key of RIGHT and FULL JOIN with USING, and of NATURAL ones (apache/datafusion#22881).
//!
//! `k` after `a FULL JOIN b USING (k)` is `coalesce(a.k, b.k)`, after a RIGHT JOIN `b.k`. DataFusion 55 takes `a.k`. Here
//! a projection on the join puts the merged key into the place of `a.k`; a query that also names `a.k` is refused.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::common::{Column, JoinConstraint, JoinType, Result as DfResult};
use datafusion::functions::expr_fn::coalesce;
use datafusion::logical_expr::{Expr, Join, LogicalPlan, Projection};
use datafusion::sql::sqlparser::ast::{
    Expr as SqlExpr, Ident, ObjectName, Select, SelectItem, SelectItemQualifiedWildcardKind, Statement, Visit, Visitor,
};
use wanqu_model::refusal::{Code, Refusal};

/// Columns that a statement names with their table: `(a, k)` for `a.k`, `(a, *)` for `a.*`.
#[derive(Debug, Default)]
pub struct Qualified(HashSet<(String, String)>);

impl Qualified {
    /// Collects the qualified names of a statement.
    pub fn of(statement: &Statement) -> Self {
        let mut names = Self::default();
        let _ = statement.visit(&mut names);
        names
    }

    fn add(&mut self, table: &Ident, column: &str) {
        self.0.insert((table.value.to_lowercase(), column.to_lowercase()));
    }

    fn holds(&self, column: &Column) -> bool {
        let Some(table) = &column.relation else { return false };
        let table = table.table().to_lowercase();
        self.0.contains(&(table.clone(), column.name.to_lowercase())) || self.0.contains(&(table, "*".to_owned()))
    }
}

impl Visitor for Qualified {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &SqlExpr) -> ControlFlow<()> {
        if let SqlExpr::CompoundIdentifier(parts) = expr
            && let [.., table, column] = &parts[..]
        {
            self.add(table, &column.value);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        for item in &select.projection {
            if let SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(ObjectName(parts)), _) =
                item
                && let Some(table) = parts.last().and_then(|part| part.as_ident())
            {
                self.add(table, "*");
            }
        }
        ControlFlow::Continue(())
    }
}

/// Puts merged keys on the joins of a plan.
///
/// # Errors
/// The refusal of a query that names the left side's own key beside the merged one.
pub fn merge_keys(plan: LogicalPlan, named: &Qualified) -> Result<DfResult<LogicalPlan>, Refusal> {
    let mut found = false;
    let walked = plan.apply_with_subqueries(|node| {
        found |= matches!(node, LogicalPlan::Join(join) if merges(join));
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    });
    if !found {
        return Ok(walked.map(|_| plan));
    }
    let mut refusal = None;
    let merged = plan.transform_up_with_subqueries(|node| match node {
        LogicalPlan::Join(join) if merges(&join) => {
            if let Some(column) = left_keys(&join).find(|column| named.holds(column)) {
                refusal.get_or_insert_with(|| both_named(&column));
            }
            with_merged_keys(join).map(Transformed::yes)
        }
        other => other.recompute_schema().map(Transformed::yes),
    });
    match refusal {
        Some(refusal) => Err(refusal),
        None => Ok(merged.map(|merged| merged.data)),
    }
}

/// Returns true if a join merges keys otherwise than by taking the left one.
fn merges(join: &Join) -> bool {
    join.join_constraint == JoinConstraint::Using && matches!(join.join_type, JoinType::Right | JoinType::Full)
}

fn left_keys(join: &Join) -> impl Iterator<Item = Column> {
    join.on.iter().filter_map(|(left, _)| match left {
        Expr::Column(column) => Some(column.clone()),
        _ => None,
    })
}

fn both_named(column: &Column) -> Refusal {
    Refusal::new(Code::InvalidSql, format!("{column} is named beside the key that USING or NATURAL merges"))
        .with_rule("after RIGHT or FULL JOIN … USING (k) there is one k, which is of either side")
        .with_subject(column.to_string())
        .with_remedy("write ON, and name the key of each side; or name the merged key without its table")
}

fn with_merged_keys(join: Join) -> DfResult<LogicalPlan> {
    let full = join.join_type == JoinType::Full;
    let columns = join.schema.columns();
    let merged = columns.into_iter().map(|column| {
        let key = join.on.iter().find(|(left, _)| matches!(left, Expr::Column(left) if *left == column));
        match key {
            Some((left, right)) => {
                let value = if full { coalesce(vec![left.clone(), right.clone()]) } else { right.clone() };
                value.alias_qualified(column.relation.clone(), &column.name)
            }
            None => Expr::Column(column),
        }
    });
    let merged = merged.collect();
    Ok(LogicalPlan::Projection(Projection::try_new(merged, Arc::new(LogicalPlan::Join(join)))?))
}
