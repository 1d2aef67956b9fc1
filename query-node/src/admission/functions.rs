//! The scalar functions that may be computed over non-public data.
//!
//! A function is on the list if it gives the same value for the same arguments every time, and cannot fail on a value
//! (a failure that depends on a row tells something of that row). Where a function can fail on some arguments, the
//! list says what its arguments must be so that it cannot.

use datafusion::common::ScalarValue;
use datafusion::logical_expr::Expr;

/// What the arguments of a function must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arguments {
    /// Anything that is itself allowed.
    Any,
    /// All but the first are literals.
    FirstThenLiterals,
    /// All but the last are literals.
    LiteralsThenLast,
    /// Literals, and no negative length: a negative one is an error.
    Substring,
    /// Literals, and a position that is not zero: zero is an error.
    SplitPart,
    /// A literal, then a column or a cast of one: near the ends of time truncating fails, and arithmetic could bring
    /// a value there.
    DateTrunc,
    /// A literal, then anything, then literals.
    DateBin,
    /// A float, or a column as it is, then literals: at the ends of their ranges integers and decimals overflow, and
    /// arithmetic could bring a value there.
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
    f("date_part", Arguments::LiteralsThenLast),
    f("date_trunc", Arguments::DateTrunc),
    // Numbers: bands and rounding.
    f("abs", Arguments::Rounding),
    f("ceil", Arguments::Rounding),
    f("floor", Arguments::Rounding),
    f("round", Arguments::Rounding),
    f("signum", Arguments::Any),
    f("trunc", Arguments::Rounding),
];

/// The entry of a function, if it is allowed.
pub(super) fn allowed(name: &str) -> Option<&'static Allowed> {
    ALLOWED.iter().find(|entry| entry.name == name)
}

impl Arguments {
    /// Whether the arguments are as they must be. `is_float` tells the type of an argument.
    pub fn hold(self, args: &[Expr], is_float: impl Fn(&Expr) -> bool) -> bool {
        let literal = |e: &Expr| matches!(e, Expr::Literal(..));
        let rest_literal = |args: &[Expr]| args.iter().skip(1).all(literal);
        match self {
            Self::Any => true,
            Self::FirstThenLiterals => rest_literal(args),
            Self::LiteralsThenLast => args.split_last().is_some_and(|(_, first)| first.iter().all(literal)),
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
            Self::DateTrunc => matches!(args, [part, value] if literal(part) && is_steady(value)),
            Self::DateBin => match args {
                [stride, _] => literal(stride),
                [stride, _, origin] => literal(stride) && literal(origin),
                _ => false,
            },
            Self::Rounding => args.first().is_some_and(|e| is_float(e) || is_untouched(e)) && rest_literal(args),
        }
    }

    /// What the arguments must be, in words.
    pub fn rule(self) -> &'static str {
        match self {
            Self::Any => "its arguments are allowed expressions",
            Self::FirstThenLiterals => "its arguments after the first are literals",
            Self::LiteralsThenLast => "its arguments before the last are literals",
            Self::Substring => "its start and length are literals, and the length is not negative",
            Self::SplitPart => "its delimiter and position are literals, and the position is not zero",
            Self::DateTrunc => "it truncates a column as it is, to a unit that is a literal",
            Self::DateBin => "its width and origin are literals",
            Self::Rounding => "it rounds a float, or a column as it is, by a literal",
        }
    }
}

/// An integer literal.
fn integer(expr: &Expr) -> Option<i64> {
    match expr {
        Expr::Literal(ScalarValue::Int64(value), _) => *value,
        Expr::Literal(ScalarValue::Int32(value), _) => value.map(i64::from),
        _ => None,
    }
}

/// Whether a value is a column's own, or cast so that it keeps its value (a cast that may not is a `TRY_CAST` here).
fn is_untouched(expr: &Expr) -> bool {
    match expr {
        Expr::Column(_) | Expr::Literal(..) => true,
        Expr::Cast(cast) => is_untouched(&cast.expr),
        _ => false,
    }
}

/// Whether a value lies where the data put it: a column, a cast of one, or its time truncated. Arithmetic could move a
/// value to where a function fails.
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

/// Whether an expression is NULL wherever its columns are: a column, or a cast of one.
pub(super) fn is_strict(expr: &Expr) -> bool {
    match expr {
        Expr::Column(_) => true,
        Expr::Cast(cast) => is_strict(&cast.expr),
        Expr::TryCast(cast) => is_strict(&cast.expr),
        _ => false,
    }
}

/// Whether an expression is a part of one column and chooses nothing: a column, or one of a few functions of it.
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
