//! Reads a file whole, as a node does.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use wanqu_model::bundle::{CsvSyntax, Encoding, TextSpec, ValueSyntax};
use wanqu_records::{Columns, DecodeError, Fault, TextFile, TextFormat};

/// Rows and bad records of a file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Read {
    /// Rows as text; NULL is `None`.
    pub rows: Vec<Vec<Option<String>>>,
    /// Bad records: their number from 1, the column, the reason.
    pub bad: Vec<(u64, Option<String>, String)>,
}

impl Read {
    /// The rows with columns between bars, NULL as `∅`.
    pub fn lines(&self) -> Vec<String> {
        let cell = |cell: &Option<String>| cell.clone().unwrap_or_else(|| "∅".to_owned());
        self.rows.iter().map(|row| row.iter().map(cell).collect::<Vec<_>>().join("|")).collect()
    }
}

/// A schema of columns `name: type`, separated by semicolons.
pub fn schema(columns: &str) -> SchemaRef {
    let field = |column: &str| {
        let (name, data_type) = column.split_once(": ").unwrap();
        Field::new(name.trim(), data_type_of(data_type), true)
    };
    Arc::new(Schema::new(columns.split(';').map(field).collect::<Vec<_>>()))
}

fn data_type_of(text: &str) -> DataType {
    match text {
        "string" => DataType::Utf8View,
        "boolean" => DataType::Boolean,
        "int32" => DataType::Int32,
        "int64" => DataType::Int64,
        "float64" => DataType::Float64,
        "decimal" => DataType::Decimal128(12, 2),
        "date" => DataType::Date32,
        "timestamp" => DataType::Timestamp(TimeUnit::Microsecond, None),
        "list" => DataType::List(Arc::new(Field::new("item", DataType::Int32, true))),
        other => panic!("{other}"),
    }
}

/// Reads a file to its end, leaving out bad records.
pub fn read(bytes: &[u8], name: &str, columns: &str, format: TextFormat, text: &TextSpec) -> Result<Read, Fault> {
    read_declared(bytes, name, &Columns::new(schema(columns), text), format, text)
}

/// Reads a file to its end, leaving out bad records.
pub fn read_declared(
    bytes: &[u8],
    name: &str,
    columns: &Columns,
    format: TextFormat,
    text: &TextSpec,
) -> Result<Read, Fault> {
    let mut read = Read::default();
    let Some(mut file) = TextFile::open(std::io::Cursor::new(bytes.to_vec()), name, columns, format, text)? else {
        return Ok(read);
    };
    let decoder = file.decoder();
    let mut batches = Vec::new();
    while let Some(block) = file.next_block()? {
        let mut from = 0;
        let mut to = block.ends.len();
        while from < block.ends.len() {
            match decoder.decode(&block, from, to) {
                Ok(batch) => {
                    batches.extend(batch);
                    from = to;
                    to = block.ends.len();
                }
                Err(DecodeError::Record(bad)) if bad.record > from => to = bad.record,
                Err(DecodeError::Record(bad)) => {
                    let number = block.first + bad.record as u64 + 1;
                    read.bad.push((number, bad.column, bad.reason.to_string()));
                    from += 1;
                    to = block.ends.len();
                }
                Err(DecodeError::File(fault)) => return Err(fault),
            }
        }
    }
    read.rows = rows(&concat_batches(columns.schema(), &batches).unwrap());
    Ok(read)
}

fn rows(batch: &RecordBatch) -> Vec<Vec<Option<String>>> {
    let options = FormatOptions::default();
    let columns: Vec<_> = batch.columns().iter().map(|c| ArrayFormatter::try_new(c, &options).unwrap()).collect();
    let cell = |row: usize, column: usize| {
        let valid = batch.column(column).is_valid(row);
        valid.then(|| columns[column].value(row).to_string())
    };
    (0..batch.num_rows()).map(|row| (0..columns.len()).map(|column| cell(row, column)).collect()).collect()
}

/// Reads CSV of which nothing is declared.
pub fn csv(text: &str, columns: &str) -> Result<Read, Fault> {
    read(text.as_bytes(), "t.csv", columns, TextFormat::Csv, &TextSpec::default())
}

/// Reads NDJSON of which nothing is declared.
pub fn ndjson(text: &str, columns: &str) -> Result<Read, Fault> {
    read(text.as_bytes(), "t.ndjson", columns, TextFormat::Ndjson, &TextSpec::default())
}

/// A declaration of the syntax of CSV, from JSON.
pub fn csv_syntax(json: &str) -> TextSpec {
    TextSpec { csv: Some(serde_json::from_str::<CsvSyntax>(json).unwrap()), ..TextSpec::default() }
}

/// A declaration of how values are written, from JSON.
pub fn value_syntax(json: &str) -> TextSpec {
    TextSpec { values: Some(serde_json::from_str::<ValueSyntax>(json).unwrap()), ..TextSpec::default() }
}

/// A declaration of an encoding.
pub fn encoded(encoding: Encoding) -> TextSpec {
    TextSpec { encoding: Some(encoding), ..TextSpec::default() }
}

/// The setting that a fault names.
pub fn setting(read: Result<Read, Fault>) -> String {
    match read {
        Err(Fault::Setting { setting, .. }) => setting,
        other => panic!("{other:?}"),
    }
}
