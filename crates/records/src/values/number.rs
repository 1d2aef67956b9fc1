//! Numbers, read exactly: no digit is cut, and none is rounded but to the nearest float.

use std::borrow::Cow;

use wanqu_model::bundle::{DecimalSeparator, GroupSeparator, ValueSyntax};

use crate::fault::Reason;

/// How numbers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NumberSyntax {
    comma: bool,
    group: Option<u8>,
    /// True if a whole number or decimal may have an exponent. A spreadsheet writes long numbers so when it has rounded
    /// them; JSON writes whole ones so.
    exponents: bool,
}

impl NumberSyntax {
    /// How numbers of JSON are written, whatever is declared.
    pub const JSON: Self = Self { comma: false, group: None, exponents: true };

    /// Returns what a manifest declares.
    pub fn new(declared: &ValueSyntax) -> Self {
        let group = declared.group_separator.map(|group| match group {
            GroupSeparator::Comma => b',',
            GroupSeparator::Point => b'.',
            GroupSeparator::Apostrophe => b'\'',
            GroupSeparator::Space => b' ',
        });
        Self { comma: declared.decimal_separator == Some(DecimalSeparator::Comma), group, exponents: false }
    }

    /// Returns a number without groups and with a decimal point; `None` if its groups are not of three digits.
    fn plain(self, text: &str) -> Option<Cow<'_, str>> {
        if !self.comma && self.group.is_none() {
            return Some(Cow::Borrowed(text));
        }
        let point = if self.comma { ',' } else { '.' };
        let (whole, fraction) = match text.split_once(point) {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (text, None),
        };
        let mut plain = String::with_capacity(text.len());
        match self.group.map(char::from) {
            Some(group) if whole.contains(group) => {
                let digits = whole.trim_start_matches(['+', '-']);
                let mut groups = digits.split(group);
                let first = groups.next().is_some_and(|first| (1..=3).contains(&first.len()) && all_digits(first));
                if !first || !groups.all(|group| group.len() == 3 && all_digits(group)) {
                    return None;
                }
                plain.extend(whole.chars().filter(|c| *c != group));
            }
            _ => plain.push_str(whole),
        }
        // A point would be read as what it is not declared to be.
        if self.comma && plain.contains('.') {
            return None;
        }
        if let Some(fraction) = fraction {
            plain.push('.');
            plain.push_str(fraction);
        }
        Some(Cow::Owned(plain))
    }

    /// Returns a number times ten to the power of `scale`, which must be whole.
    ///
    /// # Errors
    /// The reason why it is none, or cannot be told exactly.
    pub fn exact(self, text: &str, scale: usize) -> Result<i128, Reason> {
        let plain = self.plain(text).ok_or_else(no_number)?;
        let (negative, unsigned) = match plain.as_bytes() {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            all => (false, all),
        };
        if let Some(value) = short(unsigned, scale) {
            return Ok(i128::from(if negative { -value } else { value }));
        }
        let mut value: i128 = 0;
        let mut digits = 0_usize;
        let mut point = None;
        let mut too_large = false;
        let mut too_fine = false;
        for (at, byte) in unsigned.iter().enumerate() {
            match byte {
                b'0'..=b'9' => {
                    digits += 1;
                    let digit = i128::from(byte - b'0');
                    if point.is_some_and(|point| at - point > scale) {
                        too_fine |= digit != 0;
                    } else {
                        match value.checked_mul(10).and_then(|v| v.checked_add(digit)) {
                            Some(next) => value = next,
                            None => too_large = true,
                        }
                    }
                }
                b'.' if point.is_none() => point = Some(at),
                b'e' | b'E' if digits > 0 => return self.scientific(unsigned, at, negative, scale),
                _ => return Err(no_number()),
            }
        }
        if digits == 0 {
            return Err(no_number());
        }
        let written = point.map_or(0, |point| unsigned.len() - point - 1).min(scale);
        for _ in written..scale {
            match value.checked_mul(10) {
                Some(next) => value = next,
                None => too_large = true,
            }
        }
        match (too_fine, too_large) {
            (true, _) => Err(finer_than(scale)),
            (_, true) => Err(too_large_for_type()),
            _ => Ok(if negative { -value } else { value }),
        }
    }

    /// Reads a number with an exponent, which begins at `at`.
    fn scientific(self, unsigned: &[u8], at: usize, negative: bool, scale: usize) -> Result<i128, Reason> {
        let text = |bytes| std::str::from_utf8(bytes).unwrap_or_default();
        let (mantissa, exponent) = (text(&unsigned[..at]), text(&unsigned[at + 1..]));
        let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        if !all_digits(digits) || digits.is_empty() {
            return Err(no_number());
        }
        if !self.exponents {
            return Err(Reason::of("it is written with an exponent, as by a program that has rounded it"));
        }
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all: String = [whole, fraction].concat();
        let significant = all.trim_start_matches('0').trim_end_matches('0');
        if significant.is_empty() {
            return Ok(0);
        }
        let exponent: i64 = exponent.parse().map_err(|_| too_large_for_type())?;
        let ending = all.len() - all.trim_end_matches('0').len();
        let length = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        // The number is `significant` times ten to the power of `shift`, in units of the scale.
        let shift = exponent
            .checked_add(length(ending))
            .and_then(|e| e.checked_sub(length(fraction.len())))
            .and_then(|e| e.checked_add(length(scale)))
            .ok_or_else(too_large_for_type)?;
        if shift < 0 {
            return Err(finer_than(scale));
        }
        if shift > 40 || significant.len() > 40 {
            return Err(too_large_for_type());
        }
        let value: i128 = significant.parse().map_err(|_| too_large_for_type())?;
        let power = u32::try_from(shift).ok().and_then(|shift| 10_i128.checked_pow(shift));
        let value = power.and_then(|power| value.checked_mul(power)).ok_or_else(too_large_for_type)?;
        Ok(if negative { -value } else { value })
    }

    /// Returns the nearest float.
    ///
    /// # Errors
    /// The reason why it is none, or beyond the range of floats.
    pub fn float(self, text: &str) -> Result<f64, Reason> {
        let plain = self.plain(text).ok_or_else(no_number)?;
        let value: f64 = plain.parse().map_err(|_| no_number())?;
        if value.is_infinite() && plain.bytes().any(|byte| byte.is_ascii_digit()) {
            return Err(Reason::of("it is beyond the range of float64"));
        }
        Ok(value)
    }
}

