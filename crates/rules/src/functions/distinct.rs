//! `sum(DISTINCT …)` of integers and decimals.

use std::collections::HashMap;
use std::marker::PhantomData;
use std::mem::size_of;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::Accumulator;

use super::sums::values;
use super::total::{Exact, Outcome, Total};

/// One sum of different values, each with the number of its rows; values may leave it again.
#[derive(Debug)]
pub(super) struct DistinctTotal<T> {
    rows: HashMap<i128, u64>,
    result: Outcome,
    /// Type of the values.
    values: DataType,
    of: PhantomData<T>,
}

impl<T: Exact> DistinctTotal<T> {
    /// Returns the sum, or the average, of no values of this type yet.
    pub fn new(result: Outcome, values: DataType) -> Self {
        Self { rows: HashMap::new(), result, values, of: PhantomData }
    }

    /// Returns the sum of the different values, and their number.
    pub fn total(&self) -> Total {
        let mut total = Total::default();
        self.rows.keys().for_each(|value| total.add(*value));
        total
    }
}

/// Column of a partial sum of different values: the values themselves.
pub(super) fn distinct_state_fields(name: &str, data_type: &DataType) -> Vec<FieldRef> {
    let item = Field::new_list_field(data_type.clone(), true);
    vec![Arc::new(Field::new_list(format!("{name}[values]"), item, false))]
}

impl<T: Exact> Accumulator for DistinctTotal<T> {
    fn update_batch(&mut self, columns: &[ArrayRef]) -> Result<()> {
        values::<T>(&columns[0], |value| *self.rows.entry(value).or_default() += 1);
        Ok(())
    }

    fn retract_batch(&mut self, columns: &[ArrayRef]) -> Result<()> {
        values::<T>(&columns[0], |value| {
            if let Some(rows) = self.rows.get_mut(&value) {
                *rows -= 1;
                if *rows == 0 {
                    self.rows.remove(&value);
                }
            }
        });
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.total().value::<T>(&self.result)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let data_type = &self.values;
        let values = self.rows.keys().filter_map(|value| T::narrow(*value, data_type));
        let values: Result<Vec<_>> = values.map(|v| ScalarValue::new_primitive::<T>(Some(v), data_type)).collect();
        Ok(vec![ScalarValue::List(ScalarValue::new_list_nullable(&values?, data_type))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for list in states[0].as_list::<i32>().iter().flatten() {
            self.update_batch(&[list])?;
        }
        Ok(())
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.rows.capacity() * size_of::<(i128, u64)>() + self.result.name.capacity()
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::Int64Array;
    use arrow::datatypes::Int64Type;

    use super::*;
    use crate::functions::Overflow;

    fn ints(values: &[i64]) -> ArrayRef {
        Arc::new(Int64Array::from(values.to_vec()))
    }

    #[test]
    fn different_values_count_once_while_a_row_holds_them() {
        let outcome = Outcome { name: "sum(n)".to_owned(), data_type: DataType::Int64, overflow: Overflow::Fails };
        let mut sum = DistinctTotal::<Int64Type>::new(outcome, DataType::Int64);
        sum.update_batch(&[ints(&[4, 4, 5])]).unwrap();
        sum.retract_batch(&[ints(&[4])]).unwrap();
        assert_eq!(sum.evaluate().unwrap(), ScalarValue::Int64(Some(9)));
        sum.retract_batch(&[ints(&[4])]).unwrap();
        assert_eq!(sum.evaluate().unwrap(), ScalarValue::Int64(Some(5)));
        sum.update_batch(&[ints(&[i64::MAX])]).unwrap();
        assert!(sum.evaluate().is_err());
    }
}
