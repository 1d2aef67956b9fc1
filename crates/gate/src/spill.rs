//! Hashes of units for which a group's line has no room, in sets of the groups' own.
//!
//! The engine asks after each batch how much memory an aggregate holds, so that is counted as the sets grow, and not by a
//! walk over all groups.

use std::mem::size_of;

use hashbrown::{HashMap, HashSet};

/// Sets of hashes by group.
#[derive(Debug, Clone, Default)]
pub struct Spill {
    sets: HashMap<usize, HashSet<u32>>,
    /// Sum of the capacities of all sets.
    capacity: usize,
}

impl Spill {
    /// Returns true if a group has this hash.
    pub fn contains(&self, group: usize, hash: u32) -> bool {
        self.sets.get(&group).is_some_and(|set| set.contains(&hash))
    }

    /// Adds a hash to a group.
    pub fn insert(&mut self, group: usize, hash: u32) {
        let set = self.sets.entry(group).or_default();
        let before = set.capacity();
        set.insert(hash);
        self.capacity += set.capacity() - before;
    }

    /// Forgets the hashes of a group.
    pub fn remove(&mut self, group: usize) {
        if let Some(set) = self.sets.remove(&group) {
            self.capacity -= set.capacity();
        }
    }

    /// Returns the hashes of a group.
    pub fn of(&self, group: usize) -> impl Iterator<Item = u32> {
        self.sets.get(&group).into_iter().flatten().copied()
    }

    /// Forgets the first groups, and renumbers those behind them from 0.
    pub fn drop_first(&mut self, groups: usize) {
        let sets = std::mem::take(&mut self.sets);
        self.sets = sets.into_iter().filter_map(|(group, set)| Some((group.checked_sub(groups)?, set))).collect();
        self.capacity = self.sets.values().map(HashSet::capacity).sum();
    }

    /// Returns about how many bytes the sets take.
    pub fn bytes(&self) -> usize {
        self.capacity * 2 * size_of::<u32>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    #[test]
    fn memory_counted_as_it_grows_is_that_of_all_sets() {
        let mut rng = StdRng::seed_from_u64(5);
        let mut spill = Spill::default();
        for _ in 0..5_000 {
            let group = rng.random_range(0..40);
            match rng.random_range(0..200) {
                0 => spill.drop_first(rng.random_range(0..5)),
                1..9 => spill.remove(group),
                _ => spill.insert(group, rng.random_range(0..1_000)),
            }
            let all: usize = spill.sets.values().map(HashSet::capacity).sum();
            assert_eq!(spill.bytes(), all * 8);
        }
        assert!(spill.bytes() > 0);
    }
}
