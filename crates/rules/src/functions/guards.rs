//! Conditions beside each other in AND and OR, some of which can fail: `n <> 0 AND 100 / n > 20`.
//!
//! SQL leaves the order open, and PostgreSQL keeps to the text's for conditions of equal cost. The engine computes both for all
//! rows. Here an operand that can fail is computed where the operands that cannot do not decide, and neither do those before it
//! that can. So is the key of a join, for which the conditions on its own side of the join count.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, NullEquality, Result as DfResult, TableReference};
use datafusion::logical_expr::expr::{Case, Cast};
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, Join, LogicalPlan, Operator, lit};

use super::ruled::has_rule;
use crate::expressions::has_subquery;

/// Most operands of one chain that can fail and that those after them wait for.
const MOST_IN_ORDER: usize = 16;

/// Most chains within each other that are guarded. The engine's time for a CASE within another grows by a factor with each.
const MOST_LEVELS: u8 = 4;

/// Most parts of an operand that others wait for: it is written twice.
const MOST_PARTS: usize = 100;

/// Returns the expression with chains of AND and OR in which an operand that can fail is a branch, taken where the others
/// leave the chain open.
///
/// # Errors
/// If a part of the expression has no type.
pub(super) fn guarded(expr: Expr, schema: &DFSchema) -> DfResult<Expr> {
    within(expr, schema, MOST_LEVELS)
}

fn within(expr: Expr, schema: &DFSchema, levels: u8) -> DfResult<Expr> {
    if levels == 0 || !fails(&expr, schema)? {
        return Ok(expr);
    }
    let whole = expr.transform_down(|part| {
        Ok(match guarded_chain(&part, schema, levels)? {
            Some(chain) => Transformed::new(chain, true, TreeNodeRecursion::Jump),
            None => with_filtered_arguments(part, schema)?,
        })
    });
    whole.map(|whole| whole.data)
}

/// Returns a join whose keys are computed where the conditions on their own side of it are not false. A row for which one is
/// false matches nothing, as a NULL does.
///
/// # Errors
/// If a part of a key has no type.
pub(super) fn guarded_keys(plan: LogicalPlan) -> DfResult<Transformed<LogicalPlan>> {
    let LogicalPlan::Join(mut join) = plan else { return Ok(Transformed::no(plan)) };
    if join.filter.is_none() || join.null_aware || join.null_equality == NullEquality::NullEqualsNull {
        return Ok(Transformed::no(LogicalPlan::Join(join)));
    }
    let (left, right) = (guards_of(&join, &join.left)?, guards_of(&join, &join.right)?);
    let mut changed = false;
    let mut guard = |key: Expr, guards: Option<&Expr>, schema: &DFSchema| match guards {
        Some(guards) if fails(&key, schema)? => {
            changed = true;
            Ok::<_, datafusion::common::DataFusionError>(where_open(key, guards))
        }
        _ => Ok(key),
    };
    join.on = std::mem::take(&mut join.on)
        .into_iter()
        .map(|(l, r)| {
            Ok((guard(l, left.as_ref(), join.left.schema())?, guard(r, right.as_ref(), join.right.schema())?))
        })
        .collect::<DfResult<_>>()?;
    Ok(Transformed::new_transformed(LogicalPlan::Join(join), changed))
}

/// Returns the conditions of a join that cannot fail and are over one of its sides alone; `None` if there are none.
fn guards_of(join: &Join, side: &Arc<LogicalPlan>) -> DfResult<Option<Expr>> {
    let mut guards = vec![];
    for condition in join.filter.iter().flat_map(split_conjunction) {
        let refs = condition.column_refs();
        let of_side = !refs.is_empty() && refs.into_iter().all(|column| side.schema().has_column(column));
        if of_side && is_safe(condition, side.schema())? {
            guards.push(condition.clone());
        }
    }
    Ok(chained(guards, Operator::And))
}

/// Returns a value that is NULL where the conditions are false.
fn where_open(value: Expr, conditions: &Expr) -> Expr {
    taken(value, Expr::IsNotFalse(Box::new(conditions.clone())))
}

/// Returns a value that is NULL where the condition is not true.
fn taken(value: Expr, condition: Expr) -> Expr {
    Expr::Case(Case { expr: None, when_then_expr: vec![(Box::new(condition), Box::new(value))], else_expr: None })
}

