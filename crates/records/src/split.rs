//! Cuts a text into blocks of whole records, without decoding them: by lines, or by CSV records, whose quoted fields may hold
//! line ends (RFC 4180).
//!
//! The first line end of a file says what ends its lines: a line feed, with or without carriage returns before it, or a
//! carriage return alone.

use std::io::{self, Read};

use memchr::{memchr, memchr2, memchr3};

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
    /// At every line end.
    Line,
    /// At a line end outside quotes.
    Csv(Marks),
}

/// Characters that mean something in CSV. A quote opens a field only at the field's beginning, and two in a row are one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marks {
    /// Between two fields.
    pub separator: u8,
    /// Around a field.
    pub quote: u8,
    /// Before a character of a quoted field that means nothing.
    pub escape: Option<u8>,
    /// At the beginning of a line that is a comment.
    pub comment: Option<u8>,
}

/// Block of whole records, not decoded.
#[derive(Debug)]
pub struct Block {
    /// Records, each with its line end.
    pub bytes: Vec<u8>,
    /// End of each record in `bytes`.
    pub ends: Vec<usize>,
    /// Number of the first record in its file, from 0; a header is none.
    pub first: u64,
}

impl Block {
    /// Returns the beginning of a record in `bytes`.
    pub(crate) fn start(&self, record: usize) -> usize {
        if record == 0 { 0 } else { self.ends[record - 1] }
    }
}

/// Returns a record without its line end.
pub fn without_end(record: &str) -> &str {
    record.strip_suffix('\n').unwrap_or(record).trim_end_matches('\r')
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
    /// The text ends inside quotes.
    #[error("it ends inside a quoted field")]
    OpenQuote {
        /// True if a backslash stands before a quote there, and is not declared to be an escape.
        escaped: bool,
    },
}

/// Reader of the blocks of one file.
pub struct Blocks<R> {
    input: R,
    boundary: Boundary,
    /// Number of lines at the end that are no records.
    footer: usize,
    buffer: Vec<u8>,
    /// Ends of the records in `buffer` that have been found.
    found: Vec<usize>,
    /// Length of the part of `buffer` that has been searched.
    searched: usize,
    in_quotes: bool,
    ended: bool,
    records: u64,
    /// Byte that ends lines, once one has ended.
    line_end: Option<u8>,
}

impl<R: Read> Blocks<R> {
    /// Returns the blocks of a text from its beginning, but for the last `footer` lines. A byte order mark is passed over.
    pub fn new(mut input: R, boundary: Boundary, footer: usize) -> io::Result<Self> {
        let mut buffer = Vec::with_capacity(READ_BYTES);
        input.by_ref().take(3).read_to_end(&mut buffer)?;
        let ended = buffer.len() < 3;
        if buffer == b"\xef\xbb\xbf" {
            buffer.clear();
        }
        Ok(Self {
            input,
            boundary,
            footer,
            buffer,
            found: Vec::new(),
            searched: 0,
            in_quotes: false,
            ended,
            records: 0,
            line_end: None,
        })
    }

    /// Passes over lines, which are no records whatever quotes are in them. Before the first block only.
    pub fn skip_lines(&mut self, lines: usize) -> Result<(), SplitError> {
        let boundary = std::mem::replace(&mut self.boundary, Boundary::Line);
        let mut left = lines;
        while left > 0
            && let Some(block) = self.next_block(left)?
        {
            left -= block.ends.len();
        }
        self.boundary = boundary;
        // What was found by lines may lie within a record.
        self.found.clear();
        self.searched = 0;
        self.forget_count();
        Ok(())
    }

    /// Counts records from the next one on.
    pub fn forget_count(&mut self) {
        self.records = 0;
    }

    /// Returns the next block of at most `most` records; `None` at the end.
    pub fn next_block(&mut self, most: usize) -> Result<Option<Block>, SplitError> {
        loop {
            while self.found.len() < most + self.footer
                && let Some(end) = self.find_end()?
            {
                self.found.push(end);
            }
            let free = self.found.len().saturating_sub(self.footer);
            if free >= most || (free > 0 && self.buffer.len() >= BLOCK_BYTES) {
                break;
            }
            let last = self.found.last().copied().unwrap_or(0);
            if self.buffer.len() - last > RECORD_BYTES {
                return Err(SplitError::RecordTooLong);
            }
            if !self.ended {
                self.read_more()?;
            } else if last < self.buffer.len() {
                if self.in_quotes {
                    return Err(SplitError::OpenQuote { escaped: self.has_escaped_quote(last) });
                }
                self.buffer.push(self.line_end.unwrap_or(b'\n'));
                self.searched = self.buffer.len();
                self.found.push(self.buffer.len());
            } else {
                break;
            }
        }
        let free = self.found.len().saturating_sub(self.footer).min(most);
        let rest_of_found = self.found.split_off(free);
        let ends = std::mem::replace(&mut self.found, rest_of_found);
        let Some(&cut) = ends.last() else { return Ok(None) };
        let rest = self.buffer.split_off(cut);
        let bytes = std::mem::replace(&mut self.buffer, rest);
        for end in &mut self.found {
            *end -= cut;
        }
        self.searched -= cut;
        let first = self.records;
        self.records += ends.len() as u64;
        Ok(Some(Block { bytes, ends, first }))
    }

