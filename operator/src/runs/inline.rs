//! Small answers as a `ConfigMap` holds them: `rows.csv` for people, `rows.arrow` (an IPC stream) with every type for
//! programs, and the account.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::csv::WriterBuilder;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::writer::StreamWriter;
use arrow::util::display::array_value_to_string;
use wanqu_model::answer::Summary;

/// The most bytes of CSV and IPC stream together. A `ConfigMap` takes 1 MiB.
const MOST: usize = 512 * 1024;

/// An answer that fits into a `ConfigMap`.
#[derive(Debug, PartialEq)]
pub(crate) struct Inline {
    /// RFC 4180, with a header line.
    pub(crate) csv: String,
    /// An Arrow IPC stream.
    pub(crate) arrow: Vec<u8>,
    /// The account, JSON.
    pub(crate) account: String,
}

/// Collects rows as long as they are few.
pub(crate) struct Rows {
    most: u32,
    taken: usize,
    bytes: usize,
    schema: Option<SchemaRef>,
    /// None once there are too many.
    batches: Option<Vec<RecordBatch>>,
}

impl Rows {
    /// An empty collection of up to so many rows.
    pub(crate) fn up_to(most: u32) -> Self {
        Self { most, taken: 0, bytes: 0, schema: None, batches: Some(Vec::new()) }
    }

    /// Sets the columns.
    pub(crate) fn begin(&mut self, schema: &SchemaRef) {
        self.schema = Some(Arc::clone(schema));
    }

    /// Adds rows.
    pub(crate) fn take(&mut self, batch: &RecordBatch) {
        self.taken += batch.num_rows();
        self.bytes += batch.get_array_memory_size();
        // Rows can take several times more memory than bytes in a file; more than this is never held.
        if self.taken > self.most as usize || self.bytes > 16 * MOST {
            self.batches = None;
        }
        if let Some(batches) = &mut self.batches {
            batches.push(batch.clone());
        }
    }

    /// Returns the answer, if it is small enough.
    pub(crate) fn finish(self, summary: &Summary) -> Option<Inline> {
        let (batches, schema) = (self.batches?, self.schema?);
        if self.most == 0 {
            return None;
        }
        match written(&schema, &batches, summary) {
            Ok(inline) => Some(inline).filter(|inline| inline.csv.len() + inline.arrow.len() <= MOST),
            Err(error) => {
                tracing::warn!(%error, "an answer cannot be written for a ConfigMap");
                None
            }
        }
    }
}

fn written(schema: &SchemaRef, batches: &[RecordBatch], summary: &Summary) -> Result<Inline, ArrowError> {
    let mut csv = Vec::new();
    let mut lines = WriterBuilder::new().with_header(true).build(&mut csv);
    let mut stream = StreamWriter::try_new(Vec::new(), schema)?;
    if batches.is_empty() {
        lines.write(&flat(&RecordBatch::new_empty(Arc::clone(schema)))?)?;
    }
    for batch in batches {
        lines.write(&flat(batch)?)?;
        stream.write(batch)?;
    }
    drop(lines);
    let account = serde_json::to_string(summary).map_err(|error| ArrowError::ExternalError(error.into()))?;
    let csv = String::from_utf8(csv).map_err(|error| ArrowError::ExternalError(error.into()))?;
    Ok(Inline { csv, arrow: stream.into_inner()?, account })
}

/// Replaces lists by text, since CSV has none.
fn flat(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let schema = batch.schema();
    let columns = batch.columns().iter().map(|column| -> Result<ArrayRef, ArrowError> {
        if !column.data_type().is_nested() {
            return Ok(Arc::clone(column));
        }
        let texts = (0..column.len()).map(|row| {
            let valid = !column.is_null(row);
            valid.then(|| array_value_to_string(column, row)).transpose()
        });
        Ok(Arc::new(texts.collect::<Result<StringArray, _>>()?))
    });
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    let fields = schema.fields().iter().zip(&columns).map(|(field, column)| {
        if field.data_type() == column.data_type() {
            Arc::clone(field)
        } else {
            Arc::new(Field::new(field.name(), DataType::Utf8, true))
        }
    });
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields.collect::<Vec<_>>())), columns, &options)
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int64Array, ListArray};
    use arrow::datatypes::Int64Type;
    use arrow::ipc::reader::StreamReader;

    use super::*;

    fn batch(rows: i64) -> RecordBatch {
        let names: ArrayRef = Arc::new(StringArray::from_iter_values((0..rows).map(|n| format!("深圳, \"{n}\""))));
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..rows));
        let lists: ArrayRef =
            Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>((0..rows).map(|n| Some(vec![Some(n), None]))));
        RecordBatch::try_from_iter([("name", names), ("n", numbers), ("list", lists)]).unwrap()
    }

    fn inline(most: u32, batches: &[RecordBatch]) -> Option<Inline> {
        let mut rows = Rows::up_to(most);
        rows.begin(&batch(0).schema());
        for batch in batches {
            rows.take(batch);
        }
        rows.finish(&Summary { rows: 2, ..Summary::default() })
    }

    #[test]
    fn a_small_answer_is_there_for_people_and_for_programs() {
        let answer = inline(2, &[batch(1), batch(1)]).unwrap();
        assert_eq!(answer.csv.lines().next(), Some("name,n,list"));
        assert_eq!(answer.csv.lines().count(), 3);
        assert!(answer.csv.contains("\"深圳, \"\"0\"\"\",0,"), "{}", answer.csv);
        let read: Vec<_> = StreamReader::try_new(answer.arrow.as_slice(), None).unwrap().map(Result::unwrap).collect();
        assert_eq!(read, [batch(1), batch(1)]);
        assert_eq!(serde_json::from_str::<Summary>(&answer.account).unwrap().rows, 2);
    }

    #[test]
    fn an_answer_without_rows_has_its_columns() {
        assert_eq!(inline(10, &[]).unwrap().csv, "name,n,list\n");
    }

    #[test]
    fn an_answer_that_is_too_large_for_a_config_map_is_not_held() {
        assert!(inline(1, &[batch(2)]).is_none());
        assert!(inline(0, &[]).is_none(), "a query may want no ConfigMap at all");
        assert!(inline(1_000_000, &[batch(20_000)]).is_none(), "too many bytes for a ConfigMap");
        let mut rows = Rows::up_to(1);
        rows.take(&batch(2));
        assert!(rows.batches.is_none());
    }
}
