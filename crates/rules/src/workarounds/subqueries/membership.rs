//! `x IN (SELECT y …)` and `x NOT IN (SELECT y …)` with SQL's three values.
//!
//! Two questions that are true or false decide it: `found`, whether a y equals x, and `absent`, whether NOT IN is true:
//! no y equals x, no y is NULL, and x is not NULL unless there is no y at all. IN is `found`, its negation `absent`,
//! and NULL where neither holds. A condition that only asks whether it is true gets by with one of them.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, Result as DfResult, ScalarValue};
use datafusion::logical_expr::expr::{Exists, InSubquery};
use datafusion::logical_expr::{BinaryExpr, Expr, LogicalPlan, LogicalPlanBuilder, Operator, Subquery, lit, when};

use super::{capture, existence, is_correlated, scalar, shape, subquery};

/// Use that is made of a condition's truth value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// Its truth: the condition may be false in place of NULL.
    True,
    /// Its being false: the condition may be true in place of NULL.
    False,
    /// Its value.
    Value,
}

/// Rewrites the memberships of a predicate, which keeps the rows for which it is true.
pub(super) fn in_condition(predicate: Expr, outer: &DFSchema) -> DfResult<Expr> {
    let conjuncts = datafusion::logical_expr::utils::split_conjunction_owned(predicate);
    let rewritten = conjuncts.into_iter().map(|conjunct| match conjunct {
        // DataFusion's null-aware anti-join is right for this one.
        Expr::InSubquery(member) if is_plain(&member) => Ok(Expr::InSubquery(member)),
        Expr::Not(inner) => match *inner {
            Expr::InSubquery(mut member) if is_plain(&member) => {
                member.negated = !member.negated;
                Ok(Expr::InSubquery(member))
            }
            inner => rewrite(Expr::Not(Box::new(inner)), Asked::True, outer),
        },
        other => rewrite(other, Asked::True, outer),
    });
    let rewritten = rewritten.collect::<DfResult<Vec<_>>>()?;
    Ok(rewritten.into_iter().reduce(Expr::and).unwrap_or_else(scalar::always))
}

/// Rewrites the memberships of an expression whose value is shown.
pub(super) fn in_value(expr: Expr, outer: &DFSchema) -> DfResult<Expr> {
    rewrite(expr, Asked::Value, outer)
}

/// Returns true for a membership of a column in an uncorrelated subquery.
fn is_plain(member: &InSubquery) -> bool {
    matches!(member.expr.as_ref(), Expr::Column(_)) && !is_correlated(&member.subquery.subquery)
}

/// Rewrites a membership in a correlated subquery that always has one row as a comparison with it.
pub(super) fn over_one_row(member: InSubquery) -> DfResult<Transformed<Expr>> {
    let plan = &member.subquery.subquery;
    if !is_correlated(plan) || !scalar::has_one_row(plan) {
        return Ok(Transformed::no(Expr::InSubquery(member)));
    }
    scalar::compared(*member.expr, member.subquery, member.negated).map(Transformed::yes)
}

fn rewrite(expr: Expr, asked: Asked, outer: &DFSchema) -> DfResult<Expr> {
    let boxed = |expr: Box<Expr>, asked| rewrite(*expr, asked, outer).map(Box::new);
    Ok(match expr {
        Expr::BinaryExpr(BinaryExpr { left, op: op @ (Operator::And | Operator::Or), right }) => {
            Expr::BinaryExpr(BinaryExpr::new(boxed(left, asked)?, op, boxed(right, asked)?))
        }
        Expr::Not(inner) => Expr::Not(boxed(
            inner,
            match asked {
                Asked::True => Asked::False,
                Asked::False => Asked::True,
                Asked::Value => Asked::Value,
            },
        )?),
        Expr::IsTrue(inner) => Expr::IsTrue(boxed(inner, Asked::True)?),
        Expr::IsNotTrue(inner) => Expr::IsNotTrue(boxed(inner, Asked::True)?),
        Expr::IsFalse(inner) => Expr::IsFalse(boxed(inner, Asked::False)?),
        Expr::IsNotFalse(inner) => Expr::IsNotFalse(boxed(inner, Asked::False)?),
        Expr::InSubquery(member) => of_member(member, asked, outer)?,
        other => other.map_children(|child| rewrite(child, Asked::Value, outer).map(Transformed::yes))?.data,
    })
}

