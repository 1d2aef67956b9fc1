//! One aggregate over rows as finished aggregates at the owners and one over their releases at home.
//!
//! | over rows | at each owner | at home |
//! |---|---|---|
//! | count, regr_count | the same | sum |
//! | sum, min, max, bool_and, bool_or, bit_* | the same | the same |
//! | avg | sum, count | sum of sums / sum of counts |
//! | var, stddev | count, avg, var_pop | [`merge_moments`] |
//! | covar, corr, regr_* | regr_count, regr_avgx, regr_avgy, regr_sxx, regr_syy, regr_sxy | [`merge_moments`] |
//! | f(DISTINCT d) | d becomes a group key | f(DISTINCT d) over released cells |
//! | count(DISTINCT unit) | the same | sum, where no unit is counted by two owners |
//!
//! What is sent is always a finished aggregate, never an aggregate's internal state.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::{Result as DfResult, ScalarValue, plan_err};
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
    /// Moments of one variable: count, mean, population variance.
    Variance(Statistic),
    /// Moments of two variables: count, means, squared deviations, co-deviation.
    Pair(Statistic),
}

/// Decides how an aggregate is split. `is_unit` tells whether an argument is a privacy unit's identifier.
pub(super) fn split(function: &AggregateFunction, is_unit: impl Fn(&Expr) -> bool) -> Split {
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
    let same = |merge| Split::Merge { partials: vec![with(Arc::clone(&function.func), params.args.clone())], merge };
    let variance = |which| {
        let float = params.args.iter().map(to_float).collect::<Vec<_>>();
        let partials = vec![
            with(datafusion::functions_aggregate::count::count_udaf(), float.clone()),
            with(datafusion::functions_aggregate::average::avg_udaf(), float.clone()),
            with(datafusion::functions_aggregate::variance::var_pop_udaf(), float),
        ];
        Split::Merge { partials, merge: Merge::Variance(which) }
    };
    let pair = |which| {
        let float = params.args.iter().map(to_float).collect::<Vec<_>>();
        let parts = [
            regr::regr_count_udaf(),
            regr::regr_avgy_udaf(),
            regr::regr_avgx_udaf(),
            regr::regr_syy_udaf(),
            regr::regr_sxx_udaf(),
            regr::regr_sxy_udaf(),
        ];
        Split::Merge { partials: parts.map(|f| with(f, float.clone())).to_vec(), merge: Merge::Pair(which) }
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
                with(datafusion::functions_aggregate::sum::sum_udaf(), params.args.clone()),
                with(datafusion::functions_aggregate::count::count_udaf(), params.args.clone()),
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

fn to_float(expr: &Expr) -> Expr {
    match expr {
        Expr::Cast(cast) if cast.field.data_type() == &DataType::Float64 => expr.clone(),
        _ => Expr::Cast(Cast::new(Box::new(expr.clone()), DataType::Float64)),
    }
}

impl Merge {
    /// The aggregates at home over the partial columns, and the expression that finishes them, given the columns that
    /// hold those aggregates. `target` is the type that the aggregate over rows has.
    pub fn aggregates(&self, partials: &[Expr]) -> Vec<Expr> {
        let float = |e: &Expr| Expr::Cast(Cast::new(Box::new(e.clone()), DataType::Float64));
        let zero = || lit(0.0_f64);
        let times = |n: &Expr, v: &Expr| float(n) * float(v);
        match (self, partials) {
            (Self::Same(func), [one]) => vec![plain(func, vec![one.clone()])],
            (Self::Average, [sum, count]) => vec![agg::sum(sum.clone()), agg::sum(count.clone())],
            (Self::Variance(which), [n, mean, variance]) => {
                let args = vec![float(n), float(mean), zero(), times(n, variance), zero(), zero()];
                vec![plain(&merge_moments(*which), args)]
            }
            (Self::Pair(which), parts) => vec![plain(&merge_moments(*which), parts.iter().map(float).collect())],
            _ => vec![],
        }
    }

    /// The final value over the columns of [`Self::aggregates`].
    pub fn finish(
        &self,
        merged: &[Expr],
        schema: &dyn datafusion::common::ExprSchema,
        target: &DataType,
    ) -> DfResult<Expr> {
        let cast = |e: Expr| Expr::Cast(Cast::new(Box::new(e), target.clone()));
        Ok(match (self, merged) {
            (Self::Average, [sum, count]) => match (target, sum.get_type(schema)?) {
                (DataType::Decimal128(precision, scale), DataType::Decimal128(..)) => {
                    decimal_average(*precision, *scale).call(vec![sum.clone(), count.clone()])
                }
                _ => {
                    let float = |e: &Expr| Expr::Cast(Cast::new(Box::new(e.clone()), DataType::Float64));
                    cast(float(sum) / nonzero(float(count)))
                }
            },
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
