//! One file put together: its blocks, and the decoder that makes batches of them.

use std::collections::{HashMap, HashSet};
use std::io::Read;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use memchr::{memchr, memmem};
use wanqu_model::bundle::{CsvSyntax, TextSpec};

use crate::columns::Columns;
use crate::csv::{CsvField, CsvFields, ESCAPE, marks};
use crate::fault::{BadRecord, DecodeError, Fault, Reason};
use crate::guess;
use crate::header;
use crate::input::{self, Input};
use crate::json::{JsonScanner, JsonValue};
use crate::places::{Places, other_separator};
use crate::split::{BLOCK_RECORDS, Block, Blocks, Boundary, Marks, SplitError, without_end};
use crate::values::Column;

/// Largest number of lines among which the line with the names is looked for, to say where it is.
const PREAMBLE_LINES: usize = 30;

/// Format of text files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextFormat {
    /// Comma-separated values.
    Csv,
    /// One JSON object a line.
    Ndjson,
}

/// File of text records that is being read.
pub struct TextFile {
    blocks: Blocks<Input>,
    decoder: Arc<Decoder>,
    /// First block, where it had to be looked at.
    looked_at: Option<Block>,
}

/// Decoder of the records of one file into the declared columns.
#[derive(Debug)]
pub struct Decoder {
    declared: Columns,
    /// True if a record that is not UTF-8 is a bad record, and not a sign that the file is in another encoding.
    declared_encoding: bool,
    syntax: Syntax,
}

#[derive(Debug)]
enum Syntax {
    Csv { marks: Marks, places: Places },
    Ndjson { by_name: HashMap<String, usize> },
}

impl TextFile {
    /// Opens a file and looks at its beginning. `name` is its name, whose ending can tell the compression. `None` if there is
    /// no record that could say anything.
    ///
    /// # Errors
    /// The fault of the file, if it cannot hold the declared columns or is written otherwise than declared.
    pub fn open(
        input: impl Read + Send + 'static,
        name: &str,
        declared: &Columns,
        format: TextFormat,
        text: &TextSpec,
    ) -> Result<Option<Self>, Fault> {
        let input = input::open(Box::new(input), name, text)?;
        let csv = text.csv.clone().unwrap_or_default();
        let marks = marks(&csv);
        let (boundary, footer) = match format {
            TextFormat::Csv => (Boundary::Csv(marks), csv.footer_lines),
            TextFormat::Ndjson => (Boundary::Line, 0),
        };
        let blocks = Blocks::new(input, boundary, usize::try_from(footer).unwrap_or(usize::MAX));
        let head = Head { blocks: blocks.map_err(|error| input::unreadable(&error))?, declared, text };
        match format {
            TextFormat::Csv if csv.header => head.csv(marks, &csv).map(Some),
            TextFormat::Csv => head.csv_without_header(marks, &csv),
            TextFormat::Ndjson => head.ndjson(),
        }
    }

    /// Returns the decoder of the file's records.
    #[must_use]
    pub fn decoder(&self) -> Arc<Decoder> {
        Arc::clone(&self.decoder)
    }

    /// Returns the positions of the declared columns that the file is known not to have.
    #[must_use]
    pub fn absent(&self) -> &[usize] {
        match &self.decoder.syntax {
            Syntax::Csv { places, .. } => &places.absent,
            // Records may have it that were not read yet.
            Syntax::Ndjson { .. } => &[],
        }
    }

    /// Cuts the next block of records; `None` at the end.
    ///
    /// # Errors
    /// The fault for which no further block can be cut.
    pub fn next_block(&mut self) -> Result<Option<Block>, Fault> {
        match self.looked_at.take() {
            Some(block) => Ok(Some(block)),
            None => self.blocks.next_block(BLOCK_RECORDS).map_err(split_fault),
        }
    }
}

fn split_fault(error: SplitError) -> Fault {
    match error {
        SplitError::OpenQuote { escaped: true } => {
            Fault::setting("a file ends inside a quoted field, and has a backslash before a quote in it", ESCAPE)
        }
        SplitError::OpenQuote { escaped: false } => Fault::OpenQuote,
        other => Fault::Unreadable(other.to_string()),
    }
}

/// Beginning of a file.
struct Head<'a> {
    blocks: Blocks<Input>,
    declared: &'a Columns,
    text: &'a TextSpec,
}

