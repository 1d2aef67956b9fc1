//! Expressions that cannot fail.
//!
//! A query over non-public data that fails where it meets a certain value tells that the value is there. Admission lets
//! only expressions pass that have no reason to fail, but engines find reasons: a timestamp that is no date in a calendar,
//! an absolute value that has none, a cast that was never written. So in a plan over non-public data, after everything else
//! was done to it, each part of an expression that can fail is put into a function that gives NULL for the rows on which it
//! does, and its value for all others. What a custodian declared for a column is held to the same.
//!
//! The rule for what does not fit into its type is stated here: an expression of a row is NULL for that row, and a sum is NULL
//! for its cell. Which rows those are is decided by the row alone, as with a cast that has no value. What a sum takes in is
//! excepted: there a large value that became NULL would be left out uncounted, so admission makes sums wide enough.

use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::compute::{cast, concat};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, DataFusionError, Result as DfResult, ScalarValue};
use datafusion::execution::context::ExecutionProps;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, ExprSchemable, LogicalPlan, Operator, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility,
};
use datafusion::physical_expr::{PhysicalExpr, create_physical_expr};

use crate::casts::is_exact;
use crate::expressions::each_expression;
use crate::functions;
use crate::functions::one_form::NAME as ONE_FORM;
use crate::unit::UNIT_HASH;

/// The plan with every part of its expressions that can fail made harmless.
pub fn harmless(plan: LogicalPlan) -> DfResult<LogicalPlan> {
    each_expression(plan, harmless_parts)
}

/// An expression over these columns with every part that can fail made harmless.
pub fn harmless_expr(expr: Expr, columns: &DFSchema) -> DfResult<Expr> {
    harmless_parts(functions::checked_expr(expr, columns)?, columns)
}

fn harmless_parts(expr: Expr, columns: &DFSchema) -> DfResult<Expr> {
    expr.transform_up(|part| harmless_part(part, columns)).map(|changed| changed.data)
}

/// An expression that plans take for one that may be NULL, whatever it is. What the optimiser knows of it, it knows before
/// parts that can fail are made harmless: that a value is never NULL would then be wrong where one of them fails, and a
/// condition that was taken for true would not be counted. Columns of sources may all be NULL; of anything else it cannot be
/// known what the optimiser will make of it.
pub fn maybe_null(expr: Expr, columns: &DFSchema) -> DfResult<Expr> {
    if matches!(expr, Expr::Literal(..) | Expr::Column(_)) {
        return Ok(expr);
    }
    let returns = expr.get_type(columns)?;
    let field = Field::new("0", returns.clone(), true);
    let same = Harmless::new(Expr::Column(Column::new_unqualified("0")), Schema::new(vec![field]), returns)?;
    Ok(ScalarUDF::from(same).call(vec![expr]))
}

fn harmless_part(part: Expr, schema: &DFSchema) -> DfResult<Transformed<Expr>> {
    if let Expr::AggregateFunction(mut aggregate) = part {
        // A sum that its type does not hold is NULL.
        let Some(lenient) = functions::lenient(&aggregate.func) else {
            return Ok(Transformed::no(Expr::AggregateFunction(aggregate)));
        };
        aggregate.func = lenient;
        return Ok(Transformed::yes(Expr::AggregateFunction(aggregate)));
    }
    if !can_fail(&part, schema)? {
        return Ok(Transformed::no(part));
    }
    let (mut arguments, mut fields) = (Vec::new(), Vec::new());
    let returns = part.get_type(schema)?;
    // Literals stay where they are: there are functions that take nothing else.
    let part = part.map_children(|child| {
        if matches!(child, Expr::Literal(..)) {
            return Ok(Transformed::no(child));
        }
        let name = arguments.len().to_string();
        fields.push(Field::new(&name, child.get_type(schema)?, true));
        arguments.push(child);
        Ok(Transformed::yes(Expr::Column(Column::new_unqualified(name))))
    })?;
    let part = Harmless::new(part.data, Schema::new(fields), returns)?;
    Ok(Transformed::yes(ScalarUDF::from(part).call(arguments)))
}

