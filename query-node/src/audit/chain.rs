//! The chain of lines: which line may follow which, within a segment and from one segment to the next.

use jiff::Timestamp;

use super::entry::Entry;
use super::line::{Head, Line, Record, Seal, genesis};
use super::nonce::Nonce;

/// Position in the chain: the state that the next line must follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chain {
    /// Number of the segment, from 1.
    pub segment: u64,
    /// Number of the last entry, in this segment or before it.
    pub sequence: u64,
    /// Digest of the last line.
    pub digest: String,
    /// Digest of the last entry, or of the head where no entry was read yet.
    pub entry_digest: String,
    /// Digest of the line before the segment's first: that of the seal of the segment before.
    pub follows: String,
    /// Number of the last entry before this segment.
    pub before: u64,
    /// Time of the segment's first entry; `None` before it.
    pub begun: Option<Timestamp>,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// No line was read.
    Start,
    /// A segment that is not sealed.
    Open,
    /// A segment that is sealed: a head may follow, and nothing else.
    Sealed,
}

impl Chain {
    /// Returns the position before the first line that is at hand: the first entry of a log, or a head, which is believed.
    pub fn start() -> Self {
        Self {
            segment: 1,
            sequence: 0,
            digest: genesis(),
            entry_digest: genesis(),
            follows: genesis(),
            before: 0,
            begun: None,
            state: State::Start,
        }
    }

    /// Number of entries in the segment.
    pub fn entries(&self) -> u64 {
        self.sequence - self.before
    }

    /// Returns true if the segment is sealed.
    pub fn is_sealed(&self) -> bool {
        self.state == State::Sealed
    }

    /// Returns the record that follows.
    pub fn record(&self, entry: Entry, nonce: Nonce, time: Timestamp) -> Line {
        let (previous, sequence) = (self.digest.clone(), self.sequence + 1);
        Line::Record(Box::new(Record { entry, nonce: Some(nonce), previous, sequence, time }))
    }

    /// Returns the seal that ends the segment.
    pub fn seal(&self, time: Timestamp) -> Line {
        let (previous, entries) = (self.digest.clone(), self.entries());
        Line::Seal(Seal { entries, previous, segment: self.segment, sequence: self.sequence, time })
    }

    /// Returns the head of the next segment.
    pub fn next_head(&self) -> Line {
        Line::Head(Head { previous: self.digest.clone(), segment: self.segment + 1, sequence: self.sequence })
    }

    /// Moves on to a line that was read or written, whose digest is `digest`.
    ///
    /// # Errors
    /// The fault of the line, if it is not one that may follow. The position is then as it was.
    pub fn follow(&mut self, line: &Line, digest: String) -> Result<(), &'static str> {
        match line {
            Line::Head(head) => self.follow_head(head, digest),
            Line::Record(record) => self.follow_record(record, digest),
            Line::Seal(seal) => self.follow_seal(seal, digest),
        }
    }

    fn follow_head(&mut self, head: &Head, digest: String) -> Result<(), &'static str> {
        match self.state {
            State::Open => return Err("begins a segment within another one"),
            State::Sealed if head.previous != self.digest => return Err("does not follow the segment before it"),
            State::Sealed if head.segment != self.segment + 1 => return Err("does not have the next segment's number"),
            State::Sealed if head.sequence != self.sequence => return Err("does not have the last entry's number"),
            State::Start if head.segment < 2 => return Err("begins the first segment, which has no head"),
            State::Start => self.entry_digest.clone_from(&digest),
            State::Sealed => {}
        }
        self.segment = head.segment;
        self.sequence = head.sequence;
        self.before = head.sequence;
        self.begun = None;
        self.follows.clone_from(&head.previous);
        self.digest = digest;
        self.state = State::Open;
        Ok(())
    }

    fn follow_record(&mut self, record: &Record, digest: String) -> Result<(), &'static str> {
        if self.state == State::Sealed {
            return Err("follows a seal");
        }
        if record.sequence != self.sequence + 1 {
            return Err("does not have the next number");
        }
        if record.previous != self.digest {
            return Err("does not follow the line before it");
        }
        self.sequence = record.sequence;
        self.begun.get_or_insert(record.time);
        self.entry_digest.clone_from(&digest);
        self.digest = digest;
        self.state = State::Open;
        Ok(())
    }

    fn follow_seal(&mut self, seal: &Seal, digest: String) -> Result<(), &'static str> {
        if self.state != State::Open || seal.previous != self.digest {
            return Err("does not follow the line before it");
        }
        if (seal.segment, seal.entries, seal.sequence) != (self.segment, self.entries(), self.sequence) {
            return Err("seals another segment than the one that it ends");
        }
        self.digest = digest;
        self.state = State::Sealed;
        Ok(())
    }
}
