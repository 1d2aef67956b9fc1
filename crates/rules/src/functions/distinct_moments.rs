//! Variance, covariance, correlation and regression of different values, or of different pairs of them.
//!
//! The engine has none of a variance beside another DISTINCT aggregate, and passes DISTINCT over in those of two variables.

use std::collections::BTreeMap;
use std::mem::size_of;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::Accumulator;
use wanqu_model::aggregates::Statistic;

use super::sliding::rows;
use crate::merge::Moments;

/// Different values, or pairs, each with the number of its rows. They are in an order, so that a sum of floats is always the
/// same.
#[derive(Debug)]
pub(super) struct DistinctMoments {
    /// The bits of a value, and those of the second one or zero.
    rows: BTreeMap<[u64; 2], u64>,
    which: Statistic,
    data_type: DataType,
}

impl DistinctMoments {
    /// Returns the statistic of no values yet, which is to have this type.
    pub fn new(which: Statistic, data_type: DataType) -> Self {
        Self { rows: BTreeMap::new(), which, data_type }
    }

    fn add(&mut self, row: [f64; 2], rows: u64) {
        *self.rows.entry(row.map(bits)).or_default() += rows;
    }
}

/// Returns the bits of a float in its one form: NaN is NaN, and negative zero is zero.
fn bits(value: f64) -> u64 {
    if value.is_nan() { f64::NAN.to_bits() } else { (value + 0.0).to_bits() }
}

fn pair(row: &[f64]) -> [f64; 2] {
    [row.first().copied().unwrap_or_default(), row.get(1).copied().unwrap_or_default()]
}

/// Columns of a partial statistic of different values: the values themselves, and the second ones.
pub(super) fn distinct_moments_fields(name: &str) -> Vec<FieldRef> {
    let list = |which: &str| {
        let item = Field::new_list_field(DataType::Float64, true);
        Arc::new(Field::new_list(format!("{name}[{which}]"), item, false))
    };
    vec![list("y"), list("x")]
}

impl Accumulator for DistinctMoments {
    fn update_batch(&mut self, columns: &[ArrayRef]) -> Result<()> {
        rows(columns, |row| self.add(pair(row), 1))
    }

    fn retract_batch(&mut self, columns: &[ArrayRef]) -> Result<()> {
        rows(columns, |row| {
            let key = pair(row).map(bits);
            if let Some(rows) = self.rows.get_mut(&key) {
                *rows -= 1;
                if *rows == 0 {
                    self.rows.remove(&key);
                }
            }
        })
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let mut moments = Moments::default();
        for [y, x] in self.rows.keys() {
            moments.merge(Moments::pair(f64::from_bits(*y), f64::from_bits(*x)));
        }
        ScalarValue::Float64(moments.statistic(self.which)).cast_to(&self.data_type)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let list = |at: usize| {
            let values: Vec<ScalarValue> =
                self.rows.keys().map(|row| ScalarValue::from(f64::from_bits(row[at]))).collect();
            ScalarValue::List(ScalarValue::new_list_nullable(&values, &DataType::Float64))
        };
        Ok(vec![list(0), list(1)])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let (ys, xs) = (states[0].as_list::<i32>(), states[1].as_list::<i32>());
        for (ys, xs) in ys.iter().zip(xs.iter()) {
            let (Some(ys), Some(xs)) = (ys, xs) else { continue };
            for (y, x) in
                ys.as_primitive::<Float64Type>().values().iter().zip(xs.as_primitive::<Float64Type>().values())
            {
                self.add([*y, *x], 1);
            }
        }
        Ok(())
    }

    fn size(&self) -> usize {
        // The nodes of the tree are about two thirds full.
        size_of_val(self) + self.rows.len() * size_of::<([u64; 2], u64)>() * 3 / 2
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::Float64Array;

    use super::*;

    fn floats(values: &[f64]) -> ArrayRef {
        Arc::new(Float64Array::from(values.to_vec()))
    }

    #[test]
    fn different_pairs_count_once_in_one_part_and_in_two() {
        let corr = || DistinctMoments::new(Statistic::Corr, DataType::Float64);
        let (mut one, mut other, mut both) = (corr(), corr(), corr());
        one.update_batch(&[floats(&[1.0, 1.0, 2.0]), floats(&[1.0, 1.0, 2.0])]).unwrap();
        other.update_batch(&[floats(&[1.0, 3.0]), floats(&[1.0, 0.0])]).unwrap();
        for part in [&mut one, &mut other] {
            let state: Vec<ArrayRef> = part.state().unwrap().iter().map(|s| s.to_array().unwrap()).collect();
            both.merge_batch(&state).unwrap();
        }
        // Of (1, 1), (2, 2) and (3, 0).
        assert_eq!(both.evaluate().unwrap(), ScalarValue::Float64(Some(-0.5)));
    }

    #[test]
    fn a_value_counts_while_a_row_of_a_window_holds_it() {
        let mut variance = DistinctMoments::new(Statistic::VarPop, DataType::Float64);
        variance.update_batch(&[floats(&[0.0, -0.0, 4.0])]).unwrap();
        assert_eq!(variance.evaluate().unwrap(), ScalarValue::Float64(Some(4.0)));
        variance.retract_batch(&[floats(&[0.0])]).unwrap();
        assert_eq!(variance.evaluate().unwrap(), ScalarValue::Float64(Some(4.0)));
        variance.retract_batch(&[floats(&[-0.0])]).unwrap();
        assert_eq!(variance.evaluate().unwrap(), ScalarValue::Float64(Some(0.0)));
    }
}
