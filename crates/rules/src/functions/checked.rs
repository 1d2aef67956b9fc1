//! Arithmetic that does not wrap around: what its type does not hold is an error in words.
//!
//! A plan is rewritten before it is optimised, so that constants are folded by the same rules. Names and types stay.

use std::any::Any;

use arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, Result as DfResult};
use datafusion::logical_expr::expr::{AggregateFunction, Alias, Between, Case, Cast, TryCast};
use datafusion::logical_expr::{
    BinaryExpr, Expr, ExprSchemable, LogicalPlan, Operator, ScalarUDF, Signature, Volatility, binary_expr,
};

use super::average::with_exact_averages;
use super::branches::{in_branches, original_branches};
use super::cast::{constant, lossy_cast, original_cast};
use super::guards::guarded_keys;
use super::intervals::{as_difference, is_interval};
use super::one_form::{in_one_form, inside};
use super::operation::Checked;
use super::out_of_range;
use super::shifts::is_shift;
use crate::expressions::{each_expression, is_comparison};
use crate::spell::{Spelling, name_text};

/// Returns the plan with arithmetic that fails where a result does not fit into its type, with floats of one form, and with
/// exact averages of integers.
///
/// With `gated`, the plan is over non-public data, and what an aggregate adds up is left as it is: a value that became NULL
/// because it is large would not be counted, so that the coefficient of a sum chose between people. Admission makes such
/// arguments wide enough instead.
///
/// # Errors
/// If a part of the plan has no type.
pub fn checked(plan: LogicalPlan, gated: bool) -> DfResult<LogicalPlan> {
    let plan = if gated { plan } else { plan.transform_up_with_subqueries(guarded_keys)?.data };
    let checked = each_expression(plan, |expr, schema| {
        if !gated {
            return checked_expr(in_branches(expr, schema)?, schema)?
                .transform_up(|part| joined(part, schema))
                .map(|changed| changed.data);
        }
        expr.transform_down(|part| match part {
            Expr::AggregateFunction(aggregate) => {
                let aggregate = Expr::AggregateFunction(around_sums(aggregate, schema)?);
                Ok(Transformed::new(aggregate, true, TreeNodeRecursion::Jump))
            }
            part if contains_aggregate(&part) => Ok(Transformed::no(part)),
            part => Ok(Transformed::new(checked_expr(part, schema)?, true, TreeNodeRecursion::Jump)),
        })
        .map(|changed| changed.data)
    })?;
    with_exact_averages(in_one_form(checked)?)
}

fn contains_aggregate(expr: &Expr) -> bool {
    expr.exists(|part| Ok(matches!(part, Expr::AggregateFunction(_)))).unwrap_or(true)
}

/// Returns the expression over these columns with arithmetic that fails where a result does not fit into its type.
pub(crate) fn checked_expr(expr: Expr, columns: &DFSchema) -> DfResult<Expr> {
    expr.transform_up(|part| checked_part(part, columns)).map(|changed| changed.data)
}

/// Returns the expression with arithmetic as SQL has it, in place of what [`checked`] put there.
///
/// # Errors
/// If a part of the expression cannot be put together.
pub fn as_written(expr: Expr) -> DfResult<Expr> {
    let written = expr.transform_up(|part| {
        if let Some(other) = original_cast(&part)?.or_else(|| original_branches(&part)) {
            return Ok(Transformed::yes(other));
        }
        match (original(&part), inside(&part)) {
            (Some((checked, operands)), _) => checked.original(operands).map(Transformed::yes),
            (None, Some(computed)) => Ok(Transformed::yes(computed.clone())),
            (None, None) => Ok(Transformed::no(part)),
        }
    });
    written.map(|written| written.data)
}

/// Returns the operation that an expression is, and its operands, if [`checked`] put it there.
fn original(part: &Expr) -> Option<(&Checked, &[Expr])> {
    let Expr::ScalarFunction(call) = part else { return None };
    let implementation: &dyn Any = call.func.inner().as_ref();
    implementation.downcast_ref().map(|checked| (checked, &call.args[..]))
}

