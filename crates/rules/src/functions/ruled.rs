//! Functions that have no result for some arguments, each with its rule: what is asked of the arguments, and what to write
//! where they may be others.
//!
//! The engine says such things in words of its own, often with the value, seldom with the function, and panics at some. Here
//! the refusal names the function and the rule, whatever the value was: the same while a query is planned, over public rows,
//! and over released values, which a refusal does not quote.

use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::common::{DataFusionError, Result as DfResult};
use datafusion::execution::FunctionRegistry;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF};
use wanqu_model::refusal::{Code, Refusal};

use super::changed::{Change, changed};
use super::domain::is_outside;
use crate::fault::known;
use crate::words::regex_words;

/// Rule of a function about its arguments.
#[expect(clippy::struct_field_names, reason = "the rule itself has no better name")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Rule {
    /// Name of the function.
    name: &'static str,
    /// Condition that its arguments meet where it has a result.
    rule: &'static str,
    /// Text to write where they may not meet it.
    remedy: &'static str,
}

const fn rule(name: &'static str, rule: &'static str, remedy: &'static str) -> Rule {
    Rule { name, rule, remedy }
}

const PATTERN: &str = "a pattern is a regular expression as Rust's regex crate has them (no look-around, no back-references); the \
                       flags are letters of imsRUx, and a start or an occurrence is at least 1";
const PATTERN_REMEDY: &str = "correct the pattern, or write LIKE, strpos or split_part";
const TEXT_OF_TIME: &str = "a text is a day or a time of the form that is given, ISO 8601 by default, and a number is in the \
                            range of the calendar";
const TIME_REMEDY: &str = "give the form as a second argument, such as '%d/%m/%Y', keep other texts out by CASE WHEN \
                           regexp_like(…), or use TRY_CAST(… AS DATE), which gives NULL for them";
const RANGE: &str = "a result is in the range of its type";
const RANGE_REMEDY: &str = "CAST the arguments to DOUBLE, or keep out by CASE WHEN what is too large";
const LOGARITHM: &str = "a logarithm is that of a number above 0, to a base above 0 that is not 1";
const FROM_MINUS_ONE: &str = "the argument is from -1 to 1";
const FROM_MINUS_ONE_REMEDY: &str = "keep others out by CASE WHEN x BETWEEN -1 AND 1";
const ANGLE: &str = "an angle is not infinite";
const ANGLE_REMEDY: &str = "keep infinite numbers out by CASE WHEN";
const STEP: &str = "a step is not zero, is of the kind of the bounds, and leads from the first to the second";
const STEP_REMEDY: &str = "give a step such as 1, -1 or INTERVAL '1 day'";
const ENCODING: &str = "an encoding is 'base64', 'base64pad' or 'hex', and what is decoded is in it";

