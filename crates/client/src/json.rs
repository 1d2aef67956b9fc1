//! Rows as JSON, of which no value is lost without a word.
//!
//! JSON has no number for NaN and the infinities, so they are texts, as PostgreSQL's `to_json` writes them; `null` is NULL
//! alone. So that each object has all names, NULL is written.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, Field, FieldRef};
use arrow::error::ArrowError;
use arrow::json::writer::{
    Encoder, EncoderFactory, EncoderOptions, JsonFormat, NullableEncoder, Writer, WriterBuilder, make_encoder,
};
use arrow::util::display::{ArrayFormatter, FormatOptions};

const STRICT: FormatOptions<'static> = FormatOptions::new().with_display_error(false);

/// Returns a writer of rows.
#[must_use]
pub fn writer<F: JsonFormat>() -> Writer<Vec<u8>, F> {
    WriterBuilder::new().with_explicit_nulls(true).with_encoder_factory(Arc::new(WholeFloats)).build(Vec::new())
}

/// Checks that every value has a text. Arrow's writer would write the error's text in its place.
///
/// # Errors
/// If one has none: a day or a time out of the calendar's range.
pub fn has_texts(batch: &RecordBatch) -> Result<(), ArrowError> {
    batch.columns().iter().try_for_each(has_text)
}

/// Checks that every value of a column has a text.
fn has_text(column: &ArrayRef) -> Result<(), ArrowError> {
    if may_lack_text(column.data_type()) {
        let format = ArrayFormatter::try_new(column, &STRICT)?;
        for row in 0..column.len() {
            format.value(row).try_to_string()?;
        }
    }
    Ok(())
}

/// Returns each value of a column as JSON: of a list, the text of an array.
///
/// # Errors
/// If a value has no text, or the column's type none in JSON.
pub fn values(column: &ArrayRef) -> Result<Vec<String>, ArrowError> {
    has_text(column)?;
    let field = Arc::new(Field::new("value", column.data_type().clone(), true));
    let options = EncoderOptions::default().with_explicit_nulls(true).with_encoder_factory(Arc::new(WholeFloats));
    let mut encoder = make_encoder(&field, column, &options)?;
    let value = |row| {
        let mut text = Vec::new();
        if encoder.is_null(row) {
            text.extend_from_slice(b"null");
        } else {
            encoder.encode(row, &mut text);
        }
        String::from_utf8(text).map_err(|error| ArrowError::JsonError(error.to_string()))
    };
    (0..column.len()).map(value).collect()
}

/// Returns false for the types whose every value can be written.
fn may_lack_text(data_type: &DataType) -> bool {
    let text = matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
    !(text || data_type.is_numeric() || matches!(data_type, DataType::Boolean | DataType::Null))
}

/// Chooses the encoder of floats, wherever they are: in a column or in a list.
#[derive(Debug)]
struct WholeFloats;

impl EncoderFactory for WholeFloats {
    fn make_default_encoder<'a>(
        &self,
        _: &'a FieldRef,
        array: &'a dyn Array,
        _: &'a EncoderOptions,
    ) -> Result<Option<NullableEncoder<'a>>, ArrowError> {
        if !array.data_type().is_floating() {
            return Ok(None);
        }
        let floats = Floats(ArrayFormatter::try_new(array, &STRICT)?);
        Ok(Some(NullableEncoder::new(Box::new(floats), array.nulls().cloned())))
    }
}

/// Encoder of one column of floats.
struct Floats<'a>(ArrayFormatter<'a>);

impl Encoder for Floats<'_> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        let text = self.0.value(row).to_string();
        let text = match text.as_str() {
            "NaN" => "\"NaN\"",
            "inf" => "\"Infinity\"",
            "-inf" => "\"-Infinity\"",
            number => number,
        };
        out.extend_from_slice(text.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Float32Array, Float64Array, ListArray, StringArray, TimestampMicrosecondArray};
    use arrow::buffer::{NullBuffer, OffsetBuffer};
    use arrow::datatypes::Float64Type;
    use arrow::json::writer::LineDelimited;

    use super::*;

    fn written(column: ArrayRef) -> String {
        let batch = RecordBatch::try_from_iter_with_nullable([("f", column, true)]).unwrap();
        has_texts(&batch).unwrap();
        let mut writer = writer::<LineDelimited>();
        writer.write(&batch).unwrap();
        writer.finish().unwrap();
        String::from_utf8(writer.into_inner()).unwrap()
    }

    #[test]
    fn what_json_has_no_number_for_is_a_text_and_null_is_null() {
        let values = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, 1e300, 5e-324];
        let column: Float64Array = values.into_iter().map(Some).chain([None]).collect();
        let text = written(Arc::new(column));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[..3], [r#"{"f":"NaN"}"#, r#"{"f":"Infinity"}"#, r#"{"f":"-Infinity"}"#]);
        assert_eq!(lines[6], r#"{"f":null}"#);
        for (line, value) in lines[3..6].iter().zip(&values[3..]) {
            let read: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!(read["f"].as_f64().map(f64::to_bits), Some(value.to_bits()), "{line}");
        }
    }

    #[test]
    fn floats_of_half_the_size_and_in_lists_too() {
        assert_eq!(written(Arc::new(Float32Array::from(vec![f32::NAN]))), "{\"f\":\"NaN\"}\n");
        let list = ListArray::from_iter_primitive::<Float64Type, _, _>([Some(vec![Some(f64::NAN), None, Some(1.5)])]);
        assert_eq!(written(Arc::new(list)), "{\"f\":[\"NaN\",null,1.5]}\n");
    }

    #[test]
    fn an_array_keeps_what_its_text_would_lose() {
        let items: ArrayRef = Arc::new(StringArray::from(vec![
            Some("a, b"),
            None,
            Some(""),
            Some("null"),
            Some("\"x\"\n[1]"),
            Some("深圳"),
        ]));
        let field = Arc::new(Field::new_list_field(DataType::Utf8, true));
        let lists: ArrayRef = Arc::new(ListArray::new(
            Arc::clone(&field),
            OffsetBuffer::new(vec![0, 4, 4, 6, 6].into()),
            items,
            Some(NullBuffer::from(vec![true, true, true, false])),
        ));
        let texts = [r#"["a, b",null,"","null"]"#, "[]", r#"["\"x\"\n[1]","深圳"]"#, "null"];
        assert_eq!(values(&lists).unwrap(), texts);
        let outer = Arc::new(Field::new_list_field(lists.data_type().clone(), true));
        let nested: ArrayRef = Arc::new(ListArray::new(outer, OffsetBuffer::new(vec![0, 4].into()), lists, None));
        assert_eq!(values(&nested).unwrap(), [format!("[{}]", texts.join(","))]);
    }

    #[test]
    fn a_time_out_of_the_calendars_range_is_found_in_a_list_too() {
        let column: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![Some(0), None, Some(i64::MAX)]));
        let list = arrow::compute::cast(&column, &DataType::new_list(column.data_type().clone(), true)).unwrap();
        for column in [column, list] {
            let batch = |rows| RecordBatch::try_from_iter([("t", column.slice(0, rows))]).unwrap();
            assert!(has_texts(&batch(3)).is_err());
            assert!(has_texts(&batch(2)).is_ok());
            assert!(values(&column).is_err());
        }
    }
}