/// Returns true if the engine may fail to compute a part for some values of its columns.
fn can_fail(part: &Expr, schema: &DFSchema) -> DfResult<bool> {
    let is_float = |data_type: &DataType| data_type.is_floating();
    Ok(match part {
        Expr::ScalarFunction(call) => ![UNIT_HASH, NAME, ONE_FORM].contains(&call.name()),
        Expr::Cast(cast) => !is_exact(&cast.expr.get_type(schema)?, cast.field.data_type()),
        Expr::TryCast(cast) => !is_exact(&cast.expr.get_type(schema)?, cast.field.data_type()),
        Expr::Negative(inner) => !is_float(&inner.get_type(schema)?),
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            let (left, right) = (left.get_type(schema)?, right.get_type(schema)?);
            match op {
                // Those that can leave their range were replaced by functions; what is left wraps, inside sums.
                Operator::Plus | Operator::Minus | Operator::Multiply if left.is_integer() && right.is_integer() => {
                    false
                }
                Operator::And
                | Operator::Or
                | Operator::Eq
                | Operator::NotEq
                | Operator::Lt
                | Operator::LtEq
                | Operator::Gt
                | Operator::GtEq
                | Operator::IsDistinctFrom
                | Operator::IsNotDistinctFrom => false,
                _ => !(is_float(&left) && is_float(&right)),
            }
        }
        Expr::Like(_) | Expr::SimilarTo(_) => true,
        _ => false,
    })
}

/// Name in plans.
const NAME: &str = "__harmless";

/// One part of an expression: NULL where the engine fails to compute it.
#[derive(Debug)]
struct Harmless {
    /// The part, over columns that stand for its arguments: `0`, `1`, …
    part: Expr,
    arguments: SchemaRef,
    returns: DataType,
    physical: Arc<dyn PhysicalExpr>,
    signature: Signature,
    /// True if it fails even on a row of NULLs: then it is NULL for every row.
    always_fails: OnceLock<bool>,
}

impl PartialEq for Harmless {
    fn eq(&self, other: &Self) -> bool {
        (&self.part, &self.arguments, &self.returns) == (&other.part, &other.arguments, &other.returns)
    }
}

impl Eq for Harmless {}

impl Hash for Harmless {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.part, &self.returns).hash(state);
    }
}

impl Harmless {
    fn new(part: Expr, arguments: Schema, returns: DataType) -> DfResult<Self> {
        let arguments = Arc::new(arguments);
        let columns = DFSchema::try_from(Arc::clone(&arguments))?;
        let physical =
            create_physical_expr(&part, &columns, &ExecutionProps::new(), &PhysicalPlanningContext::default())?;
        let types: Vec<DataType> = arguments.fields().iter().map(|field| field.data_type().clone()).collect();
        let signature = match types.len() {
            0 => Signature::nullary(Volatility::Immutable),
            _ => Signature::exact(types, Volatility::Immutable),
        };
        Ok(Self { part, arguments, returns, physical, signature, always_fails: OnceLock::new() })
    }

    /// Its values, if it has them for all of these rows.
    fn computed(&self, rows: &RecordBatch) -> Option<ArrayRef> {
        let values = || {
            let values = self.physical.evaluate(rows)?.into_array(rows.num_rows())?;
            Ok::<_, DataFusionError>(cast(&values, &self.returns)?)
        };
        catch_unwind(AssertUnwindSafe(values)).ok()?.ok()
    }

    /// Its values, and NULL for the rows that have none, which are found by halves.
    fn compute(&self, rows: &RecordBatch) -> ArrayRef {
        if let Some(values) = self.computed(rows) {
            return values;
        }
        let (count, none) = (rows.num_rows(), || new_null_array(&self.returns, rows.num_rows()));
        if count <= 1 || *self.always_fails.get_or_init(|| self.computed(&self.unknown()).is_none()) {
            return none();
        }
        let (first, second) = (rows.slice(0, count / 2), rows.slice(count / 2, count - count / 2));
        let (first, second) = (self.compute(&first), self.compute(&second));
        // Two texts may be too long together.
        catch_unwind(AssertUnwindSafe(|| concat(&[&first, &second]))).ok().and_then(Result::ok).unwrap_or_else(none)
    }

