//! Totals of integers and decimals: added up exactly, and held against the range of their type once, at the end.
//!
//! The order in which rows come is nobody's choice, so that a sum which leaves the range of its type on the way and comes
//! back has to be right. A total of 192 bits holds any number of 128-bit values that there can be rows.

use std::fmt::Debug;
use std::sync::Arc;

use arrow::array::{ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray, UInt64Array};
use arrow::datatypes::{DataType, Decimal128Type, Decimal256Type, Field, FieldRef, Int64Type, UInt64Type, i256};
use datafusion::common::{Result, ScalarValue};

use super::{Overflow, out_of_range};

/// Type of values that are added up exactly.
pub(super) trait Exact: ArrowPrimitiveType + Debug + Send + Sync {
    /// Returns the value in 128 bits.
    fn wide(value: Self::Native) -> i128;
    /// Returns the value of a total; `None` if the type does not hold it.
    fn narrow(total: i128, data_type: &DataType) -> Option<Self::Native>;
}

impl Exact for Int64Type {
    fn wide(value: i64) -> i128 {
        value.into()
    }

    fn narrow(total: i128, _: &DataType) -> Option<i64> {
        total.try_into().ok()
    }
}

impl Exact for UInt64Type {
    fn wide(value: u64) -> i128 {
        value.into()
    }

    fn narrow(total: i128, _: &DataType) -> Option<u64> {
        total.try_into().ok()
    }
}

impl Exact for Decimal128Type {
    fn wide(value: i128) -> i128 {
        value
    }

    fn narrow(total: i128, data_type: &DataType) -> Option<i128> {
        let DataType::Decimal128(precision, _) = data_type else { return None };
        let limit = 10_u128.checked_pow(u32::from(*precision))?;
        (total.unsigned_abs() < limit).then_some(total)
    }
}

/// Sum of values of at most 128 bits, with their number. Its value is `low + high * 2^128`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Total {
    low: i128,
    high: i64,
    pub count: u64,
}

impl Total {
    pub fn add(&mut self, value: i128) {
        let (low, over) = self.low.overflowing_add(value);
        self.low = low;
        if over {
            self.high += if value < 0 { -1 } else { 1 };
        }
        self.count += 1;
    }

    pub fn remove(&mut self, value: i128) {
        let (low, over) = self.low.overflowing_sub(value);
        self.low = low;
        if over {
            self.high += if value < 0 { 1 } else { -1 };
        }
        self.count = self.count.saturating_sub(1);
    }

    pub fn merge(&mut self, other: Self) {
        let count = self.count + other.count;
        self.add(other.low);
        self.high += other.high;
        self.count = count;
    }

    pub fn to_i256(self) -> i256 {
        i256::from_i128(self.low).wrapping_add(i256::from_parts(0, self.high.into()))
    }

    /// Reads a total of a partial sum.
    fn from_i256(value: i256, count: u64) -> Self {
        let (low, high) = value.to_parts();
        let low = low.cast_signed();
        let high = if low < 0 { high + 1 } else { high };
        Self { low, high: i64::try_from(high).unwrap_or(i64::MAX), count }
    }

    /// Returns the average, as the merge makes it of a sum and a count; `None` of no values.
    pub fn average(self) -> Option<f64> {
        // 2^128, of which there are as many as rows of 64 bits can hardly make.
        let sum = self.low as f64 + self.high as f64 * 2.0_f64.powi(128);
        (self.count > 0).then(|| sum / self.count as f64)
    }

    /// Returns what is asked for: the sum in its type, or the average.
    pub fn value<T: Exact>(self, result: &Outcome) -> Result<ScalarValue> {
        if result.is_average() {
            return Ok(ScalarValue::Float64(self.average()));
        }
        ScalarValue::new_primitive::<T>(self.narrow::<T>(result)?, &result.data_type)
    }

    pub fn narrow<T: Exact>(self, result: &Outcome) -> Result<Option<T::Native>> {
        if self.count == 0 {
            return Ok(None);
        }
        let value = if self.high == 0 { T::narrow(self.low, &result.data_type) } else { None };
        match (value, result.overflow) {
            (None, Overflow::Fails) => Err(out_of_range(&result.name, &result.data_type)),
            (value, _) => Ok(value),
        }
    }
}

/// Type of a sum, and what becomes of one that does not fit into it.
#[derive(Debug, Clone)]
pub(super) struct Outcome {
    /// Name of the aggregate, for a refusal.
    pub name: String,
    /// Type of the sum; DOUBLE if the average is asked for.
    pub data_type: DataType,
    /// Treatment of a sum that the type does not hold.
    pub overflow: Overflow,
}

impl Outcome {
    /// Returns true if the average is asked for, and not the sum.
    pub fn is_average(&self) -> bool {
        self.data_type == DataType::Float64
    }
}

/// Columns of a partial sum: the total and the number of values.
pub(super) fn state_fields(name: &str) -> Vec<FieldRef> {
    vec![
        Arc::new(Field::new(format!("{name}[total]"), TOTAL, true)),
        Arc::new(Field::new(format!("{name}[count]"), DataType::UInt64, true)),
    ]
}

/// Type of a partial total.
pub(super) const TOTAL: DataType = DataType::Decimal256(76, 0);

pub(super) fn read_state(states: &[ArrayRef]) -> impl Iterator<Item = Total> {
    let (totals, counts) = (states[0].as_primitive::<Decimal256Type>(), states[1].as_primitive::<UInt64Type>());
    totals.values().iter().zip(counts.values()).map(|(total, count)| Total::from_i256(*total, *count))
}

pub(super) fn state_arrays(totals: impl ExactSizeIterator<Item = Total> + Clone) -> Vec<ArrayRef> {
    let sums: PrimitiveArray<Decimal256Type> = totals.clone().map(|total| Some(total.to_i256())).collect();
    let counts: UInt64Array = totals.map(|total| Some(total.count)).collect();
    vec![Arc::new(sums.with_data_type(TOTAL)), Arc::new(counts)]
}
