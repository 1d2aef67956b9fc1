//! Computed floats of one form: one NaN, which is the greatest number, and no negative zero.
//!
//! `0.0 / 0.0` gives a NaN with a sign on some processors, and the engine orders floats by their bits: such a NaN would be
//! less than every number, another group than a NaN that was read, and unequal to it. A negative zero would be less than zero.
//! In PostgreSQL there is one NaN, greater than all numbers, and both zeros are equal.

use std::any::Any;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::{DataType, Field, FieldRef, Float32Type, Float64Type};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result as DfResult, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExprSchemable, LogicalPlan, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
    Signature, Volatility,
};

use crate::expressions::each_expression;

/// Name in plans.
pub(crate) const NAME: &str = "__one_form";

/// Returns the plan with every float that it computes in one form. Names and types stay.
///
/// # Errors
/// If a part of the plan has no type.
pub(super) fn in_one_form(plan: LogicalPlan) -> DfResult<LogicalPlan> {
    each_expression(plan, |expr, schema| expr.transform_up(|part| wrapped(part, schema)).map(|changed| changed.data))
}

/// Returns the expression that [`in_one_form`] put a function around; `None` for another expression.
pub(super) fn inside(part: &Expr) -> Option<&Expr> {
    let Expr::ScalarFunction(call) = part else { return None };
    let implementation: &dyn Any = call.func.inner().as_ref();
    implementation.downcast_ref::<OneForm>().and_then(|_| call.args.first())
}

fn wrapped(part: Expr, schema: &DFSchema) -> DfResult<Transformed<Expr>> {
    let computes = match &part {
        Expr::BinaryExpr(_) | Expr::Negative(_) => true,
        Expr::ScalarFunction(call) => call.name() != NAME,
        // Text can say "-nan" and "-0".
        Expr::Cast(cast) => cast.expr.get_type(schema)?.is_string(),
        Expr::TryCast(cast) => cast.expr.get_type(schema)?.is_string(),
        _ => false,
    };
    if !computes {
        return Ok(Transformed::no(part));
    }
    let returns = part.get_type(schema)?;
    if !matches!(returns, DataType::Float32 | DataType::Float64) {
        return Ok(Transformed::no(part));
    }
    let function = OneForm { returns, signature: Signature::any(1, Volatility::Immutable) };
    Ok(Transformed::yes(ScalarUDF::from(function).call(vec![part])))
}

/// Function of one float, which gives the same number in its one form.
#[derive(Debug, PartialEq, Eq, Hash)]
struct OneForm {
    returns: DataType,
    signature: Signature,
}

impl ScalarUDFImpl for OneForm {
    fn name(&self) -> &'static str {
        NAME
    }

    fn schema_name(&self, args: &[Expr]) -> DfResult<String> {
        Ok(args.iter().map(|arg| arg.schema_name().to_string()).collect())
    }

    fn display_name(&self, args: &[Expr]) -> DfResult<String> {
        Ok(args.iter().map(ToString::to_string).collect())
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> DfResult<DataType> {
        Ok(self.returns.clone())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> DfResult<FieldRef> {
        let nullable = args.arg_fields.iter().any(|field| field.is_nullable());
        Ok(Arc::new(Field::new(NAME, self.returns.clone(), nullable)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        let [value] = datafusion::common::utils::take_function_args(NAME, args.args)?;
        Ok(match value {
            ColumnarValue::Array(array) => ColumnarValue::Array(array_in_one_form(&array)),
            ColumnarValue::Scalar(ScalarValue::Float64(Some(number))) => {
                ColumnarValue::Scalar(ScalarValue::Float64(Some(double(number))))
            }
            ColumnarValue::Scalar(ScalarValue::Float32(Some(number))) => {
                ColumnarValue::Scalar(ScalarValue::Float32(Some(single(number))))
            }
            other @ ColumnarValue::Scalar(_) => other,
        })
    }
}

fn array_in_one_form(array: &ArrayRef) -> ArrayRef {
    match array.data_type() {
        DataType::Float64 => Arc::new(array.as_primitive::<Float64Type>().unary::<_, Float64Type>(double)),
        DataType::Float32 => Arc::new(array.as_primitive::<Float32Type>().unary::<_, Float32Type>(single)),
        _ => Arc::clone(array),
    }
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
    use arrow::array::Float64Array;

    use super::*;

    #[test]
    fn there_is_one_nan_and_one_zero() {
        let numbers: ArrayRef = Arc::new(Float64Array::from(vec![Some(-f64::NAN), Some(-0.0), Some(-1.5), None]));
        let found = array_in_one_form(&numbers);
        let bits: Vec<Option<u64>> = found.as_primitive::<Float64Type>().iter().map(|n| n.map(f64::to_bits)).collect();
        assert_eq!(bits, [Some(f64::NAN.to_bits()), Some(0), Some((-1.5_f64).to_bits()), None]);
    }
}
