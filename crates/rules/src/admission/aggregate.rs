//! Aggregates over non-public data: which functions, which arguments, and which conditions the gate must count.

mod case;
mod conditions;

use std::collections::BTreeSet;

use arrow::datatypes::DataType;
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{Expr, Operator, binary_expr};
use wanqu_model::aggregates::{self, Admission, Arguments};
use wanqu_model::columns::ColumnClass;
use wanqu_model::refusal::{Code, Refusal};

use conditions::{presence, selections};

pub(super) use case::{indicator, kept};
pub(super) use conditions::{all_given, and, both, given, stripped};

use super::base::BaseTables;
use super::families::Condition;
use super::linear::{Linear, linear, of_one_table};
use super::total::{self, Total};
use super::widen::widened;
use super::{growth, predicate, scalar};

/// Most digits of a decimal that may be averaged: with more its sum could overflow, and an overflow is an error.
const MAX_AVERAGE_DIGITS: u8 = 24;

/// Most nodes of an argument. Reading it takes stack for each.
const MAX_ARGUMENT_NODES: usize = 200;

/// Admitted aggregate: the expression to run, its conditions, and what it adds up.
pub(super) struct Passed {
    pub expr: Expr,
    pub conditions: Vec<Condition>,
    pub total: Total,
}

/// Checks one aggregate whose argument and filter are over base columns.
pub(super) fn check(function: &AggregateFunction, tables: &BaseTables) -> Result<Passed, Refusal> {
    let name = function.func.name();
    let params = &function.params;
    let arguments = match aggregates::aggregate(name).map(|row| row.admission) {
        Some(Admission::Admitted { arguments, .. }) => arguments,
        Some(Admission::Refused { remedy }) => return Err(refused(name, remedy)),
        None => {
            return Err(refused(name, "use count, sum, avg, var, stddev, covar, corr, regr_*, bool_and or bool_or"));
        }
    };
    if !params.order_by.is_empty() || params.null_treatment.is_some() {
        return Err(form(name, "ORDER BY or NULL treatment inside an aggregate", "leave it out"));
    }
    for arg in &params.args {
        growth::check(arg)?;
    }
    let filter = params.filter.as_deref();
    if let Some(filter) = filter {
        predicate::check(filter, tables)?;
    }
    if params.distinct {
        return distinct(function, arguments, filter, tables);
    }
    let mut args = params.args.clone();
    let conditions = match (arguments, &mut args[..]) {
        (Arguments::Count, [arg]) => counted(arg, filter, tables)?,
        (Arguments::Sum, [arg]) => summed(name, arg, filter, tables)?,
        (Arguments::Average, [arg]) => average(name, arg, filter, tables)?,
        (Arguments::Moment, [arg]) => moment(name, arg, filter, tables)?,
        (Arguments::Pair, [y, x]) => {
            let conditions = pair(y, x, filter, tables)?;
            (*y, *x) = (widened(y.clone(), tables)?, widened(x.clone(), tables)?);
            conditions
        }
        (Arguments::Boolean, [arg]) => boolean(arg, filter, tables)?,
        _ => return Err(form(name, "this number of arguments", "give it one argument")),
    };
    let total = total::of(function, arguments, tables)?;
    let expr = AggregateFunction::new_udf(
        std::sync::Arc::clone(&function.func),
        args,
        false,
        params.filter.clone(),
        vec![],
        None,
    );
    Ok(Passed { expr: Expr::AggregateFunction(expr), conditions, total })
}

fn refused(name: &str, remedy: &str) -> Refusal {
    Refusal::new(
        Code::AggregateFunction,
        format!("{name} returns one person's value, or has cells that the gate cannot check"),
    )
    .with_rule("over non-public data aggregates are counts, sums and moments")
    .with_subject(name)
    .with_remedy(remedy)
}

fn form(name: &str, what: &str, remedy: &str) -> Refusal {
    Refusal::new(Code::AggregateArgument, format!("{name} with {what} is not released"))
        .with_rule("over non-public data an aggregate is a plain function of its rows")
        .with_subject(name)
        .with_remedy(remedy)
}

fn counted(arg: &Expr, filter: Option<&Expr>, tables: &BaseTables) -> Result<Vec<Condition>, Refusal> {
    if let Expr::Literal(value, _) = arg {
        // Of NULLs there are none to count, whoever is in the cell: a condition that never holds was folded to one.
        let filter = filter.filter(|_| !value.is_null());
        return Ok(selections(filter, None));
    }
    if let Some(kept) = kept(arg)? {
        predicate::check(&kept.condition, tables)?;
        let mut conditions = selections(filter, Some(&kept.condition));
        if !matches!(kept.value, Expr::Literal(value, _) if !value.is_null()) {
            let base = both(filter, Some(&kept.condition));
            conditions.extend(present_value(kept.value, base.as_ref(), tables)?);
        }
        return Ok(conditions);
    }
    let mut conditions = selections(filter, None);
    conditions.extend(present_value(arg, filter, tables)?);
    Ok(conditions)
}

