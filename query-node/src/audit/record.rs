//! One line of the log: how it is written, and how it is believed.

use std::fmt::Write;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::AuditError;
use super::entry::Entry;

/// One numbered entry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// What happened.
    pub entry: Entry,
    /// The digest of the record before it; zeros before the first.
    pub previous: String,
    /// Its number, from 1.
    pub sequence: u64,
    /// When.
    pub time: Timestamp,
}

/// The digest before the first record.
pub(super) fn genesis() -> String {
    "0".repeat(64)
}

/// A record as a line, with its line end, and the record's digest.
pub(super) fn to_line(record: &Record) -> Result<(String, String), AuditError> {
    let value = serde_json::to_value(record).map_err(|_| AuditError::Json)?;
    let text = sorted(value).to_string();
    let digest = digest(text.as_bytes());
    Ok((format!("{{\"digest\":\"{digest}\",\"record\":{text}}}\n"), digest))
}

/// The record in a line, if the line is exactly the one that follows `previous` with number `sequence`; what is wrong
/// with it otherwise. The second value is the record's digest.
pub(super) fn from_line(line: &[u8], sequence: u64, previous: &str) -> Result<(Record, String), &'static str> {
    let (stated, text) = line
        .strip_prefix(b"{\"digest\":\"")
        .and_then(|rest| rest.split_at_checked(64))
        .and_then(|(stated, rest)| Some((stated, rest.strip_prefix(b"\",\"record\":")?.strip_suffix(b"}")?)))
        .ok_or("is not an entry")?;
    let digest = digest(text);
    if stated != digest.as_bytes() {
        return Err("does not have the digest that it states");
    }
    let record: Record = serde_json::from_slice(text).map_err(|_| "is not an entry")?;
    if record.sequence != sequence {
        return Err("does not have the next number");
    }
    if record.previous != previous {
        return Err("does not follow the entry before it");
    }
    Ok((record, digest))
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut hex, byte| {
        // Writing into a String does not fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Keys in order, whatever order the maps of `serde_json` have in this build.
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
