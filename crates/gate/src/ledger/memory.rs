//! The decision on offered values by what is remembered. Pure.

use std::collections::BTreeMap;

use hashbrown::HashMap;

use super::sketch::BUCKETS;
use super::{Addend, Answer, Asked, Drawn, Offer, Offered, Settled, Sketch, Value};

/// Greatest number of units by which two populations are required to differ: what a sketch can tell apart.
const MOST_UNITS: u32 = 64;

/// Populations that have been released to one circle, of one table.
#[derive(Debug, Default)]
struct Shelf {
    /// Their sketches, one after the other.
    words: Vec<u64>,
    records: Vec<Record>,
    /// Indexes of the populations by a part of their sketch.
    exact: HashMap<u64, Vec<usize>>,
}

/// What was released over one population.
#[derive(Debug, Default)]
struct Record {
    /// What was added up, each with the name of the population that it was asked of.
    adds: Vec<(u128, Addend)>,
    values: Vec<(u128, Value)>,
}

/// Decision on all offers of one release, and what is to be remembered of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The answers.
    pub settled: Settled,
    /// What is new.
    pub entry: Entry,
}

/// What is remembered of one release.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Entry {
    /// Requesters whom it was released to.
    pub circle: String,
    /// Tables of the sketches.
    pub tables: Vec<String>,
    /// The populations, and the values over them.
    pub additions: Vec<Addition>,
}

/// Values that were released over one population.
#[derive(Debug, Clone, PartialEq)]
pub struct Addition {
    /// Index of the table.
    pub table: usize,
    /// Sketch of the population.
    pub sketch: Sketch,
    /// Name of the population.
    pub name: u128,
    /// What was added up.
    pub adds: Vec<Addend>,
    /// Values by the names of their functions.
    pub values: Vec<(u128, Value)>,
}

/// All that is remembered.
#[derive(Debug)]
pub struct Memory {
    shelves: BTreeMap<(String, String), Shelf>,
    /// Number of populations of each circle.
    populations: BTreeMap<String, usize>,
    /// Most populations of one circle.
    most: usize,
}

impl Memory {
    /// Begins without any population; holds at most so many for each circle, so that none fills what others need.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { shelves: BTreeMap::new(), populations: BTreeMap::new(), most }
    }

    /// Returns the number of populations.
    #[must_use]
    pub fn populations(&self) -> usize {
        self.populations.values().sum()
    }

    /// Returns the number of further populations that can be remembered for the circle that has the most.
    #[must_use]
    pub fn room(&self) -> usize {
        self.most.saturating_sub(self.populations.values().copied().max().unwrap_or(0))
    }

    /// Decides on what is offered. Offers of one release are rows apart, and parts of a row that may be told apart: they are
    /// compared with what was there before, and not with each other.
    #[must_use]
    pub fn decide(&self, asked: &Asked) -> Decision {
        let known = self.populations.get(&asked.circle).copied().unwrap_or(0);
        let mut room = self.most.saturating_sub(known);
        let mut additions = Vec::new();
        let mut full = false;
        let shelves: Vec<Option<&Shelf>> =
            asked.tables.iter().map(|table| self.shelves.get(&(asked.circle.clone(), table.clone()))).collect();
        let mut answers = Vec::with_capacity(asked.offers.len());
        for offer in &asked.offers {
            let mut of_offer = decide_offer(offer, &shelves, asked.k.min(MOST_UNITS));
            let new = additions_of(offer, &of_offer);
            let wanted =
                new.iter().filter(|one| !shelves[one.table].is_some_and(|shelf| shelf.has(&one.sketch))).count();
            if wanted > room {
                full = true;
                of_offer = vec![Answer::Withheld; offer.values.len()];
            } else {
                room -= wanted;
                additions.extend(new);
            }
            answers.push(of_offer);
        }
        let entry = Entry { circle: asked.circle.clone(), tables: asked.tables.clone(), additions };
        Decision { settled: Settled { answers, full }, entry }
    }

    /// Remembers what a decision found new, or what a ledger has written down.
    pub fn remember(&mut self, entry: Entry) {
        let Entry { circle, tables, additions } = entry;
        for Addition { table, sketch, name, adds, values } in additions {
            let Some(table) = tables.get(table) else { continue };
            let shelf = self.shelves.entry((circle.clone(), table.clone())).or_default();
            let is_new = shelf.remember(&sketch, name, adds, values);
            *self.populations.entry(circle.clone()).or_default() += usize::from(is_new);
        }
    }
}

/// Returns what is new in an offer: for each of its sketches, the values that depend on it.
fn additions_of(offer: &Offer, answers: &[Answer]) -> Vec<Addition> {
    let mut additions = Vec::new();
    for Drawn { table, population, name, sketch } in &offer.sketches {
        let (mut adds, mut values) = (Vec::new(), Vec::new());
        for (value, answer) in offer.values.iter().zip(answers) {
            if let (Answer::New, true, Some(released)) = (answer, value.populations.contains(population), value.value) {
                adds.extend(value.adds.iter().copied());
                values.push((value.name, released));
            }
        }
        if !values.is_empty() {
            adds.sort_unstable();
            adds.dedup();
            additions.push(Addition { table: *table, sketch: sketch.clone(), name: *name, adds, values });
        }
    }
    additions
}

