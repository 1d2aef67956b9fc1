//! What rows add to the statistics of measures, for the gate's rules on the contributions of single units.
//!
//! A statistic is made of the sums of its terms: `sum(a + 2 * b + 3)` of `a`, of `b` and of the number of rows. So each term is
//! looked at by itself, without coefficient and constant: a constant would hide a unit that dominates, and could be subtracted
//! again. A variance holds a sum of squares, a covariance one of products.

use arrow::datatypes::DataType;
use datafusion::common::Column;
use datafusion::logical_expr::expr::{Cast, TryCast};
use datafusion::logical_expr::{Expr, Operator, binary_expr};

use super::base::BaseTables;

/// Values that the rows of a population add to a statistic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Magnitude {
    /// Value of a row, a float; NULL adds nothing.
    pub value: Expr,
    /// Condition that rows of the population meet.
    pub met: Expr,
}

/// Returns a column as a float: a number, the number in a text, or the days of a date.
pub(super) fn float(column: &Column, tables: &BaseTables) -> Expr {
    let column = Expr::Column(column.clone());
    let cast = |expr: Expr, to: DataType| Expr::Cast(Cast::new(Box::new(expr), to));
    match tables.type_of(&column) {
        Some(DataType::Float64) => column,
        Some(DataType::Date32) => cast(cast(column, DataType::Int32), DataType::Float64),
        Some(other) if other.is_string() => Expr::TryCast(TryCast::new(Box::new(column), DataType::Float64)),
        _ => cast(column, DataType::Float64),
    }
}

/// Returns the product of two values.
pub(super) fn product(one: &Expr, other: &Expr) -> Expr {
    binary_expr(one.clone(), Operator::Multiply, other.clone())
}
