//! The aggregate function, for the engine: groups side by side, and their states as bytes.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, BooleanArray};
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type, UInt32Type};
use datafusion::common::{Result as DfResult, ScalarValue, exec_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility};

use super::bytes::{read, write};
use super::{Bounds, Group};

/// Aggregate function for one set of bounds.
#[derive(PartialEq, Eq, Hash)]
pub struct Spread {
    bounds: Bounds,
    signature: Signature,
}

impl Spread {
    /// Makes the function that holds groups against these bounds.
    pub fn new(bounds: Bounds) -> Self {
        let types = vec![DataType::UInt32, DataType::Float64];
        Self { bounds, signature: Signature::exact(types, Volatility::Immutable) }
    }
}

impl fmt::Debug for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Spread({:?})", self.bounds)
    }
}

impl AggregateUDFImpl for Spread {
    fn name(&self) -> &'static str {
        "__spread"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> DfResult<DataType> {
        Ok(DataType::Boolean)
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> DfResult<Vec<FieldRef>> {
        Ok(vec![Arc::new(Field::new(format!("{}[spread]", args.name), DataType::Binary, true))])
    }

    fn accumulator(&self, _: AccumulatorArgs<'_>) -> DfResult<Box<dyn Accumulator>> {
        let mut groups = Groups::new(self.bounds);
        groups.grow(1);
        Ok(Box::new(OneGroup(groups)))
    }

    fn groups_accumulator_supported(&self, _: AccumulatorArgs<'_>) -> bool {
        true
    }

    fn create_groups_accumulator(&self, _: AccumulatorArgs<'_>) -> DfResult<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(Groups::new(self.bounds)))
    }
}

/// All groups of an aggregation.
#[derive(Debug)]
struct Groups {
    bounds: Bounds,
    list: Vec<Group>,
    /// About how many bytes lie outside of the list of groups.
    bytes: usize,
}

impl Groups {
    fn new(bounds: Bounds) -> Self {
        Self { bounds, list: Vec::new(), bytes: 0 }
    }

    fn grow(&mut self, groups: usize) {
        if groups > self.list.len() {
            self.list.resize_with(groups, Group::default);
        }
    }

    fn add_rows(
        &mut self,
        values: &[ArrayRef],
        group: impl Fn(usize) -> usize,
        filter: Option<&BooleanArray>,
    ) -> DfResult<()> {
        let [units, values] = values else { return exec_err!("spread has two arguments") };
        let (units, values) = (units.as_primitive::<UInt32Type>(), values.as_primitive::<Float64Type>());
        let is_in = |row: &usize| is_met(filter, *row) && units.is_valid(*row) && values.is_valid(*row);
        for row in (0..units.len()).filter(is_in) {
            self.bytes += self.list[group(row)].add(units.value(row), values.value(row), &self.bounds);
        }
        Ok(())
    }

    fn merge(&mut self, states: &[ArrayRef], group: impl Fn(usize) -> usize) -> DfResult<()> {
        let [states] = states else { return exec_err!("a state of spread is one column") };
        let states = states.as_binary::<i32>();
        for row in (0..states.len()).filter(|row| states.is_valid(*row)) {
            let Some(other) = read(states.value(row)) else { return exec_err!("a state of spread is not whole") };
            self.bytes += self.list[group(row)].merge(&other, &self.bounds);
        }
        Ok(())
    }

    fn take(&mut self, emit_to: EmitTo) -> Vec<Group> {
        let groups = match emit_to {
            EmitTo::All => self.list.len(),
            EmitTo::First(first) => first.min(self.list.len()),
        };
        // The bytes of the groups that stay are counted too high from here on, which is on the safe side.
        if groups == self.list.len() {
            self.bytes = 0;
        }
        self.list.drain(..groups).collect()
    }
}

fn states(groups: &[Group]) -> ArrayRef {
    Arc::new(groups.iter().map(|group| Some(write(group))).collect::<BinaryArray>())
}

impl GroupsAccumulator for Groups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> DfResult<()> {
        self.grow(total_num_groups);
        self.add_rows(values, |row| group_indices[row], opt_filter)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> DfResult<ArrayRef> {
        let bounds = self.bounds;
        let fits = self.take(emit_to).into_iter().map(|group| Some(group.fits(&bounds)));
        Ok(Arc::new(fits.collect::<BooleanArray>()))
    }

    fn state(&mut self, emit_to: EmitTo) -> DfResult<Vec<ArrayRef>> {
        Ok(vec![states(&self.take(emit_to))])
    }

    fn merge_batch(&mut self, values: &[ArrayRef], group_indices: &[usize], total_num_groups: usize) -> DfResult<()> {
        self.grow(total_num_groups);
        self.merge(values, |row| group_indices[row])
    }

