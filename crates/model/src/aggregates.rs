//! Table of the engine's aggregate functions: for each name, how an owner admits it, how the planner splits it over
//! owners, and how the gate rounds it.
//!
//! The table is read by the owner's rules, by the planner, by the gate and by the check of mappings (which are evaluated
//! row by row, so that no aggregate may stand in one). It names every aggregate function that the engine has, and no
//! other; a test of the rules compares the two.

/// Aggregate function of the engine, with all that is decided by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Aggregate {
    /// Name in the engine's plans.
    pub name: &'static str,
    /// Further names in SQL.
    pub aliases: &'static [&'static str],
    /// Rule of owners over non-public data.
    pub admission: Admission,
    /// Form in which it is asked of several owners.
    pub split: Split,
}

/// Rule of owners for an aggregate function over non-public data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Admitted, if its arguments keep the rules for this kind of arguments.
    Admitted {
        /// Kind of its arguments.
        arguments: Arguments,
        /// Treatment of its values where a policy rounds counts.
        rounding: Rounding,
    },
    /// Refused: it returns somebody's value, or cannot be gated.
    Refused {
        /// Query to ask instead.
        remedy: &'static str,
    },
}

/// Kind of the arguments of an admitted aggregate function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arguments {
    /// Rows, or values that are not NULL. DISTINCT counts identifiers.
    Count,
    /// One measure, an affine form of measures or a product of two, added up.
    Sum,
    /// The same, averaged.
    Average,
    /// One measure, of which squares are added up.
    Moment,
    /// Two measures.
    Pair,
    /// A condition.
    Boolean,
}

/// Treatment of an aggregate's values where counts are rounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rounding {
    /// Released as it is: it does not depend on the number of values.
    Keep,
    /// Rounded to a multiple of the base.
    Count,
    /// Scaled by the rounded number of its values over their true number.
    Sum,
    /// Variance or covariance of a sample, which divides by one less than the number of values: computed for the rounded
    /// number.
    Sample {
        /// True for a standard deviation: the square root of one.
        root: bool,
    },
}

/// Form in which an aggregate function is asked of several owners, and how their releases are merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Split {
    /// The same at each owner, and their sum at home; 0 where there is no row.
    Count,
    /// The same at each owner, and their sum at home; NULL where there is no row.
    Sum,
    /// The same at each owner and at home.
    Same {
        /// True if DISTINCT changes the result: a value counts as often as it occurs.
        repeats_count: bool,
    },
    /// Sum and count at each owner, and their quotient at home.
    Average,
    /// Count, mean and squared deviations of one variable at each owner, and a statistic of the merged ones at home.
    Variable(Statistic),
    /// Count, means, squared deviations and co-deviation of two variables at each owner, and a statistic of the merged
    /// ones at home.
    Pair(Statistic),
    /// Not split: no finished aggregates of parts give it.
    Whole,
}

/// Statistic of one variable y, or of two, made of their merged moments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Statistic {
    /// Population variance of y.
    VarPop,
    /// Sample variance of y.
    VarSamp,
    /// Population standard deviation of y.
    StddevPop,
    /// Sample standard deviation of y.
    StddevSamp,
    /// Population covariance.
    CovarPop,
    /// Sample covariance.
    CovarSamp,
    /// Pearson's correlation coefficient.
    Corr,
    /// Slope of the least-squares line of y on x.
    RegrSlope,
    /// Intercept of that line.
    RegrIntercept,
    /// Coefficient of determination.
    RegrR2,
    /// Mean of x.
    RegrAvgX,
    /// Mean of y.
    RegrAvgY,
    /// Sum of squared deviations of x.
    RegrSxx,
    /// Sum of squared deviations of y.
    RegrSyy,
    /// Sum of products of deviations.
    RegrSxy,
}

/// Returns the row of an aggregate function, by its name or an alias of it in lower case; `None` for another name.
#[must_use]
pub fn aggregate(name: &str) -> Option<&'static Aggregate> {
    AGGREGATES.iter().find(|row| row.name == name || row.aliases.contains(&name))
}

