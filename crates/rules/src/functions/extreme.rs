//! `min` and `max` of floats. NaN is greater than every number, as in PostgreSQL, with and without groups.

use std::mem::size_of;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{Accumulator, EmitTo, GroupsAccumulator};

use super::sums::passes;

/// End of the order of floats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Extreme {
    Least,
    Greatest,
}

impl Extreme {
    /// Returns true if a value is nearer to this end than another.
    pub fn beats(self, new: f64, old: f64) -> bool {
        match self {
            Self::Least => new < old || (old.is_nan() && !new.is_nan()),
            Self::Greatest => new > old || (new.is_nan() && !old.is_nan()),
        }
    }

    fn take(self, best: &mut Option<f64>, new: f64) {
        if best.is_none_or(|old| self.beats(new, old)) {
            *best = Some(new);
        }
    }
}

fn floats(column: &ArrayRef) -> Result<Float64Array> {
    Ok(cast(column, &DataType::Float64)?.as_primitive::<Float64Type>().clone())
}

/// Extreme of one group.
#[derive(Debug)]
pub(super) struct OneExtreme {
    pub which: Extreme,
    pub data_type: DataType,
    pub best: Option<f64>,
}

impl Accumulator for OneExtreme {
    fn update_batch(&mut self, columns: &[ArrayRef]) -> Result<()> {
        floats(&columns[0])?.iter().flatten().for_each(|value| self.which.take(&mut self.best, value));
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        ScalarValue::Float64(self.best).cast_to(&self.data_type)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.evaluate()?])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.update_batch(states)
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }
}

/// Extremes of many groups.
#[derive(Debug)]
pub(super) struct GroupExtremes {
    which: Extreme,
    data_type: DataType,
    best: Vec<Option<f64>>,
}

impl GroupExtremes {
    pub fn new(which: Extreme, data_type: DataType) -> Self {
        Self { which, data_type, best: Vec::new() }
    }
}

impl GroupsAccumulator for GroupExtremes {
    fn update_batch(
        &mut self,
        columns: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.best.resize(total_num_groups, None);
        let column = floats(&columns[0])?;
        for (row, group) in groups.iter().enumerate() {
            if column.is_valid(row) && passes(filter, row) {
                self.which.take(&mut self.best[*group], column.value(row));
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let best: Float64Array = emit_to.take_needed(&mut self.best).into_iter().collect();
        let best: ArrayRef = Arc::new(best);
        Ok(cast(&best, &self.data_type)?)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.evaluate(emit_to)?])
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], total_num_groups: usize) -> Result<()> {
        self.update_batch(states, groups, None, total_num_groups)
    }

    fn convert_to_state(&self, columns: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let column = floats(&columns[0])?;
        let kept: Float64Array = column.iter().enumerate().map(|(row, v)| v.filter(|_| passes(filter, row))).collect();
        let kept: ArrayRef = Arc::new(kept);
        Ok(vec![cast(&kept, &self.data_type)?])
    }

    fn size(&self) -> usize {
        self.best.capacity() * size_of::<Option<f64>>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nan_is_the_greatest_wherever_it_stands() {
        for at in 0..4 {
            let mut values = vec![9.0, 1.0, 5.0];
            values.insert(at, -f64::NAN);
            let column: ArrayRef = Arc::new(Float64Array::from(values));
            for (which, expected) in [(Extreme::Least, 1.0), (Extreme::Greatest, f64::NAN)] {
                let mut one = OneExtreme { which, data_type: DataType::Float64, best: None };
                one.update_batch(&[Arc::clone(&column)]).unwrap();
                let mut groups = GroupExtremes::new(which, DataType::Float64);
                groups.update_batch(&[Arc::clone(&column)], &[1; 4], None, 2).unwrap();
                let told = groups.evaluate(EmitTo::All).unwrap();
                assert!(told.is_null(0));
                for told in [one.evaluate().unwrap(), ScalarValue::try_from_array(&told, 1).unwrap()] {
                    let ScalarValue::Float64(Some(told)) = told else { panic!("{told}") };
                    assert!(told.to_bits() == expected.to_bits() || told.is_nan() && expected.is_nan(), "{at}");
                }
            }
        }
    }
}
