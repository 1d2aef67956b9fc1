//! Rounding: counts to a multiple of a base, and sums scaled to match, so that averages stay right. Pure.
//!
//! A sum is multiplied by the rounded number of its own contributions over their true number: sum over count, each as
//! released, is then the true average. Sums of squares are such sums. Averages, variances of a population and other
//! statistics that do not depend on the number of values stay as they are; those that divide by one less than that number
//! are computed for the rounded one, since the true one could be computed from a pair of them.
//!
//! This blurs counts; it does not hide them from somebody who computes. An average is exact, so that one of whole numbers
//! is a fraction whose denominator can be found; and the quotient of two sums over one set of values, each scaled by its
//! own count, is that of their counts. The minimum of units protects people, and rounding does not change it.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array, Decimal256Array, PrimitiveArray};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Decimal128Type, Decimal256Type, Float64Type, Int64Type, UInt64Type, i256,
};
use arrow::error::ArrowError;
use datafusion::functions_aggregate::count::count_udaf;
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::expr::{AggregateFunction, AggregateFunctionParams};
use wanqu_model::aggregates::{self, Admission};

/// Treatment of one aggregate of a fragment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Treatment {
    /// Released as it is.
    Keep,
    /// A count: rounded.
    Count,
    /// A sum: scaled by the hidden count of this number.
    Sum {
        /// Index among the hidden counts.
        count: usize,
    },
    /// A variance or covariance of a sample, or (`root`) a standard deviation of one: computed for the rounded count.
    Sample {
        /// Index among the hidden counts.
        count: usize,
        /// True for a standard deviation.
        root: bool,
    },
}

/// The treatment of every aggregate of a fragment.
#[derive(Debug, Clone, PartialEq)]
pub struct Rounding {
    base: u64,
    treatments: Vec<Treatment>,
    /// The hidden counts to compute beside the aggregates.
    pub counts: Vec<Expr>,
}

impl Rounding {
    /// Decides the treatment of these aggregates for a base. With a base of 1 nothing is computed and nothing changed.
    ///
    /// # Errors
    /// The name of an aggregate function that no owner admits, and for which there is no rounding.
    pub fn new(aggregates: &[Expr], base: u32) -> Result<Self, String> {
        let mut rounding = Self { base: u64::from(base.max(1)), treatments: Vec::new(), counts: Vec::new() };
        for aggregate in aggregates {
            let treatment = if base <= 1 { Treatment::Keep } else { rounding.treat(aggregate)? };
            rounding.treatments.push(treatment);
        }
        Ok(rounding)
    }

    fn treat(&mut self, aggregate: &Expr) -> Result<Treatment, String> {
        let Expr::AggregateFunction(function) = aggregate.clone().unalias_nested().data else {
            return Err("an expression that is no aggregate".to_owned());
        };
        let name = function.func.name();
        let Some(Admission::Admitted { rounding, .. }) = aggregates::aggregate(name).map(|row| row.admission) else {
            return Err(name.to_owned());
        };
        Ok(match rounding {
            aggregates::Rounding::Keep => Treatment::Keep,
            aggregates::Rounding::Count => Treatment::Count,
            aggregates::Rounding::Sum => Treatment::Sum { count: self.hidden(function.params) },
            aggregates::Rounding::Sample { root } => Treatment::Sample { count: self.hidden(function.params), root },
        })
    }

    /// Returns the index of the hidden count of the values that an aggregate with these arguments takes in.
    fn hidden(&mut self, params: AggregateFunctionParams) -> usize {
        let AggregateFunctionParams { args, distinct, filter, .. } = params;
        let (args, filter) = match <[Expr; 2]>::try_from(args) {
            // A pair counts where neither is NULL.
            Ok([y, x]) => {
                let both = y.is_not_null().and(x.clone().is_not_null());
                (vec![x], Some(Box::new(filter.map_or(both.clone(), |filter| filter.and(both)))))
            }
            Err(args) => (args, filter),
        };
        let count =
            Expr::AggregateFunction(AggregateFunction::new_udf(count_udaf(), args, distinct, filter, Vec::new(), None));
        let known = self.counts.iter().position(|known| *known == count);
        known.unwrap_or_else(|| {
            self.counts.push(count);
            self.counts.len() - 1
        })
    }

