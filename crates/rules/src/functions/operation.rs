//! One operation that does not wrap around, as a function: arithmetic, and the concatenation of two texts with its bound.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType, Decimal128Type, Field, FieldRef, Schema};
use arrow::error::ArrowError;
use datafusion::common::utils::take_function_args;
use datafusion::common::{DataFusionError, Result as DfResult, ScalarValue, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, Operator, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, binary_expr,
};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{BinaryExpr as PhysicalBinaryExpr, Column, Literal};
use wanqu_model::refusal::{Code, Refusal};
use wanqu_numbers::{Operation, in_range};

use super::grown::check_concatenation;
use super::intervals;
use super::out_of_range;
use super::quotient::divided;
use super::shifts::{is_shift, shifted};
use crate::expressions::is_comparison;

/// Name in plans.
const NAME: &str = "__checked";

/// One operation: an error where its result does not fit into its type.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Checked {
    /// Minus with one operand is its negative.
    pub op: Operator,
    pub returns: DataType,
    /// Name of a column that holds it, as the engine calls the operation. It is kept, since a name that were put together of
    /// those of its operands each time would make long chains of operations take the cube of their length to plan.
    pub name: String,
    /// The operation in SQL.
    pub text: String,
    pub signature: Signature,
}

impl Checked {
    /// Returns the operation as the engine writes it.
    pub fn original(&self, operands: &[Expr]) -> DfResult<Expr> {
        match operands {
            [left, right] => Ok(binary_expr(left.clone(), self.op, right.clone())),
            [inner] => Ok(Expr::Negative(Box::new(inner.clone()))),
            _ => plan_err!("arithmetic has one operand or two"),
        }
    }

    fn computed(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        if self.op == Operator::StringConcat {
            check_concatenation(&args.args, args.number_rows)?;
        }
        if is_comparison(self.op) {
            return by_columns(args, |left, right| intervals::compared(left, self.op, right));
        }
        if is_shift(self.op) {
            return by_columns(args, |values, by| shifted(self.op, values, by, &self.returns));
        }
        let is_decimal = |data_type: &DataType| matches!(data_type, DataType::Decimal128(..));
        let decimals = is_decimal(&self.returns) && args.args.iter().all(|value| is_decimal(&value.data_type()));
        if self.op == Operator::Divide && decimals {
            let [number, divisor] = take_function_args(NAME, &args.args)?;
            let columns = [number, divisor].map(|value| value.clone().into_array(args.number_rows));
            let [number, divisor] = columns;
            let quotients = divided(&number?, &divisor?, &self.returns)?;
            let one = args.args.iter().all(|value| matches!(value, ColumnarValue::Scalar(_)));
            return Ok(if one && !quotients.is_empty() {
                ColumnarValue::Scalar(ScalarValue::try_from_array(&quotients, 0)?)
            } else {
                ColumnarValue::Array(quotients)
            });
        }
        match self.in_range(&args.args)? {
            Some(column) => Ok(ColumnarValue::Array(column)),
            None => self.computed_by_engine(args),
        }
    }

    /// Returns the results over columns of integers if all fit into their type; `None` if they have to be looked at one by
    /// one, by the engine's own kernels, which do that several times slower.
    fn in_range(&self, operands: &[ColumnarValue]) -> DfResult<Option<ArrayRef>> {
        let operation = match self.op {
            Operator::Plus => Operation::Add,
            Operator::Minus => Operation::Subtract,
            Operator::Multiply => Operation::Multiply,
            _ => return Ok(None),
        };
        if !self.returns.is_integer() {
            return Ok(None);
        }
        Ok(match operands {
            [ColumnarValue::Array(left), ColumnarValue::Array(right)] => in_range(operation, left, right),
            [ColumnarValue::Array(left), ColumnarValue::Scalar(right)] => {
                in_range(operation, left, &right.to_scalar()?)
            }
            [ColumnarValue::Scalar(left), ColumnarValue::Array(right)] => {
                in_range(operation, &left.to_scalar()?, right)
            }
            [ColumnarValue::Array(negated)] => {
                in_range(operation, &ScalarValue::new_zero(&self.returns)?.to_scalar()?, negated)
            }
            _ => None,
        })
    }

    fn computed_by_engine(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        let (mut fields, mut columns, mut operands) = (Vec::new(), Vec::new(), Vec::<Arc<dyn PhysicalExpr>>::new());
        for value in args.args {
            match value {
                ColumnarValue::Array(array) => {
                    let name = columns.len().to_string();
                    operands.push(Arc::new(Column::new(&name, columns.len())));
                    fields.push(Field::new(name, array.data_type().clone(), true));
                    columns.push(array);
                }
                ColumnarValue::Scalar(value) => operands.push(Arc::new(Literal::new(value))),
            }
        }
        let options = RecordBatchOptions::new().with_row_count(Some(args.number_rows));
        let rows = RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)?;
        if operands.len() == 1 {
            operands.insert(0, Arc::new(Literal::new(ScalarValue::new_zero(&self.returns)?)));
        }
        let [left, right] = <[_; 2]>::try_from(operands)
            .map_err(|_| DataFusionError::Plan("arithmetic has one operand or two".to_owned()))?;
        let value = PhysicalBinaryExpr::new(left, self.op, right).with_fail_on_overflow(true).evaluate(&rows)?;
        if let DataType::Decimal128(DECIMAL128_MAX_PRECISION, _) = self.returns {
            let array = value.clone().into_array(args.number_rows)?;
            array.as_primitive::<Decimal128Type>().validate_decimal_precision(DECIMAL128_MAX_PRECISION)?;
        }
        Ok(value)
    }

    fn refusal(&self, error: DataFusionError) -> DataFusionError {
        let DataFusionError::ArrowError(arrow, _) = error.find_root() else { return error };
        match arrow.as_ref() {
            ArrowError::DivideByZero => {
                let refusal = Refusal::new(Code::InvalidSql, format!("{} divides by zero", self.text))
                    .with_rule("a divisor is not zero")
                    .with_subject(self.text.clone())
                    .with_remedy("use NULLIF for a divisor that can be zero");
                DataFusionError::External(Box::new(refusal))
            }
            ArrowError::ArithmeticOverflow(_) | ArrowError::InvalidArgumentError(_) | ArrowError::ComputeError(_) => {
                out_of_range(&self.text, &self.returns)
            }
            _ => error,
        }
    }
}

