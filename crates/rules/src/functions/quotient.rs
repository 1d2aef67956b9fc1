//! Quotients of decimals: averages and divisions, rounded half away from zero.
//!
//! The engine cuts off what is after the last digit: the average of 1.00, 2.00 and 2.00 would be 1.666666.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Decimal128Array};
use arrow::compute::cast;
use arrow::datatypes::{
    DECIMAL128_MAX_PRECISION, DECIMAL256_MAX_PRECISION, DataType, Decimal128Type, UInt64Type, i256,
};
use arrow::error::ArrowError;
use datafusion::common::cast::as_decimal256_array;
use datafusion::common::{Result, ScalarValue, exec_datafusion_err, plan_err};
use datafusion::logical_expr::{Accumulator, EmitTo, GroupsAccumulator};

use super::distinct::DistinctTotal;
use crate::half_away::rounded;

/// Divides two columns of decimals. The quotients have this type, whose scale is that of the engine's division.
///
/// # Errors
/// A divisor of zero, or a quotient that does not fit into the type.
pub(super) fn divided(numbers: &ArrayRef, divisors: &ArrayRef, returns: &DataType) -> Result<ArrayRef, ArrowError> {
    let (DataType::Decimal128(_, s1), DataType::Decimal128(_, s2), DataType::Decimal128(precision, scale)) =
        (numbers.data_type(), divisors.data_type(), returns)
    else {
        return Err(ArrowError::InvalidArgumentError("a division of decimals has decimals".to_owned()));
    };
    let power = i32::from(*scale) - i32::from(*s1) + i32::from(*s2);
    let ten = |power: i32| i256::from_i128(10).wrapping_pow(u32::try_from(power).unwrap_or(0));
    let (up, down) = (ten(power), ten(-power));
    let limit = 10_u128.pow(u32::from((*precision).min(DECIMAL128_MAX_PRECISION)));
    let (numbers, divisors) = (numbers.as_primitive::<Decimal128Type>(), divisors.as_primitive::<Decimal128Type>());
    let quotients = numbers.iter().zip(divisors.iter()).map(|(number, divisor)| match (number, divisor) {
        (Some(_), Some(0)) => Err(ArrowError::DivideByZero),
        (Some(number), Some(divisor)) => {
            let number = i256::from_i128(number).checked_mul(up);
            let divisor = i256::from_i128(divisor).checked_mul(down);
            let quotient = number.zip(divisor).and_then(|(number, divisor)| rounded(number, divisor));
            match quotient.and_then(i256::to_i128).filter(|quotient| quotient.unsigned_abs() < limit) {
                Some(quotient) => Ok(Some(quotient)),
                None => Err(ArrowError::ArithmeticOverflow("a quotient leaves its type".to_owned())),
            }
        }
        _ => Ok(None),
    });
    let quotients = quotients.collect::<Result<Decimal128Array, _>>()?;
    Ok(Arc::new(quotients.with_precision_and_scale(*precision, *scale)?))
}

/// Returns the average of so many values with this sum, of this scale, as a decimal of a precision and a scale; `None` of no
/// values.
fn average(sum: i256, from: i8, count: u64, (precision, scale): (u8, i8)) -> Result<Option<i128>> {
    if count == 0 {
        return Ok(None);
    }
    let up = i256::from_i128(10).wrapping_pow(u32::try_from(scale - from).unwrap_or(0));
    let limit = 10_u128.pow(u32::from(precision.min(DECIMAL128_MAX_PRECISION)));
    let average = sum.checked_mul(up).and_then(|sum| rounded(sum, i256::from_i128(count.into())));
    let fits = average.and_then(i256::to_i128).filter(|average| average.unsigned_abs() < limit);
    fits.map(Some).ok_or_else(|| exec_datafusion_err!("an average of decimals is out of range"))
}

/// Returns the averages of these sums and counts.
fn averages(counts: &ArrayRef, sums: &ArrayRef, returns: &DataType) -> Result<ArrayRef> {
    let (DataType::Decimal128(_, from) | DataType::Decimal256(_, from)) = *sums.data_type() else {
        return plan_err!("the sum of an exact average is a decimal");
    };
    let DataType::Decimal128(precision, scale) = *returns else {
        return plan_err!("an average of decimals is a decimal");
    };
    let sums = cast(sums, &DataType::Decimal256(DECIMAL256_MAX_PRECISION, from))?;
    let (counts, sums) = (counts.as_primitive::<UInt64Type>(), as_decimal256_array(&sums)?);
    let averages = sums.iter().zip(counts.iter()).map(|(sum, count)| match (sum, count) {
        (Some(sum), Some(count)) => average(sum, from, count, (precision, scale)),
        _ => Ok(None),
    });
    let averages = averages.collect::<Result<Decimal128Array>>()?;
    Ok(Arc::new(averages.with_precision_and_scale(precision, scale)?))
}

