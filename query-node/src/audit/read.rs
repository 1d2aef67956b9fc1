//! The log as readers have it: `wanqu audit`, and whoever checks it.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use jiff::Timestamp;
use uuid::Uuid;
use wanqu_model::names::{JurisdictionId, ResourceName};
use wanqu_model::receipt::{Checkpoint, Receipt};

use super::AuditError;
use super::chain::Chain;
use super::entry::Event;
use super::folder::ID;
use super::line::{Line, Record};
use super::segments::{Segment, segments};
use super::walk::Walk;

/// Filter of entries. A field that is `None` does not restrict.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only entries of these kinds.
    pub events: Option<&'static [Event]>,
    /// Only entries about this query.
    pub query_id: Option<Uuid>,
    /// Only entries of this research project.
    pub project: Option<ResourceName>,
    /// Only entries for which this jurisdiction asked.
    pub from: Option<JurisdictionId>,
    /// Only entries from this time on.
    pub since: Option<Timestamp>,
}

impl Filter {
    /// Returns true if the record passes the filter.
    #[must_use]
    pub fn takes(&self, record: &Record) -> bool {
        let entry = &record.entry;
        let project = || entry.request().and_then(|request| request.project.as_ref());
        self.events.is_none_or(|events| events.contains(&entry.event()))
            && self.query_id.is_none_or(|query| entry.query_id() == Some(query))
            && self.project.as_ref().is_none_or(|wanted| project() == Some(wanted))
            && self.from.as_ref().is_none_or(|from| entry.from() == from)
            && self.since.is_none_or(|since| record.time >= since)
    }
}

/// Result of verifying a log, or the part of it whose segments were at hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Number of whole entries, each in its place.
    pub entries: u64,
    /// Number of the first segment that was verified. If it is not 1, earlier segments were not at hand.
    pub first_segment: u64,
    /// Number of the last segment that was verified.
    pub last_segment: u64,
    /// Number of entries in the segments before the first that was verified.
    pub entries_before: u64,
    /// Digest of the last entry; the same as in the report of the release that it is about.
    pub digest: String,
    /// True if the open segment was among the places, or single files were named: nothing is known to follow.
    pub has_end: bool,
    /// Bytes after the last whole entry: one that is being written just now, or that a crash cut off.
    pub torn_bytes: u64,
}

/// Entry that somebody was given the number and digest of, with a release or by an earlier check of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// Number of the entry.
    pub sequence: u64,
    /// Digest of the entry: SHA-256, hexadecimal.
    pub digest: String,
}

impl From<&Checkpoint> for Expected {
    fn from(checkpoint: &Checkpoint) -> Self {
        Self { sequence: checkpoint.sequence, digest: checkpoint.digest.clone() }
    }
}

impl From<&Receipt> for Expected {
    fn from(receipt: &Receipt) -> Self {
        Self { sequence: receipt.sequence, digest: receipt.digest.clone() }
    }
}

impl FromStr for Expected {
    type Err = &'static str;

    /// Reads `SEQUENCE:DIGEST`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "write SEQUENCE:DIGEST, as in 17:9f86d081…, with the whole digest";
        const SEQUENCE: &str = "before the colon stands the number of an entry; they begin at 1";
        const DIGEST: &str = "after the colon stands the whole digest of the entry, 64 hexadecimal digits";
        let (sequence, digest) = text.split_once(':').ok_or(FORM)?;
        let sequence = sequence.parse().ok().filter(|sequence| *sequence > 0).ok_or(SEQUENCE)?;
        let is_digest = digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_digest { Ok(Self { sequence, digest: digest.to_ascii_lowercase() }) } else { Err(DIGEST) }
    }
}

/// Returns the id of the log in a folder; `None` if the place is no folder of a log.
///
/// # Errors
/// [`AuditError::File`] if the file with the id cannot be read, or holds none.
pub fn log_id(place: &Path) -> Result<Option<Uuid>, AuditError> {
    let path = place.join(ID);
    let failed = |source| AuditError::File { path: path.clone(), source };
    let text = match wanqu_file::read_text(&path, 64) {
        Ok(text) => text,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(failed(error)),
    };
    let no_id = |_| failed(io::Error::new(io::ErrorKind::InvalidData, "it holds no id of a log"));
    Uuid::try_parse(text.trim_end()).map(Some).map_err(no_id)
}

/// Verifies as [`verify`] does, and that the log holds these entries. A log that was cut or written anew is whole in itself:
/// only who knows one of its entries can tell.
///
/// # Errors
/// As [`verify`]; [`AuditError::Lacking`] and [`AuditError::Another`] if an entry is not there; [`AuditError::NoEnd`] if the
/// open segment is not there, unless the log holds the entry that is expected.
pub fn verify_holds<P: AsRef<Path>>(places: &[P], expected: &[Expected]) -> Result<Verified, AuditError> {
    let mut entries = entries(places)?;
    while let Some(record) = entries.next() {
        let sequence = record?.sequence;
        for other in expected.iter().filter(|other| other.sequence == sequence) {
            let found = entries.verified().digest;
            if found != other.digest {
                return Err(AuditError::Another { sequence, found, expected: other.digest.clone() });
            }
        }
    }
    let verified = entries.verified();
    let (first, last) = (verified.entries_before + 1, verified.entries_before + verified.entries);
    if let Some(Expected { sequence, .. }) = expected.iter().find(|other| !(first..=last).contains(&other.sequence)) {
        return Err(AuditError::Lacking { first, last, expected: *sequence });
    }
    match places.first() {
        Some(place) if !verified.has_end && expected.is_empty() => Err(AuditError::NoEnd(place.as_ref().to_owned())),
        _ => Ok(verified),
    }
}