/// Returns what `compute` makes of two columns: one value where both are of one.
fn by_columns(
    args: ScalarFunctionArgs,
    compute: impl FnOnce(&ArrayRef, &ArrayRef) -> DfResult<ArrayRef>,
) -> DfResult<ColumnarValue> {
    let [left, right] = take_function_args(NAME, args.args)?;
    let one = matches!((&left, &right), (ColumnarValue::Scalar(_), ColumnarValue::Scalar(_)));
    let rows = if one { 1 } else { args.number_rows };
    let computed = compute(&left.into_array(rows)?, &right.into_array(rows)?)?;
    Ok(if one {
        ColumnarValue::Scalar(ScalarValue::try_from_array(&computed, 0)?)
    } else {
        ColumnarValue::Array(computed)
    })
}

impl ScalarUDFImpl for Checked {
    fn name(&self) -> &'static str {
        NAME
    }

    fn schema_name(&self, _: &[Expr]) -> DfResult<String> {
        Ok(self.name.clone())
    }

    fn display_name(&self, args: &[Expr]) -> DfResult<String> {
        Ok(self.original(args)?.to_string())
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
        // The calendar of the engine panics beyond its ends.
        match catch_unwind(AssertUnwindSafe(|| self.computed(args))) {
            Ok(computed) => computed.map_err(|error| self.refusal(error)),
            Err(_) => Err(out_of_range(&self.text, &self.returns)),
        }
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Date32Array, Decimal128Array, Int64Array};
    use datafusion::common::DFSchema;
    use datafusion::common::config::ConfigOptions;
    use datafusion::logical_expr::{col, lit};

    use super::*;
    use crate::functions::checked_expr;

    /// Computes an expression over one column, `x`.
    fn compute(expr: Expr, column: &ArrayRef) -> DfResult<ColumnarValue> {
        let field = Arc::new(Field::new("x", column.data_type().clone(), true));
        let schema = DFSchema::try_from(Schema::new(vec![Arc::clone(&field)])).unwrap();
        let Expr::ScalarFunction(call) = checked_expr(expr, &schema).unwrap() else { panic!("not rewritten") };
        let value = |arg: &Expr| match arg {
            Expr::Literal(value, _) => ColumnarValue::Scalar(value.clone()),
            _ => ColumnarValue::Array(Arc::clone(column)),
        };
        call.func.invoke_with_args(ScalarFunctionArgs {
            args: call.args.iter().map(value).collect(),
            arg_fields: call.args.iter().map(|_| Arc::clone(&field)).collect(),
            number_rows: column.len(),
            return_field: field,
            config_options: Arc::new(ConfigOptions::default()),
        })
    }

    #[test]
    fn what_its_type_does_not_hold_is_an_error_in_words() {
        let ints = |value: i64| -> ArrayRef { Arc::new(Int64Array::from(vec![Some(1), None, Some(value)])) };
        for (expr, value) in [
            (col("x") + lit(1_i64), i64::MAX),
            (col("x") - lit(1_i64), i64::MIN),
            (col("x") * lit(2_i64), i64::MAX),
            (col("x") / lit(-1_i64), i64::MIN),
            (Expr::Negative(Box::new(col("x"))), i64::MIN),
        ] {
            let error = compute(expr.clone(), &ints(value)).unwrap_err().to_string();
            assert!(error.contains("is out of range"), "{expr}: {error}");
            compute(expr, &ints(5)).unwrap();
        }
        assert!(compute(lit(1_i64) / col("x"), &ints(0)).unwrap_err().to_string().contains("divides by zero"));
    }

    #[test]
    fn decimals_keep_to_their_digits() {
        let most = 99_999_999_999_999_999_999_999_999_999_999_999_999_i128;
        let column: ArrayRef = Arc::new(Decimal128Array::from(vec![most]).with_precision_and_scale(38, 0).unwrap());
        let one = lit(ScalarValue::Decimal128(Some(1), 38, 0));
        assert!(compute(col("x") + one.clone(), &column).unwrap_err().to_string().contains("out of range"));
        compute(col("x") - one, &column).unwrap();
    }

    #[test]
    fn a_day_beyond_the_calendar_is_an_error_in_words() {
        let days: ArrayRef = Arc::new(Date32Array::from(vec![i32::MAX]));
        let month = lit(ScalarValue::new_interval_mdn(1, 0, 0));
        assert!(compute(col("x") + month, &days).unwrap_err().to_string().contains("out of range"));
    }
}
