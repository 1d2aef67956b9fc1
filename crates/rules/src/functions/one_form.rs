//! Floats of one form: one NaN, which is the greatest number, and no negative zero.
//!
//! `0.0 / 0.0` gives a NaN with a sign on some processors, and the engine orders floats by their bits: such a NaN would be
//! less than every number, another group than a NaN that was read, and unequal to it. A negative zero would be less than zero.
//! In PostgreSQL there is one NaN, greater than all numbers, and both zeros are equal.

use std::any::Any;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, Result as DfResult, ScalarValue};
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, ExprSchemable, LogicalPlan, Operator, Projection, ReturnFieldArgs,
    ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use wanqu_numbers::in_one_form as column_in_one_form;

use crate::expressions::each_expression;

/// Name in plans.
pub(crate) const NAME: &str = "__one_form";

/// Returns the plan with every float that it computes in one form, be it of a row or of many. Names and types stay.
///
/// # Errors
/// If a part of the plan has no type.
pub(super) fn in_one_form(plan: LogicalPlan) -> DfResult<LogicalPlan> {
    let computed = each_expression(plan, |expr, schema| {
        expr.transform_up(|part| wrapped(part, schema)).map(|changed| changed.data)
    })?;
    computed.transform_up_with_subqueries(results_in_one_form).map(|changed| changed.data)
}

/// Returns a float in its one form. A source gives its columns in it, since files hold any.
#[must_use]
pub fn one_form_of(number: Expr, data_type: DataType) -> Expr {
    let function = OneForm { returns: data_type, signature: Signature::any(1, Volatility::Immutable) };
    ScalarUDF::from(function).call(vec![number])
}

/// Puts a projection on an operator that adds up floats, in a window or in groups: infinity less infinity may be in a sum.
fn results_in_one_form(node: LogicalPlan) -> DfResult<Transformed<LogicalPlan>> {
    let before = match &node {
        LogicalPlan::Aggregate(aggregate) => aggregate.group_expr_len()?,
        LogicalPlan::Window(window) => window.input.schema().fields().len(),
        _ => return Ok(Transformed::no(node)),
    };
    if !node.schema().fields().iter().skip(before).any(|field| is_float(field.data_type())) {
        return Ok(Transformed::no(node));
    }
    let columns = node.schema().iter().enumerate().map(|(index, (qualifier, field))| {
        let column = Expr::Column(Column::from((qualifier, field)));
        if index < before || !is_float(field.data_type()) {
            return column;
        }
        one_form_of(column, field.data_type().clone()).alias_qualified(qualifier.cloned(), field.name())
    });
    let formed = Projection::try_new(columns.collect(), Arc::new(node))?;
    Ok(Transformed::yes(LogicalPlan::Projection(formed)))
}

fn is_float(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Float32 | DataType::Float64)
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
    if !is_float(&returns) {
        return Ok(Transformed::no(part));
    }
    Ok(Transformed::yes(one_form_of(without_forms_within(part), returns)))
}

/// Returns a computation without the forms of its operands that do not change its own: the sign of a zero and the kind of a
/// NaN within a sum, a difference or a product decide about nothing but the same of the result. A divisor's does, since
/// `1 / -0.0` is less than every number.
fn without_forms_within(part: Expr) -> Expr {
    let bare = |operand: Box<Expr>| match inside(&operand) {
        Some(computed) => Box::new(computed.clone()),
        None => operand,
    };
    match part {
        Expr::Negative(operand) => Expr::Negative(bare(operand)),
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: op @ (Operator::Plus | Operator::Minus | Operator::Multiply),
            right,
        }) => Expr::BinaryExpr(BinaryExpr { left: bare(left), op, right: bare(right) }),
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Divide, right }) => {
            Expr::BinaryExpr(BinaryExpr { left: bare(left), op: Operator::Divide, right })
        }
        other => other,
    }
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
            ColumnarValue::Array(array) => ColumnarValue::Array(column_in_one_form(&array)),
            ColumnarValue::Scalar(value) => {
                let one = column_in_one_form(&value.to_array()?);
                ColumnarValue::Scalar(ScalarValue::try_from_array(&one, 0)?)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::Schema;
    use datafusion::common::tree_node::TreeNodeRecursion;
    use datafusion::logical_expr::{col, lit};

    use super::*;

    #[test]
    fn only_what_decides_about_more_than_a_sign_has_its_form_within_a_computation() {
        let field = Field::new("x", DataType::Float64, true);
        let schema = DFSchema::try_from(Schema::new(vec![field])).unwrap();
        let forms = |expr: Expr| {
            let formed = expr.transform_up(|part| wrapped(part, &schema)).unwrap().data;
            let mut forms = 0;
            formed
                .apply(|part| {
                    forms += usize::from(inside(part).is_some());
                    Ok(TreeNodeRecursion::Continue)
                })
                .unwrap();
            forms
        };
        let x = || col("x");
        assert_eq!(forms(x() * lit(2.0) + x() * x() - lit(1.0)), 1);
        assert_eq!(forms((x() - x()) / lit(2.0)), 1);
        assert_eq!(forms(lit(1.0) / (x() - x())), 2, "the sign of a divisor decides");
        assert_eq!(forms((x() - x()).gt(x() * lit(2.0))), 2);
    }
}
