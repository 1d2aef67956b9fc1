//! Conditions that are computed only for the rows that take them: `CASE WHEN n <> 0 THEN 100 / n > 20 END`.
//!
//! DataFusion 55 turns a CASE of truths into AND and OR, whose operands it computes for all rows, so that the division fails
//! on the row that the condition kept out. Here the branches of such a CASE are numbers for the engine, which it leaves as
//! they are.

use std::any::Any;
use std::sync::Arc;

use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::utils::take_function_args;
use datafusion::common::{DFSchema, Result as DfResult, ScalarValue};
use datafusion::logical_expr::expr::{Case, Cast};
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, ExprSchemable, Operator, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility, lit,
};

use super::guards::guarded;

/// Returns the expression with branches of truths that the engine computes for no other rows, and with operands of AND and OR
/// that can fail as such branches.
///
/// # Errors
/// If a part of the expression has no type.
pub(super) fn in_branches(expr: Expr, schema: &DFSchema) -> DfResult<Expr> {
    guarded(expr, schema)?.transform_up(|part| kept_apart(part, schema)).map(|whole| whole.data)
}

/// Returns a CASE of truths, some of which can fail, with branches that simplification leaves alone.
///
/// # Errors
/// If a part of the expression has no type.
pub(super) fn kept_apart(part: Expr, schema: &DFSchema) -> DfResult<Transformed<Expr>> {
    let Expr::Case(case) = &part else { return Ok(Transformed::no(part)) };
    if !part.exists(|inner| Ok(computes(inner)))? || part.get_type(schema)? != DataType::Boolean {
        return Ok(Transformed::no(part));
    }
    let name = part.schema_name().to_string();
    let number = |truth: &Expr| Box::new(call(Form::Number, String::new(), truth.clone()));
    let numbers = Expr::Case(Case {
        expr: case.expr.clone(),
        when_then_expr: case.when_then_expr.iter().map(|(when, then)| (when.clone(), number(then))).collect(),
        else_expr: case.else_expr.as_deref().map(number),
    });
    Ok(Transformed::yes(call(Form::Truth, name, numbers)))
}

/// Returns the condition that [`kept_apart`] made a part of, as SQL has it; `None` for another expression.
pub(super) fn original_branches(part: &Expr) -> Option<Expr> {
    call_of(part, Form::Truth).and_then(truth_of)
}

fn truth_of(numbers: &Expr) -> Option<Expr> {
    if let Some(truth) = call_of(numbers, Form::Number) {
        return Some(truth.clone());
    }
    let boxed = |branch: &Expr| truth_of(branch).map(Box::new);
    match numbers {
        Expr::Literal(ScalarValue::Int8(number), _) => {
            Some(lit(ScalarValue::Boolean(number.map(|number| number != 0))))
        }
        Expr::Literal(ScalarValue::Null, _) => Some(lit(ScalarValue::Boolean(None))),
        Expr::Cast(Cast { expr, .. }) => truth_of(expr),
        Expr::Case(case) => {
            let branches = case.when_then_expr.iter().map(|(when, then)| Some((when.clone(), boxed(then)?)));
            let branches = branches.collect::<Option<_>>()?;
            let otherwise = match case.else_expr.as_deref() {
                Some(branch) => Some(boxed(branch)?),
                None => None,
            };
            Some(Expr::Case(Case { expr: case.expr.clone(), when_then_expr: branches, else_expr: otherwise }))
        }
        _ => None,
    }
}

/// Returns true for an expression that computes a value, and may have none.
fn computes(part: &Expr) -> bool {
    use Operator::{Divide, Minus, Modulo, Multiply, Plus};
    match part {
        Expr::BinaryExpr(BinaryExpr { op, .. }) => [Plus, Minus, Multiply, Divide, Modulo].contains(op),
        Expr::Negative(_) | Expr::Cast(_) | Expr::ScalarFunction(_) => true,
        _ => false,
    }
}

/// Direction of a conversion between truths and numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Form {
    /// A truth as 1 or 0.
    Number,
    /// Such a number as a truth.
    Truth,
}

/// Function that converts between truths and numbers.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Converted {
    form: Form,
    /// Name of a column that holds the truth.
    name: String,
    signature: Signature,
}

fn call(form: Form, name: String, arg: Expr) -> Expr {
    let signature = Signature::any(1, Volatility::Immutable);
    ScalarUDF::from(Converted { form, name, signature }).call(vec![arg])
}

/// Returns the argument of a conversion in this direction; `None` for another expression.
fn call_of(part: &Expr, form: Form) -> Option<&Expr> {
    let Expr::ScalarFunction(call) = part else { return None };
    let implementation: &dyn Any = call.func.inner().as_ref();
    let converted = implementation.downcast_ref::<Converted>()?;
    if converted.form == form { call.args.first() } else { None }
}

impl Form {
    fn returns(self) -> DataType {
        match self {
            Self::Number => DataType::Int8,
            Self::Truth => DataType::Boolean,
        }
    }
}

impl ScalarUDFImpl for Converted {
    fn name(&self) -> &'static str {
        match self.form {
            Form::Number => "__number_of_truth",
            Form::Truth => "__truth_of_number",
        }
    }

    fn schema_name(&self, args: &[Expr]) -> DfResult<String> {
        Ok(match self.form {
            Form::Number => args.iter().map(|arg| arg.schema_name().to_string()).collect(),
            Form::Truth => self.name.clone(),
        })
    }

    fn display_name(&self, args: &[Expr]) -> DfResult<String> {
        Ok(args.iter().map(ToString::to_string).collect())
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> DfResult<DataType> {
        Ok(self.form.returns())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> DfResult<FieldRef> {
        let nullable = args.arg_fields.iter().any(|field| field.is_nullable());
        Ok(Arc::new(Field::new(self.name(), self.form.returns(), nullable)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        let [value] = take_function_args(self.name(), args.args)?;
        let to = self.form.returns();
        Ok(match value {
            ColumnarValue::Scalar(one) => ColumnarValue::Scalar(one.cast_to(&to)?),
            ColumnarValue::Array(column) => ColumnarValue::Array(cast(&column, &to)?),
        })
    }
}
