//! The codes of refusals as reasons of conditions.

use wanqu_client::refusal::{Code, Refusal};

/// Each code as one word, as conditions have it.
const WORDS: [(Code, &str); 21] = [
    (Code::InvalidSql, "InvalidSql"),
    (Code::UnknownName, "UnknownName"),
    (Code::NotAQuery, "NotAQuery"),
    (Code::FunctionNotAllowed, "FunctionNotAllowed"),
    (Code::ColumnClass, "ColumnClass"),
    (Code::NotAnAggregate, "NotAnAggregate"),
    (Code::AggregateArgument, "AggregateArgument"),
    (Code::AggregateFunction, "AggregateFunction"),
    (Code::NotSplittable, "NotSplittable"),
    (Code::NoAgreement, "NoAgreement"),
    (Code::Purpose, "Purpose"),
    (Code::Requester, "Requester"),
    (Code::Identity, "Identity"),
    (Code::Envelope, "Envelope"),
    (Code::Limit, "Limit"),
    (Code::OwnerUnavailable, "OwnerUnavailable"),
    (Code::Draining, "Draining"),
    (Code::ReleaseShape, "ReleaseShape"),
    (Code::Source, "Source"),
    (Code::Cancelled, "Cancelled"),
    (Code::Internal, "Internal"),
];

/// The process that asked is gone.
pub(super) const INTERRUPTED: &str = "Interrupted";
/// The next run took its place.
pub(super) const REPLACED: &str = "Replaced";

/// The code as one word.
pub(super) fn word(code: Code) -> &'static str {
    WORDS.iter().find(|(known, _)| *known == code).map_or("Internal", |(_, word)| word)
}

/// A word that was written into a status, as it is known here.
pub(super) fn known_word(text: &str) -> &'static str {
    let words = WORDS.iter().map(|(_, word)| *word).chain([INTERRUPTED, REPLACED]);
    words.into_iter().find(|word| *word == text).unwrap_or("Unknown")
}

/// What happened, the rule, whose it is, and what to do, for people.
pub(super) fn told(refusal: &Refusal) -> String {
    refusal.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_the_code_in_the_spelling_of_conditions() {
        for (code, expected) in WORDS {
            let spelled: String =
                code.to_string().split('-').map(|part| part[..1].to_uppercase() + &part[1..]).collect();
            assert_eq!((word(code), known_word(expected)), (spelled.as_str(), expected));
        }
        assert_eq!((known_word(INTERRUPTED), known_word("anything")), (INTERRUPTED, "Unknown"));
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
