//! Casts: which are allowed over non-public data, and which keep every value as it is.
//!
//! A cast that may lose something is a condition in disguise (`CAST(m / 10000 AS BIGINT)` counts the large values), so
//! inside an aggregate only exact casts pass. A cast that may fail on a value would tell of that value by failing, so
//! elsewhere it gives NULL instead.

use arrow::compute::can_cast_types;
use arrow::datatypes::{DataType, TimeUnit};

/// Types that values may be cast between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Boolean,
    Number,
    Text,
    Temporal,
    Null,
}

fn family(data_type: &DataType) -> Option<Family> {
    Some(match data_type {
        DataType::Boolean => Family::Boolean,
        DataType::Decimal128(..) | DataType::Decimal256(..) => Family::Number,
        number if number.is_integer() || matches!(number, DataType::Float32 | DataType::Float64) => Family::Number,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Family::Text,
        DataType::Date32 | DataType::Timestamp(_, None) => Family::Temporal,
        DataType::Null => Family::Null,
        _ => return None,
    })
}

/// Returns true if a value of one type may be cast to another. Numbers do not become times: the calendar's range would
/// make such a cast fail on chosen values even where it is asked to give NULL.
pub(crate) fn is_allowed(from: &DataType, to: &DataType) -> bool {
    use Family::{Boolean, Null, Number, Temporal, Text};
    let (Some(from_family), Some(to_family)) = (family(from), family(to)) else { return false };
    // There is none from truth to a decimal, and nobody says so before it runs.
    if !can_cast_types(from, to) {
        return false;
    }
    match (from_family, to_family) {
        (Null, _) | (_, Text) | (Text | Boolean | Number, Boolean | Number) | (Text | Temporal, Temporal) => true,
        (Boolean | Number | Temporal, Null | Temporal | Boolean | Number) | (Text, Null) => false,
    }
}

/// Returns the decimal digits before the point that every value of an integer type fits into.
fn integer_digits(data_type: &DataType) -> Option<i16> {
    Some(match data_type {
        DataType::Int8 | DataType::UInt8 => 3,
        DataType::Int16 | DataType::UInt16 => 5,
        DataType::Int32 | DataType::UInt32 => 10,
        DataType::Int64 => 19,
        DataType::UInt64 => 20,
        _ => return None,
    })
}

/// Returns true if a cast keeps every value (to a float: to its precision), and so cannot fail.
pub(crate) fn is_exact(from: &DataType, to: &DataType) -> bool {
    use DataType::{
        Date32, Decimal128, Decimal256, Float32, Float64, Int8, Int16, Int32, Int64, LargeUtf8, Timestamp, Utf8,
        Utf8View,
    };
    if from == to {
        return true;
    }
    match (from, to) {
        (Int8, Int16 | Int32 | Int64)
        | (Int16, Int32 | Int64)
        | (Int32, Int64)
        | (Float32 | Decimal128(..) | Decimal256(..), Float64)
        | (Utf8 | LargeUtf8 | Utf8View, Utf8 | LargeUtf8 | Utf8View)
        | (Date32, Timestamp(TimeUnit::Second, None)) => true,
        (_, Float64) => integer_digits(from).is_some(),
        (Decimal128(p1, s1), Decimal128(p2, s2) | Decimal256(p2, s2)) | (Decimal256(p1, s1), Decimal256(p2, s2)) => {
            s2 >= s1 && i16::from(*p2) - i16::from(*s2) >= i16::from(*p1) - i16::from(*s1)
        }
        (_, Decimal128(p, s) | Decimal256(p, s)) => {
            integer_digits(from).is_some_and(|digits| i16::from(*p) - i16::from(*s) >= digits)
        }
        (Timestamp(a, None), Timestamp(b, None)) => a == b,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_casts_that_keep_every_value_are_exact() {
        let decimal = DataType::Decimal128;
        for (from, to) in [
            (DataType::Int32, DataType::Int64),
            (DataType::Int64, DataType::Float64),
            (decimal(12, 2), decimal(14, 4)),
            (DataType::Int64, decimal(20, 0)),
            (decimal(12, 2), DataType::Float64),
            (decimal(38, 2), DataType::Decimal256(76, 2)),
            (DataType::Int64, DataType::Decimal256(45, 25)),
            (DataType::Decimal256(50, 4), DataType::Decimal256(60, 8)),
            (DataType::Decimal256(50, 4), DataType::Float64),
        ] {
            assert!(is_exact(&from, &to), "{from} to {to}");
        }
        for (from, to) in [
            (DataType::Int64, DataType::Int32),
            (DataType::Float64, DataType::Int64),
            (DataType::Float64, DataType::Float32),
            (decimal(12, 2), decimal(12, 4)),
            (decimal(12, 2), decimal(12, 0)),
            (DataType::Int64, decimal(38, 30)),
            (DataType::Int64, DataType::Decimal256(50, 40)),
            (DataType::Decimal256(50, 4), decimal(38, 4)),
            (DataType::Decimal256(50, 4), DataType::Decimal256(50, 6)),
            (DataType::Utf8View, DataType::Int64),
            (DataType::Boolean, DataType::Int64),
        ] {
            assert!(!is_exact(&from, &to), "{from} to {to}");
        }
    }

    #[test]
    fn a_cast_of_a_number_to_a_time_is_not_allowed() {
        assert!(!is_allowed(&DataType::Int64, &DataType::Date32));
        assert!(!is_allowed(&DataType::Int64, &DataType::Timestamp(TimeUnit::Nanosecond, None)));
        assert!(is_allowed(&DataType::Utf8View, &DataType::Date32));
        assert!(!is_allowed(&DataType::Boolean, &DataType::Decimal128(5, 2)));
        assert!(!is_allowed(&DataType::Utf8View, &DataType::Interval(arrow::datatypes::IntervalUnit::MonthDayNano)));
    }
}
