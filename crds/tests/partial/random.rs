//! Random choices that a seed repeats (`SplitMix64`).

pub struct Random(pub u64);

impl Random {
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.number() % u64::try_from(end).unwrap()).unwrap()
    }

    /// One of these, unless there are none.
    pub fn one<'a, T>(&mut self, of: &'a mut [T]) -> Option<&'a mut T> {
        if of.is_empty() {
            return None;
        }
        let at = self.below(of.len());
        of.get_mut(at)
    }

    /// Takes one away, unless there are none.
    pub fn take<T>(&mut self, of: &mut Vec<T>) -> Option<T> {
        if of.is_empty() {
            return None;
        }
        let at = self.below(of.len());
        Some(of.remove(at))
    }
}