/// Returns the conditions of counting the values that are not NULL.
fn present_value(value: &Expr, base: Option<&Expr>, tables: &BaseTables) -> Result<Vec<Condition>, Refusal> {
    scalar::check(value, tables)?;
    predicate::classes(value, tables)?;
    if tables.is_guarded() && value.column_refs().iter().any(|c| tables.class(c) == ColumnClass::Measure) {
        return present_measure(stripped(value), base, tables);
    }
    match linear(stripped(value), tables) {
        Ok(form) if !form.is_constant() => Ok(nulls(&form, value, base, true, tables)),
        _ => Ok(presence(base, given(value), BTreeSet::new(), true)),
    }
}

/// Returns the conditions of counting the values of a measure where cells need several units. How many have none is a number
/// like any other, so those without are counted as those with. A function of the measure would be a condition on it.
fn present_measure(value: &Expr, base: Option<&Expr>, tables: &BaseTables) -> Result<Vec<Condition>, Refusal> {
    if let Expr::Column(column) = value {
        return Ok(presence(base, given(value), BTreeSet::from([tables.name(column)]), true));
    }
    Ok(nulls(&measured("count", value, tables)?, value, base, true, tables))
}

fn measured(name: &str, value: &Expr, tables: &BaseTables) -> Result<Linear, Refusal> {
    if super::base::nodes(value) > MAX_ARGUMENT_NODES {
        return Err(form(name, "an argument of so many parts", "aggregate fewer columns at once"));
    }
    scalar::check(value, tables)?;
    predicate::classes(value, tables)?;
    let read = |value: &Expr| -> Result<Linear, Refusal> {
        let form = linear(value, tables)?;
        of_one_table(form.columns(), tables)?;
        Ok(form)
    };
    read(value).map_err(|refusal| {
        let message = format!("{name}: {}", refusal.message);
        Refusal { message, ..refusal }
    })
}

/// Checks avg. Returns its conditions.
fn average(name: &str, arg: &mut Expr, filter: Option<&Expr>, tables: &BaseTables) -> Result<Vec<Condition>, Refusal> {
    if let Some(DataType::Decimal128(digits, _)) = tables.type_of(arg)
        && digits > MAX_AVERAGE_DIGITS
    {
        return Err(form(name, "a decimal of so many digits", "use sum and count, or CAST the argument to DOUBLE"));
    }
    added(name, arg, filter, true, tables)
}

/// Checks sum. Returns its conditions.
fn summed(name: &str, arg: &mut Expr, filter: Option<&Expr>, tables: &BaseTables) -> Result<Vec<Condition>, Refusal> {
    added(name, arg, filter, false, tables)
}

/// Checks sum, and avg whose digits are within bounds, of which a count can be told. Returns its conditions.
fn added(
    name: &str,
    arg: &mut Expr,
    filter: Option<&Expr>,
    counts: bool,
    tables: &BaseTables,
) -> Result<Vec<Condition>, Refusal> {
    if let Some(condition) = indicator(arg, tables) {
        return boolean(condition, filter, tables);
    }
    let mut conditions;
    if let Some(kept) = kept(arg)? {
        predicate::check(&kept.condition, tables)?;
        let form = measured(name, kept.value, tables)?;
        let base = both(filter, Some(&kept.condition));
        conditions = selections(filter, Some(&kept.condition));
        conditions.extend(nulls(&form, kept.value, base.as_ref(), counts, tables));
    } else {
        let form = measured(name, arg, tables)?;
        conditions = selections(filter, None);
        conditions.extend(nulls(&form, arg, filter, counts, tables));
    }
    *arg = widened(arg.clone(), tables)?;
    Ok(conditions)
}

/// Returns the conditions of a form whose values may be NULL. `counts` is true if the aggregate tells the number of values, by itself
/// or beside a sum: then how many rows have none is told where cells need several units.
fn nulls(form: &Linear, value: &Expr, base: Option<&Expr>, counts: bool, tables: &BaseTables) -> Vec<Condition> {
    if form.is_constant() {
        return vec![];
    }
    let measures = form.columns().map(|column| tables.name(column)).collect();
    let numbered = tables.is_guarded() && (counts || form.has_constant());
    presence(base, all_given(form, value), measures, numbered || form.null_tells(tables))
}

