//! A column beside its own cast: `SELECT i, i::DOUBLE`, `GROUP BY i, CAST(i AS VARCHAR)`, `avg(x)` beside
//! `avg(CAST(x AS DOUBLE))` (kind of apache/datafusion#15032).
//!
//! DataFusion calls a cast by the name of what it casts, so that the two have one name, which no plan can hold. So a cast is a
//! function with a name of its own, such as `CAST(v.i AS DOUBLE)`, while a statement is planned, and becomes a cast again,
//! under that name, once the plan is there.

use std::any::Any;
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result as DfResult, internal_err};
use datafusion::logical_expr::expr::{Cast, TryCast};
use datafusion::logical_expr::{
    ColumnarValue, Expr, LogicalPlan, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use datafusion::sql::sqlparser::ast::{
    CastKind, DataType as SqlType, Expr as SqlExpr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList,
    FunctionArguments, Ident, ObjectName, Statement, Value, VisitMut, VisitorMut,
};

use crate::expressions::each_expression;

/// The casts of one statement, as functions.
#[derive(Debug, Default)]
pub struct NamedCasts {
    functions: HashMap<String, Arc<ScalarUDF>>,
}

impl NamedCasts {
    /// Returns the function of a name that [`name_casts`] wrote; `None` for another name.
    pub fn function(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        self.functions.get(name).cloned()
    }
}

/// Writes each cast of a statement as the call of a function. `field` reads a type.
///
/// # Errors
/// The error of `field`, for a type that there is not.
pub fn name_casts(
    statement: &mut Statement,
    field: impl FnMut(&SqlType) -> DfResult<FieldRef>,
) -> DfResult<NamedCasts> {
    let mut calls = Calls { casts: NamedCasts::default(), field };
    match VisitMut::visit(statement, &mut calls) {
        ControlFlow::Continue(()) => Ok(calls.casts),
        ControlFlow::Break(error) => Err(error),
    }
}

struct Calls<F> {
    casts: NamedCasts,
    field: F,
}

impl<F: FnMut(&SqlType) -> DfResult<FieldRef>> VisitorMut for Calls<F> {
    type Break = datafusion::common::DataFusionError;

    fn post_visit_expr(&mut self, expr: &mut SqlExpr) -> ControlFlow<Self::Break> {
        // The planner refuses the others in its own words.
        let SqlExpr::Cast { kind, expr: inner, data_type, array: false, format: None } = expr else {
            return ControlFlow::Continue(());
        };
        let word = match kind {
            CastKind::Cast | CastKind::DoubleColon => "CAST",
            CastKind::TryCast | CastKind::SafeCast => "TRY_CAST",
        };
        let name = format!("{word} AS {data_type}");
        if !self.casts.functions.contains_key(&name) {
            let field = match (self.field)(data_type) {
                Ok(field) => field,
                Err(error) => return ControlFlow::Break(error),
            };
            let function = NamedCast {
                name: name.clone(),
                field,
                or_null: word == "TRY_CAST",
                signature: Signature::any(1, Volatility::Immutable),
            };
            self.casts.functions.insert(name.clone(), Arc::new(ScalarUDF::from(function)));
        }
        let inner = std::mem::replace(inner.as_mut(), SqlExpr::value(Value::Null));
        *expr = call(&name, vec![inner]);
        ControlFlow::Continue(())
    }
}

/// Returns the call of a function.
pub(super) fn call(name: &str, arguments: Vec<SqlExpr>) -> SqlExpr {
    let args = arguments.into_iter().map(|argument| FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))).collect();
    SqlExpr::Function(Function {
        name: ObjectName::from(vec![Ident::with_quote('"', name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList { duplicate_treatment: None, args, clauses: vec![] }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: vec![],
    })
}

/// Returns what a call of [`NamedCasts`] casts; `None` for another expression.
pub fn cast_by_name(expr: &Expr) -> Option<&Expr> {
    named(expr).map(|(_, inner)| inner)
}

fn named(expr: &Expr) -> Option<(&NamedCast, &Expr)> {
    let Expr::ScalarFunction(call) = expr else { return None };
    let implementation: &dyn Any = call.func.inner().as_ref();
    Some((implementation.downcast_ref()?, call.args.first()?))
}

/// Returns the plan with casts in place of their functions. Columns keep their names.
///
/// # Errors
/// Those of the types of expressions.
pub fn casts_again(plan: LogicalPlan) -> DfResult<LogicalPlan> {
    let mut found = false;
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            found |= expr.exists(|part| Ok(named(part).is_some()))?;
            Ok(TreeNodeRecursion::Continue)
        })
    })?;
    if !found {
        return Ok(plan);
    }
    let plan = each_expression(plan, |expr, _| {
        let whole = expr.transform_up(|part| {
            let Some((cast, inner)) = named(&part) else { return Ok(Transformed::no(part)) };
            let (expr, field) = (Box::new(inner.clone()), Arc::clone(&cast.field));
            Ok(Transformed::yes(if cast.or_null {
                Expr::TryCast(TryCast { expr, field })
            } else {
                Expr::Cast(Cast { expr, field })
            }))
        });
        whole.map(|whole| whole.data)
    })?;
    plan.transform_up_with_subqueries(all_windows_named).map(|plan| plan.data)
}

/// Names all window functions of a node of which one is named. Where one is and another is not, the engine's search for common
/// parts writes their sort keys in two ways, and then fails since a node's have to be the same.
fn all_windows_named(node: LogicalPlan) -> DfResult<Transformed<LogicalPlan>> {
    let LogicalPlan::Window(window) = &node else { return Ok(Transformed::no(node)) };
    if !window.window_expr.iter().any(|expr| matches!(expr, Expr::Alias(_))) {
        return Ok(Transformed::no(node));
    }
    node.map_expressions(|expr| {
        Ok(match expr {
            Expr::Alias(_) => Transformed::no(expr),
            other => {
                let (relation, name) = other.qualified_name();
                Transformed::yes(other.alias_qualified(relation, name))
            }
        })
    })?
    .map_data(LogicalPlan::recompute_schema)
}

/// A cast to one type, for the time of planning.
#[derive(Debug, PartialEq, Eq, Hash)]
struct NamedCast {
    /// For example `CAST AS DOUBLE`.
    name: String,
    field: FieldRef,
    /// True for `TRY_CAST`.
    or_null: bool,
    signature: Signature,
}

impl NamedCast {
    /// Returns the cast of a text in SQL.
    fn of(&self, text: &str) -> String {
        self.name.replacen(" AS", &format!("({text} AS"), 1) + ")"
    }
}

impl ScalarUDFImpl for NamedCast {
    fn name(&self) -> &str {
        &self.name
    }

    fn schema_name(&self, args: &[Expr]) -> DfResult<String> {
        let text: String = args.iter().map(|arg| arg.schema_name().to_string()).collect();
        Ok(self.of(&text))
    }

    fn display_name(&self, args: &[Expr]) -> DfResult<String> {
        let text: String = args.iter().map(ToString::to_string).collect();
        Ok(self.of(&text))
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> DfResult<DataType> {
        Ok(self.field.data_type().clone())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> DfResult<FieldRef> {
        let nullable = self.or_null || args.arg_fields.iter().any(|field| field.is_nullable());
        Ok(Arc::new(Field::new(&self.name, self.field.data_type().clone(), nullable)))
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        internal_err!("a plan has casts, and no functions for them")
    }
}
