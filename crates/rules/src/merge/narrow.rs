//! A merged sum in the type of the sum that was asked for.

use std::sync::Arc;

use arrow::array::Array;
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

use crate::range::{Overflow, out_of_range};

/// Returns the function `narrow(sum)`: a sum in a narrower type. One that the type does not hold is a refusal, which calls
/// it `what`; over releases of non-public data (`gated`) it is NULL.
#[must_use]
pub fn narrow(what: &str, to: &DataType, gated: bool) -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::from(Narrow {
        what: what.to_owned(),
        to: to.clone(),
        overflow: if gated { Overflow::IsNull } else { Overflow::Fails },
        signature: Signature::any(1, Volatility::Immutable),
    }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Narrow {
    what: String,
    to: DataType,
    overflow: Overflow,
    signature: Signature,
}

impl ScalarUDFImpl for Narrow {
    fn name(&self) -> &'static str {
        "narrow"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.to.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [wide] = &ColumnarValue::values_to_arrays(&args.args)?[..] else {
            return Err(out_of_range(&self.what, &self.to));
        };
        let narrow = cast_with_options(wide, &self.to, &CastOptions { safe: true, ..CastOptions::default() })?;
        if self.overflow == Overflow::Fails && narrow.null_count() > wide.null_count() {
            return Err(out_of_range(&self.what, &self.to));
        }
        Ok(ColumnarValue::Array(narrow))
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, AsArray, Decimal128Array, Decimal256Array};
    use arrow::datatypes::{Decimal128Type, Field, Int64Type, i256};
    use datafusion::common::config::ConfigOptions;

    use super::*;

    fn narrowed(wide: &ArrayRef, to: &DataType, gated: bool) -> Result<ArrayRef> {
        let value = narrow("sum(n)", to, gated).invoke_with_args(ScalarFunctionArgs {
            args: vec![ColumnarValue::Array(Arc::clone(wide))],
            arg_fields: vec![Arc::new(Field::new("0", wide.data_type().clone(), true))],
            number_rows: wide.len(),
            return_field: Arc::new(Field::new("narrow", to.clone(), true)),
            config_options: Arc::new(ConfigOptions::default()),
        });
        value?.into_array(wide.len())
    }

    #[test]
    fn what_does_not_fit_is_refused_or_null() {
        let most = i128::from(i64::MAX);
        let sums = Decimal128Array::from(vec![Some(most), Some(most + 1), None]);
        let wide: ArrayRef = Arc::new(sums.with_precision_and_scale(38, 0).unwrap());
        let narrow = narrowed(&wide, &DataType::Int64, true).unwrap();
        assert_eq!(narrow.as_primitive::<Int64Type>().iter().collect::<Vec<_>>(), [Some(i64::MAX), None, None]);
        let error = narrowed(&wide, &DataType::Int64, false).unwrap_err().to_string();
        assert!(error.contains("sum(n) is out of range"), "{error}");
        assert_eq!(narrowed(&wide.slice(0, 1), &DataType::Int64, false).unwrap().null_count(), 0);
    }

    #[test]
    fn a_decimal_keeps_to_its_digits() {
        let most = 10_i128.pow(38) - 1;
        let sums = Decimal256Array::from(vec![i256::from_i128(most), i256::from_i128(most + 1)]);
        let wide: ArrayRef = Arc::new(sums.with_precision_and_scale(76, 2).unwrap());
        let narrow = narrowed(&wide, &DataType::Decimal128(38, 2), true).unwrap();
        assert_eq!(narrow.as_primitive::<Decimal128Type>().iter().collect::<Vec<_>>(), [Some(most), None]);
    }
}
