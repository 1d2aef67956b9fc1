//! Choice of the passes over the data that decide the cells at the least cost. Pure.
//!
//! Counting units beside an aggregate costs the reading of one more column and, with many groups, as much again as the
//! aggregate. Counting is monotone: a prefix of the same records that already holds k units of a cell decides it. So a
//! prefix is read first; if it decides all cells that it met, the aggregate runs without units, and only where another
//! cell turns up is there a second full pass. Where it does not, units are counted beside the aggregate, in one pass.

use super::thread::{Leaf, Prefix};

/// Most rows of the aggregate's input that a probe reads.
pub const PROBE_ROWS: usize = 65_536;
/// Most rows of its table that a probe reads to find them: a filter may let few pass.
const PROBE_TABLE_ROWS: usize = 262_144;
/// Least size of a table's files, in bytes, for which two passes can be cheaper than one.
const WORTH_PROBING: u64 = 8 << 20;
/// Most groups of a prefix: with more there are many more in the whole table.
const MANY_GROUPS: usize = 4_096;

/// First pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum First {
    /// No unit is counted: every cell is released.
    Ungated,
    /// One pass with the units beside the aggregate.
    Inline,
    /// One pass with the number of rows beside the aggregate: no unit has more than so many.
    Rows(u64),
    /// One pass without units, and one that counts them for every part into which conditions divide the cells.
    Parted,
    /// A prefix first.
    Probe(Prefix),
}

/// Pass after the probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The aggregate without units, then the cells in doubt.
    Main,
    /// The probe was of no use: one pass with units.
    Inline,
    /// The probe was of no use, but there are few groups: the number of rows may decide.
    Rows(u64),
}

/// Returns the most rows of a unit, if a number of rows may stand for a number of units: one table, no join, no
/// condition.
fn max_rows_per_unit(leaves: &[Leaf], conditions: usize) -> Option<u64> {
    match leaves {
        [only] if only.private && conditions == 0 => only.max_rows_per_unit.filter(|most| *most > 0),
        _ => None,
    }
}

/// Chooses the first pass. `divided` is true if conditions can be set against each other.
pub fn first(min_units: u32, leaves: &[Leaf], conditions: usize, divided: bool) -> First {
    if min_units <= 1 {
        return First::Ungated;
    }
    if divided {
        return First::Parted;
    }
    if max_rows_per_unit(leaves, conditions) == Some(1) {
        // Every row is a unit of its own: rows decide every cell.
        return First::Rows(1);
    }
    let cut = leaves.iter().enumerate().filter(|(_, leaf)| leaf.monotone).max_by_key(|(_, leaf)| leaf.bytes);
    let Some((leaf, chosen)) = cut else { return First::Inline };
    let others: u64 = leaves.iter().map(|l| l.bytes).sum::<u64>() - chosen.bytes;
    // The other tables of a join are read whole by the probe as well.
    if chosen.bytes < WORTH_PROBING || others > chosen.bytes / 4 {
        return First::Inline;
    }
    First::Probe(Prefix { leaf, rows: PROBE_TABLE_ROWS })
}

/// Chooses what follows a probe that saw so many groups and decided so many of them.
pub fn next(leaves: &[Leaf], conditions: usize, groups: usize, decided: usize) -> Next {
    if groups > MANY_GROUPS {
        Next::Inline
    } else if groups > 0 && decided == groups {
        Next::Main
    } else {
        max_rows_per_unit(leaves, conditions).map_or(Next::Inline, Next::Rows)
    }
}

/// Conclusion from a number of rows about the number of units behind them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByRows {
    /// At least k units.
    Enough,
    /// Fewer than k, but somebody.
    Few,
    /// Nobody.
    Nobody,
    /// It does not decide.
    Doubt,
}

/// Concludes from the rows of a cell: `known` of `all` rows say whose they are, and no unit has more than `most`.
///
/// k - 1 units have at most (k - 1) · most rows, so that one row more needs a k-th unit; and fewer than k rows have
/// fewer than k units.
pub fn by_rows(known: u64, all: u64, most: u64, min_units: u32) -> ByRows {
    if all == 0 {
        ByRows::Nobody
    } else if known > most.saturating_mul(u64::from(min_units.saturating_sub(1))) {
        ByRows::Enough
    } else if known < u64::from(min_units) {
        ByRows::Few
    } else {
        ByRows::Doubt
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf(mib: u64, max_rows_per_unit: Option<u64>) -> Leaf {
        Leaf { bytes: mib << 20, private: true, max_rows_per_unit, monotone: true }
    }

    #[test]
    fn the_first_pass_is_the_cheapest_that_is_likely_to_decide() {
        let probe = |leaf| First::Probe(Prefix { leaf, rows: PROBE_TABLE_ROWS });
        let fixed = Leaf { monotone: false, ..leaf(900, None) };
        for (k, leaves, conditions, expected) in [
            (1, vec![leaf(900, None)], 3, First::Ungated),
            (10, vec![leaf(1, None)], 0, First::Inline),
            (10, vec![leaf(900, None)], 2, probe(0)),
            (10, vec![leaf(900, Some(1))], 0, First::Rows(1)),
            (10, vec![leaf(900, Some(1))], 1, probe(0)),
            (10, vec![leaf(900, Some(3))], 0, probe(0)),
            (10, vec![leaf(1, Some(1)), leaf(900, Some(1))], 0, probe(1)),
            (10, vec![leaf(600, None), leaf(900, None)], 0, First::Inline),
            // A table whose prefix could make other rows is not cut.
            (10, vec![fixed.clone()], 0, First::Inline),
            (10, vec![fixed, leaf(9, None)], 0, First::Inline),
            (10, vec![], 0, First::Inline),
        ] {
            assert_eq!(first(k, &leaves, conditions, false), expected, "{k} {leaves:?}");
        }
        assert_eq!(first(10, &[leaf(900, None)], 2, true), First::Parted);
        assert_eq!(first(1, &[leaf(900, None)], 2, true), First::Ungated);
    }

    #[test]
    fn a_probe_that_decides_little_is_not_followed_by_two_passes() {
        for (most, groups, decided, expected) in [
            (None, 7, 7, Next::Main),
            (None, 83, 83, Next::Main),
            // One cell in doubt costs a whole second pass; counting units beside the aggregate costs less.
            (None, 83, 82, Next::Inline),
            (Some(4), 83, 41, Next::Rows(4)),
            (Some(4), 5000, 5000, Next::Inline),
            (None, 0, 0, Next::Inline),
        ] {
            assert_eq!(next(&[leaf(900, most)], 0, groups, decided), expected, "{groups} {decided}");
        }
        assert_eq!(next(&[leaf(900, Some(4))], 1, 83, 0), Next::Inline);
    }

    #[test]
    fn a_row_count_decides_a_cell_only_where_it_proves_the_number_of_units() {
        for (known, all, most, k, expected) in [
            (0, 0, 1, 5, ByRows::Nobody),
            (4, 4, 1, 5, ByRows::Few),
            (5, 5, 1, 5, ByRows::Enough),
            (12, 12, 3, 5, ByRows::Doubt),
            (13, 13, 3, 5, ByRows::Enough),
            (5, 5, 3, 5, ByRows::Doubt),
            // Rows that do not say whose they are prove nothing.
            (4, 900, 3, 5, ByRows::Few),
            (0, 900, 1, 5, ByRows::Few),
            (u64::MAX, u64::MAX, u64::MAX, 5, ByRows::Doubt),
        ] {
            assert_eq!(by_rows(known, all, most, k), expected, "{known} of {all}, {most} each, k {k}");
        }
    }
}
