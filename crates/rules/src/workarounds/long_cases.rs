//! A CASE of many branches that is a condition: `CASE WHEN a THEN 1 WHEN b THEN 2 … END = 2`.
//!
//! DataFusion 55 takes the comparison into the branches, and writes a CASE of which few branches are true with AND and OR.
//! Each branch is written again for every branch behind it, and the simplification of that takes a time that grows with the
//! cube of their number: 400 took 40 seconds. Here branches that follow each other with one result are one branch before,
//! `WHEN a OR b`, which has the same value, so that few are left where few are true.

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Result as DfResult, ScalarValue};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{BinaryExpr, Case, Expr, LogicalPlan, Operator};

/// Most branches that are left to the engine.
const SHORT: usize = 8;

/// Least number of true branches of which the engine writes a CASE with AND and OR no more, and of false ones.
const FEW: usize = 3;

/// Returns the expression with the branches of its conditions brought together.
///
/// # Errors
/// None of its own.
pub(super) fn brought_together(expr: Expr) -> DfResult<Transformed<Expr>> {
    if !expr.exists(|part| Ok(matches!(part, Expr::Case(case) if case.when_then_expr.len() > SHORT)))? {
        return Ok(Transformed::no(expr));
    }
    expr.transform_up(|part| {
        Ok(match condition(&part) {
            Some(shorter) => Transformed::yes(shorter),
            None => Transformed::no(part),
        })
    })
}

/// Returns the operator with the branches of the conditions in its expressions brought together.
///
/// # Errors
/// None of its own.
pub(super) fn in_operator(plan: LogicalPlan) -> DfResult<Transformed<LogicalPlan>> {
    let names = NamePreserver::new(&plan);
    let mut rewritten = |expr: Expr| {
        let name = names.save(&expr);
        Ok(brought_together(expr)?.update_data(|expr| name.restore(expr)))
    };
    plan.map_expressions(|expr| match expr {
        // A grouping set has no name; its keys have.
        Expr::GroupingSet(_) => expr.map_children(&mut rewritten),
        other => rewritten(other),
    })
}

/// Returns a long CASE of truth values, or one whose literals are compared with a literal, with fewer branches.
fn condition(part: &Expr) -> Option<Expr> {
    match part {
        Expr::Case(case) => shorter(case, |value| matches!(value, ScalarValue::Boolean(_)).then(|| value.clone())),
        Expr::BinaryExpr(BinaryExpr { left, op: op @ (Operator::Eq | Operator::NotEq), right }) => {
            let ((Expr::Case(case), Expr::Literal(with, _)) | (Expr::Literal(with, _), Expr::Case(case))) =
                (left.as_ref(), right.as_ref())
            else {
                return None;
            };
            shorter(case, |value| truth_of(value, *op, with))
        }
        _ => None,
    }
}

/// Returns the truth value of a comparison of literals; `None` if it is not known here.
fn truth_of(value: &ScalarValue, op: Operator, with: &ScalarValue) -> Option<ScalarValue> {
    if value.is_null() || with.is_null() {
        return Some(ScalarValue::Boolean(None));
    }
    let data_type = value.data_type();
    // NaN and the two zeros are for the engine to compare.
    if data_type != with.data_type() || data_type.is_floating() {
        return None;
    }
    Some(ScalarValue::Boolean(Some((value == with) == (op == Operator::Eq))))
}