fn of_member(member: InSubquery, asked: Asked, outer: &DFSchema) -> DfResult<Expr> {
    let InSubquery { expr, subquery: inner, negated } = member;
    shape::check(&inner.subquery)?;
    let value = *expr;
    let found = || found(&value, &inner);
    let absent = || absent(&value, &inner, outer);
    Ok(match (asked, negated) {
        (Asked::True, false) => found(),
        (Asked::True, true) => absent()?,
        (Asked::False, false) => Expr::Not(Box::new(absent()?)),
        (Asked::False, true) => not_found(&value, &inner, outer)?,
        (Asked::Value, _) => {
            let (found_is, absent_is) = (lit(!negated), lit(negated));
            when(found(), found_is).when(absent()?, absent_is).end()?
        }
    })
}

/// Returns the condition that the subquery holds the value. It is true or false.
fn found(value: &Expr, inner: &Subquery) -> Expr {
    if is_null(value) {
        return lit(false);
    }
    Expr::InSubquery(InSubquery::new(Box::new(value.clone()), inner.clone(), false))
}

/// Returns the condition that the subquery does not hold the value. It is true or false. It is EXISTS that says so: the
/// negation of IN would be taken for NOT IN again.
fn not_found(value: &Expr, inner: &Subquery, outer: &DFSchema) -> DfResult<Expr> {
    if is_null(value) {
        return Ok(lit(true));
    }
    let value = value.clone().transform(|e| {
        let Expr::Column(column) = e else { return Ok(Transformed::no(e)) };
        let (_, field) = outer.qualified_field_from_column(&column)?;
        Ok(Transformed::yes(Expr::OuterReferenceColumn(Arc::clone(field), column)))
    })?;
    let plan = capture::apart(&value.data, existence::without_order(&inner.subquery).clone())?;
    let found = value.data.eq(member_of(&plan));
    let equal = LogicalPlanBuilder::from(plan).filter(found)?.build()?;
    Ok(Expr::Exists(Exists { subquery: subquery(equal), negated: true }))
}

/// Returns the column of a subquery.
fn member_of(plan: &LogicalPlan) -> Expr {
    let (qualifier, field) = plan.schema().qualified_field(0);
    Expr::Column(Column::new(qualifier.cloned(), field.name()))
}

/// Returns the condition that NOT IN is true. It is true or false.
fn absent(value: &Expr, inner: &Subquery, outer: &DFSchema) -> DfResult<Expr> {
    let plan = inner.subquery.as_ref();
    let empty = not_exists(plan)?;
    if is_null(value) {
        return Ok(empty);
    }
    let mut all = not_found(value, inner, outer)?;
    if plan.schema().field(0).is_nullable() {
        let of_null = LogicalPlanBuilder::from(plan.clone()).filter(member_of(plan).is_null())?.build()?;
        all = all.and(not_exists(&of_null)?);
    }
    if matches!(value, Expr::Literal(..)) {
        return Ok(all);
    }
    Ok(all.and(value.clone().is_not_null().or(empty)))
}

/// Returns the condition that a plan has no row. Where it reads no outer row, one row is enough to know.
fn not_exists(plan: &LogicalPlan) -> DfResult<Expr> {
    let plan = existence::without_order(plan).clone();
    let plan = if is_correlated(&plan) { plan } else { LogicalPlanBuilder::from(plan).limit(0, Some(1))?.build()? };
    Ok(Expr::Exists(Exists { subquery: subquery(plan), negated: true }))
}

fn is_null(value: &Expr) -> bool {
    match value {
        Expr::Literal(value, _) => value.is_null() || *value == ScalarValue::Null,
        Expr::Cast(cast) => is_null(&cast.expr),
        _ => false,
    }
}
