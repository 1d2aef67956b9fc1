//! Choice of the values that are withheld from a row whose cell has enough units. Pure.
//!
//! Groups of values are taken in the order of their columns. One is released if the conditions of all values released so
//! far, and its own, divide the cell into parts of nobody or enough. The choice follows from the text and the data alone; and
//! each of its steps asks what a query for just these columns would be answered, so that the pattern of what is withheld tells
//! nothing that such queries would not.

use wanqu_rules::admission::ValueGroup;

/// Number of conditions in one word: as many as one hidden group key tells of, as the bits of an integer.
pub const BITS: usize = 50;

/// Set of conditions.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Conditions(Vec<u64>);

impl Conditions {
    /// Makes a set of words of [`BITS`] conditions each.
    pub fn of_words(words: Vec<u64>) -> Self {
        Self(words)
    }

    /// Adds a condition.
    pub fn insert(&mut self, condition: usize) {
        let (word, bit) = (condition / BITS, condition % BITS);
        if word >= self.0.len() {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= 1 << bit;
    }

    /// Returns the conditions that are in both sets, as a set with as many words as this one.
    pub fn and(&self, other: &Self) -> Self {
        let others = other.0.iter().copied().chain(std::iter::repeat(0));
        Self(self.0.iter().zip(others).map(|(own, other)| own & other).collect())
    }

    /// Returns true if no condition is in both sets.
    pub fn is_disjoint(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).all(|(own, other)| own & other == 0)
    }

    /// Returns true if the set has no condition.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }
}

impl FromIterator<usize> for Conditions {
    fn from_iter<I: IntoIterator<Item = usize>>(conditions: I) -> Self {
        let mut set = Self::default();
        conditions.into_iter().for_each(|condition| set.insert(condition));
        set
    }
}

/// Returns the indexes of the groups that are withheld. `fits(with, own)` tells whether the conditions `with` divide the cell
/// into parts of nobody or enough; it is known that they do without those of `own` that are new.
pub fn withheld(groups: &[ValueGroup], mut fits: impl FnMut(&Conditions, &Conditions) -> bool) -> Vec<usize> {
    let mut released = Conditions::default();
    let is_withheld = |(index, group): (usize, &ValueGroup)| {
        let own: Conditions = group.conditions.iter().copied().collect();
        let mut with = released.clone();
        group.conditions.iter().for_each(|condition| with.insert(*condition));
        let fits = with == released || fits(&with, &own);
        if fits {
            released = with;
        }
        (!fits).then_some(index)
    };
    groups.iter().enumerate().filter_map(is_withheld).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(of: &[&[usize]]) -> Vec<ValueGroup> {
        let group = |(index, conditions): (usize, &&[usize])| ValueGroup {
            conditions: conditions.to_vec(),
            aggregates: vec![index],
        };
        of.iter().enumerate().map(group).collect()
    }

    #[test]
    fn a_value_is_withheld_only_if_it_does_not_fit_beside_those_before_it() {
        // Together 0 and 1 do not fit, nor does 2 alone.
        let fits = |with: &Conditions, _: &Conditions| {
            let has = |condition: usize| !with.is_disjoint(&[condition].into_iter().collect());
            !(has(2) || has(0) && has(1))
        };
        for (of, expected) in [
            (&[&[0_usize] as &[usize], &[1], &[2], &[3]] as &[&[usize]], &[1_usize, 2] as &[usize]),
            (&[&[1], &[0]], &[1]),
            (&[&[0, 1], &[0], &[1]], &[0, 2]),
            (&[&[2], &[3, 60], &[3]], &[0]),
            (&[], &[]),
        ] {
            assert_eq!(withheld(&groups(of), fits), expected, "{of:?}");
        }
    }

    #[test]
    fn values_whose_conditions_are_known_to_fit_are_released_without_a_look() {
        let mut asked = 0;
        let none = withheld(&groups(&[&[0, 120], &[0], &[120]]), |_, _| {
            asked += 1;
            true
        });
        assert_eq!((none, asked), (vec![], 1));
    }

    #[test]
    fn sets_of_conditions_are_sets() {
        let set = |conditions: &[usize]| conditions.iter().copied().collect::<Conditions>();
        assert!(set(&[]).is_empty() && !set(&[120]).is_empty());
        assert_eq!(set(&[0, 49, 50, 120]).and(&set(&[49, 120, 150])), set(&[49, 120]));
        assert!(set(&[0, 50]).and(&set(&[1])).is_empty());
        assert!(set(&[0, 120]).is_disjoint(&set(&[1, 50])) && !set(&[0, 120]).is_disjoint(&set(&[120])));
        assert_eq!(Conditions::of_words(vec![1, 2]), set(&[0, 51]));
    }
}
