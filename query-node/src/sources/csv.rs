//! Comma-separated values with a header line (RFC 4180), UTF-8. An empty field is NULL.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::csv::ReaderBuilder;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;

use super::fault::SourceFault;
use super::records::{BlockDecoder, RecordFormat};
use super::split::{Block, Boundary};

/// The format.
#[derive(Debug)]
pub struct Csv;

impl RecordFormat for Csv {
    fn name(&self) -> &'static str {
        "CSV"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["csv"]
    }

    fn boundary(&self) -> Boundary {
        Boundary::Csv
    }

    fn header_records(&self) -> usize {
        1
    }

    fn decoder(&self, declared: &SchemaRef, head: &Block) -> Result<Arc<dyn BlockDecoder>, SourceFault> {
        let names = header(&head.bytes)?;
        let by_name: HashMap<&str, &Arc<Field>> = declared.fields().iter().map(|f| (f.name().as_str(), f)).collect();
        let mut fields: Vec<Arc<Field>> = Vec::with_capacity(names.len());
        for name in &names {
            let undeclared = || Arc::new(Field::new(name, DataType::Utf8, true));
            fields.push(by_name.get(name.as_str()).map_or_else(undeclared, |f| Arc::clone(f)));
        }
        let mut projection = Vec::with_capacity(declared.fields().len());
        for field in declared.fields() {
            if matches!(field.data_type(), DataType::List(_)) {
                return Err(SourceFault::ColumnType(field.name().clone()));
            }
            let mut places = names.iter().enumerate().filter(|(_, n)| *n == field.name()).map(|(i, _)| i);
            projection.push(places.next().ok_or_else(|| SourceFault::MissingColumn(field.name().clone()))?);
            if places.next().is_some() {
                return Err(SourceFault::AmbiguousColumn(field.name().clone()));
            }
        }
        Ok(Arc::new(CsvDecoder { file_schema: Arc::new(Schema::new(fields)), projection }))
    }
}

/// The names in a header line.
fn header(line: &[u8]) -> Result<Vec<String>, SourceFault> {
    let text = std::str::from_utf8(line).map_err(|_| SourceFault::Unreadable)?;
    let mut names = Vec::new();
    let mut name = String::new();
    let mut chars = text.trim_end_matches(['\r', '\n']).chars().peekable();
    let mut quoted = false;
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                name.push('"');
            }
            '"' if quoted || name.is_empty() => quoted = !quoted,
            ',' if !quoted => names.push(std::mem::take(&mut name)),
            other => name.push(other),
        }
    }
    names.push(name);
    Ok(names)
}

#[derive(Debug)]
struct CsvDecoder {
    /// All columns of the file, in its order; those that are not declared are passed over.
    file_schema: SchemaRef,
    projection: Vec<usize>,
}

impl BlockDecoder for CsvDecoder {
    fn decode(&self, bytes: &[u8], records: usize) -> Result<Option<RecordBatch>, ArrowError> {
        let mut decoder = ReaderBuilder::new(Arc::clone(&self.file_schema))
            // A lone carriage return ends a record for the decoder too, so that there may be more than were cut.
            .with_batch_size(2 * records + 8)
            .with_projection(self.projection.clone())
            .build_decoder();
        let mut rest = bytes;
        while !rest.is_empty() {
            let read = decoder.decode(rest)?;
            if read == 0 {
                return Err(ArrowError::CsvError("far more records than lines".to_owned()));
            }
            rest = &rest[read..];
        }
        // An empty piece is the end of the input: what is left open is a record now, or an error.
        decoder.decode(&[])?;
        decoder.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_a_record_like_others() {
        for (line, names) in [
            ("a,b\n", vec!["a", "b"]),
            ("\"a \"\"x\"\"\",\"b,c\",就诊\r\n", vec!["a \"x\"", "b,c", "就诊"]),
            ("a,,b", vec!["a", "", "b"]),
        ] {
            assert_eq!(header(line.as_bytes()).unwrap(), names, "{line:?}");
        }
        assert_eq!(header(b"a,\xff\n"), Err(SourceFault::Unreadable));
    }
}
