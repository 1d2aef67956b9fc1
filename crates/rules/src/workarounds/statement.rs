//! Walk over a statement before it is planned: refuses what would be ignored, and rewrites what would be misread.

use std::collections::HashSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CastKind, DataType, DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArguments, GroupByExpr, Ident, ObjectNamePart, OrderBy, OrderByKind, Query, Select, SelectItem, Statement,
    TableFactor, TypedString, Value, ValueWithSpan, Visit, VisitMut, Visitor, VisitorMut,
};
use wanqu_model::refusal::{Code, Refusal};

use super::clauses::{check_call, check_query, check_select, check_table, check_window, refuse};
use super::names::normal;
use super::{distinct_keys, lengths, numerals, patterns, quantified, selected, shift};

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
        numerals::as_other_rows(query);
        distinct_keys::number_keys(query);
        bare_places(query);
        check_query(query)
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Self::Break> {
        selected::rewrite(select);
        if let GroupByExpr::Expressions(keys, _) = &mut select.group_by {
            keys.iter_mut().for_each(bare_place);
        }
        name_repeated_columns(&mut select.projection);
        check_select(select)
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Self::Break> {
        check_table(factor)
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Self::Break> {
        match expr {
            Expr::Function(function) if counts_distinct_tuples(function) => refuse(
                "count(DISTINCT …) of anything but one expression",
                "count the rows of SELECT DISTINCT in a derived table",
            ),
            Expr::BinaryOp { op: BinaryOperator::BitwiseXor, .. } => otherwise_elsewhere(
                "^",
                "it is the power in PostgreSQL and DuckDB, and the exclusive OR of bits elsewhere",
                "write power(a, b) for the power, or a # b for the exclusive OR of bits",
            ),
            Expr::BinaryOp { op: BinaryOperator::Xor, .. } => otherwise_elsewhere(
                "XOR",
                "it is one of conditions in MySQL, and one of bits in other engines",
                "write a <> b for two conditions, or a # b for the exclusive OR of bits",
            ),
            Expr::Collate { .. } => refuse("COLLATE", "leave it out: text is compared by its code points"),
            Expr::Function(function) => {
                if !matches!(function.parameters, FunctionArguments::None) {
                    return refuse("a second list of arguments", "write one list of arguments");
                }
                removes_all(function);
                check_call(function)?;
                check_window(function)?;
                numerals::as_items_of_lists(function);
                shift::rewrite(expr)
            }
            Expr::Value(value) => {
                hexadecimal(value);
                numerals::rewrite(expr)
            }
            Expr::AnyOp { .. } | Expr::BinaryOp { .. } | Expr::InList { .. } => quantified::rewrite(expr),
            Expr::TypedString(typed) => exact_time(typed),
            Expr::Cast { .. } => lengths::rewrite(expr),
            _ => patterns::rewrite(expr),
        }
    }

    fn pre_visit_value(&mut self, value: &mut ValueWithSpan) -> ControlFlow<Self::Break> {
        match &mut value.value {
            Value::Number(digits, _) => digits.retain(|digit| digit != '_'),
            Value::Placeholder(_) => return refuse("a parameter without a value", "write the value in its place"),
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// Writes `0x1F` as the number that it is, as in PostgreSQL. sqlparser reads it as bytes, like `X'1F'`, which is longer.
fn hexadecimal(value: &mut ValueWithSpan) {
    let Value::HexStringLiteral(digits) = &value.value else { return };
    let width = value.span.end.column.checked_sub(value.span.start.column);
    let is_number = value.span.start.line == value.span.end.line && width == Some(digits.len() as u64 + 2);
    if let Some(number) = u128::from_str_radix(digits, 16).ok().filter(|_| is_number) {
        value.value = Value::Number(number.to_string(), false);
    }
}

/// Calls the functions that change every item of a list by `array_remove` and `array_replace`, as in PostgreSQL: those of the engine
/// with these names change the first alone.
fn removes_all(function: &mut Function) {
    let [ObjectNamePart::Identifier(name)] = &mut function.name.0[..] else { return };
    let all = match &*name.value.to_lowercase() {
        "array_remove" | "list_remove" => "array_remove_all",
        "array_replace" | "list_replace" => "array_replace_all",
        _ => return,
    };
    all.clone_into(&mut name.value);
}

/// Takes the parentheses off the places of columns that a query is ordered by: the engine takes `(2)` for a constant.
fn bare_places(query: &mut Query) {
    if let Some(OrderBy { kind: OrderByKind::Expressions(keys), .. }) = &mut query.order_by {
        for key in keys {
            bare_place(&mut key.expr);
        }
    }
}

/// Takes the parentheses off a number.
fn bare_place(key: &mut Expr) {
    let mut inner = &*key;
    while let Expr::Nested(nested) = inner {
        inner = nested;
    }
    if matches!(inner, Expr::Value(ValueWithSpan { value: Value::Number(..), .. })) {
        *key = inner.clone();
    }
}

/// Refuses a point in time whose type has fewer digits than it may be written with: the engine cuts them off.
fn exact_time(typed: &TypedString) -> ControlFlow<Box<Refusal>> {
    match typed.data_type {
        DataType::Timestamp(Some(digits), _) if digits < 6 => refuse(
            &format!("TIMESTAMP({digits}) before a text"),
            "write TIMESTAMP '…', and CAST it to TIMESTAMP(n) to round it",
        ),
        _ => ControlFlow::Continue(()),
    }
}

/// Refuses an operator that has different meanings, so that no query is answered in the one that was not meant.
fn otherwise_elsewhere(operator: &str, why: &str, remedy: &str) -> ControlFlow<Box<Refusal>> {
    ControlFlow::Break(Box::new(
        Refusal::new(Code::InvalidSql, format!("the operator {operator} is not supported: {why}"))
            .with_rule("a text is answered only in the meaning that it has in PostgreSQL")
            .with_remedy(remedy),
    ))
}

/// Returns true for `count(DISTINCT a, b)` and `count(DISTINCT *)`.
fn counts_distinct_tuples(function: &Function) -> bool {
    let FunctionArguments::List(list) = &function.args else { return false };
    let one = matches!(&list.args[..], [FunctionArg::Named { .. } | FunctionArg::Unnamed(FunctionArgExpr::Expr(_))]);
    list.duplicate_treatment == Some(DuplicateTreatment::Distinct)
        && !one
        && function.name.to_string().eq_ignore_ascii_case("count")
}

/// Gives a column that is computed with a constant the name that is written, since DataFusion's would be `Int64(1)`, or a cast
/// for `1e5`. And gives a column that is selected twice a name of its own, `id:2`, as the answer's columns are named: a
/// projection of DataFusion's cannot hold two columns of one name.
fn name_repeated_columns(items: &mut [SelectItem]) {
    let mut taken = HashSet::new();
    for item in items {
        let SelectItem::UnnamedExpr(expr) = item else { continue };
        let text = one_text(expr);
        if taken.insert(text.clone()) {
            if has_constant(expr) {
                *item =
                    SelectItem::ExprWithAlias { alias: Ident::with_quote('"', expr.to_string()), expr: expr.clone() };
            }
            continue;
        }
        let name = match expr {
            Expr::Identifier(name) => normal(name),
            Expr::CompoundIdentifier(parts) => parts.last().map_or_else(|| text.clone(), normal),
            _ => text,
        };
        let numbered = (2..=u32::MAX).map(|n| format!("{name}:{n}")).find(|name| taken.insert(name.clone()));
        if let Some(alias) = numbered {
            *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias: Ident::with_quote('"', alias) };
        }
    }
}

/// Returns true if an expression is a constant, or has a number with a point or an exponent in it.
fn has_constant(expr: &Expr) -> bool {
    struct Constants {
        columns: bool,
        fractions: bool,
    }
    impl Visitor for Constants {
        type Break = ();

        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            match expr {
                Expr::Value(ValueWithSpan { value: Value::Number(digits, _), .. }) => {
                    self.fractions |= digits.contains(['.', 'e', 'E']);
                }
                Expr::Value(_)
                | Expr::TypedString(_)
                | Expr::Interval(_)
                | Expr::Cast { .. }
                | Expr::Nested(_)
                | Expr::UnaryOp { .. }
                | Expr::BinaryOp { .. } => {}
                _ => self.columns = true,
            }
            ControlFlow::Continue(())
        }
    }
    let mut found = Constants { columns: false, fractions: false };
    let _ = Visit::visit(expr, &mut found);
    found.fractions || !found.columns
}

/// Returns the text of an expression, which is the same for `CAST(x AS INT)`, `x::INT` and `(x::INT)`.
fn one_text(expr: &Expr) -> String {
    struct OneForm;
    impl VisitorMut for OneForm {
        type Break = ();

        fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
            match expr {
                Expr::Cast { kind: kind @ CastKind::DoubleColon, .. } => *kind = CastKind::Cast,
                Expr::Cast { kind: kind @ CastKind::SafeCast, .. } => *kind = CastKind::TryCast,
                _ => {}
            }
            ControlFlow::Continue(())
        }
    }
    match expr {
        Expr::Nested(inner) => one_text(inner),
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) => expr.to_string(),
        _ => {
            let mut one = expr.clone();
            let _ = VisitMut::visit(&mut one, &mut OneForm);
            one.to_string()
        }
    }
}