/// Verifies the log whose segments are at these places, folders or files, from its first entry there to its last.
///
/// # Errors
/// [`AuditError::Changed`] at the first line that is not what was written; [`AuditError::Missing`] if a segment between
/// others is not there.
pub fn verify<P: AsRef<Path>>(places: &[P]) -> Result<Verified, AuditError> {
    let mut entries = entries(places)?;
    for entry in entries.by_ref() {
        entry?;
    }
    Ok(entries.verified())
}

/// Reads the entries that pass a filter from the log at these places; verifies all.
///
/// # Errors
/// As [`verify`].
pub fn read<P: AsRef<Path>>(places: &[P], filter: &Filter) -> Result<Vec<Record>, AuditError> {
    entries(places)?.filter(|record| record.as_ref().map_or(true, |record| filter.takes(record))).collect()
}

/// Returns the entries of the log at these places, one after the other. Each is verified before it is returned; the first
/// error is the end.
///
/// # Errors
/// As [`verify`], as far as the places and the beginnings of the segments tell.
pub fn entries<P: AsRef<Path>>(places: &[P]) -> Result<Entries, AuditError> {
    let segments = segments(places)?;
    // A file that was named is all that was asked for, whatever follows it.
    let named = places.first().is_some_and(|place| !place.as_ref().is_dir());
    let has_end = named || segments.iter().any(Segment::is_open);
    Ok(Entries { segments: segments.into(), open: None, chain: Chain::start(), first: None, torn_bytes: 0, has_end })
}

/// Iterator over the entries of a log.
pub struct Entries {
    segments: VecDeque<Segment>,
    open: Option<OpenSegment>,
    /// Position after the last segment that was read to its end.
    chain: Chain,
    /// Number of the first segment, and of the last entry before it.
    first: Option<(u64, u64)>,
    torn_bytes: u64,
    has_end: bool,
}

/// Segment that is being read.
struct OpenSegment {
    walk: Walk<BufReader<File>>,
    path: PathBuf,
    /// Other files that hold the same segment, each with the position at its end.
    copies: Vec<(PathBuf, Chain)>,
}

impl Entries {
    /// Returns what was verified so far: everything, once the iterator has ended without an error.
    #[must_use]
    pub fn verified(&self) -> Verified {
        let chain = self.open.as_ref().map_or(&self.chain, |open| &open.walk.chain);
        let (first_segment, entries_before) = self.first.unwrap_or((1, 0));
        Verified {
            entries: chain.sequence - entries_before,
            first_segment,
            last_segment: chain.segment,
            entries_before,
            digest: chain.entry_digest.clone(),
            has_end: self.has_end,
            torn_bytes: self.torn_bytes,
        }
    }

    fn next_record(&mut self) -> Result<Option<Record>, AuditError> {
        loop {
            let Some(open) = &mut self.open else {
                let Some(segment) = self.segments.pop_front() else { return Ok(None) };
                self.open = Some(self.open_segment(segment)?);
                continue;
            };
            match open.walk.next_line()? {
                Some(Line::Record(record)) => {
                    self.first.get_or_insert((open.walk.chain.segment, open.walk.chain.before));
                    return Ok(Some(*record));
                }
                Some(Line::Head(_) | Line::Seal(_)) => {
                    self.first.get_or_insert((open.walk.chain.segment, open.walk.chain.before));
                }
                None => self.end_segment()?,
            }
        }
    }

    fn open_segment(&self, segment: Segment) -> Result<OpenSegment, AuditError> {
        let mut copies = segment.copies.into_iter();
        let Some(first) = copies.next() else {
            let path = format!("segment {}", segment.number).into();
            return Err(AuditError::File { path, source: io::ErrorKind::NotFound.into() });
        };
        let path = first.path.clone();
        let walk = Walk::new(first.reader()?, &path, self.chain.clone());
        let verified = copies.map(|copy| {
            let path = copy.path.clone();
            let end = Walk::new(copy.reader()?, &path, self.chain.clone()).finish()?.chain;
            Ok((path, end))
        });
        let copies = verified.collect::<Result<_, AuditError>>()?;
        Ok(OpenSegment { walk, path, copies })
    }

    fn end_segment(&mut self) -> Result<(), AuditError> {
        let Some(OpenSegment { walk, path, copies }) = self.open.take() else { return Ok(()) };
        if let Some((other, _)) = copies.into_iter().find(|(_, end)| *end != walk.chain) {
            return Err(AuditError::Differ { one: path, other });
        }
        if let Some(next) = self.segments.front()
            && (!walk.chain.is_sealed() || walk.torn_bytes > 0)
        {
            return Err(AuditError::Unsealed { path, next: next.number });
        }
        if self.first.is_none() && walk.torn_bytes > 0 {
            return Err(AuditError::NoLine { path, bytes: walk.torn_bytes });
        }
        self.torn_bytes = walk.torn_bytes;
        self.chain = walk.chain;
        Ok(())
    }
}

impl Iterator for Entries {
    type Item = Result<Record, AuditError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.next_record();
        if next.is_err() {
            self.segments.clear();
            self.open = None;
        }
        next.transpose()
    }
}