    /// One row of which nothing is known.
    fn unknown(&self) -> RecordBatch {
        let columns = self.arguments.fields().iter().map(|field| new_null_array(field.data_type(), 1)).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(1));
        RecordBatch::try_new_with_options(Arc::clone(&self.arguments), columns, &options)
            .unwrap_or_else(|_| RecordBatch::new_empty(Arc::clone(&self.arguments)))
    }
}

impl ScalarUDFImpl for Harmless {
    fn name(&self) -> &'static str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> DfResult<DataType> {
        Ok(self.returns.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        let count = args.number_rows;
        // A value that is the same for every row is computed once.
        if args.args.iter().all(|argument| matches!(argument, ColumnarValue::Scalar(_))) {
            let row = self.rows(&args.args, 1)?;
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&self.compute(&row), 0)?));
        }
        Ok(ColumnarValue::Array(self.compute(&self.rows(&args.args, count)?)))
    }
}

impl Harmless {
    fn rows(&self, arguments: &[ColumnarValue], count: usize) -> DfResult<RecordBatch> {
        let columns: DfResult<Vec<ArrayRef>> = arguments.iter().map(|argument| argument.to_array(count)).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(count));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.arguments), columns?, &options)?)
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{AsArray, Int64Array, StringArray};
    use arrow::datatypes::Int64Type;
    use datafusion::prelude::{abs, coalesce, col, lit};

    use super::*;

    #[test]
    fn an_expression_is_null_for_just_the_rows_on_which_it_fails() {
        let values: Vec<i64> = (0..1000).map(|row| if row % 333 == 7 { i64::MIN } else { -row }).collect();
        let field = Field::new("0", DataType::Int64, true);
        let part = Harmless::new(abs(col("0")), Schema::new(vec![field.clone()]), DataType::Int64).unwrap();
        let array: ArrayRef = Arc::new(Int64Array::from(values.clone()));
        let found = part.compute(&part.rows(&[ColumnarValue::Array(array)], values.len()).unwrap());
        let expected: Vec<Option<i64>> = values.iter().map(|value| value.checked_abs()).collect();
        assert_eq!(found.as_primitive::<Int64Type>().iter().collect::<Vec<_>>(), expected);
        assert_eq!(found.null_count(), 3);
    }

    #[test]
    fn an_expression_that_fails_on_all_rows_is_not_tried_row_by_row() {
        let like = col("0").like(lit("_".repeat(300_000)));
        let field = Field::new("0", DataType::Utf8, true);
        let part = Harmless::new(like, Schema::new(vec![field]), DataType::Boolean).unwrap();
        let array: ArrayRef = Arc::new(StringArray::from(vec!["a"; 8192]));
        let found = part.compute(&part.rows(&[ColumnarValue::Array(array)], 8192).unwrap());
        assert_eq!((found.len(), found.null_count()), (8192, 8192));
        assert_eq!(part.always_fails.get(), Some(&true));
    }

    #[test]
    fn a_value_that_is_never_null_is_taken_for_one_that_may_be() {
        let field = Field::new("a", DataType::Int64, true);
        let columns = DFSchema::try_from(Schema::new(vec![field])).unwrap();
        let filled = coalesce(vec![col("a"), lit(7_i64)]);
        assert!(!filled.nullable(&columns).unwrap());
        assert!(maybe_null(filled, &columns).unwrap().nullable(&columns).unwrap());
        assert_eq!(maybe_null(lit(7_i64), &columns).unwrap(), lit(7_i64));
        assert_eq!(maybe_null(col("a"), &columns).unwrap(), col("a"));
    }
}
