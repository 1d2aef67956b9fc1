//! Rebuilds batches from their visible values: what else a batch holds in memory must not cross.
//!
//! An Arrow array can hold more than it shows. The slot of a null keeps the value that was there before; a view array
//! keeps every buffer that any of its rows ever pointed into; a slice keeps its neighbours, and IPC rounds a slice of
//! booleans up to whole bytes; a dictionary keeps entries that no row uses; a schema keeps its source's metadata. The IPC
//! writer sends most of that as it is. So each column is rebuilt from its values alone before it is written, unless
//! it is of a form in which there is nothing else.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::row::{RowConverter, SortField};

/// Returns a schema of the same names, types and nullability, without metadata.
#[must_use]
pub fn bare_schema(schema: &Schema) -> SchemaRef {
    let bare = |field: &Arc<Field>| Field::new(field.name(), bare_type(field.data_type()), field.is_nullable());
    Arc::new(Schema::new(schema.fields().iter().map(bare).collect::<Vec<_>>()))
}

fn bare_type(data_type: &DataType) -> DataType {
    let bare =
        |field: &Arc<Field>| Arc::new(Field::new(field.name(), bare_type(field.data_type()), field.is_nullable()));
    match data_type {
        DataType::List(field) => DataType::List(bare(field)),
        DataType::LargeList(field) => DataType::LargeList(bare(field)),
        DataType::FixedSizeList(field, size) => DataType::FixedSizeList(bare(field), *size),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(bare).collect()),
        DataType::Dictionary(_, values) => bare_type(values),
        other => other.clone(),
    }
}

/// Returns the batch with each column rebuilt from its visible values; `schema` is [`bare_schema`] of the batch's own.
///
/// # Errors
/// If a column's type cannot be rebuilt: it is then better not sent.
pub fn cleared(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let columns = batch
        .columns()
        .iter()
        .zip(schema.fields())
        .map(|(column, field)| {
            let column = cleared_column(column)?;
            if column.data_type() == field.data_type() {
                Ok(column)
            } else {
                arrow::compute::cast(&column, field.data_type())
            }
        })
        .collect::<Result<Vec<_>, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
}

fn cleared_column(column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    if column.null_count() == 0 {
        match column.data_type() {
            // The writer cuts these to exactly the rows of the slice.
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Binary | DataType::LargeBinary => {
                return Ok(Arc::clone(column));
            }
            fixed if fixed.is_primitive() => return Ok(Arc::clone(column)),
            DataType::Utf8View => return Ok(Arc::new(column.as_string_view().gc())),
            DataType::BinaryView => return Ok(Arc::new(column.as_binary_view().gc())),
            _ => {}
        }
    }
    rebuilt(column)
}

/// Rebuilds a column through the row format, which holds values and nulls, and nothing else.
fn rebuilt(column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    if column.data_type() == &DataType::Null {
        return Ok(arrow::array::new_null_array(&DataType::Null, column.len()));
    }
    let converter = RowConverter::new(vec![SortField::new(column.data_type().clone())])?;
    let rows = converter.convert_columns(&[Arc::clone(column)])?;
    let mut columns = converter.convert_rows(&rows)?;
    columns.pop().ok_or_else(|| ArrowError::ComputeError("the row format lost a column".to_owned()))
}

#[cfg(test)]
mod tests {
    use arrow::array::{
        BooleanArray, DictionaryArray, Float64Array, Int64Array, ListArray, StringArray, StringViewArray, StructArray,
    };
    use arrow::buffer::{BooleanBuffer, NullBuffer, OffsetBuffer};
    use arrow::datatypes::Int32Type;
    use arrow_flight::encode::FlightDataEncoderBuilder;
    use futures::StreamExt;

    use super::*;

    const CANARY: &str = "CANARY-4417-a-name-that-is-long-enough-to-need-a-buffer";
    const SECRET: i64 = 0x4341_4e41_5259_3131;

    /// The bytes that a column becomes on the wire.
    async fn wire(column: ArrayRef, clear: bool) -> Vec<u8> {
        let schema = Schema::new(vec![Field::new("c", column.data_type().clone(), true)]);
        let mut batch = RecordBatch::try_new(Arc::new(schema), vec![column]).unwrap();
        if clear {
            batch = cleared(&batch, &bare_schema(&batch.schema())).unwrap();
        }
        let mut stream = FlightDataEncoderBuilder::new().build(futures::stream::iter([Ok(batch)]));
        let mut bytes = Vec::new();
        while let Some(data) = stream.next().await {
            bytes.extend_from_slice(&data.unwrap().data_body);
        }
        bytes
    }

    fn holds(bytes: &[u8], what: &[u8]) -> bool {
        bytes.windows(what.len()).any(|window| window == what)
    }

