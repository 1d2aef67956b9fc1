//! What each unit adds to a total, as far as the rules on dominance need it.
//!
//! Two usual rules for magnitudes (Hundepool et al., Statistical Disclosure Control, Wiley 2012, chapter 4), both on absolute
//! values: (n, k) dominance, by which the n greatest have no more than a share of the total; and p %, by which all but the two greatest
//! add at least p % of the greatest, so that the second cannot estimate the first more closely.
//!
//! Up to [`EXACT`] units are kept one by one. With more, units are added up in [`BUCKETS`] by their hash. No unit is greater than
//! its bucket, and no n units than the n greatest buckets: the rules can only be taken to be broken where they are not, and
//! hardly ever are where so many units stand behind a cell. The outcome does not depend on the order of rows.

use super::Bounds;

/// Most units that are kept one by one.
const EXACT: usize = 32;

/// Number of buckets where there are more.
const BUCKETS: usize = 128;

/// Contributions of the units of a group.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Contributions {
    /// The units, by their hashes.
    Each(Vec<(u32, f64)>),
    /// The sums of buckets.
    Buckets(Box<[f64; BUCKETS]>),
}

impl Default for Contributions {
    fn default() -> Self {
        Self::Each(Vec::new())
    }
}

impl Contributions {
    /// Adds what a unit contributes; those whose unit is not known count as one. Returns by how many bytes it has grown.
    pub fn add(&mut self, unit: u32, magnitude: f64) -> usize {
        match self {
            Self::Buckets(buckets) => buckets[bucket(unit)] += magnitude,
            Self::Each(units) => {
                if let Some((_, sum)) = units.iter_mut().find(|(other, _)| *other == unit) {
                    *sum += magnitude;
                } else if units.len() < EXACT {
                    units.push((unit, magnitude));
                    return size_of::<(u32, f64)>();
                } else {
                    let mut buckets = Box::new([0.0; BUCKETS]);
                    for (unit, sum) in units.iter() {
                        buckets[bucket(*unit)] += sum;
                    }
                    buckets[bucket(unit)] += magnitude;
                    *self = Self::Buckets(buckets);
                    return BUCKETS * size_of::<f64>();
                }
            }
        }
        0
    }

    /// Adds the contributions of others. Returns by how many bytes it has grown.
    pub fn merge(&mut self, other: &Self) -> usize {
        match (&mut *self, other) {
            (_, Self::Each(units)) => units.iter().map(|(unit, sum)| self.add(*unit, *sum)).sum(),
            (Self::Buckets(own), Self::Buckets(buckets)) => {
                own.iter_mut().zip(buckets.iter()).for_each(|(own, sum)| *own += sum);
                0
            }
            (Self::Each(units), Self::Buckets(buckets)) => {
                let mut buckets = buckets.clone();
                for (unit, sum) in units.iter() {
                    buckets[bucket(*unit)] += sum;
                }
                *self = Self::Buckets(buckets);
                BUCKETS * size_of::<f64>()
            }
        }
    }

    /// Returns true if no unit dominates.
    pub fn fit(&self, bounds: &Bounds) -> bool {
        let mut sums: Vec<f64> = match self {
            Self::Each(units) => units.iter().map(|(_, sum)| *sum).collect(),
            Self::Buckets(buckets) => buckets.to_vec(),
        };
        // In one order, so that the total is the same however the rows came.
        sums.sort_unstable_by(|one, other| other.total_cmp(one));
        let total: f64 = sums.iter().sum();
        if total == 0.0 {
            return true;
        }
        let greatest = |n: usize| sums.iter().take(n).sum::<f64>();
        let share = bounds.percent >= 100 || greatest(bounds.units) * 100.0 <= f64::from(bounds.percent) * total;
        // A total that is no number is none that fits.
        share && (total - greatest(2)) * 100.0 >= f64::from(bounds.p_percent) * greatest(1)
    }
}

