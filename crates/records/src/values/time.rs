//! Dates and timestamps, by the default forms of ISO 8601 or by declared patterns. Nothing of a text is passed over.

use wanqu_model::bundle::{TimePart, TimePattern};

use crate::fault::Reason;

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

/// How dates, or timestamps, are written: by one of these patterns, or by default if there is none.
#[derive(Debug, Clone, Default)]
pub struct TimeSyntax(pub Vec<TimePattern>);

/// Point in time, with what its text said of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Moment {
    days: i64,
    micros: i64,
    /// Offset from UTC in microseconds.
    offset: i64,
}

impl Moment {
    /// Returns the microseconds since 1970.
    fn timestamp(self) -> Option<i64> {
        self.days.checked_mul(DAY)?.checked_add(self.micros)?.checked_sub(self.offset)
    }
}

impl TimeSyntax {
    /// Returns true if there are patterns.
    pub fn is_declared(&self) -> bool {
        !self.0.is_empty()
    }

    /// Returns the days of a date since 1970.
    ///
    /// # Errors
    /// The reason why the text is no date. One with a time is one only if the time is midnight without an offset.
    pub fn date(&self, text: &str) -> Result<i32, Reason> {
        let moment = self.moment(text, "it is no date of the declared form")?;
        if moment.micros != 0 || moment.offset != 0 {
            return Err(Reason::of("it has a time, which a date would lose"));
        }
        i32::try_from(moment.days).map_err(|_| Reason::of("it is too far from 1970"))
    }

    /// Returns the microseconds of a timestamp since 1970. An offset is taken off, so that the time is UTC.
    ///
    /// # Errors
    /// The reason why the text is no timestamp.
    pub fn timestamp(&self, text: &str) -> Result<i64, Reason> {
        let moment = self.moment(text, "it is no timestamp of the declared form")?;
        moment.timestamp().ok_or_else(|| Reason::of("it is too far from 1970"))
    }

    fn moment(&self, text: &str, none: &'static str) -> Result<Moment, Reason> {
        let mut found: Option<Moment> = None;
        if self.0.is_empty() {
            found = iso(text);
        }
        for pattern in &self.0 {
            match (found, by_pattern(text, pattern.parts())) {
                (Some(one), Some(other)) if one != other => {
                    return Err(Reason::of("two declared patterns fit it, and give different dates"));
                }
                (None, other) => found = other,
                _ => {}
            }
        }
        found.ok_or_else(|| Reason::of(none))
    }
}

/// Returns the days since 1970 of a date of the Gregorian calendar; `None` if there is no such date.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let last = match month {
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(leap),
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=last).contains(&day) {
        return None;
    }
    // After Howard Hinnant's days_from_civil: years begin in March, so that the leap day is the last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * month + 2) / 5 + day - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
}

/// Reader of a text from its beginning.
struct Cursor<'a>(&'a str);

