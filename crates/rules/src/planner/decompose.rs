//! One aggregate over rows as finished aggregates at the owners and one over their releases at home.
//!
//! | over rows | at each owner | at home |
//! |---|---|---|
//! | count, `regr_count` | the same | sum |
//! | sum, min, max, `bool_and`, `bool_or`, bit_* | the same | the same |
//! | avg | sum, count | sum of sums / sum of counts |
//! | var, stddev | `regr_count`, `regr_avgy`, `regr_syy` of the variable with itself | [`merge_moments`] |
//! | covar, corr, regr_* | `regr_count`, `regr_avgx`, `regr_avgy`, `regr_sxx`, `regr_syy`, `regr_sxy` | [`merge_moments`] |
//! | `f(DISTINCT d)` | d becomes a group key | `f(DISTINCT d)` over released cells |
//! | `count(DISTINCT unit)` | the same | sum, where no unit is counted by two owners |
//!
//! What is sent is always a finished aggregate, never an aggregate's internal state.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::{ExprSchema, Result as DfResult, ScalarValue, plan_err};
use datafusion::functions_aggregate::expr_fn as agg;
use datafusion::functions_aggregate::regr;
use datafusion::logical_expr::expr::{AggregateFunction, Cast};
use datafusion::logical_expr::{AggregateUDF, Expr, ExprSchemable, lit};

use crate::merge::{Statistic, decimal_average, merge_moments};

/// What becomes of one aggregate. The closures of a plan are data here: expressions with places for columns.
pub(super) enum Split {
    /// `partials` at the owners; at home `merge` over their columns.
    Merge { partials: Vec<Expr>, merge: Merge },
    /// The distinct argument becomes a group key at the owners; at home the aggregate itself, over that key.
    Key(Expr),
    /// A distinct count of privacy units: the same at the owners, a sum at home, if no unit is counted twice.
    Units(Expr),
    /// No finished aggregates give it.
    Whole,
}

/// How the columns of the partial aggregates are put together.
#[derive(Clone)]
pub(super) enum Merge {
    /// One aggregate function over the one column.
    Same(Arc<AggregateUDF>),
    /// Sum of the first column divided by sum of the second.
    Average,
    /// Moments of one variable: count, mean, squared deviations.
    Variance(Statistic),
    /// Moments of two variables: count, means, squared deviations, co-deviation.
    Pair(Statistic),
}

