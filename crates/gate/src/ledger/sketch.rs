//! `row_sketch(unit, row)`: an aggregate that sketches the rows of a group, so that two sketches tell how few units differ.
//!
//! A sketch has 128 buckets by a keyed hash of the unit. Each is the sum, without carry, of the keyed hashes of the rows of the
//! units in it. Sums subtract: a bucket in which two sketches differ holds a row that is in one population only, so that at least
//! as many units differ as buckets do. Units that share a bucket make it fewer, which takes populations for the same that
//! are not; never the other way.

use std::fmt;
use std::mem::size_of;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, BooleanArray};
use arrow::buffer::{Buffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field, FieldRef, UInt32Type, UInt64Type};
use datafusion::common::{Result as DfResult, ScalarValue, exec_err, resources_datafusion_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility};
use wanqu_rules::row::RowKey;

/// Number of buckets.
pub const BUCKETS: usize = 128;

/// Bytes of a sketch.
const BYTES: usize = BUCKETS * size_of::<u64>();

/// Sketch of a population.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Sketch(Box<[u64]>);

impl fmt::Debug for Sketch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sketch({} buckets)", self.0.iter().filter(|word| **word != 0).count())
    }
}

impl Sketch {
    /// Reads a sketch that the aggregate or [`words`](Self::words) wrote; `None` if it is none.
    #[must_use]
    pub fn read(words: &[u64]) -> Option<Self> {
        (words.len() == BUCKETS).then(|| Self(words.into()))
    }

    /// Reads the bytes of a sketch; `None` if they are none.
    #[must_use]
    pub fn of_bytes(bytes: &[u8]) -> Option<Self> {
        let words: Vec<u64> = words_of(bytes).collect();
        if bytes.len() == BYTES { Self::read(&words) } else { None }
    }

    /// Returns its buckets.
    #[must_use]
    pub fn words(&self) -> &[u64] {
        &self.0
    }

    /// Returns true if no row is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }
}

fn words_of(bytes: &[u8]) -> impl Iterator<Item = u64> + '_ {
    let (words, _) = bytes.as_chunks::<8>();
    words.iter().map(|word| u64::from_le_bytes(*word))
}

/// Aggregate function for one key.
#[derive(PartialEq, Eq, Hash)]
pub struct RowSketch {
    key: RowKey,
    signature: Signature,
}

impl RowSketch {
    /// Makes the function that puts units into buckets by this key.
    #[must_use]
    pub fn new(key: RowKey) -> Self {
        Self { key, signature: Signature::exact(vec![DataType::UInt32, DataType::UInt64], Volatility::Immutable) }
    }
}

impl fmt::Debug for RowSketch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RowSketch")
    }
}

impl AggregateUDFImpl for RowSketch {
    fn name(&self) -> &'static str {
        "__row_sketch"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> DfResult<DataType> {
        Ok(DataType::Binary)
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> DfResult<Vec<FieldRef>> {
        Ok(vec![Arc::new(Field::new(format!("{}[rows]", args.name), DataType::Binary, true))])
    }

    fn accumulator(&self, _: AccumulatorArgs<'_>) -> DfResult<Box<dyn Accumulator>> {
        Ok(Box::new(OneGroup(Sums::new(self.key, 1))))
    }

    fn groups_accumulator_supported(&self, _: AccumulatorArgs<'_>) -> bool {
        true
    }

    fn create_groups_accumulator(&self, _: AccumulatorArgs<'_>) -> DfResult<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(Sums::new(self.key, 0)))
    }
}

/// The sketches of all groups, side by side.
#[derive(Debug, Clone)]
struct Sums {
    key: RowKey,
    words: Vec<u64>,
}

impl Sums {
    fn new(key: RowKey, groups: usize) -> Self {
        Self { key, words: vec![0; groups * BUCKETS] }
    }

    fn grow(&mut self, groups: usize) {
        if groups * BUCKETS > self.words.len() {
            self.words.resize(groups * BUCKETS, 0);
        }
    }

