//! The hidden columns that the gate computes beside an aggregate, and how they are read.

use arrow::array::{AsArray, BinaryArray, BooleanArray, RecordBatch};
use arrow::compute::and;
use arrow::datatypes::Int64Type;
use datafusion::common::{Result as DfResult, internal_datafusion_err};
use datafusion::logical_expr::Expr;

use super::cell::Need;

/// Counts beside an aggregate, and the requirements on them.
#[derive(Debug)]
pub struct Counting {
    /// Aggregates that count units: of each input, then of the parts into which conditions divide a cell, each of all inputs.
    pub reaches: Vec<Expr>,
    /// Requirement on each input.
    pub needs: Vec<Need>,
    /// The condition that each of these parts is about.
    pub conditions: Vec<usize>,
    /// Aggregates that count the rows which do not meet a condition; each must be 0.
    pub unmet: Vec<Expr>,
}

impl Counting {
    /// Returns all aggregates, in the order of the columns.
    pub fn aggregates(&self) -> Vec<Expr> {
        self.reaches.iter().chain(&self.unmet).cloned().collect()
    }

    /// Returns the counts of units in a batch whose hidden columns begin at `first`.
    pub fn reached<'b>(&self, batch: &'b RecordBatch, first: usize) -> DfResult<Vec<&'b BinaryArray>> {
        reached(batch, first, self.reaches.len())
    }

    /// Returns for each row whether its cell meets the conditions that are counted by rows; `None` if there are none.
    pub fn all_met(&self, batch: &RecordBatch, first: usize) -> DfResult<Option<BooleanArray>> {
        let mut all: Option<BooleanArray> = None;
        for index in 0..self.unmet.len() {
            let unmet = row_counts(batch, first + self.reaches.len() + index)?;
            let met: BooleanArray = unmet.map(|rows| Some(rows == 0)).collect();
            all = Some(match all {
                Some(all) => and(&all, &met)?,
                None => met,
            });
        }
        Ok(all)
    }
}

/// Reads a hidden count, row by row.
pub fn row_counts(batch: &RecordBatch, column: usize) -> DfResult<impl Iterator<Item = u64>> {
    let counts = batch.columns().get(column).and_then(|c| c.as_primitive_opt::<Int64Type>());
    let counts = counts.ok_or_else(|| internal_datafusion_err!("a number of rows is not a count"))?;
    Ok(counts.values().iter().map(|n| n.unsigned_abs()))
}

/// Returns the counts of units in a batch: `count` columns from `first`.
pub fn reached(batch: &RecordBatch, first: usize, count: usize) -> DfResult<Vec<&BinaryArray>> {
    let columns = batch.columns().get(first..first + count).unwrap_or_default();
    let reached = columns.iter().map(|column| column.as_binary_opt::<i32>());
    let reached = reached.collect::<Option<Vec<_>>>().filter(|reached| reached.len() == count);
    reached.ok_or_else(|| internal_datafusion_err!("a count of units is not binary"))
}

/// Reads a hidden group key that says which conditions are met, row by row.
pub fn mask_words(batch: &RecordBatch, column: usize) -> DfResult<&[i64]> {
    let words = batch.columns().get(column).and_then(|c| c.as_primitive_opt::<Int64Type>());
    Ok(words.ok_or_else(|| internal_datafusion_err!("a mask of conditions is not a number"))?.values())
}
