//! Unary minus before `&` and `|`.
//!
//! DataFusion 55's simplifier takes unary minus for the complement of bits, and writes `-(x & 3)` as `-x | -3`: of 2 that is
//! -1. Written as `0 - (x & 3)` it is left alone, and has the same value and type.

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, Result as DfResult, ScalarValue};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, LogicalPlan, Operator, lit};

use crate::expressions::schema_of;

/// Writes unary minus of bits in an expression over `schema` as a difference.
///
/// # Errors
/// An operand without a type.
pub(super) fn as_difference(expr: Expr, schema: &DFSchema) -> DfResult<Transformed<Expr>> {
    if !has_negated_bits(&expr)? {
        return Ok(Transformed::no(expr));
    }
    expr.transform_up(|part| match part {
        Expr::Negative(inner) if holds_bits(&inner)? => {
            let zero = ScalarValue::new_zero(&inner.get_type(schema)?)?;
            let difference = BinaryExpr::new(Box::new(lit(zero)), Operator::Minus, inner);
            Ok(Transformed::yes(Expr::BinaryExpr(difference)))
        }
        other => Ok(Transformed::no(other)),
    })
}

/// Writes unary minus of bits in the expressions of one operator as a difference.
///
/// # Errors
/// An operand without a type.
pub(super) fn in_operator(plan: LogicalPlan) -> DfResult<Transformed<LogicalPlan>> {
    let mut found = false;
    plan.apply_expressions(|expr| {
        found |= has_negated_bits(expr)?;
        Ok(TreeNodeRecursion::Continue)
    })?;
    if !found {
        return Ok(Transformed::no(plan));
    }
    let (schema, names) = (schema_of(&plan)?, NamePreserver::new(&plan));
    let mut rewritten = |expr: Expr| {
        let name = names.save(&expr);
        Ok(as_difference(expr, &schema)?.update_data(|expr| name.restore(expr)))
    };
    plan.map_expressions(|expr| match expr {
        // A grouping set has no name; its keys have.
        Expr::GroupingSet(_) => expr.map_children(&mut rewritten),
        other => rewritten(other),
    })
}

fn has_negated_bits(expr: &Expr) -> DfResult<bool> {
    expr.exists(|part| match part {
        Expr::Negative(inner) => holds_bits(inner),
        _ => Ok(false),
    })
}

/// Returns true if the simplifier could find an operation on bits at the top of an expression.
fn holds_bits(expr: &Expr) -> DfResult<bool> {
    let on_bits = |op| matches!(op, Operator::BitwiseAnd | Operator::BitwiseOr);
    expr.exists(|part| Ok(matches!(part, Expr::BinaryExpr(BinaryExpr { op, .. }) if on_bits(*op))))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::datatypes::{DataType, Field, Schema};
    use datafusion::common::DFSchemaRef;
    use datafusion::logical_expr::simplify::SimplifyContext;
    use datafusion::logical_expr::{bitwise_and, bitwise_or, col};
    use datafusion::optimizer::simplify_expressions::ExprSimplifier;

    use super::super::in_lists::simplify;
    use super::*;

    #[test]
    fn minus_is_no_complement() {
        let fields = vec![Field::new("a", DataType::Int32, true)];
        let schema: DFSchemaRef = Arc::new(DFSchema::try_from(Schema::new(fields)).unwrap());
        let context = |schema| ExprSimplifier::new(SimplifyContext::builder().with_schema(schema).build());
        for bits in [bitwise_and(col("a"), lit(3_i32)), bitwise_or(col("a"), lit(3_i32))] {
            let minus = Expr::Negative(Box::new(bits.clone()));
            assert_eq!(simplify(minus, &schema, &context).unwrap().data, lit(0_i32) - bits);
        }
        let plain = Expr::Negative(Box::new(col("a")));
        assert_eq!(simplify(plain.clone(), &schema, &context).unwrap().data, plain);
    }
}