    /// Rounds the aggregates' values, given those of the hidden counts.
    pub fn apply(&self, values: &[ArrayRef], counts: &[ArrayRef]) -> Result<Vec<ArrayRef>, ArrowError> {
        let treated = values.iter().zip(&self.treatments).map(|(array, treatment)| match treatment {
            Treatment::Keep => Ok(Arc::clone(array)),
            Treatment::Count => self.round_counts(array),
            Treatment::Sum { count } => self.scale(array, counts[*count].as_primitive::<Int64Type>()),
            Treatment::Sample { count, root } => self.resample(array, counts[*count].as_primitive(), *root),
        });
        treated.collect()
    }

    /// Rounds to the nearest multiple of the base; halves away from zero.
    fn round(&self, count: u64) -> u64 {
        count.saturating_add(self.base / 2) / self.base * self.base
    }

    fn round_counts(&self, array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
        Ok(match array.data_type() {
            DataType::Int64 => {
                let counts = array.as_primitive::<Int64Type>();
                let round = |n: i64| i64::try_from(self.round(n.unsigned_abs())).unwrap_or(i64::MAX);
                Arc::new(counts.unary::<_, Int64Type>(round))
            }
            DataType::UInt64 => Arc::new(array.as_primitive::<UInt64Type>().unary::<_, UInt64Type>(|n| self.round(n))),
            other => return Err(ArrowError::NotYetImplemented(format!("rounding of counts as {other}"))),
        })
    }

    /// Recomputes a statistic that divides by one less than the count, as if the count were the rounded one.
    fn resample(
        &self,
        array: &ArrayRef,
        counts: &PrimitiveArray<Int64Type>,
        root: bool,
    ) -> Result<ArrayRef, ArrowError> {
        let DataType::Float64 = array.data_type() else {
            return Err(ArrowError::NotYetImplemented(format!("rounding of variances as {}", array.data_type())));
        };
        let told = array.as_primitive::<Float64Type>().iter().zip(counts.iter()).map(|(value, count)| {
            let (value, count) = (value?, count?.unsigned_abs());
            let (true_count, rounded) = (count as f64, self.round(count) as f64);
            let factor = (true_count - 1.0) / true_count * rounded / (rounded - 1.0);
            (count > 1 && rounded > 1.0).then(|| value * if root { factor.sqrt() } else { factor })
        });
        Ok(Arc::new(told.collect::<PrimitiveArray<Float64Type>>()))
    }

    fn scale(&self, array: &ArrayRef, counts: &PrimitiveArray<Int64Type>) -> Result<ArrayRef, ArrowError> {
        Ok(match array.data_type() {
            DataType::Int64 => Arc::new(self.scale_exact::<Int64Type>(array, counts)),
            DataType::UInt64 => Arc::new(self.scale_exact::<UInt64Type>(array, counts)),
            DataType::Decimal128(precision, scale) => {
                let scaled: Decimal128Array = self.scale_exact::<Decimal128Type>(array, counts);
                Arc::new(scaled.with_precision_and_scale(*precision, *scale)?)
            }
            DataType::Decimal256(precision, scale) => {
                let sums = array.as_primitive::<Decimal256Type>();
                let scaled =
                    sums.iter().zip(counts.iter()).map(|(sum, count)| self.scale_wide(sum?, count?.unsigned_abs()));
                let scaled: Decimal256Array = scaled.collect();
                Arc::new(scaled.with_precision_and_scale(*precision, *scale)?)
            }
            DataType::Float64 => {
                let sums = array.as_primitive::<Float64Type>();
                let scaled = sums.iter().zip(counts.iter()).map(|(sum, count)| {
                    let (sum, count) = (sum?, count?.unsigned_abs());
                    // Counts are far below 2^52, where a float holds every one of them.
                    Some(if count == 0 { sum } else { sum * (self.round(count) as f64 / count as f64) })
                });
                Arc::new(scaled.collect::<PrimitiveArray<Float64Type>>())
            }
            other => return Err(ArrowError::NotYetImplemented(format!("rounding of sums as {other}"))),
        })
    }