    /// Returns true if a backslash without a meaning stands before a quote behind `start`.
    fn has_escaped_quote(&self, start: usize) -> bool {
        let Boundary::Csv(Marks { quote, escape: None, .. }) = self.boundary else { return false };
        self.buffer[start..].windows(2).any(|pair| pair == [b'\\', quote])
    }

    fn read_more(&mut self) -> io::Result<()> {
        self.buffer.reserve(READ_BYTES);
        let read = self.input.by_ref().take(READ_BYTES as u64).read_to_end(&mut self.buffer)?;
        self.ended = read < READ_BYTES;
        Ok(())
    }

    /// Searches on for the end of a record; returns the index after its line end.
    fn find_end(&mut self) -> Result<Option<usize>, SplitError> {
        let start = self.found.last().copied().unwrap_or(0);
        let marks = match self.boundary {
            Boundary::Line => None,
            Boundary::Csv(marks) => {
                let comment = marks.comment.is_some_and(|mark| self.buffer.get(start) == Some(&mark));
                (!comment).then_some(marks)
            }
        };
        loop {
            if self.in_quotes
                && let Some(marks) = marks
            {
                if !self.leave_quotes(marks) {
                    return Ok(None);
                }
                continue;
            }
            let rest = &self.buffer[self.searched..];
            let found = match (marks, self.line_end) {
                (Some(marks), Some(end)) => memchr2(end, marks.quote, rest),
                (Some(marks), None) => memchr3(b'\n', b'\r', marks.quote, rest),
                (None, Some(end)) => memchr(end, rest),
                (None, None) => memchr2(b'\n', b'\r', rest),
            };
            let Some(found) = found else {
                self.searched = self.buffer.len();
                return Ok(None);
            };
            let at = self.searched + found;
            if marks.is_some_and(|marks| self.buffer[at] == marks.quote) {
                self.searched = at + 1;
                self.in_quotes = at == start || marks.is_some_and(|marks| self.buffer[at - 1] == marks.separator);
            } else if self.line_end.is_some() || self.learn_line_end(at) {
                if Some(self.buffer[at]) == self.line_end {
                    self.searched = at + 1;
                    return Ok(Some(at + 1));
                }
                // A carriage return before the first line feed.
                self.searched = at + 1;
            } else {
                self.searched = at;
                return Ok(None);
            }
        }
    }

    /// Learns from the first line end, which begins at `at`, what ends the lines of this file. Returns false if it takes more
    /// bytes to tell.
    fn learn_line_end(&mut self, at: usize) -> bool {
        let after = self.buffer[at..].iter().find(|byte| **byte != b'\r');
        self.line_end = match after {
            Some(b'\n') => Some(b'\n'),
            Some(_) => Some(b'\r'),
            None if self.ended => Some(b'\r'),
            None => None,
        };
        self.line_end.is_some()
    }

