//! Shifts of integers. DataFusion 55 takes the number of bits modulo the width, so that `1 << 64` is 1, and loses the bits that
//! leave. Here `x << n` is `x * 2^n`, within its type, and a number of bits is from 0 to below the width.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Decimal128Array};
use arrow::compute::{CastOptions, cast, cast_with_options};
use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType, Decimal128Type};
use arrow::error::ArrowError;
use datafusion::common::Result as DfResult;
use datafusion::logical_expr::Operator;

/// Returns true for the operators that shift.
pub(super) fn is_shift(op: Operator) -> bool {
    matches!(op, Operator::BitwiseShiftLeft | Operator::BitwiseShiftRight)
}

/// Returns integers shifted by so many bits each.
///
/// # Errors
/// [`ArrowError::ArithmeticOverflow`] if there are no such bits, or a result does not fit into the type.
pub(super) fn shifted(op: Operator, values: &ArrayRef, by: &ArrayRef, returns: &DataType) -> DfResult<ArrayRef> {
    const WIDE: DataType = DataType::Decimal128(DECIMAL128_MAX_PRECISION, 0);
    let width = 8 * i128::try_from(returns.primitive_width().unwrap_or_default()).unwrap_or_default();
    let overflow = || ArrowError::ArithmeticOverflow("a shift".to_owned());
    let one = |value: i128, by: i128| {
        let bits = u32::try_from(by).ok().filter(|_| by < width).ok_or_else(overflow)?;
        match op {
            Operator::BitwiseShiftLeft => value.checked_mul(1_i128 << bits).ok_or_else(overflow),
            _ => Ok(value >> bits),
        }
    };
    let (values, by) = (cast(values, &WIDE)?, cast(by, &WIDE)?);
    let pairs = values.as_primitive::<Decimal128Type>().iter().zip(by.as_primitive::<Decimal128Type>());
    let shifted = pairs.map(|(value, by)| value.zip(by).map(|(value, by)| one(value, by)).transpose());
    let shifted = shifted.collect::<Result<Decimal128Array, ArrowError>>()?;
    let shifted: ArrayRef = Arc::new(shifted.with_data_type(WIDE));
    let options = CastOptions { safe: false, ..CastOptions::default() };
    cast_with_options(&shifted, returns, &options).map_err(|_| overflow().into())
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array, Int64Array};

    use super::*;

    fn shift(op: Operator, value: i64, by: i64) -> Option<i64> {
        let column = |value| -> ArrayRef { Arc::new(Int64Array::from(vec![value])) };
        let shifted = shifted(op, &column(value), &column(by), &DataType::Int64).ok()?;
        Some(shifted.as_primitive::<arrow::datatypes::Int64Type>().value(0))
    }

    #[test]
    fn shifts_are_products_and_quotients_of_powers_of_two() {
        use Operator::{BitwiseShiftLeft as Left, BitwiseShiftRight as Right};
        for (op, value, by, expected) in [
            (Left, 1, 62, Some(1 << 62)),
            (Left, -1, 63, Some(i64::MIN)),
            (Left, 1, 63, None),
            (Left, 3, 62, None),
            (Left, 1, 64, None),
            (Left, 1, -1, None),
            (Left, 0, 63, Some(0)),
            (Right, i64::MIN, 63, Some(-1)),
            (Right, 5, 1, Some(2)),
            (Right, 5, 64, None),
            (Right, 5, -1, None),
        ] {
            assert_eq!(shift(op, value, by), expected, "{value} {op} {by}");
        }
        let (value, none): (ArrayRef, ArrayRef) =
            (Arc::new(Int64Array::from(vec![1])), Arc::new(Int64Array::from(vec![None])));
        assert!(shifted(Left, &value, &none, &DataType::Int64).unwrap().is_null(0));
    }
}
