//! ANY over lists, and comparisons of rows.
//!
//! DataFusion 55 plans `x > ANY (list)` by the extremes of the list and so forgets its NULLs: the condition is false where nothing is
//! known. ALL has them right, and `x > ANY (list)` is `NOT x <= ALL (list)`. Rows are structs there, of which a NULL is a value like
//! any other: `(1, NULL) = (1, 2)` is false. So rows are compared item by item.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{Array, BinaryOperator, Expr, UnaryOperator};
use wanqu_model::refusal::Refusal;

use super::clauses::refuse;

/// Rewrites one expression, if it is such a comparison.
pub(super) fn rewrite(expr: &mut Expr) -> ControlFlow<Box<Refusal>> {
    let rewritten = match expr {
        Expr::AnyOp { right, .. } if matches!(right.as_ref(), Expr::Subquery(_)) => None,
        Expr::AnyOp { left, compare_op, right, .. } => any(left, compare_op, right),
        Expr::BinaryOp { left, op, right } => match (row(left), row(right)) {
            (Some(l), Some(r)) if l.len() == r.len() => rows(l, op, r),
            (Some(_), Some(_)) => return refuse("a comparison of rows of two lengths", "give both as many items"),
            _ => None,
        },
        Expr::InList { expr: value, list, negated } => match row(value) {
            None => None,
            Some(items) => {
                let others: Option<Vec<_>> =
                    list.iter().map(|other| row(other).filter(|o| o.len() == items.len())).collect();
                let Some(others) = others else {
                    return refuse("a list of anything but rows of the same length", "give each as many items");
                };
                let equal: Option<Vec<_>> =
                    others.into_iter().map(|other| rows(items, &BinaryOperator::Eq, other)).collect();
                let found = equal.and_then(|equal| joined(equal, &BinaryOperator::Or));
                found.map(|found| if *negated { not(found) } else { found })
            }
        },
        _ => None,
    };
    if let Some(rewritten) = rewritten {
        *expr = rewritten;
    }
    ControlFlow::Continue(())
}

fn any(left: &Expr, op: &BinaryOperator, right: &Expr) -> Option<Expr> {
    if let (BinaryOperator::Eq, Expr::Array(Array { elem, .. })) = (op, right)
        && !elem.is_empty()
    {
        let (expr, list) = (Box::new(left.clone()), elem.clone());
        return Some(nested(Expr::InList { expr, list, negated: false }));
    }
    let opposite = match op {
        BinaryOperator::Eq => BinaryOperator::NotEq,
        BinaryOperator::NotEq => BinaryOperator::Eq,
        BinaryOperator::Lt => BinaryOperator::GtEq,
        BinaryOperator::LtEq => BinaryOperator::Gt,
        BinaryOperator::Gt => BinaryOperator::LtEq,
        BinaryOperator::GtEq => BinaryOperator::Lt,
        _ => return None,
    };
    let (left, right) = (Box::new(left.clone()), Box::new(right.clone()));
    Some(not(Expr::AllOp { left, compare_op: opposite, right }))
}

/// Returns the items of a row of at least two.
fn row(expr: &Expr) -> Option<&[Expr]> {
    match expr {
        Expr::Tuple(items) if items.len() > 1 => Some(items),
        _ => None,
    }
}

/// Returns the comparison of two rows of one length, item by item; `None` for an operator that is none.
fn rows(left: &[Expr], op: &BinaryOperator, right: &[Expr]) -> Option<Expr> {
    let pair = |op: &BinaryOperator, (l, r): (&Expr, &Expr)| binary(l.clone(), op, r.clone());
    let pairs = || left.iter().zip(right);
    let strict = match op {
        BinaryOperator::Eq => return joined(pairs().map(|both| pair(op, both)).collect(), &BinaryOperator::And),
        BinaryOperator::NotEq => return joined(pairs().map(|both| pair(op, both)).collect(), &BinaryOperator::Or),
        BinaryOperator::Lt | BinaryOperator::LtEq => BinaryOperator::Lt,
        BinaryOperator::Gt | BinaryOperator::GtEq => BinaryOperator::Gt,
        _ => return None,
    };
    // The first items that differ decide.
    let mut decided = None;
    for both in pairs().rev() {
        decided = Some(match decided {
            None => pair(op, both),
            Some(rest) => {
                let same = binary(pair(&BinaryOperator::Eq, both), &BinaryOperator::And, rest);
                binary(pair(&strict, both), &BinaryOperator::Or, same)
            }
        });
    }
    decided
}

