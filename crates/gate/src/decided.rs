//! The decisions on the rows of a batch, each row one cell.

use std::collections::BTreeMap;

use arrow::array::BooleanArray;

use super::cell::Verdict;

/// Decision on one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Released,
    KeptBack,
    Doubtful,
}

/// Decisions on rows, in their order.
#[derive(Debug, Default)]
pub struct Decided {
    rows: Vec<State>,
    /// For each group of values of which any is withheld: the rows that it is withheld from. Shorter ones end with rows that
    /// have it.
    withheld: BTreeMap<usize, Vec<bool>>,
    suppressed: u64,
}

impl Decided {
    /// Decides that so many rows are released with all their values.
    pub fn whole(rows: usize) -> Self {
        Self { rows: vec![State::Released; rows], ..Self::default() }
    }

    /// Adds the decision on the next row; `None` if it is in doubt.
    pub fn push(&mut self, verdict: Option<Verdict>) {
        let row = self.rows.len();
        self.rows.push(match verdict {
            None => State::Doubtful,
            Some(Verdict::KeptBack) => State::KeptBack,
            Some(Verdict::Released { .. }) => State::Released,
        });
        match verdict {
            None => {}
            Some(Verdict::KeptBack) => self.suppressed += 1,
            Some(Verdict::Released { withheld }) => {
                self.suppressed += u64::from(!withheld.is_empty());
                for group in withheld {
                    let rows = self.withheld.entry(group).or_default();
                    rows.resize(row, false);
                    rows.push(true);
                }
            }
        }
    }

    /// Returns the rows that are released.
    pub fn released(&self) -> BooleanArray {
        self.are(State::Released)
    }

    /// Returns the rows that are in doubt.
    pub fn doubtful(&self) -> BooleanArray {
        self.are(State::Doubtful)
    }

    fn are(&self, state: State) -> BooleanArray {
        self.rows.iter().map(|row| Some(*row == state)).collect()
    }

    /// Returns the groups of which values are withheld, each with a mark for every released row.
    pub fn withheld(&self) -> impl Iterator<Item = (usize, BooleanArray)> {
        self.withheld.iter().map(|(group, rows)| {
            let marks = rows.iter().copied().chain(std::iter::repeat(false)).zip(&self.rows);
            (*group, marks.filter(|(_, row)| **row == State::Released).map(|(mark, _)| Some(mark)).collect())
        })
    }

    /// Returns the number of rows that are kept back, or released without some of their values.
    pub fn suppressed(&self) -> u64 {
        self.suppressed
    }
}

impl FromIterator<Option<Verdict>> for Decided {
    fn from_iter<I: IntoIterator<Item = Option<Verdict>>>(verdicts: I) -> Self {
        let mut decided = Self::default();
        verdicts.into_iter().for_each(|verdict| decided.push(verdict));
        decided
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_of_withheld_values_are_those_of_the_released_rows() {
        let without = |groups: &[usize]| Some(Verdict::Released { withheld: groups.to_vec() });
        let decided: Decided =
            [without(&[]), Some(Verdict::KeptBack), without(&[1]), None, without(&[0, 1]), without(&[])]
                .into_iter()
                .collect();
        assert_eq!(decided.suppressed(), 3);
        assert_eq!(decided.released(), BooleanArray::from(vec![true, false, true, false, true, true]));
        assert_eq!(decided.doubtful(), BooleanArray::from(vec![false, false, false, true, false, false]));
        let marks: Vec<(usize, BooleanArray)> = decided.withheld().collect();
        let expected = [(0, vec![false, false, true, false]), (1, vec![false, true, true, false])];
        assert_eq!(marks, expected.map(|(group, marks)| (group, marks.into())));
        assert_eq!((Decided::whole(2).released().true_count(), Decided::whole(2).withheld().count()), (2, 0));
    }
}