fn shorter(case: &Case, truth: impl Fn(&ScalarValue) -> Option<ScalarValue>) -> Option<Expr> {
    if case.expr.is_some() || case.when_then_expr.len() <= SHORT {
        return None;
    }
    let of = |expr: &Expr| match expr {
        Expr::Literal(value, _) => truth(value),
        _ => None,
    };
    let truths: Vec<ScalarValue> = case.when_then_expr.iter().map(|(_, then)| of(then)).collect::<Option<_>>()?;
    let otherwise = match &case.else_expr {
        Some(otherwise) => of(otherwise)?,
        None => ScalarValue::Boolean(None),
    };
    let count = |of: bool| truths.iter().filter(|truth| **truth == ScalarValue::Boolean(Some(of))).count();
    if count(true) >= FEW && count(false) >= FEW {
        return None;
    }
    let mut branches: Vec<(Expr, ScalarValue)> = vec![];
    for ((when, _), truth) in case.when_then_expr.iter().zip(truths) {
        match branches.pop() {
            Some((before, same)) if same == truth => branches.push((before.or(when.as_ref().clone()), truth)),
            last => branches.extend(last.into_iter().chain([(when.as_ref().clone(), truth)])),
        }
    }
    if branches.len() == case.when_then_expr.len() {
        return None;
    }
    let literal = |truth: ScalarValue| Box::new(Expr::Literal(truth, None));
    let when_then_expr = branches.into_iter().map(|(when, truth)| (Box::new(when), literal(truth))).collect();
    Some(Expr::Case(Case { expr: None, when_then_expr, else_expr: Some(literal(otherwise)) }))
}

#[cfg(test)]
mod tests {
    use datafusion::logical_expr::{col, lit};

    use super::*;

    /// Returns a CASE with a branch for each of these results.
    fn case(results: &[Expr], otherwise: Option<Expr>) -> Expr {
        let whens = results.iter().zip(0_i64..);
        let when_then_expr = whens.map(|(then, i)| (Box::new(col("x").eq(lit(i))), Box::new(then.clone()))).collect();
        Expr::Case(Case { expr: None, when_then_expr, else_expr: otherwise.map(Box::new) })
    }

    fn branches(expr: Expr) -> usize {
        match brought_together(expr).unwrap().data {
            Expr::Case(case) => case.when_then_expr.len(),
            Expr::BinaryExpr(BinaryExpr { left, .. }) => match *left {
                Expr::Case(case) => case.when_then_expr.len(),
                other => panic!("{other}"),
            },
            other => panic!("{other}"),
        }
    }

    #[test]
    fn few_branches_are_left_where_few_are_true() {
        let numbers: Vec<Expr> = (0_i64..400).map(lit).collect();
        assert_eq!(branches(case(&numbers, None).eq(lit(200_i64))), 3);
        assert_eq!(branches(lit(399_i64).eq(case(&numbers, Some(lit(399_i64))))), 2);
        assert_eq!(branches(case(&numbers, None).not_eq(lit(7_i64))), 3);
        let truths: Vec<Expr> = (0..400).map(|i| lit(i % 200 == 0)).collect();
        assert_eq!(branches(case(&truths, None)), 4);
    }

    #[test]
    fn other_cases_stay() {
        let sevenths: Vec<Expr> = (0_i64..400).map(|i| lit(i % 7)).collect();
        assert_eq!(branches(case(&sevenths, None).eq(lit(3_i64))), 400, "many are true, and many false");
        let floats: Vec<Expr> = (0..20).map(|i| lit(f64::from(i))).collect();
        assert_eq!(branches(case(&floats, None).eq(lit(3.0))), 20);
        assert_eq!(branches(case(&[lit(1_i64), lit(1_i64)], None).eq(lit(1_i64))), 2);
    }

    #[test]
    fn a_null_is_no_result_of_its_own() {
        let results: Vec<Expr> =
            (0_i64..20).map(|i| if i < 10 { lit(ScalarValue::Int64(None)) } else { lit(i) }).collect();
        let Expr::Case(case) = brought_together(case(&results, None).eq(lit(15_i64))).unwrap().data else { panic!() };
        let truths: Vec<String> = case.when_then_expr.iter().map(|(_, then)| then.to_string()).collect();
        assert_eq!(truths, ["Boolean(NULL)", "Boolean(false)", "Boolean(true)", "Boolean(false)"]);
        assert_eq!(case.else_expr.unwrap().to_string(), "Boolean(NULL)");
    }
}
