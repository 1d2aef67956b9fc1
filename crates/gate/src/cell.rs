//! The decision on one cell: from the units behind it to release or keep back. Pure.

use arrow::array::{Array, BinaryArray};
use wanqu_rules::unit::NOBODY_KNOWN;

/// Number of distinct units behind a cell or a part of one, as far as it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// At least k.
    Enough,
    /// Fewer than k, but somebody.
    Few,
    /// Nobody at all.
    Nobody,
}

impl Reach {
    /// Returns true if a part of a cell may be told apart: nobody, or enough.
    pub fn may_be_told(self) -> bool {
        self != Self::Few
    }

    /// Reads a value of `units_reach`.
    pub fn read(column: &BinaryArray, row: usize) -> Self {
        if column.is_null(row) {
            Self::Enough
        } else if column.value_length(row) == 0 {
            Self::Nobody
        } else {
            Self::Few
        }
    }
}

/// The units met so far behind something that is counted piece by piece.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// At least k.
    Enough,
    /// The hashes of fewer than k, each once; [`NOBODY_KNOWN`] where a record does not say whose it is.
    Few(Vec<u32>),
}

impl Default for Seen {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl Seen {
    /// Adds the hashes of fewer than k units, or `None` for enough. Returns by how many hashes it has grown.
    pub fn join(&mut self, hashes: Option<impl Iterator<Item = u32>>, k: usize) -> usize {
        let Self::Few(seen) = self else { return 0 };
        let before = seen.len();
        let enough = hashes.is_none();
        for hash in hashes.into_iter().flatten() {
            if !seen.contains(&hash) {
                seen.push(hash);
            }
        }
        let grown = seen.len() - before;
        let units = seen.len() - usize::from(seen.contains(&NOBODY_KNOWN));
        if enough || units >= k {
            *self = Self::Enough;
        }
        grown
    }

    /// Adds the units behind something else.
    pub fn unite(&mut self, other: &Self, k: usize) {
        let hashes = match other {
            Self::Enough => None,
            Self::Few(hashes) => Some(hashes.iter().copied()),
        };
        self.join(hashes, k);
    }

    /// Returns whether that is nobody, fewer than k units, or enough.
    pub fn reach(&self) -> Reach {
        match self {
            Self::Enough => Reach::Enough,
            Self::Few(seen) if seen.is_empty() => Reach::Nobody,
            Self::Few(_) => Reach::Few,
        }
    }
}

/// Requirement on the units of one input of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Every row of the input is somebody's.
    Input,
    /// An outer join may not find the input: nobody, or enough.
    PaddedInput,
}

/// Returns true if the row of a cell is released, by the minimum of units.
///
/// At least one input must have enough units, and none may have some but too few. A cell behind which there is nobody is
/// kept back like one with few, unless the policy lets zeros be published.
pub fn is_released(needs: &[Need], reaches: impl Iterator<Item = Reach> + Clone, publish_zeros: bool) -> bool {
    if needs.is_empty() {
        // No input was counted, so nothing is known of the cell.
        return false;
    }
    let mut pairs = needs.iter().zip(reaches.clone());
    let mut reaches = reaches.take(needs.len());
    if reaches.clone().all(|reach| reach == Reach::Nobody) {
        return publish_zeros;
    }
    reaches.any(|reach| reach == Reach::Enough)
        && pairs.all(|(need, reach)| match need {
            Need::Input => reach == Reach::Enough,
            Need::PaddedInput => reach != Reach::Few,
        })
}

/// Decision on one cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Its row is kept back.
    KeptBack,
    /// Its row is released, without the values of these groups.
    Released {
        /// Indexes of the groups of values that are withheld, ascending.
        withheld: Vec<usize>,
    },
}

impl Verdict {
    /// The row is released with all its values.
    pub const WHOLE: Self = Self::Released { withheld: Vec::new() };
}

/// Returns true if a prefix of the input proves that a cell is released: counts of units only grow, so enough stays
/// enough. "Nobody" is not proved by a prefix.
pub fn is_proved_by_prefix(reaches: impl Iterator<Item = Reach>) -> bool {
    let mut counted = reaches.peekable();
    counted.peek().is_some() && counted.all(|reach| reach == Reach::Enough)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Need::{Input, PaddedInput};
    use Reach::{Enough, Few, Nobody};

    #[test]
    fn a_cell_is_released_only_if_enough_stand_behind_it() {
        type Case<'a> = (&'a [Need], &'a [Reach], bool, bool);
        let cases: &[Case<'_>] = &[
            (&[], &[], false, false),
            (&[Input], &[Enough], true, true),
            (&[Input], &[Few], false, false),
            (&[Input], &[Nobody], false, true),
            // After a join every input counts.
            (&[Input, Input], &[Enough, Few], false, false),
            (&[Input, Input], &[Enough, Enough], true, true),
            (&[Input, Input], &[Enough, Nobody], false, false),
            // An outer join may find nobody, but not a few.
            (&[Input, PaddedInput], &[Enough, Nobody], true, true),
            (&[Input, PaddedInput], &[Enough, Few], false, false),
            (&[Input, PaddedInput], &[Few, Enough], false, false),
            // A full join: either side may be nobody, not both.
            (&[PaddedInput, PaddedInput], &[Enough, Nobody], true, true),
            (&[PaddedInput, PaddedInput], &[Nobody, Nobody], false, true),
            (&[PaddedInput, PaddedInput], &[Few, Nobody], false, false),
            // A public table that finds nobody: as few.
            (&[PaddedInput], &[Nobody], false, true),
        ];
        for (needs, reaches, plain, zeros) in cases {
            assert_eq!(is_released(needs, reaches.iter().copied(), false), *plain, "{needs:?} {reaches:?}");
            assert_eq!(is_released(needs, reaches.iter().copied(), true), *zeros, "{needs:?} {reaches:?} with zeros");
        }
    }

    #[test]
    fn a_prefix_of_the_rows_proves_a_cell_only_if_all_its_conditions_have_enough_units() {
        assert!(is_proved_by_prefix([Enough, Enough].into_iter()));
        assert!(!is_proved_by_prefix([Enough, Nobody].into_iter()));
        assert!(!is_proved_by_prefix([Few].into_iter()));
        assert!(!is_proved_by_prefix([].into_iter()));
    }
}
