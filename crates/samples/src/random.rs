//! Random numbers that are the same on every machine and in every version of every library.
//!
//! Each thing that is generated has its own stream, named by the seed, what it is, and its number: a person's
//! attributes can be made again at any time without making those of the people before.

/// The finaliser of `SplitMix64` (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
#[must_use]
pub const fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A stream of random numbers.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The stream of one thing: `what` is a number that no other kind of thing has.
    #[must_use]
    pub const fn of(seed: u64, what: u64, index: u64) -> Self {
        Self(mix(mix(mix(seed) ^ what) ^ index))
    }

    /// The next 64 bits.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A number from 0 to `bound - 1`; 0 if `bound` is 0. The bias is below `bound / 2^32`.
    pub const fn below(&mut self, bound: u32) -> u32 {
        (((self.next() >> 32) * bound as u64) >> 32) as u32
    }

    /// True `parts` times in a thousand.
    pub const fn per_mille(&mut self, parts: u32) -> bool {
        self.below(1000) < parts
    }

    /// Returns a number from 0 to 999,999, mostly small, as money and waiting times are: the product of three uniform numbers,
    /// with mean 125,000.
    pub const fn skewed(&mut self) -> u32 {
        let (a, b, c) = (self.below(1000) as u64, self.below(1000) as u64, self.below(1000) as u64);
        (a * b * c / 1000) as u32
    }
}

/// Number of slots of a [`Wheel`].
const SLOTS: u32 = 4096;

/// Draws small numbers in given proportions, each draw in constant time.
#[derive(Debug, Clone)]
pub struct Wheel(Vec<u8>);

impl Wheel {
    /// A wheel on which number `i` comes up in proportion to `weights[i]`; never if that is 0.
    #[must_use]
    pub fn new(weights: &[u32]) -> Self {
        let total: u64 = weights.iter().map(|w| u64::from(*w)).sum::<u64>().max(1);
        let mut slots = Vec::with_capacity(SLOTS as usize);
        let mut sum = 0_u64;
        for (number, weight) in (0_u8..).zip(weights) {
            sum += u64::from(*weight);
            let end = usize::try_from(sum * u64::from(SLOTS) / total).unwrap_or(0);
            if end > slots.len() {
                slots.resize(end, number);
            }
        }
        Self(slots)
    }

    /// The next number.
    #[must_use]
    pub fn draw(&self, random: &mut Random) -> u8 {
        let slots = u32::try_from(self.0.len()).unwrap_or(0);
        self.0.get(random.below(slots) as usize).copied().unwrap_or(0)
    }
}

/// A permutation of the numbers below `2^bits`, so that consecutive people do not get consecutive identity numbers.
#[must_use]
pub const fn permute(value: u64, bits: u32, seed: u64) -> u64 {
    let mask = (1 << bits) - 1;
    let half = bits / 2;
    let mut x = value & mask;
    // Each step is a bijection: xor with a constant, an odd multiple, a xor of the high half into the low one.
    x = (x ^ mix(seed)) & mask;
    x = x.wrapping_mul(0x9e37_79b1) & mask;
    x ^= x >> half;
    x = x.wrapping_mul(0x85eb_ca6b) & mask;
    x ^= x >> half;
    x
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permutation_meets_every_number_once() {
        let mut seen = vec![false; 1 << 12];
        for value in 0..1 << 12 {
            let at = usize::try_from(permute(value, 12, 7)).unwrap();
            assert!(!seen[at]);
            seen[at] = true;
        }
    }

    #[test]
    fn a_wheel_keeps_proportions_and_leaves_zeros_out() {
        let wheel = Wheel::new(&[3, 0, 1]);
        let mut random = Random::of(1, 2, 3);
        let mut counts = [0_u32; 3];
        for _ in 0..40_000 {
            counts[usize::from(wheel.draw(&mut random))] += 1;
        }
        assert_eq!(counts[1], 0);
        assert!((29_000..31_000).contains(&counts[0]), "{counts:?}");
    }

    #[test]
    fn random_streams_follow_from_their_seed_and_stay_what_they_are() {
        // A change here changes every generated file: raise the data's version with it.
        assert_eq!(Random::of(1, 2, 3).next(), Random::of(1, 2, 3).next());
        assert_ne!(Random::of(1, 2, 3).next(), Random::of(1, 2, 4).next());
        assert_eq!(mix(0), 0xe220_a839_7b1d_cdaf);
    }
}
