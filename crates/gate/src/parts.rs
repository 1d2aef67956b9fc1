//! The parts into which the conditions of a fragment divide a cell, and the units behind each of them. Pure.
//!
//! A pass that groups by the cell's keys and by which conditions a row meets gives one row for each part that occurs.
//! Families of conditions look at fewer conditions at once, so their parts are unions of those; see
//! [`Family`](wanqu_rules::admission::Family).

use datafusion::common::{Result as DfResult, internal_datafusion_err};
use datafusion::logical_expr::{Expr, lit, when};
use wanqu_rules::admission::{Condition, Family};

use super::cell::{Need, Reach, Seen, is_released};
use super::divided::DividedCells;
use super::hashes::Hashes;
use super::keys::Key;

/// Number of conditions that one hidden group key tells of, as the bits of an integer.
const BITS: usize = 50;

/// Returns the hidden group keys that say which conditions a row meets.
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

/// Rule by which the cells of one fragment are decided.
#[derive(Debug)]
pub struct PartRule<'a> {
    /// Need of each input.
    pub inputs: Vec<Need>,
    /// Conditions that are set against each other.
    pub families: &'a [Family],
    /// Least number of units.
    pub k: usize,
    /// True if a cell behind which there is nobody may be released.
    pub publish_zeros: bool,
}

/// The cells of a pass by parts.
#[derive(Debug)]
pub struct Parts<'a> {
    rule: PartRule<'a>,
    cells: DividedCells,
}

impl<'a> Parts<'a> {
    /// Starts a pass of which no row is known yet.
    pub fn new(rule: PartRule<'a>) -> Self {
        let cells = DividedCells::new(rule.inputs.len(), rule.k);
        Self { rule, cells }
    }

    /// Adds one row of the pass: rows of the cell `key` that meet the conditions in `mask`, with the units of each input.
    pub fn add<'u>(&mut self, key: Key, mask: &[u64], units: &(impl Iterator<Item = Option<Hashes<'u>>> + Clone)) {
        let parts = self.rule.families.iter().enumerate().filter_map(|(index, family)| {
            let met = met_of(family, mask);
            (family.rest || met.iter().any(|word| *word != 0)).then_some((index, met))
        });
        self.cells.add(key, parts, units);
    }

    /// Returns about how many bytes the cells take.
    pub fn bytes(&self) -> usize {
        self.cells.bytes()
    }

    /// Returns true if a cell is released. A cell of which the pass gave no row has nobody behind it.
    pub fn releases(&self, key: &Key) -> bool {
        let PartRule { inputs, publish_zeros, .. } = &self.rule;
        let mut needs = inputs.clone();
        let reaches: Vec<Reach> = match self.cells.get(key) {
            None => vec![Reach::Nobody; inputs.len()],
            Some(cell) => {
                let of_parts = cell.parts.values().flatten();
                let reaches: Vec<Reach> = cell.inputs.iter().chain(of_parts).map(Seen::reach).collect();
                needs.resize(reaches.len(), Need::Condition);
                reaches
            }
        };
        is_released(&needs, reaches.into_iter(), *publish_zeros)
    }
}

