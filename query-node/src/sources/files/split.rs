//! Cuts a text file into blocks of whole records, without decoding them: by lines, or by CSV records, whose quoted
//! fields may hold line breaks (RFC 4180).

use std::io::{self, Read};

use memchr::{memchr, memchr2};

/// Largest number of records in a block: the engine's batch size.
pub const BLOCK_RECORDS: usize = 8192;
/// Number of bytes at which a block is closed early.
const BLOCK_BYTES: usize = 4 << 20;
/// Largest length of a record in bytes. In a longer one most likely a quote was never closed.
pub const RECORD_BYTES: usize = 16 << 20;
const READ_BYTES: usize = 1 << 20;

/// Rule by which records end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Boundary {
    /// At every line feed.
    Line,
    /// At a line feed outside quotes. A quote opens a field only at the field's beginning, and two in a row are one.
    Csv,
}

/// Block of whole records, not decoded.
#[derive(Debug)]
pub struct Block {
    /// Records, each with its line feed.
    pub bytes: Vec<u8>,
    /// End of each record in `bytes`.
    pub ends: Vec<usize>,
    /// Number of the first record in its file, from 0.
    pub first: u64,
}

impl Block {
    /// Returns the bytes of the records `from..to`.
    pub fn records(&self, from: usize, to: usize) -> &[u8] {
        let start = if from == 0 { 0 } else { self.ends[from - 1] };
        let end = if to == 0 { 0 } else { self.ends[to - 1] };
        &self.bytes[start..end]
    }
}

/// Fault for which no further block can be cut.
#[derive(Debug, thiserror::Error)]
pub enum SplitError {
    /// Reading failed.
    #[error("reading failed: {0}")]
    Io(#[from] io::Error),
    /// One record is longer than [`RECORD_BYTES`].
    #[error("a record is longer than {RECORD_BYTES} bytes")]
    RecordTooLong,
}

/// Reader of the blocks of one file.
pub struct Blocks<R> {
    input: R,
    boundary: Boundary,
    buffer: Vec<u8>,
    /// Length of the part of `buffer` that has been searched.
    searched: usize,
    in_quotes: bool,
    ended: bool,
    records: u64,
}

impl<R: Read> Blocks<R> {
    /// Returns the blocks of a file from its beginning. A byte order mark is passed over.
    pub fn new(mut input: R, boundary: Boundary) -> io::Result<Self> {
        let mut buffer = Vec::with_capacity(READ_BYTES);
        input.by_ref().take(3).read_to_end(&mut buffer)?;
        let ended = buffer.len() < 3;
        if buffer == b"\xef\xbb\xbf" {
            buffer.clear();
        }
        Ok(Self { input, boundary, buffer, searched: 0, in_quotes: false, ended, records: 0 })
    }

    /// Returns the next block of at most `most` records; `None` at the end.
    pub fn next_block(&mut self, most: usize) -> Result<Option<Block>, SplitError> {
        let mut ends = Vec::new();
        loop {
            while ends.len() < most
                && let Some(end) = self.find_end()
            {
                ends.push(end);
            }
            let cut = ends.last().copied().unwrap_or(0);
            if ends.len() == most || (cut > 0 && self.buffer.len() >= BLOCK_BYTES) {
                break;
            }
            if self.buffer.len() - cut > RECORD_BYTES {
                return Err(SplitError::RecordTooLong);
            }
            if !self.ended {
                self.read_more()?;
            } else if cut < self.buffer.len() {
                self.buffer.push(b'\n');
                self.searched = self.buffer.len();
                ends.push(self.buffer.len());
                break;
            } else {
                break;
            }
        }
        let Some(&cut) = ends.last() else { return Ok(None) };
        let rest = self.buffer.split_off(cut);
        let bytes = std::mem::replace(&mut self.buffer, rest);
        self.searched = self.searched.saturating_sub(cut);
        let first = self.records;
        self.records += ends.len() as u64;
        Ok(Some(Block { bytes, ends, first }))
    }

    fn read_more(&mut self) -> io::Result<()> {
        self.buffer.reserve(READ_BYTES);
        let read = self.input.by_ref().take(READ_BYTES as u64).read_to_end(&mut self.buffer)?;
        self.ended = read < READ_BYTES;
        Ok(())
    }

