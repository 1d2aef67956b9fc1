//! Literals.

use arrow::array::Array;
use arrow::datatypes::{DataType, IntervalMonthDayNano};
use datafusion::common::{Result as DfResult, ScalarValue, plan_err};

use super::text_literal;
use super::types::{cast_text, engine_cast_text};

/// Days from 1970-01-01 whose dates have years of four digits: 0001-01-01 to 9999-12-31.
const WRITTEN_DAYS: std::ops::RangeInclusive<i32> = -719_162..=2_932_896;

/// Returns the text of a literal with its type. A negative number begins with its sign.
pub(super) fn literal_text(value: &ScalarValue) -> DfResult<String> {
    let data_type = value.data_type();
    if value.is_null() {
        return Ok(if data_type == DataType::Null { "NULL".to_owned() } else { cast_text("NULL", &data_type, false) });
    }
    let as_text = || Ok::<_, datafusion::common::DataFusionError>(text_literal(&text_of(value)?));
    Ok(match value {
        ScalarValue::Boolean(Some(truth)) => truth.to_string(),
        ScalarValue::Int64(Some(number)) => number.to_string(),
        ScalarValue::Int8(_)
        | ScalarValue::Int16(_)
        | ScalarValue::Int32(_)
        | ScalarValue::UInt8(_)
        | ScalarValue::UInt16(_)
        | ScalarValue::UInt32(_) => cast_text(&text_of(value)?, &data_type, false),
        // Shortest text that reads back as the same number.
        ScalarValue::Float32(Some(number)) if number.is_finite() => {
            cast_text(&text_literal(&format!("{number:?}")), &data_type, false)
        }
        ScalarValue::Float64(Some(number)) if number.is_finite() => {
            cast_text(&text_literal(&format!("{number:?}")), &data_type, false)
        }
        ScalarValue::Float32(Some(number)) => cast_text(&text_literal(&number.to_string()), &data_type, false),
        ScalarValue::Float64(Some(number)) => cast_text(&text_literal(&number.to_string()), &data_type, false),
        ScalarValue::Utf8(Some(text)) | ScalarValue::LargeUtf8(Some(text)) | ScalarValue::Utf8View(Some(text)) => {
            text_literal(text)
        }
        ScalarValue::Binary(Some(bytes)) => hex_text(bytes),
        ScalarValue::LargeBinary(Some(bytes))
        | ScalarValue::BinaryView(Some(bytes))
        | ScalarValue::FixedSizeBinary(_, Some(bytes)) => engine_cast_text(&hex_text(bytes), &data_type, false),
        ScalarValue::Date32(Some(days)) if !WRITTEN_DAYS.contains(days) => {
            engine_cast_text(&cast_text(&days.to_string(), &DataType::Int32, false), &data_type, false)
        }
        ScalarValue::TimestampSecond(Some(count), zone)
        | ScalarValue::TimestampMillisecond(Some(count), zone)
        | ScalarValue::TimestampMicrosecond(Some(count), zone)
        | ScalarValue::TimestampNanosecond(Some(count), zone) => match text_of(value) {
            Ok(text) if zone.is_none() && text.starts_with(|c: char| c.is_ascii_digit()) => {
                cast_text(&text_literal(&text), &data_type, false)
            }
            _ => engine_cast_text(&count.to_string(), &data_type, false),
        },
        ScalarValue::DurationSecond(Some(count))
        | ScalarValue::DurationMillisecond(Some(count))
        | ScalarValue::DurationMicrosecond(Some(count))
        | ScalarValue::DurationNanosecond(Some(count)) => engine_cast_text(&count.to_string(), &data_type, false),
        ScalarValue::IntervalMonthDayNano(Some(interval)) => interval_text(interval),
        ScalarValue::List(list) => list_text(&list.value(0), &data_type)?,
        ScalarValue::LargeList(list) => list_text(&list.value(0), &data_type)?,
        ScalarValue::FixedSizeList(list) => list_text(&list.value(0), &data_type)?,
        ScalarValue::Dictionary(_, inner) => engine_cast_text(&literal_text(inner)?, &data_type, false),
        ScalarValue::UInt64(_)
        | ScalarValue::Decimal32(..)
        | ScalarValue::Decimal64(..)
        | ScalarValue::Decimal128(..)
        | ScalarValue::Decimal256(..)
        | ScalarValue::Float16(_)
        | ScalarValue::Date32(_)
        | ScalarValue::Time32Second(_)
        | ScalarValue::Time32Millisecond(_)
        | ScalarValue::Time64Microsecond(_)
        | ScalarValue::Time64Nanosecond(_) => cast_text(&as_text()?, &data_type, false),
        _ => return plan_err!("a literal of type {data_type} has no form in SQL"),
    })
}

fn text_of(value: &ScalarValue) -> DfResult<String> {
    if let ScalarValue::Utf8(Some(text)) = value.cast_to(&DataType::Utf8)? {
        Ok(text)
    } else {
        plan_err!("a literal of type {} has no text", value.data_type())
    }
}

fn hex_text(bytes: &[u8]) -> String {
    use std::fmt::Write;
    let mut text = "X'".to_owned();
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text + "'"
}

fn interval_text(interval: &IntervalMonthDayNano) -> String {
    let IntervalMonthDayNano { months, days, nanoseconds } = interval;
    let parts = [(i64::from(*months), "month"), (i64::from(*days), "day"), (*nanoseconds, "nanosecond")];
    let given: Vec<String> = parts.iter().filter(|(n, _)| *n != 0).map(|(n, unit)| format!("{n} {unit}")).collect();
    format!("INTERVAL '{}'", if given.is_empty() { "0 day".to_owned() } else { given.join(" ") })
}

fn list_text(items: &dyn Array, data_type: &DataType) -> DfResult<String> {
    let texts = (0..items.len()).map(|i| literal_text(&ScalarValue::try_from_array(items, i)?));
    let list = format!("make_array({})", texts.collect::<DfResult<Vec<_>>>()?.join(", "));
    Ok(engine_cast_text(&list, data_type, false))
}
