//! Statements that nodes sign, so that others can hold them to what they said: receipts of owners for their releases, of home nodes
//! for their answers, and ends of audit logs.
//!
//! A chain shows that nothing within a log was changed. Whoever holds the disk can cut its end or write all of it anew, and what
//! is left is whole in itself. So each member tells the others the number and digest of its last entry from time to time
//! ([`Checkpoint`]; the signed tree heads of RFC 9162, for a plain chain), and whoever asked has a [`Receipt`] of each release, which
//! names the entry that its owner's log must hold for ever.
//!
//! What is signed is the canonical JSON of the statement (RFC 8785, the JSON Canonicalization Scheme) after a line that says what
//! kind of statement it is. All fields are texts, booleans and whole numbers below 2^53, for which the canonical form is sorted keys
//! without white space.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::bundle::Subject;
use crate::names::{JurisdictionId, Purpose, ResourceName};

/// Statement of an owner about one release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// Owner that made the release.
    pub owner: JurisdictionId,
    /// Id of the audit log that has the release's entry: each replica of a node has one of its own.
    pub log: Uuid,
    /// Number of the entry.
    pub sequence: u64,
    /// Digest of the entry: SHA-256, hexadecimal.
    pub digest: String,
    /// Time at which the receipt was made.
    pub time: Timestamp,
    /// Id of the query, the same at every node.
    pub query_id: Uuid,
    /// Number of the fragment within the query.
    pub fragment: u32,
    /// Home node that was answered.
    pub home: JurisdictionId,
    /// Researcher for whom it asked.
    pub requester: Subject,
    /// Research project, where one was named.
    pub project: Option<ResourceName>,
    /// Purpose, where one was named.
    pub purpose: Option<Purpose>,
    /// Digest of the agreement that it rests on, where it needs one.
    pub agreement: Option<String>,
    /// SHA-256 of the fragment's SQL text, hexadecimal.
    pub text: String,
    /// Digest of the bundle whose rules decided.
    pub rules: String,
    /// Minimum number of units of a released cell; `None` if no gate applied.
    pub min_units: Option<u32>,
    /// Base that counts were rounded to; 1 is no rounding.
    pub rounding: u32,
    /// Policies that the rule comes from.
    pub policies: Vec<ResourceName>,
    /// Number of rows released.
    pub rows: u64,
}

/// Statement of a home node about an answer that it gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    /// Home node.
    pub home: JurisdictionId,
    /// Id of the query.
    pub query_id: Uuid,
    /// Researcher who asked.
    pub requester: Subject,
    /// SHA-256 of the SQL text that was asked, hexadecimal.
    pub text: String,
    /// Time at which the answer ended.
    pub time: Timestamp,
    /// Number of rows of the answer.
    pub rows: u64,
    /// Releases that it was made of, by the entries of their owners' logs.
    pub releases: Vec<DeliveredRelease>,
    /// Jurisdictions that were asked and gave nothing.
    pub missing: Vec<JurisdictionId>,
}

/// Release that is a part of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeliveredRelease {
    /// Owner.
    pub owner: JurisdictionId,
    /// Number of the entry in the owner's audit log.
    pub sequence: u64,
    /// Digest of the entry: SHA-256, hexadecimal.
    pub digest: String,
    /// True if the owner's node gave a receipt of its own.
    pub has_receipt: bool,
}

/// The last entry of a log at one time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Checkpoint {
    /// Jurisdiction whose node keeps the log.
    pub member: JurisdictionId,
    /// Id of the log: each replica of a node has one of its own.
    pub log: Uuid,
    /// Number of the last entry.
    pub sequence: u64,
    /// Digest of the last entry: SHA-256, hexadecimal.
    pub digest: String,
    /// Time at which it was the last.
    pub time: Timestamp,
}

/// Statement that a node can sign.
pub trait Statement: Serialize {
    /// Line before the statement in the bytes that are signed, so that a signature under one kind is none under another.
    const KIND: &'static str;

    /// Returns the member whose node signs it.
    fn member(&self) -> &JurisdictionId;

    /// Returns the time at which it was made: the certificate of the signature must have been valid then.
    fn time(&self) -> Timestamp;

    /// Returns true if every digest in it has the form of one.
    fn has_digests(&self) -> bool;
}

impl Statement for Receipt {
    const KIND: &'static str = "wanqu receipt, version 1";

    fn member(&self) -> &JurisdictionId {
        &self.owner
    }

    fn time(&self) -> Timestamp {
        self.time
    }

    fn has_digests(&self) -> bool {
        is_digest(&self.digest) && is_digest(&self.text)
    }
}

impl Statement for Delivery {
    const KIND: &'static str = "wanqu delivery, version 1";

    fn member(&self) -> &JurisdictionId {
        &self.home
    }

    fn time(&self) -> Timestamp {
        self.time
    }

    fn has_digests(&self) -> bool {
        is_digest(&self.text) && self.releases.iter().all(|release| is_digest(&release.digest))
    }
}

impl Statement for Checkpoint {
    const KIND: &'static str = "wanqu audit checkpoint, version 1";

    fn member(&self) -> &JurisdictionId {
        &self.member
    }

    fn time(&self) -> Timestamp {
        self.time
    }

    fn has_digests(&self) -> bool {
        is_digest(&self.digest)
    }
}

/// Returns true for a SHA-256 in lower-case hexadecimal digits.
fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Statement with its node's signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Signed<T> {
    /// What is signed.
    pub statement: T,
    /// Ed25519 signature (RFC 8032), hexadecimal.
    pub signature: String,
    /// Certificate chain of the node at that time, PEM. Its first certificate has the key of the signature.
    pub chain: String,
}

/// Returns the bytes that a signature of a statement covers; `None` if the statement cannot be written.
#[must_use]
pub fn signed_bytes<T: Statement>(statement: &T) -> Option<Vec<u8>> {
    // A map of JSON values is sorted by its keys.
    let canonical = serde_json::to_value(statement).ok()?.to_string();
    Some([T::KIND.as_bytes(), b"\n", canonical.as_bytes()].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_signed_is_canonical_json_after_the_kind() {
        let delivery = Delivery {
            home: "HK".parse().unwrap(),
            query_id: Uuid::nil(),
            requester: Subject { issuer: "https://i.example".to_owned(), subject: "陳\u{7}\"".to_owned() },
            text: "a".repeat(64),
            time: "2026-01-02T03:04:05Z".parse().unwrap(),
            rows: 3,
            releases: vec![],
            missing: vec!["MO".parse().unwrap()],
        };
        let expected = format!(
            "wanqu delivery, version 1\n{{\"home\":\"HK\",\"missing\":[\"MO\"],\"queryId\":\"{}\",\"releases\":[],\
             \"requester\":{{\"issuer\":\"https://i.example\",\"subject\":\"陳\\u0007\\\"\"}},\"rows\":3,\"text\":\"{}\",\
             \"time\":\"2026-01-02T03:04:05Z\"}}",
            Uuid::nil(),
            "a".repeat(64)
        );
        assert_eq!(String::from_utf8(signed_bytes(&delivery).unwrap()).unwrap(), expected);
    }
}
