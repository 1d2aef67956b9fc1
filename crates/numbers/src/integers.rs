//! Sums, differences and products of integers, with one look at the end whether every one fits into its type.
//!
//! Arrow's checked kernels look at each value before they go on to the next, which keeps the processor from working on
//! several at once; over two columns that takes several times as long as arithmetic that wraps around. Here all values
//! are computed, and marks of those that left their range are gathered along the way.

use std::ops::BitOr;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Datum, PrimitiveArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type,
    UInt64Type,
};

/// An operation on two integers of one type, whose result has the same type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// `left + right`
    Add,
    /// `left - right`
    Subtract,
    /// `left * right`
    Multiply,
}

/// Returns the results of an operation on two columns, or on a column and a value; `None` where some result may not fit into
/// the type, and for what is not computed here: other types, two values, NULL for all rows. Values below a NULL are not told
/// from others, so that `None` is no proof.
#[must_use]
pub fn in_range(operation: Operation, left: &dyn Datum, right: &dyn Datum) -> Option<ArrayRef> {
    let types = (left.get().0.data_type(), right.get().0.data_type());
    match types {
        (DataType::Int8, DataType::Int8) => computed::<Int8Type>(operation, left, right),
        (DataType::Int16, DataType::Int16) => computed::<Int16Type>(operation, left, right),
        (DataType::Int32, DataType::Int32) => computed::<Int32Type>(operation, left, right),
        (DataType::Int64, DataType::Int64) => computed::<Int64Type>(operation, left, right),
        (DataType::UInt8, DataType::UInt8) => computed::<UInt8Type>(operation, left, right),
        (DataType::UInt16, DataType::UInt16) => computed::<UInt16Type>(operation, left, right),
        (DataType::UInt32, DataType::UInt32) => computed::<UInt32Type>(operation, left, right),
        (DataType::UInt64, DataType::UInt64) => computed::<UInt64Type>(operation, left, right),
        _ => None,
    }
}

/// Integer of a machine. Each operation gives its result as it wraps around, and a mark that tells if it did: the highest bit
/// of a sum's or difference's, any bit of a product's.
trait Integer: Copy + Default + PartialEq + BitOr<Output = Self> {
    fn add(self, other: Self) -> (Self, Self);
    fn subtract(self, other: Self) -> (Self, Self);
    fn multiply(self, other: Self) -> (Self, Self);
    fn has_highest_bit(self) -> bool;
    /// Returns an integer of nothing but copies of the sign bit; 0 for types without a sign.
    fn only_sign(self) -> Self;
}

/// Gives a product by way of a type of twice the bits, where the upper half of a product that fits repeats the sign.
macro_rules! wide_product {
    ($native:ty, $wide:ty) => {
        #[expect(clippy::cast_possible_truncation, reason = "a product is cut into halves")]
        fn multiply(self, other: Self) -> (Self, Self) {
            let product = <$wide>::from(self) * <$wide>::from(other);
            let (lower, upper) = (product as $native, (product >> <$native>::BITS) as $native);
            (lower, upper ^ lower.only_sign())
        }
    };
}

macro_rules! long_product {
    ($native:ty) => {
        fn multiply(self, other: Self) -> (Self, Self) {
            let (product, over) = self.overflowing_mul(other);
            (product, over.into())
        }
    };
}

macro_rules! signed {
    ($native:ty, $($multiply:tt)*) => {
        impl Integer for $native {
            fn add(self, other: Self) -> (Self, Self) {
                let sum = self.wrapping_add(other);
                (sum, (self ^ sum) & (other ^ sum))
            }

            fn subtract(self, other: Self) -> (Self, Self) {
                let difference = self.wrapping_sub(other);
                (difference, (self ^ other) & (self ^ difference))
            }

            $($multiply)*

            fn has_highest_bit(self) -> bool {
                self < 0
            }

            fn only_sign(self) -> Self {
                self >> (<$native>::BITS - 1)
            }
        }
    };
}

macro_rules! unsigned {
    ($native:ty, $($multiply:tt)*) => {
        impl Integer for $native {
            fn add(self, other: Self) -> (Self, Self) {
                let sum = self.wrapping_add(other);
                (sum, (self & other) | ((self | other) & !sum))
            }

            fn subtract(self, other: Self) -> (Self, Self) {
                let difference = self.wrapping_sub(other);
                (difference, (!self & other) | ((!self | other) & difference))
            }

            $($multiply)*

            fn has_highest_bit(self) -> bool {
                self.leading_zeros() == 0
            }

            fn only_sign(self) -> Self {
                0
            }
        }
    };
}

signed!(i8, wide_product!(i8, i16););
signed!(i16, wide_product!(i16, i32););
signed!(i32, wide_product!(i32, i64););
signed!(i64, long_product!(i64););
unsigned!(u8, wide_product!(u8, u16););
unsigned!(u16, wide_product!(u16, u32););
unsigned!(u32, wide_product!(u32, u64););
unsigned!(u64, long_product!(u64););

fn computed<T>(operation: Operation, left: &dyn Datum, right: &dyn Datum) -> Option<ArrayRef>
where
    T: ArrowPrimitiveType,
    T::Native: Integer,
{
    let highest = T::Native::has_highest_bit;
    match operation {
        Operation::Add => each::<T>(left, right, T::Native::add, highest),
        Operation::Subtract => each::<T>(left, right, T::Native::subtract, highest),
        Operation::Multiply => each::<T>(left, right, T::Native::multiply, |mark| mark != T::Native::default()),
    }
}

