//! Walk over a statement before it is planned: refuses what would be ignored, and rewrites what would be misread.

use std::collections::HashSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArgumentClause, FunctionArguments, Ident, NullTreatment, Query, Select, SelectItem,
    Statement, TableFactor, VisitMut, VisitorMut, WindowFrame, WindowFrameBound, WindowFrameUnits, WindowType,
};
use wanqu_model::refusal::Refusal;

use super::clauses::{check_query, check_select, check_table, refuse};
use super::patterns;

/// Prepares a statement for DataFusion's planner.
///
/// # Errors
/// The refusal of a clause that would be ignored.
pub fn prepare_statement(statement: &mut Statement) -> Result<(), Refusal> {
    prepare(statement)
}

/// Prepares an expression that stands alone, as a mapping does.
///
/// # Errors
/// The refusal of a part that would be ignored.
pub fn prepare_expression(expr: &mut Expr) -> Result<(), Refusal> {
    prepare(expr)
}

fn prepare(node: &mut impl VisitMut) -> Result<(), Refusal> {
    match node.visit(&mut Preparation) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(refusal) => Err(*refusal),
    }
}

struct Preparation;

impl VisitorMut for Preparation {
    type Break = Box<Refusal>;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Self::Break> {
        check_query(query)
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Self::Break> {
        name_repeated_columns(&mut select.projection);
        check_select(select)
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Self::Break> {
        check_table(factor)
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Self::Break> {
        match expr {
            Expr::Collate { .. } => refuse("COLLATE", "leave it out: text is compared by its code points"),
            Expr::Function(function) => check_function(function),
            _ => patterns::rewrite(expr),
        }
    }
}

/// Gives a column that is selected twice a name of its own, `id:2`, as the answer's columns are named: a projection of
/// DataFusion's cannot hold two columns of one name.
fn name_repeated_columns(items: &mut [SelectItem]) {
    let mut taken = HashSet::new();
    for item in items {
        let SelectItem::UnnamedExpr(expr) = item else { continue };
        let text = expr.to_string();
        if taken.insert(text.clone()) {
            continue;
        }
        let name = match expr {
            Expr::Identifier(name) => normal(name),
            Expr::CompoundIdentifier(parts) => parts.last().map_or_else(|| text.clone(), normal),
            _ => text,
        };
        let numbered = (2..).map(|n| format!("{name}:{n}")).find(|name| taken.insert(name.clone()));
        if let Some(alias) = numbered {
            *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias: Ident::with_quote('"', alias) };
        }
    }
}

fn normal(name: &Ident) -> String {
    if name.quote_style.is_some() { name.value.clone() } else { name.value.to_lowercase() }
}

/// Makes LEAD and LAG with IGNORE NULLS look at whole partitions (apache/datafusion#25471): DataFusion 55 counts wrong
/// where it runs them row by row, which a frame to the end of the partition prevents. The frame has no meaning for them.
fn check_function(function: &mut Function) -> ControlFlow<Box<Refusal>> {
    if !matches!(function.parameters, FunctionArguments::None) {
        return refuse("a second list of arguments", "write one list of arguments");
    }
    let name = function.name.to_string().to_lowercase();
    if !matches!(name.as_str(), "lead" | "lag") || !ignores_nulls(function) {
        return ControlFlow::Continue(());
    }
    match &mut function.over {
        Some(WindowType::WindowSpec(window)) => {
            window.window_frame = Some(WindowFrame {
                units: WindowFrameUnits::Rows,
                start_bound: WindowFrameBound::Preceding(None),
                end_bound: Some(WindowFrameBound::Following(None)),
            });
            ControlFlow::Continue(())
        }
        Some(WindowType::NamedWindow(_)) => {
            refuse("LEAD or LAG with IGNORE NULLS over a named window", "write the window behind OVER")
        }
        None => ControlFlow::Continue(()),
    }
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
