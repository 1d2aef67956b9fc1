//! Forms of expressions.

use std::collections::BTreeSet;

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::{ExprSchema, Result as DfResult, plan_err};
use datafusion::logical_expr::expr::{AggregateFunction, Case, Cast, InList, Like, NullTreatment, Sort};
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, Operator};

use super::literal::{is_text, type_form, value_form};

/// Returns the form of an expression: equal for two expressions only if they have the same value on every row.
pub(super) fn form(expr: &Expr, types: &dyn ExprSchema) -> DfResult<String> {
    let of = |inner: &Expr| form(inner, types);
    let over = |word: &str, inner: &Expr| of(inner).map(|inner| format!("{word}({inner})"));
    match expr {
        Expr::Alias(alias) => of(&alias.expr),
        Expr::Column(column) => {
            Ok(format!("{:?}.{:?}", column.relation.as_ref().map(ToString::to_string), column.name))
        }
        Expr::Literal(value, _) => value_form(value),
        Expr::BinaryExpr(binary) => binary_form(binary, types),
        Expr::Like(like) => like_form("like", like, types),
        Expr::SimilarTo(like) => like_form("similar", like, types),
        Expr::Not(inner) => over("not", inner),
        Expr::Negative(inner) => over("negative", inner),
        Expr::IsNull(inner) | Expr::IsUnknown(inner) => over("is null", inner),
        Expr::IsNotNull(inner) | Expr::IsNotUnknown(inner) => over("is not null", inner),
        Expr::IsTrue(inner) => over("is true", inner),
        Expr::IsNotTrue(inner) => over("is not true", inner),
        Expr::IsFalse(inner) => over("is false", inner),
        Expr::IsNotFalse(inner) => over("is not false", inner),
        Expr::Between(between) => {
            let (value, low, high) = (of(&between.expr)?, of(&between.low)?, of(&between.high)?);
            if between.expr.is_volatile() {
                return Ok(format!("between({} {value} {low} {high})", between.negated));
            }
            Ok(if between.negated {
                terms("OR", [comparison(&value, "<", &low), comparison(&value, ">", &high)], false)
            } else {
                terms("AND", [comparison(&value, ">=", &low), comparison(&value, "<=", &high)], false)
            })
        }
        Expr::InList(list) => in_list_form(list, types),
        Expr::Case(case) => case_form(case, types),
        Expr::Cast(cast) => {
            if let Some(same) = there_and_back(cast, types) {
                return of(same);
            }
            let (from, to) = (cast.expr.get_type(types).ok(), cast.field.data_type());
            if from.is_some_and(|from| from == *to || is_text(&from) && is_text(to)) {
                return of(&cast.expr);
            }
            Ok(format!("cast({} {})", of(&cast.expr)?, type_form(to)))
        }
        Expr::TryCast(cast) => Ok(format!("try cast({} {})", of(&cast.expr)?, type_form(cast.field.data_type()))),
        Expr::ScalarFunction(function) => Ok(format!("{:?}({})", function.name(), forms(&function.args, types)?)),
        Expr::AggregateFunction(function) => aggregate_form(function, types),
        _ => plan_err!("this form of expression has no normal form: {}", expr.variant_name()),
    }
}

/// Returns the time of which a cast to nanoseconds is cast back to its own microseconds, as the analysis of a call does that
/// was analysed before.
fn there_and_back<'e>(back: &'e Cast, types: &dyn ExprSchema) -> Option<&'e Expr> {
    let Expr::Cast(there) = back.expr.as_ref() else { return None };
    let (DataType::Timestamp(TimeUnit::Microsecond, zone), DataType::Timestamp(TimeUnit::Nanosecond, between)) =
        (back.field.data_type(), there.field.data_type())
    else {
        return None;
    };
    let from = there.expr.get_type(types).ok()?;
    (zone == between && from == *back.field.data_type()).then_some(there.expr.as_ref())
}

fn forms<'a>(exprs: impl IntoIterator<Item = &'a Expr>, types: &dyn ExprSchema) -> DfResult<String> {
    Ok(exprs.into_iter().map(|expr| form(expr, types)).collect::<DfResult<Vec<_>>>()?.join(", "))
}

/// Returns the form of terms joined by AND or OR: a set, unless a term may have another value each time.
fn terms(word: &str, terms: impl IntoIterator<Item = String>, volatile: bool) -> String {
    let mut terms: Vec<String> = terms.into_iter().collect();
    if !volatile {
        terms = BTreeSet::from_iter(terms).into_iter().collect();
    }
    match &terms[..] {
        [one] => one.clone(),
        many => format!("({})", many.join(&format!(" {word} "))),
    }
}

