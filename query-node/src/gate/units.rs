//! `units_reach(unit)`: an aggregate that counts distinct privacy units and stops at k.
//!
//! For each group it answers NULL once k distinct units were seen: that is enough, whatever else the group holds. Below
//! k it answers the list of the units' hashes, so that those behind all suppressed cells can be counted together. A
//! record that does not say whose it is adds [`NOBODY_KNOWN`] to the list, which counts as no unit, but makes the list
//! not empty: an empty list means that truly nobody is in the group.
//!
//! Once a group has k units, a row of it costs one comparison; once all groups have, a batch costs one.

use std::fmt;
use std::mem::size_of;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, ListArray, ListBuilder, UInt64Builder};
use arrow::datatypes::{DataType, Field, FieldRef, UInt64Type};
use datafusion::common::{Result as DfResult, ScalarValue, exec_datafusion_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility};
use hashbrown::{HashMap, HashSet};

use super::cell::hashes;
use crate::engine::NOBODY_KNOWN;

/// So many hashes of a group lie side by side; the rest, where k is greater, in a set of the group's own.
const INLINE: usize = 16;

/// The aggregate function for one k.
#[derive(PartialEq, Eq, Hash)]
pub struct UnitsReach {
    k: usize,
    signature: Signature,
}

impl UnitsReach {
    /// Stops at `k` distinct units; at 1 if `k` is 0.
    pub fn new(k: u32) -> Self {
        let signature = Signature::exact(vec![DataType::UInt64], Volatility::Immutable);
        Self { k: (k as usize).max(1), signature }
    }
}

impl fmt::Debug for UnitsReach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UnitsReach({})", self.k)
    }
}

fn item() -> FieldRef {
    Arc::new(Field::new("item", DataType::UInt64, true))
}

impl AggregateUDFImpl for UnitsReach {
    fn name(&self) -> &'static str {
        "__units_reach"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> DfResult<DataType> {
        Ok(DataType::List(item()))
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> DfResult<Vec<FieldRef>> {
        Ok(vec![Arc::new(Field::new(format!("{}[units]", args.name), DataType::List(item()), true))])
    }

    fn accumulator(&self, _: AccumulatorArgs<'_>) -> DfResult<Box<dyn Accumulator>> {
        let mut units = Units::new(self.k);
        units.grow(1);
        Ok(Box::new(OneGroup(units)))
    }

    fn groups_accumulator_supported(&self, _: AccumulatorArgs<'_>) -> bool {
        true
    }

    fn create_groups_accumulator(&self, _: AccumulatorArgs<'_>) -> DfResult<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(Units::new(self.k)))
    }
}

/// The distinct units of every group, up to k each.
#[derive(Debug)]
struct Units {
    k: usize,
    /// How many hashes of a group lie in `slots`.
    stride: usize,
    /// Distinct units of each group; k means enough.
    counts: Vec<u32>,
    /// Whether a group has records that do not say whose they are.
    unknown: Vec<bool>,
    slots: Vec<u64>,
    more: HashMap<usize, HashSet<u64>>,
    /// Groups that have enough.
    reached: usize,
}

impl Units {
    fn new(k: usize) -> Self {
        let stride = (k - 1).min(INLINE);
        Self { k, stride, counts: vec![], unknown: vec![], slots: vec![], more: HashMap::new(), reached: 0 }
    }

    fn grow(&mut self, groups: usize) {
        if groups > self.counts.len() {
            self.counts.resize(groups, 0);
            self.unknown.resize(groups, false);
            self.slots.resize(groups * self.stride, 0);
        }
    }

    fn all_reached(&self) -> bool {
        self.reached == self.counts.len()
    }

    fn has_enough(&self, group: usize) -> bool {
        self.counts[group] as usize == self.k
    }

    fn add(&mut self, group: usize, hash: u64) {
        let count = self.counts[group] as usize;
        if count == self.k {
            return;
        }
        if hash == NOBODY_KNOWN {
            self.unknown[group] = true;
            return;
        }
        let start = group * self.stride;
        let inline = count.min(self.stride);
        if self.slots[start..start + inline].contains(&hash) {
            return;
        }
        if count >= self.stride && self.more.get(&group).is_some_and(|more| more.contains(&hash)) {
            return;
        }
        if count + 1 == self.k {
            self.set_enough(group);
            return;
        }
        if count < self.stride {
            self.slots[start + count] = hash;
        } else {
            self.more.entry(group).or_default().insert(hash);
        }
        self.counts[group] += 1;
    }

    fn set_enough(&mut self, group: usize) {
        if !self.has_enough(group) {
            self.counts[group] = u32::try_from(self.k).unwrap_or(u32::MAX);
            self.reached += 1;
            self.more.remove(&group);
        }
    }

