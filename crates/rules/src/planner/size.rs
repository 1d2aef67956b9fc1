//! Estimates of the rows of a part of a plan, from the row counts that manifests of public tables declare. They decide
//! which side of a join is sent where, and nothing else: a wrong estimate costs time.

use datafusion::common::JoinType;
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{Expr, Operator};

use crate::catalog::CatalogTable;

/// The share of rows that an equality with a constant is taken to keep.
const EQUAL: f64 = 0.1;
/// The share of rows that any other condition is taken to keep.
const OTHER: f64 = 0.4;

/// The most rows that are sent to every owner: they are held in memory there.
const MOST_SENT: f64 = 1_000_000.0;
/// Sending the smaller side must save so many times what it costs, since guesses are rough.
const WORTH_IT: f64 = 2.0;

/// Estimated number of rows, and the number without conditions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Size {
    rows: f64,
    unfiltered: f64,
}

impl Size {
    /// Returns the size that a table's manifests declare; `None` if one does not.
    pub fn of_table(table: &CatalogTable) -> Option<Self> {
        let replicated = table.common.as_ref().is_some_and(|info| info.replicated);
        let parts = table.slices.iter().map(|slice| slice.approximate_rows);
        let parts = parts.collect::<Option<Vec<u64>>>()?;
        let rows = if replicated { parts.into_iter().max()? } else { parts.into_iter().sum() };
        Some(Self { rows: rows as f64, unfiltered: rows as f64 })
    }

    /// Returns the size after a filter.
    pub fn filtered(self, predicate: &Expr) -> Self {
        let share = |condition: &&Expr| match condition {
            Expr::BinaryExpr(binary) if binary.op == Operator::Eq => EQUAL,
            _ => OTHER,
        };
        let kept: f64 = split_conjunction(predicate).iter().map(share).product();
        Self { rows: self.rows * kept, ..self }
    }

    /// Returns the size after a join along a key of one side, as most joins are: the larger table decides, and each
    /// side's conditions keep their share of it.
    pub fn joined(self, other: Self, join: JoinType) -> Self {
        let share = |size: Self| size.rows / size.unfiltered.max(1.0);
        let unfiltered = match join {
            JoinType::LeftSemi | JoinType::LeftAnti => self.unfiltered,
            JoinType::RightSemi | JoinType::RightAnti => other.unfiltered,
            _ => self.unfiltered.max(other.unfiltered),
        };
        Self { rows: unfiltered * share(self) * share(other), unfiltered }
    }

    /// Returns true if it is cheaper to send all of this to each of `owners`, who hold `other`, than to bring both
    /// home. The cost of a side is its rows times its columns.
    pub fn is_worth_sending(self, columns: usize, other: Self, other_columns: usize, owners: usize) -> bool {
        let weight = |size: Self, columns: usize| size.rows * columns.max(1) as f64;
        let (own, held) = (weight(self, columns), weight(other, other_columns));
        self.unfiltered <= MOST_SENT && own * owners as f64 * WORTH_IT < own + held
    }
}

#[cfg(test)]
mod tests {
    use datafusion::logical_expr::{col, lit};

    use super::*;

    fn size(rows: f64) -> Size {
        Size { rows, unfiltered: rows }
    }

    #[test]
    fn a_small_table_is_sent_to_a_large_one_and_not_the_other_way() {
        let (lines, suppliers) = (size(6e6), size(1e4));
        assert!(suppliers.is_worth_sending(3, lines, 5, 3));
        assert!(!lines.is_worth_sending(5, suppliers, 3, 3));
        assert!(!suppliers.is_worth_sending(3, suppliers, 3, 3), "two of a size are brought home");
    }

    #[test]
    fn tables_too_large_for_memory_are_not_sent_however_filtered() {
        let filtered = size(2e6).filtered(&col("a").eq(lit(1)).and(col("b").eq(lit(2))));
        assert!(!filtered.is_worth_sending(1, size(1e9), 9, 2));
    }

    #[test]
    fn conditions_on_one_side_carry_over_a_join() {
        let part = size(200.0).filtered(&col("brand").eq(lit("a")));
        let lines = size(6000.0).joined(part, JoinType::Inner);
        assert!((lines.rows - 600.0).abs() < 1e-9);
        assert!((part.joined(size(6000.0), JoinType::LeftSemi).rows - 20.0).abs() < 1e-9);
    }
}