impl Head<'_> {
    fn file(self, syntax: Syntax, looked_at: Option<Block>) -> TextFile {
        let decoder =
            Decoder { declared: self.declared.clone(), declared_encoding: self.text.encoding.is_some(), syntax };
        TextFile { blocks: self.blocks, decoder: Arc::new(decoder), looked_at }
    }

    /// Reads the line with the names.
    fn csv(mut self, marks: Marks, syntax: &CsvSyntax) -> Result<TextFile, Fault> {
        self.skip(syntax)?;
        let missing = || Fault::Unreadable("the line with the names of the columns is missing".to_owned());
        let header = loop {
            let block = self.blocks.next_block(1).map_err(split_fault)?.ok_or_else(missing)?;
            let comment = marks.comment.is_some_and(|mark| block.bytes.first() == Some(&mark));
            if !comment {
                break block;
            }
        };
        let line = self.line(&header.bytes)?;
        match self.places(line, marks) {
            Ok(places) => {
                self.blocks.forget_count();
                Ok(self.file(Syntax::Csv { marks, places }, None))
            }
            Err(fault) => Err(self.better_header(line, marks, syntax).unwrap_or(fault)),
        }
    }

    fn places(&self, line: &str, marks: Marks) -> Result<Places, Fault> {
        let names = CsvFields::new(line, marks).all();
        let names = names.map_err(|reason| Fault::Unreadable(format!("the line with the names: {reason}")))?;
        Places::by_name(self.declared, &names)
    }

    /// Returns the fault of a line that does not name the declared columns, if a setting would mend it.
    fn better_header(&mut self, line: &str, marks: Marks, syntax: &CsvSyntax) -> Option<Fault> {
        let found = header::separator_line(line, syntax.skip_lines, true)
            .or_else(|| other_separator(self.declared, line, marks))
            .or_else(|| header::no_names(self.declared, line, marks));
        if found.is_some() {
            return found;
        }
        for lines in 1..=PREAMBLE_LINES {
            let block = self.blocks.next_block(1).ok()??;
            let below = without_end(std::str::from_utf8(&block.bytes).ok()?);
            if self.places(below, marks).is_ok() {
                let lines = lines + usize::try_from(syntax.skip_lines).ok()?;
                let problem = format!("the names of the columns of a file are in line {}", lines + 1);
                return Some(Fault::setting(problem, format!("csv: {{skipLines: {lines}}}")));
            }
        }
        None
    }

    /// Takes the places of fields in the first record for the columns.
    fn csv_without_header(mut self, marks: Marks, syntax: &CsvSyntax) -> Result<Option<TextFile>, Fault> {
        self.skip(syntax)?;
        self.blocks.forget_count();
        let Some(block) = self.blocks.next_block(BLOCK_RECORDS).map_err(split_fault)? else { return Ok(None) };
        let is_data = |record: &usize| {
            let first = block.bytes.get(block.start(*record));
            !matches!(first, Some(b'\n' | b'\r')) && first.copied() != marks.comment
        };
        let record = (0..block.ends.len()).find(is_data).unwrap_or(0);
        let line = self.line(&block.bytes[block.start(record)..block.ends[record]])?;
        if let Some(fault) = header::separator_line(line, syntax.skip_lines, false) {
            return Err(fault);
        }
        let fields = CsvFields::new(line, marks).all();
        let fields = fields.map_err(|reason| Fault::Unreadable(format!("the first record: {reason}")))?;
        let places = Places::by_number(self.declared, fields.len())?;
        let next = (record + 1..block.ends.len()).find(is_data);
        let next = next.and_then(|next| self.line(&block.bytes[block.start(next)..block.ends[next]]).ok());
        if let Some(fault) = header::names(self.declared, &places, [Some(line), next], marks, syntax.skip_lines) {
            return Err(fault);
        }
        Ok(Some(self.file(Syntax::Csv { marks, places }, Some(block))))
    }

    fn skip(&mut self, syntax: &CsvSyntax) -> Result<(), Fault> {
        self.blocks.skip_lines(usize::try_from(syntax.skip_lines).unwrap_or(usize::MAX)).map_err(split_fault)
    }

    fn ndjson(mut self) -> Result<Option<TextFile>, Fault> {
        let Some(block) = self.blocks.next_block(BLOCK_RECORDS).map_err(split_fault)? else { return Ok(None) };
        let fields = self.declared.schema().fields();
        let by_name = fields.iter().enumerate().map(|(index, field)| (field.name().clone(), index)).collect();
        // A field may be left out where it is NULL. One that no record of the first block mentions is more likely a mistake
        // in the manifest, which would otherwise look like a column of NULLs: so it must be declared optional.
        let mentioned = |name: &str| memmem::find(&block.bytes, format!("\"{name}\"").as_bytes()).is_some();
        if fields.iter().any(|field| !mentioned(field.name())) {
            let names = names(&block);
            let absent = fields.iter().enumerate().filter(|(_, field)| !names.contains(field.name()));
            for (index, _) in absent.clone() {
                if let Some(fault) = self.declared.absent(index, names.iter().map(String::as_str)) {
                    return Err(fault);
                }
            }
            if absent.count() == fields.len() {
                return self.declared.none().map_or(Ok(None), Err);
            }
        }
        Ok(Some(self.file(Syntax::Ndjson { by_name }, Some(block))))
    }

    /// Returns a line as text.
    fn line<'b>(&self, bytes: &'b [u8]) -> Result<&'b str, Fault> {
        let text = match std::str::from_utf8(bytes) {
            Ok(text) if memchr(0, bytes).is_none() => text,
            Ok(_) if guess::utf16(bytes).is_none() => {
                return Err(Fault::Unreadable("its first record holds a NUL byte".to_owned()));
            }
            _ if self.text.encoding.is_none() => return Err(guess::not_utf8(bytes)),
            _ => return Err(Fault::Unreadable("its first record is not in the declared encoding".to_owned())),
        };
        Ok(without_end(text))
    }
}

