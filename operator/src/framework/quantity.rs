//! Quantities of Kubernetes, compared as its API machinery does: by value, whatever their spelling.

/// A quantity: `digits` times ten to the power of `exponent`. Digits end with no zero, so that equal values are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quantity {
    digits: i128,
    exponent: i32,
}

/// Nothing is finer than a billionth: the API server rounds it up.
const NANO: i32 = -9;
/// Amounts of resources are rounded up to thousandths (`SetDefaults_ResourceList`).
const MILLI: i32 = -3;
/// The largest value with a binary suffix; a larger one is taken as this.
const MAX_BINARY: i128 = i64::MAX as i128;

impl Quantity {
    /// Reads `1`, `1.5`, `500m`, `2Gi`, `1e3`, …; returns none if `text` is no quantity, or has more digits than fit.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (sign, unsigned) = match text.as_bytes().first()? {
            b'-' => (-1, &text[1..]),
            b'+' => (1, &text[1..]),
            _ => (1, text),
        };
        let end = unsigned.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(unsigned.len());
        let (number, suffix) = unsigned.split_at(end);
        let (whole, part) = number.split_once('.').unwrap_or((number, ""));
        let digits: i128 = format!("{whole}{part}").parse().ok()?;
        let places = i32::try_from(part.len()).ok()?;
        let value = match Suffix::parse(suffix)? {
            Suffix::Decimal(power) => Self::new(digits, power.checked_sub(places)?),
            Suffix::Binary(bits) => {
                let largest = 10_i128.checked_pow(part.len().try_into().ok()?)?.checked_mul(MAX_BINARY);
                let digits = digits.checked_mul(1 << bits)?;
                Self::new(largest.map_or(digits, |largest| digits.min(largest)), -places)
            }
        };
        let value = value.rounded_up(NANO);
        Some(Self { digits: sign * value.digits, ..value })
    }

    /// Returns the quantity as the API server keeps it where it is the amount of a resource.
    #[must_use]
    pub fn of_resource(self) -> Self {
        self.rounded_up(MILLI)
    }

    /// Returns true if it is less than another one; neither is negative.
    #[must_use]
    pub fn is_less_than(self, other: Self) -> bool {
        let finest = self.exponent.min(other.exponent);
        let digits = |quantity: Self| {
            let power = u32::try_from(quantity.exponent - finest).ok();
            let scale = power.and_then(|power| 10_i128.checked_pow(power));
            scale.and_then(|scale| quantity.digits.checked_mul(scale)).unwrap_or(i128::MAX)
        };
        digits(self) < digits(other)
    }

    fn new(mut digits: i128, mut exponent: i32) -> Self {
        if digits == 0 {
            return Self { digits, exponent: 0 };
        }
        while digits % 10 == 0 {
            (digits, exponent) = (digits / 10, exponent.saturating_add(1));
        }
        Self { digits, exponent }
    }

    /// Away from zero, to a multiple of ten to the power of `finest`.
    fn rounded_up(self, finest: i32) -> Self {
        if self.exponent >= finest {
            return self;
        }
        let unit = 10_i128.checked_pow(finest.abs_diff(self.exponent));
        let whole = unit.map_or(0, |unit| self.digits.abs() / unit);
        let rest = unit.is_none_or(|unit| self.digits % unit != 0);
        Self::new(self.digits.signum() * (whole + i128::from(rest)), finest)
    }
}

/// A suffix: a power of ten, or of two.
enum Suffix {
    Decimal(i32),
    Binary(u32),
}

impl Suffix {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "n" => Self::Decimal(-9),
            "u" => Self::Decimal(-6),
            "m" => Self::Decimal(-3),
            "" => Self::Decimal(0),
            "k" => Self::Decimal(3),
            "M" => Self::Decimal(6),
            "G" => Self::Decimal(9),
            "T" => Self::Decimal(12),
            "P" => Self::Decimal(15),
            "E" => Self::Decimal(18),
            "Ki" => Self::Binary(10),
            "Mi" => Self::Binary(20),
            "Gi" => Self::Binary(30),
            "Ti" => Self::Binary(40),
            "Pi" => Self::Binary(50),
            "Ei" => Self::Binary(60),
            _ => Self::Decimal(text.strip_prefix(['e', 'E'])?.parse().ok()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn same(a: &str, b: &str) {
        let (left, right) = (Quantity::parse(a), Quantity::parse(b));
        assert!(left.is_some() && left == right, "{a} {left:?} and {b} {right:?}");
    }

    #[test]
    fn every_suffix_stands_for_its_power() {
        for (quantity, canonical) in [
            ("1000000000n", "1"),
            ("1500n", "1500n"),
            ("1000u", "1m"),
            ("1000m", "1"),
            ("0.5", "500m"),
            ("1k", "1000"),
            ("1M", "1000k"),
            ("1G", "1000M"),
            ("1T", "1000G"),
            ("1P", "1000T"),
            ("1E", "1000P"),
            ("1Ki", "1024"),
            ("1Mi", "1024Ki"),
            ("1Gi", "1024Mi"),
            ("1Ti", "1024Gi"),
            ("1Pi", "1024Ti"),
            ("1Ei", "1024Pi"),
            ("1.5Gi", "1536Mi"),
            ("0.1Ki", "102400m"),
            ("1e3", "1k"),
            ("1E3", "1k"),
            ("1e+3", "1k"),
            ("15e-1", "1500m"),
            ("1E-3", "1m"),
            ("1e18", "1E"),
            ("1e100", "10e99"),
            ("+1", "1"),
            ("-1500m", "-1.5"),
            ("1.", "1"),
            (".5", "0.5"),
            ("007", "7"),
            ("0", "0Gi"),
            ("-0", "0"),
            ("1.10", "1.1"),
        ] {
            same(quantity, canonical);
        }
    }

    #[test]
    fn quantities_that_are_too_fine_or_too_large_are_rounded_as_the_api_server_rounds_them() {
        same("0.1n", "1n");
        same("1.0000000001", "1000000001n");
        same("-0.1n", "-1n");
        same("1e-40", "1n");
        same("8Ei", "9223372036854775807");
        same("100Ei", "8Ei");
        let amount = |text: &str| Quantity::parse(text).unwrap().of_resource();
        for (asked, kept) in
            [("1n", "1m"), ("1u", "1m"), ("0.1234567", "124m"), ("1500u", "2m"), ("2", "2"), ("0", "0")]
        {
            assert_eq!(amount(asked), amount(kept), "{asked}");
        }
    }

    #[test]
    fn other_values_differ_and_other_texts_are_none() {
        for (a, b) in [("1", "1m"), ("1M", "1Mi"), ("1E", "1Ei"), ("1E", "1E1"), ("1e3", "1e4"), ("1", "-1")] {
            assert_ne!(Quantity::parse(a), Quantity::parse(b), "{a} {b}");
        }
        for text in ["", "x", ".", "-", "1 ", "1i", "1mi", "1K", "1e", "1e3k", "1.2.3", "1,5", "--1", "１", "1e1.5"] {
            assert_eq!(Quantity::parse(text), None, "{text:?}");
        }
        assert_eq!(Quantity::parse(&"9".repeat(60)), None);
        assert_eq!(Quantity::parse("1e99999999999"), None);
    }
}
