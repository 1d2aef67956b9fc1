//! Aggregates over non-public data: which functions, which arguments, and which conditions the gate must count.

use std::collections::BTreeSet;

use arrow::datatypes::DataType;
use datafusion::common::tree_node::TreeNode;
use datafusion::common::{Column, ScalarValue};
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Case, Expr, Operator, binary_expr};
use wanqu_crds::columns::ColumnClass;

use super::ground::Ground;
use super::linear::{Linear, linear, widened};
use super::shape::Condition;
use super::{predicate, remedy, scalar};
use crate::refusal::{Code, Refusal};

/// The most digits of a decimal whose average is exact: more could overflow, and an overflow is an error.
const MAX_AVERAGE_DIGITS: u8 = 24;

/// The most nodes of what is added up. Reading one takes a piece of the stack for each.
const MAX_ARGUMENT_NODES: usize = 200;

/// An aggregate that passed: the expression to run, and its conditions.
pub(super) struct Passed {
    pub expr: Expr,
    pub conditions: Vec<Condition>,
}

/// How a function reads its arguments.
enum Kind {
    Count,
    Total,
    Moment,
    Pair,
    Boolean,
}

fn kind(name: &str) -> Option<Kind> {
    Some(match name {
        "count" => Kind::Count,
        "sum" | "avg" => Kind::Total,
        "var" | "var_samp" | "var_pop" | "stddev" | "stddev_samp" | "stddev_pop" => Kind::Moment,
        "covar_samp" | "covar_pop" | "corr" | "regr_slope" | "regr_intercept" | "regr_count" | "regr_r2"
        | "regr_avgx" | "regr_avgy" | "regr_sxx" | "regr_syy" | "regr_sxy" => Kind::Pair,
        "bool_and" | "bool_or" => Kind::Boolean,
        _ => return None,
    })
}

/// Checks one aggregate whose argument and filter are over base columns.
pub(super) fn check(function: &AggregateFunction, ground: &Ground) -> Result<Passed, Refusal> {
    let name = function.func.name();
    let params = &function.params;
    let kind = kind(name).ok_or_else(|| {
        Refusal::new(Code::AggregateFunction, format!("{name} returns somebody's value, or cannot be gated"))
            .with_rule("over non-public data aggregates are counts, sums and moments")
            .with_subject(name)
            .with_remedy(remedy::for_function(name))
    })?;
    if !params.order_by.is_empty() || params.null_treatment.is_some() {
        return Err(form(name, "ORDER BY or NULL treatment inside an aggregate", "leave it out"));
    }
    let filter = params.filter.as_deref();
    if let Some(filter) = filter {
        predicate::check(filter, ground)?;
    }
    if params.distinct {
        return distinct(function, filter, ground);
    }
    let mut args = params.args.clone();
    let conditions = match (kind, &mut args[..]) {
        (Kind::Count, [arg]) => counted(arg, filter, ground)?,
        (Kind::Total, [arg]) => total(name, arg, filter, ground)?,
        (Kind::Moment, [arg]) => moment(name, arg, filter, ground)?,
        (Kind::Pair, [y, x]) => pair(y, x, filter, ground)?,
        (Kind::Boolean, [arg]) => boolean(arg, filter, ground)?,
        _ => return Err(form(name, "this number of arguments", "give it one argument")),
    };
    let expr = AggregateFunction::new_udf(
        std::sync::Arc::clone(&function.func),
        args,
        false,
        params.filter.clone(),
        vec![],
        None,
    );
    Ok(Passed { expr: Expr::AggregateFunction(expr), conditions })
}

fn form(name: &str, what: &str, remedy: &str) -> Refusal {
    Refusal::new(Code::AggregateArgument, format!("{name} with {what} is not released"))
        .with_rule("over non-public data an aggregate is a plain function of its rows")
        .with_subject(name)
        .with_remedy(remedy)
}

fn both(a: Option<&Expr>, b: Option<&Expr>) -> Option<Expr> {
    match (a, b) {
        (Some(a), Some(b)) => Some(binary_expr(a.clone(), Operator::And, b.clone())),
        (Some(one), None) | (None, Some(one)) => Some(one.clone()),
        (None, None) => None,
    }
}