/// Every function of the engine that can fail on the values of its arguments.
const RULES: &[Rule] = &[
    rule(
        "substr",
        "the length of a substring is at least 0, and its start in the range of INTEGER",
        "write greatest(length, 0) where it may be negative",
    ),
    rule(
        "split_part",
        "the place of a part is a number from 1, or from -1 for those at the end, and not 0",
        "write nullif(place, 0), which gives NULL for 0",
    ),
    rule("substr_index", "a count is in the range of INTEGER", "give a small number"),
    rule("left", "a number of characters is in the range of INTEGER", "give a small number"),
    rule("right", "a number of characters is in the range of INTEGER", "give a small number"),
    rule("lpad", "a length is in the range of INTEGER", "give a small number"),
    rule("rpad", "a length is in the range of INTEGER", "give a small number"),
    rule("repeat", "a number of times is in the range of INTEGER", "give a small number"),
    rule(
        "chr",
        "a code point is a number from 1 to 1114111, and none from 55296 to 57343",
        "keep others out: CASE WHEN n BETWEEN 1 AND 55295 THEN chr(n) END",
    ),
    rule("overlay", "a start is at least 1, and a length in the range of INTEGER", "write greatest(start, 1)"),
    rule("translate", "the arguments are texts", "CAST what is no text to VARCHAR"),
    rule("levenshtein", "the arguments are texts", "CAST what is no text to VARCHAR"),
    rule("regexp_like", PATTERN, PATTERN_REMEDY),
    rule("regexp_match", PATTERN, PATTERN_REMEDY),
    rule("regexp_count", PATTERN, PATTERN_REMEDY),
    rule("regexp_instr", PATTERN, PATTERN_REMEDY),
    rule("regexp_replace", PATTERN, PATTERN_REMEDY),
    rule("encode", ENCODING, "write encode(value, 'hex')"),
    rule("decode", ENCODING, "write decode(text, 'hex'), and keep other texts out by CASE WHEN regexp_like(…)"),
    rule("to_date", TEXT_OF_TIME, TIME_REMEDY),
    rule("to_timestamp", TEXT_OF_TIME, TIME_REMEDY),
    rule("to_timestamp_seconds", TEXT_OF_TIME, TIME_REMEDY),
    rule("to_timestamp_millis", TEXT_OF_TIME, TIME_REMEDY),
    rule("to_timestamp_micros", TEXT_OF_TIME, TIME_REMEDY),
    rule("to_timestamp_nanos", TEXT_OF_TIME, TIME_REMEDY),
    rule("to_unixtime", TEXT_OF_TIME, TIME_REMEDY),
    rule("to_time", "a text is a time of the day of the form that is given, 10:30:00 by default", TIME_REMEDY),
    rule("from_unixtime", "a number of seconds is in the range of the calendar", RANGE_REMEDY),
    rule(
        "make_date",
        "a year, a month from 1 to 12 and a day of that month make a date",
        "keep others out by CASE WHEN, or use TRY_CAST(concat_ws('-', year, month, day) AS DATE)",
    ),
    rule(
        "make_time",
        "an hour from 0 to 23, a minute and a second from 0 to 59 make a time",
        "keep others out by CASE WHEN",
    ),
    rule(
        "to_char",
        "a form has the letters of chrono's strftime, such as '%Y-%m-%d', and only those that the type has",
        "write a form such as '%Y-%m-%d': %Y for YYYY, %m for MM, %d for DD, %H:%M:%S for HH24:MI:SS",
    ),
    rule(
        "date_bin",
        "the width of a bin is an INTERVAL greater than zero, of months or of shorter units, and times are from 1677 to 2262",
        "give a width such as INTERVAL '15 minutes', or use date_trunc",
    ),
    rule(
        "date_trunc",
        "a unit is one of microsecond, millisecond, second, minute, hour, day, week, month, quarter and year, as a constant, \
         and a TIME has none above the hour",
        "write date_trunc('month', x)",
    ),
    rule(
        "date_part",
        "a part is one of year, quarter, month, week, day, hour, minute, second, millisecond, microsecond, dow, isodow, doy, \
         isoyear and epoch, as a constant, and one that the type has",
        "write extract(year FROM x)",
    ),
    rule("round", RANGE, "give fewer places, or CAST the argument to DOUBLE"),
    rule("trunc", RANGE, "give fewer places, or CAST the argument to DOUBLE"),
    rule("abs", RANGE, RANGE_REMEDY),
    rule("ceil", RANGE, RANGE_REMEDY),
    rule("floor", RANGE, RANGE_REMEDY),
    rule(
        "power",
        "zero has no negative power, a number below zero only whole ones, and the result is in the range of its type",
        "write CASE WHEN x > 0 THEN power(x, y) END, or CAST what is too large to DOUBLE, in which the result is infinite",
    ),
    rule(
        "factorial",
        "a factorial is that of a number from 0 to 20",
        "keep others out: CASE WHEN n BETWEEN 0 AND 20 THEN factorial(n) END",
    ),
    rule("gcd", RANGE, "keep the least BIGINT out by CASE WHEN"),
    rule("lcm", RANGE, "CAST the arguments to smaller numbers, or keep them out by CASE WHEN"),
    rule("sqrt", "a square root is that of a number from 0", "write CASE WHEN x >= 0 THEN sqrt(x) END"),
    rule("log", LOGARITHM, "write CASE WHEN x > 0 THEN log(x) END"),
    rule("ln", LOGARITHM, "write CASE WHEN x > 0 THEN ln(x) END"),
    rule("log2", LOGARITHM, "write CASE WHEN x > 0 THEN log2(x) END"),
    rule("log10", LOGARITHM, "write CASE WHEN x > 0 THEN log10(x) END"),
    rule("acos", FROM_MINUS_ONE, FROM_MINUS_ONE_REMEDY),
    rule("asin", FROM_MINUS_ONE, FROM_MINUS_ONE_REMEDY),
    rule("atanh", FROM_MINUS_ONE, FROM_MINUS_ONE_REMEDY),
    rule("acosh", "the argument is at least 1", "keep others out by CASE WHEN x >= 1"),
    rule("sin", ANGLE, ANGLE_REMEDY),
    rule("cos", ANGLE, ANGLE_REMEDY),
    rule("tan", ANGLE, ANGLE_REMEDY),
    rule("cot", ANGLE, ANGLE_REMEDY),
    rule("range", STEP, STEP_REMEDY),
    rule("generate_series", STEP, STEP_REMEDY),
    rule("array_element", "a place is in the range of BIGINT", "give a number from 1, or from -1 for those at the end"),
    rule("array_slice", "a step is not zero, and bounds are in the range of BIGINT", "leave the step out, or give 1"),
    rule("array_repeat", "a number of times is at least 0", "write greatest(times, 0)"),
    rule("array_resize", "a size is at least 0", "write greatest(size, 0)"),
    rule("array_replace_n", "a number is in the range of BIGINT", "give a small number"),
    rule("array_remove_n", "a number is in the range of BIGINT", "give a small number"),
    rule("array_position", "a start is a place of the list, from 1", "leave the start out"),
    rule(
        "array_sort",
        "an order is 'ASC' or 'DESC', and NULLs are 'NULLS FIRST' or 'NULLS LAST'",
        "write array_sort(list)",
    ),
    rule("array_to_string", "the elements are single values", "flatten the list first"),
    rule("string_to_array", "the arguments are texts", "CAST what is no text to VARCHAR"),
    rule("flatten", "the argument is a list of lists", "leave flatten out"),
    rule(
        "map",
        "keys are there once each, none is NULL, and there are as many as values",
        "give two lists of one length",
    ),
    rule("arrow_cast", "a value has one in the type", "use TRY_CAST, which gives NULL for such a value"),
];

