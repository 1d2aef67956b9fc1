//! `date_trunc` in the unit of its argument, and down, also before 1970.
//!
//! The engine multiplies to nanoseconds first for weeks and more, and for every constant; the year 9999 is not in these. And
//! it cuts constants towards 1970, where a column is truncated down.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, PrimitiveArray};
use arrow::datatypes::{
    ArrowTimestampType, DataType, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType,
};
use datafusion::common::{Result, ScalarValue};
use datafusion::functions::datetime;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF};

use super::changed::{Change, changed};

/// Correction for times without a time zone.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct TruncatedDown;

/// Returns the function.
pub(super) fn date_trunc() -> Arc<ScalarUDF> {
    changed(datetime::date_trunc(), TruncatedDown)
}

/// Unit to which a time is truncated.
#[derive(Debug, Clone, Copy)]
enum Unit {
    /// This many nanoseconds, counted from the epoch: up to days.
    Fixed(i64),
    Week,
    /// This many months; a year has a multiple of them.
    Months(i64),
}

fn unit_of(unit: &ScalarValue) -> Option<Unit> {
    let (ScalarValue::Utf8(Some(unit)) | ScalarValue::Utf8View(Some(unit)) | ScalarValue::LargeUtf8(Some(unit))) = unit
    else {
        return None;
    };
    match unit.to_lowercase().as_str() {
        "microsecond" => Some(Unit::Fixed(1_000)),
        "millisecond" => Some(Unit::Fixed(1_000_000)),
        "second" => Some(Unit::Fixed(SECOND)),
        "minute" => Some(Unit::Fixed(60 * SECOND)),
        "hour" => Some(Unit::Fixed(3_600 * SECOND)),
        "day" => Some(Unit::Fixed(DAY)),
        "week" => Some(Unit::Week),
        "month" => Some(Unit::Months(1)),
        "quarter" => Some(Unit::Months(3)),
        "year" => Some(Unit::Months(12)),
        _ => None,
    }
}

impl Unit {
    /// Returns the beginning of the unit that a time is in, both in ticks of this many nanoseconds since 1970; `None` if 64
    /// bits do not hold it.
    fn begin(self, time: i64, tick: i64) -> Option<i64> {
        let day = DAY / tick;
        match self {
            // A time is the beginning of the tick that it is in.
            Self::Fixed(nanos) if nanos <= tick => Some(time),
            Self::Fixed(nanos) => time.checked_sub(time.rem_euclid(nanos / tick)),
            Self::Week => first_day_of_week(time.div_euclid(day)).checked_mul(day),
            Self::Months(months) => {
                let (year, month) = year_and_month(time.div_euclid(day));
                first_day(year, month - month.rem_euclid(months)).checked_mul(day)
            }
        }
    }
}

/// Nanoseconds of a second.
const SECOND: i64 = 1_000_000_000;
/// Nanoseconds of a day.
const DAY: i64 = 86_400 * SECOND;
/// Days of 400 years.
const ERA: i64 = 146_097;
/// Days from 0000-03-01 to 1970-01-01.
const EPOCH: i64 = 719_468;

/// Returns the Monday of the week that a day is in. Days are counted from 1970-01-01, a Thursday.
fn first_day_of_week(day: i64) -> i64 {
    day - (day + 3).rem_euclid(7)
}

/// Returns the year of a day and its month, from 0. Source: H. Hinnant, "chrono-Compatible Low-Level Date Algorithms".
fn year_and_month(day: i64) -> (i64, i64) {
    let (era, of_era) = ((day + EPOCH).div_euclid(ERA), (day + EPOCH).rem_euclid(ERA));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    // Months from March.
    let month = (5 * of_year + 2) / 153;
    let next = month >= 10;
    (year + era * 400 + i64::from(next), if next { month - 10 } else { month + 2 })
}

/// Returns the first day of a month, which is counted from 0.
fn first_day(year: i64, month: i64) -> i64 {
    let (year, month) = if month < 2 { (year - 1, month + 10) } else { (year, month - 2) };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    era * ERA + of_era * 365 + of_era / 4 - of_era / 100 + (153 * month + 2) / 5 - EPOCH
}

fn truncated<T: ArrowTimestampType>(times: &ArrayRef, unit: Unit) -> ArrayRef {
    let tick = match T::UNIT {
        TimeUnit::Second => SECOND,
        TimeUnit::Millisecond => 1_000_000,
        TimeUnit::Microsecond => 1_000,
        TimeUnit::Nanosecond => 1,
    };
    // Times so near the least that the unit begins before it have no beginning.
    let begins: PrimitiveArray<T> = times.as_primitive::<T>().unary_opt(|time| unit.begin(time, tick));
    Arc::new(begins)
}