/// Returns an aggregate whose arguments are computed where its FILTER takes the row, if they can fail; any other expression as it is.
fn with_filtered_arguments(part: Expr, schema: &DFSchema) -> DfResult<Transformed<Expr>> {
    let (args, filter) = match part {
        Expr::AggregateFunction(ref aggregate) => (&aggregate.params.args, aggregate.params.filter.as_deref()),
        Expr::WindowFunction(ref window) => (&window.params.args, window.params.filter.as_deref()),
        other => return Ok(Transformed::no(other)),
    };
    let Some(filter) = filter.filter(|filter| !filter.is_volatile() && !has_subquery(filter)) else {
        return Ok(Transformed::no(part));
    };
    let filter = Expr::IsTrue(Box::new(filter.clone()));
    let mut changed = false;
    let args: Vec<Expr> = (args.iter())
        .map(|arg| {
            let fails = fails(arg, schema)?;
            changed |= fails;
            Ok(if fails { taken(arg.clone(), filter.clone()) } else { arg.clone() })
        })
        .collect::<DfResult<_>>()?;
    let mut part = part;
    match &mut part {
        Expr::AggregateFunction(aggregate) => aggregate.params.args = args,
        Expr::WindowFunction(window) => window.params.args = args,
        _ => {}
    }
    Ok(Transformed::new_transformed(part, changed))
}

/// Returns the chain that an expression is, with its operands guarded; `None` where nothing is to be done at this level.
fn guarded_chain(part: &Expr, schema: &DFSchema, levels: u8) -> DfResult<Option<Expr>> {
    let Expr::BinaryExpr(BinaryExpr { op: op @ (Operator::And | Operator::Or), .. }) = part else { return Ok(None) };
    let mut operands = vec![];
    flatten(part, *op, &mut operands);
    let (mut chain, mut safe, mut keys, mut failing) = (vec![], vec![], vec![], vec![]);
    for operand in operands {
        if !fails(operand, schema)? {
            chain.push(operand.clone());
            if is_safe(operand, schema)? {
                safe.push(operand.clone());
            }
        } else if *op == Operator::And && is_key(operand)? {
            keys.push(operand);
        } else {
            failing.push(within(operand.clone(), schema, levels - 1)?);
        }
    }
    for key in keys {
        chain.push(guarded_key(key, &safe, schema)?);
    }
    chain.extend(in_order(chained(safe, *op), failing, *op)?);
    Ok(chained(chain, *op))
}

/// Returns the equality of two tables' values, each of which is computed where the conditions on its own tables are not false.
fn guarded_key(key: &Expr, safe: &[Expr], schema: &DFSchema) -> DfResult<Expr> {
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = key else { return Ok(key.clone()) };
    let side = |side: &Expr| {
        let own = tables(side);
        let of_side = |condition: &&Expr| {
            let over = tables(condition);
            !over.is_empty() && over.is_subset(&own)
        };
        let guards = chained(safe.iter().filter(of_side).cloned().collect(), Operator::And);
        Ok::<_, datafusion::common::DataFusionError>(Box::new(match guards {
            Some(guards) if fails(side, schema)? => where_open(side.clone(), &guards),
            _ => side.clone(),
        }))
    };
    Ok(Expr::BinaryExpr(BinaryExpr { left: side(left)?, op: *op, right: side(right)? }))
}

/// Returns the chain of operands that can fail, each of which is computed where those that cannot, and those before it, do not
/// decide; `None` for none.
///
/// It is one CASE, whatever the number of operands.
fn in_order(safe: Option<Expr>, failing: Vec<Expr>, op: Operator) -> DfResult<Option<Expr>> {
    let (decides, decided): (fn(Box<Expr>) -> Expr, bool) = match op {
        Operator::And => (Expr::IsFalse, false),
        _ => (Expr::IsTrue, true),
    };
    let Some((_, before)) = failing.split_last() else { return Ok(None) };
    let mut first: Vec<Expr> = safe.into_iter().collect();
    for operand in before.iter().take(MOST_IN_ORDER) {
        if can_be_repeated(operand)? {
            first.push(operand.clone());
        }
    }
    let Some(chain) = chained(failing, op) else { return Ok(None) };
    if first.is_empty() {
        return Ok(Some(chain));
    }
    let branches = first.into_iter().map(|operand| (Box::new(decides(Box::new(operand))), Box::new(lit(decided))));
    Ok(Some(Expr::Case(Case { expr: None, when_then_expr: branches.collect(), else_expr: Some(Box::new(chain)) })))
}

fn binary(left: Expr, op: Operator, right: Expr) -> Expr {
    Expr::BinaryExpr(BinaryExpr { left: Box::new(left), op, right: Box::new(right) })
}

fn chained(operands: Vec<Expr>, op: Operator) -> Option<Expr> {
    operands.into_iter().reduce(|left, right| binary(left, op, right))
}

fn flatten<'a>(expr: &'a Expr, chain: Operator, operands: &mut Vec<&'a Expr>) {
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if *op == chain => {
            flatten(left, chain, operands);
            flatten(right, chain, operands);
        }
        other => operands.push(other),
    }
}

