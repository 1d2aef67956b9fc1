//! Texts of times and decimals that PostgreSQL reads and the engine's casts do not: `2024-3-1 9:05`, `1e3`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::DataType;
use datafusion::common::Result as DfResult;

/// Greatest exponent of ten, up or down, that is written out. No decimal holds more.
const MOST_EXPONENT: u32 = 100;

/// Returns true if texts are read as this type here, and not by the engine alone.
pub(super) fn is_read(to: &DataType) -> bool {
    matches!(to, DataType::Timestamp(..)) || to.is_decimal()
}

/// Casts texts to times or decimals. One that is neither is NULL with `or_null`.
///
/// # Errors
/// The engine's, for a text that is neither.
pub(super) fn read(texts: &ArrayRef, to: &DataType, or_null: bool) -> DfResult<ArrayRef> {
    let by_engine = cast_with_options(texts, to, &CastOptions { safe: true, ..CastOptions::default() })?;
    if by_engine.null_count() == texts.null_count() {
        return Ok(by_engine);
    }
    let whole = if to.is_decimal() { plain_number } else { whole_time };
    let texts = cast_with_options(texts, &DataType::Utf8, &CastOptions::default())?;
    let readable = texts.as_string::<i32>().iter().enumerate().map(|(row, text)| {
        let text = text?;
        let changed = if by_engine.is_valid(row) { None } else { whole(text) };
        Some(changed.unwrap_or_else(|| text.to_owned()))
    });
    let readable: ArrayRef = Arc::new(readable.collect::<StringArray>());
    Ok(cast_with_options(&readable, to, &CastOptions { safe: or_null, ..CastOptions::default() })?)
}

/// Returns a time with two digits for each part and with seconds; `None` for another text.
fn whole_time(text: &str) -> Option<String> {
    let (date, time) = text.trim().split_once(['T', ' ']).unwrap_or((text.trim(), "00:00"));
    let mut parts = date.split('-');
    let (year, month, day) = (digits(parts.next()?, 4, 4)?, digits(parts.next()?, 1, 2)?, digits(parts.next()?, 1, 2)?);
    let mut clock = time.trim().split(':');
    let (hour, minute) = (digits(clock.next()?, 1, 2)?, digits(clock.next()?, 2, 2)?);
    let second = clock.next().unwrap_or("00");
    let (whole, fraction) = second.split_once('.').unwrap_or((second, "0"));
    let second_is_one = digits(whole, 2, 2).is_some() && digits(fraction, 1, 9).is_some();
    if parts.next().is_some() || clock.next().is_some() || !second_is_one {
        return None;
    }
    Some(format!("{year}-{month:0>2}-{day:0>2}T{hour:0>2}:{minute}:{second}"))
}

fn digits(text: &str, least: usize, most: usize) -> Option<&str> {
    let fits = (least..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    fits.then_some(text)
}

/// Returns a number with an exponent as one without; `None` for another text.
fn plain_number(text: &str) -> Option<String> {
    let (mantissa, exponent) = text.trim().split_once(['e', 'E'])?;
    let exponent: i32 = exponent.parse().ok()?;
    if exponent.unsigned_abs() > MOST_EXPONENT {
        return None;
    }
    let (sign, number) = match mantissa.strip_prefix('-') {
        Some(number) => ("-", number),
        None => ("", mantissa.strip_prefix('+').unwrap_or(mantissa)),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let all = format!("{whole}{fraction}");
    digits(&all, 1, usize::MAX)?;
    let point = i64::try_from(whole.len()).ok()? + i64::from(exponent);
    let Ok(places) = usize::try_from(point) else {
        let zeros = usize::try_from(point.unsigned_abs()).ok()?;
        return Some(format!("{sign}0.{}{all}", "0".repeat(zeros)));
    };
    Some(match all.split_at_checked(places) {
        Some((whole, fraction)) if !fraction.is_empty() => format!("{sign}0{whole}.{fraction}"),
        _ => format!("{sign}{all}{}", "0".repeat(places - all.len())),
    })
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::TimeUnit;
    use arrow::util::display::array_value_to_string;

    use super::*;

    fn one(text: &str, to: &DataType) -> Result<String, String> {
        let texts: ArrayRef = Arc::new(StringArray::from(vec![Some(text), None]));
        let read = read(&texts, to, false).map_err(|error| error.to_string())?;
        assert!(read.is_null(1));
        Ok(array_value_to_string(&read, 0).unwrap())
    }

    #[test]
    fn times_need_no_seconds_and_no_zeros() {
        let to = DataType::Timestamp(TimeUnit::Microsecond, None);
        for (text, time) in [
            ("2024-03-01 10:00", "2024-03-01T10:00:00"),
            (" 2024-3-1T9:05 ", "2024-03-01T09:05:00"),
            ("2024-3-1", "2024-03-01T00:00:00"),
            ("2024-3-1 9:05:06.25", "2024-03-01T09:05:06.250"),
            ("2024-03-01 10:00:00", "2024-03-01T10:00:00"),
        ] {
            assert_eq!(one(text, &to).as_deref(), Ok(time), "{text}");
        }
        for text in [
            "2024-03",
            "24-3-1",
            "2024-3-1 9",
            "2024-3-1 25:00",
            "2024-02-30 10:00",
            "2024-3-1 9:5",
            "2024-3-1 9:05:6",
            "x",
            "",
        ] {
            assert!(one(text, &to).is_err(), "{text}");
        }
        let texts: ArrayRef = Arc::new(StringArray::from(vec!["2024-03-01 10:00", "x"]));
        let read = read(&texts, &to, true).unwrap();
        assert!(read.is_valid(0) && read.is_null(1), "{read:?}");
    }

    #[test]
    fn decimals_may_have_an_exponent() {
        let to = DataType::Decimal128(9, 2);
        for (text, number) in [
            ("1e1", "10.00"),
            ("-1.25E+2", "-125.00"),
            ("125e-2", "1.25"),
            ("1.5e-1", "0.15"),
            ("5e-3", "0.01"),
            (" .5e1 ", "5.00"),
            ("12.5", "12.50"),
            ("0e50", "0.00"),
        ] {
            assert_eq!(one(text, &to).as_deref(), Ok(number), "{text}");
        }
        for text in ["e1", "1e", "1e8", "1e999", "1e1.5", "1 e1", "--1e1", "1e1e1", ""] {
            assert!(one(text, &to).is_err(), "{text}");
        }
    }
}