/// Every aggregate function of the engine.
pub const AGGREGATES: &[Aggregate] = &[
    admitted("count", &[], Arguments::Count, Rounding::Count, Split::Count),
    admitted("sum", &[], Arguments::Sum, Rounding::Sum, Split::Sum),
    admitted("avg", &["mean"], Arguments::Average, Rounding::Keep, Split::Average),
    variable("var_pop", &["var_population"], Rounding::Keep, Statistic::VarPop),
    variable("var", &["var_samp", "var_sample"], Rounding::Sample { root: false }, Statistic::VarSamp),
    variable("stddev_pop", &[], Rounding::Keep, Statistic::StddevPop),
    variable("stddev", &["stddev_samp"], Rounding::Sample { root: true }, Statistic::StddevSamp),
    pair("covar_pop", &[], Rounding::Keep, Statistic::CovarPop),
    pair("covar_samp", &["covar"], Rounding::Sample { root: false }, Statistic::CovarSamp),
    pair("corr", &[], Rounding::Keep, Statistic::Corr),
    admitted("regr_count", &[], Arguments::Pair, Rounding::Count, Split::Count),
    pair("regr_slope", &[], Rounding::Keep, Statistic::RegrSlope),
    pair("regr_intercept", &[], Rounding::Keep, Statistic::RegrIntercept),
    pair("regr_r2", &[], Rounding::Keep, Statistic::RegrR2),
    pair("regr_avgx", &[], Rounding::Keep, Statistic::RegrAvgX),
    pair("regr_avgy", &[], Rounding::Keep, Statistic::RegrAvgY),
    pair("regr_sxx", &[], Rounding::Sum, Statistic::RegrSxx),
    pair("regr_syy", &[], Rounding::Sum, Statistic::RegrSyy),
    pair("regr_sxy", &[], Rounding::Sum, Statistic::RegrSxy),
    admitted("bool_and", &[], Arguments::Boolean, Rounding::Keep, Split::Same { repeats_count: false }),
    admitted("bool_or", &[], Arguments::Boolean, Rounding::Keep, Split::Same { repeats_count: false }),
    refused("min", &[], ONE_VALUE, Split::Same { repeats_count: false }),
    refused("max", &[], ONE_VALUE, Split::Same { repeats_count: false }),
    refused("bit_and", &[], BITS, Split::Same { repeats_count: false }),
    refused("bit_or", &[], BITS, Split::Same { repeats_count: false }),
    refused("bit_xor", &[], BITS, Split::Same { repeats_count: true }),
    refused("any_value", &[], ONE_VALUE, Split::Whole),
    refused("first_value", &[], ONE_VALUE, Split::Whole),
    refused("last_value", &[], ONE_VALUE, Split::Whole),
    refused("nth_value", &[], ONE_VALUE, Split::Whole),
    refused("median", &[], QUANTILE, Split::Whole),
    refused("percentile_cont", &["quantile_cont"], QUANTILE, Split::Whole),
    refused("approx_median", &[], QUANTILE, Split::Whole),
    refused("approx_percentile_cont", &[], QUANTILE, Split::Whole),
    refused("approx_percentile_cont_with_weight", &[], QUANTILE, Split::Whole),
    refused("approx_distinct", &[], DISTINCT, Split::Whole),
    refused("array_agg", &[], LIST, Split::Whole),
    refused("string_agg", &[], LIST, Split::Whole),
    refused("grouping", &[], TOTALS, Split::Whole),
];

const ONE_VALUE: &str = "use avg and stddev, or count bands: count(*) FILTER (WHERE column >= 100)";
const QUANTILE: &str = "count bands: count(*) FILTER (WHERE column < 100), or use avg and stddev";
const LIST: &str = "group by the column, if it is a dimension, and count";
const DISTINCT: &str = "use count(DISTINCT ...) of the privacy unit, or group by the column and count the groups";
const BITS: &str = "use bool_or, bool_and or count(*) FILTER (WHERE ...)";
const TOTALS: &str = "use it with ROLLUP, CUBE or GROUPING SETS";

const fn admitted(
    name: &'static str,
    aliases: &'static [&'static str],
    arguments: Arguments,
    rounding: Rounding,
    split: Split,
) -> Aggregate {
    Aggregate { name, aliases, admission: Admission::Admitted { arguments, rounding }, split }
}

const fn variable(
    name: &'static str,
    aliases: &'static [&'static str],
    rounding: Rounding,
    statistic: Statistic,
) -> Aggregate {
    admitted(name, aliases, Arguments::Moment, rounding, Split::Variable(statistic))
}

const fn pair(
    name: &'static str,
    aliases: &'static [&'static str],
    rounding: Rounding,
    statistic: Statistic,
) -> Aggregate {
    admitted(name, aliases, Arguments::Pair, rounding, Split::Pair(statistic))
}

const fn refused(
    name: &'static str,
    aliases: &'static [&'static str],
    remedy: &'static str,
    split: Split,
) -> Aggregate {
    Aggregate { name, aliases, admission: Admission::Refused { remedy }, split }
}

/// The engine's window functions that are no aggregates.
pub const WINDOW_FUNCTIONS: &[&str] =
    &["cume_dist", "dense_rank", "lag", "lead", "ntile", "percent_rank", "rank", "row_number"];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_aggregates_share_a_name() {
        let names: Vec<&str> =
            AGGREGATES.iter().flat_map(|row| [row.name].into_iter().chain(row.aliases.iter().copied())).collect();
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
        assert!(WINDOW_FUNCTIONS.iter().all(|name| aggregate(name).is_none()));
    }

    #[test]
    fn a_function_is_found_by_each_of_its_names() {
        assert_eq!(aggregate("mean"), aggregate("avg"));
        assert_eq!(aggregate("covar").map(|row| row.name), Some("covar_samp"));
        assert_eq!(aggregate("mode"), None);
    }
}