/// Reads a number of few digits without sign and exponent, as most are; `None` for any other, and for what is none.
fn short(unsigned: &[u8], scale: usize) -> Option<i64> {
    let mut value = 0_i64;
    let mut digits = 0;
    let mut point = None;
    for (at, byte) in unsigned.iter().enumerate() {
        match byte {
            b'0'..=b'9' if digits < 18 => {
                digits += 1;
                value = value * 10 + i64::from(byte - b'0');
            }
            b'.' if point.is_none() => point = Some(at),
            _ => return None,
        }
    }
    let lacking = scale.checked_sub(point.map_or(0, |point| unsigned.len() - point - 1))?;
    let power = u32::try_from(lacking).ok().filter(|_| digits > 0 && digits + lacking <= 18)?;
    Some(value * 10_i64.pow(power))
}

fn all_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

fn no_number() -> Reason {
    Reason::of("it is no number of the declared type")
}

fn too_large_for_type() -> Reason {
    Reason::of("it is too large for the declared type")
}

fn finer_than(scale: usize) -> Reason {
    Reason::of(match scale {
        0 => "it is no whole number".to_owned(),
        _ => format!("it has more than {scale} digits after the point, which would be cut"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exact(text: &str, scale: usize, syntax: NumberSyntax) -> Result<i128, String> {
        syntax.exact(text, scale).map_err(|reason| reason.to_string())
    }

    const PLAIN: NumberSyntax = NumberSyntax { comma: false, group: None, exponents: false };
    const FINE: &str = "it has more than 2 digits after the point, which would be cut";
    const LARGE: &str = "it is too large for the declared type";
    const NONE: &str = "it is no number of the declared type";
    const ROUNDED: &str = "it is written with an exponent, as by a program that has rounded it";

    #[test]
    fn no_digit_is_lost() {
        for (text, scale, expected) in [
            ("12", 0, Ok(12)),
            ("+007", 0, Ok(7)),
            ("-12.00", 0, Ok(-12)),
            ("12.7", 0, Err("it is no whole number")),
            ("9007199254740993", 0, Ok(9_007_199_254_740_993)),
            ("1.23", 2, Ok(123)),
            ("1.2", 2, Ok(120)),
            ("1.230", 2, Ok(123)),
            ("-1.239", 2, Err(FINE)),
            (".5", 2, Ok(50)),
            ("5.", 2, Ok(500)),
            ("0.001", 2, Err(FINE)),
            ("170141183460469231731687303715884105728", 0, Err(LARGE)),
            ("17014118346046923173168730371588410572", 2, Err(LARGE)),
            ("", 0, Err(NONE)),
            (".", 0, Err(NONE)),
            ("-", 0, Err(NONE)),
            ("1.2.3", 2, Err(NONE)),
            ("1,234", 0, Err(NONE)),
            ("12x", 0, Err(NONE)),
            ("1.239x", 2, Err(NONE)),
            ("--1", 0, Err(NONE)),
            ("1e2", 0, Err(ROUNDED)),
            ("1e", 0, Err(NONE)),
            ("0x10", 0, Err(NONE)),
            ("NaN", 0, Err(NONE)),
        ] {
            assert_eq!(exact(text, scale, PLAIN), expected.map_err(str::to_owned), "{text:?}");
        }
        for (text, scale, expected) in [
            ("1e2", 0, Ok(100)),
            ("-1.5E+1", 0, Ok(-15)),
            ("1200e-2", 0, Ok(12)),
            ("12.7e0", 0, Err("it is no whole number")),
            ("1e-3", 2, Err(FINE)),
            ("0e999999999999999999999", 0, Ok(0)),
            ("1e999999999999999999999", 0, Err(LARGE)),
            ("1e38", 0, Ok(100_000_000_000_000_000_000_000_000_000_000_000_000)),
            ("1e39", 0, Err(LARGE)),
        ] {
            assert_eq!(exact(text, scale, NumberSyntax::JSON), expected.map_err(str::to_owned), "{text:?}");
        }
    }

    #[test]
    fn separators_are_those_that_are_declared() {
        let english = NumberSyntax { group: Some(b','), ..PLAIN };
        let german = NumberSyntax { comma: true, group: Some(b'.'), ..PLAIN };
        let french = NumberSyntax { comma: true, group: Some(b' '), ..PLAIN };
        for (text, syntax, expected) in [
            ("1,234,567.89", english, Some(123_456_789)),
            ("-1,234", english, Some(-123_400)),
            ("1234", english, Some(123_400)),
            ("1,23", english, None),
            ("12,34,567", english, None),
            (",123", english, None),
            ("1,234.5,6", english, None),
            ("1.234.567,89", german, Some(123_456_789)),
            ("1234,5", german, Some(123_450)),
            ("1.5", german, None),
            ("1 234 567,89", french, Some(123_456_789)),
            ("1.5", french, None),
        ] {
            assert_eq!(syntax.exact(text, 2).ok(), expected, "{text:?}");
        }
        assert_eq!(german.float("-1.234,5").unwrap().to_bits(), (-1234.5_f64).to_bits());
        assert!(german.float("1.5").is_err());
    }

    #[test]
    fn a_float_is_the_nearest_one_and_never_infinite_by_itself() {
        for (text, value) in
            [("1.5", 1.5), ("1e3", 1000.0), ("-0", -0.0), ("inf", f64::INFINITY), ("-Infinity", f64::NEG_INFINITY)]
        {
            assert_eq!(PLAIN.float(text).unwrap().to_bits(), value.to_bits(), "{text}");
        }
        assert!(PLAIN.float("NaN").unwrap().is_nan());
        for text in ["1e999", "-1e999", "", "1,5", "1.5.", "0x1p3", "nan(1)"] {
            assert!(PLAIN.float(text).is_err(), "{text}");
        }
    }
}