/// Returns arithmetic over columns, or a division of constants, as the engine writes it. Other arithmetic that
/// [`checked_expr`] put there is left over where its constants have no result.
///
/// # Errors
/// If it is left over.
pub(super) fn unchecked(part: Expr) -> DfResult<Transformed<Expr>> {
    if let Some(value) = constant(&part)? {
        return Ok(Transformed::yes(value));
    }
    if let Some(other) = original_cast(&part)?.or_else(|| original_branches(&part)) {
        return Ok(Transformed::yes(other));
    }
    match original(&part) {
        None => Ok(Transformed::no(part)),
        Some((checked, operands))
            if matches!(checked.op, Operator::Divide | Operator::Modulo) || !operands.iter().all(is_literal) =>
        {
            checked.original(operands).map(Transformed::yes)
        }
        Some((checked, _)) => Err(out_of_range(&checked.text, &checked.returns)),
    }
}

/// Returns true for a literal, and for casts of one.
fn is_literal(operand: &Expr) -> bool {
    match operand {
        Expr::Literal(..) => true,
        Expr::Cast(Cast { expr, .. }) | Expr::TryCast(TryCast { expr, .. }) => is_literal(expr),
        _ => false,
    }
}

/// Checks the conditions of an aggregate, and not the values that it takes in.
fn around_sums(mut aggregate: AggregateFunction, schema: &DFSchema) -> DfResult<AggregateFunction> {
    let params = &mut aggregate.params;
    params.filter = params.filter.take().map(|filter| checked_expr(*filter, schema).map(Box::new)).transpose()?;
    params.args =
        std::mem::take(&mut params.args).into_iter().map(|arg| around(arg, schema)).collect::<DfResult<_>>()?;
    Ok(aggregate)
}

/// Checks the conditions of what is added up.
fn around(value: Expr, schema: &DFSchema) -> DfResult<Expr> {
    let boxed = |value: Box<Expr>| around(*value, schema).map(Box::new);
    Ok(match value {
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: op @ (Operator::Plus | Operator::Minus | Operator::Multiply),
            right,
        }) => Expr::BinaryExpr(BinaryExpr { left: boxed(left)?, op, right: boxed(right)? }),
        Expr::Negative(inner) => Expr::Negative(boxed(inner)?),
        Expr::Cast(Cast { expr, field }) => {
            let cast = Expr::Cast(Cast { expr: boxed(expr)?, field });
            lossy_cast(&cast, schema)?.unwrap_or(cast)
        }
        Expr::TryCast(TryCast { expr, field }) => {
            let cast = Expr::TryCast(TryCast { expr: boxed(expr)?, field });
            lossy_cast(&cast, schema)?.unwrap_or(cast)
        }
        Expr::Alias(Alias { expr, relation, name, metadata }) => {
            Expr::Alias(Alias { expr: boxed(expr)?, relation, name, metadata })
        }
        Expr::Case(Case { expr, when_then_expr, else_expr }) => Expr::Case(Case {
            expr: expr.map(|subject| checked_expr(*subject, schema).map(Box::new)).transpose()?,
            when_then_expr: when_then_expr
                .into_iter()
                .map(|(when, then)| Ok((Box::new(checked_expr(*when, schema)?), boxed(then)?)))
                .collect::<DfResult<_>>()?,
            else_expr: else_expr.map(boxed).transpose()?,
        }),
        other => checked_expr(other, schema)?,
    })
}

