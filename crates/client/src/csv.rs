//! Rows as CSV (RFC 4180), as the command line and the operator write them.
//!
//! NULL is nothing at all, and an empty text is `""`, so that PostgreSQL's `COPY` and a dataset of this project read back
//! what was written. A row of one column that is NULL is an empty line. A list is
//! written as JSON (`["a, b",null,1.5]`), since CSV has no lists: a comma in an item is none between items, and NULL is
//! `null`. As in JSON everywhere here, NaN and the infinities are texts.

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::datatypes::Schema;
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};

use crate::json;

/// Returns the line of the columns' names.
#[must_use]
pub fn header(schema: &Schema) -> String {
    line(schema.fields().iter().map(|field| Some(field.name().clone())))
}

/// Returns a line for each row.
///
/// # Errors
/// If a value has no text: a day or a time out of the calendar's range.
pub fn lines(batch: &RecordBatch) -> Result<String, ArrowError> {
    let options = FormatOptions::new().with_display_error(false);
    let columns = batch.columns().iter().map(|column| Text::new(column, &options));
    let formats = columns.collect::<Result<Vec<_>, _>>()?;
    // A column without a type has no bits for its NULLs.
    let nulls: Vec<_> = batch.columns().iter().map(Array::logical_nulls).collect();
    let mut text = String::new();
    for row in 0..batch.num_rows() {
        let fields = nulls.iter().zip(&formats);
        let fields = fields.map(|(nulls, format)| {
            let present = nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
            present.then(|| format.of(row)).transpose()
        });
        text += &line(fields.collect::<Result<Vec<_>, _>>()?);
    }
    Ok(text)
}

/// Text of each value of a column.
enum Text<'a> {
    Plain(ArrayFormatter<'a>),
    /// One JSON value for each row.
    Json(Vec<String>),
}

impl<'a> Text<'a> {
    fn new(column: &'a ArrayRef, options: &'a FormatOptions<'a>) -> Result<Self, ArrowError> {
        Ok(if column.data_type().is_nested() {
            Self::Json(json::values(column)?)
        } else {
            Self::Plain(ArrayFormatter::try_new(column, options)?)
        })
    }

    fn of(&self, row: usize) -> Result<String, ArrowError> {
        match self {
            Self::Plain(format) => format.value(row).try_to_string(),
            Self::Json(values) => Ok(values[row].clone()),
        }
    }
}

fn line(fields: impl IntoIterator<Item = Option<String>>) -> String {
    let fields: Vec<String> = fields.into_iter().map(|field| field.map(quoted).unwrap_or_default()).collect();
    fields.join(",") + "\n"
}

/// Returns a value between quotes if it would be read as something else without them.
fn quoted(text: String) -> String {
    let marked = |c: char| matches!(c, ',' | '"' | '\r' | '\n');
    // Spaces at the ends are trimmed by some readers.
    let spaced = text.starts_with([' ', '\t']) || text.ends_with([' ', '\t']);
    if text.is_empty() || spaced || text.contains(marked) {
        return format!("\"{}\"", text.replace('"', "\"\""));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        ArrayRef, Float64Array, Int64Array, ListArray, NullArray, StringArray, TimestampMicrosecondArray,
    };
    use arrow::datatypes::{Int64Type, Schema};

    use super::*;

    fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap()
    }

    fn texts(values: Vec<Option<&str>>) -> ArrayRef {
        Arc::new(StringArray::from(values))
    }

    #[test]
    fn null_and_the_empty_text_are_two_things() {
        let rows = batch(vec![("a", texts(vec![Some(""), None])), ("b", texts(vec![None, Some("")]))]);
        assert_eq!(lines(&rows).unwrap(), "\"\",\n,\"\"\n");
        let untyped: ArrayRef = Arc::new(NullArray::new(2));
        assert_eq!(
            lines(&batch(vec![("a", untyped), ("b", texts(vec![Some("x"), Some("")]))])).unwrap(),
            ",x\n,\"\"\n"
        );
        let rows = batch(vec![("a", texts(vec![Some(""), None, Some("x")]))]);
        assert_eq!(lines(&rows).unwrap(), "\"\"\n\nx\n");
    }

    #[test]
    fn what_could_be_misread_is_quoted() {
        let rows = batch(vec![("a", texts(vec![Some("a,b"), Some("a\"b"), Some("a\r\nb"), Some(" a"), Some("深圳")]))]);
        assert_eq!(lines(&rows).unwrap(), "\"a,b\"\n\"a\"\"b\"\n\"a\r\nb\"\n\" a\"\n深圳\n");
        let schema = Schema::new(vec![rows.schema().field(0).clone().with_name("n, \"x\"")]);
        assert_eq!(header(&schema), "\"n, \"\"x\"\"\"\n");
    }

    #[test]
    fn numbers_keep_their_digits_and_a_list_is_json() {
        let list = ListArray::from_iter_primitive::<Int64Type, _, _>([Some(vec![Some(1), None]), None]);
        let rows = batch(vec![
            ("n", Arc::new(Int64Array::from(vec![Some(i64::MIN), None]))),
            ("f", Arc::new(Float64Array::from(vec![f64::NAN, f64::NEG_INFINITY]))),
            ("l", Arc::new(list)),
        ]);
        assert_eq!(lines(&rows).unwrap(), "-9223372036854775808,NaN,\"[1,null]\"\n,-inf,\n");
    }

    #[test]
    fn a_time_that_has_no_text_is_an_error() {
        let rows = batch(vec![("t", Arc::new(TimestampMicrosecondArray::from(vec![i64::MAX])))]);
        assert!(lines(&rows).is_err());
        assert!(lines(&batch(vec![("t", Arc::new(TimestampMicrosecondArray::from(vec![0])))])).is_ok());
    }
}
