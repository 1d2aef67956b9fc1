//! The parts into which the conditions of a fragment divide a cell, and the units behind each of them. Pure.
//!
//! A pass that groups by the cell's keys and by which conditions a row meets gives one row for each part that occurs.
//! Families of conditions look at fewer conditions at once, so their parts are unions of those; see
//! [`Family`](wanqu_rules::admission::Family).

use datafusion::common::{Result as DfResult, internal_datafusion_err};
use datafusion::logical_expr::{Expr, lit, when};
use hashbrown::HashMap;
use wanqu_rules::admission::{Condition, Family, ValueGroup};

use super::cell::{Need, Reach, Seen, Verdict, is_released};
use super::divided::{Divided, DividedCells};
use super::hashes::Hashes;
use super::keys::Key;
use super::withheld::{BITS, Conditions, withheld};

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
    /// All conditions.
    pub conditions: &'a [Condition],
    /// Conditions that are set against each other.
    pub families: &'a [Family],
    /// Values that are released together.
    pub groups: &'a [ValueGroup],
    /// Least number of units.
    pub k: usize,
    /// True if a cell behind which there is nobody may be released.
    pub publish_zeros: bool,
}

/// The cells of a pass by parts.
#[derive(Debug)]
pub struct Parts<'a> {
    rule: PartRule<'a>,
    /// The conditions of each family.
    families: Vec<Conditions>,
    cells: DividedCells,
}

impl<'a> Parts<'a> {
    /// Starts a pass of which no row is known yet.
    pub fn new(rule: PartRule<'a>) -> Self {
        let families = rule.families.iter().map(|family| family.conditions.iter().copied().collect()).collect();
        let cells = DividedCells::new(rule.inputs.len(), rule.k);
        Self { rule, families, cells }
    }

