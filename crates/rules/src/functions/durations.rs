//! Parts of durations, which are the differences of times: `extract(hour FROM b - a)`.
//!
//! The engine gives all hours of nine days; PostgreSQL gives those beside the whole days, as of any interval. And of an
//! interval's milliseconds the engine drops the part of a second. `epoch` of an
//! interval counts a year as 360 days in the engine, and as 365.25 in PostgreSQL.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array, Int32Array, PrimitiveArray};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, DurationNanosecondType, Field, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalUnit, TimeUnit,
};
use datafusion::common::{Result, ScalarValue};
use datafusion::execution::FunctionRegistry;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF};

use super::changed::{Change, changed};

/// Nanoseconds of a day.
const DAY: i64 = 86_400_000_000_000;

/// Durations read as intervals of days and what is beside them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct BesideDays;

/// Puts the function into a session, in place of the engine's own.
pub(super) fn register(state: &mut SessionState) -> Result<()> {
    let engine = state.udf("date_part")?;
    state.register_udf(changed(engine, BesideDays))?;
    Ok(())
}

fn interval(nanoseconds: i64) -> IntervalMonthDayNano {
    // A day fits: 64 bits of nanoseconds are 106,752 days.
    let days = i32::try_from(nanoseconds / DAY).unwrap_or_default();
    IntervalMonthDayNano { months: 0, days, nanoseconds: nanoseconds % DAY }
}

fn intervals(durations: &ArrayRef) -> Result<ArrayRef> {
    let nanoseconds = cast(durations, &DataType::Duration(TimeUnit::Nanosecond))?;
    let nanoseconds = nanoseconds.as_primitive::<DurationNanosecondType>();
    let intervals: PrimitiveArray<IntervalMonthDayNanoType> = nanoseconds.unary(interval);
    Ok(Arc::new(intervals))
}

/// Nanoseconds of a minute.
const MINUTE: i64 = 60_000_000_000;

/// Returns the nanoseconds of a unit in which seconds are given with their fraction; `None` for another part.
fn fraction(part: &str) -> Option<i64> {
    match part.trim().to_lowercase().as_str() {
        "millisecond" | "milliseconds" => Some(1_000_000),
        "microsecond" | "microseconds" => Some(1_000),
        _ => None,
    }
}

/// Returns the seconds of intervals beside whole minutes, in another unit.
fn fractions(intervals: &ArrayRef, unit: i64) -> Result<ArrayRef> {
    let intervals = cast(intervals, &DataType::Interval(IntervalUnit::MonthDayNano))?;
    let intervals = intervals.as_primitive::<IntervalMonthDayNanoType>();
    let seconds: Int32Array = intervals.unary_opt(|interval| i32::try_from(interval.nanoseconds % MINUTE / unit).ok());
    Ok(Arc::new(seconds))
}

/// Returns an interval in seconds as PostgreSQL does: years of 365.25 days, further months of 30, and days of 24 hours.
#[expect(clippy::cast_precision_loss, reason = "seconds are given as a float")]
fn seconds(interval: IntervalMonthDayNano) -> f64 {
    let (years, months) = (interval.months / 12, interval.months % 12);
    let days = f64::from(years) * 365.25 + f64::from(months) * 30.0 + f64::from(interval.days);
    days * 86_400.0 + interval.nanoseconds as f64 / 1e9
}

fn epochs(intervals: &ArrayRef) -> Result<ArrayRef> {
    let intervals = cast(intervals, &DataType::Interval(IntervalUnit::MonthDayNano))?;
    let seconds: Float64Array = intervals.as_primitive::<IntervalMonthDayNanoType>().unary(seconds);
    Ok(Arc::new(seconds))
}

/// Applies a function to a column or a single value.
fn each(value: &ColumnarValue, of: impl Fn(&ArrayRef) -> Result<ArrayRef>) -> Result<ColumnarValue> {
    Ok(match value {
        ColumnarValue::Array(column) => ColumnarValue::Array(of(column)?),
        ColumnarValue::Scalar(one) => ColumnarValue::Scalar(ScalarValue::try_from_array(&of(&one.to_array()?)?, 0)?),
    })
}

impl Change for BesideDays {
    fn is_as_engine(&self) -> bool {
        true
    }

    fn compute(&self, engine: &ScalarUDF, mut args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [ColumnarValue::Scalar(part), value] = &mut args.args[..] else {
            return engine.inner().invoke_with_args(args);
        };
        let Some(part) = part.try_as_str().flatten() else { return engine.inner().invoke_with_args(args) };
        let is_duration = matches!(value.data_type(), DataType::Duration(_));
        let is_epoch = part.trim().eq_ignore_ascii_case("epoch");
        if is_epoch && matches!(value.data_type(), DataType::Interval(_)) {
            return each(value, epochs);
        }
        if is_duration && !is_epoch {
            *value = each(value, intervals)?;
        }
        if let (Some(unit), DataType::Interval(_)) = (fraction(part), value.data_type()) {
            return each(value, |intervals| fractions(intervals, unit));
        }
        if is_duration
            && matches!(value.data_type(), DataType::Interval(_))
            && let Some(field) = args.arg_fields.get_mut(1)
        {
            let to = DataType::Interval(IntervalUnit::MonthDayNano);
            *field = Arc::new(Field::new(field.name(), to, field.is_nullable()));
        }
        engine.inner().invoke_with_args(args)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admission::testing::{bundle, shenzhen};
    use crate::catalog::Catalog;

    #[test]
    fn hours_are_those_beside_whole_days() {
        let bundle = bundle();
        let catalog = Catalog::owner(&bundle, &shenzhen());
        for (part, expected) in [
            ("day", "9"),
            ("hour", "5"),
            ("minute", "6"),
            ("second", "7"),
            ("millisecond", "7000"),
            ("epoch", "795967"),
        ] {
            let sql = format!(
                "SELECT extract({part} FROM TIMESTAMP '2020-01-10 05:06:07' - TIMESTAMP '2020-01-01 00:00:00') AS x"
            );
            let plan = catalog.plan(&sql, 1 << 20).unwrap().display_indent().to_string();
            assert!(plan.contains(&format!("({expected}) AS x")), "{part}: {plan}");
        }
        let sql = "SELECT extract(millisecond FROM INTERVAL '1 minute 7.5 seconds') AS x";
        let plan = catalog.plan(sql, 1 << 20).unwrap().display_indent().to_string();
        assert!(plan.contains("(7500) AS x"), "{plan}");
        for (interval, expected) in
            [("1 year", "31557600"), ("-14 months 1 day", "-36655200"), ("1 day 0.5 seconds", "86400.5")]
        {
            let sql = format!("SELECT extract(epoch FROM INTERVAL '{interval}') AS x");
            let plan = catalog.plan(&sql, 1 << 20).unwrap().display_indent().to_string();
            assert!(plan.contains(&format!("({expected}) AS x")), "{interval}: {plan}");
        }
        assert_eq!(interval(-DAY - 1), IntervalMonthDayNano { months: 0, days: -1, nanoseconds: -1 });
    }
}
