//! The distinct privacy units of every group, up to k each, side by side in memory.
//!
//! A group is a line of words: how many units it has, then their hashes. With k = 10 that is 40 bytes, so that a row of
//! a group costs one line of the processor's cache, and the hashes leave as they lie.

use std::mem::size_of;
use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray, BooleanBufferBuilder};
use arrow::buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use datafusion::common::{Result as DfResult, resources_datafusion_err};
use datafusion::logical_expr::EmitTo;
use wanqu_rules::unit::NOBODY_KNOWN;

use super::hashes::Hashes;
use super::spill::Spill;

/// Most hashes in a group's line; the rest, where k is greater, are in a set of the group's own.
const INLINE: usize = 16;

/// Set in a group's first word where some record does not say whose it is.
const UNKNOWN: u32 = 1 << 31;

/// The distinct units of every group, up to k each.
#[derive(Debug, Clone)]
pub struct Tally {
    k: u32,
    /// Words of a group: its count, then the hashes that lie side by side.
    stride: usize,
    words: Vec<u32>,
    more: Spill,
    /// Groups that have enough.
    reached: usize,
}

impl Tally {
    /// Starts without a group; each stops at `k`.
    pub fn new(k: u32) -> Self {
        let inline = (k as usize - 1).min(INLINE);
        Self { k, stride: 1 + inline, words: vec![], more: Spill::default(), reached: 0 }
    }

    /// Returns the number of units that is enough.
    pub fn k(&self) -> u32 {
        self.k
    }

    /// Makes room for `groups` groups in all.
    pub fn grow(&mut self, groups: usize) {
        if groups > self.groups() {
            self.words.resize(groups * self.stride, 0);
        }
    }

    fn groups(&self) -> usize {
        self.words.len() / self.stride
    }

    /// Returns true if every group has enough units.
    pub fn all_reached(&self) -> bool {
        self.reached == self.groups()
    }

    /// Returns true if a group has k units.
    pub fn has_enough(&self, group: usize) -> bool {
        self.words[group * self.stride] & !UNKNOWN == self.k
    }

    /// Adds a record to a group.
    pub fn add(&mut self, group: usize, hash: u32) {
        let line = &mut self.words[group * self.stride..][..self.stride];
        let (head, slots) = line.split_at_mut(1);
        let count = head[0] & !UNKNOWN;
        if count == self.k {
            return;
        }
        if hash == NOBODY_KNOWN {
            head[0] |= UNKNOWN;
            return;
        }
        let inline = (count as usize).min(slots.len());
        if slots[..inline].contains(&hash) {
            return;
        }
        if count as usize >= slots.len() && self.more.contains(group, hash) {
            return;
        }
        head[0] += 1;
        if count + 1 == self.k {
            self.reached += 1;
            self.more.remove(group);
        } else if inline < slots.len() {
            slots[inline] = hash;
        } else {
            self.more.insert(group, hash);
        }
    }

    /// Adds what [`emit`](Self::emit) gave for a group.
    pub fn merge(&mut self, group: usize, hashes: Option<Hashes<'_>>) {
        match hashes {
            Some(hashes) => hashes.iter().for_each(|hash| self.add(group, hash)),
            None if self.has_enough(group) => {}
            None => {
                self.words[group * self.stride] = self.k;
                self.reached += 1;
                self.more.remove(group);
            }
        }
    }

    /// Returns the first groups as bytes: NULL where there are enough units, their hashes where there are fewer. These
    /// groups are forgotten, and those behind them are renumbered from 0.
    pub fn emit(&mut self, emit_to: EmitTo) -> DfResult<ArrayRef> {
        let groups = match emit_to {
            EmitTo::All => self.groups(),
            EmitTo::First(first) => first.min(self.groups()),
        };
        let mut packed: Vec<u32> = Vec::new();
        let mut ends: Vec<i32> = Vec::with_capacity(groups + 1);
        let mut few = BooleanBufferBuilder::new(groups);
        ends.push(0);
        for (group, line) in self.words.chunks_exact(self.stride).take(groups).enumerate() {
            let count = line[0] & !UNKNOWN;
            few.append(count < self.k);
            if count < self.k {
                let slots = &line[1..];
                packed.extend_from_slice(&slots[..(count as usize).min(slots.len())]);
                packed.extend(self.more.of(group));
                if line[0] & UNKNOWN != 0 {
                    packed.push(NOBODY_KNOWN);
                }
            } else {
                self.reached -= 1;
            }
            let end = i32::try_from(packed.len() * size_of::<u32>());
            ends.push(end.map_err(|_| resources_datafusion_err!("too many groups to count the units of"))?);
        }
        self.words.drain(..groups * self.stride);
        self.more.drop_first(groups);
        let nulls = NullBuffer::new(few.finish());
        let ends = OffsetBuffer::new(ScalarBuffer::from(ends));
        Ok(Arc::new(BinaryArray::try_new(ends, Buffer::from_vec(packed), Some(nulls))?))
    }

    /// Returns about how many bytes it holds.
    pub fn bytes(&self) -> usize {
        self.words.capacity() * size_of::<u32>() + self.more.bytes()
    }
}
