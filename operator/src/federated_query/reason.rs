//! Codes of refusals as reasons of conditions.

use wanqu_model::refusal::{Code, Refusal};

/// The process that asked is gone.
pub(super) const INTERRUPTED: &str = "Interrupted";
/// The next run replaced it, as its `concurrencyPolicy` says.
pub(super) const REPLACED: &str = "Replaced";

/// Returns the reason that a status holds as text; `Unknown` for one that this version does not know.
pub(super) fn known_word(text: &str) -> &'static str {
    let own = [INTERRUPTED, REPLACED].into_iter().find(|word| *word == text);
    own.or_else(|| Code::of_word(text).map(Code::word)).unwrap_or("Unknown")
}

/// Returns what happened, the rule, its owner and the remedy, for people.
pub(super) fn message_of(refusal: &Refusal) -> String {
    refusal.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_reasons_of_refusals_are_repeated() {
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
        let text = message_of(&refusal);
        for part in ["hkid is an identifier", "identifiers never leave", "(HK)", "count them"] {
            assert!(text.contains(part), "{text}");
        }
    }
}