impl Cursor<'_> {
    fn take(&mut self, character: char) -> bool {
        let rest = self.0.strip_prefix(character);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    /// Reads a number of `least` to `most` digits.
    fn number(&mut self, least: usize, most: usize) -> Option<i64> {
        let length = self.0.bytes().take(most).take_while(u8::is_ascii_digit).count();
        if length < least {
            return None;
        }
        let (digits, rest) = self.0.split_at(length);
        self.0 = rest;
        digits.parse().ok()
    }

    /// Reads a fraction of a second, all its digits; `None` if it is finer than a microsecond.
    fn fraction(&mut self) -> Option<i64> {
        let length = self.0.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, rest) = self.0.split_at(length);
        let significant = digits.trim_end_matches('0');
        if length == 0 || significant.len() > 6 {
            return None;
        }
        self.0 = rest;
        format!("{significant:0<6}").parse().ok()
    }

    /// Reads an offset from UTC, in microseconds.
    fn offset(&mut self) -> Option<i64> {
        if self.take('Z') || self.take('z') {
            return Some(0);
        }
        let sign = if self.take('+') {
            1
        } else if self.take('-') {
            -1
        } else {
            return None;
        };
        let hours = self.number(2, 2)?;
        let colon = self.take(':');
        let minutes = match self.number(2, 2) {
            Some(minutes) => minutes,
            None if colon => return None,
            None => 0,
        };
        (hours <= 23 && minutes <= 59).then_some(sign * (hours * 60 + minutes) * 60_000_000)
    }

    /// Reads a month's English name, or its first three letters.
    fn month(&mut self) -> Option<i64> {
        const NAMES: [&str; 12] = [
            "january",
            "february",
            "march",
            "april",
            "may",
            "june",
            "july",
            "august",
            "september",
            "october",
            "november",
            "december",
        ];
        let length = self.0.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (word, rest) = self.0.split_at(length);
        let is = |name: &&str| word.eq_ignore_ascii_case(name) || word.eq_ignore_ascii_case(&name[..3]);
        let month = NAMES.iter().position(is)?;
        self.0 = rest;
        i64::try_from(month + 1).ok()
    }
}

fn time_of_day(hour: i64, minute: i64, second: i64, micros: i64) -> Option<i64> {
    let valid = (0..24).contains(&hour) && (0..60).contains(&minute) && (0..60).contains(&second);
    valid.then_some(((hour * 60 + minute) * 60 + second) * 1_000_000 + micros)
}

/// Reads exactly `2024-12-31` or `2024-12-31T23:59:59`, as most are; `None` for any other form, and for what is none.
fn full_iso(text: &[u8]) -> Option<Moment> {
    let number = |from: usize, to: usize| {
        text[from..to]
            .iter()
            .try_fold(0, |value, byte| byte.is_ascii_digit().then(|| value * 10 + i64::from(byte - b'0')))
    };
    let has_date = matches!(text.len(), 10 | 19) && text[4] == b'-' && text[7] == b'-';
    if !has_date {
        return None;
    }
    let days = days(number(0, 4)?, number(5, 7)?, number(8, 10)?)?;
    let micros = match text.get(10) {
        None => 0,
        Some(b'T' | b' ') if text[13] == b':' && text[16] == b':' => {
            time_of_day(number(11, 13)?, number(14, 16)?, number(17, 19)?, 0)?
        }
        Some(_) => return None,
    };
    Some(Moment { days, micros, offset: 0 })
}

/// Reads `2024-12-31`, `20241231`, or the first with a time of the day and an offset.
fn iso(text: &str) -> Option<Moment> {
    if let Some(moment) = full_iso(text.as_bytes()) {
        return Some(moment);
    }
    let mut rest = Cursor(text);
    let year = rest.number(4, 4)?;
    if !rest.take('-') {
        let (month, day) = (rest.number(2, 2)?, rest.number(2, 2)?);
        let days = days(year, month, day)?;
        return rest.0.is_empty().then_some(Moment { days, micros: 0, offset: 0 });
    }
    let month = rest.number(1, 2)?;
    let day = rest.take('-').then(|| rest.number(1, 2)).flatten()?;
    let mut moment = Moment { days: days(year, month, day)?, micros: 0, offset: 0 };
    if rest.0.is_empty() {
        return Some(moment);
    }
    if !(rest.take('T') || rest.take('t') || rest.take(' ')) {
        return None;
    }
    let hour = rest.number(1, 2)?;
    let minute = rest.take(':').then(|| rest.number(2, 2)).flatten()?;
    let mut second = 0;
    let mut micros = 0;
    if rest.take(':') {
        second = rest.number(2, 2)?;
        if rest.take('.') || rest.take(',') {
            micros = rest.fraction()?;
        }
    }
    moment.micros = time_of_day(hour, minute, second, micros)?;
    rest.take(' ');
    if !rest.0.is_empty() {
        moment.offset = rest.offset()?;
    }
    rest.0.is_empty().then_some(moment)
}

