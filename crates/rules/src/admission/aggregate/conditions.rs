//! The conditions inside an aggregate, which the gate counts like groups: filters, CASEs, values that may be NULL.

use std::collections::BTreeSet;

use datafusion::common::Column;
use datafusion::common::tree_node::TreeNode;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, Operator, binary_expr};

use crate::admission::families::Condition;
use crate::admission::linear::Linear;

pub(in crate::admission) fn both(a: Option<&Expr>, b: Option<&Expr>) -> Option<Expr> {
    match (a, b) {
        (Some(a), Some(b)) => Some(binary_expr(a.clone(), Operator::And, b.clone())),
        (Some(one), None) | (None, Some(one)) => Some(one.clone()),
        (None, None) => None,
    }
}

pub(in crate::admission) fn and(base: Option<&Expr>, also: Expr) -> Expr {
    match base {
        Some(base) => binary_expr(base.clone(), Operator::And, also),
        None => also,
    }
}

/// Returns the conditions of a filter and of a CASE inside it.
pub(super) fn selections(filter: Option<&Expr>, case: Option<&Expr>) -> Vec<Condition> {
    let mut conditions = Vec::new();
    if let Some(filter) = filter {
        conditions.push(Condition::selects(filter.clone(), true));
    }
    if let Some(met) = both(filter, case).filter(|_| case.is_some()) {
        conditions.push(Condition::selects(met, true));
    }
    if let (Some(filter), Some(case)) = (filter, case) {
        let dropped = and(Some(filter), Expr::IsNotTrue(Box::new(case.clone())));
        conditions.push(Condition::selects(dropped, false));
    }
    conditions
}

/// Returns the conditions of values that may be NULL, among the rows that `base` keeps. `measures` are those added up.
pub(super) fn presence(
    base: Option<&Expr>,
    present: Expr,
    measures: BTreeSet<String>,
    null_tells: bool,
) -> Vec<Condition> {
    // With a base, the rows that it keeps and that have no value are a part of the family already.
    let complement = null_tells && base.is_none();
    vec![Condition { met: and(base, present), complement, chooses: null_tells, common: false, measures }]
}

/// Returns the condition that a value is not NULL.
pub(in crate::admission) fn given(value: &Expr) -> Expr {
    Expr::IsNotNull(Box::new(stripped(value).clone()))
}

/// Returns the condition that a summand is not NULL, as one over its columns: so `cost` and `cost * cost` have the same.
pub(in crate::admission) fn all_given(form: &Linear, value: &Expr) -> Expr {
    let fallible = value.exists(|e| Ok(matches!(e, Expr::TryCast(_)))).unwrap_or(true);
    let columns: BTreeSet<&Column> = form.columns().collect();
    let columns = columns.into_iter().map(|column| given(&Expr::Column(column.clone())));
    if fallible { given(value) } else { conjunction(columns).unwrap_or_else(|| given(value)) }
}

/// Strips the exact casts around an expression: they keep every value, NULL included.
pub(in crate::admission) fn stripped(expr: &Expr) -> &Expr {
    match expr {
        Expr::Cast(cast) => stripped(&cast.expr),
        other => other,
    }
}
