//! Which column types hold all values of which others.

use wanqu_model::columns::ColumnType;

/// Whether every value of `from` is exactly a value of `to`.
pub(super) fn fits(from: &ColumnType, to: &ColumnType) -> bool {
    use ColumnType::{Date, Decimal, Float64, Int32, Int64, List, Timestamp};
    match (from, to) {
        (a, b) if a == b => true,
        (Int32, Int64 | Float64) | (Date, Timestamp) => true,
        (Int32, Decimal(precision, scale)) => whole_digits(*precision, *scale) >= 10,
        (Int64, Decimal(precision, scale)) => whole_digits(*precision, *scale) >= 19,
        (Decimal(p, s), Decimal(precision, scale)) => {
            scale >= s && whole_digits(*precision, *scale) >= whole_digits(*p, *s)
        }
        (List(from), List(to)) => fits(from, to),
        _ => false,
    }
}

/// Digits before the point.
fn whole_digits(precision: u8, scale: i8) -> i16 {
    i16::from(precision) - i16::from(scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lossless_widening_fits() {
        let cases = [
            ("int32", "int32", true),
            ("int32", "int64", true),
            ("int32", "float64", true),
            ("int32", "decimal(10,0)", true),
            ("int32", "decimal(10,1)", false),
            ("int64", "int32", false),
            ("int64", "float64", false),
            ("int64", "decimal(21,2)", true),
            ("decimal(10,2)", "decimal(12,4)", true),
            ("decimal(10,2)", "decimal(10,4)", false),
            ("decimal(10,2)", "decimal(12,1)", false),
            ("decimal(10,2)", "float64", false),
            ("date", "timestamp", true),
            ("timestamp", "date", false),
            ("string", "date", false),
            ("boolean", "int32", false),
            ("list(int32)", "list(int64)", true),
            ("list(int32)", "int64", false),
        ];
        for (from, to, expected) in cases {
            assert_eq!(fits(&from.parse().unwrap(), &to.parse().unwrap()), expected, "{from} to {to}");
        }
    }
}