/// Returns true for an equality that joins: of columns of two tables, or of a table and of the query outside. The engine looks for
/// such operands as they are.
fn is_key(operand: &Expr) -> DfResult<bool> {
    let Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) = operand else { return Ok(false) };
    if operand.exists(|inner| Ok(matches!(inner, Expr::OuterReferenceColumn(..))))? {
        return Ok(true);
    }
    let (left, right) = (tables(left), tables(right));
    Ok(!left.is_empty() && !right.is_empty() && left.is_disjoint(&right))
}

/// Returns the tables whose columns an expression reads.
fn tables(expr: &Expr) -> HashSet<Option<TableReference>> {
    expr.column_refs().into_iter().map(|column| column.relation.clone()).collect()
}

/// Returns true for a condition that others can wait for: it cannot fail, and is the same each time that it is computed.
fn is_safe(condition: &Expr, schema: &DFSchema) -> DfResult<bool> {
    Ok(!fails(condition, schema)? && !condition.is_volatile() && !has_subquery(condition))
}

fn can_be_repeated(operand: &Expr) -> DfResult<bool> {
    let mut parts = 0_usize;
    operand.apply(|_| {
        parts += 1;
        Ok(if parts > MOST_PARTS { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(parts <= MOST_PARTS && !operand.is_volatile() && !has_subquery(operand))
}

/// Returns true if a part of an expression can fail.
fn fails(expr: &Expr, schema: &DFSchema) -> DfResult<bool> {
    expr.exists(|part| Ok(can_fail(part, schema)))
}

/// Returns true for what people keep out by a condition: divisions, readings of texts, functions that have no result for some
/// arguments. Sums that leave the range of their type are not among them: nearly every operand has one.
fn can_fail(part: &Expr, schema: &DFSchema) -> bool {
    match part {
        Expr::BinaryExpr(BinaryExpr { op: Operator::Divide | Operator::Modulo, right, .. }) => {
            !matches!(right.as_ref(), Expr::Literal(..))
        }
        Expr::Cast(Cast { expr, field }) => {
            !field.data_type().is_string()
                && !matches!(expr.as_ref(), Expr::Literal(..))
                && expr.get_type(schema).is_ok_and(|from| from.is_string())
        }
        Expr::ScalarFunction(call) => has_rule(call.name()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use crate::admission::testing::{bundle, shenzhen};
    use crate::catalog::{Catalog, with_room};
    use crate::checked;

    #[test]
    fn what_can_fail_is_computed_where_the_rest_leaves_it_open() {
        let bundle = bundle();
        let catalog = Catalog::owner(&bundle, &shenzhen());
        let guards = |condition: &str| {
            let sql =
                format!("SELECT count(*) FROM shenzhen.health.visits v JOIN shenzhen.health.visits w ON {condition}");
            // As nodes have it: each operand of a chain lies below the next.
            with_room(|| {
                let plan = checked(catalog.plan(&sql, 1 << 20).unwrap(), false).unwrap();
                plan.display_indent().to_string().matches("WHEN").count()
            })
        };
        assert_eq!(guards("v.tests <> 0 AND 100 / v.tests > 20"), 1);
        assert_eq!(guards("100 / v.tests > 20 AND v.tests <> 0 AND 7 % v.days = 1"), 2);
        assert_eq!(guards("v.tests = 0 OR 100 / v.tests > 20"), 1);
        assert_eq!(guards("100 / v.tests > 20 AND 100 / v.days > 20"), 1, "the order of the text decides between them");
        assert_eq!(guards("v.tests <> 0 AND 100 / v.tests = w.tests"), 1, "it is the key of a join");
        assert_eq!(guards("w.tests <> 0 AND 100 / v.tests = w.tests"), 0, "of the key's other side");
        let many = (0..400).map(|n| format!("v.tests <> {n} AND ")).collect::<Vec<_>>().concat();
        assert_eq!(guards(&format!("{many} 100 / v.tests > 20")), 1);
        let failing = (1..400).map(|n| format!(" AND {n} / v.tests <> 7")).collect::<Vec<_>>().concat();
        assert_eq!(guards(&format!("v.tests <> 0{failing}")), 1 + 16, "those behind them are computed together");
        let deep = (0..40).fold("v.tests > 0".to_owned(), |inner, n| {
            let op = if n % 2 == 0 { "AND" } else { "OR" };
            format!("({n} / v.tests > 1 {op} {inner})")
        });
        assert_eq!(guards(&deep), 4, "chains within each other have a bound");
        assert_eq!(guards("random() < 0.5 AND 100 / v.tests > 20"), 0, "a second number would be drawn");
    }
}
