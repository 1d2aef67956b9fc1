//! LEAD and LAG with IGNORE NULLS (apache/datafusion#25471).
//!
//! DataFusion 55 runs them row by row, and forgets NULLs on the way. The n-th value that is not NULL behind a row is what
//! `nth_value` gives over a frame that begins behind it, and the n-th before it is the n-th from the end of a frame that
//! ends before it.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause, FunctionArgumentList, FunctionArguments,
    Ident, NullTreatment, ObjectName, UnaryOperator, Value, ValueWithSpan, WindowFrame, WindowFrameBound,
    WindowFrameUnits, WindowType,
};
use wanqu_model::refusal::Refusal;

use super::clauses::refuse;

/// Rewrites one call, if it is of LEAD or LAG and ignores NULL.
pub(super) fn rewrite(expr: &mut Expr) -> ControlFlow<Box<Refusal>> {
    let Expr::Function(function) = expr else { return ControlFlow::Continue(()) };
    let name = function.name.to_string().to_lowercase();
    let lead = name == "lead";
    if !lead && name != "lag" || !ignores_nulls(function) {
        return ControlFlow::Continue(());
    }
    let Some(WindowType::WindowSpec(window)) = &mut function.over else {
        return refuse("LEAD or LAG with IGNORE NULLS over a named window", "write the window behind OVER");
    };
    let FunctionArguments::List(list) = &mut function.args else { return ControlFlow::Continue(()) };
    let mut args = list.args.drain(..).filter_map(|arg| match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(arg)) => Some(arg),
        _ => None,
    });
    let (Some(value), offset, default) = (args.next(), args.next(), args.next()) else {
        return refuse("LEAD or LAG without a value", "name the value");
    };
    drop(args);
    let rows = match offset {
        None => 1,
        Some(Expr::Value(ValueWithSpan { value: Value::Number(rows, _), .. })) => rows.parse::<u32>().unwrap_or(0),
        Some(_) => 0,
    };
    if rows == 0 {
        return refuse(
            "LEAD or LAG with IGNORE NULLS by a number of rows that is not a positive literal",
            "write how many rows as a number above 0",
        );
    }
    let number = Expr::value(Value::Number(rows.to_string(), false));
    let one = || Some(Box::new(Expr::value(Value::Number("1".to_owned(), false))));
    let (nth, start_bound, end_bound) = if lead {
        (number, WindowFrameBound::Following(one()), WindowFrameBound::Following(None))
    } else {
        let nth = Expr::UnaryOp { op: UnaryOperator::Minus, expr: Box::new(number) };
        (nth, WindowFrameBound::Preceding(None), WindowFrameBound::Preceding(one()))
    };
    window.window_frame = Some(WindowFrame { units: WindowFrameUnits::Rows, start_bound, end_bound: Some(end_bound) });
    list.args = [value, nth].map(argument).to_vec();
    list.clauses.retain(|clause| !matches!(clause, FunctionArgumentClause::IgnoreOrRespectNulls(_)));
    function.null_treatment = Some(NullTreatment::IgnoreNulls);
    function.name = ObjectName::from(vec![Ident::new("nth_value")]);
    if let Some(default) = default {
        let nth_value = Expr::Function(function.clone());
        let args = FunctionArgumentList {
            duplicate_treatment: None,
            args: [nth_value, default].map(argument).to_vec(),
            clauses: vec![],
        };
        *expr = Expr::Function(Function {
            name: ObjectName::from(vec![Ident::new("coalesce")]),
            uses_odbc_syntax: false,
            parameters: FunctionArguments::None,
            args: FunctionArguments::List(args),
            filter: None,
            null_treatment: None,
            over: None,
            within_group: vec![],
        });
    }
    ControlFlow::Continue(())
}

fn argument(expr: Expr) -> FunctionArg {
    FunctionArg::Unnamed(FunctionArgExpr::Expr(expr))
}

fn ignores_nulls(function: &Function) -> bool {
    let ignore = |treatment: &NullTreatment| *treatment == NullTreatment::IgnoreNulls;
    let inside = match &function.args {
        FunctionArguments::List(list) => list.clauses.iter().any(
            |clause| matches!(clause, FunctionArgumentClause::IgnoreOrRespectNulls(treatment) if ignore(treatment)),
        ),
        _ => false,
    };
    inside || function.null_treatment.as_ref().is_some_and(ignore)
}