impl Decoder {
    /// Decodes the records `from..to` of a block into the declared columns; `None` where there is nothing but empty lines and
    /// comments.
    ///
    /// # Errors
    /// The first record that cannot be read, or the fault of the file.
    pub fn decode(&self, block: &Block, from: usize, to: usize) -> Result<Option<RecordBatch>, DecodeError> {
        if from >= to {
            return Ok(None);
        }
        let start = block.start(from);
        let bytes = &block.bytes[start..block.ends[to - 1]];
        let text = self.text(block, from, bytes)?;
        let mut reader = Reader::new(self, to - from)?;
        for record in from..to {
            let whole = &text[block.start(record) - start..block.ends[record] - start];
            let line = without_end(whole);
            let bad = |bad: Bad| match bad {
                Bad::Field(column, reason) => {
                    let column = column.map(|index| self.declared.schema().field(index).name().clone());
                    DecodeError::Record(BadRecord { record, column, reason })
                }
                Bad::File(fault) => DecodeError::File(fault),
            };
            match &self.syntax {
                Syntax::Csv { marks, places } => reader.csv(line, whole.as_bytes().last(), *marks, places),
                Syntax::Ndjson { by_name } => reader.ndjson(line, by_name),
            }
            .map_err(bad)?;
        }
        reader.finish()
    }

    /// Returns records as text.
    fn text<'b>(&self, block: &Block, from: usize, bytes: &'b [u8]) -> Result<&'b str, DecodeError> {
        let (at, problem) = match (std::str::from_utf8(bytes), memchr(0, bytes)) {
            (Ok(text), None) => return Ok(text),
            (Err(_), _) if !self.declared_encoding => return Err(DecodeError::File(guess::not_utf8(bytes))),
            (Ok(_), Some(_)) if !self.declared_encoding && guess::utf16(bytes).is_some() => {
                return Err(DecodeError::File(guess::not_utf8(bytes)));
            }
            (Ok(_), Some(at)) => (at, "it holds a NUL byte"),
            (Err(error), nul) => match nul.filter(|at| *at < error.valid_up_to()) {
                Some(at) => (at, "it holds a NUL byte"),
                None => (error.valid_up_to(), "it is not in the declared encoding"),
            },
        };
        let at = block.start(from) + at;
        let record = block.ends.partition_point(|end| *end <= at);
        Err(DecodeError::Record(BadRecord { record, column: None, reason: Reason::of(problem) }))
    }
}

/// Reason for which a record cannot be read.
enum Bad {
    /// The field of a declared column, or the record as a whole.
    Field(Option<usize>, Reason),
    /// The file.
    File(Fault),
}

impl From<Reason> for Bad {
    fn from(reason: Reason) -> Self {
        Self::Field(None, reason)
    }
}

/// Reader of records into columns.
struct Reader<'a> {
    declared: &'a Columns,
    columns: Vec<Column>,
    /// For each column the number of the last row that has its field, from 1.
    seen: Vec<usize>,
    rows: usize,
}