    fn scale_exact<T>(&self, array: &ArrayRef, counts: &PrimitiveArray<Int64Type>) -> PrimitiveArray<T>
    where
        T: ArrowPrimitiveType,
        T::Native: TryInto<i128> + TryFrom<i128>,
    {
        let sums = array.as_primitive::<T>();
        // A sum that its type does not hold any more is NULL: an error would tell of a cell that is kept back.
        let scaled = sums.iter().zip(counts.iter()).map(|(sum, count)| {
            let (sum, count) = (sum?.try_into().ok()?, count?.unsigned_abs());
            T::Native::try_from(self.scale_one(sum, count)?).ok()
        });
        scaled.collect()
    }

    /// Returns `sum * rounded / count`, to the nearest; halves away from zero.
    fn scale_one(&self, sum: i128, count: u64) -> Option<i128> {
        self.scale_wide(i256::from_i128(sum), count)?.to_i128()
    }

    /// Returns the same of a sum of more digits.
    fn scale_wide(&self, sum: i256, count: u64) -> Option<i256> {
        if count == 0 {
            return Some(sum);
        }
        let product = sum.checked_abs()?.checked_mul(i256::from_i128(i128::from(self.round(count))))?;
        let divisor = i256::from_i128(i128::from(count));
        let half = i256::from_i128(i128::from(count / 2));
        let quotient = product.checked_add(half)?.checked_div(divisor)?;
        if sum.is_negative() { quotient.checked_neg() } else { Some(quotient) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Treatment::{Count, Keep, Sample, Sum};
    use arrow::array::{Float64Array, Int64Array, UInt64Array};
    use datafusion::functions_aggregate::expr_fn::{avg, count, max, regr_syy, sum, var_pop, var_sample};
    use datafusion::logical_expr::{ExprFunctionExt, col, lit};

    fn rounding(base: u32) -> Rounding {
        Rounding { base: u64::from(base), treatments: vec![], counts: vec![] }
    }

    #[test]
    fn counts_go_to_the_nearest_multiple() {
        for (base, count, rounded) in
            [(1, 7, 7), (5, 0, 0), (5, 2, 0), (5, 3, 5), (5, 12, 10), (5, 13, 15), (10, 15, 20), (10, 14, 10)]
        {
            assert_eq!(rounding(base).round(count), rounded, "{count} to {base}");
        }
    }

    #[test]
    fn a_scaled_sum_over_a_rounded_count_is_the_true_average() {
        for (base, sum, count, scaled) in
            [(5, 130, 13, 150), (5, -130, 13, -150), (5, 120, 12, 100), (5, 7, 13, 8), (10, 0, 12, 0), (5, 9, 0, 9)]
        {
            assert_eq!(rounding(base).scale_one(sum, count), Some(scaled), "{sum} over {count} to {base}");
        }
        // No overflow in the middle: the largest decimal(38) times a count.
        let most = 99_999_999_999_999_999_999_999_999_999_999_999_999_i128;
        assert_eq!(rounding(5).scale_one(most, 5_000_000), Some(most));
        assert_eq!(rounding(5).scale_one(i128::MAX, 3), None);
    }

    #[test]
    fn each_sum_is_scaled_by_the_count_of_its_own_argument() {
        let filtered = sum(col("x")).filter(col("y").gt(lit(1))).build().unwrap();
        let aggregates =
            [count(col("x")), sum(col("x")), avg(col("x")), sum(col("y")), filtered, sum(col("x")).alias("again")];
        let rounding = Rounding::new(&aggregates, 5).unwrap();
        let counts: Vec<String> = rounding.counts.iter().map(ToString::to_string).collect();
        assert_eq!(counts, ["count(x)", "count(y)", "count(x) FILTER (WHERE y > Int32(1))"]);
        let expected = [Count, Sum { count: 0 }, Keep, Sum { count: 1 }, Sum { count: 2 }, Sum { count: 0 }];
        assert_eq!(rounding.treatments, expected);
        assert!(Rounding::new(&aggregates, 1).unwrap().counts.is_empty());
        assert_eq!(Rounding::new(&[max(col("x"))], 5).unwrap_err(), "max");
    }

    #[test]
    fn variances_are_computed_with_the_rounded_count() {
        let (x, y) = (col("x"), col("y"));
        let aggregates = [count(x.clone()), regr_syy(y, x.clone()), var_pop(x.clone()), var_sample(x)];
        let rounding = Rounding::new(&aggregates, 5).unwrap();
        let counts: Vec<String> = rounding.counts.iter().map(ToString::to_string).collect();
        assert_eq!(counts, ["count(x) FILTER (WHERE y IS NOT NULL AND x IS NOT NULL)", "count(x)"]);
        assert_eq!(rounding.treatments, [Count, Sum { count: 0 }, Keep, Sample { count: 1, root: false }]);
        // Twelve values, their squares' sum 240: the population's variance is 20, and they are told to be ten.
        let float = |value: f64| -> ArrayRef { Arc::new(Float64Array::from(vec![value])) };
        let twelve: ArrayRef = Arc::new(Int64Array::from(vec![12]));
        let values = [Arc::clone(&twelve), float(240.0), float(20.0), float(240.0 / 11.0)];
        let told = rounding.apply(&values, &[Arc::clone(&twelve), twelve]).unwrap();
        let at = |index: usize| told[index].as_primitive::<Float64Type>().value(0);
        assert_eq!(told[0].as_primitive::<Int64Type>().value(0), 10);
        assert!((at(1) - 200.0).abs() < 1e-9, "the sum over the count is the variance");
        assert!((at(2) - 20.0).abs() < 1e-9);
        assert!((at(3) - 200.0 / 9.0).abs() < 1e-9, "and that of a sample is of ten");
    }

    #[test]
    fn rounding_keeps_the_types_of_columns() {
        let mut aggregates = vec![count(col("x"))];
        aggregates.extend(std::iter::repeat_n(sum(col("x")), 5));
        let rounding = Rounding::new(&aggregates, 10).unwrap();
        let values: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(vec![12, 17])),
            Arc::new(Int64Array::from(vec![Some(24), None])),
            Arc::new(UInt64Array::from(vec![24, 34])),
            Arc::new(Float64Array::from(vec![24.0, 34.0])),
            Arc::new(Decimal128Array::from(vec![2400, 3400]).with_precision_and_scale(20, 2).unwrap()),
            Arc::new(
                Decimal256Array::from(vec![i256::from(2400), i256::from(-3400)])
                    .with_precision_and_scale(76, 2)
                    .unwrap(),
            ),
        ];
        let counts: Vec<ArrayRef> = vec![Arc::new(Int64Array::from(vec![12, 17]))];
        let rounded = rounding.apply(&values, &counts).unwrap();
        let types: Vec<_> = values.iter().map(|v| v.data_type().clone()).collect();
        assert_eq!(rounded.iter().map(|v| v.data_type().clone()).collect::<Vec<_>>(), types);
        assert_eq!(rounded[0].as_primitive::<Int64Type>().values(), &[10, 20]);
        assert_eq!(rounded[1].as_primitive::<Int64Type>().iter().collect::<Vec<_>>(), [Some(20), None]);
        assert_eq!(rounded[2].as_primitive::<UInt64Type>().values(), &[20, 40]);
        assert!((rounded[3].as_primitive::<Float64Type>().value(1) - 40.0).abs() < 1e-9);
        assert_eq!(rounded[4].as_primitive::<Decimal128Type>().values(), &[2000, 4000]);
        assert_eq!(rounded[5].as_primitive::<Decimal256Type>().values(), &[i256::from(2000), i256::from(-4000)]);
    }
}