#[inline]
fn each<T>(
    left: &dyn Datum,
    right: &dyn Datum,
    operation: impl Fn(T::Native, T::Native) -> (T::Native, T::Native),
    is_marked: impl Fn(T::Native) -> bool,
) -> Option<ArrayRef>
where
    T: ArrowPrimitiveType,
    T::Native: Integer,
{
    let ((left, one_left), (right, one_right)) = (left.get(), right.get());
    let (left, right) = (left.as_primitive::<T>(), right.as_primitive::<T>());
    let ((values, marks), nulls) = match (one_left, one_right) {
        (false, false) if left.len() == right.len() => {
            let pairs = left.values().iter().copied().zip(right.values().iter().copied());
            (all(left.len(), pairs, operation), NullBuffer::union(left.nulls(), right.nulls()))
        }
        (false, true) => {
            let right = one(right)?;
            let pairs = left.values().iter().map(|left| (*left, right));
            (all(left.len(), pairs, operation), left.nulls().cloned())
        }
        (true, false) => {
            let left = one(left)?;
            let pairs = right.values().iter().map(|right| (left, *right));
            (all(right.len(), pairs, operation), right.nulls().cloned())
        }
        _ => return None,
    };
    (!is_marked(marks)).then(|| Arc::new(PrimitiveArray::<T>::new(values.into(), nulls)) as ArrayRef)
}

/// Returns the results for so many pairs, and all marks in one. Nothing else is done in the loop, so that it is one which
/// works on several pairs at once.
#[inline]
fn all<N: Integer>(
    count: usize,
    pairs: impl Iterator<Item = (N, N)>,
    operation: impl Fn(N, N) -> (N, N),
) -> (Vec<N>, N) {
    let (mut values, mut marks) = (vec![N::default(); count], N::default());
    for (value, (left, right)) in values.iter_mut().zip(pairs) {
        let (result, mark) = operation(left, right);
        *value = result;
        marks = marks | mark;
    }
    (values, marks)
}

/// Returns the one value of a column that stands for all rows; `None` if it is NULL.
fn one<T: ArrowPrimitiveType>(column: &PrimitiveArray<T>) -> Option<T::Native> {
    (column.len() == 1 && column.null_count() == 0).then(|| column.value(0))
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int8Array, Int64Array, Scalar, UInt8Array, UInt64Array};

    use super::*;

    const OPERATIONS: [Operation; 3] = [Operation::Add, Operation::Subtract, Operation::Multiply];

    /// Every pair of bytes, one at a time: what fits has its value, what does not has none.
    #[test]
    fn all_pairs_of_bytes_are_computed_or_left() {
        for operation in OPERATIONS {
            for left in 0..=u8::MAX {
                for right in 0..=u8::MAX {
                    let (l, r) = (left.cast_signed(), right.cast_signed());
                    let (signed, unsigned) = match operation {
                        Operation::Add => (l.checked_add(r), left.checked_add(right)),
                        Operation::Subtract => (l.checked_sub(r), left.checked_sub(right)),
                        Operation::Multiply => (l.checked_mul(r), left.checked_mul(right)),
                    };
                    let found = in_range(operation, &Int8Array::from(vec![l]), &Int8Array::from(vec![r]));
                    assert_eq!(found.map(|a| a.as_primitive::<Int8Type>().value(0)), signed, "{operation:?} {l} {r}");
                    let found = in_range(operation, &UInt8Array::from(vec![left]), &UInt8Array::new_scalar(right));
                    let found = found.map(|a| a.as_primitive::<UInt8Type>().value(0));
                    assert_eq!(found, unsigned, "{operation:?} {left} {right}");
                }
            }
        }
    }

    #[test]
    fn the_ends_of_long_integers_are_told() {
        let column = |value: i64| Int64Array::from(vec![Some(3), None, Some(value)]);
        for (operation, value, with, fits) in [
            (Operation::Add, i64::MAX, 1, false),
            (Operation::Add, i64::MAX, 0, true),
            (Operation::Subtract, i64::MIN, 1, false),
            (Operation::Subtract, i64::MIN, -1, true),
            (Operation::Multiply, i64::MIN, -1, false),
            (Operation::Multiply, i64::MAX / 2, 2, true),
            (Operation::Multiply, i64::MAX / 2 + 1, 2, false),
        ] {
            let found = in_range(operation, &column(value), &Int64Array::new_scalar(with));
            assert_eq!(found.is_some(), fits, "{operation:?} {value} {with}");
            assert!(found.is_none_or(|found| found.is_null(1) && found.null_count() == 1));
        }
        let none: Scalar<Int64Array> = Scalar::new(Int64Array::from(vec![None]));
        assert!(in_range(Operation::Add, &column(1), &none).is_none());
        let most = UInt64Array::from(vec![u64::MAX]);
        assert!(in_range(Operation::Multiply, &most, &UInt64Array::new_scalar(2)).is_none());
        assert!(in_range(Operation::Subtract, &UInt64Array::new_scalar(0), &most).is_none());
    }
}
