//! Floats over a sliding window, without subtraction.
//!
//! A value that leaves a window cannot be subtracted from a float: `1e20 + 1 - 1e20` is 0, and NaN and infinity never go
//! away. A window is kept as two stacks instead: summaries of the older values, each with all that follow it, and the newer
//! values with one summary of them all. Each value is moved once, so a step costs the same however wide the window is.
//!
//! Source: K. Tangwongsan, M. Hirzel, S. Schneider, "Low-Latency Sliding-Window Aggregation in Worst-Case Constant Time",
//! 2017, which describes the two stacks as known.

use std::fmt::Debug;
use std::mem::size_of;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::Accumulator;
use wanqu_model::aggregates::Statistic;

use super::extreme::Extreme;
use crate::merge::Moments;

/// Summary of consecutive values.
pub(super) trait Summary: Copy + Debug + Send + Sync + 'static {
    /// Choice of the result, such as the sum or the average.
    type Kind: Copy + Debug + Send + Sync;
    /// Returns the summary of one row; its columns are not NULL.
    fn of(row: &[f64]) -> Self;
    /// Returns the summary of these values and later ones.
    fn with(self, later: Self, kind: Self::Kind) -> Self;
    /// Returns what is told of `count` values, at least one.
    fn told(self, count: usize, kind: Self::Kind) -> Option<f64>;
}

/// Values of a window, the oldest of which leaves first.
#[derive(Debug)]
struct Window<S> {
    /// Summaries of an older value and all old ones after it, the oldest last.
    older: Vec<S>,
    newer: Vec<S>,
    newer_whole: Option<S>,
}

impl<S: Summary> Window<S> {
    fn push(&mut self, value: S, kind: S::Kind) {
        self.newer_whole = Some(self.newer_whole.map_or(value, |whole| whole.with(value, kind)));
        self.newer.push(value);
    }

    fn pop(&mut self, kind: S::Kind) {
        if self.older.is_empty() {
            let mut whole: Option<S> = None;
            while let Some(value) = self.newer.pop() {
                let next = whole.map_or(value, |later| value.with(later, kind));
                self.older.push(next);
                whole = Some(next);
            }
            self.newer_whole = None;
        }
        self.older.pop();
    }

    fn whole(&self, kind: S::Kind) -> Option<S> {
        match (self.older.last(), self.newer_whole) {
            (Some(older), Some(newer)) => Some(older.with(newer, kind)),
            (older, newer) => older.copied().or(newer),
        }
    }

    fn len(&self) -> usize {
        self.older.len() + self.newer.len()
    }
}

/// Aggregate over a sliding window.
#[derive(Debug)]
pub(super) struct Sliding<S: Summary> {
    window: Window<S>,
    kind: S::Kind,
    data_type: DataType,
}

impl<S: Summary> Sliding<S> {
    pub fn new(kind: S::Kind, data_type: &DataType) -> Self {
        let window = Window { older: Vec::new(), newer: Vec::new(), newer_whole: None };
        Self { window, kind, data_type: data_type.clone() }
    }
}

/// Calls `each` with the columns of every row that has all of them.
pub(super) fn rows(columns: &[ArrayRef], mut each: impl FnMut(&[f64])) -> Result<()> {
    let floats = columns.iter().map(|column| cast(column, &DataType::Float64)).collect::<Result<Vec<_>, _>>()?;
    let floats: Vec<&Float64Array> = floats.iter().map(AsArray::as_primitive::<Float64Type>).collect();
    let mut row = Vec::with_capacity(floats.len());
    for index in 0..floats.first().map_or(0, Array::len) {
        row.clear();
        row.extend(floats.iter().filter(|column| column.is_valid(index)).map(|column| column.value(index)));
        if row.len() == floats.len() {
            each(&row);
        }
    }
    Ok(())
}

impl<S: Summary> Accumulator for Sliding<S> {
    fn update_batch(&mut self, columns: &[ArrayRef]) -> Result<()> {
        rows(columns, |row| self.window.push(S::of(row), self.kind))
    }

    fn retract_batch(&mut self, columns: &[ArrayRef]) -> Result<()> {
        rows(columns, |_| self.window.pop(self.kind))
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let told = self.window.whole(self.kind).and_then(|whole| whole.told(self.window.len(), self.kind));
        ScalarValue::Float64(told).cast_to(&self.data_type)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        exec_err!("a sliding window is computed in one place")
    }