fn and(base: Option<&Expr>, also: Expr) -> Expr {
    match base {
        Some(base) => binary_expr(base.clone(), Operator::And, also),
        None => also,
    }
}

/// The conditions of a filter and of a CASE inside it.
fn selections(filter: Option<&Expr>, case: Option<&Expr>) -> Vec<Condition> {
    let mut conditions = Vec::new();
    if let Some(filter) = filter {
        conditions.push(Condition::chooses(filter.clone(), true));
    }
    if let Some(met) = both(filter, case).filter(|_| case.is_some()) {
        conditions.push(Condition::chooses(met, true));
    }
    if let (Some(filter), Some(case)) = (filter, case) {
        let dropped = and(Some(filter), Expr::IsNotTrue(Box::new(case.clone())));
        conditions.push(Condition::chooses(dropped, false));
    }
    conditions
}

/// The conditions of values that may be NULL, among the rows that `base` keeps. `measures` are those that are added up.
fn presence(base: Option<&Expr>, present: Expr, measures: BTreeSet<String>, null_tells: bool) -> Vec<Condition> {
    let absent = Expr::IsNotTrue(Box::new(present.clone()));
    let met = and(base, present);
    let present = Condition { met, complement: null_tells && base.is_none(), chooses: null_tells, measures };
    match base {
        Some(base) if null_tells => vec![present, Condition::chooses(and(Some(base), absent), false)],
        _ => vec![present],
    }
}

/// That a value is not NULL.
fn given(value: &Expr) -> Expr {
    Expr::IsNotNull(Box::new(stripped(value).clone()))
}

/// That what is added up is not NULL: said of its columns, so that `cost` and `cost * cost` have one condition.
fn all_given(form: &Linear, value: &Expr) -> Expr {
    let fallible = value.exists(|e| Ok(matches!(e, Expr::TryCast(_)))).unwrap_or(true);
    let columns: BTreeSet<&Column> = form.columns().collect();
    let columns = columns.into_iter().map(|column| given(&Expr::Column(column.clone())));
    if fallible { given(value) } else { conjunction(columns).unwrap_or_else(|| given(value)) }
}

/// An expression without its exact casts, which keep NULL and everything else as it is.
fn stripped(expr: &Expr) -> &Expr {
    match expr {
        Expr::Cast(cast) => stripped(&cast.expr),
        other => other,
    }
}

/// `CASE WHEN condition THEN value [ELSE 0 | NULL] END`, below exact casts.
struct Kept<'a> {
    condition: Expr,
    value: &'a Expr,
    else_zero: bool,
}

fn kept(expr: &Expr) -> Result<Option<Kept<'_>>, Refusal> {
    let case = match expr {
        Expr::Cast(cast) => return kept(&cast.expr),
        Expr::Case(case) => case,
        _ => return Ok(None),
    };
    let Case { expr: subject, when_then_expr, else_expr } = case;
    let [(when, then)] = &when_then_expr[..] else {
        return Err(branches());
    };
    let condition = match subject {
        Some(subject) => binary_expr(subject.as_ref().clone(), Operator::Eq, when.as_ref().clone()),
        None => when.as_ref().clone(),
    };
    let else_zero = match else_expr.as_deref().map(literal_of) {
        None => false,
        Some(Some(value)) if value.is_null() => false,
        Some(Some(value)) if is_zero(value) => true,
        Some(_) => return Err(branches()),
    };
    Ok(Some(Kept { condition, value: then, else_zero }))
}

fn literal_of(expr: &Expr) -> Option<&ScalarValue> {
    match expr {
        Expr::Literal(value, _) => Some(value),
        Expr::Cast(cast) => literal_of(&cast.expr),
        Expr::TryCast(cast) => literal_of(&cast.expr),
        _ => None,
    }
}

fn is_zero(value: &ScalarValue) -> bool {
    matches!(value.cast_to(&DataType::Float64), Ok(ScalarValue::Float64(Some(v))) if v == 0.0)
}