/// Decides how an aggregate is split. `schema` is that of the rows; `is_unit` tells whether an argument is a privacy unit's identifier.
pub(super) fn split(function: &AggregateFunction, schema: &dyn ExprSchema, is_unit: impl Fn(&Expr) -> bool) -> Split {
    let params = &function.params;
    if !params.order_by.is_empty() || params.null_treatment.is_some() {
        return Split::Whole;
    }
    let name = function.func.name();
    if params.distinct && !matches!(name, "min" | "max" | "bool_and" | "bool_or" | "bit_and" | "bit_or") {
        return match &params.args[..] {
            [arg] if name == "count" && is_unit(arg) => Split::Units(Expr::AggregateFunction(function.clone())),
            [arg] if params.filter.is_none() => Split::Key(arg.clone()),
            _ => Split::Whole,
        };
    }
    let with = |func: Arc<AggregateUDF>, args: Vec<Expr>| {
        Expr::AggregateFunction(AggregateFunction::new_udf(func, args, false, params.filter.clone(), vec![], None))
    };
    let args: Vec<Expr> = params.args.iter().map(|arg| uncast(arg, schema)).collect();
    let same = |merge| Split::Merge { partials: vec![with(Arc::clone(&function.func), args.clone())], merge };
    let variance = |which| {
        let twice: Vec<Expr> = args.iter().chain(&args).cloned().collect();
        let parts = [regr::regr_count_udaf(), regr::regr_avgy_udaf(), regr::regr_syy_udaf()];
        Split::Merge { partials: parts.map(|f| with(f, twice.clone())).to_vec(), merge: Merge::Variance(which) }
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
    match name {
        "count" | "regr_count" | "sum" if params.args.len() <= 2 => {
            same(Merge::Same(datafusion::functions_aggregate::sum::sum_udaf()))
        }
        "min" | "max" | "bool_and" | "bool_or" | "bit_and" | "bit_or" | "bit_xor" => {
            same(Merge::Same(Arc::clone(&function.func)))
        }
        "avg" => Split::Merge {
            partials: vec![
                with(datafusion::functions_aggregate::sum::sum_udaf(), args.clone()),
                with(datafusion::functions_aggregate::count::count_udaf(), args.clone()),
            ],
            merge: Merge::Average,
        },
        "var_pop" => variance(Statistic::VarPop),
        "var" | "var_samp" => variance(Statistic::VarSamp),
        "stddev_pop" => variance(Statistic::StddevPop),
        "stddev" | "stddev_samp" => variance(Statistic::StddevSamp),
        "covar_pop" => pair(Statistic::CovarPop),
        "covar" | "covar_samp" => pair(Statistic::CovarSamp),
        "corr" => pair(Statistic::Corr),
        "regr_slope" => pair(Statistic::RegrSlope),
        "regr_intercept" => pair(Statistic::RegrIntercept),
        "regr_r2" => pair(Statistic::RegrR2),
        "regr_avgx" => pair(Statistic::RegrAvgX),
        "regr_avgy" => pair(Statistic::RegrAvgY),
        "regr_sxx" => pair(Statistic::RegrSxx),
        "regr_syy" => pair(Statistic::RegrSyy),
        "regr_sxy" => pair(Statistic::RegrSxy),
        _ => Split::Whole,
    }
}

/// An argument without the numeric cast around it. The owner's own analysis puts such casts back where a function needs
/// them, and the final value is cast to its type at home; left in, they would give two different expressions one name
/// (a cast is called what it casts), which no SELECT can hold.
fn uncast(expr: &Expr, schema: &dyn ExprSchema) -> Expr {
    match expr {
        Expr::Cast(cast) if cast.field.data_type().is_numeric() => match cast.expr.get_type(schema) {
            Ok(from) if from.is_numeric() => uncast(&cast.expr, schema),
            _ => expr.clone(),
        },
        _ => expr.clone(),
    }
}

impl Merge {
    /// The aggregates at home over the partial columns, and the expression that finishes them, given the columns that
    /// hold those aggregates. `target` is the type that the aggregate over rows has.
    pub fn aggregates(&self, partials: &[Expr]) -> Vec<Expr> {
        let float = |e: &Expr| Expr::Cast(Cast::new(Box::new(e.clone()), DataType::Float64));
        let zero = || lit(0.0_f64);
        match (self, partials) {
            (Self::Same(func), [one]) => vec![plain(func, vec![one.clone()])],
            (Self::Average, [sum, count]) => vec![agg::sum(sum.clone()), agg::sum(count.clone())],
            (Self::Variance(which), [n, mean, deviations]) => {
                let args = vec![float(n), float(mean), zero(), float(deviations), zero(), zero()];
                vec![plain(&merge_moments(*which), args)]
            }
            (Self::Pair(which), parts) => vec![plain(&merge_moments(*which), parts.iter().map(float).collect())],
            _ => vec![],
        }
    }

    /// The final value over the columns of [`Self::aggregates`].
    pub fn finish(&self, merged: &[Expr], schema: &dyn ExprSchema, target: &DataType) -> DfResult<Expr> {
        let cast = |e: Expr| Expr::Cast(Cast::new(Box::new(e), target.clone()));
        Ok(match (self, merged) {
            (Self::Average, [sum, count]) => {
                if let (DataType::Decimal128(precision, scale), DataType::Decimal128(..)) =
                    (target, sum.get_type(schema)?)
                {
                    decimal_average(*precision, *scale).call(vec![sum.clone(), count.clone()])
                } else {
                    let float = |e: &Expr| Expr::Cast(Cast::new(Box::new(e.clone()), DataType::Float64));
                    cast(float(sum) / nonzero(float(count)))
                }
            }
            (_, [one]) if one.get_type(schema)? == *target => one.clone(),
            (_, [one]) => cast(one.clone()),
            _ => return plan_err!("an aggregate's parts do not fit together"),
        })
    }
}

/// NULL instead of zero, so that an average of nothing is NULL.
fn nonzero(count: Expr) -> Expr {
    datafusion::functions::expr_fn::nullif(count, Expr::Literal(ScalarValue::Float64(Some(0.0)), None))
}

fn plain(func: &Arc<AggregateUDF>, args: Vec<Expr>) -> Expr {
    Expr::AggregateFunction(AggregateFunction::new_udf(Arc::clone(func), args, false, None, vec![], None))
}