impl<'a> Reader<'a> {
    fn new(decoder: &'a Decoder, rows: usize) -> Result<Self, DecodeError> {
        let fields = decoder.declared.schema().fields();
        let mut columns = Vec::with_capacity(fields.len());
        for field in fields {
            let column = Column::new(field.data_type(), rows);
            columns.push(column.ok_or_else(|| DecodeError::File(Fault::ColumnType(field.name().clone())))?);
        }
        let seen = vec![0; columns.len()];
        Ok(Self { declared: &decoder.declared, columns, seen, rows: 0 })
    }

    /// Reads a record without its line end, whose last byte is `end`.
    fn csv(&mut self, line: &str, end: Option<&u8>, marks: Marks, places: &Places) -> Result<(), Bad> {
        let width = places.columns.len();
        // In a file of one column an empty line is a record whose only field is empty.
        if (line.is_empty() && width > 1) || (marks.comment.is_some() && line.bytes().next() == marks.comment) {
            return Ok(());
        }
        let mut fields = CsvFields::new(line, marks);
        let mut place = 0;
        while let Some(field) = fields.next_field().map_err(|reason| syntax_fault(line, end, reason))? {
            match places.columns.get(place) {
                None => return Err(Reason::of(format!("it has more than {width} fields")).into()),
                Some(Some(column)) => self.csv_field(*column, &field)?,
                Some(None) => {}
            }
            place += 1;
        }
        if place < width {
            return Err(Reason::of(format!("it has {place} fields, and not {width}")).into());
        }
        for column in &places.absent {
            self.columns[*column].push_null();
        }
        self.rows += 1;
        Ok(())
    }

    fn csv_field(&mut self, column: usize, field: &CsvField<'_>) -> Result<(), Bad> {
        self.columns[column]
            .push_csv(field, self.declared.values(column))
            .map_err(|reason| Bad::Field(Some(column), reason))
    }

    fn ndjson(&mut self, line: &str, by_name: &HashMap<String, usize>) -> Result<(), Bad> {
        if line.bytes().all(|byte| matches!(byte, b' ' | b'\t' | b'\r')) {
            return Ok(());
        }
        let row = self.rows + 1;
        // Records mostly have their fields in one order.
        let mut next = 0;
        JsonScanner::new(line).object(|name, value| {
            let expected = self.declared.schema().fields().get(next).is_some_and(|field| *field.name() == name);
            let Some(column) = (if expected { Some(next) } else { by_name.get(name.as_ref()).copied() }) else {
                return Ok(());
            };
            next = column + 1;
            self.json_field(column, row, &value).map_err(|reason| Bad::Field(Some(column), reason))
        })?;
        for (column, seen) in self.columns.iter_mut().zip(&self.seen) {
            if *seen < row {
                column.push_null();
            }
        }
        self.rows = row;
        Ok(())
    }

    fn json_field(&mut self, column: usize, row: usize, value: &JsonValue<'_>) -> Result<(), Reason> {
        if self.seen[column] == row {
            return Err(Reason::of("it is there twice"));
        }
        self.seen[column] = row;
        self.columns[column].push_json(value, self.declared.values(column))
    }

    fn finish(self) -> Result<Option<RecordBatch>, DecodeError> {
        if self.rows == 0 {
            return Ok(None);
        }
        let arrays: Result<Vec<ArrayRef>, _> = self.columns.into_iter().map(Column::finish).collect();
        let batch = arrays.and_then(|arrays| RecordBatch::try_new(Arc::clone(self.declared.schema()), arrays));
        batch.map(Some).map_err(|error| DecodeError::File(Fault::Unreadable(error.to_string())))
    }
}

/// Returns what a fault of a CSV record's syntax means. If the record goes over several lines, a quote was most likely not
/// closed where it should have been, and the record is made of others, which must not be left out as one.
fn syntax_fault(line: &str, end: Option<&u8>, reason: Reason) -> Bad {
    if end.is_some_and(|end| line.as_bytes().contains(end)) {
        Bad::File(Fault::Unreadable(format!("in a record of several lines: {reason}")))
    } else {
        reason.into()
    }
}

/// Returns the names of the fields of all records in a block of NDJSON, as far as they can be read.
fn names(block: &Block) -> HashSet<String> {
    let text = String::from_utf8_lossy(&block.bytes);
    let mut names = HashSet::new();
    for line in text.lines() {
        // A record that cannot be read is reported when it is decoded.
        let _ = JsonScanner::new(line).object(|name, _| {
            if !names.contains(name.as_ref()) {
                names.insert(name.into_owned());
            }
            Ok::<_, Reason>(())
        });
    }
    names
}
