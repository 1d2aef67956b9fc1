//! The codes of refusals as reasons of conditions.

use wanqu_model::refusal::{Code, Refusal};

/// The process that asked is gone.
pub(super) const INTERRUPTED: &str = "Interrupted";
/// The next run took its place.
pub(super) const REPLACED: &str = "Replaced";

/// A word that was written into a status, as it is known here.
pub(super) fn known_word(text: &str) -> &'static str {
    let own = [INTERRUPTED, REPLACED].into_iter().find(|word| *word == text);
    own.or_else(|| Code::of_word(text).map(Code::word)).unwrap_or("Unknown")
}

/// What happened, the rule, whose it is, and what to do, for people.
pub(super) fn told(refusal: &Refusal) -> String {
    refusal.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_words_that_are_known_are_repeated() {
        let known = ["ColumnClass", INTERRUPTED, REPLACED];
        assert_eq!(known.map(known_word), known);
        assert_eq!(known_word("anything"), "Unknown");
    }

    #[test]
    fn a_message_says_rule_owner_and_remedy() {
        let refusal = Refusal::new(Code::ColumnClass, "hkid is an identifier")
            .with_rule("identifiers never leave")
            .with_owner("HK".parse().unwrap())
            .with_remedy("count them");
        let text = told(&refusal);
        for part in ["hkid is an identifier", "identifiers never leave", "(HK)", "count them"] {
            assert!(text.contains(part), "{text}");
        }
    }
}