/// The engine's average of decimals, rounded. What it keeps is the engine's.
#[derive(Debug)]
pub(super) struct OneAverage {
    pub engine: Box<dyn Accumulator>,
    pub returns: DataType,
}

impl Accumulator for OneAverage {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.engine.update_batch(values)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let state = self.engine.state()?;
        let [count, sum] = &state[..] else { return plan_err!("an average is a count and a sum") };
        let average = averages(&count.to_array()?, &sum.to_array()?, &self.returns)?;
        ScalarValue::try_from_array(&average, 0)
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.engine.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.engine.state()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.engine.merge_batch(states)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.engine.retract_batch(values)
    }

    fn supports_retract_batch(&self) -> bool {
        self.engine.supports_retract_batch()
    }
}

/// Average of different decimals, rounded.
#[derive(Debug)]
pub(super) struct DistinctAverage {
    pub different: DistinctTotal<Decimal128Type>,
    /// Scale of the values.
    pub scale: i8,
    pub returns: DataType,
}

impl Accumulator for DistinctAverage {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.different.update_batch(values)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let DataType::Decimal128(precision, scale) = self.returns else {
            return plan_err!("an average of decimals is a decimal");
        };
        let total = self.different.total();
        let average = average(total.to_i256(), self.scale, total.count, (precision, scale))?;
        Ok(ScalarValue::Decimal128(average, precision, scale))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.different.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.different.state()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.different.merge_batch(states)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.different.retract_batch(values)
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }
}

/// The engine's averages of decimals in groups, rounded. What they keep is the engine's.
pub(super) struct GroupAverages {
    pub engine: Box<dyn GroupsAccumulator>,
    pub returns: DataType,
}

impl GroupsAccumulator for GroupAverages {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.engine.update_batch(values, group_indices, opt_filter, total_num_groups)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let state = self.engine.state(emit_to)?;
        let [counts, sums] = &state[..] else {
            return plan_err!("averages are counts and sums");
        };
        averages(counts, sums, &self.returns)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        self.engine.state(emit_to)
    }

    fn merge_batch(&mut self, values: &[ArrayRef], group_indices: &[usize], total_num_groups: usize) -> Result<()> {
        self.engine.merge_batch(values, group_indices, total_num_groups)
    }

    fn convert_to_state(&self, values: &[ArrayRef], opt_filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        self.engine.convert_to_state(values, opt_filter)
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.engine.size()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimals(values: &[i128], precision: u8, scale: i8) -> ArrayRef {
        let values = Decimal128Array::from(values.to_vec());
        Arc::new(values.with_precision_and_scale(precision, scale).unwrap())
    }

    #[test]
    fn quotients_are_rounded_half_away_from_zero() {
        let whole = |number, divisor| rounded(i256::from_i128(number), i256::from_i128(divisor)).unwrap().as_i128();
        let found =
            [(5, 3), (4, 3), (1, 2), (-1, 2), (1, -2), (-5, 3), (-4, 3), (0, 7), (7, 7)].map(|(n, d)| whole(n, d));
        assert_eq!(found, [2, 1, 1, -1, -1, -2, -1, 0, 1]);
        assert_eq!(rounded(i256::ONE, i256::ZERO), None);
    }

    #[test]
    fn divisions_have_the_scale_of_the_engine() {
        let returns = DataType::Decimal128(18, 6);
        let quotients = divided(&decimals(&[500, -500, 100], 12, 2), &decimals(&[3, 3, 8], 10, 0), &returns).unwrap();
        assert_eq!(quotients.as_primitive::<Decimal128Type>().values()[..], [1_666_667, -1_666_667, 125_000]);
        let error = divided(&decimals(&[1], 12, 2), &decimals(&[0], 10, 0), &returns).unwrap_err();
        assert!(matches!(error, ArrowError::DivideByZero));
    }
}