/// Returns points in time with nothing but zeros in the places of NULLs.
fn without_hidden(times: &ArrayRef) -> ArrayRef {
    fn zeroed<T: ArrowTimestampType>(times: &ArrayRef) -> ArrayRef {
        let values: PrimitiveArray<T> = times.as_primitive::<T>().iter().collect();
        Arc::new(values.with_data_type(times.data_type().clone()))
    }
    match times.data_type() {
        _ if times.null_count() == 0 => Arc::clone(times),
        DataType::Timestamp(TimeUnit::Second, _) => zeroed::<TimestampSecondType>(times),
        DataType::Timestamp(TimeUnit::Millisecond, _) => zeroed::<TimestampMillisecondType>(times),
        DataType::Timestamp(TimeUnit::Microsecond, _) => zeroed::<TimestampMicrosecondType>(times),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => zeroed::<TimestampNanosecondType>(times),
        _ => Arc::clone(times),
    }
}

impl Change for TruncatedDown {
    fn compute(&self, engine: &ScalarUDF, mut args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        // The engine computes on what lies in the places of NULLs too, which can overflow.
        if let [_, ColumnarValue::Array(times)] = &mut args.args[..] {
            *times = without_hidden(times);
        }
        let [ColumnarValue::Scalar(unit), times] = &args.args[..] else { return engine.invoke_with_args(args) };
        let (Some(unit), DataType::Timestamp(of, None)) = (unit_of(unit), times.data_type()) else {
            return engine.invoke_with_args(args);
        };
        let column = times.to_array(1)?;
        let begins = match of {
            TimeUnit::Microsecond => truncated::<TimestampMicrosecondType>(&column, unit),
            TimeUnit::Millisecond => truncated::<TimestampMillisecondType>(&column, unit),
            TimeUnit::Second => truncated::<TimestampSecondType>(&column, unit),
            TimeUnit::Nanosecond => truncated::<TimestampNanosecondType>(&column, unit),
        };
        Ok(match times {
            ColumnarValue::Array(_) => ColumnarValue::Array(begins),
            ColumnarValue::Scalar(_) => ColumnarValue::Scalar(ScalarValue::try_from_array(&begins, 0)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan;
    use jiff::civil::{Date, date};

    use super::*;

    #[test]
    fn what_lies_in_the_place_of_a_null_is_gone() {
        let nulls = arrow::buffer::NullBuffer::from(vec![true, false]);
        let times = PrimitiveArray::<TimestampMicrosecondType>::new(vec![7, i64::MIN].into(), Some(nulls));
        let times: ArrayRef = Arc::new(times.with_timezone("UTC"));
        let found = without_hidden(&times);
        assert_eq!((&found, found.data_type()), (&times, times.data_type()));
        assert_eq!(found.as_primitive::<TimestampMicrosecondType>().values(), &[7, 0]);
    }

    #[test]
    fn units_begin_where_the_calendar_says() {
        let epoch = date(1970, 1, 1);
        let number = |day: Date| i64::from((day - epoch).get_days());
        let mut day = date(-9000, 1, 1);
        while day.year() < 9990 {
            let month = day.month();
            for (unit, expected) in [
                (Unit::Fixed(DAY), day),
                (Unit::Week, day - i64::from(day.weekday().to_monday_zero_offset()).days()),
                (Unit::Months(1), day.first_of_month()),
                (Unit::Months(3), date(day.year(), month - (month - 1) % 3, 1)),
                (Unit::Months(12), day.first_of_year()),
            ] {
                let noon = number(day) * 86_400 + 43_200;
                assert_eq!(unit.begin(noon, SECOND), Some(number(expected) * 86_400), "{day} {unit:?}");
            }
            day += 97.days();
        }
    }

    #[test]
    fn times_before_1970_are_truncated_down_in_every_unit() {
        for (unit, expected) in [
            ("microsecond", -3_601_000_001),
            ("millisecond", -3_601_001_000),
            ("second", -3_602_000_000),
            ("minute", -3_660_000_000),
            ("hour", -7_200_000_000),
            ("day", -86_400_000_000),
        ] {
            let unit = unit_of(&ScalarValue::from(unit)).unwrap();
            assert_eq!(unit.begin(-3_601_000_001, 1_000), Some(expected), "{unit:?}");
            assert_eq!(unit.begin(i64::MIN, 1_000).is_none(), !matches!(unit, Unit::Fixed(1_000)), "{unit:?}");
        }
    }
}
