//! Names of types in SQL.

use arrow::datatypes::{DataType, IntervalUnit, TimeUnit};

/// Most digits of a decimal that SQL's name reads back as 128 bits.
const DECIMAL128_DIGITS: u8 = 38;

/// Returns the name that reads back as a type; `None` if SQL has none for it.
pub(super) fn type_name(data_type: &DataType) -> Option<String> {
    let name = match data_type {
        DataType::Boolean => "BOOLEAN",
        DataType::Int8 => "TINYINT",
        DataType::Int16 => "SMALLINT",
        DataType::Int32 => "INTEGER",
        DataType::Int64 => "BIGINT",
        DataType::UInt8 => "TINYINT UNSIGNED",
        DataType::UInt16 => "SMALLINT UNSIGNED",
        DataType::UInt32 => "INTEGER UNSIGNED",
        DataType::UInt64 => "BIGINT UNSIGNED",
        DataType::Float32 => "FLOAT",
        DataType::Float64 => "DOUBLE",
        // They hold the same values: which one is computed with is the owner's choice.
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "VARCHAR",
        DataType::Binary => "BYTEA",
        DataType::Date32 => "DATE",
        DataType::Time64(TimeUnit::Nanosecond) => "TIME",
        DataType::Timestamp(TimeUnit::Second, None) => "TIMESTAMP(0)",
        DataType::Timestamp(TimeUnit::Millisecond, None) => "TIMESTAMP(3)",
        DataType::Timestamp(TimeUnit::Microsecond, None) => "TIMESTAMP(6)",
        DataType::Timestamp(TimeUnit::Nanosecond, None) => "TIMESTAMP(9)",
        DataType::Interval(IntervalUnit::MonthDayNano) => "INTERVAL",
        DataType::Decimal128(precision, scale) if *scale >= 0 && *precision <= DECIMAL128_DIGITS => {
            return Some(format!("DECIMAL({precision},{scale})"));
        }
        DataType::Decimal256(precision, scale) if *scale >= 0 && *precision > DECIMAL128_DIGITS => {
            return Some(format!("DECIMAL({precision},{scale})"));
        }
        _ => return None,
    };
    Some(name.to_owned())
}

/// Returns the text of a cast: `CAST`, or the function that takes the engine's own name of a type.
pub(super) fn cast_text(inner: &str, to: &DataType, or_null: bool) -> String {
    match type_name(to) {
        Some(name) => format!("{}({inner} AS {name})", if or_null { "TRY_CAST" } else { "CAST" }),
        None => engine_cast_text(inner, to, or_null),
    }
}

/// Returns the text of a cast to a type by the engine's own name of it.
pub(super) fn engine_cast_text(inner: &str, to: &DataType, or_null: bool) -> String {
    let function = if or_null { "arrow_try_cast" } else { "arrow_cast" };
    format!("{function}({inner}, {})", super::text_literal(&to.to_string()))
}