    fn convert_to_state(&self, values: &[ArrayRef], opt_filter: Option<&BooleanArray>) -> DfResult<Vec<ArrayRef>> {
        let mut each = Self::new(self.bounds);
        each.grow(values.first().map_or(0, Array::len));
        each.add_rows(values, |row| row, opt_filter)?;
        Ok(vec![states(&each.list)])
    }

    fn size(&self) -> usize {
        self.list.capacity() * size_of::<Group>() + self.bytes
    }
}

/// Returns true if a row meets the aggregate's filter; a NULL does not.
fn is_met(filter: Option<&BooleanArray>, row: usize) -> bool {
    filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row))
}

/// An aggregation without groups.
#[derive(Debug)]
struct OneGroup(Groups);

impl Accumulator for OneGroup {
    fn update_batch(&mut self, values: &[ArrayRef]) -> DfResult<()> {
        self.0.add_rows(values, |_| 0, None)
    }

    fn evaluate(&mut self) -> DfResult<ScalarValue> {
        Ok(ScalarValue::Boolean(Some(self.0.list[0].fits(&self.0.bounds))))
    }

    fn state(&mut self) -> DfResult<Vec<ScalarValue>> {
        Ok(vec![ScalarValue::Binary(Some(write(&self.0.list[0])))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> DfResult<()> {
        self.0.merge(states, |_| 0)
    }

    fn size(&self) -> usize {
        self.0.size()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use arrow::array::{Float64Array, UInt32Array};
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    fn columns(rows: &[(u32, f64)]) -> Vec<ArrayRef> {
        let units: UInt32Array = rows.iter().map(|(unit, _)| Some(*unit)).collect();
        let values: Float64Array = rows.iter().map(|(_, value)| Some(*value)).collect();
        vec![Arc::new(units), Arc::new(values)]
    }

    fn fits(groups: &mut Groups) -> Vec<bool> {
        let emitted = groups.evaluate(EmitTo::All).unwrap();
        emitted.as_boolean().iter().map(Option::unwrap).collect()
    }

    #[test]
    fn groups_are_decided_alike_whatever_the_parts_that_their_rows_came_in() {
        let mut rng = StdRng::seed_from_u64(8);
        let (mut yes, mut no) = (0, 0);
        for _ in 0..200 {
            let bounds = Bounds { k: 3, values: 4, units: 2, percent: 80, p_percent: 10 };
            let units = rng.random_range(2..60);
            let rows: Vec<(u32, f64)> = (0..300)
                .map(|_| {
                    let value = if rng.random_ratio(1, 40) { 5000 } else { rng.random_range(0..8) };
                    (rng.random_range(0..units), f64::from(value))
                })
                .collect();
            let of: Vec<usize> = (0..300).map(|_| rng.random_range(0..9).min(rng.random_range(0..9))).collect();
            let mut whole = Groups::new(bounds);
            whole.update_batch(&columns(&rows), &of, None, 9).unwrap();
            let (mut merged, mut apart) = (Groups::new(bounds), Groups::new(bounds));
            for range in [120..300, 0..120] {
                let mut part = Groups::new(bounds);
                part.update_batch(&columns(&rows[range.clone()]), &of[range.clone()], None, 9).unwrap();
                let first = part.state(EmitTo::First(2)).unwrap();
                merged.merge_batch(&first, &[0, 1], 9).unwrap();
                merged.merge_batch(&part.state(EmitTo::All).unwrap(), &[2, 3, 4, 5, 6, 7, 8], 9).unwrap();
                let states = apart.convert_to_state(&columns(&rows[range.clone()]), None).unwrap();
                apart.merge_batch(&states, &of[range], 9).unwrap();
            }
            let expected = fits(&mut whole);
            assert_eq!((fits(&mut merged), fits(&mut apart)), (expected.clone(), expected.clone()));
            yes += expected.iter().filter(|fit| **fit).count();
            no += expected.iter().filter(|fit| !**fit).count();
        }
        assert!(yes > 100 && no > 100, "{yes} {no}");
    }

    #[test]
    fn what_is_null_or_filtered_takes_no_part() {
        let bounds = Bounds { k: 2, values: 0, units: 1, percent: 60, p_percent: 0 };
        let units = UInt32Array::from(vec![Some(1), Some(2), None, Some(3), Some(4)]);
        let values = Float64Array::from(vec![Some(1.0), Some(1.0), Some(90.0), Some(90.0), None]);
        let filter = BooleanArray::from(vec![Some(true), Some(true), Some(true), None, Some(true)]);
        let mut groups = Groups::new(bounds);
        let columns: Vec<ArrayRef> = vec![Arc::new(units), Arc::new(values)];
        groups.update_batch(&columns, &[0; 5], Some(&filter), 1).unwrap();
        assert_eq!(fits(&mut groups), [true]);
        groups.update_batch(&columns, &[0; 5], None, 1).unwrap();
        assert_eq!(fits(&mut groups), [false]);
    }
}
