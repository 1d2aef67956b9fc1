//! The cells of a pass by parts: the units behind each cell, and behind each part into which conditions divide it.
//!
//! A cell is found by its key. There is no walk over all cells, and memory is counted as it grows: what a batch costs
//! depends on its own rows, however many cells the batches before it have left.

use std::mem::size_of;

use hashbrown::HashMap;

use super::cell::Seen;
use super::hashes::Hashes;
use super::keys::Key;
use super::withheld::Conditions;

/// Part of a cell: the number of a family, and the conditions of that family that its rows meet.
pub type Part = (usize, Conditions);

/// The units of one cell, for each input: of all its rows, and of each part.
#[derive(Debug)]
pub struct Divided {
    /// Units behind the whole cell.
    pub inputs: Vec<Seen>,
    /// Units behind each part that occurs.
    pub parts: HashMap<Part, Vec<Seen>>,
}

/// Cells by key.
#[derive(Debug)]
pub struct DividedCells {
    cells: HashMap<Key, Divided>,
    inputs: usize,
    k: usize,
    bytes: usize,
    /// Number of times that a cell was looked up.
    #[cfg(test)]
    pub(super) lookups: std::sync::atomic::AtomicUsize,
}

impl DividedCells {
    /// Creates an empty map for cells of so many inputs, of each of which `k` units are enough.
    pub fn new(inputs: usize, k: usize) -> Self {
        Self {
            cells: HashMap::new(),
            inputs,
            k,
            bytes: 0,
            #[cfg(test)]
            lookups: std::sync::atomic::AtomicUsize::new(0),
        }
    }

    /// Adds the units of some rows of the cell `key` to the cell and to these parts of it.
    pub fn add<'u>(
        &mut self,
        key: Key,
        parts: impl Iterator<Item = Part>,
        units: &(impl Iterator<Item = Option<Hashes<'u>>> + Clone),
    ) {
        self.count_lookup();
        let (inputs, k) = (self.inputs, self.k);
        let nobody = || vec![Seen::default(); inputs];
        let mut grown = 0;
        let cell = self.cells.entry(key).or_insert_with_key(|key| {
            grown += key.len() + size_of::<Divided>();
            Divided { inputs: nobody(), parts: HashMap::new() }
        });
        grown += join(&mut cell.inputs, units.clone(), k);
        for part in parts {
            let known = cell.parts.entry(part).or_insert_with(|| {
                grown += size_of::<(Part, Vec<Seen>)>() + inputs * size_of::<Seen>();
                nobody()
            });
            grown += join(known, units.clone(), k);
        }
        self.bytes += grown;
    }

    /// Returns a cell; `None` if no row of it was added.
    pub fn get(&self, key: &Key) -> Option<&Divided> {
        self.count_lookup();
        self.cells.get(key)
    }

    /// Returns about how many bytes the cells take.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    #[cfg_attr(not(test), expect(clippy::unused_self, reason = "only tests count"))]
    fn count_lookup(&self) {
        #[cfg(test)]
        self.lookups.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    }
}

/// Adds units to those known, input by input. Returns by how many bytes they have grown.
fn join<'u>(known: &mut [Seen], units: impl Iterator<Item = Option<Hashes<'u>>>, k: usize) -> usize {
    let grown = known.iter_mut().zip(units).map(|(known, units)| known.join(units.map(Hashes::iter), k));
    grown.sum::<usize>() * size_of::<u32>()
}