    /// Searches on for the end of a record; returns the index after its line feed.
    fn find_end(&mut self) -> Option<usize> {
        if self.boundary == Boundary::Line {
            let found = memchr(b'\n', &self.buffer[self.searched..]);
            self.searched = found.map_or(self.buffer.len(), |at| self.searched + at + 1);
            return found.map(|_| self.searched);
        }
        loop {
            let rest = &self.buffer[self.searched..];
            if self.in_quotes {
                let at = self.searched + memchr(b'"', rest).unwrap_or(rest.len());
                match (self.buffer.get(at), self.buffer.get(at + 1)) {
                    (None, _) => {
                        self.searched = at;
                        return None;
                    }
                    (Some(_), Some(b'"')) => self.searched = at + 2,
                    // The quote is the last byte there is: the next one says what it means.
                    (Some(_), None) if !self.ended => {
                        self.searched = at;
                        return None;
                    }
                    (Some(_), _) => {
                        self.searched = at + 1;
                        self.in_quotes = false;
                    }
                }
            } else {
                let Some(found) = memchr2(b'\n', b'"', rest) else {
                    self.searched = self.buffer.len();
                    return None;
                };
                let at = self.searched + found;
                self.searched = at + 1;
                if self.buffer[at] == b'\n' {
                    return Some(self.searched);
                }
                self.in_quotes = at == 0 || matches!(self.buffer[at - 1], b',' | b'\n' | b'\r');
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reader that gives one byte at a time, so that every state is cut everywhere.
    struct Trickle<'a>(&'a [u8]);
    impl Read for Trickle<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let Some((first, rest)) = self.0.split_first() else { return Ok(0) };
            if out.is_empty() {
                return Ok(0);
            }
            out[0] = *first;
            self.0 = rest;
            Ok(1)
        }
    }

    fn split(text: &str, boundary: Boundary, most: usize) -> Vec<Vec<String>> {
        let mut blocks = Blocks::new(Trickle(text.as_bytes()), boundary).unwrap();
        let mut out = Vec::new();
        while let Some(block) = blocks.next_block(most).unwrap() {
            let records = (0..block.ends.len())
                .map(|i| String::from_utf8(block.records(i, i + 1).to_vec()).unwrap())
                .collect::<Vec<_>>();
            assert_eq!(block.records(0, block.ends.len()), block.bytes);
            out.push(records);
        }
        out
    }

    #[test]
    fn records_end_outside_quotes_only() {
        let cases: &[(&str, &[&str])] = &[
            ("", &[]),
            ("a,b\n1,2\n", &["a,b\n", "1,2\n"]),
            ("a\r\nb", &["a\r\n", "b\n"]),
            ("\u{feff}a\nb\n", &["a\n", "b\n"]),
            ("\"x\ny\",1\nz,2\n", &["\"x\ny\",1\n", "z,2\n"]),
            ("\"he said \"\"\n\"\"\",1\nz\n", &["\"he said \"\"\n\"\"\",1\n", "z\n"]),
            // A quote within an unquoted field is a letter like others.
            ("5\" pipe,1\n6\" pipe,2\n", &["5\" pipe,1\n", "6\" pipe,2\n"]),
            ("\"a\"b\"c,1\nz\n", &["\"a\"b\"c,1\n", "z\n"]),
            ("x,\"never closed\nz\n", &["x,\"never closed\nz\n\n"]),
        ];
        for (text, expected) in cases {
            for most in [1, 2, 100] {
                let found: Vec<String> = split(text, Boundary::Csv, most).concat();
                assert_eq!(&found, expected, "{text:?} by {most}");
            }
        }
        assert_eq!(split("{\"a\":\"\n{}\n", Boundary::Line, 9), [["{\"a\":\"\n", "{}\n"]]);
    }

    /// The fields of all records in a text, as the CSV reader finds them.
    fn fields(text: &str) -> Vec<Vec<String>> {
        let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
        reader.records().map(|record| record.unwrap().iter().map(str::to_owned).collect()).collect()
    }

    #[test]
    fn records_cut_one_by_one_have_the_fields_that_they_have_together() {
        let letters = ["a", ",", "\"", "\n", "\r"];
        let mut texts = vec![String::new()];
        for _ in 0..6 {
            texts = texts.iter().flat_map(|text| letters.map(|letter| format!("{text}{letter}"))).collect();
            for text in &texts {
                let records = split(text, Boundary::Csv, 100).concat();
                let one_by_one: Vec<Vec<String>> = records.iter().flat_map(|record| fields(record)).collect();
                assert_eq!(one_by_one, fields(&records.concat()), "{text:?} cut into {records:?}");
            }
        }
    }

    #[test]
    fn a_record_without_end_is_an_error_and_not_all_of_memory() {
        let mut blocks = Blocks::new(io::repeat(b'x'), Boundary::Csv).unwrap();
        assert!(matches!(blocks.next_block(10), Err(SplitError::RecordTooLong)));
    }
}
