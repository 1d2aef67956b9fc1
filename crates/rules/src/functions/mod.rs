//! The engine's functions as this project corrects them.
//!
//! DataFusion 55 lets sums and arithmetic of integers and decimals wrap around, forgets what came before a NaN in a grouped
//! `min` or `max`, and takes values out of a sliding window by subtraction, which leaves NaN or the rounding of what is gone.
//! The functions here have the same names, arguments and types, so that plans and texts do not change.
//!
//! | file | corrects | upstream |
//! |---|---|---|
//! | `replaced` | puts the accumulators of this folder into the engine's aggregates; counts may be NULL, since owners withhold some | |
//! | `sums`, `distinct`, `total` | `sum` of integers and decimals | apache/datafusion#17539 |
//! | `average` | `avg` of integers: their sum is exact, where the engine adds up floats | |
//! | `distinct_moments` | variance and correlation of DISTINCT values: none, or DISTINCT is passed over | |
//! | `determination` | `regr_r2` where y does not vary: NULL instead of 1 | |
//! | `extreme` | `min` and `max` of floats: NaN is the greatest, as in PostgreSQL | |
//! | `sliding` | floats over sliding windows: `sum`, `avg`, variance, covariance, regression | apache/datafusion#22139 |
//! | `cast`, `texts` | casts that may lose something: cut off, and compared as if they lost nothing; texts that are not read | |
//! | `checked`, `operation`, `constants` | `+ - * / %` and unary minus | apache/datafusion#12140 |
//! | `shifts` | `<<` and `>>`: a number of bits beyond the width, and bits that leave it | |
//! | `branches`, `guards` | CASE of truths becomes AND and OR, which are computed for all rows | |
//! | `intervals` | intervals compared part by part: 24 hours are less than a day | |
//! | `quotient` | averages and divisions of decimals: cut off | |
//! | `one_form` | floats, computed or stored: NaN with a sign, negative zero | |
//! | `positions` | arguments of `ntile`, `nth_value`, `lag` and percentiles without a meaning | |
//! | `whole` | `ceil` and `floor` of decimals at the edge of their digits | |
//! | `date_trunc` | times before 1677 and after 2262; constants before 1970 | |
//! | `coarser_times` | `to_unixtime` and others before 1970: cut off towards it | |
//! | `date_bin` | such times: an error instead of NULL | |
//! | `durations` | parts of durations: `hour` of nine days is 216 | |
//! | `pattern` | `$` in a replacement names a group | |
//! | `ruled`, `domain` | functions that have no result for some arguments say which, in words | |
//! | `grown`, `made` | results of any size: `repeat`, `lpad`, `range` and others have a bound, each and together | |
//!
//! A result that does not fit into its type is a refusal in words over public data. Behind the gate nothing fails on a value: there
//! it is NULL ([`lenient`], [`harmless`](crate::harmless)).

mod average;
mod branches;
mod cast;
mod changed;
mod checked;
mod coarser_times;
mod constants;
mod date_bin;
mod date_trunc;
mod determination;
mod distinct;
mod distinct_moments;
mod domain;
mod durations;
mod extreme;
mod fallible;
mod grown;
mod guards;
mod intervals;
mod made;
pub(crate) mod one_form;
mod operation;
mod pattern;
mod positions;
mod quotient;
mod replaced;
mod ruled;
mod shifts;
mod sliding;
mod sums;
mod texts;
mod total;
mod whole;

use std::any::Any;
use std::sync::{Arc, LazyLock};

use datafusion::common::Result as DfResult;
use datafusion::execution::FunctionRegistry;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::AggregateUDF;

pub(crate) use checked::checked_expr;
pub use checked::{as_written, checked};
pub(crate) use constants::{kept_right, kept_right_expr};
pub use fallible::casts_of_texts;
pub(crate) use intervals::check_intervals;
pub use one_form::one_form_of;
pub(crate) use positions::check_positions;
use replaced::{Replaced, replacements};

use crate::range::{Overflow, out_of_range};

/// Puts the corrected functions into a session, in place of the engine's own.
pub(crate) fn register(state: &mut SessionState) -> DfResult<()> {
    for aggregate in replacements() {
        state.register_udaf(Arc::new(AggregateUDF::from(aggregate)))?;
    }
    let coarser = coarser_times::all(|name| state.scalar_functions().get(name).cloned());
    let changed = [date_bin::date_bin(), date_trunc::date_trunc()].into_iter().chain(coarser).chain(whole::both());
    for function in changed {
        state.register_udf(function)?;
    }
    durations::register(state)?;
    pattern::register(state)?;
    grown::register(state)?;
    ruled::register(state)
}

/// Returns the aggregate `sum`, for plans that are put together by hand.
pub(crate) fn sum() -> Arc<AggregateUDF> {
    static SUM: LazyLock<Arc<AggregateUDF>> =
        LazyLock::new(|| Arc::new(AggregateUDF::from(Replaced::sum(Overflow::Fails))));
    Arc::clone(&SUM)
}

/// Returns the aggregate `count`, for plans that are put together by hand.
pub(crate) fn count() -> Arc<AggregateUDF> {
    static COUNT: LazyLock<Arc<AggregateUDF>> = LazyLock::new(|| Arc::new(AggregateUDF::from(Replaced::count())));
    Arc::clone(&COUNT)
}

/// Returns the same aggregate function, which gives NULL where a result does not fit into its type; `None` if it never
/// fails.
pub(crate) fn lenient(function: &AggregateUDF) -> Option<Arc<AggregateUDF>> {
    let implementation: &dyn Any = function.inner().as_ref();
    let replaced = implementation.downcast_ref::<Replaced>()?;
    replaced.lenient().map(|lenient| Arc::new(AggregateUDF::from(lenient)))
}