fn decide_offer(offer: &Offer, shelves: &[Option<&Shelf>], k: u32) -> Vec<Answer> {
    let near: Vec<Near<'_>> = offer
        .sketches
        .iter()
        .filter_map(|drawn| {
            let shelf = (*shelves.get(drawn.table)?)?;
            let same = shelf.same(&drawn.sketch);
            let found = shelf.near(&drawn.sketch, same, k);
            let very_same = |index: usize| (same == Some(index)).then_some(drawn.name);
            let records = found.into_iter().map(|index| (&shelf.records[index], very_same(index)));
            Some((drawn.population, records.collect()))
        })
        .collect();
    let answers: Vec<Answer> = offer.values.iter().map(|value| decide_value(value, &near)).collect();
    // Values of one group stand and fall together, or an average would be made of a sum that is missing.
    if answers.contains(&Answer::Withheld) { vec![Answer::Withheld; answers.len()] } else { answers }
}

/// A population of an offer, and what was released over populations that are near: the records, and of one with the same rows the
/// name that is asked for.
type Near<'m> = (usize, Vec<(&'m Record, Option<u128>)>);

/// Decides on one value.
///
/// Of the very population that was asked for before, in the same words and over the same state of its sources, another function
/// is as new as it would have been beside the first. Words and state tell that, and no row does: so nobody learns from it
/// whether a population that is asked for in other words differs by anybody.
fn decide_value(value: &Offered, near: &[Near<'_>]) -> Answer {
    let mut is_known = false;
    for (population, records) in near {
        for (record, own_name) in records {
            if !value.populations.contains(population) {
                continue;
            }
            if let Some((_, earlier)) = record.values.iter().find(|(name, _)| *name == value.name) {
                return Answer::Earlier(*earlier);
            }
            let others = record.adds.iter().filter(|(name, _)| Some(*name) != *own_name);
            is_known |= others.into_iter().any(|(_, one)| value.adds.iter().any(|other| one.tells_of(other)));
        }
    }
    if is_known || value.value.is_none() { Answer::Withheld } else { Answer::New }
}

impl Shelf {
    /// Returns the populations that differ by fewer than `k` units: those that do not differ, then the others from the oldest on.
    /// `exact` is the one that does not.
    fn near(&self, sketch: &Sketch, exact: Option<usize>, k: u32) -> Vec<usize> {
        let mut found: Vec<usize> = exact.into_iter().collect();
        let k = k as usize;
        for (index, words) in self.words.chunks_exact(BUCKETS).enumerate() {
            if exact != Some(index) && differ_by_fewer(words, sketch.words(), k) {
                found.push(index);
            }
        }
        found
    }

    fn same(&self, sketch: &Sketch) -> Option<usize> {
        let alike = self.exact.get(&part(sketch))?;
        let words = |index: &usize| &self.words[index * BUCKETS..][..BUCKETS];
        alike.iter().copied().find(|index| words(index) == sketch.words())
    }

    fn has(&self, sketch: &Sketch) -> bool {
        self.same(sketch).is_some()
    }

    /// Adds values to those over a population. Returns true if the population is new.
    fn remember(&mut self, sketch: &Sketch, name: u128, adds: Vec<Addend>, values: Vec<(u128, Value)>) -> bool {
        let known = self.same(sketch);
        let index = known.unwrap_or_else(|| {
            let index = self.records.len();
            self.words.extend_from_slice(sketch.words());
            self.records.push(Record::default());
            self.exact.entry(part(sketch)).or_default().push(index);
            index
        });
        let record = &mut self.records[index];
        for addend in adds {
            if !record.adds.contains(&(name, addend)) {
                record.adds.push((name, addend));
            }
        }
        for (name, value) in values {
            // The first that was released stays.
            if !record.values.iter().any(|(known, _)| *known == name) {
                record.values.push((name, value));
            }
        }
        known.is_none()
    }
}

/// Returns a part of a sketch that is the same for equal ones.
fn part(sketch: &Sketch) -> u64 {
    sketch.words().iter().fold(0_u64, |sum, word| sum.rotate_left(7).wrapping_add(*word))
}

/// Returns true if fewer than `k` buckets differ.
fn differ_by_fewer(one: &[u64], other: &[u64], k: usize) -> bool {
    let mut differ = 0;
    for (one, other) in one.chunks(16).zip(other.chunks(16)) {
        differ += one.iter().zip(other).filter(|(one, other)| one != other).count();
        if differ >= k {
            return false;
        }
    }
    differ < k
}
