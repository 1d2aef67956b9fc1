//! Floats of one form: one NaN, and no negative zero.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, PrimitiveArray};
use arrow::datatypes::{ArrowPrimitiveType, DataType, Float32Type, Float64Type};

/// Returns the column with every NaN as the one that is greater than all numbers, and every zero without a sign. A column of
/// that form is returned as it is, and so is one that holds no floats.
#[must_use]
pub fn in_one_form(column: &ArrayRef) -> ArrayRef {
    match column.data_type() {
        DataType::Float64 => {
            let column64 = column.as_primitive::<Float64Type>();
            if column64.values().iter().fold(false, |found, n| found | is_other_double(*n)) {
                return Arc::new(mapped(column64, double));
            }
        }
        DataType::Float32 => {
            let column32 = column.as_primitive::<Float32Type>();
            if column32.values().iter().fold(false, |found, n| found | is_other_single(*n)) {
                return Arc::new(mapped(column32, single));
            }
        }
        _ => {}
    }
    Arc::clone(column)
}

fn mapped<T: ArrowPrimitiveType>(
    column: &PrimitiveArray<T>,
    form: impl Fn(T::Native) -> T::Native,
) -> PrimitiveArray<T> {
    column.unary(form)
}

/// Returns true for NaN and negative zero, whatever form they have: cheaper than to tell which NaN it is.
fn is_other_double(number: f64) -> bool {
    number.is_nan() | (number.to_bits() == (-0.0_f64).to_bits())
}

fn is_other_single(number: f32) -> bool {
    number.is_nan() | (number.to_bits() == (-0.0_f32).to_bits())
}

/// Adding zero takes the sign of a negative zero away, and changes no other number (IEEE 754, section 6.3).
fn double(number: f64) -> f64 {
    if number.is_nan() { f64::NAN } else { number + 0.0 }
}

fn single(number: f32) -> f32 {
    if number.is_nan() { f32::NAN } else { number + 0.0 }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Float32Array, Float64Array};

    use super::*;

    #[test]
    fn there_is_one_nan_and_one_zero() {
        let numbers: ArrayRef = Arc::new(Float64Array::from(vec![Some(-f64::NAN), Some(-0.0), Some(-1.5), None]));
        let found = in_one_form(&numbers);
        let bits: Vec<Option<u64>> = found.as_primitive::<Float64Type>().iter().map(|n| n.map(f64::to_bits)).collect();
        assert_eq!(bits, [Some(f64::NAN.to_bits()), Some(0), Some((-1.5_f64).to_bits()), None]);
        let numbers: ArrayRef = Arc::new(Float32Array::from(vec![-0.0, -f32::NAN]));
        let found = in_one_form(&numbers);
        let bits: Vec<u32> = found.as_primitive::<Float32Type>().values().iter().map(|n| n.to_bits()).collect();
        assert_eq!(bits, [0, f32::NAN.to_bits()]);
    }

    #[test]
    fn a_column_of_that_form_is_not_copied() {
        let numbers: ArrayRef = Arc::new(Float64Array::from(vec![0.0, 1.5, f64::INFINITY]));
        assert!(Arc::ptr_eq(&numbers, &in_one_form(&numbers)));
    }
}
