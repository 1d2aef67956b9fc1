//! Arithmetic that does not wrap around: what its type does not hold is an error in words.
//!
//! A plan is rewritten before it is optimised, so that constants are folded by the same rules. Names and types stay.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType, Decimal128Type, Field, FieldRef, Schema};
use arrow::error::ArrowError;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::utils::take_function_args;
use datafusion::common::{DFSchema, DataFusionError, Result as DfResult, ScalarValue, plan_err};
use datafusion::logical_expr::expr::{AggregateFunction, Alias, Between, Case, Cast, TryCast};
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, ExprSchemable, LogicalPlan, Operator, ReturnFieldArgs, ScalarFunctionArgs,
    ScalarUDF, ScalarUDFImpl, Signature, Volatility, binary_expr,
};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{BinaryExpr as PhysicalBinaryExpr, Column, Literal};
use wanqu_model::refusal::{Code, Refusal};
use wanqu_numbers::{Operation, in_range};

use super::average::with_exact_averages;
use super::cast::{constant, lossy_cast, original_cast};
use super::grown::check_concatenation;
use super::intervals::{self, as_difference, is_interval};
use super::one_form::{in_one_form, inside};
use super::out_of_range;
use super::quotient::divided;
use crate::expressions::each_expression;
use crate::spell::{Spelling, name_text};

/// Name in plans.
const NAME: &str = "__checked";

/// Returns the plan with arithmetic that fails where a result does not fit into its type, with floats of one form, and with
/// exact averages of integers.
///
/// With `gated`, the plan is over non-public data, and what an aggregate adds up is left as it is: a value that became NULL
/// because it is large would not be counted, so that the coefficient of a sum chose between people. Admission makes such
/// arguments wide enough instead.
///
/// # Errors
/// If a part of the plan has no type.
pub fn checked(plan: LogicalPlan, gated: bool) -> DfResult<LogicalPlan> {
    let checked = each_expression(plan, |expr, schema| {
        if !gated {
            return checked_expr(expr, schema)?.transform_up(|part| joined(part, schema)).map(|changed| changed.data);
        }
        expr.transform_down(|part| match part {
            Expr::AggregateFunction(aggregate) => {
                let aggregate = Expr::AggregateFunction(around_sums(aggregate, schema)?);
                Ok(Transformed::new(aggregate, true, TreeNodeRecursion::Jump))
            }
            part if contains_aggregate(&part) => Ok(Transformed::no(part)),
            part => Ok(Transformed::new(checked_expr(part, schema)?, true, TreeNodeRecursion::Jump)),
        })
        .map(|changed| changed.data)
    })?;
    with_exact_averages(in_one_form(checked)?)
}

fn contains_aggregate(expr: &Expr) -> bool {
    expr.exists(|part| Ok(matches!(part, Expr::AggregateFunction(_)))).unwrap_or(true)
}

/// Returns the expression over these columns with arithmetic that fails where a result does not fit into its type.
pub(crate) fn checked_expr(expr: Expr, columns: &DFSchema) -> DfResult<Expr> {
    expr.transform_up(|part| checked_part(part, columns)).map(|changed| changed.data)
}

/// Returns the expression with arithmetic as SQL has it, in place of what [`checked`] put there.
///
/// # Errors
/// If a part of the expression cannot be put together.
pub fn as_written(expr: Expr) -> DfResult<Expr> {
    let written = expr.transform_up(|part| {
        if let Some(cast) = original_cast(&part)? {
            return Ok(Transformed::yes(cast));
        }
        match (original(&part), inside(&part)) {
            (Some((checked, operands)), _) => checked.original(operands).map(Transformed::yes),
            (None, Some(computed)) => Ok(Transformed::yes(computed.clone())),
            (None, None) => Ok(Transformed::no(part)),
        }
    });
    written.map(|written| written.data)
}

/// Returns the operation that an expression is, and its operands, if [`checked`] put it there.
fn original(part: &Expr) -> Option<(&Checked, &[Expr])> {
    let Expr::ScalarFunction(call) = part else { return None };
    let implementation: &dyn Any = call.func.inner().as_ref();
    implementation.downcast_ref().map(|checked| (checked, &call.args[..]))
}