    /// The first `groups` groups as lists; NULL where there are enough. They are forgotten.
    fn emit(&mut self, emit_to: EmitTo) -> ArrayRef {
        let groups = match emit_to {
            EmitTo::All => self.counts.len(),
            EmitTo::First(first) => first.min(self.counts.len()),
        };
        let mut lists = ListBuilder::new(UInt64Builder::new()).with_field(item());
        for group in 0..groups {
            if self.has_enough(group) {
                lists.append_null();
                self.reached -= 1;
                continue;
            }
            let start = group * self.stride;
            let inline = (self.counts[group] as usize).min(self.stride);
            lists.values().append_slice(&self.slots[start..start + inline]);
            for hash in self.more.get(&group).into_iter().flatten() {
                lists.values().append_value(*hash);
            }
            if self.unknown[group] {
                lists.values().append_value(NOBODY_KNOWN);
            }
            lists.append(true);
        }
        self.counts.drain(..groups);
        self.unknown.drain(..groups);
        self.slots.drain(..groups * self.stride);
        let more = std::mem::take(&mut self.more);
        self.more = more.into_iter().filter_map(|(group, set)| Some((group.checked_sub(groups)?, set))).collect();
        Arc::new(lists.finish())
    }

    /// Merges one group's list, as [`emit`](Self::emit) gave it.
    fn merge(&mut self, group: usize, lists: &ListArray, row: usize) {
        match hashes(lists, row) {
            None => self.set_enough(group),
            Some(hashes) => hashes.iter().for_each(|hash| self.add(group, *hash)),
        }
    }

