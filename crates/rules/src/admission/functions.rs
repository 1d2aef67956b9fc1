//! The scalar functions that may be computed over non-public data.
//!
//! A function is on the list if it gives the same value for the same arguments every time, and cannot fail on a value
//! (a failure that depends on a row tells something of that row). Where a function can fail on some arguments, the
//! list says what its arguments must be so that it cannot.

use datafusion::common::ScalarValue;
use datafusion::logical_expr::Expr;

use super::growth;

/// Form that the arguments of a function must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arguments {
    /// Anything that is itself allowed.
    Any,
    /// All after the first are literals.
    FirstThenLiterals,
    /// Literals, and no negative length: a negative one is an error.
    Substring,
    /// Literals, and a position that is not zero: zero is an error.
    SplitPart,
    /// A known part of a date, then anything.
    DatePart,
    /// A known unit of time, then a column or a cast of one: near the ends of time truncating fails, and arithmetic could
    /// move a value there.
    DateTrunc,
    /// A literal interval above zero, then anything, then a literal time.
    DateBin,
    /// A float or a decimal of less than 38 digits, or a column as it is, then literals: at the ends of their ranges integers
    /// and decimals overflow, and arithmetic could move a value there.
    Rounding,
}

/// One allowed function.
#[derive(Debug)]
pub(super) struct Allowed {
    pub name: &'static str,
    pub arguments: Arguments,
}

const fn f(name: &'static str, arguments: Arguments) -> Allowed {
    Allowed { name, arguments }
}

/// The allow-list, by DataFusion's canonical names.
pub(super) const ALLOWED: &[Allowed] = &[
    // Text: total functions of their text; what decides on length or position is a literal.
    f("ascii", Arguments::Any),
    f("btrim", Arguments::FirstThenLiterals),
    f("character_length", Arguments::Any),
    f("concat", Arguments::Any),
    f("concat_ws", Arguments::Any),
    f("contains", Arguments::FirstThenLiterals),
    f("ends_with", Arguments::FirstThenLiterals),
    f("initcap", Arguments::Any),
    f("left", Arguments::FirstThenLiterals),
    f("lower", Arguments::Any),
    f("ltrim", Arguments::FirstThenLiterals),
    f("octet_length", Arguments::Any),
    f("replace", Arguments::FirstThenLiterals),
    f("reverse", Arguments::Any),
    f("right", Arguments::FirstThenLiterals),
    f("rtrim", Arguments::FirstThenLiterals),
    f("split_part", Arguments::SplitPart),
    f("starts_with", Arguments::FirstThenLiterals),
    f("strpos", Arguments::FirstThenLiterals),
    f("substr", Arguments::Substring),
    f("upper", Arguments::Any),
    // Choices between values: total.
    f("coalesce", Arguments::Any),
    f("greatest", Arguments::Any),
    f("least", Arguments::Any),
    f("nullif", Arguments::Any),
    f("nvl", Arguments::Any),
    // Time.
    f("date_bin", Arguments::DateBin),
    f("date_part", Arguments::DatePart),
    f("date_trunc", Arguments::DateTrunc),
    // Numbers: bands and rounding.
    f("abs", Arguments::Rounding),
    f("ceil", Arguments::Rounding),
    f("floor", Arguments::Rounding),
    f("round", Arguments::Rounding),
    f("signum", Arguments::Any),
    f("trunc", Arguments::Rounding),
];

/// Returns the entry of a function; `None` if it is not allowed.
pub(super) fn allowed(name: &str) -> Option<&'static Allowed> {
    ALLOWED.iter().find(|entry| entry.name == name)
}

impl Arguments {
    /// Returns true if arguments have this form. `has_room` tells whether an argument's type holds what it is rounded to.
    pub fn hold(self, args: &[Expr], has_room: impl Fn(&Expr) -> bool) -> bool {
        let literal = |e: &Expr| matches!(e, Expr::Literal(..));
        let rest_literal = |args: &[Expr]| args.iter().skip(1).all(literal);
        match self {
            Self::Any => true,
            Self::FirstThenLiterals => rest_literal(args),
            Self::Substring => {
                let start = args.get(1).and_then(integer);
                let length = args.get(2).map_or(Some(0), integer);
                let small = |n: i64| n.unsigned_abs() < 1 << 31;
                start.is_some_and(small) && length.is_some_and(|n| n >= 0 && small(n))
            }
            Self::SplitPart => {
                let position = args.get(2).and_then(integer);
                rest_literal(args) && position.is_some_and(|n| n != 0 && n.unsigned_abs() < 1 << 31)
            }
            Self::DatePart => matches!(args, [part, _] if is_word_of(part, &[UNITS, PARTS])),
            Self::DateTrunc => matches!(args, [unit, value] if is_word_of(unit, &[UNITS]) && is_steady(value)),
            Self::DateBin => match args {
                [width, _] => is_width(width),
                [width, _, origin] => is_width(width) && is_point(origin),
                _ => false,
            },
            Self::Rounding => args.first().is_some_and(|e| has_room(e) || is_untouched(e)) && rest_literal(args),
        }
    }