/// Reads a text by a pattern, all of it.
fn by_pattern(text: &str, parts: &[TimePart]) -> Option<Moment> {
    if let [TimePart::Field(field @ ('s' | 'Q'))] = parts {
        return since_epoch(text, if *field == 's' { 1_000_000 } else { 1000 });
    }
    let mut rest = Cursor(text);
    let (mut year, mut month, mut day) = (0, 0, 0);
    let (mut hour, mut minute, mut second, mut micros, mut offset) = (0, 0, 0, 0, 0);
    let mut noon = None;
    for (at, part) in parts.iter().enumerate() {
        let TimePart::Field(field) = part else {
            let TimePart::Literal(character) = part else { return None };
            if !rest.take(*character) {
                return None;
            }
            continue;
        };
        // Without anything between two numbers, only their lengths tell them apart.
        let joined = matches!(parts.get(at + 1), Some(TimePart::Field(next)) if !matches!(next, 'b' | 'p' | 'z'))
            || (at > 0 && matches!(parts[at - 1], TimePart::Field(last) if !matches!(last, 'b' | 'p' | 'z')));
        let least = if joined { 2 } else { 1 };
        match field {
            'Y' => year = rest.number(4, 4)?,
            'y' => {
                let short = rest.number(2, 2)?;
                year = if short < 69 { 2000 + short } else { 1900 + short };
            }
            'm' => month = rest.number(least, 2)?,
            'b' => month = rest.month()?,
            'd' => day = rest.number(least, 2)?,
            'H' => hour = rest.number(least, 2)?,
            'I' => hour = rest.number(least, 2).filter(|hour| (1..=12).contains(hour))? % 12,
            'M' => minute = rest.number(least, 2)?,
            'S' => second = rest.number(least, 2)?,
            'f' => micros = rest.fraction()?,
            'z' => offset = rest.offset()?,
            'p' => {
                let word = rest.0.get(..2)?;
                noon = Some(match word.to_ascii_uppercase().as_str() {
                    "AM" => 0,
                    "PM" => 12,
                    _ => return None,
                });
                rest.0 = &rest.0[2..];
            }
            _ => return None,
        }
    }
    if !rest.0.is_empty() {
        return None;
    }
    let micros = time_of_day(hour + noon.unwrap_or(0), minute, second, micros)?;
    Some(Moment { days: days(year, month, day)?, micros, offset })
}

