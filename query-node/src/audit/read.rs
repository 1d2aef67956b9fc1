//! The log as readers have it: `wanqu audit`, and whoever checks it.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use jiff::Timestamp;
use uuid::Uuid;
use wanqu_model::names::JurisdictionId;

use super::AuditError;
use super::entry::Event;
use super::record::{Record, from_line, genesis};

/// The file in the log's folder.
pub(super) const FILE: &str = "audit.ndjson";

/// Which entries to read. What is `None` does not restrict.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only those of these kinds.
    pub events: Option<&'static [Event]>,
    /// Only those about this query.
    pub query_id: Option<Uuid>,
    /// Only those that this jurisdiction asked for.
    pub from: Option<JurisdictionId>,
    /// Only those from this moment on.
    pub since: Option<Timestamp>,
    /// Only so many, the last ones.
    pub last: Option<usize>,
}

impl Filter {
    fn takes(&self, record: &Record) -> bool {
        self.events.is_none_or(|events| events.contains(&record.entry.event()))
            && self.query_id.is_none_or(|query| record.entry.query_id() == Some(query))
            && self.from.as_ref().is_none_or(|from| record.entry.from() == from)
            && self.since.is_none_or(|since| record.time >= since)
    }
}

/// What verifying found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Whole entries, each in its place.
    pub entries: u64,
    /// The last one's digest. It is the same as in the report of the release that it is about.
    pub digest: String,
    /// Bytes after the last whole entry: one that is being written just now, or that a crash cut off.
    pub torn_bytes: u64,
    /// The length of the whole entries in bytes.
    pub(super) length: u64,
}

/// Reads the entries that a filter takes from the log in a folder, and verifies all that it passes.
///
/// # Errors
/// [`AuditError::Changed`] at the first entry that is not what was written.
pub fn read(dir: &Path, filter: &Filter) -> Result<Vec<Record>, AuditError> {
    let mut records = VecDeque::new();
    walk(&dir.join(FILE), |record| {
        if filter.takes(&record) {
            records.push_back(record);
            if filter.last.is_some_and(|last| records.len() > last) {
                records.pop_front();
            }
        }
    })?;
    Ok(records.into())
}

/// Verifies the log in a folder from its first entry to its last.
///
/// # Errors
/// [`AuditError::Changed`] at the first entry that is not what was written.
pub fn verify(dir: &Path) -> Result<Verified, AuditError> {
    walk(&dir.join(FILE), |_| ())
}

/// Verifies each entry in turn and shows it.
pub(super) fn walk(path: &Path, mut show: impl FnMut(Record)) -> Result<Verified, AuditError> {
    let failed = |source| AuditError::File { path: path.to_owned(), source };
    let mut file = BufReader::new(File::open(path).map_err(failed)?);
    let mut found = Verified { entries: 0, digest: genesis(), torn_bytes: 0, length: 0 };
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = file.read_until(b'\n', &mut line).map_err(failed)? as u64;
        let Some(text) = line.strip_suffix(b"\n") else {
            found.torn_bytes = read;
            return Ok(found);
        };
        let number = found.entries + 1;
        let (record, digest) = from_line(text, number, &found.digest).map_err(|what| AuditError::Changed {
            path: path.to_owned(),
            line: number,
            what,
        })?;
        found = Verified { entries: number, digest, torn_bytes: 0, length: found.length + read };
        show(record);
    }
}