    fn bytes(&self) -> usize {
        self.counts.capacity() * size_of::<u32>()
            + self.unknown.capacity()
            + self.slots.capacity() * size_of::<u64>()
            + self.more.values().map(|set| set.capacity() * 2 * size_of::<u64>()).sum::<usize>()
    }
}

fn only(values: &[ArrayRef]) -> DfResult<&ArrayRef> {
    values.first().ok_or_else(|| exec_datafusion_err!("units_reach has one argument"))
}

impl GroupsAccumulator for Units {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> DfResult<()> {
        self.grow(total_num_groups);
        if self.all_reached() {
            return Ok(());
        }
        let units = only(values)?.as_primitive::<UInt64Type>();
        let hashes = units.values();
        if opt_filter.is_none() && units.null_count() == 0 {
            for (group, hash) in group_indices.iter().zip(hashes) {
                self.add(*group, *hash);
            }
            return Ok(());
        }
        for (row, group) in group_indices.iter().enumerate() {
            let meets = opt_filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
            if meets && units.is_valid(row) {
                self.add(*group, hashes[row]);
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> DfResult<ArrayRef> {
        Ok(self.emit(emit_to))
    }

    fn state(&mut self, emit_to: EmitTo) -> DfResult<Vec<ArrayRef>> {
        Ok(vec![self.emit(emit_to)])
    }

    fn merge_batch(&mut self, values: &[ArrayRef], group_indices: &[usize], total_num_groups: usize) -> DfResult<()> {
        self.grow(total_num_groups);
        if self.all_reached() {
            return Ok(());
        }
        let lists = only(values)?.as_list::<i32>();
        for (row, group) in group_indices.iter().enumerate() {
            if !self.has_enough(*group) {
                self.merge(*group, lists, row);
            }
        }
        Ok(())
    }

    fn convert_to_state(&self, values: &[ArrayRef], opt_filter: Option<&BooleanArray>) -> DfResult<Vec<ArrayRef>> {
        let units = only(values)?.as_primitive::<UInt64Type>();
        let mut lists = ListBuilder::new(UInt64Builder::with_capacity(units.len())).with_field(item());
        for row in 0..units.len() {
            let meets = opt_filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
            let present = meets && units.is_valid(row);
            // With k = 1 one unit is enough, and enough is written as NULL.
            if present && self.k == 1 && units.value(row) != NOBODY_KNOWN {
                lists.append_null();
                continue;
            }
            if present {
                lists.values().append_value(units.value(row));
            }
            lists.append(true);
        }
        Ok(vec![Arc::new(lists.finish())])
    }

    fn size(&self) -> usize {
        self.bytes()
    }
}

/// The same for an aggregate without groups.
#[derive(Debug)]
struct OneGroup(Units);

impl OneGroup {
    fn scalar(&self) -> ScalarValue {
        let mut units = Units { more: self.0.more.clone(), slots: self.0.slots.clone(), ..Units::new(self.0.k) };
        units.counts.clone_from(&self.0.counts);
        units.unknown.clone_from(&self.0.unknown);
        units.reached = self.0.reached;
        ScalarValue::List(Arc::new(units.emit(EmitTo::All).as_list::<i32>().clone()))
    }
}

impl Accumulator for OneGroup {
    fn update_batch(&mut self, values: &[ArrayRef]) -> DfResult<()> {
        if !self.0.all_reached() {
            for hash in only(values)?.as_primitive::<UInt64Type>().iter().flatten() {
                self.0.add(0, hash);
            }
        }
        Ok(())
    }

    fn evaluate(&mut self) -> DfResult<ScalarValue> {
        Ok(self.scalar())
    }

    fn state(&mut self) -> DfResult<Vec<ScalarValue>> {
        Ok(vec![self.scalar()])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> DfResult<()> {
        let lists = only(states)?.as_list::<i32>();
        for row in 0..lists.len() {
            self.0.merge(0, lists, row);
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
    use arrow::array::UInt64Array;

    /// The lists of a column, sorted; `None` for enough.
    fn lists(array: &ArrayRef) -> Vec<Option<Vec<u64>>> {
        array
            .as_list::<i32>()
            .iter()
            .map(|list| {
                list.map(|list| {
                    let mut hashes = list.as_primitive::<UInt64Type>().values().to_vec();
                    hashes.sort_unstable();
                    hashes
                })
            })
            .collect()
    }

    fn units(hashes: &[Option<u64>]) -> Vec<ArrayRef> {
        vec![Arc::new(UInt64Array::from(hashes.to_vec()))]
    }

    #[test]
    fn a_group_stops_at_k_and_says_who_is_in_it_below() {
        let mut reach = Units::new(3);
        let rows = units(&[Some(7), Some(7), Some(8), Some(9), Some(5), None, Some(NOBODY_KNOWN), None]);
        reach.update_batch(&rows, &[0, 0, 0, 0, 1, 1, 2, 3], None, 5).unwrap();
        let found = lists(&reach.evaluate(EmitTo::All).unwrap());
        assert_eq!(found, [None, Some(vec![5]), Some(vec![NOBODY_KNOWN]), Some(vec![]), Some(vec![])]);
    }

    #[test]
    fn a_filter_that_is_null_is_not_met() {
        let mut reach = Units::new(2);
        let filter = BooleanArray::from(vec![Some(true), Some(false), None]);
        reach.update_batch(&units(&[Some(1), Some(2), Some(3)]), &[0, 0, 0], Some(&filter), 1).unwrap();
        assert_eq!(lists(&reach.evaluate(EmitTo::All).unwrap()), [Some(vec![1])]);
    }

    #[test]
    fn the_first_groups_can_be_emitted_while_others_go_on() {
        for k in [2, 3, 20, 40] {
            let mut reach = Units::new(k);
            let many: Vec<Option<u64>> = (1..=30).map(Some).collect();
            reach.update_batch(&units(&many), &[1; 30], None, 2).unwrap();
            reach.update_batch(&units(&[Some(1)]), &[0], None, 2).unwrap();
            assert_eq!(lists(&reach.state(EmitTo::First(1)).unwrap()[0]), [Some(vec![1])]);
            let all = (k > 30).then(|| (1..=30).collect::<Vec<u64>>());
            assert_eq!(lists(&reach.state(EmitTo::All).unwrap()[0]), [all], "k = {k}");
        }
    }

    #[test]
    fn parts_merge_to_what_the_whole_gives() {
        for k in 1..=40_usize {
            let rows: Vec<(usize, u64)> =
                (0..600_u64).map(|i| ((i % 7) as usize, 1 + (i * i) % (3 + 6 * (i % 7)))).collect();
            let whole: Vec<u64> = rows.iter().map(|r| r.1).collect();
            let groups: Vec<usize> = rows.iter().map(|r| r.0).collect();
            let mut one = Units::new(k);
            one.update_batch(&[Arc::new(UInt64Array::from(whole.clone()))], &groups, None, 7).unwrap();
            let mut merged = Units::new(k);
            for part in 0..3 {
                let range = part * 200..(part + 1) * 200;
                let values: Vec<ArrayRef> = vec![Arc::new(UInt64Array::from(whole[range.clone()].to_vec()))];
                let state = if part == 0 {
                    // What a partial aggregation does that gives up on grouping: one state for each row.
                    let state = Units::new(k).convert_to_state(&values, None).unwrap();
                    merged.merge_batch(&state, &groups[range], 7).unwrap();
                    continue;
                } else {
                    let mut units = Units::new(k);
                    units.update_batch(&values, &groups[range], None, 7).unwrap();
                    units.state(EmitTo::All).unwrap()
                };
                merged.merge_batch(&state, &[0, 1, 2, 3, 4, 5, 6], 7).unwrap();
            }
            assert_eq!(lists(&one.evaluate(EmitTo::All).unwrap()), lists(&merged.evaluate(EmitTo::All).unwrap()));
        }
    }
}
