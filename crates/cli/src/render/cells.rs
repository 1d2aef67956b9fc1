//! Values in the form in which people read them.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float32Type, Float64Type, SchemaRef};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};

use wanqu_client::json;

use crate::escape;

/// Text for an absent value.
pub const NULL: &str = "NULL";

/// Returns all cells of a batch as text, row by row, each in one line and fit for a terminal ([`escape::line`]).
pub fn rows_of(batch: &RecordBatch) -> Result<Vec<Vec<String>>, ArrowError> {
    let options = FormatOptions::new().with_null(NULL).with_display_error(false);
    let mut rows = vec![Vec::with_capacity(batch.num_columns()); batch.num_rows()];
    for column in batch.columns() {
        // A column without a type has no bits for its NULLs.
        let nulls = column.logical_nulls();
        let is_null = |index| nulls.as_ref().is_some_and(|nulls| nulls.is_null(index));
        if column.data_type().is_nested() {
            // As JSON, in which the items of a list can be told apart.
            for (index, (row, value)) in rows.iter_mut().zip(json::values(column)?).enumerate() {
                row.push(if is_null(index) { NULL.to_owned() } else { escape::line(&value) });
            }
            continue;
        }
        let format = ArrayFormatter::try_new(column, &options)?;
        for (index, row) in rows.iter_mut().enumerate() {
            row.push(match float_at(column, index) {
                Some(value) => float(value),
                None if is_null(index) => NULL.to_owned(),
                None => no_null(escape::line(&format.value(index).try_to_string()?)),
            });
        }
    }
    Ok(rows)
}

/// Returns a text that can be told from an absent value: `NULL` in quotes, and so on where it has some.
fn no_null(text: String) -> String {
    if text.trim_matches('"') == NULL { format!("\"{text}\"") } else { text }
}

/// Returns true for each column of numbers, which is aligned to the right.
#[must_use]
pub fn numeric(schema: &SchemaRef) -> Vec<bool> {
    schema.fields().iter().map(|field| field.data_type().is_numeric()).collect()
}

fn float_at(column: &dyn Array, index: usize) -> Option<f64> {
    if column.is_null(index) {
        return None;
    }
    match column.data_type() {
        DataType::Float64 => Some(column.as_primitive::<Float64Type>().value(index)),
        DataType::Float32 => Some(f64::from(column.as_primitive::<Float32Type>().value(index))),
        _ => None,
    }
}

/// Returns a float with at most four digits after the point, or six significant ones where it is small; exact digits are for the
/// formats that machines read.
fn float(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 || !value.is_finite() {
        return value.to_string();
    }
    if !(1e-4..1e15).contains(&size) {
        return format!("{value:.5e}");
    }
    let decimals = if size >= 1.0 { 4 } else { 6 };
    let text = format!("{value:.decimals$}");
    let short = text.trim_end_matches('0');
    // One digit stays after the point: an average of 3.0 is no count of 3.
    if short.ends_with('.') { format!("{short}0") } else { short.to_owned() }
}

/// Returns a number of bytes for people: `812 B`, `1.4 KiB`.
#[must_use]
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    let mut size = count as f64 / 1024.0;
    let mut unit = 0;
    while size >= 1023.95 && unit + 1 < UNITS.len() {
        size /= 1024.0;
        unit += 1;
    }
    format!("{size:.1} {}", UNITS[unit])
}

/// Returns a time for people: `84 ms`, `3.2 s`.
#[must_use]
pub fn duration(milliseconds: u64) -> String {
    match milliseconds {
        0..1_000 => format!("{milliseconds} ms"),
        1_000..60_000 => format!("{:.1} s", milliseconds as f64 / 1_000.0),
        _ => format!("{} min {} s", milliseconds / 60_000, milliseconds % 60_000 / 1_000),
    }
}

/// Returns a count with its noun: `1 row`, `2 rows`.
#[must_use]
pub fn counted(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, ListArray, StringArray};

    use super::*;

    #[test]
    fn floats_are_short_and_stay_floats() {
        for (value, text) in [
            (3.0, "3.0"),
            (1_234.567_891, "1234.5679"),
            (0.123_456_789, "0.123457"),
            (-2.5, "-2.5"),
            (1e20, "1.00000e20"),
            (0.000_012_5, "1.25000e-5"),
            (0.0, "0"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(float(value), text);
        }
    }

    #[test]
    fn a_text_does_not_look_like_an_absent_value_or_another_text() {
        let texts = [Some("NULL"), None, Some("\"NULL\""), Some("a\nb"), Some("a\\nb"), Some("null")];
        let column: ArrayRef = Arc::new(StringArray::from(texts.to_vec()));
        let batch = RecordBatch::try_from_iter_with_nullable([("t", column, true)]).unwrap();
        let shown: Vec<String> = rows_of(&batch).unwrap().into_iter().flatten().collect();
        assert_eq!(shown, ["\"NULL\"", "NULL", "\"\"NULL\"\"", "a\\nb", "a\\\\nb", "null"]);
    }

    #[test]
    fn a_list_is_json_and_an_absent_one_is_no_list() {
        let items = [Some(vec![Some(f64::NAN), None, Some(0.1)]), None, Some(vec![])];
        let list: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Float64Type, _, _>(items));
        let batch = RecordBatch::try_from_iter_with_nullable([("l", list, true)]).unwrap();
        let shown: Vec<String> = rows_of(&batch).unwrap().into_iter().flatten().collect();
        assert_eq!(shown, ["[\"NaN\",null,0.1]", "NULL", "[]"]);
    }

    #[test]
    fn sizes_and_times_have_units() {
        assert_eq!(bytes(0), "0 B");
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(1434), "1.4 KiB");
        assert_eq!(bytes(1024 * 1024 - 1), "1.0 MiB");
        assert_eq!(bytes(u64::MAX), "16384.0 PiB");
        assert_eq!(duration(84), "84 ms");
        assert_eq!(duration(3_210), "3.2 s");
        assert_eq!(duration(125_000), "2 min 5 s");
        assert_eq!(counted(1, "row"), "1 row");
        assert_eq!(counted(0, "row"), "0 rows");
    }
}
