//! One line of a segment: how it is written, and how it is verified.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::AuditError;
use super::entry::Entry;
use super::nonce::Nonce;

/// One numbered entry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// The entry itself.
    pub entry: Entry,
    /// Secret number that is a part of what the digest commits to; `None` in entries from before there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<Nonce>,
    /// Digest of the line before it; zeros before the first.
    pub previous: String,
    /// Number of the entry, from 1.
    pub sequence: u64,
    /// Time at which it was written.
    pub time: Timestamp,
}

/// First line of every segment but the first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Head {
    /// Digest of the seal of the segment before.
    pub previous: String,
    /// Number of this segment, from 1.
    pub segment: u64,
    /// Number of the last entry of the segment before.
    pub sequence: u64,
}

/// Last line of a segment that is full or old.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Seal {
    /// Number of entries in the segment.
    pub entries: u64,
    /// Digest of the last entry.
    pub previous: String,
    /// Number of the segment.
    pub segment: u64,
    /// Number of the last entry.
    pub sequence: u64,
    /// Time at which the segment was sealed.
    pub time: Timestamp,
}

/// One line of a segment.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Line {
    /// Beginning of a segment.
    Head(Head),
    /// An entry.
    Record(Box<Record>),
    /// End of a segment.
    Seal(Seal),
}

/// Digest before the first line of a log.
pub(super) fn genesis() -> String {
    "0".repeat(64)
}

impl Line {
    /// Returns the line as text with its line end, and its digest.
    pub(super) fn to_text(&self) -> Result<(String, String), AuditError> {
        let (kind, value) = match self {
            Self::Head(head) => ("head", serde_json::to_value(head)),
            Self::Record(record) => ("record", serde_json::to_value(record)),
            Self::Seal(seal) => ("seal", serde_json::to_value(seal)),
        };
        let text = sorted(value.map_err(|_| AuditError::Json)?).to_string();
        let digest = digest(text.as_bytes());
        Ok((format!("{{\"digest\":\"{digest}\",\"{kind}\":{text}}}\n"), digest))
    }

    /// Reads a line without its line end; returns the line and its digest, or the fault if it is not a line whose content
    /// has the digest that it states.
    pub(super) fn from_text(line: &[u8]) -> Result<(Self, String), &'static str> {
        const NOT_A_LINE: &str = "is not a line of an audit log";
        let (stated, rest) = line
            .strip_prefix(b"{\"digest\":\"")
            .and_then(|rest| rest.split_at_checked(64))
            .and_then(|(stated, rest)| Some((stated, rest.strip_prefix(b"\",\"")?.strip_suffix(b"}")?)))
            .ok_or(NOT_A_LINE)?;
        let of = |kind: &str| rest.strip_prefix(kind.as_bytes())?.strip_prefix(b"\":");
        let verified = |text: &[u8]| {
            let digest = digest(text);
            if stated == digest.as_bytes() { Ok(digest) } else { Err("does not have the digest that it states") }
        };
        if let Some(text) = of("record") {
            let digest = verified(text)?;
            let record = serde_json::from_slice(text).map_err(|_| NOT_A_LINE)?;
            Ok((Self::Record(Box::new(record)), digest))
        } else if let Some(text) = of("seal") {
            let digest = verified(text)?;
            Ok((Self::Seal(serde_json::from_slice(text).map_err(|_| NOT_A_LINE)?), digest))
        } else if let Some(text) = of("head") {
            let digest = verified(text)?;
            Ok((Self::Head(serde_json::from_slice(text).map_err(|_| NOT_A_LINE)?), digest))
        } else {
            Err(NOT_A_LINE)
        }
    }
}

fn digest(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

/// Returns the value with its keys in order, whatever order the maps of `serde_json` have in this build.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut pairs: Vec<(String, Value)> = map.into_iter().map(|(key, value)| (key, sorted(value))).collect();
            pairs.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(pairs.into_iter().collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}
