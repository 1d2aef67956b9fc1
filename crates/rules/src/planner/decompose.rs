//! One aggregate over rows as finished aggregates at the owners and one over their releases at home.
//!
//! | over rows | at each owner | at home |
//! |---|---|---|
//! | count, `regr_count` | the same | sum |
//! | min, max, `bool_and`, `bool_or`, bit_* | the same | the same |
//! | sum | sum in a type that holds it, whatever the rows | sum, in its own type |
//! | avg | such a sum, count | sum of sums / sum of counts |
//! | var, stddev | `regr_count`, `regr_avgy`, `regr_syy` of the variable with itself | [`merge_moments`] |
//! | covar, corr, regr_* | `regr_count`, `regr_avgx`, `regr_avgy`, `regr_sxx`, `regr_syy`, `regr_sxy` | [`merge_moments`] |
//! | `f(DISTINCT d)` | d becomes a group key | `f(DISTINCT d)` over released cells; of moments none |
//! | `count(DISTINCT unit)` | the same | sum, where no unit is counted by two owners |
//!
//! Owners are always asked for finished aggregates, never for an aggregate's internal state. The table of aggregates
//! ([`wanqu_model::aggregates`]) says which function is split in which of these ways.

use std::sync::Arc;

use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DECIMAL256_MAX_PRECISION, DataType};
use datafusion::common::{ExprSchema, Result as DfResult, ScalarValue, plan_err};
use datafusion::functions_aggregate::regr;
use datafusion::logical_expr::expr::{AggregateFunction, Cast};
use datafusion::logical_expr::{AggregateUDF, Expr, ExprSchemable, lit};
use wanqu_model::aggregates::{self, Split as Form, Statistic};

use crate::casts::is_exact;
use crate::functions::{count, sum};
use crate::merge::{decimal_average, merge_moments, narrow};

/// Way in which one aggregate is split.
pub(super) enum Split {
    /// `partials` at the owners; at home `merge` over their columns.
    Merge { partials: Vec<Expr>, merge: Merge },
    /// The distinct argument becomes a group key at the owners; at home the aggregate itself, over that key.
    Key(Expr),
    /// A distinct count of privacy units: the same at the owners, a sum at home, if no unit is counted twice.
    Units(Expr),
    /// It cannot be merged from finished aggregates of parts.
    Whole,
}

/// Way in which the columns of the partial aggregates are merged.
#[derive(Clone)]
pub(super) enum Merge {
    /// Sum of the one column; 0 where there is no row.
    Count,
    /// Sum of the one column, which is called so where it does not fit into its type.
    Sum(String),
    /// One aggregate function over the one column.
    Same(Arc<AggregateUDF>),
    /// Sum of the first column divided by sum of the second, with the same name.
    Average(String),
    /// Moments of one variable: count, mean, squared deviations.
    Variable(Statistic),
    /// Moments of two variables: count, means, squared deviations, co-deviation.
    Pair(Statistic),
}

/// Decides how an aggregate is split. `schema` is that of the rows; `is_unit` tells whether an argument is a privacy
/// unit's identifier.
pub(super) fn split(function: &AggregateFunction, schema: &dyn ExprSchema, is_unit: impl Fn(&Expr) -> bool) -> Split {
    let params = &function.params;
    if !params.order_by.is_empty() || params.null_treatment.is_some() {
        return Split::Whole;
    }
    let form = aggregates::aggregate(function.func.name()).map_or(Form::Whole, |row| row.split);
    // The engine has none of these over distinct values of a merge; over rows it has.
    if params.distinct && matches!(form, Form::Variable(_) | Form::Pair(_)) {
        return Split::Whole;
    }
    if params.distinct && form != (Form::Same { repeats_count: false }) {
        return match &params.args[..] {
            [arg] if form == Form::Count && is_unit(arg) => Split::Units(Expr::AggregateFunction(function.clone())),
            [arg] if params.filter.is_none() => Split::Key(uncast(arg, schema)),
            _ => Split::Whole,
        };
    }
    let with = |func: Arc<AggregateUDF>, args: Vec<Expr>| {
        Expr::AggregateFunction(AggregateFunction::new_udf(func, args, false, params.filter.clone(), vec![], None))
    };
    let args: Vec<Expr> = params.args.iter().map(|arg| uncast(arg, schema)).collect();
    let name = || Expr::AggregateFunction(function.clone()).schema_name().to_string();
    let same = |merge| Split::Merge { partials: vec![with(Arc::clone(&function.func), args.clone())], merge };
    let variable = |which| {
        let twice: Vec<Expr> = args.iter().chain(&args).cloned().collect();
        let parts = [regr::regr_count_udaf(), regr::regr_avgy_udaf(), regr::regr_syy_udaf()];
        Split::Merge { partials: parts.map(|f| with(f, twice.clone())).to_vec(), merge: Merge::Variable(which) }
    };
    let pair = |which| {
        let parts = [
            regr::regr_count_udaf(),
            regr::regr_avgy_udaf(),
            regr::regr_avgx_udaf(),
            regr::regr_syy_udaf(),
            regr::regr_sxx_udaf(),
            regr::regr_sxy_udaf(),
        ];
        Split::Merge { partials: parts.map(|f| with(f, args.clone())).to_vec(), merge: Merge::Pair(which) }
    };
    match form {
        Form::Count if args.len() <= 2 => same(Merge::Count),
        Form::Sum => Split::Merge {
            partials: vec![with(sum(), args.iter().map(|arg| wide(arg, schema)).collect())],
            merge: Merge::Sum(name()),
        },
        Form::Same { .. } => same(Merge::Same(Arc::clone(&function.func))),
        Form::Average => Split::Merge {
            partials: vec![
                with(sum(), args.iter().map(|arg| wide(arg, schema)).collect()),
                with(count(), args.clone()),
            ],
            merge: Merge::Average(name()),
        },
        Form::Variable(statistic) => variable(statistic),
        Form::Pair(statistic) => pair(statistic),
        Form::Count | Form::Whole => Split::Whole,
    }
}

