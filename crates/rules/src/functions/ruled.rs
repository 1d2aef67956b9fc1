//! Functions that have no result for some arguments, each with its rule: what is asked of the arguments, and what to write
//! where they may be others.
//!
//! The engine says such things in words of its own, often with the value, seldom with the function, and panics at some. Here
//! the refusal names the function and the rule, whatever the value was: the same while a query is planned, over public rows,
//! and over released values, which a refusal does not quote.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock};

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::{DataFusionError, Result as DfResult};
use datafusion::execution::FunctionRegistry;
use datafusion::execution::session_state::SessionState;
use datafusion::functions::datetime::date_part;
use datafusion::functions::unicode::substr;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult};
use datafusion::logical_expr::preimage::PreimageResult;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};
use wanqu_model::refusal::{Code, Refusal};

use crate::fault::known;
use crate::words::regex_words;

/// Rule of a function about its arguments.
#[expect(clippy::struct_field_names, reason = "the rule itself has no better name")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Rule {
    /// Name of the function.
    name: &'static str,
    /// What holds for its arguments.
    rule: &'static str,
    /// What to write where they may be others.
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
        "zero has no negative power, and the result is in the range of its type",
        "CAST the first argument to DOUBLE, in which the result is infinite",
    ),
    rule(
        "factorial",
        "a factorial is that of a number from 0 to 20",
        "keep others out: CASE WHEN n BETWEEN 0 AND 20 THEN factorial(n) END",
    ),
    rule("gcd", RANGE, "keep the least BIGINT out by CASE WHEN"),
    rule("lcm", RANGE, "CAST the arguments to smaller numbers, or keep them out by CASE WHEN"),
    rule("sqrt", "a square root is that of a number from 0", "write CASE WHEN x >= 0 THEN sqrt(x) END"),
    rule("log", "a logarithm is that of a number above 0", "write CASE WHEN x > 0 THEN log(x) END"),
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

fn rule_of(name: &str) -> Option<Rule> {
    RULES.iter().find(|rule| rule.name == name).copied()
}

/// Puts the functions into a session, in place of those that are there.
pub(super) fn register(state: &mut SessionState) -> DfResult<()> {
    for rule in RULES {
        // One that this build of the engine does not have cannot be called.
        if let Ok(engine) = state.udf(rule.name) {
            state.register_udf(Arc::new(ScalarUDF::from(Ruled { engine, rule: *rule })))?;
        }
    }
    Ok(())
}

/// Function that says its rule where it fails.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Ruled {
    engine: Arc<ScalarUDF>,
    rule: Rule,
}

impl Ruled {
    fn refusal(&self, error: Option<&DataFusionError>) -> DataFusionError {
        let Rule { name, rule, remedy } = self.rule;
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

impl ScalarUDFImpl for Ruled {
    fn name(&self) -> &str {
        self.engine.name()
    }

    fn aliases(&self) -> &[String] {
        self.engine.aliases()
    }

    fn schema_name(&self, args: &[Expr]) -> DfResult<String> {
        self.engine.inner().schema_name(args)
    }

    fn signature(&self) -> &Signature {
        self.engine.signature()
    }

    fn return_type(&self, arg_types: &[DataType]) -> DfResult<DataType> {
        self.engine.inner().return_type(arg_types)
    }

    fn with_updated_config(&self, config: &ConfigOptions) -> Option<ScalarUDF> {
        let engine = Arc::new(self.engine.inner().with_updated_config(config)?);
        Some(ScalarUDF::from(Self { engine, rule: self.rule }))
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> DfResult<FieldRef> {
        self.engine.inner().return_field_from_args(args)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        if self.rule.name == "to_char" && is_without_letters(&args.args)? {
            return Err(self.refusal(None));
        }
        // Some compute with dates and lengths that they do not look at before.
        match catch_unwind(AssertUnwindSafe(|| self.engine.inner().invoke_with_args(args))) {
            Ok(Err(error)) if known(&error).is_none() => Err(self.refusal(Some(&error))),
            Ok(computed) => computed,
            Err(_) => Err(self.refusal(None)),
        }
    }

    fn simplify(&self, args: Vec<Expr>, info: &SimplifyContext) -> DfResult<ExprSimplifyResult> {
        self.engine.inner().simplify(args, info)
    }

    fn is_strict(&self) -> bool {
        self.engine.inner().is_strict()
    }

    fn preimage(&self, args: &[Expr], literal: &Expr, info: &SimplifyContext) -> DfResult<PreimageResult> {
        self.engine.inner().preimage(args, literal, info)
    }

    fn short_circuits(&self) -> bool {
        self.engine.inner().short_circuits()
    }

    fn output_ordering(&self, inputs: &[ExprProperties]) -> DfResult<SortProperties> {
        // An error of the domain, which the values will show.
        Ok(self.engine.inner().output_ordering(inputs).unwrap_or(SortProperties::Unordered))
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> DfResult<Vec<DataType>> {
        self.engine.inner().coerce_types(arg_types)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.engine.inner().documentation()
    }
}

/// Returns true if a form of `to_char` has no letter of strftime: the engine gives such a form itself, whatever the time is.
fn is_without_letters(args: &[ColumnarValue]) -> DfResult<bool> {
    let Some(form) = args.get(1) else { return Ok(false) };
    let forms = cast(&form.to_array(1)?, &DataType::Utf8)?;
    Ok(forms.as_string::<i32>().iter().flatten().any(|form| !form.is_empty() && !form.contains('%')))
}

/// Plans `substring(… FROM … FOR …)` and `extract(… FROM …)` with the functions that say their rules: the engine's planner takes its
/// own, whatever a session has.
#[derive(Debug, Default)]
pub(crate) struct RuledCalls;

impl ExprPlanner for RuledCalls {
    fn plan_substring(&self, args: Vec<Expr>) -> DfResult<PlannerResult<Vec<Expr>>> {
        static SUBSTR: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| ruled(substr()));
        Ok(call(&SUBSTR, args))
    }

    fn plan_extract(&self, args: Vec<Expr>) -> DfResult<PlannerResult<Vec<Expr>>> {
        static DATE_PART: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| ruled(date_part()));
        Ok(call(&DATE_PART, args))
    }
}

fn ruled(engine: Arc<ScalarUDF>) -> Arc<ScalarUDF> {
    match rule_of(engine.name()) {
        Some(rule) => Arc::new(ScalarUDF::from(Ruled { engine, rule })),
        None => engine,
    }
}

fn call(function: &Arc<ScalarUDF>, args: Vec<Expr>) -> PlannerResult<Vec<Expr>> {
    PlannerResult::Planned(Expr::ScalarFunction(ScalarFunction::new_udf(Arc::clone(function), args)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::planning_state;

    #[test]
    fn every_rule_is_that_of_a_function() {
        let functions = planning_state().scalar_functions();
        for rule in RULES {
            let function = functions.get(rule.name).unwrap_or_else(|| panic!("{} is no function", rule.name));
            let implementation: &dyn std::any::Any = function.inner().as_ref();
            assert!(implementation.is::<Ruled>(), "{} is another", rule.name);
        }
    }
}
