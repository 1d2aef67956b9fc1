//! An average made of a merged sum and a merged count, exactly as the engine makes one over rows.

use std::sync::Arc;

use arrow::array::{Array, Decimal128Array};
use arrow::compute::cast;
use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DECIMAL256_MAX_PRECISION, DataType, i256};
use datafusion::common::cast::{as_decimal256_array, as_int64_array};
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

use crate::half_away::rounded;
use crate::range::{Overflow, out_of_range};

/// Returns the function `decimal_average(sum, count)`: the sum divided by the count, as a decimal of this precision and
/// scale, rounded half away from zero. NULL where the count is 0 or NULL. An average that has more digits is a refusal, which calls
/// it `what`; over releases of non-public data (`gated`) it is NULL.
#[must_use]
pub fn decimal_average(what: &str, precision: u8, scale: i8, gated: bool) -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::from(DecimalAverage {
        what: what.to_owned(),
        name: format!("decimal_average_{precision}_{scale}"),
        precision,
        scale,
        overflow: if gated { Overflow::IsNull } else { Overflow::Fails },
        signature: Signature::any(2, Volatility::Immutable),
    }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct DecimalAverage {
    what: String,
    name: String,
    precision: u8,
    scale: i8,
    overflow: Overflow,
    signature: Signature,
}

impl ScalarUDFImpl for DecimalAverage {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Decimal128(self.precision.min(DECIMAL128_MAX_PRECISION), self.scale))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let [sum, count] = &arrays[..] else { return plan_err!("an average is made of a sum and a count") };
        let (DataType::Decimal128(_, sum_scale) | DataType::Decimal256(_, sum_scale)) = *sum.data_type() else {
            return plan_err!("the sum of an exact average is a decimal");
        };
        let sum = cast(sum, &DataType::Decimal256(DECIMAL256_MAX_PRECISION, sum_scale))?;
        let (sum, count) = (as_decimal256_array(&sum)?, as_int64_array(count)?);
        let up = i256::from_i128(10).wrapping_pow(u32::try_from(self.scale - sum_scale).unwrap_or(0));
        let data_type = self.return_type(&[])?;
        let limit = 10_u128.pow(u32::from(self.precision.min(DECIMAL128_MAX_PRECISION)));
        let averages = sum.iter().zip(count.iter()).map(|(sum, count)| match (sum, count) {
            (Some(sum), Some(count)) if count != 0 => {
                let average = sum.checked_mul(up).and_then(|sum| rounded(sum, i256::from_i128(count.into())));
                let fits = average.and_then(i256::to_i128).filter(|average| average.unsigned_abs() < limit);
                match (fits, self.overflow) {
                    (None, Overflow::Fails) => Err(out_of_range(&self.what, &data_type)),
                    (average, _) => Ok(average),
                }
            }
            _ => Ok(None),
        });
        let averages = averages.collect::<Result<Decimal128Array>>()?;
        Ok(ColumnarValue::Array(Arc::new(averages.with_precision_and_scale(self.precision, self.scale)?)))
    }
}
