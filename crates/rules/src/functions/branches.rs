//! Conditions that are computed only for the rows that take them: `CASE WHEN n <> 0 THEN 100 / n > 20 END`, and
//! `n <> 0 AND 100 / n > 20`.
//!
//! DataFusion 55 turns a CASE of truths into AND and OR, whose operands it computes for all rows, so that the division fails
//! on the row that the condition kept out. Here the branches of such a CASE are numbers for the engine, which it leaves as
//! they are. An operand of AND or OR that can fail is computed where the operands that cannot do not decide; SQL leaves the
//! order open, and PostgreSQL keeps to the text's for conditions of equal cost.

use std::any::Any;
use std::collections::HashSet;
use std::sync::Arc;

use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::utils::take_function_args;
use datafusion::common::{DFSchema, DataFusionError, Result as DfResult, ScalarValue};
use datafusion::logical_expr::expr::{Case, Cast};
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, ExprSchemable, Operator, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility, lit,
};

use super::ruled::has_rule;
use crate::expressions::has_subquery;

/// Most operands of a chain of AND or OR that are looked at; each that can fail repeats those that cannot.
const MOST_OPERANDS: usize = 64;

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

/// Returns the expression with chains of AND and OR in which an operand that can fail is a branch, taken where the others
/// leave the chain open.
fn guarded(expr: Expr, schema: &DFSchema) -> DfResult<Expr> {
    let whole = expr.transform_down(|part| {
        Ok(match guarded_chain(&part, schema)? {
            Some(chain) => Transformed::new(chain, true, TreeNodeRecursion::Jump),
            None => Transformed::no(part),
        })
    });
    whole.map(|whole| whole.data)
}

/// Returns the chain that an expression is, with its operands guarded; `None` where nothing is to be done at this level.
fn guarded_chain(part: &Expr, schema: &DFSchema) -> DfResult<Option<Expr>> {
    let Expr::BinaryExpr(BinaryExpr { op: op @ (Operator::And | Operator::Or), .. }) = part else { return Ok(None) };
    let mut operands = vec![];
    flatten(part, *op, &mut operands);
    if operands.len() > MOST_OPERANDS {
        return Ok(None);
    }
    let fails = |operand: &Expr| {
        Ok::<_, DataFusionError>(!is_key(operand)? && operand.exists(|inner| Ok(can_fail(inner, schema)))?)
    };
    let chain = |operands: Vec<Expr>| {
        let boxed = |left, right| BinaryExpr { left: Box::new(left), op: *op, right: Box::new(right) };
        operands.into_iter().reduce(|left, right| Expr::BinaryExpr(boxed(left, right)))
    };
    let (mut safe, mut any_fails) = (vec![], false);
    for operand in &operands {
        if fails(operand)? {
            any_fails = true;
        } else if !operand.is_volatile() && !has_subquery(operand) {
            safe.push((*operand).clone());
        }
    }
    let Some(others) = chain(safe).filter(|_| any_fails) else { return Ok(None) };
    let (open, decided) = match op {
        Operator::And => (Expr::IsNotFalse(Box::new(others)), lit(false)),
        _ => (Expr::IsNotTrue(Box::new(others)), lit(true)),
    };
    let in_order = operands.into_iter().map(|operand| {
        let operand = operand.clone();
        if !fails(&operand)? {
            return Ok(operand);
        }
        Ok(Expr::Case(Case {
            expr: None,
            when_then_expr: vec![(Box::new(open.clone()), Box::new(guarded(operand, schema)?))],
            else_expr: Some(Box::new(decided.clone())),
        }))
    });
    Ok(chain(in_order.collect::<DfResult<_>>()?))
}

fn flatten<'a>(expr: &'a Expr, chain: Operator, operands: &mut Vec<&'a Expr>) {
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if *op == chain => {
            flatten(left, chain, operands);
            flatten(right, chain, operands);
        }
        other => operands.push(other),
    }
}

/// Returns true for an equality that joins: of columns of two tables, or of a table and of the query outside. The engine looks for
/// such operands as they are.
fn is_key(operand: &Expr) -> DfResult<bool> {
    let Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) = operand else { return Ok(false) };
    if operand.exists(|inner| Ok(matches!(inner, Expr::OuterReferenceColumn(..))))? {
        return Ok(true);
    }
    let tables =
        |side: &Expr| -> HashSet<_> { side.column_refs().into_iter().map(|column| column.relation.clone()).collect() };
    let (left, right) = (tables(left), tables(right));
    Ok(!left.is_empty() && !right.is_empty() && left.is_disjoint(&right))
}

/// Returns true for what people keep out by a condition: divisions, readings of texts, functions that have no result for some
/// arguments. Sums that leave the range of their type are not among them: nearly every operand has one.
fn can_fail(part: &Expr, schema: &DFSchema) -> bool {
    match part {
        Expr::BinaryExpr(BinaryExpr { op: Operator::Divide | Operator::Modulo, right, .. }) => {
            !matches!(right.as_ref(), Expr::Literal(..))
        }
        Expr::Cast(Cast { expr, field }) => {
            !field.data_type().is_string()
                && !matches!(expr.as_ref(), Expr::Literal(..))
                && expr.get_type(schema).is_ok_and(|from| from.is_string())
        }
        Expr::ScalarFunction(call) => has_rule(call.name()),
        _ => false,
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

#[cfg(test)]
mod tests {
    use crate::admission::testing::{bundle, shenzhen};
    use crate::catalog::Catalog;
    use crate::checked;

    #[test]
    fn what_can_fail_is_computed_where_the_rest_leaves_it_open() {
        let bundle = bundle();
        let catalog = Catalog::owner(&bundle, &shenzhen());
        let guards = |condition: &str| {
            let sql =
                format!("SELECT count(*) FROM shenzhen.health.visits v JOIN shenzhen.health.visits w ON {condition}");
            let plan = checked(catalog.plan(&sql, 1 << 20).unwrap(), false).unwrap();
            plan.display_indent().to_string().matches("CASE WHEN").count()
        };
        assert_eq!(guards("v.tests <> 0 AND 100 / v.tests > 20"), 1);
        assert_eq!(guards("100 / v.tests > 20 AND v.tests <> 0 AND 7 % v.days = 1"), 2);
        assert_eq!(guards("v.tests = 0 OR 100 / v.tests > 20"), 1);
        assert_eq!(guards("100 / v.tests > 20 AND 100 / v.days > 20"), 0, "nothing decides between them");
        assert_eq!(guards("v.tests <> 0 AND 100 / v.tests = w.tests"), 0, "it is the key of a join");
        assert_eq!(guards("random() < 0.5 AND 100 / v.tests > 20"), 0, "a second number would be drawn");
    }
}
