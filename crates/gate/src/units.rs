//! `units_reach(unit)`: an aggregate that counts distinct privacy units and stops at k.
//!
//! For each group it answers NULL once k distinct units were seen: that is enough, whatever else the group holds. Below
//! k it answers the units' hashes ([`Hashes`]), so that those behind a part of a cell can be counted together. A
//! record that does not say whose it is adds [`NOBODY_KNOWN`] to them, which counts as no unit, but makes the answer not
//! empty: an empty one means that truly nobody is in the group.
//!
//! Once a group has k units, a row of it costs one comparison; once all groups have, a batch costs one.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, BooleanArray};
use arrow::datatypes::{DataType, Field, FieldRef, UInt32Type};
use datafusion::common::{Result as DfResult, ScalarValue, exec_datafusion_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility};

use super::hashes::Hashes;
use super::tally::Tally;

/// The aggregate function for one k.
#[derive(PartialEq, Eq, Hash)]
pub struct UnitsReach {
    k: u32,
    signature: Signature,
}

impl UnitsReach {
    /// Makes the function that stops at `k` distinct units; at 1 if `k` is 0.
    pub fn new(k: u32) -> Self {
        Self { k: k.max(1), signature: Signature::exact(vec![DataType::UInt32], Volatility::Immutable) }
    }
}

impl fmt::Debug for UnitsReach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UnitsReach({})", self.k)
    }
}

impl AggregateUDFImpl for UnitsReach {
    fn name(&self) -> &'static str {
        "__units_reach"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> DfResult<DataType> {
        Ok(DataType::Binary)
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> DfResult<Vec<FieldRef>> {
        Ok(vec![Arc::new(Field::new(format!("{}[units]", args.name), DataType::Binary, true))])
    }

    fn accumulator(&self, _: AccumulatorArgs<'_>) -> DfResult<Box<dyn Accumulator>> {
        let mut tally = Tally::new(self.k);
        tally.grow(1);
        Ok(Box::new(OneGroup(tally)))
    }

    fn groups_accumulator_supported(&self, _: AccumulatorArgs<'_>) -> bool {
        true
    }

    fn create_groups_accumulator(&self, _: AccumulatorArgs<'_>) -> DfResult<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(Groups(Tally::new(self.k))))
    }
}

fn only(values: &[ArrayRef]) -> DfResult<&ArrayRef> {
    values.first().ok_or_else(|| exec_datafusion_err!("units_reach has one argument"))
}

/// The units of every group of an aggregation.
#[derive(Debug)]
struct Groups(Tally);

impl GroupsAccumulator for Groups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> DfResult<()> {
        let Self(tally) = self;
        tally.grow(total_num_groups);
        if tally.all_reached() {
            return Ok(());
        }
        let units = only(values)?.as_primitive::<UInt32Type>();
        let hashes = units.values();
        if opt_filter.is_none() && units.null_count() == 0 {
            for (group, hash) in group_indices.iter().zip(hashes) {
                tally.add(*group, *hash);
            }
            return Ok(());
        }
        for (row, group) in group_indices.iter().enumerate() {
            if counts(opt_filter, row) && units.is_valid(row) {
                tally.add(*group, hashes[row]);
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> DfResult<ArrayRef> {
        self.0.emit(emit_to)
    }

    fn state(&mut self, emit_to: EmitTo) -> DfResult<Vec<ArrayRef>> {
        Ok(vec![self.0.emit(emit_to)?])
    }

    fn merge_batch(&mut self, values: &[ArrayRef], group_indices: &[usize], total_num_groups: usize) -> DfResult<()> {
        let Self(tally) = self;
        tally.grow(total_num_groups);
        if tally.all_reached() {
            return Ok(());
        }
        let states = only(values)?.as_binary::<i32>();
        for (row, group) in group_indices.iter().enumerate() {
            if !tally.has_enough(*group) {
                tally.merge(*group, Hashes::read(states, row));
            }
        }
        Ok(())
    }

    fn convert_to_state(&self, values: &[ArrayRef], opt_filter: Option<&BooleanArray>) -> DfResult<Vec<ArrayRef>> {
        let units = only(values)?.as_primitive::<UInt32Type>();
        let mut one = Tally::new(self.0.k());
        one.grow(units.len());
        for row in (0..units.len()).filter(|row| counts(opt_filter, *row) && units.is_valid(*row)) {
            one.add(row, units.value(row));
        }
        Ok(vec![one.emit(EmitTo::All)?])
    }

    fn size(&self) -> usize {
        self.0.bytes()
    }
}

/// Returns true if a row meets the aggregate's filter; a NULL does not.
fn counts(filter: Option<&BooleanArray>, row: usize) -> bool {
    filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row))
}

/// The units of an aggregation without groups.
#[derive(Debug)]
struct OneGroup(Tally);

impl OneGroup {
    fn scalar(&self) -> DfResult<ScalarValue> {
        let state = self.0.clone().emit(EmitTo::All)?;
        let state: &BinaryArray = state.as_binary();
        Ok(ScalarValue::Binary((!state.is_null(0)).then(|| state.value(0).to_vec())))
    }
}

impl Accumulator for OneGroup {
    fn update_batch(&mut self, values: &[ArrayRef]) -> DfResult<()> {
        if !self.0.all_reached() {
            for hash in only(values)?.as_primitive::<UInt32Type>().iter().flatten() {
                self.0.add(0, hash);
            }
        }
        Ok(())
    }

