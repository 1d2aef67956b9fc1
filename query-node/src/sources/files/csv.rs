//! Comma-separated values with a header line (RFC 4180), UTF-8. An empty field is NULL.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::csv::ReaderBuilder;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;

use super::records::{BlockDecoder, RecordFormat};
use super::split::{Block, Boundary};
use crate::sources::SourceFault;

/// CSV with a header.
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

/// Returns the names in the header, which is the record that `bytes` hold.
fn header(bytes: &[u8]) -> Result<Vec<String>, SourceFault> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(bytes);
    let mut records = reader.records();
    let (first, second) = (records.next(), records.next());
    match (first, second) {
        (Some(Ok(names)), None) => Ok(names.iter().map(str::to_owned).collect()),
        // A second record is one that a lone carriage return has ended: data that would be lost.
        _ => Err(SourceFault::Unreadable),
    }
}

#[derive(Debug)]
struct CsvDecoder {
    /// All columns of the file, in its order; those that are not declared are not decoded.
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
            ("\"cost\nin CNY\",\"\r\n\"\n", vec!["cost\nin CNY", "\r\n"]),
            ("a,,b", vec!["a", "", "b"]),
            ("5\" pipe,\"\"\n", vec!["5\" pipe", ""]),
        ] {
            assert_eq!(header(line.as_bytes()).unwrap(), names, "{line:?}");
        }
        for bytes in [&b"a,\xff\n"[..], b"\n", b"", b"a,b\r1,2\r3,4\n"] {
            assert_eq!(header(bytes), Err(SourceFault::Unreadable), "{bytes:?}");
        }
    }
}