pub(super) fn checked_part(part: Expr, schema: &DFSchema) -> DfResult<Transformed<Expr>> {
    if let Some(cast) = lossy_cast(&part, schema)? {
        return Ok(Transformed::yes(cast));
    }
    let (op, operands) = match &part {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            let arithmetic = [Operator::Plus, Operator::Minus, Operator::Multiply, Operator::Divide, Operator::Modulo];
            let arithmetic = arithmetic.contains(op) || is_shift(*op);
            let (l, r) = (left.get_type(schema)?, right.get_type(schema)?);
            let by_length = is_comparison(*op) && is_interval(&l) && is_interval(&r);
            if !(by_length || arithmetic && can_leave(&l, &r)) {
                return Ok(Transformed::no(part));
            }
            let operands = if by_length {
                vec![as_difference(left, schema)?, as_difference(right, schema)?]
            } else {
                vec![left.as_ref().clone(), right.as_ref().clone()]
            };
            (*op, operands)
        }
        Expr::Between(between) if is_interval(&between.expr.get_type(schema)?) => {
            return in_two_comparisons(between, schema).map(Transformed::yes);
        }
        Expr::Negative(inner) if inner.get_type(schema)?.is_signed_integer() => {
            (Operator::Minus, vec![inner.as_ref().clone()])
        }
        _ => return Ok(Transformed::no(part)),
    };
    let function = Checked {
        op,
        returns: part.get_type(schema)?,
        name: part.schema_name().to_string(),
        text: text_of(&part, schema),
        signature: Signature::any(operands.len(), Volatility::Immutable),
    };
    Ok(Transformed::yes(ScalarUDF::from(function).call(operands)))
}

/// Returns BETWEEN as two comparisons.
fn in_two_comparisons(between: &Between, schema: &DFSchema) -> DfResult<Expr> {
    let Between { expr, negated, low, high } = between;
    let side = |op, bound: &Expr| {
        checked_part(binary_expr(expr.as_ref().clone(), op, bound.clone()), schema).map(|checked| checked.data)
    };
    Ok(if *negated {
        binary_expr(side(Operator::Lt, low)?, Operator::Or, side(Operator::Gt, high)?)
    } else {
        binary_expr(side(Operator::GtEq, low)?, Operator::And, side(Operator::LtEq, high)?)
    })
}

/// Most characters of an expression that a refusal quotes.
const MOST_QUOTED: usize = 120;

/// Returns an operation in SQL, cut where it is long.
fn text_of(part: &Expr, schema: &DFSchema) -> String {
    let mut size = 0_usize;
    let _ = part.apply(|_| {
        size += 1;
        Ok(if size > MOST_QUOTED { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    });
    let whole = (size <= MOST_QUOTED).then(|| as_written(part.clone())).and_then(Result::ok);
    let text =
        whole.and_then(|written| Spelling { schema, column: &|column| name_text(&column.name) }.item(&written).ok());
    match text {
        Some(text) if text.chars().count() <= MOST_QUOTED => text.replace("\"count(Int64(1))\"", "count(*)"),
        Some(text) => text.chars().take(MOST_QUOTED).chain(['…']).collect(),
        None => "an arithmetic expression".to_owned(),
    }
}

/// Returns the concatenation of two texts with a bound on its size. One of constants alone is as long as its text.
fn joined(part: Expr, schema: &DFSchema) -> DfResult<Transformed<Expr>> {
    let Expr::BinaryExpr(BinaryExpr { left, op: op @ Operator::StringConcat, right }) = &part else {
        return Ok(Transformed::no(part));
    };
    let varies = |part: &Expr| Ok(!matches!(part, Expr::Literal(..) | Expr::BinaryExpr(_)));
    let returns = part.get_type(schema)?;
    if !returns.is_string() || !part.exists(varies)? {
        return Ok(Transformed::no(part));
    }
    let operands = vec![left.as_ref().clone(), right.as_ref().clone()];
    let signature = Signature::any(operands.len(), Volatility::Immutable);
    let (name, text) = (part.schema_name().to_string(), op.to_string());
    let function = Checked { op: *op, returns, name, text, signature };
    Ok(Transformed::yes(ScalarUDF::from(function).call(operands)))
}

/// Returns true if a result of two operands can leave the range of its type.
fn can_leave(left: &DataType, right: &DataType) -> bool {
    let exact = |t: &DataType| t.is_integer() || t.is_decimal();
    (exact(left) && exact(right)) || left.is_temporal() || right.is_temporal()
}