/// Returns the form of a comparison, its sides in one order.
fn comparison(left: &str, op: &str, right: &str) -> String {
    let swapped = match op {
        "<" => ">",
        "<=" => ">=",
        ">" => "<",
        ">=" => "<=",
        same => same,
    };
    if left <= right { format!("({left} {op} {right})") } else { format!("({right} {swapped} {left})") }
}

fn binary_form(binary: &BinaryExpr, types: &dyn ExprSchema) -> DfResult<String> {
    let BinaryExpr { left, op, right } = binary;
    if matches!(op, Operator::And | Operator::Or) {
        let mut parts = vec![];
        collect_terms(binary, types, &mut parts)?;
        let volatile = left.is_volatile() || right.is_volatile();
        return Ok(terms(if *op == Operator::And { "AND" } else { "OR" }, parts, volatile));
    }
    let (left, right) = (form(left, types)?, form(right, types)?);
    Ok(match op {
        Operator::Eq
        | Operator::NotEq
        | Operator::Lt
        | Operator::LtEq
        | Operator::Gt
        | Operator::GtEq
        | Operator::IsDistinctFrom
        | Operator::IsNotDistinctFrom => comparison(&left, &op.to_string(), &right),
        // The name tells operators apart whose signs look alike.
        _ => format!("({left} {op:?} {right})"),
    })
}

/// Collects the terms of a chain of one operator.
fn collect_terms(binary: &BinaryExpr, types: &dyn ExprSchema, parts: &mut Vec<String>) -> DfResult<()> {
    for side in [&binary.left, &binary.right] {
        match side.as_ref() {
            Expr::BinaryExpr(inner) if inner.op == binary.op => collect_terms(inner, types, parts)?,
            other => parts.push(form(other, types)?),
        }
    }
    Ok(())
}

/// Returns the form of `x IN (a, b)`: that of `x = a OR x = b`.
fn in_list_form(list: &InList, types: &dyn ExprSchema) -> DfResult<String> {
    let value = form(&list.expr, types)?;
    if list.list.is_empty() || list.expr.is_volatile() || list.list.iter().any(Expr::is_volatile) {
        return Ok(format!("in({} {value} [{}])", list.negated, forms(&list.list, types)?));
    }
    let (op, word) = if list.negated { ("!=", "AND") } else { ("=", "OR") };
    let equals = list.list.iter().map(|item| Ok(comparison(&value, op, &form(item, types)?)));
    Ok(terms(word, equals.collect::<DfResult<Vec<_>>>()?, false))
}

fn like_form(word: &str, like: &Like, types: &dyn ExprSchema) -> DfResult<String> {
    let Like { negated, expr, pattern, escape_char, case_insensitive } = like;
    let (value, pattern) = (form(expr, types)?, form(pattern, types)?);
    Ok(format!("{word}({negated} {case_insensitive} {escape_char:?} {value} {pattern})"))
}

fn case_form(case: &Case, types: &dyn ExprSchema) -> DfResult<String> {
    let mut text = "case(".to_owned();
    if let Some(value) = &case.expr {
        text += &form(value, types)?;
    }
    for (when, then) in &case.when_then_expr {
        text += &format!(" when {} then {}", form(when, types)?, form(then, types)?);
    }
    match &case.else_expr {
        Some(otherwise) if !matches!(otherwise.as_ref(), Expr::Literal(value, _) if value.is_null()) => {
            text += &format!(" else {}", form(otherwise, types)?);
        }
        _ => {}
    }
    Ok(text + ")")
}

fn aggregate_form(function: &AggregateFunction, types: &dyn ExprSchema) -> DfResult<String> {
    let params = &function.params;
    let filter = params.filter.as_ref().map(|filter| form(filter, types)).transpose()?;
    let ignored = matches!(params.null_treatment, Some(NullTreatment::IgnoreNulls));
    Ok(format!(
        "{:?}(distinct {} args {} filter {filter:?} order {} ignore {ignored})",
        function.func.name(),
        params.distinct,
        forms(&params.args, types)?,
        order_form(&params.order_by, types)?.join(", "),
    ))
}

/// Returns the forms of keys of an order. Constants order nothing, and neither does a key that was there before.
pub(super) fn order_form(keys: &[Sort], types: &dyn ExprSchema) -> DfResult<Vec<String>> {
    let mut seen = BTreeSet::new();
    let mut forms = vec![];
    for key in keys.iter().filter(|key| !matches!(key.expr, Expr::Literal(..))) {
        let value = form(&key.expr, types)?;
        let ordered = format!("{value} {} {}", key.asc, key.nulls_first);
        if key.expr.is_volatile() || seen.insert(value) {
            forms.push(ordered);
        }
    }
    Ok(forms)
}