    /// Searches for the end of a quoted field. Returns false if it takes more bytes to tell.
    fn leave_quotes(&mut self, marks: Marks) -> bool {
        let rest = &self.buffer[self.searched..];
        let found = match marks.escape {
            Some(escape) => memchr2(marks.quote, escape, rest),
            None => memchr(marks.quote, rest),
        };
        let at = self.searched + found.unwrap_or(rest.len());
        let (this, next) = (self.buffer.get(at), self.buffer.get(at + 1));
        match (this, next) {
            (None, _) => {
                self.searched = at;
                false
            }
            // The quote or escape is the last byte there is: the next one says what it means.
            (Some(_), None) if !self.ended => {
                self.searched = at;
                false
            }
            (Some(byte), _) if *byte != marks.quote => {
                self.searched = self.buffer.len().min(at + 2);
                true
            }
            (Some(_), Some(next)) if *next == marks.quote => {
                self.searched = at + 2;
                true
            }
            (Some(_), _) => {
                self.searched = at + 1;
                self.in_quotes = false;
                true
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

    const CSV: Marks = Marks { separator: b',', quote: b'"', escape: None, comment: None };

    fn blocks(text: &str, boundary: Boundary, footer: usize) -> Blocks<Trickle<'_>> {
        Blocks::new(Trickle(text.as_bytes()), boundary, footer).unwrap()
    }

    fn rest(mut blocks: Blocks<Trickle<'_>>, most: usize) -> Result<Vec<String>, SplitError> {
        let mut out = Vec::new();
        while let Some(block) = blocks.next_block(most)? {
            assert!(block.ends.len() <= most);
            assert_eq!((block.first, block.ends.last()), (out.len() as u64, Some(&block.bytes.len())));
            let text = String::from_utf8(block.bytes.clone()).unwrap();
            out.extend((0..block.ends.len()).map(|i| text[block.start(i)..block.ends[i]].to_owned()));
        }
        Ok(out)
    }

    fn split(text: &str, boundary: Boundary, most: usize) -> Vec<String> {
        rest(blocks(text, boundary, 0), most).unwrap()
    }

    #[test]
    fn records_end_outside_quotes_only() {
        let cases: &[(&str, &[&str])] = &[
            ("", &[]),
            ("a,b\n1,2\n", &["a,b\n", "1,2\n"]),
            ("a\r\nb", &["a\r\n", "b\n"]),
            ("a\r\r\nb\r\nc", &["a\r\r\n", "b\r\n", "c\n"]),
            ("a\r\rb\r", &["a\r", "\r", "b\r"]),
            ("a\nb\rc\n", &["a\n", "b\rc\n"]),
            ("a\r", &["a\r"]),
            ("\u{feff}a\nb\n", &["a\n", "b\n"]),
            ("\"x\ny\",1\nz,2\n", &["\"x\ny\",1\n", "z,2\n"]),
            ("\"x\ny\",1\rz,2", &["\"x\ny\",1\r", "z,2\r"]),
            ("\"he said \"\"\n\"\"\",1\nz\n", &["\"he said \"\"\n\"\"\",1\n", "z\n"]),
            // A quote within an unquoted field is a letter like others.
            ("5\" pipe,1\n6\" pipe,2\n", &["5\" pipe,1\n", "6\" pipe,2\n"]),
            ("\"a\"b\"c,1\nz\n", &["\"a\"b\"c,1\n", "z\n"]),
        ];
        for (text, expected) in cases {
            for most in [1, 2, 100] {
                assert_eq!(&split(text, Boundary::Csv(CSV), most), expected, "{text:?} by {most}");
            }
        }
        assert_eq!(split("{\"a\":\"\n{}\n", Boundary::Line, 9), ["{\"a\":\"\n", "{}\n"]);
    }

    #[test]
    fn declared_marks_end_and_hide_records() {
        let marks = Marks { separator: b';', quote: b'\'', escape: Some(b'\\'), comment: Some(b'#') };
        let text = "# it's; 'a comment\na;'x\\'\ny'\n1;'\\\\'\n\"2;3\n";
        let expected = ["# it's; 'a comment\n", "a;'x\\'\ny'\n", "1;'\\\\'\n", "\"2;3\n"];
        assert_eq!(split(text, Boundary::Csv(marks), 100), expected);
    }

    #[test]
    fn lines_before_and_after_the_records_are_left_out() {
        for most in [1, 2, 100] {
            let text = "a \"title\n\"\nname\n1\n\"2\n\"\nnote\nsum 3";
            let mut blocks = blocks(text, Boundary::Csv(CSV), 2);
            blocks.skip_lines(2).unwrap();
            assert_eq!(rest(blocks, most).unwrap(), ["name\n", "1\n", "\"2\n\"\n"], "{most}");
        }
        let mut short = blocks("a\nb\n", Boundary::Csv(CSV), 2);
        short.skip_lines(1).unwrap();
        assert_eq!(rest(short, 9).unwrap(), [""; 0]);
    }

    #[test]
    fn a_text_that_ends_inside_quotes_is_an_error() {
        for text in ["x,\"never closed\nz\n", "\"", "a,\"\"\"\n"] {
            let error = rest(blocks(text, Boundary::Csv(CSV), 0), 100).unwrap_err();
            assert!(matches!(error, SplitError::OpenQuote { escaped: false }), "{text:?}: {error}");
        }
    }

    /// The fields of all records in a text, as the CSV reader finds them.
    fn fields(text: &str) -> Vec<Vec<String>> {
        let mut reader = csv_core_reader(text);
        reader.records().map(|record| record.unwrap().iter().map(str::to_owned).collect()).collect()
    }

    fn csv_core_reader(text: &str) -> csv::Reader<&[u8]> {
        csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .terminator(csv::Terminator::Any(b'\n'))
            .from_reader(text.as_bytes())
    }

    #[test]
    fn records_cut_one_by_one_have_the_fields_that_they_have_together() {
        let letters = ["a", ",", "\"", "\n"];
        let mut texts = vec![String::new()];
        for _ in 0..7 {
            texts = texts.iter().flat_map(|text| letters.map(|letter| format!("{text}{letter}"))).collect();
            for text in &texts {
                let Ok(records) = rest(blocks(text, Boundary::Csv(CSV), 0), 100) else { continue };
                let one_by_one: Vec<Vec<String>> = records.iter().flat_map(|record| fields(record)).collect();
                assert_eq!(one_by_one, fields(&records.concat()), "{text:?} cut into {records:?}");
            }
        }
    }

    #[test]
    fn a_record_without_end_is_an_error_and_not_all_of_memory() {
        let mut blocks = Blocks::new(io::repeat(b'x'), Boundary::Csv(CSV), 0).unwrap();
        assert!(matches!(blocks.next_block(10), Err(SplitError::RecordTooLong)));
    }
}