/// Returns arithmetic over columns, or a division of constants, as the engine writes it. Other arithmetic that
/// [`checked_expr`] put there is left over where its constants have no result.
///
/// # Errors
/// If it is left over.
pub(super) fn unchecked(part: Expr) -> DfResult<Transformed<Expr>> {
    if let Some(value) = constant(&part)? {
        return Ok(Transformed::yes(value));
    }
    if let Some(cast) = original_cast(&part)? {
        return Ok(Transformed::yes(cast));
    }
    match original(&part) {
        None => Ok(Transformed::no(part)),
        Some((checked, operands))
            if matches!(checked.op, Operator::Divide | Operator::Modulo) || !operands.iter().all(is_literal) =>
        {
            checked.original(operands).map(Transformed::yes)
        }
        Some((checked, _)) => Err(out_of_range(&checked.text, &checked.returns)),
    }
}

/// Returns true for a literal, and for casts of one.
fn is_literal(operand: &Expr) -> bool {
    match operand {
        Expr::Literal(..) => true,
        Expr::Cast(Cast { expr, .. }) | Expr::TryCast(TryCast { expr, .. }) => is_literal(expr),
        _ => false,
    }
}

/// Checks the conditions of an aggregate, and not the values that it takes in.
fn around_sums(mut aggregate: AggregateFunction, schema: &DFSchema) -> DfResult<AggregateFunction> {
    let params = &mut aggregate.params;
    params.filter = params.filter.take().map(|filter| checked_expr(*filter, schema).map(Box::new)).transpose()?;
    params.args =
        std::mem::take(&mut params.args).into_iter().map(|arg| around(arg, schema)).collect::<DfResult<_>>()?;
    Ok(aggregate)
}

/// Checks the conditions of what is added up.
fn around(value: Expr, schema: &DFSchema) -> DfResult<Expr> {
    let boxed = |value: Box<Expr>| around(*value, schema).map(Box::new);
    Ok(match value {
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: op @ (Operator::Plus | Operator::Minus | Operator::Multiply),
            right,
        }) => Expr::BinaryExpr(BinaryExpr { left: boxed(left)?, op, right: boxed(right)? }),
        Expr::Negative(inner) => Expr::Negative(boxed(inner)?),
        Expr::Cast(Cast { expr, field }) => {
            let cast = Expr::Cast(Cast { expr: boxed(expr)?, field });
            lossy_cast(&cast, schema)?.unwrap_or(cast)
        }
        Expr::TryCast(TryCast { expr, field }) => {
            let cast = Expr::TryCast(TryCast { expr: boxed(expr)?, field });
            lossy_cast(&cast, schema)?.unwrap_or(cast)
        }
        Expr::Alias(Alias { expr, relation, name, metadata }) => {
            Expr::Alias(Alias { expr: boxed(expr)?, relation, name, metadata })
        }
        Expr::Case(Case { expr, when_then_expr, else_expr }) => Expr::Case(Case {
            expr: expr.map(|subject| checked_expr(*subject, schema).map(Box::new)).transpose()?,
            when_then_expr: when_then_expr
                .into_iter()
                .map(|(when, then)| Ok((Box::new(checked_expr(*when, schema)?), boxed(then)?)))
                .collect::<DfResult<_>>()?,
            else_expr: else_expr.map(boxed).transpose()?,
        }),
        other => checked_expr(other, schema)?,
    })
}

pub(super) fn checked_part(part: Expr, schema: &DFSchema) -> DfResult<Transformed<Expr>> {
    if let Some(cast) = lossy_cast(&part, schema)? {
        return Ok(Transformed::yes(cast));
    }
    let (op, operands) = match &part {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            let arithmetic = [Operator::Plus, Operator::Minus, Operator::Multiply, Operator::Divide, Operator::Modulo];
            let (l, r) = (left.get_type(schema)?, right.get_type(schema)?);
            let by_length = intervals::is_comparison(*op) && is_interval(&l) && is_interval(&r);
            if !by_length && !(arithmetic.contains(op) && can_leave(&l, &r)) {
                return Ok(Transformed::no(part));
            }
            let operands = if by_length {
                vec![as_difference(left, schema), as_difference(right, schema)]
            } else {
                vec![left.as_ref().clone(), right.as_ref().clone()]
            };
            (*op, operands)
        }
        Expr::Between(between) if is_interval(&between.expr.get_type(schema)?) => {
            return in_two_comparisons(between, schema).map(Transformed::yes);
        }
        Expr::Negative(inner) if inner.get_type(schema)?.is_signed_integer() => {
            (Operator::Minus, vec![inner.as_ref().clone()])
        }
        _ => return Ok(Transformed::no(part)),
    };
    let function = Checked {
        op,
        returns: part.get_type(schema)?,
        name: part.schema_name().to_string(),
        text: text_of(&part, schema),
        signature: Signature::any(operands.len(), Volatility::Immutable),
    };
    Ok(Transformed::yes(ScalarUDF::from(function).call(operands)))
}