/// Returns the conditions joined by AND or OR, as deep as the logarithm of their number.
fn joined(mut conditions: Vec<Expr>, op: &BinaryOperator) -> Option<Expr> {
    while conditions.len() > 1 {
        let mut pairs = vec![];
        let mut rest = conditions.into_iter();
        while let Some(left) = rest.next() {
            pairs.push(match rest.next() {
                Some(right) => binary(left, op, right),
                None => left,
            });
        }
        conditions = pairs;
    }
    conditions.pop()
}

fn binary(left: Expr, op: &BinaryOperator, right: Expr) -> Expr {
    nested(Expr::BinaryOp { left: Box::new(left), op: op.clone(), right: Box::new(right) })
}

fn not(condition: Expr) -> Expr {
    nested(Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(nested(condition)) })
}

fn nested(expr: Expr) -> Expr {
    Expr::Nested(Box::new(expr))
}

#[cfg(test)]
mod tests {
    use crate::admission::testing::{bundle, shenzhen};
    use crate::catalog::Catalog;

    #[test]
    fn nulls_of_lists_and_rows_are_not_forgotten() {
        let bundle = bundle();
        let catalog = Catalog::owner(&bundle, &shenzhen());
        for (condition, value) in [
            ("3 = ANY (ARRAY[1, NULL])", "Boolean(NULL)"),
            ("3 = ANY (ARRAY[3, NULL])", "Boolean(true)"),
            ("3 = SOME (ARRAY[1, 2])", "Boolean(false)"),
            ("3 > ANY (ARRAY[50, NULL])", "Boolean(NULL)"),
            ("3 > ANY (ARRAY[1, NULL])", "Boolean(true)"),
            ("NOT (3 <> ANY (ARRAY[3, NULL]))", "Boolean(NULL)"),
            ("3 <= ANY (ARRAY[1, 2])", "Boolean(false)"),
            ("3 < ALL (ARRAY[50, NULL])", "Boolean(NULL)"),
            ("(1, NULL) = (1, 2)", "Boolean(NULL)"),
            ("(1, NULL) = (2, 2)", "Boolean(false)"),
            ("(1, NULL) <> (2, 2)", "Boolean(true)"),
            ("(1, 2) < (1, 3)", "Boolean(true)"),
            ("(1, 2) < (1, 2)", "Boolean(false)"),
            ("(1, 2) <= (1, 2)", "Boolean(true)"),
            ("(1, NULL) > (0, 5)", "Boolean(true)"),
            ("(1, NULL) > (1, 5)", "Boolean(NULL)"),
            ("(1, 2) IN ((1, NULL), (3, 4))", "Boolean(NULL)"),
            ("(1, 2) NOT IN ((2, NULL), (3, 4))", "Boolean(true)"),
        ] {
            let plan = catalog.plan(&format!("SELECT {condition} AS c"), 1 << 16).unwrap();
            let text = plan.display_indent().to_string();
            assert!(text.contains(&format!("{value} AS c")), "{condition}: {text}");
        }
        for condition in ["(1, 2) = (1, 2, 3)", "(1, 2) IN ((1, 2), (1, 2, 3))"] {
            let refusal = catalog.plan(&format!("SELECT {condition} AS c"), 1 << 16).unwrap_err();
            assert!(refusal.message.contains("rows of"), "{condition}: {refusal}");
        }
    }
}