    fn add(&mut self, group: usize, unit: u32, row: u64) {
        let word = &mut self.words[group * BUCKETS + self.key.bucket(unit)];
        *word = word.wrapping_add(row);
    }

    fn add_rows(
        &mut self,
        values: &[ArrayRef],
        group: impl Fn(usize) -> usize,
        filter: Option<&BooleanArray>,
    ) -> DfResult<()> {
        let [units, rows] = values else { return exec_err!("row_sketch has two arguments") };
        let (units, rows) = (units.as_primitive::<UInt32Type>(), rows.as_primitive::<UInt64Type>());
        let is_in = |row: &usize| is_met(filter, *row) && units.is_valid(*row) && rows.is_valid(*row);
        for row in (0..units.len()).filter(is_in) {
            self.add(group(row), units.value(row), rows.value(row));
        }
        Ok(())
    }

    fn merge(&mut self, states: &[ArrayRef], group: impl Fn(usize) -> usize) -> DfResult<()> {
        let [states] = states else { return exec_err!("a state of row_sketch is one column") };
        let states = states.as_binary::<i32>();
        for row in (0..states.len()).filter(|row| states.is_valid(*row)) {
            let own = &mut self.words[group(row) * BUCKETS..][..BUCKETS];
            let state = states.value(row);
            if state.len() == BYTES {
                own.iter_mut().zip(words_of(state)).for_each(|(own, word)| *own = own.wrapping_add(word));
            } else if let [bucket, word @ ..] = state {
                let own = &mut own[usize::from(*bucket) % BUCKETS];
                words_of(word).for_each(|word| *own = own.wrapping_add(word));
            }
        }
        Ok(())
    }

    fn emit(&mut self, emit_to: EmitTo) -> DfResult<ArrayRef> {
        let all = self.words.len() / BUCKETS;
        let groups = match emit_to {
            EmitTo::All => all,
            EmitTo::First(first) => first.min(all),
        };
        let bytes: Vec<u8> = self.words.drain(..groups * BUCKETS).flat_map(u64::to_le_bytes).collect();
        i32::try_from(bytes.len()).map_err(|_| resources_datafusion_err!("too many groups to sketch the rows of"))?;
        let ends = OffsetBuffer::from_lengths(std::iter::repeat_n(BYTES, groups));
        Ok(Arc::new(BinaryArray::try_new(ends, Buffer::from_vec(bytes), None)?))
    }
}

impl GroupsAccumulator for Sums {
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
        self.emit(emit_to)
    }

    fn state(&mut self, emit_to: EmitTo) -> DfResult<Vec<ArrayRef>> {
        Ok(vec![self.emit(emit_to)?])
    }

    fn merge_batch(&mut self, values: &[ArrayRef], group_indices: &[usize], total_num_groups: usize) -> DfResult<()> {
        self.grow(total_num_groups);
        self.merge(values, |row| group_indices[row])
    }

    /// Returns for each row its bucket and its hash: where a partial aggregation gives up on grouping, a whole sketch for each
    /// row would be a kilobyte.
    fn convert_to_state(&self, values: &[ArrayRef], opt_filter: Option<&BooleanArray>) -> DfResult<Vec<ArrayRef>> {
        let [units, rows] = values else { return exec_err!("row_sketch has two arguments") };
        let (units, rows) = (units.as_primitive::<UInt32Type>(), rows.as_primitive::<UInt64Type>());
        let state = |row: usize| {
            let is_in = is_met(opt_filter, row) && units.is_valid(row) && rows.is_valid(row);
            is_in.then(|| {
                // There are fewer buckets than a byte has values.
                let mut state = vec![u8::try_from(self.key.bucket(units.value(row))).unwrap_or_default()];
                state.extend(rows.value(row).to_le_bytes());
                state
            })
        };
        Ok(vec![Arc::new((0..units.len()).map(state).collect::<BinaryArray>())])
    }

    fn size(&self) -> usize {
        self.words.capacity() * size_of::<u64>()
    }
}

/// Returns true if a row meets the aggregate's filter; a NULL does not.
fn is_met(filter: Option<&BooleanArray>, row: usize) -> bool {
    filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row))
}