fn branches() -> Refusal {
    Refusal::new(Code::AggregateArgument, "a CASE with several values inside an aggregate packs cells into one number")
        .with_rule("inside an aggregate a CASE keeps or drops: one condition, one value, and ELSE 0 or NULL")
        .with_subject("CASE")
        .with_remedy("use one aggregate for each branch, each with FILTER (WHERE ...), or group by the CASE")
}

/// A cast of a condition to a number counts those who meet it.
fn indicator<'a>(expr: &'a Expr, ground: &Ground) -> Option<&'a Expr> {
    let inner = match expr {
        Expr::Cast(cast) => &cast.expr,
        Expr::TryCast(cast) => &cast.expr,
        _ => return None,
    };
    match ground.type_of(inner) {
        Some(DataType::Boolean) => Some(inner),
        _ => indicator(inner, ground),
    }
}

fn counted(arg: &Expr, filter: Option<&Expr>, ground: &Ground) -> Result<Vec<Condition>, Refusal> {
    if let Expr::Literal(value, _) = arg {
        if value.is_null() {
            return Err(form("count", "NULL", "use count(*)"));
        }
        return Ok(selections(filter, None));
    }
    if let Some(kept) = kept(arg)? {
        predicate::check(&kept.condition, ground)?;
        let mut conditions = selections(filter, Some(&kept.condition));
        if !matches!(kept.value, Expr::Literal(value, _) if !value.is_null()) {
            let base = both(filter, Some(&kept.condition));
            conditions.extend(present_value(kept.value, base.as_ref(), ground)?);
        }
        return Ok(conditions);
    }
    let mut conditions = selections(filter, None);
    conditions.extend(present_value(arg, filter, ground)?);
    Ok(conditions)
}

/// The conditions of counting the values that are not NULL.
fn present_value(value: &Expr, base: Option<&Expr>, ground: &Ground) -> Result<Vec<Condition>, Refusal> {
    scalar::check(value, ground)?;
    predicate::classes(value, ground)?;
    match linear(stripped(value), ground) {
        Ok(form) if !form.is_constant() => Ok(nulls(&form, value, base, ground)),
        _ => Ok(presence(base, given(value), BTreeSet::new(), true)),
    }
}

fn measured(name: &str, value: &Expr, ground: &Ground) -> Result<Linear, Refusal> {
    if super::ground::nodes(value) > MAX_ARGUMENT_NODES {
        return Err(form(name, "an argument of so many parts", "aggregate fewer columns at once"));
    }
    scalar::check(value, ground)?;
    predicate::classes(value, ground)?;
    linear(value, ground).map_err(|refusal| {
        let message = format!("{name}: {}", refusal.message);
        Refusal { message, ..refusal }
    })
}

/// sum and avg.
fn total(name: &str, arg: &mut Expr, filter: Option<&Expr>, ground: &Ground) -> Result<Vec<Condition>, Refusal> {
    if name == "avg"
        && let Some(DataType::Decimal128(digits, _)) = ground.type_of(arg)
        && digits > MAX_AVERAGE_DIGITS
    {
        return Err(form(name, "a decimal of so many digits", "use sum and count, or CAST the argument to DOUBLE"));
    }
    if let Some(condition) = indicator(arg, ground) {
        return boolean(condition, filter, ground);
    }
    let mut conditions;
    if let Some(kept) = kept(arg)? {
        predicate::check(&kept.condition, ground)?;
        let form = measured(name, kept.value, ground)?;
        let base = both(filter, Some(&kept.condition));
        conditions = selections(filter, Some(&kept.condition));
        conditions.extend(nulls(&form, kept.value, base.as_ref(), ground));
    } else {
        let form = measured(name, arg, ground)?;
        conditions = selections(filter, None);
        conditions.extend(nulls(&form, arg, filter, ground));
    }
    *arg = widened(arg.clone(), ground);
    Ok(conditions)
}

fn nulls(form: &Linear, value: &Expr, base: Option<&Expr>, ground: &Ground) -> Vec<Condition> {
    if form.is_constant() {
        return vec![];
    }
    let measures = form.columns().map(|column| ground.name(column)).collect();
    presence(base, all_given(form, value), measures, form.null_tells(ground))
}