/// Returns the conditions of a family among those that a mask says are met.
fn met_of(family: &Family, mask: &[u64]) -> Vec<u64> {
    let mut met = vec![0; mask.len()];
    for condition in &family.conditions {
        let (word, bit) = (condition / BITS, condition % BITS);
        if let (Some(met), Some(mask)) = (met.get_mut(word), mask.get(word)) {
            *met |= mask & (1 << bit);
        }
    }
    met
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::mem::size_of;
    use std::sync::atomic::Ordering;

    use arrow::array::BinaryArray;
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    use super::*;
    use crate::divided::{Divided, Part};

    const INPUTS: usize = 2;

    /// One row of a pass: its cell, the conditions it meets, and the units of each input, `None` for enough.
    #[derive(Clone)]
    struct Row {
        cell: u8,
        mask: Vec<u64>,
        units: [Option<BTreeSet<u32>>; INPUTS],
    }

    fn rows(rng: &mut StdRng, rows: usize, cells: u8, units: u32, k: usize) -> Vec<Row> {
        let units = |rng: &mut StdRng| {
            let own: BTreeSet<u32> = (0..rng.random_range(0..4)).map(|_| 1 + rng.random_range(0..units)).collect();
            (own.len() < k).then_some(own)
        };
        let row = |rng: &mut StdRng| Row {
            cell: rng.random_range(0..cells),
            mask: vec![rng.random_range(0..8), rng.random_range(0..2)],
            units: [units(rng), units(rng)],
        };
        (0..rows).map(|_| row(rng)).collect()
    }

    fn key(cell: u8) -> Key {
        vec![cell; 3].into()
    }

    /// The hashes of each input as `units_reach` writes them.
    fn column(row: &Row) -> Vec<BinaryArray> {
        let bytes = |units: &BTreeSet<u32>| units.iter().flat_map(|unit| unit.to_ne_bytes()).collect::<Vec<u8>>();
        row.units.iter().map(|units| BinaryArray::from_iter([units.as_ref().map(bytes)])).collect()
    }

    fn add(parts: &mut Parts<'_>, row: &Row) {
        let columns = column(row);
        parts.add(key(row.cell), &row.mask, &columns.iter().map(|column| Hashes::read(column, 0)));
    }

    /// The units of rows, each row read anew; `None` for enough.
    fn union<'r>(rows: impl Iterator<Item = &'r Row>, input: usize, k: usize) -> Option<BTreeSet<u32>> {
        let mut all = BTreeSet::new();
        for row in rows {
            all.extend(row.units[input].as_ref()?);
        }
        (all.len() < k).then_some(all)
    }

    fn reach(units: Option<&BTreeSet<u32>>) -> Reach {
        units.map_or(Reach::Enough, |units| if units.is_empty() { Reach::Nobody } else { Reach::Few })
    }

    /// The parts of a cell, each with its rows.
    fn divided<'r>(rows: &[&'r Row], families: &[Family]) -> BTreeMap<Part, Vec<&'r Row>> {
        let mut parts: BTreeMap<Part, Vec<&Row>> = BTreeMap::new();
        for (index, family) in families.iter().enumerate() {
            for row in rows {
                let is_met = |condition: &&usize| row.mask[**condition / BITS] >> (**condition % BITS) & 1 == 1;
                let mut met = vec![0; row.mask.len()];
                family.conditions.iter().filter(is_met).for_each(|c| met[c / BITS] |= 1 << (c % BITS));
                if family.rest || met != vec![0; row.mask.len()] {
                    parts.entry((index, met)).or_default().push(row);
                }
            }
        }
        parts
    }

    fn check(parts: &Parts<'_>, rows: &[Row], cells: u8) {
        let PartRule { inputs, families, k, publish_zeros } = &parts.rule;
        for cell in 0..=cells {
            let own: Vec<&Row> = rows.iter().filter(|row| row.cell == cell).collect();
            let behind: Vec<_> = (0..INPUTS).map(|input| union(own.iter().copied(), input, *k)).collect();
            let mut needs = inputs.clone();
            let mut reaches: Vec<Reach> = behind.iter().map(|units| reach(units.as_ref())).collect();
            for part in divided(&own, families).values() {
                for input in 0..INPUTS {
                    needs.push(Need::Condition);
                    reaches.push(reach(union(part.iter().copied(), input, *k).as_ref()));
                }
            }
            assert_eq!(parts.releases(&key(cell)), is_released(&needs, reaches.into_iter(), *publish_zeros), "{cell}");
        }
    }

    /// The memory of the cells of some rows, counted anew. An input that has enough units forgets them; up to then each
    /// new one took room, so hashes are counted by adding the rows one by one.
    fn bytes(rows: &[Row], families: &[Family], k: usize) -> usize {
        let mut total = 0;
        let mut cells: BTreeMap<u8, Vec<&Row>> = BTreeMap::new();
        for row in rows {
            cells.entry(row.cell).or_default().push(row);
        }
        let hashes = |rows: &[&Row]| -> usize {
            let of = |input: usize| {
                let mut seen = Seen::default();
                let join = |row: &&Row| seen.join(row.units[input].as_ref().map(|units| units.iter().copied()), k);
                rows.iter().map(join).sum::<usize>()
            };
            (0..INPUTS).map(of).sum::<usize>() * size_of::<u32>()
        };
        for (cell, rows) in &cells {
            total += key(*cell).len() + size_of::<Divided>() + hashes(rows);
            for part in divided(rows, families).values() {
                total += size_of::<(Part, Vec<Seen>)>() + INPUTS * size_of::<Seen>() + hashes(part);
            }
        }
        total
    }

    fn families() -> [Family; 2] {
        [Family { conditions: vec![0, 2, 50], rest: true }, Family { conditions: vec![1, 2], rest: false }]
    }

    #[test]
    fn cells_are_decided_as_by_reading_all_rows_anew() {
        let mut rng = StdRng::seed_from_u64(17);
        let families = families();
        let mut released = 0;
        for (k, publish_zeros, needs) in [
            (2, false, [Need::Input, Need::Input]),
            (3, true, [Need::Input, Need::PaddedInput]),
            (5, false, [Need::PaddedInput, Need::PaddedInput]),
        ] {
            for (count, cells, units) in [(40, 12, 3), (400, 9, 40), (1500, 4, 9)] {
                let rule = PartRule { inputs: needs.to_vec(), families: &families, k, publish_zeros };
                let mut parts = Parts::new(rule);
                let rows = rows(&mut rng, count, cells, units, k);
                for (done, row) in rows.iter().enumerate() {
                    add(&mut parts, row);
                    if done % 97 == 0 {
                        check(&parts, &rows[..=done], cells);
                        assert_eq!(parts.bytes(), bytes(&rows[..=done], &families, k));
                    }
                }
                check(&parts, &rows, cells);
                assert_eq!(parts.bytes(), bytes(&rows, &families, k));
                released += (0..cells).filter(|cell| parts.releases(&key(*cell))).count();
            }
        }
        assert!(released > 0, "no cell was released");
    }

    /// A pass looks up the cell of each row once, and no cell to tell how much memory they take after each batch.
    /// [`DividedCells`] offers no other way to a cell.
    #[test]
    fn a_batch_costs_its_own_rows_and_not_the_cells_before_it() {
        let families = families();
        let rule = PartRule { inputs: vec![Need::Input; INPUTS], families: &families, k: 3, publish_zeros: false };
        let mut parts = Parts::new(rule);
        let mut rng = StdRng::seed_from_u64(3);
        let mut added = 0;
        let mut room = 0;
        for batch in rows(&mut rng, 2_000, 250, 50, 3).chunks(10) {
            for row in batch {
                add(&mut parts, row);
            }
            added += batch.len();
            assert!(parts.bytes() >= room);
            room = parts.bytes();
            assert_eq!(parts.cells.lookups.load(Ordering::Relaxed), added);
        }
    }
}