    /// Arrays that show no canary and hold one, each with the bytes to look for.
    fn planted() -> Vec<(&'static str, ArrayRef, Vec<u8>)> {
        let text = || vec!["a", CANARY, "b"];
        let hidden = Some(NullBuffer::from(vec![true, false, true]));
        let views = StringViewArray::from(text());
        let views_hidden = StringViewArray::new(views.views().clone(), views.data_buffers().to_vec(), hidden.clone());
        let short = StringViewArray::from(vec!["a", "CANARY-short", "b"]);
        let short = StringViewArray::new(short.views().clone(), short.data_buffers().to_vec(), hidden.clone());
        let strings = StringArray::from(text());
        let strings = StringArray::new(strings.offsets().clone(), strings.values().clone(), hidden.clone());
        let numbers = Int64Array::new(vec![1, SECRET, 2].into(), hidden.clone());
        let dictionary: DictionaryArray<Int32Type> = vec!["a", CANARY, "b"].into_iter().collect();
        let inner: ArrayRef = Arc::new(StringArray::from(text()));
        let item = Arc::new(Field::new("item", DataType::Utf8, true));
        let list = ListArray::new(item, OffsetBuffer::from_lengths([1, 1, 1]), Arc::clone(&inner), hidden.clone());
        let structure = StructArray::new(
            vec![Field::new("x", DataType::Utf8, true)].into(),
            vec![Arc::clone(&inner)],
            hidden.clone(),
        );
        let canary = CANARY.as_bytes().to_vec();
        vec![
            ("a view of which only the first row is left", Arc::new(views.slice(0, 1)), canary.clone()),
            ("a view under a null", Arc::new(views_hidden), canary.clone()),
            ("an inlined view under a null", Arc::new(short), b"CANARY-short".to_vec()),
            ("a string under a null", Arc::new(strings), canary.clone()),
            ("a number under a null", Arc::new(numbers), SECRET.to_le_bytes().to_vec()),
            ("a dictionary's unused entry", Arc::new(dictionary.slice(0, 1)), canary.clone()),
            ("a list under a null", Arc::new(list), canary.clone()),
            ("a structure under a null", Arc::new(structure), canary),
        ]
    }

    #[tokio::test]
    async fn values_behind_nulls_and_slices_do_not_cross_the_wire() {
        let mut leaks = 0;
        for (what, column, canary) in planted() {
            leaks += usize::from(holds(&wire(Arc::clone(&column), false).await, &canary));
            assert!(!holds(&wire(column, true).await, &canary), "{what}");
        }
        assert!(leaks >= 6, "the writer alone lets most of them through, or this test proves nothing: {leaks}");
    }

    #[tokio::test]
    async fn a_slice_of_booleans_does_not_bring_its_neighbours() {
        let all = BooleanArray::new(BooleanBuffer::from(vec![false, true, true, true, true, true, true, true]), None);
        let bytes = wire(Arc::new(all.slice(0, 1)), true).await;
        assert!(bytes.iter().all(|byte| *byte == 0));
    }

    #[test]
    fn visible_values_stay_what_they_are() {
        let mut columns: Vec<ArrayRef> = planted().into_iter().map(|(_, column, _)| column).collect();
        columns.push(Arc::new(Float64Array::from(vec![Some(-0.0), None, Some(f64::NAN)])));
        columns.push(Arc::new(StringViewArray::from(vec![Some(CANARY), None, Some("")])));
        columns.push(Arc::new(arrow::array::NullArray::new(3)));
        for column in columns {
            let schema = Arc::new(Schema::new(vec![Field::new("c", column.data_type().clone(), true)]));
            let batch = RecordBatch::try_new(schema, vec![Arc::clone(&column)]).unwrap();
            let clean = cleared(&batch, &bare_schema(&batch.schema())).unwrap();
            let before = arrow::compute::cast(&column, clean.column(0).data_type()).unwrap();
            assert_eq!(&before, clean.column(0));
        }
    }

    #[test]
    fn metadata_of_fields_does_not_cross_the_wire() {
        let note = [("note".to_owned(), CANARY.to_owned())];
        let item = Field::new("item", DataType::Int64, true).with_metadata(note.clone().into());
        let field = Field::new("c", DataType::List(Arc::new(item)), true).with_metadata(note.clone().into());
        let schema = Schema::new(vec![field]).with_metadata(note.into());
        assert!(!format!("{:?}", bare_schema(&schema)).contains(CANARY));
    }

    #[test]
    fn a_batch_without_columns_keeps_its_rows() {
        let options = RecordBatchOptions::new().with_row_count(Some(3));
        let batch = RecordBatch::try_new_with_options(Arc::new(Schema::empty()), vec![], &options).unwrap();
        assert_eq!(cleared(&batch, &bare_schema(&batch.schema())).unwrap().num_rows(), 3);
    }
}