/// Variance and standard deviation.
fn moment(name: &str, arg: &mut Expr, filter: Option<&Expr>, ground: &Ground) -> Result<Vec<Condition>, Refusal> {
    let (value, case) = match kept(arg)? {
        Some(kept) if kept.else_zero => {
            return Err(form(name, "a CASE with ELSE 0", "leave out ELSE, or use FILTER (WHERE ...)"));
        }
        Some(kept) => {
            predicate::check(&kept.condition, ground)?;
            (kept.value.clone(), Some(kept.condition))
        }
        None => (arg.clone(), None),
    };
    let shape = measured(name, &value, ground)?;
    if shape.has_product() || shape.is_constant() {
        return Err(form(name, "anything but a measure", "use the measure itself"));
    }
    let base = both(filter, case.as_ref());
    let mut conditions = selections(filter, case.as_ref());
    conditions.extend(nulls(&shape, &value, base.as_ref(), ground));
    *arg = widened(arg.clone(), ground);
    Ok(conditions)
}

/// Covariance, correlation and regression of two measures.
fn pair(y: &Expr, x: &Expr, filter: Option<&Expr>, ground: &Ground) -> Result<Vec<Condition>, Refusal> {
    let mut tells = false;
    for side in [y, x] {
        let shape = measured("a statistic of two columns", side, ground)?;
        tells |= shape.null_tells(ground);
        let fits = shape.single().is_some_and(|c| ground.class(c) == ColumnClass::Measure);
        if !fits {
            return Err(form(
                "a statistic of two columns",
                "anything but two measures",
                "use two measures; compare groups with GROUP BY",
            )
            .with_rule(
                "covariance, correlation and regression take two measures: with an indicator they are somebody's value",
            ));
        }
    }
    let present = binary_expr(given(y), Operator::And, given(x));
    let measures = y.column_refs().union(&x.column_refs()).map(|column| ground.name(column)).collect();
    let mut conditions = selections(filter, None);
    let absent = Expr::IsNotTrue(Box::new(present.clone()));
    conditions.push(Condition { met: and(filter, present), complement: false, chooses: tells, measures });
    if tells {
        conditions.push(Condition::chooses(and(filter, absent), false));
    }
    Ok(conditions)
}

/// A condition as a value: `bool_and(c)`, `bool_or(c)`, `sum(CAST(c AS INT))`.
fn boolean(condition: &Expr, filter: Option<&Expr>, ground: &Ground) -> Result<Vec<Condition>, Refusal> {
    predicate::check(condition, ground)?;
    let mut conditions = selections(filter, Some(condition));
    conditions.push(Condition::chooses(and(filter, Expr::IsFalse(Box::new(condition.clone()))), false));
    conditions.push(Condition::chooses(and(filter, Expr::IsNull(Box::new(condition.clone()))), false));
    Ok(conditions)
}

/// `count(DISTINCT identifier)`.
fn distinct(function: &AggregateFunction, filter: Option<&Expr>, ground: &Ground) -> Result<Passed, Refusal> {
    let name = function.func.name();
    let refused = |subject: String| {
        Refusal::new(Code::AggregateFunction, format!("{name}(DISTINCT ...) tells of values that few people have"))
            .with_rule("over non-public data only identifiers are counted DISTINCT")
            .with_subject(subject)
            .with_remedy("group by the column, if it is a dimension, and count the groups that are released")
    };
    let column = match &function.params.args[..] {
        [Expr::Column(column)] if name == "count" => column,
        [arg] => return Err(refused(arg.column_refs().iter().map(|c| ground.name(c)).collect::<Vec<_>>().join(", "))),
        _ => return Err(refused(name.to_owned())),
    };
    if ground.class(column) != ColumnClass::Identifier {
        return Err(refused(ground.name(column)));
    }
    let mut conditions = selections(filter, None);
    let is_unit = ground.leaf(column).and_then(super::ground::Leaf::unit_column) == Some(column.name.as_str());
    if !is_unit {
        conditions.extend(presence(filter, given(&Expr::Column(column.clone())), BTreeSet::new(), true));
    }
    Ok(Passed { expr: Expr::AggregateFunction(function.clone()), conditions })
}
