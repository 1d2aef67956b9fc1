//! Types that become a column's declared type without a cast, where the expression of a mapping gives another.

use arrow::datatypes::DataType;

/// Returns true if values of `found` become `wanted` without a cast in the expression: by a change of width or scale. A number
/// beyond the declared range is NULL, and a fraction is rounded to the declared scale. Whatever reads values as something
/// else (text as numbers, points in time as days) or leaves a part of them out is a cast that the custodian writes.
pub fn becomes(found: &DataType, wanted: &DataType) -> bool {
    use DataType as T;
    match (found, wanted) {
        (T::Null, _) | (T::Date32 | T::Date64 | T::Timestamp(..), T::Timestamp(..)) => true,
        (T::Dictionary(_, value), _) => becomes(value, wanted),
        (T::List(found) | T::LargeList(found) | T::FixedSizeList(found, _), T::List(wanted)) => {
            becomes(found.data_type(), wanted.data_type())
        }
        _ if found == wanted => true,
        _ if wanted.is_string() => found.is_string(),
        _ if wanted.is_integer() => found.is_integer(),
        _ if wanted.is_floating() || wanted.is_decimal() => found.is_numeric(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::datatypes::{Field, TimeUnit};

    use super::*;

    #[test]
    fn only_widths_and_scales_change_by_themselves() {
        use DataType as T;
        let micros = T::Timestamp(TimeUnit::Microsecond, None);
        let list = |item: T| T::List(Arc::new(Field::new("item", item, true)));
        for (found, wanted, expected) in [
            (T::Null, T::Date32, true),
            (T::Utf8, T::Utf8View, true),
            (T::Int64, T::Int32, true),
            (T::Int64, T::Float64, true),
            (T::Float64, T::Decimal128(12, 2), true),
            (T::Decimal128(38, 6), T::Decimal128(12, 2), true),
            (T::Date32, micros.clone(), true),
            (T::Timestamp(TimeUnit::Nanosecond, None), micros.clone(), true),
            (list(T::Int32), list(T::Int64), true),
            (T::Utf8View, T::Int64, false),
            (T::Utf8View, T::Date32, false),
            (T::Utf8, T::Boolean, false),
            (T::Int64, T::Utf8View, false),
            (T::Int64, T::Boolean, false),
            (T::Boolean, T::Int32, false),
            (T::Float64, T::Int64, false),
            (T::Decimal128(12, 2), T::Int64, false),
            (micros.clone(), T::Date32, false),
            (T::Int64, micros, false),
            (list(T::Utf8), list(T::Int64), false),
        ] {
            assert_eq!(becomes(&found, &wanted), expected, "{found} as {wanted}");
        }
    }
}