/// Reads a number of units since 1970, each of so many microseconds.
fn since_epoch(text: &str, unit: i64) -> Option<Moment> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let micros = text.parse::<i64>().ok()?.checked_mul(unit)?;
    Some(Moment { days: micros.div_euclid(DAY), micros: micros.rem_euclid(DAY), offset: 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn syntax(patterns: &[&str]) -> TimeSyntax {
        TimeSyntax(patterns.iter().map(|pattern| pattern.parse().unwrap()).collect())
    }

    #[test]
    fn dates_are_days_of_the_calendar() {
        for (text, expected) in [
            ("1970-01-01", Some(0)),
            ("1969-12-31", Some(-1)),
            ("2024-02-29", Some(19_782)),
            ("2024-2-9", Some(19_762)),
            ("20240229", Some(19_782)),
            ("9999-12-31", Some(2_932_896)),
            ("0001-01-01", Some(-719_162)),
            ("2024-02-29 00:00:00", Some(19_782)),
            ("2024-02-29T00:00:00.000Z", Some(19_782)),
            ("2023-02-29", None),
            ("1900-02-29", None),
            ("2024-13-01", None),
            ("2024-00-01", None),
            ("2024-02-29 10:00:00", None),
            ("2024-02-29T00:00:00+08:00", None),
            ("2024-02-29x", None),
            ("2024/02/29", None),
            ("24-02-29", None),
            ("2024-0229", None),
            ("19782", None),
            ("", None),
        ] {
            assert_eq!(syntax(&[]).date(text).ok(), expected, "{text:?}");
        }
    }

    #[test]
    fn timestamps_are_microseconds_and_no_finer() {
        let second = 1_000_000;
        for (text, expected) in [
            ("1970-01-01T00:00:01", Some(second)),
            ("1970-01-01 00:00:01.5", Some(1_500_000)),
            ("1970-01-01 00:01", Some(60 * second)),
            ("1970-01-01", Some(0)),
            ("1970-01-01T08:00:00+08:00", Some(0)),
            ("1970-01-01T00:00:00Z", Some(0)),
            ("1969-12-31T23:59:59.999999", Some(-1)),
            ("1970-01-01T00:00:00.000001000", Some(1)),
            ("1970-01-01T00:00:00.0000001", None),
            ("9999-12-31T23:59:59.999999", Some(253_402_300_799_999_999)),
            ("1970-01-01T24:00:00", None),
            ("1970-01-01T00:60:00", None),
            ("1970-01-01T00:00:60", None),
            ("1970-01-01T00:00:00.", None),
            ("1970-01-01T00:00:00+8", None),
            ("1970-01-01T00:00:00 CET", None),
            ("1970-01-01T", None),
            ("1700000000", None),
        ] {
            assert_eq!(syntax(&[]).timestamp(text).ok(), expected, "{text:?}");
        }
    }

    #[test]
    fn patterns_read_what_they_say() {
        for (pattern, text, expected) in [
            ("%d/%m/%Y", "29/02/2024", Some(19_782)),
            ("%d/%m/%Y", "9/2/2024", Some(19_762)),
            ("%m/%d/%Y", "29/02/2024", None),
            ("%d/%m/%Y", "29/02/24", None),
            ("%d/%m/%Y", "29/02/20245", None),
            ("%d-%b-%y", "29-Feb-24", Some(19_782)),
            ("%d %b %Y", "29 FEBRUARY 2024", Some(19_782)),
            ("%d %b %Y", "29 Febr 2024", None),
            ("%Y年%m月%d日", "2024年2月29日", Some(19_782)),
            ("%Y%m%d", "20240229", Some(19_782)),
            ("%Y%m%d", "2024229", None),
            ("%d.%m.%y", "01.01.69", Some(-365)),
        ] {
            assert_eq!(syntax(&[pattern]).date(text).ok(), expected, "{pattern} {text}");
        }
        for (pattern, text, expected) in [
            ("%Y-%m-%d %I:%M %p", "1970-01-01 12:30 am", Some(30)),
            ("%Y-%m-%d %I:%M %p", "1970-01-01 12:30 PM", Some(12 * 60 + 30)),
            ("%Y-%m-%d %I:%M %p", "1970-01-01 13:30 PM", None),
            ("%Y%m%d%H%M", "197001010130", Some(90)),
            ("%Y-%m-%dT%H:%M%z", "1970-01-01T08:00+0800", Some(0)),
            ("%s", "5400", Some(90)),
            ("%Q", "5400000", Some(90)),
            ("%s", "-60", Some(-1)),
            ("%s", "5400.5", None),
            ("%s", "99999999999999999", None),
        ] {
            let found = syntax(&[pattern]).timestamp(text).ok();
            assert_eq!(found, expected.map(|minutes: i64| minutes * 60_000_000), "{pattern} {text}");
        }
    }

    #[test]
    fn patterns_that_disagree_are_no_guess() {
        let both = syntax(&["%d/%m/%Y", "%m/%d/%Y", "%Y-%m-%d"]);
        assert_eq!(both.date("29/02/2024").unwrap(), 19_782);
        assert_eq!(both.date("02/29/2024").unwrap(), 19_782);
        assert_eq!(both.date("03/03/2024").unwrap(), 19_785);
        assert_eq!(both.date("2024-02-29").unwrap(), 19_782);
        assert!(both.date("01/02/2024").unwrap_err().to_string().contains("two declared patterns"));
    }
}