/// Returns true for a function that has no result for some arguments.
pub(super) fn has_rule(name: &str) -> bool {
    RULES.iter().any(|rule| rule.name == name)
}

/// Puts the functions into a session, in place of those that are there.
pub(super) fn register(state: &mut SessionState) -> DfResult<()> {
    for rule in RULES {
        // One that this build of the engine does not have cannot be called.
        if let Ok(engine) = state.udf(rule.name) {
            state.register_udf(changed(engine, *rule))?;
        }
    }
    Ok(())
}

impl Rule {
    fn refusal(&self, error: Option<&DataFusionError>) -> DataFusionError {
        let Self { name, rule, remedy } = *self;
        let why = error.and_then(|error| regex_words(&error.to_string()));
        let why = why.map_or_else(String::new, |why| format!(": {why}"));
        let refusal =
            Refusal::new(Code::InvalidSql, format!("the function {name} has no result for its arguments{why}"))
                .with_rule(rule)
                .with_subject(name)
                .with_remedy(remedy);
        DataFusionError::External(Box::new(refusal))
    }
}

impl Change for Rule {
    fn is_as_engine(&self) -> bool {
        // log(1, power(1, x)) and power(-2, log(-2, x)) become x to the engine.
        !["log", "power"].contains(&self.name)
    }

    fn compute(&self, engine: &ScalarUDF, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        if self.name == "to_char" && is_without_letters(&args.args)? || is_outside(self.name, &args.args)? {
            return Err(self.refusal(None));
        }
        // Some compute with dates and lengths that they do not look at before.
        match catch_unwind(AssertUnwindSafe(|| engine.inner().invoke_with_args(args))) {
            Ok(Err(error)) if known(&error).is_none() => Err(self.refusal(Some(&error))),
            Ok(computed) => computed,
            Err(_) => Err(self.refusal(None)),
        }
    }
}

/// Returns true if a form of `to_char` has no letter of strftime: the engine gives such a form itself, whatever the time is.
fn is_without_letters(args: &[ColumnarValue]) -> DfResult<bool> {
    let Some(form) = args.get(1) else { return Ok(false) };
    let forms = cast(&form.to_array(1)?, &DataType::Utf8)?;
    Ok(forms.as_string::<i32>().iter().flatten().any(|form| !form.is_empty() && !form.contains('%')))
}

#[cfg(test)]
mod tests {
    use super::super::changed::Changed;
    use super::*;
    use crate::catalog::planning_state;

    #[test]
    fn every_rule_is_that_of_a_function() {
        let functions = planning_state().scalar_functions();
        for rule in RULES {
            let function = functions.get(rule.name).unwrap_or_else(|| panic!("{} is no function", rule.name));
            let implementation: &dyn std::any::Any = function.inner().as_ref();
            assert!(implementation.is::<Changed<Rule>>(), "{} is another", rule.name);
        }
    }
}
