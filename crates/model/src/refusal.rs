//! Refusals: each names its rule and remedy, and carries no value from the data.
//!
//! The same type is made by the planner before anything is sent, by an owner's admission, by its gate, and by the
//! exchange; it crosses borders as JSON, so every field is text that the rules produced, never text that data produced.

use std::fmt;

use crate::names::JurisdictionId;
use serde::{Deserialize, Serialize};

/// Stable code of a refusal or failure. Clients may match on it; the texts beside it may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// The text is not one SQL query that this federation can read.
    InvalidSql,
    /// A table, column or function does not exist, or is not visible here.
    UnknownName,
    /// The statement is not a read-only query.
    NotAQuery,
    /// A function is not on the allow-list for non-public data.
    FunctionNotAllowed,
    /// A column's class forbids what the query does with it.
    ColumnClass,
    /// The query does not end in a finished aggregate over non-public data.
    NotAnAggregate,
    /// An aggregate's argument can single people out.
    AggregateArgument,
    /// An aggregate function returns somebody's value.
    AggregateFunction,
    /// The query cannot be split so that each owner's part could be released.
    NotSplittable,
    /// No agreement permits it: none exists, or its direction, dates, state or tables do not fit.
    NoAgreement,
    /// The purpose is not one that the agreement and the project allow.
    Purpose,
    /// The requester is not a subject of the project, or the project does not rest on the agreement.
    Requester,
    /// A token, certificate or signature does not hold.
    Identity,
    /// An envelope is malformed, replayed, expired or not for this node.
    Envelope,
    /// A limit on size, time, memory or rate.
    Limit,
    /// An owner did not answer.
    OwnerUnavailable,
    /// An owner's answer does not have the shape that was asked for.
    ReleaseShape,
    /// A source cannot be read; the owner's log says why.
    Source,
    /// The query was cancelled.
    Cancelled,
    /// The node is ending; whoever asks again is answered by another replica, or by this one when it is back.
    Draining,
    /// A fault inside a node; its log says more under the same query id.
    Internal,
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = serde_json::to_value(self).ok();
        f.write_str(text.as_ref().and_then(|v| v.as_str()).unwrap_or("internal"))
    }
}

/// Each code as one word in the spelling of conditions' reasons.
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

impl Code {
    /// Returns the code as one word in the spelling of conditions' reasons.
    #[must_use]
    pub fn word(self) -> &'static str {
        WORDS.iter().find(|(known, _)| *known == self).map_or("Internal", |(_, word)| word)
    }

    /// Returns the code of a word; `None` if the word is no code's.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        WORDS.iter().find(|(_, known)| *known == word).map(|(code, _)| *code)
    }
}

/// Rule that ends an answer which is not complete in time.
pub const DEADLINE: &str = "a query has a deadline (limits.deadlineSeconds)";

/// Refusal: the rule, what it hit, whose rule it is, and the nearest query that would pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "camelCase")]
pub struct Refusal {
    /// Stable code.
    pub code: Code,
    /// The refusal in one sentence.
    pub message: String,
    /// Rule that was broken, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Column, table, object or kind of cell that the rule hit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Jurisdiction whose rule it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<JurisdictionId>,
    /// Remedy: if it can be given, the nearest query that would pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl Refusal {
    /// Makes a refusal with a code and a sentence; the `with_` methods add the rest.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), rule: None, subject: None, owner: None, remedy: None }
    }

    /// Makes the refusal that stands for an answer which was not complete in time.
    #[must_use]
    pub fn too_late(message: impl Into<String>) -> Self {
        Self::new(Code::Limit, message).with_rule(DEADLINE)
    }

    /// Returns true if there is no answer because it was not complete in time: the question itself broke no rule.
    #[must_use]
    pub fn is_too_late(&self) -> bool {
        self.code == Code::Limit && self.rule.as_deref() == Some(DEADLINE)
    }

    /// Adds the rule.
    #[must_use]
    pub fn with_rule(mut self, rule: impl Into<String>) -> Self {
        self.rule = Some(rule.into());
        self
    }

    /// Adds what the rule hit.
    #[must_use]
    pub fn with_subject(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    /// Adds whose rule it is.
    #[must_use]
    pub fn with_owner(mut self, owner: JurisdictionId) -> Self {
        self.owner = Some(owner);
        self
    }

    /// Adds the remedy.
    #[must_use]
    pub fn with_remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}]", self.message, self.code)?;
        if let Some(subject) = &self.subject {
            write!(f, "\n  hit:    {subject}")?;
        }
        match (&self.rule, &self.owner) {
            (Some(rule), Some(owner)) => write!(f, "\n  rule:   {rule} ({owner})")?,
            (Some(rule), None) => write!(f, "\n  rule:   {rule}")?,
            (None, Some(owner)) => write!(f, "\n  owner:  {owner}")?,
            (None, None) => {}
        }
        if let Some(remedy) = &self.remedy {
            write!(f, "\n  remedy: {remedy}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_the_code_in_the_spelling_of_conditions() {
        for (code, word) in WORDS {
            let spelled: String =
                code.to_string().split('-').map(|part| part[..1].to_uppercase() + &part[1..]).collect();
            assert_eq!((code.word(), Code::of_word(word)), (spelled.as_str(), Some(code)));
        }
        assert_eq!(Code::of_word("Interrupted"), None);
    }
}