    fn evaluate(&mut self) -> DfResult<ScalarValue> {
        self.scalar()
    }

    fn state(&mut self) -> DfResult<Vec<ScalarValue>> {
        Ok(vec![self.scalar()?])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> DfResult<()> {
        let states = only(states)?.as_binary::<i32>();
        for row in 0..states.len() {
            self.0.merge(0, Hashes::read(states, row));
        }
        Ok(())
    }

    fn size(&self) -> usize {
        self.0.bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::UInt32Array;

    use wanqu_rules::unit::NOBODY_KNOWN;

    /// The hashes of a column, sorted; `None` for enough.
    fn lists(array: &ArrayRef) -> Vec<Option<Vec<u32>>> {
        let column = array.as_binary::<i32>();
        let sorted = |hashes: Hashes<'_>| {
            let mut hashes: Vec<u32> = hashes.iter().collect();
            hashes.sort_unstable();
            hashes
        };
        (0..column.len()).map(|row| Hashes::read(column, row).map(sorted)).collect()
    }

    fn reaching(k: u32) -> Groups {
        Groups(Tally::new(k))
    }

    fn units(hashes: &[Option<u32>]) -> Vec<ArrayRef> {
        vec![Arc::new(UInt32Array::from(hashes.to_vec()))]
    }

    #[test]
    fn a_group_lists_its_units_below_k_and_none_from_k_on() {
        let mut reach = reaching(3);
        let rows = units(&[Some(7), Some(7), Some(8), Some(9), Some(5), None, Some(NOBODY_KNOWN), None]);
        reach.update_batch(&rows, &[0, 0, 0, 0, 1, 1, 2, 3], None, 5).unwrap();
        let found = lists(&reach.evaluate(EmitTo::All).unwrap());
        assert_eq!(found, [None, Some(vec![5]), Some(vec![NOBODY_KNOWN]), Some(vec![]), Some(vec![])]);
    }

    #[test]
    fn a_filter_that_is_null_is_not_met() {
        let mut reach = reaching(2);
        let filter = BooleanArray::from(vec![Some(true), Some(false), None]);
        reach.update_batch(&units(&[Some(1), Some(2), Some(3)]), &[0, 0, 0], Some(&filter), 1).unwrap();
        assert_eq!(lists(&reach.evaluate(EmitTo::All).unwrap()), [Some(vec![1])]);
    }

    #[test]
    fn the_first_groups_can_be_emitted_while_others_go_on() {
        for k in [2, 3, 20, 40] {
            let mut reach = reaching(k);
            let many: Vec<Option<u32>> = (1..=30).map(Some).collect();
            reach.update_batch(&units(&many), &[1; 30], None, 2).unwrap();
            reach.update_batch(&units(&[Some(1)]), &[0], None, 2).unwrap();
            assert_eq!(lists(&reach.state(EmitTo::First(1)).unwrap()[0]), [Some(vec![1])]);
            let all = (k > 30).then(|| (1..=30).collect::<Vec<u32>>());
            assert_eq!(lists(&reach.state(EmitTo::All).unwrap()[0]), [all], "k = {k}");
        }
    }

    #[test]
    fn units_counted_in_parts_merge_to_those_of_the_whole() {
        for k in 1..=40 {
            let rows: Vec<(usize, u32)> =
                (0..600_u32).map(|i| ((i % 7) as usize, 1 + (i * i) % (3 + 6 * (i % 7)))).collect();
            let whole: Vec<u32> = rows.iter().map(|r| r.1).collect();
            let groups: Vec<usize> = rows.iter().map(|r| r.0).collect();
            let mut one = reaching(k);
            one.update_batch(&[Arc::new(UInt32Array::from(whole.clone()))], &groups, None, 7).unwrap();
            let mut merged = reaching(k);
            for part in 0..3 {
                let range = part * 200..(part + 1) * 200;
                let values: Vec<ArrayRef> = vec![Arc::new(UInt32Array::from(whole[range.clone()].to_vec()))];
                let state = if part == 0 {
                    // A partial aggregation that gives up on grouping makes one state for each row.
                    let state = reaching(k).convert_to_state(&values, None).unwrap();
                    merged.merge_batch(&state, &groups[range], 7).unwrap();
                    continue;
                } else {
                    let mut units = reaching(k);
                    units.update_batch(&values, &groups[range], None, 7).unwrap();
                    units.state(EmitTo::All).unwrap()
                };
                merged.merge_batch(&state, &[0, 1, 2, 3, 4, 5, 6], 7).unwrap();
            }
            assert_eq!(lists(&one.evaluate(EmitTo::All).unwrap()), lists(&merged.evaluate(EmitTo::All).unwrap()));
        }
    }
}
