//! How many different values the rows of a group have, and how many units have others than the most frequent one.
//!
//! With d different values, a total and a count are two equations for the d numbers of rows that have each; a sum of squares is a
//! third. Where d is small they are solved, and a value that one unit has is found. So fewer values than the bound are those
//! of a dimension: each must be one of k units. And if nearly all units have one value, which somebody may know (a tariff), the
//! rest of the total is what the others have: so those must be k, too. One value alone is known of everybody.
//!
//! All of this only grows with the rows, so that a group which has enough needs no further look.

use wanqu_rules::unit::NOBODY_KNOWN;

use super::Bounds;

/// Different values of a group's rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Values {
    /// There are fewer than the bound. Each with its units, up to k.
    Few(Vec<(u64, Vec<u32>)>),
    /// There are as many as the bound, and maybe fewer than k units with another value than the most frequent one. The units, each
    /// with its only value, or `None` if it has several; up to k for each value.
    Many(Vec<(u32, Option<u64>)>),
    /// There are enough values, and enough units with others than the most frequent one.
    Enough,
}

impl Default for Values {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl Values {
    /// Adds a row. Returns by about how many bytes it has grown.
    pub fn add(&mut self, unit: u32, value: f64, bounds: &Bounds) -> usize {
        if *self == Self::Enough || bounds.values == 0 {
            return 0;
        }
        // 0 and -0 are one value.
        let bits = if value == 0.0 { 0 } else { value.to_bits() };
        self.add_value(bits, (unit != NOBODY_KNOWN).then_some(unit), bounds)
    }

    fn add_value(&mut self, bits: u64, unit: Option<u32>, bounds: &Bounds) -> usize {
        match self {
            Self::Enough => 0,
            Self::Many(_) => unit.map_or(0, |unit| self.add_unit(unit, Some(bits), bounds)),
            Self::Few(values) => {
                let mut grown = 0;
                let index = values.iter().position(|(known, _)| *known == bits).unwrap_or_else(|| {
                    grown += size_of::<(u64, Vec<u32>)>();
                    values.push((bits, Vec::new()));
                    values.len() - 1
                });
                let units = &mut values[index].1;
                if let Some(unit) = unit.filter(|unit| units.len() < bounds.k && !units.contains(unit)) {
                    grown += size_of::<u32>();
                    units.push(unit);
                }
                if values.len() >= bounds.values {
                    let values = std::mem::take(values);
                    *self = Self::Many(Vec::new());
                    grown += self.add_values(&values, bounds);
                }
                grown
            }
        }
    }

    fn add_values(&mut self, values: &[(u64, Vec<u32>)], bounds: &Bounds) -> usize {
        let mut grown = 0;
        for (bits, units) in values {
            if units.is_empty() {
                grown += self.add_value(*bits, None, bounds);
            }
            for unit in units {
                grown += self.add_value(*bits, Some(*unit), bounds);
            }
        }
        grown
    }

    /// Adds a unit where there are many values, with its only one or several.
    fn add_unit(&mut self, unit: u32, only: Option<u64>, bounds: &Bounds) -> usize {
        let Self::Many(units) = self else { return 0 };
        let mut grown = 0;
        if let Some((_, known)) = units.iter_mut().find(|(other, _)| *other == unit) {
            if *known == only {
                return 0;
            }
            *known = None;
        } else if only.is_some() && units.iter().filter(|(_, known)| *known == only).count() >= bounds.k {
            // So many have this value alone that another one adds nothing.
            return 0;
        } else {
            grown = size_of::<(u32, Option<u64>)>();
            units.push((unit, only));
        }
        let others = |bits: u64| units.iter().filter(|(_, only)| *only != Some(bits)).count();
        let enough = |(_, only): &(u32, Option<u64>)| only.is_none_or(|bits| others(bits) >= bounds.k);
        if units.len() >= bounds.k && units.iter().all(enough) {
            *self = Self::Enough;
        }
        grown
    }

    /// Adds the rows of another group. Returns by about how many bytes it has grown.
    pub fn merge(&mut self, other: &Self, bounds: &Bounds) -> usize {
        match other {
            Self::Enough => {
                *self = Self::Enough;
                0
            }
            Self::Few(values) => self.add_values(values, bounds),
            Self::Many(units) => {
                let mut grown = 0;
                if let Self::Few(values) = self {
                    let values = std::mem::take(values);
                    *self = Self::Many(Vec::new());
                    grown += self.add_values(&values, bounds);
                }
                grown + units.iter().map(|(unit, only)| self.add_unit(*unit, *only, bounds)).sum::<usize>()
            }
        }
    }