/// Checks variance and standard deviation. Returns their conditions.
fn moment(name: &str, arg: &mut Expr, filter: Option<&Expr>, tables: &BaseTables) -> Result<Vec<Condition>, Refusal> {
    let (value, case) = match kept(arg)? {
        Some(kept) if kept.else_zero => {
            return Err(form(name, "a CASE with ELSE 0", "leave out ELSE, or use FILTER (WHERE ...)"));
        }
        Some(kept) => {
            predicate::check(&kept.condition, tables)?;
            (kept.value.clone(), Some(kept.condition))
        }
        None => (arg.clone(), None),
    };
    let shape = measured(name, &value, tables)?;
    if shape.has_product() || shape.is_constant() {
        return Err(form(name, "anything but a measure", "use the measure itself"));
    }
    let base = both(filter, case.as_ref());
    let mut conditions = selections(filter, case.as_ref());
    conditions.extend(nulls(&shape, &value, base.as_ref(), true, tables));
    *arg = widened(arg.clone(), tables)?;
    Ok(conditions)
}

/// Checks covariance, correlation and regression of two measures. Returns their conditions.
fn pair(y: &Expr, x: &Expr, filter: Option<&Expr>, tables: &BaseTables) -> Result<Vec<Condition>, Refusal> {
    let mut tells = tables.is_guarded();
    for side in [y, x] {
        let shape = measured("a statistic of two columns", side, tables)?;
        tells |= shape.null_tells(tables);
        let fits = shape.single().is_some_and(|c| tables.class(c) == ColumnClass::Measure);
        if !fits {
            return Err(form(
                "a statistic of two columns",
                "anything but two measures",
                "use two measures; compare groups with GROUP BY",
            )
            .with_rule(
                "covariance, correlation and regression take two measures: with an indicator they show one person's value",
            ));
        }
    }
    of_one_table(y.column_refs().into_iter().chain(x.column_refs()), tables)?;
    let present = binary_expr(given(y), Operator::And, given(x));
    let measures = y.column_refs().union(&x.column_refs()).map(|column| tables.name(column)).collect();
    let mut conditions = selections(filter, None);
    conditions.extend(presence(filter, present, measures, tells));
    Ok(conditions)
}

/// Checks a condition used as a value: `bool_and(c)`, `bool_or(c)`, `sum(CAST(c AS INT))`. Returns its conditions.
fn boolean(condition: &Expr, filter: Option<&Expr>, tables: &BaseTables) -> Result<Vec<Condition>, Refusal> {
    predicate::check(condition, tables)?;
    let mut conditions = selections(filter, Some(condition));
    conditions.push(Condition::selects(and(filter, Expr::IsFalse(Box::new(condition.clone()))), false));
    conditions.push(Condition::chooses(and(filter, Expr::IsNull(Box::new(condition.clone()))), false));
    Ok(conditions)
}

/// Checks an aggregate with DISTINCT: `count(DISTINCT identifier)` passes.
fn distinct(
    function: &AggregateFunction,
    arguments: Arguments,
    filter: Option<&Expr>,
    tables: &BaseTables,
) -> Result<Passed, Refusal> {
    let name = function.func.name();
    let refused = |subject: String| {
        Refusal::new(Code::AggregateFunction, format!("{name}(DISTINCT ...) shows values that few people have"))
            .with_rule("over non-public data only identifiers are counted DISTINCT")
            .with_subject(subject)
            .with_remedy("group by the column, if it is a dimension, and count the groups that are released")
    };
    let column = match &function.params.args[..] {
        [Expr::Column(column)] if arguments == Arguments::Count => column,
        [arg] => return Err(refused(arg.column_refs().iter().map(|c| tables.name(c)).collect::<Vec<_>>().join(", "))),
        _ => return Err(refused(name.to_owned())),
    };
    if tables.class(column) != ColumnClass::Identifier {
        return Err(refused(tables.name(column)));
    }
    let mut conditions = selections(filter, None);
    // Every row has its unit, but for those that an outer join fills: they tell who has no row on the other side.
    if !tables.is_unit(column) || tables.leaf(column).is_none_or(|leaf| leaf.filled) {
        conditions.extend(presence(filter, given(&Expr::Column(column.clone())), BTreeSet::new(), true));
    }
    let total = total::of(function, arguments, tables)?;
    Ok(Passed { expr: Expr::AggregateFunction(function.clone()), conditions, total })
}
