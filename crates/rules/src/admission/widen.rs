//! Integers of an aggregate's argument, in types that arithmetic does not leave.
//!
//! A value that became NULL because it is large would be left out of a sum uncounted, so that `sum(m * 1000000)` less
//! `sum(m)` told of the large ones: a threshold that the requester chooses. So what is added up as a decimal or a float is
//! computed as one from the columns on, in digits that hold every value that there can be.

use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType};
use datafusion::common::ScalarValue;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::expr::{Cast, TryCast};
use datafusion::logical_expr::{BinaryExpr, Case, Expr, Operator};
use wanqu_model::refusal::{Code, Refusal};

use super::base::BaseTables;
use crate::casts::is_exact;

/// Returns an argument of which no part leaves the range of its type. Its own type stays, except that 32 bits become 64.
///
/// # Errors
/// If its values can have more than 38 digits.
pub(super) fn widened(expr: Expr, tables: &BaseTables) -> Result<Expr, Refusal> {
    let expr = casts_below(expr, tables)?;
    if leaves_64_bits(&expr, tables) {
        return Err(Refusal::new(
            Code::AggregateArgument,
            "arithmetic of 64-bit integers inside sum can leave their range",
        )
        .with_rule("an argument's values fit into its type, whatever they are")
        .with_remedy("CAST the argument to DECIMAL(38, 0), or to DOUBLE"));
    }
    let narrow = |t: Option<DataType>| matches!(t, Some(DataType::Int8 | DataType::Int16 | DataType::Int32));
    let wide = expr.clone().transform_down(|node| {
        Ok(match node {
            // It is a decimal from the column on.
            Expr::Cast(ref part) if is_decimal_column(part, tables) => {
                Transformed::new(node, false, TreeNodeRecursion::Jump)
            }
            Expr::Column(_) if narrow(tables.type_of(&node)) => {
                Transformed::new(cast(node, &DataType::Int64), true, TreeNodeRecursion::Jump)
            }
            Expr::Literal(ref value, ref metadata) if narrow(Some(value.data_type())) => {
                match value.cast_to(&DataType::Int64) {
                    Ok(value) => Transformed::yes(Expr::Literal(value, metadata.clone())),
                    Err(_) => Transformed::no(node),
                }
            }
            other => Transformed::no(other),
        })
    });
    Ok(match wide {
        Ok(wide) if tables.type_of(&wide.data).is_some() => wide.data,
        _ => expr,
    })
}

/// Returns true for a column of integers as a decimal that holds all of them.
fn is_decimal_column(cast: &Cast, tables: &BaseTables) -> bool {
    matches!(cast.expr.as_ref(), Expr::Column(_))
        && cast.field.data_type().is_decimal()
        && tables.type_of(&cast.expr).is_some_and(|from| is_exact(&from, cast.field.data_type()))
}

/// Moves every cast to a decimal or a float below the arithmetic of integers that it stands around.
fn casts_below(expr: Expr, tables: &BaseTables) -> Result<Expr, Refusal> {
    let mut refused = None;
    let moved = expr.clone().transform_down(|part| {
        let (Expr::Cast(Cast { expr: inner, field }) | Expr::TryCast(TryCast { expr: inner, field })) = &part else {
            return Ok(Transformed::no(part));
        };
        match below_cast(inner, field.data_type(), tables) {
            Ok(Some(below)) => Ok(Transformed::new(below, true, TreeNodeRecursion::Jump)),
            Ok(None) => Ok(Transformed::no(part)),
            Err(refusal) => {
                refused = Some(refusal);
                Ok(Transformed::new(part, false, TreeNodeRecursion::Stop))
            }
        }
    });
    match (refused, moved) {
        (Some(refusal), _) => Err(refusal),
        (None, moved) => Ok(moved.map_or(expr, |moved| moved.data)),
    }
}

/// Returns true if arithmetic of integers, in 64 bits, can leave them.
fn leaves_64_bits(expr: &Expr, tables: &BaseTables) -> bool {
    let can = |part: &Expr| {
        is_arithmetic(part)
            && tables.type_of(part).is_some_and(|t| t.is_integer())
            && greatest(part, tables) > 9_223_372_036_854_775_808.0
    };
    expr.exists(|part| Ok(can(part))).unwrap_or(true)
}

