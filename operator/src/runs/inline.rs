//! Small answers as a `ConfigMap` holds them: `rows.csv` for people, `rows.arrow` (an IPC stream) with every type for
//! programs, and the account.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::writer::StreamWriter;
use wanqu_client::csv;
use wanqu_model::answer::Summary;

/// The most bytes of CSV and IPC stream together. A `ConfigMap` takes 1 MiB.
const MOST: usize = 512 * 1024;

/// An answer that fits into a `ConfigMap`.
#[derive(Debug, PartialEq)]
pub(crate) struct Inline {
    /// Header line and rows, as [`csv`] writes them.
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
    let mut csv = csv::header(schema);
    let mut stream = StreamWriter::try_new(Vec::new(), schema)?;
    for batch in batches {
        csv += &csv::lines(batch)?;
        stream.write(batch)?;
    }
    let account = serde_json::to_string(summary).map_err(|error| ArrowError::ExternalError(error.into()))?;
    Ok(Inline { csv, arrow: stream.into_inner()?, account })
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, Int64Array, ListArray, StringArray};
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