/// Strips the numeric casts around an argument that keep every value. The owner's own analysis puts such casts back where
/// a function needs them, and the final value is cast to its type at home; left in, `sum(x)` and the sum that `avg(x)` is
/// made of would be two columns. A cast that loses something, as `CAST(x AS INT)` of a fraction, is part of the question.
fn uncast(expr: &Expr, schema: &dyn ExprSchema) -> Expr {
    match expr {
        Expr::Cast(cast) if cast.field.data_type().is_numeric() => match cast.expr.get_type(schema) {
            Ok(from) if from.is_numeric() && is_exact(&from, cast.field.data_type()) => uncast(&cast.expr, schema),
            _ => expr.clone(),
        },
        _ => expr.clone(),
    }
}

/// Digits of a decimal that can be added up 10^10 times within 38.
const NARROW_DIGITS: u8 = 28;

/// Returns an argument of `sum` in a type in which no number of rows is too large for the sum: an owner's part that does not
/// fit would be an error or NULL, though the sum of all parts may fit, and the average always does.
fn wide(arg: &Expr, schema: &dyn ExprSchema) -> Expr {
    let cast = |to: DataType| Expr::Cast(Cast::new(Box::new(arg.clone()), to));
    match arg.get_type(schema) {
        Ok(DataType::Int64 | DataType::UInt64) if !is_small(arg, schema) => {
            cast(DataType::Decimal128(DECIMAL128_MAX_PRECISION, 0))
        }
        Ok(DataType::Decimal128(digits, scale)) if digits > NARROW_DIGITS => {
            cast(DataType::Decimal256(DECIMAL256_MAX_PRECISION, scale))
        }
        _ => arg.clone(),
    }
}

/// Returns true if no value of an expression of integers has more than 32 bits, so that 2^31 of them can be added up.
fn is_small(expr: &Expr, schema: &dyn ExprSchema) -> bool {
    match expr {
        Expr::Literal(value, _) => {
            matches!(value.cast_to(&DataType::Int32), Ok(small) if !small.is_null() || value.is_null())
        }
        Expr::Cast(cast) => is_small(&cast.expr, schema),
        // Arithmetic of small values is not small.
        Expr::BinaryExpr(_) | Expr::Negative(_) => false,
        Expr::Case(case) => {
            let branches = case.when_then_expr.iter().map(|(_, then)| then).chain(&case.else_expr);
            branches.into_iter().all(|branch| is_small(branch, schema))
        }
        _ => matches!(
            expr.get_type(schema),
            Ok(DataType::Boolean
                | DataType::Int8
                | DataType::Int16
                | DataType::Int32
                | DataType::UInt8
                | DataType::UInt16)
        ),
    }
}

impl Merge {
    /// Returns the aggregates at home over the partial columns.
    pub fn aggregates(&self, partials: &[Expr]) -> Vec<Expr> {
        let float = |e: &Expr| Expr::Cast(Cast::new(Box::new(e.clone()), DataType::Float64));
        let zero = || lit(0.0_f64);
        match (self, partials) {
            (Self::Count | Self::Sum(_), [one]) => vec![plain(&sum(), vec![one.clone()])],
            (Self::Same(func), [one]) => vec![plain(func, vec![one.clone()])],
            (Self::Average(_), [total, number]) => {
                [total, number].map(|part| plain(&sum(), vec![part.clone()])).to_vec()
            }
            (Self::Variable(which), [n, mean, deviations]) => {
                let args = vec![float(n), float(mean), zero(), float(deviations), zero(), zero()];
                vec![plain(&merge_moments(*which), args)]
            }
            (Self::Pair(which), parts) => vec![plain(&merge_moments(*which), parts.iter().map(float).collect())],
            _ => vec![],
        }
    }

    /// Returns the final value over the columns of [`Self::aggregates`]. `target` is the type of the aggregate over rows;
    /// `gated` tells that the rows are not public.
    pub fn finish(&self, merged: &[Expr], schema: &dyn ExprSchema, target: &DataType, gated: bool) -> DfResult<Expr> {
        let cast = |e: Expr| Expr::Cast(Cast::new(Box::new(e), target.clone()));
        Ok(match (self, merged) {
            (Self::Average(what), [sum, count]) => {
                if let (DataType::Decimal128(precision, scale), DataType::Decimal128(..) | DataType::Decimal256(..)) =
                    (target, sum.get_type(schema)?)
                {
                    decimal_average(what, *precision, *scale, gated).call(vec![sum.clone(), count.clone()])
                } else {
                    let float = |e: &Expr| Expr::Cast(Cast::new(Box::new(e.clone()), DataType::Float64));
                    cast(float(sum) / nonzero(float(count)))
                }
            }
            (_, [one]) if one.get_type(schema)? == *target => one.clone(),
            (Self::Sum(what), [one]) => narrow(what, target, gated).call(vec![one.clone()]),
            (_, [one]) => cast(one.clone()),
            _ => return plan_err!("an aggregate's parts do not fit together"),
        })
    }
}

/// Returns NULL instead of zero, so that an average of nothing is NULL.
fn nonzero(count: Expr) -> Expr {
    datafusion::functions::expr_fn::nullif(count, Expr::Literal(ScalarValue::Float64(Some(0.0)), None))
}

fn plain(func: &Arc<AggregateUDF>, args: Vec<Expr>) -> Expr {
    Expr::AggregateFunction(AggregateFunction::new_udf(Arc::clone(func), args, false, None, vec![], None))
}