fn cast(expr: Expr, to: &DataType) -> Expr {
    Expr::Cast(Cast::new(Box::new(expr), to.clone()))
}

/// Returns the cast of an expression, made of casts of its columns; `None` if no arithmetic of integers is below it.
fn below_cast(expr: &Expr, to: &DataType, tables: &BaseTables) -> Result<Option<Expr>, Refusal> {
    if !matches!(to, DataType::Decimal128(..) | DataType::Float64) {
        return Ok(None);
    }
    if let Expr::Case(Case { expr: subject, when_then_expr, else_expr }) = expr {
        let branch = |value: &Expr| -> Result<Box<Expr>, Refusal> {
            let below = below_cast(value, to, tables)?;
            Ok(Box::new(below.unwrap_or_else(|| cast(value.clone(), to))))
        };
        let when_then_expr = when_then_expr
            .iter()
            .map(|(when, then)| Ok((when.clone(), branch(then)?)))
            .collect::<Result<_, Refusal>>()?;
        let else_expr = else_expr.as_ref().map(|value| branch(value)).transpose()?;
        return Ok(Some(Expr::Case(Case { expr: subject.clone(), when_then_expr, else_expr })));
    }
    if !is_arithmetic(expr) || !tables.type_of(expr).is_some_and(|t| t.is_integer()) {
        return Ok(None);
    }
    if let DataType::Decimal128(precision, scale) = to {
        let whole = i32::from(*precision) - i32::from(*scale);
        if greatest(expr, tables) >= 10_f64.powi(whole) {
            let what = format!("an argument of more than {whole} digits before the point is not added up");
            return Err(Refusal::new(Code::AggregateArgument, what)
                .with_rule("an argument's values fit into its type, whatever they are")
                .with_remedy("CAST the columns to DOUBLE first, or what is cast to a decimal of more digits"));
        }
    }
    Ok(Some(cast(over_wide(expr, to, tables), to)))
}

fn is_arithmetic(expr: &Expr) -> bool {
    match expr {
        Expr::BinaryExpr(binary) => matches!(binary.op, Operator::Plus | Operator::Minus | Operator::Multiply),
        Expr::Negative(_) => true,
        _ => false,
    }
}

/// Returns the same arithmetic over wider columns.
fn over_wide(expr: &Expr, to: &DataType, tables: &BaseTables) -> Expr {
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_arithmetic(expr) => Expr::BinaryExpr(BinaryExpr {
            left: Box::new(over_wide(left, to, tables)),
            op: *op,
            right: Box::new(over_wide(right, to, tables)),
        }),
        Expr::Negative(inner) => Expr::Negative(Box::new(over_wide(inner, to, tables))),
        leaf if to.is_floating() => cast(leaf.clone(), to),
        leaf => cast(leaf.clone(), &DataType::Decimal128(digits(greatest(leaf, tables)), 0)),
    }
}

/// Returns the digits of an integer that is at most this great.
fn digits(greatest: f64) -> u8 {
    (1..DECIMAL128_MAX_PRECISION).find(|digits| greatest < 10_f64.powi(i32::from(*digits))).unwrap_or(20)
}

/// Returns a bound of the magnitude of an integer expression, whatever the rows.
fn greatest(expr: &Expr, tables: &BaseTables) -> f64 {
    let of = |part: &Expr| greatest(part, tables);
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Plus | Operator::Minus, right }) => of(left) + of(right),
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Multiply, right }) => of(left) * of(right),
        Expr::Negative(inner) => of(inner),
        Expr::Cast(cast) if tables.type_of(&cast.expr).is_some_and(|t| t.is_integer()) => of(&cast.expr),
        Expr::Literal(value, _) => match value.cast_to(&DataType::Float64) {
            Ok(ScalarValue::Float64(Some(value))) => value.abs(),
            _ => 0.0,
        },
        leaf => match tables.type_of(leaf) {
            Some(DataType::Int8 | DataType::UInt8) => 256.0,
            Some(DataType::Int16 | DataType::UInt16) => 65_536.0,
            Some(DataType::Int32) => 2_147_483_648.0,
            Some(DataType::UInt32) => 4_294_967_296.0,
            Some(DataType::Int64) => 9_223_372_036_854_775_808.0,
            _ => 18_446_744_073_709_551_616.0,
        },
    }
}