/// Returns BETWEEN as two comparisons.
fn in_two_comparisons(between: &Between, schema: &DFSchema) -> DfResult<Expr> {
    let Between { expr, negated, low, high } = between;
    let side = |op, bound: &Expr| {
        checked_part(binary_expr(expr.as_ref().clone(), op, bound.clone()), schema).map(|checked| checked.data)
    };
    Ok(if *negated {
        binary_expr(side(Operator::Lt, low)?, Operator::Or, side(Operator::Gt, high)?)
    } else {
        binary_expr(side(Operator::GtEq, low)?, Operator::And, side(Operator::LtEq, high)?)
    })
}

/// Most characters of an expression that a refusal quotes.
const MOST_QUOTED: usize = 120;

/// Returns an operation in SQL, cut where it is long.
fn text_of(part: &Expr, schema: &DFSchema) -> String {
    let mut size = 0_usize;
    let _ = part.apply(|_| {
        size += 1;
        Ok(if size > MOST_QUOTED { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    });
    let whole = (size <= MOST_QUOTED).then(|| as_written(part.clone())).and_then(Result::ok);
    let text =
        whole.and_then(|written| Spelling { schema, column: &|column| name_text(&column.name) }.item(&written).ok());
    match text {
        Some(text) if text.chars().count() <= MOST_QUOTED => text,
        Some(text) => text.chars().take(MOST_QUOTED).chain(['…']).collect(),
        None => "an arithmetic expression".to_owned(),
    }
}

/// Returns the concatenation of two texts with a bound on its size. One of constants alone is as long as its text.
fn joined(part: Expr, schema: &DFSchema) -> DfResult<Transformed<Expr>> {
    let Expr::BinaryExpr(BinaryExpr { left, op: op @ Operator::StringConcat, right }) = &part else {
        return Ok(Transformed::no(part));
    };
    let varies = |part: &Expr| Ok(!matches!(part, Expr::Literal(..) | Expr::BinaryExpr(_)));
    let returns = part.get_type(schema)?;
    if !returns.is_string() || !part.exists(varies)? {
        return Ok(Transformed::no(part));
    }
    let operands = vec![left.as_ref().clone(), right.as_ref().clone()];
    let signature = Signature::any(operands.len(), Volatility::Immutable);
    let (name, text) = (part.schema_name().to_string(), op.to_string());
    let function = Checked { op: *op, returns, name, text, signature };
    Ok(Transformed::yes(ScalarUDF::from(function).call(operands)))
}

/// Returns true if a result of two operands can leave the range of its type.
fn can_leave(left: &DataType, right: &DataType) -> bool {
    let exact = |t: &DataType| t.is_integer() || t.is_decimal();
    (exact(left) && exact(right)) || left.is_temporal() || right.is_temporal()
}

/// One operation: an error where its result does not fit into its type.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Checked {
    /// Minus with one operand is its negative.
    op: Operator,
    returns: DataType,
    /// Name of a column that holds it, as the engine calls the operation. It is kept, since a name that were put together of
    /// those of its operands each time would make long chains of operations take the cube of their length to plan.
    name: String,
    /// The operation in SQL.
    text: String,
    signature: Signature,
}

impl Checked {
    /// Returns the operation as the engine writes it.
    fn original(&self, operands: &[Expr]) -> DfResult<Expr> {
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
        if intervals::is_comparison(self.op) {
            let [left, right] = take_function_args(NAME, args.args)?;
            let one = matches!((&left, &right), (ColumnarValue::Scalar(_), ColumnarValue::Scalar(_)));
            let rows = if one { 1 } else { args.number_rows };
            let truth = intervals::compared(&left.into_array(rows)?, self.op, &right.into_array(rows)?)?;
            return Ok(if one {
                ColumnarValue::Scalar(ScalarValue::try_from_array(&truth, 0)?)
            } else {
                ColumnarValue::Array(truth)
            });
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
    use datafusion::common::config::ConfigOptions;
    use datafusion::logical_expr::{col, lit};

    use super::*;

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
