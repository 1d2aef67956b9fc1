//! Short ways to make Arrow columns of the types that manifests can name.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int32Array, Int64Array, StringArray,
    TimestampMicrosecondArray,
};
use arrow::error::ArrowError;

/// Text.
#[must_use]
pub fn text<S: AsRef<str>>(values: impl IntoIterator<Item = Option<S>>) -> ArrayRef {
    Arc::new(values.into_iter().collect::<StringArray>())
}

/// 32-bit integers.
#[must_use]
pub fn int32(values: impl IntoIterator<Item = Option<i32>>) -> ArrayRef {
    Arc::new(values.into_iter().collect::<Int32Array>())
}

/// 64-bit integers.
#[must_use]
pub fn int64(values: impl IntoIterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(values.into_iter().collect::<Int64Array>())
}

/// Floats.
#[must_use]
pub fn float64(values: impl IntoIterator<Item = Option<f64>>) -> ArrayRef {
    Arc::new(values.into_iter().collect::<Float64Array>())
}

/// Truth values.
#[must_use]
pub fn boolean(values: impl IntoIterator<Item = Option<bool>>) -> ArrayRef {
    Arc::new(values.into_iter().collect::<BooleanArray>())
}

/// Days since 1970-01-01.
#[must_use]
pub fn date(values: impl IntoIterator<Item = Option<i32>>) -> ArrayRef {
    Arc::new(values.into_iter().collect::<Date32Array>())
}

/// Microseconds since 1970-01-01.
#[must_use]
pub fn timestamp(values: impl IntoIterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(values.into_iter().collect::<TimestampMicrosecondArray>())
}

/// Hundredths, as `decimal(12,2)`.
///
/// # Errors
/// Never for values of up to twelve digits.
pub fn hundredths(values: impl IntoIterator<Item = Option<i64>>) -> Result<ArrayRef, ArrowError> {
    let values: Decimal128Array = values.into_iter().map(|v| v.map(i128::from)).collect();
    Ok(Arc::new(values.with_precision_and_scale(12, 2)?))
}
