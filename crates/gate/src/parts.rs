//! The parts into which the conditions of a fragment divide a cell, and the units behind each of them. Pure.
//!
//! A pass that groups by the cell's keys and by which conditions a row meets gives one row for each part that occurs.
//! Families of conditions look at fewer conditions at once, so their parts are unions of those; see
//! [`Family`](wanqu_rules::admission::Family).

use std::mem::size_of;

use datafusion::common::{Result as DfResult, internal_datafusion_err};
use datafusion::logical_expr::{Expr, lit, when};
use hashbrown::HashMap;
use wanqu_rules::admission::{Condition, Family};

use super::cell::{Need, Reach, Seen, is_released};
use super::hashes::Hashes;
use super::keys::Key;

/// So many conditions are told by one hidden group key, as the bits of an integer.
const BITS: usize = 50;

/// The hidden group keys that say which conditions a row meets.
pub fn masks(conditions: &[Condition]) -> DfResult<Vec<Expr>> {
    let word = |(index, conditions): (usize, &[Condition])| {
        let mut bits = Vec::with_capacity(conditions.len());
        for (bit, condition) in conditions.iter().enumerate() {
            bits.push(when(condition.met.clone(), lit(1_i64 << bit)).otherwise(lit(0_i64))?);
        }
        let sum = bits.into_iter().reduce(|sum, bit| sum + bit);
        let sum = sum.ok_or_else(|| internal_datafusion_err!("a mask of no condition"))?;
        Ok(sum.alias(format!("__part_{index}")))
    };
    conditions.chunks(BITS).enumerate().map(word).collect()
}

/// Which conditions a row meets, as the masks gave it.
type Mask = Vec<u64>;

/// What is asked of the cells of one fragment.
#[derive(Debug)]
pub struct Asked<'a> {
    /// Of the units of each input.
    pub inputs: Vec<Need>,
    /// The conditions that are set against each other.
    pub families: &'a [Family],
    /// How many units are enough.
    pub k: usize,
    /// Whether a cell of nobody may be released.
    pub publish_zeros: bool,
}

/// The units of one cell, of each input: of all its rows, and of each part of each family.
#[derive(Debug)]
struct Divided {
    inputs: Vec<Seen>,
    parts: HashMap<(usize, Mask), Vec<Seen>>,
}

impl Divided {
    fn new(inputs: usize) -> Self {
        Self { inputs: vec![Seen::default(); inputs], parts: HashMap::new() }
    }
}

/// The cells of a pass by parts.
#[derive(Debug)]
pub struct Parts<'a> {
    asked: Asked<'a>,
    cells: HashMap<Key, Divided>,
    bytes: usize,
}

impl<'a> Parts<'a> {
    /// None yet.
    pub fn new(asked: Asked<'a>) -> Self {
        Self { asked, cells: HashMap::new(), bytes: 0 }
    }

    /// Adds one row of the pass: rows of the cell `key` that meet the conditions in `mask`, with the units of each input.
    pub fn add<'u>(&mut self, key: Key, mask: &[u64], units: &(impl Iterator<Item = Option<Hashes<'u>>> + Clone)) {
        let Asked { inputs, families, k, .. } = &self.asked;
        let cell = self.cells.entry(key).or_insert_with_key(|key| {
            self.bytes += key.len() + size_of::<Divided>();
            Divided::new(inputs.len())
        });
        let mut grown = 0;
        let mut join = |known: &mut Vec<Seen>| {
            for (known, units) in known.iter_mut().zip(units.clone()) {
                grown += known.join(units.map(Hashes::iter), *k) * size_of::<u32>();
            }
        };
        join(&mut cell.inputs);
        for (index, family) in families.iter().enumerate() {
            let part = family.part(mask);
            if family.rest || part.iter().any(|word| *word != 0) {
                join(cell.parts.entry((index, part)).or_insert_with(|| vec![Seen::default(); inputs.len()]));
            }
        }
        self.bytes += grown;
    }

    /// About how many bytes it holds.
    pub fn bytes(&self) -> usize {
        let part = size_of::<((usize, Mask), Vec<Seen>)>() + self.asked.inputs.len() * size_of::<Seen>();
        self.bytes + self.cells.values().map(|cell| cell.parts.len()).sum::<usize>() * part
    }

    /// Whether a cell is released. One that no row of the pass told of has nobody behind it.
    pub fn releases(&self, key: &Key) -> bool {
        let Asked { inputs, publish_zeros, .. } = &self.asked;
        let nobody = Divided::new(inputs.len());
        let cell = self.cells.get(key).unwrap_or(&nobody);
        let mut needs = inputs.clone();
        let mut reaches: Vec<Reach> = cell.inputs.iter().map(Seen::reach).collect();
        for units in cell.parts.values().flatten() {
            needs.push(Need::Condition);
            reaches.push(units.reach());
        }
        is_released(&needs, reaches.into_iter(), *publish_zeros)
    }

    /// The hashes of the units behind a cell, input by input.
    pub fn behind(&self, key: &Key) -> impl Iterator<Item = Option<impl Iterator<Item = u32>>> {
        static NOBODY: Seen = Seen::Few(Vec::new());
        let cell = self.cells.get(key);
        (0..self.asked.inputs.len()).map(move |input| cell.map_or(&NOBODY, |cell| &cell.inputs[input]).hashes())
    }
}

trait Part {
    /// Which conditions of the family are met.
    fn part(&self, mask: &[u64]) -> Mask;
}

impl Part for Family {
    fn part(&self, mask: &[u64]) -> Mask {
        let mut part = vec![0; mask.len()];
        for condition in &self.conditions {
            let (word, bit) = (condition / BITS, condition % BITS);
            if let (Some(part), Some(mask)) = (part.get_mut(word), mask.get(word)) {
                *part |= mask & (1 << bit);
            }
        }
        part
    }
}
