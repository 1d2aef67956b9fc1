//! `sum` of integers and decimals, of all rows or of each group, with the totals of [`total`](super::total).

use std::marker::PhantomData;
use std::mem::size_of;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array, PrimitiveArray};
use arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{Accumulator, EmitTo, GroupsAccumulator};

use super::total::{Exact, Outcome, TOTAL, Total, read_state, state_arrays};

/// One sum; values may leave it again.
#[derive(Debug)]
pub(super) struct OneTotal<T> {
    total: Total,
    result: Outcome,
    of: PhantomData<T>,
}

impl<T: Exact> OneTotal<T> {
    pub fn new(result: Outcome) -> Self {
        Self { total: Total::default(), result, of: PhantomData }
    }
}

/// Calls `each` with every value of a column that is not NULL.
pub(super) fn values<T: Exact>(column: &ArrayRef, mut each: impl FnMut(i128)) {
    let column = column.as_primitive::<T>();
    if column.null_count() == 0 {
        column.values().iter().for_each(|value| each(T::wide(*value)));
    } else {
        column.iter().flatten().for_each(|value| each(T::wide(value)));
    }
}

impl<T: Exact> Accumulator for OneTotal<T> {
    fn update_batch(&mut self, columns: &[ArrayRef]) -> Result<()> {
        values::<T>(&columns[0], |value| self.total.add(value));
        Ok(())
    }

    fn retract_batch(&mut self, columns: &[ArrayRef]) -> Result<()> {
        values::<T>(&columns[0], |value| self.total.remove(value));
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.total.value::<T>(&self.result)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let DataType::Decimal256(digits, scale) = TOTAL else { return Ok(vec![]) };
        let total = ScalarValue::Decimal256(Some(self.total.to_i256()), digits, scale);
        Ok(vec![total, ScalarValue::UInt64(Some(self.total.count))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        read_state(states).for_each(|total| self.total.merge(total));
        Ok(())
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.result.name.capacity()
    }
}

/// One sum for each group.
#[derive(Debug)]
pub(super) struct GroupTotals<T> {
    totals: Vec<Total>,
    result: Outcome,
    of: PhantomData<T>,
}

impl<T: Exact> GroupTotals<T> {
    pub fn new(result: Outcome) -> Self {
        Self { totals: Vec::new(), result, of: PhantomData }
    }
}

/// Returns true if a row passes the filter of an aggregate.
pub(super) fn passes(filter: Option<&BooleanArray>, row: usize) -> bool {
    filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row))
}

impl<T: Exact> GroupsAccumulator for GroupTotals<T> {
    fn update_batch(
        &mut self,
        columns: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.totals.resize(total_num_groups, Total::default());
        let column = columns[0].as_primitive::<T>();
        if column.null_count() == 0 && filter.is_none() {
            for (value, group) in column.values().iter().zip(groups) {
                self.totals[*group].add(T::wide(*value));
            }
        } else {
            for (row, group) in groups.iter().enumerate() {
                if column.is_valid(row) && passes(filter, row) {
                    self.totals[*group].add(T::wide(column.value(row)));
                }
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let totals = emit_to.take_needed(&mut self.totals);
        if self.result.is_average() {
            return Ok(Arc::new(totals.into_iter().map(Total::average).collect::<Float64Array>()));
        }
        let sums = totals.into_iter().map(|total| total.narrow::<T>(&self.result));
        let sums = sums.collect::<Result<PrimitiveArray<T>>>()?;
        Ok(Arc::new(sums.with_data_type(self.result.data_type.clone())))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let totals = emit_to.take_needed(&mut self.totals);
        Ok(state_arrays(totals.iter().copied()))
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], total_num_groups: usize) -> Result<()> {
        self.totals.resize(total_num_groups, Total::default());
        for (total, group) in read_state(states).zip(groups) {
            self.totals[*group].merge(total);
        }
        Ok(())
    }

    fn convert_to_state(&self, columns: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let column = columns[0].as_primitive::<T>();
        let totals = (0..column.len()).map(|row| {
            let mut total = Total::default();
            if column.is_valid(row) && passes(filter, row) {
                total.add(T::wide(column.value(row)));
            }
            total
        });
        Ok(state_arrays(totals))
    }

    fn size(&self) -> usize {
        self.totals.capacity() * size_of::<Total>() + self.result.name.capacity()
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Decimal128Array, Int64Array};
    use arrow::datatypes::{Decimal128Type, Int64Type};

    use super::*;
    use crate::functions::Overflow;

    fn result(data_type: DataType, overflow: Overflow) -> Outcome {
        Outcome { name: "sum(n)".to_owned(), data_type, overflow }
    }

    fn ints(values: &[i64]) -> ArrayRef {
        Arc::new(Int64Array::from(values.to_vec()))
    }

    #[test]
    fn a_sum_may_leave_its_range_on_the_way() {
        let mut sum = OneTotal::<Int64Type>::new(result(DataType::Int64, Overflow::Fails));
        sum.update_batch(&[ints(&[i64::MAX, i64::MAX, i64::MIN, -5])]).unwrap();
        assert_eq!(sum.evaluate().unwrap(), ScalarValue::Int64(Some(i64::MAX - 6)));
        sum.retract_batch(&[ints(&[i64::MIN])]).unwrap();
        let error = sum.evaluate().unwrap_err().to_string();
        assert!(error.contains("sum(n) is out of range"), "{error}");
    }

    #[test]
    fn parts_are_merged_exactly() {
        const MOST: i128 = 99_999_999_999_999_999_999_999_999_999_999_999_999;
        let decimals = |values: &[i128]| -> ArrayRef {
            Arc::new(Decimal128Array::from(values.to_vec()).with_precision_and_scale(38, 2).unwrap())
        };
        let outcome = result(DataType::Decimal128(38, 2), Overflow::IsNull);
        for sign in [1, -1] {
            let mut whole = OneTotal::<Decimal128Type>::new(outcome.clone());
            for _ in 0..5 {
                let mut part = OneTotal::<Decimal128Type>::new(outcome.clone());
                part.update_batch(&[decimals(&[sign * MOST, sign * MOST])]).unwrap();
                assert!(part.evaluate().unwrap().is_null());
                let states: Vec<ArrayRef> =
                    part.state().unwrap().iter().map(|value| value.to_array().unwrap()).collect();
                whole.merge_batch(&states).unwrap();
            }
            assert!(whole.evaluate().unwrap().is_null());
            whole.update_batch(&[decimals(&[-sign * MOST; 9])]).unwrap();
            assert_eq!(whole.evaluate().unwrap(), ScalarValue::Decimal128(Some(sign * MOST), 38, 2));
        }
    }

    #[test]
    fn groups_are_summed_as_one_is() {
        let mut groups = GroupTotals::<Int64Type>::new(result(DataType::Int64, Overflow::IsNull));
        groups.update_batch(&[ints(&[i64::MAX, 1, 2, 3])], &[0, 0, 1, 1], None, 3).unwrap();
        let sums = groups.evaluate(EmitTo::All).unwrap();
        assert_eq!(sums.as_primitive::<Int64Type>().iter().collect::<Vec<_>>(), [None, Some(5), None]);
        let states = groups.convert_to_state(&[ints(&[7, 8])], Some(&vec![true, false].into())).unwrap();
        groups.merge_batch(&states, &[0, 1], 2).unwrap();
        let sums = groups.evaluate(EmitTo::First(2)).unwrap();
        assert_eq!(sums.as_primitive::<Int64Type>().iter().collect::<Vec<_>>(), [Some(7), None]);
    }
}