    /// Returns the form in words, for a refusal's rule.
    pub fn rule(self) -> &'static str {
        match self {
            Self::Any => "its arguments are allowed expressions",
            Self::FirstThenLiterals => "its arguments after the first are literals",
            Self::Substring => "its start and length are literals, and the length is not negative",
            Self::SplitPart => "its delimiter and position are literals, and the position is not zero",
            Self::DatePart => {
                "its part is 'year', 'quarter', 'month', 'week', 'day', 'hour', 'minute', 'second', 'millisecond', \
                 'microsecond', 'doy', 'dow', 'isodow', 'isoyear' or 'epoch'"
            }
            Self::DateTrunc => {
                "it truncates a column as it is, to 'year', 'quarter', 'month', 'week', 'day', 'hour', 'minute', 'second', \
                 'millisecond' or 'microsecond'"
            }
            Self::DateBin => {
                "its width is a literal interval greater than zero, of months alone or of days and less, and its origin a \
                 literal time"
            }
            Self::Rounding => "it rounds a float, a decimal of less than 38 digits, or a column as it is, by a literal",
        }
    }
}

/// Units of time.
const UNITS: &[&str] =
    &["year", "quarter", "month", "week", "day", "hour", "minute", "second", "millisecond", "microsecond"];
/// Other parts of a date.
const PARTS: &[&str] = &["doy", "dow", "isodow", "isoyear", "epoch"];

/// Returns true if an expression is one of these words as a literal. With another word the function fails, and only where
/// some row needs it.
fn is_word_of(expr: &Expr, words: &[&[&str]]) -> bool {
    let Expr::Literal(value, _) = expr else { return false };
    let Some(word) = growth::text(value) else { return false };
    words.iter().any(|words| words.iter().any(|known| known.eq_ignore_ascii_case(word)))
}

/// Returns true if an expression is a literal interval into which a calendar can be divided.
fn is_width(expr: &Expr) -> bool {
    let Expr::Literal(value, _) = expr else { return false };
    match value {
        ScalarValue::IntervalMonthDayNano(Some(v)) => {
            let (months, less) = (v.months > 0, v.days > 0 || v.nanoseconds > 0);
            v.months >= 0 && v.days >= 0 && v.nanoseconds >= 0 && months != less
        }
        ScalarValue::IntervalYearMonth(Some(months)) => *months > 0,
        ScalarValue::IntervalDayTime(Some(v)) => {
            v.days >= 0 && v.milliseconds >= 0 && (v.days > 0 || v.milliseconds > 0)
        }
        _ => false,
    }
}

/// Returns true if an expression is a literal point in time, a cast of one included.
fn is_point(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(value, _) => !value.is_null() && value.data_type().is_temporal(),
        Expr::Cast(cast) => is_point(&cast.expr),
        Expr::TryCast(cast) => is_point(&cast.expr),
        _ => false,
    }
}

/// Returns the value of an integer literal.
fn integer(expr: &Expr) -> Option<i64> {
    match expr {
        Expr::Literal(ScalarValue::Int64(value), _) => *value,
        Expr::Literal(ScalarValue::Int32(value), _) => value.map(i64::from),
        _ => None,
    }
}

/// Returns true if an expression is a column or a literal, below casts that keep its value (others are `TRY_CAST` here).
fn is_untouched(expr: &Expr) -> bool {
    match expr {
        Expr::Column(_) | Expr::Literal(..) => true,
        Expr::Cast(cast) => is_untouched(&cast.expr),
        _ => false,
    }
}

/// Returns true if an expression is a column, a cast of one, or its time truncated. Arithmetic could move a value to
/// where a function fails.
pub(super) fn is_steady(expr: &Expr) -> bool {
    match expr {
        Expr::Column(_) | Expr::Literal(..) => true,
        Expr::Cast(cast) => is_steady(&cast.expr),
        Expr::TryCast(cast) => is_steady(&cast.expr),
        Expr::ScalarFunction(call) if matches!(call.name(), "date_trunc" | "date_bin") => {
            call.args.get(1).is_some_and(is_steady)
        }
        _ => false,
    }
}

/// Returns true if an expression is NULL wherever its columns are: a column, or a cast of one.
pub(super) fn is_strict(expr: &Expr) -> bool {
    match expr {
        Expr::Column(_) => true,
        Expr::Cast(cast) => is_strict(&cast.expr),
        Expr::TryCast(cast) => is_strict(&cast.expr),
        _ => false,
    }
}

/// Returns true if an expression is a column, or one of a few functions of one column that do not choose between values.
pub(super) fn is_plain(expr: &Expr) -> bool {
    const PLAIN: &[&str] =
        &["btrim", "date_bin", "date_part", "date_trunc", "left", "lower", "right", "substr", "upper"];
    match expr {
        Expr::Column(_) => true,
        Expr::Cast(cast) => is_plain(&cast.expr),
        Expr::TryCast(cast) => is_plain(&cast.expr),
        Expr::ScalarFunction(call) if PLAIN.contains(&call.name()) => {
            let mut values = call.args.iter().filter(|arg| !matches!(arg, Expr::Literal(..)));
            values.next().is_some_and(is_plain) && values.next().is_none()
        }
        _ => false,
    }
}