    /// Returns true if a total of the values tells of no unit which it has. A group without rows tells nothing.
    pub fn fit(&self, bounds: &Bounds) -> bool {
        match self {
            Self::Enough => true,
            Self::Many(_) => false,
            Self::Few(values) => {
                let each = values.iter().all(|(_, units)| units.len() >= bounds.k);
                bounds.values == 0 || values.is_empty() || values.len() > 1 && each
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    use super::*;

    fn bounds(k: usize, values: usize) -> Bounds {
        Bounds { k, values, units: 1, percent: 100, p_percent: 0 }
    }

    fn of(rows: &[(u32, f64)], bounds: &Bounds) -> Values {
        let mut values = Values::default();
        for (unit, value) in rows {
            values.add(*unit, *value, bounds);
        }
        values
    }

    /// The rule, read anew from all rows.
    fn plain(rows: &[(u32, f64)], bounds: &Bounds) -> bool {
        let known = |of: &dyn Fn(f64) -> bool| -> usize {
            rows.iter()
                .filter(|(unit, value)| *unit != NOBODY_KNOWN && of(*value))
                .map(|row| row.0)
                .collect::<BTreeSet<_>>()
                .len()
        };
        let values: BTreeSet<u64> = rows.iter().map(|row| row.1.to_bits()).collect();
        let is = |bits: u64| move |value: f64| value.to_bits() == bits;
        if values.len() >= bounds.values {
            values.iter().all(|bits| known(&|value| !is(*bits)(value)) >= bounds.k)
        } else {
            values.is_empty() || values.len() > 1 && values.iter().all(|bits| known(&is(*bits)) >= bounds.k)
        }
    }

    #[test]
    fn few_values_are_counted_and_many_are_not() {
        let bounds = bounds(3, 4);
        let rows = |values: &[(f64, u32)]| -> Vec<(u32, f64)> {
            let units = values.iter().flat_map(|(value, units)| (0..*units).map(|_| *value));
            (1..).zip(units).collect()
        };
        for (values, fits) in [
            (&[][..], true),
            // A constant is known of everybody, 0 and 1 if there are enough of each.
            (&[(7.0, 50)], false),
            (&[(0.0, 50), (1.0, 3)], true),
            (&[(0.0, 50), (1.0, 2)], false),
            (&[(0.0, 50), (-0.0, 50)], false),
            // One beside many of a known value, and two beside several.
            (&[(20.0, 50), (33.0, 1)], false),
            (&[(20.0, 50), (25.0, 50), (33.0, 2)], false),
            (&[(20.0, 50), (25.0, 50), (33.0, 3)], true),
            // Enough values, and enough who have others than the most frequent one.
            (&[(20.0, 50), (25.0, 1), (33.0, 1), (34.0, 1)], true),
            (&[(1.0, 1), (2.0, 1), (3.0, 1), (4.0, 1)], true),
            (&[(1.0, 1), (2.0, 1), (3.0, 1)], false),
        ] {
            assert_eq!(of(&rows(values), &bounds).fit(&bounds), fits, "{values:?}");
        }
        // Rows of one unit are one unit.
        let one: Vec<(u32, f64)> = (0..9).map(|value| (1, f64::from(value))).collect();
        assert!(!of(&one, &bounds).fit(&bounds));
        assert!(of(&[(1, 2.0)], &Bounds { values: 0, ..bounds }).fit(&Bounds { values: 0, ..bounds }));
    }

    #[test]
    fn rows_are_decided_as_by_reading_them_anew_whatever_their_order_and_parts() {
        let mut rng = StdRng::seed_from_u64(3);
        let mut found = [0, 0];
        for round in 0..4000 {
            let bounds = bounds(rng.random_range(2..5), rng.random_range(1..7));
            let (units, values) = (rng.random_range(1..14), rng.random_range(1..9));
            let rows: Vec<(u32, f64)> = (0..rng.random_range(0..40))
                .map(|_| {
                    let value = rng.random_range(0..values).min(rng.random_range(0..values));
                    (rng.random_range(0..units), f64::from(value))
                })
                .collect();
            let at = rng.random_range(0..=rows.len());
            let (mut one, mut other) = (of(&rows[..at], &bounds), of(&rows[at..], &bounds));
            let whole = of(&rows, &bounds).fit(&bounds);
            one.merge(&of(&rows[at..], &bounds), &bounds);
            other.merge(&of(&rows[..at], &bounds), &bounds);
            let expected = plain(&rows, &bounds);
            assert_eq!([whole, one.fit(&bounds), other.fit(&bounds)], [expected; 3], "{round}: {rows:?} {bounds:?}");
            found[usize::from(expected)] += 1;
        }
        assert!(found.iter().all(|count| *count > 400), "{found:?}");
    }
}