/// Returns the bucket of a unit's hash.
fn bucket(unit: u32) -> usize {
    (unit.wrapping_mul(0x9e37_79b1) >> 25) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds(units: usize, percent: u32, p_percent: u32) -> Bounds {
        Bounds { k: 10, values: 0, units, percent, p_percent }
    }

    fn of(contributions: &[f64]) -> Contributions {
        let mut all = Contributions::default();
        (1..).zip(contributions).for_each(|(unit, sum)| {
            all.add(unit, *sum);
        });
        all
    }

    /// Those of ACRO's own tests (`test_agg_p_percent_*` and `test_agg_nk_*` of `test_sdcchecks.py`), with its bounds.
    #[test]
    fn acros_examples_are_decided_as_there() {
        for (contributions, fits) in [(&[100.0, 1.0, 1.0, 1.0][..], false), (&[10.0; 5], true), (&[0.0; 3], true)] {
            assert_eq!(of(contributions).fit(&bounds(2, 90, 0)), fits, "{contributions:?} by (2, 90)");
            assert_eq!(of(contributions).fit(&bounds(1, 100, 10)), fits, "{contributions:?} by 10 %");
        }
    }

    /// Either side of each bound.
    #[test]
    fn one_that_dominates_is_found() {
        let dominance = |n, percent| bounds(n, percent, 0);
        let p = |percent| bounds(1, 100, percent);
        for (contributions, bounds, fits) in [
            // Two of three have 140 of 150, 93 %.
            (&[100.0, 40.0, 10.0][..], dominance(2, 90), false),
            (&[100.0, 40.0, 10.0], dominance(2, 94), true),
            (&[100.0, 40.0, 10.0], dominance(1, 70), true),
            (&[100.0, 40.0, 10.0], dominance(1, 66), false),
            // The second estimates the first to be 150 - 40 = 110: within 10 %.
            (&[100.0, 40.0, 10.0], p(10), true),
            (&[100.0, 40.0, 10.0], p(11), false),
            // Unlike dominance of one, p % sees how close two are that have nearly all of it.
            (&[50.0, 46.0, 4.0], dominance(1, 60), true),
            (&[50.0, 46.0, 4.0], p(8), true),
            (&[50.0, 46.0, 4.0], p(9), false),
            // One, two, and two beside nothing.
            (&[7.0], p(1), false),
            (&[7.0, 7.0], p(1), false),
            (&[7.0, 7.0, 0.0], dominance(2, 90), false),
            (&[0.0, 0.0], dominance(2, 90), true),
            (&[], dominance(2, 90), true),
            (&[f64::NAN, 1.0, 1.0], p(1), false),
            (&[f64::INFINITY, 1.0, 1.0], dominance(1, 90), false),
        ] {
            assert_eq!(of(contributions).fit(&bounds), fits, "{contributions:?} {bounds:?}");
        }
    }

    #[test]
    fn rows_of_one_unit_are_one_contribution() {
        let mut all = of(&[10.0; 12]);
        assert!(all.fit(&bounds(1, 50, 10)));
        (0..20).for_each(|_| {
            all.add(3, 10.0);
        });
        assert!(!all.fit(&bounds(1, 50, 10)));
    }

    #[test]
    fn many_units_are_never_taken_to_be_less_than_they_are() {
        let mut sums = vec![1.0; 400];
        assert!(of(&sums).fit(&bounds(2, 90, 10)));
        sums[77] = 10_000.0;
        let whole = of(&sums);
        assert!(!whole.fit(&bounds(2, 90, 0)) && !whole.fit(&bounds(1, 100, 10)));
        // In parts, of which some have few units, it is the same.
        for at in [1, 20, 40, 200, 390] {
            let part = |range: std::ops::Range<usize>| {
                let mut part = Contributions::default();
                range.for_each(|index| {
                    part.add(u32::try_from(index).unwrap() + 1, sums[index]);
                });
                part
            };
            let (mut one, other) = (part(0..at), part(at..400));
            one.merge(&other);
            assert_eq!(one, whole, "{at}");
        }
    }
}