/// The sketch of an aggregation without groups.
#[derive(Debug)]
struct OneGroup(Sums);

impl OneGroup {
    fn scalar(&self) -> DfResult<ScalarValue> {
        let one = self.0.clone().emit(EmitTo::All)?;
        ScalarValue::try_from_array(&one, 0)
    }
}

impl Accumulator for OneGroup {
    fn update_batch(&mut self, values: &[ArrayRef]) -> DfResult<()> {
        self.0.add_rows(values, |_| 0, None)
    }

    fn evaluate(&mut self) -> DfResult<ScalarValue> {
        self.scalar()
    }

    fn state(&mut self) -> DfResult<Vec<ScalarValue>> {
        Ok(vec![self.scalar()?])
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

    use arrow::array::{UInt32Array, UInt64Array};
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    fn key() -> RowKey {
        RowKey::from([9; 32])
    }

    fn columns(rows: &[(u32, u64)]) -> Vec<ArrayRef> {
        let units: UInt32Array = rows.iter().map(|(unit, _)| Some(*unit)).collect();
        let hashes: UInt64Array = rows.iter().map(|(_, row)| Some(*row)).collect();
        vec![Arc::new(units), Arc::new(hashes)]
    }

    fn sketches(mut sums: Sums) -> Vec<Sketch> {
        let emitted = sums.emit(EmitTo::All).unwrap();
        let emitted = emitted.as_binary::<i32>();
        (0..emitted.len()).map(|row| Sketch::of_bytes(emitted.value(row)).unwrap()).collect()
    }

    #[test]
    fn a_sketch_is_of_its_rows_whatever_their_order_and_the_parts_that_they_came_in() {
        let mut rng = StdRng::seed_from_u64(5);
        let rows: Vec<(u32, u64)> = (0..500).map(|_| (rng.random_range(0..90), rng.random())).collect();
        let groups: Vec<usize> = (0..500).map(|_| rng.random_range(0..3)).collect();
        let mut whole = Sums::new(key(), 0);
        whole.update_batch(&columns(&rows), &groups, None, 3).unwrap();
        let mut merged = Sums::new(key(), 0);
        for range in [300..500, 0..300] {
            let mut part = Sums::new(key(), 0);
            part.update_batch(&columns(&rows[range.clone()]), &groups[range], None, 3).unwrap();
            let mut states = part.state(EmitTo::First(1)).unwrap();
            merged.merge_batch(&states, &[0], 3).unwrap();
            states = part.state(EmitTo::All).unwrap();
            merged.merge_batch(&states, &[1, 2], 3).unwrap();
        }
        let mut apart = Sums::new(key(), 0);
        let states = apart.convert_to_state(&columns(&rows), None).unwrap();
        apart.merge_batch(&states, &groups, 3).unwrap();
        let mut single = OneGroup(Sums::new(key(), 1));
        single.update_batch(&columns(&rows)).unwrap();
        let all = sketches(single.0);
        let (whole, merged) = (sketches(whole), sketches(merged));
        assert_eq!((&merged, &sketches(apart)), (&whole, &whole));
        let total: Vec<u64> = (0..BUCKETS)
            .map(|bucket| whole.iter().fold(0_u64, |sum, sketch| sum.wrapping_add(sketch.words()[bucket])))
            .collect();
        assert_eq!(all, [Sketch::read(&total).unwrap()]);
    }

    #[test]
    fn what_a_filter_keeps_out_and_who_is_not_there_leave_no_trace() {
        let mut sums = Sums::new(key(), 0);
        let units = UInt32Array::from(vec![Some(1), None, Some(2)]);
        let rows = UInt64Array::from(vec![Some(7), Some(7), Some(7)]);
        let filter = BooleanArray::from(vec![Some(false), Some(true), None]);
        sums.update_batch(&[Arc::new(units), Arc::new(rows)], &[0, 0, 0], Some(&filter), 1).unwrap();
        assert!(sketches(sums)[0].is_empty());
    }
}
