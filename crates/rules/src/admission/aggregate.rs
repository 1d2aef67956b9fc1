//! Aggregates over non-public data: which functions, which arguments, and which conditions the gate must count.

mod case;
mod conditions;

use std::collections::BTreeSet;

use arrow::datatypes::DataType;
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{Expr, Operator, binary_expr};
use wanqu_model::columns::ColumnClass;
use wanqu_model::refusal::{Code, Refusal};

use case::{indicator, kept};
use conditions::{all_given, and, both, given, presence, selections, stripped};

use super::ground::Ground;
use super::linear::{Linear, linear, widened};
use super::shape::Condition;
use super::{growth, predicate, remedy, scalar};

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
    for arg in &params.args {
        growth::check(arg)?;
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

fn counted(arg: &Expr, filter: Option<&Expr>, ground: &Ground) -> Result<Vec<Condition>, Refusal> {
    if let Expr::Literal(value, _) = arg {
        // Of NULLs there are none to count, whoever is in the cell: a condition that never holds was folded to one.
        let filter = filter.filter(|_| !value.is_null());
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
