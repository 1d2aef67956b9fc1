//! Values of a stored type that are values of the declared type. Those that are not make their record one that cannot be
//! read, wherever in the file it lies and whatever is asked.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::compute::kernels::cmp::not_distinct;
use arrow::compute::{CastOptions, cast, cast_with_options};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;

/// Returns for each value whether it is NULL or one of the declared type: reading it as that type loses nothing.
pub fn fits(stored: &ArrayRef, declared: &DataType) -> Result<BooleanArray, ArrowError> {
    let stored = plain(stored)?;
    if *declared == DataType::Utf8View {
        let bytes = cast(&stored, &DataType::LargeBinary)?;
        let text = |value: Option<&[u8]>| Some(value.is_none_or(|bytes| str::from_utf8(bytes).is_ok()));
        return Ok(bytes.as_binary::<i64>().iter().map(text).collect());
    }
    let lenient = CastOptions { safe: true, ..CastOptions::default() };
    let read = cast_with_options(&stored, declared, &lenient)?;
    let back = cast_with_options(&read, stored.data_type(), &lenient)?;
    not_distinct(&back, &stored)
}

/// Returns the values themselves: out of their dictionary, and points in time without the zone that they are shown in.
fn plain(stored: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    match stored.data_type() {
        DataType::Dictionary(_, value) => plain(&cast(stored, value)?),
        DataType::Timestamp(unit, Some(_)) => cast(stored, &DataType::Timestamp(*unit, None)),
        _ => Ok(Arc::clone(stored)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{
        BinaryArray, Date64Array, Decimal128Array, DictionaryArray, Int32Array, Int64Array, TimestampMillisecondArray,
        TimestampSecondArray, UInt64Array,
    };
    use arrow::datatypes::TimeUnit;

    #[test]
    fn a_value_fits_if_reading_it_loses_nothing() {
        let micros = DataType::Timestamp(TimeUnit::Microsecond, None);
        let zoned =
            TimestampMillisecondArray::from(vec![Some(1), None, Some(i64::MAX)]).with_timezone("Asia/Hong_Kong");
        let dictionary =
            DictionaryArray::new(Int32Array::from(vec![0, 1]), Arc::new(UInt64Array::from(vec![1, u64::MAX])));
        let decimals = |values: Vec<i128>, precision, scale| -> ArrayRef {
            Arc::new(Decimal128Array::from(values).with_precision_and_scale(precision, scale).unwrap())
        };
        let cases: Vec<(ArrayRef, DataType, Vec<bool>)> = vec![
            (
                Arc::new(UInt64Array::from(vec![Some(5), None, Some(u64::MAX)])),
                DataType::Int64,
                vec![true, true, false],
            ),
            (Arc::new(dictionary), DataType::Int64, vec![true, false]),
            (Arc::new(Int64Array::from(vec![1 << 31, -(1 << 31)])), DataType::Int32, vec![false, true]),
            (Arc::new(Int64Array::from(vec![(1 << 53) + 1, 1 << 53])), DataType::Float64, vec![false, true]),
            (Arc::new(zoned), micros.clone(), vec![true, true, false]),
            (Arc::new(TimestampSecondArray::from(vec![253_402_300_799, i64::MIN])), micros, vec![true, false]),
            (
                Arc::new(Date64Array::from(vec![86_400_000, 86_400_001, i64::MAX])),
                DataType::Date32,
                vec![true, false, false],
            ),
            (decimals(vec![12_345, 12_300], 18, 4), DataType::Decimal128(12, 2), vec![false, true]),
            (decimals(vec![99_999, 100_000], 18, 2), DataType::Decimal128(5, 2), vec![true, false]),
            (Arc::new(BinaryArray::from(vec!["中".as_bytes(), b"\xd6\xd0"])), DataType::Utf8View, vec![true, false]),
        ];
        for (stored, declared, expected) in cases {
            let found = fits(&stored, &declared).unwrap();
            assert_eq!(found, BooleanArray::from(expected), "{} as {declared}", stored.data_type());
        }
    }
}