    /// Adds one row of the pass: rows of the cell `key` that meet the conditions in `mask`, with the units of each input.
    pub fn add<'u>(&mut self, key: Key, mask: &Conditions, units: &(impl Iterator<Item = Option<Hashes<'u>>> + Clone)) {
        let parts = self.rule.families.iter().zip(&self.families).enumerate().filter_map(|(index, (family, own))| {
            let met = mask.and(own);
            (family.rest || !met.is_empty()).then_some((index, met))
        });
        self.cells.add(key, parts, units);
    }

    /// Returns about how many bytes the cells take.
    pub fn bytes(&self) -> usize {
        self.cells.bytes()
    }

    /// Decides on a cell. One of which the pass gave no row has nobody behind it.
    pub fn decide(&self, key: &Key) -> Verdict {
        let PartRule { inputs, groups, publish_zeros, .. } = &self.rule;
        let cell = self.cells.get(key);
        let reach = |input: usize| cell.map_or(Reach::Nobody, |cell| cell.inputs[input].reach());
        if !is_released(inputs, (0..inputs.len()).map(reach), *publish_zeros) {
            return Verdict::KeptBack;
        }
        match cell {
            Some(cell) if self.hides() || cell.parts.values().flatten().any(|units| !units.reach().may_be_told()) => {
                let fits =
                    |with: &Conditions, own: &Conditions| self.fits(cell, with, own) && self.differs(cell, with, own);
                Verdict::Released { withheld: withheld(groups, fits) }
            }
            _ => Verdict::WHOLE,
        }
    }

    /// Returns true if it is not told of any condition that nobody meets it, or everybody.
    fn hides(&self) -> bool {
        !self.rule.publish_zeros && self.rule.conditions.iter().any(|condition| condition.common)
    }

    /// Returns true if enough units meet each condition of `own`, and enough do not, and no other one of `with` holds for the same
    /// rows: of the conditions on attributes that a whole cell may have in common.
    fn differs(&self, cell: &Divided, with: &Conditions, own: &Conditions) -> bool {
        let is_in = |index: usize, set: &Conditions| !set.is_disjoint(&std::iter::once(index).collect());
        let common = |set: &Conditions| -> Vec<usize> {
            let all = self.rule.conditions.iter().enumerate();
            all.filter(|(index, one)| one.common && is_in(*index, set)).map(|(index, _)| index).collect()
        };
        if self.rule.publish_zeros {
            return true;
        }
        let others = common(with);
        common(own).into_iter().all(|index| {
            let Some(family) = self.families.iter().position(|family| is_in(index, family)) else { return false };
            let parts: Vec<_> = cell.parts.iter().filter(|((of, _), _)| *of == family).collect();
            let enough = |is_met: bool| {
                let mut units = vec![Seen::default(); self.rule.inputs.len()];
                for (_, part) in parts.iter().filter(|((_, met), _)| is_in(index, met) == is_met) {
                    units.iter_mut().zip(*part).for_each(|(all, units)| all.unite(units, self.rule.k));
                }
                is_released(&self.rule.inputs, units.iter().map(Seen::reach), false)
            };
            let alike = |other: usize| parts.iter().all(|((_, met), _)| is_in(index, met) == is_in(other, met));
            enough(true)
                && (!self.rule.conditions[index].complement || enough(false))
                && !others.iter().any(|other| *other != index && alike(*other))
        })
    }

    /// Returns true if the conditions `with` divide a cell into parts of nobody or enough, in each family that one of `own` is
    /// in. A part by some conditions of a family is made of those by all of them.
    fn fits(&self, cell: &Divided, with: &Conditions, own: &Conditions) -> bool {
        let touched = self.families.iter().enumerate().filter(|(_, family)| !family.is_disjoint(own));
        touched.into_iter().all(|(index, family)| {
            let chosen = family.and(with);
            let mut parts: HashMap<Conditions, Vec<Seen>> = HashMap::new();
            for ((_, met), units) in cell.parts.iter().filter(|((of, _), _)| *of == index) {
                let met = met.and(&chosen);
                if self.rule.families[index].rest || !met.is_empty() {
                    let known = parts.entry(met).or_insert_with(|| vec![Seen::default(); units.len()]);
                    known.iter_mut().zip(units).for_each(|(known, units)| known.unite(units, self.rule.k));
                }
            }
            parts.values().flatten().all(|units| units.reach().may_be_told())
        })
    }
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
    use crate::divided::Part;

    const INPUTS: usize = 2;

    /// One row of a pass: its cell, the conditions it meets, and the units of each input, `None` for enough.
    #[derive(Clone)]
    struct Row {
        cell: u8,
        mask: BTreeSet<usize>,
        units: [Option<BTreeSet<u32>>; INPUTS],
    }

    fn rows(rng: &mut StdRng, rows: usize, cells: u8, units: u32, k: usize) -> Vec<Row> {
        let units = |rng: &mut StdRng| {
            let own: BTreeSet<u32> = (0..rng.random_range(0..4)).map(|_| 1 + rng.random_range(0..units)).collect();
            (own.len() < k).then_some(own)
        };
        let row = |rng: &mut StdRng| Row {
            cell: rng.random_range(0..cells),
            mask: [0, 1, 2, 50].into_iter().filter(|_| rng.random_bool(0.4)).collect(),
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
        let mut words = vec![0; 2];
        row.mask.iter().for_each(|condition| words[condition / BITS] |= 1 << (condition % BITS));
        parts.add(key(row.cell), &Conditions::of_words(words), &columns.iter().map(|column| Hashes::read(column, 0)));
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

    /// A family by its number, and those of its conditions that the rows of a part meet.
    type Divided = (usize, BTreeSet<usize>);

    /// The parts into which some conditions divide a cell, each with its rows.
    fn divided<'r>(rows: &[&'r Row], families: &[Family], by: &BTreeSet<usize>) -> BTreeMap<Divided, Vec<&'r Row>> {
        let mut parts: BTreeMap<Divided, Vec<&Row>> = BTreeMap::new();
        for (index, family) in families.iter().enumerate() {
            let own: BTreeSet<usize> = family.conditions.iter().copied().filter(|c| by.contains(c)).collect();
            for row in rows.iter().filter(|_| !own.is_empty()) {
                let met: BTreeSet<usize> = row.mask.intersection(&own).copied().collect();
                if family.rest || !met.is_empty() {
                    parts.entry((index, met)).or_default().push(row);
                }
            }
        }
        parts
    }

    /// The decision on a cell with these rows, read anew for each value.
    fn decided(rule: &PartRule<'_>, rows: &[&Row]) -> Verdict {
        let reaches: Vec<Reach> =
            (0..INPUTS).map(|input| reach(union(rows.iter().copied(), input, rule.k).as_ref())).collect();
        if !is_released(&rule.inputs, reaches.into_iter(), rule.publish_zeros) {
            return Verdict::KeptBack;
        }
        let (mut released, mut withheld) = (BTreeSet::new(), Vec::new());
        for (index, group) in rule.groups.iter().enumerate() {
            let with: BTreeSet<usize> = released.iter().chain(&group.conditions).copied().collect();
            let parts = divided(rows, rule.families, &with);
            let few = parts.values().any(|part| {
                (0..INPUTS).any(|input| reach(union(part.iter().copied(), input, rule.k).as_ref()) == Reach::Few)
            });
            if few { withheld.push(index) } else { released = with }
        }
        Verdict::Released { withheld }
    }

    fn check(parts: &Parts<'_>, rows: &[Row], cells: u8) {
        for cell in 0..=cells {
            let own: Vec<&Row> = rows.iter().filter(|row| row.cell == cell).collect();
            assert_eq!(parts.decide(&key(cell)), decided(&parts.rule, &own), "{cell}");
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
            total += key(*cell).len() + size_of::<crate::divided::Divided>() + hashes(rows);
            for part in divided(rows, families, &[0, 1, 2, 50].into()).values() {
                total += size_of::<(Part, Vec<Seen>)>() + INPUTS * size_of::<Seen>() + hashes(part);
            }
        }
        total
    }

    fn groups() -> Vec<ValueGroup> {
        let group = |conditions: &[usize]| ValueGroup { conditions: conditions.to_vec(), aggregates: vec![0] };
        vec![group(&[2]), group(&[0, 50]), group(&[1]), group(&[0, 1])]
    }

    fn families() -> [Family; 2] {
        [Family { conditions: vec![0, 2, 50], rest: true }, Family { conditions: vec![1, 2], rest: false }]
    }

    #[test]
    fn cells_are_decided_as_by_reading_all_rows_anew() {
        let mut rng = StdRng::seed_from_u64(17);
        let (families, groups) = (families(), groups());
        let (mut whole, mut in_part, mut kept_back) = (0, 0, 0);
        for (k, publish_zeros, needs) in [
            (2, false, [Need::Input, Need::Input]),
            (3, true, [Need::Input, Need::PaddedInput]),
            (5, false, [Need::PaddedInput, Need::PaddedInput]),
        ] {
            for (count, cells, units) in [(40, 12, 3), (400, 9, 40), (1500, 4, 9)] {
                let inputs = needs.to_vec();
                let conditions = &[];
                let rule = PartRule { inputs, conditions, families: &families, groups: &groups, k, publish_zeros };
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
                for verdict in (0..cells).map(|cell| parts.decide(&key(cell))) {
                    match verdict {
                        Verdict::KeptBack => kept_back += 1,
                        Verdict::Released { withheld } if withheld.is_empty() => whole += 1,
                        Verdict::Released { .. } => in_part += 1,
                    }
                }
            }
        }
        assert!(whole > 10 && in_part > 10 && kept_back > 10, "{whole} {in_part} {kept_back}");
    }

    /// A pass looks up the cell of each row once, and no cell to tell how much memory they take after each batch.
    /// [`DividedCells`] offers no other way to a cell.
    #[test]
    fn a_batch_costs_its_own_rows_and_not_the_cells_before_it() {
        let (families, groups) = (families(), groups());
        let inputs = vec![Need::Input; INPUTS];
        let conditions = &[];
        let rule = PartRule { inputs, conditions, families: &families, groups: &groups, k: 3, publish_zeros: false };
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