    fn merge_batch(&mut self, _: &[ArrayRef]) -> Result<()> {
        exec_err!("a sliding window is computed in one place")
    }

    fn size(&self) -> usize {
        size_of_val(self) + (self.window.older.capacity() + self.window.newer.capacity()) * size_of::<S>()
    }
}

/// Result of a sum of values.
#[derive(Debug, Clone, Copy)]
pub(super) enum SumKind {
    Sum,
    Average,
}

impl Summary for f64 {
    type Kind = SumKind;

    fn of(row: &[f64]) -> Self {
        row.iter().sum()
    }

    fn with(self, later: Self, _: SumKind) -> Self {
        self + later
    }

    fn told(self, count: usize, kind: SumKind) -> Option<f64> {
        Some(match kind {
            SumKind::Sum => self,
            SumKind::Average => self / count as f64,
        })
    }
}

impl Summary for Moments {
    type Kind = Statistic;

    fn of(row: &[f64]) -> Self {
        match row {
            [y, x, ..] => Self::pair(*y, *x),
            [y] => Self::pair(*y, 0.0),
            [] => Self::default(),
        }
    }

    fn with(mut self, later: Self, _: Statistic) -> Self {
        self.merge(later);
        self
    }

    fn told(self, _: usize, kind: Statistic) -> Option<f64> {
        self.statistic(kind)
    }
}

/// Least or greatest of some values.
#[derive(Debug, Clone, Copy)]
pub(super) struct Best(f64);

impl Summary for Best {
    type Kind = Extreme;

    fn of(row: &[f64]) -> Self {
        Self(row.first().copied().unwrap_or(f64::NAN))
    }

    fn with(self, later: Self, kind: Extreme) -> Self {
        if kind.beats(later.0, self.0) { later } else { self }
    }

    fn told(self, _: usize, _: Extreme) -> Option<f64> {
        Some(self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// Tells of every window of `width` values.
    fn slide<S: Summary>(kind: S::Kind, width: usize, values: &[f64]) -> Vec<Option<f64>> {
        let mut sliding = Sliding::<S>::new(kind, &DataType::Float64);
        let column = |value: f64| -> [ArrayRef; 1] { [Arc::new(Float64Array::from(vec![value]))] };
        let told = values.iter().enumerate().map(|(row, value)| {
            sliding.update_batch(&column(*value)).unwrap();
            if row >= width {
                sliding.retract_batch(&column(values[row - width])).unwrap();
            }
            match sliding.evaluate().unwrap() {
                ScalarValue::Float64(told) => told,
                other => panic!("{other}"),
            }
        });
        told.collect()
    }

    #[test]
    fn what_left_the_window_leaves_nothing_behind() {
        let values = [1e20, 1.0, f64::INFINITY, 2.0, 3.0, f64::NAN, 4.0, 5.0, 6.0];
        let sums = slide::<f64>(SumKind::Sum, 2, &values);
        assert_eq!(sums[4], Some(5.0));
        assert_eq!(sums[7..], [Some(9.0), Some(11.0)]);
        assert_eq!(slide::<f64>(SumKind::Average, 2, &values)[8], Some(5.5));
    }

    #[test]
    fn equal_values_do_not_spread() {
        let values = [30.0, 30.0, 7.0, -3.0, 1e9, 2.0, 2.0, 2.0, 0.1, 0.1, 0.1];
        let told = slide::<Moments>(Statistic::StddevSamp, 3, &values);
        assert_eq!([told[0], told[1], told[7], told[10]], [None, Some(0.0), Some(0.0), Some(0.0)]);
        assert!(told.iter().skip(1).all(|told| told.is_some_and(|told| told >= 0.0)));
    }

    #[test]
    fn windows_of_every_width_are_those_of_their_values_alone() {
        let values: Vec<f64> = (0..60).map(|i| f64::from(i * i % 17) - 8.0).collect();
        for width in 1..20 {
            let told = slide::<Best>(Extreme::Least, width, &values);
            for (row, told) in told.into_iter().enumerate() {
                let from = (row + 1).saturating_sub(width);
                let least = values[from..=row].iter().copied().fold(f64::INFINITY, f64::min);
                assert_eq!(told, Some(least), "row {row}, width {width}");
            }
        }
    }
}
