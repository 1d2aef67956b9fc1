//! Expressions that may be computed over the rows of non-public tables: an allow-list of kinds, operators and
//! functions. None of them can fail on a value, and none gives different values for the same row.

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};
use wanqu_model::refusal::{Code, Refusal};

use super::base::BaseTables;
use super::functions::{allowed, is_steady};
use super::growth;
use crate::casts;

/// Most values of one IN list.
const MAX_LIST: usize = 1_000;
/// The longest pattern of LIKE, in bytes: it is made ready anew for each batch.
const MAX_PATTERN: usize = 512;
/// The longest interval that may be added to a time, in days: no sane date comes near the end of its range by it.
const MAX_DAYS: i32 = 3_660;
/// The same in months.
const MAX_MONTHS: i32 = 120;
/// The same in nanoseconds.
const MAX_NANOS: i64 = MAX_DAYS as i64 * 86_400_000_000_000;
/// The most digits of a decimal.
const MAX_DIGITS: i16 = 38;

/// Checks a whole expression over base columns.
pub(super) fn check(expr: &Expr, tables: &BaseTables) -> Result<(), Refusal> {
    let mut refused = None;
    let walked = expr.apply(|node| {
        Ok(match check_node(node, tables) {
            Ok(()) => TreeNodeRecursion::Continue,
            Err(refusal) => {
                refused = Some(refusal);
                TreeNodeRecursion::Stop
            }
        })
    });
    match (refused, walked) {
        (Some(refusal), _) => Err(refusal),
        (None, Ok(_)) => growth::check(expr),
        (None, Err(_)) => Err(Refusal::new(Code::Internal, "an expression cannot be read")),
    }
}

fn check_node(expr: &Expr, tables: &BaseTables) -> Result<(), Refusal> {
    #[allow(deprecated, reason = "Expr::Wildcard is deprecated and still has to be refused")]
    match expr {
        Expr::Column(_)
        | Expr::Literal(..)
        | Expr::Not(_)
        | Expr::Case(_)
        | Expr::IsNotNull(_)
        | Expr::IsNull(_)
        | Expr::IsTrue(_)
        | Expr::IsFalse(_)
        | Expr::IsUnknown(_)
        | Expr::IsNotTrue(_)
        | Expr::IsNotFalse(_)
        | Expr::IsNotUnknown(_) => Ok(()),
        Expr::Between(between) => comparable(&[&between.expr], tables),
        Expr::BinaryExpr(binary) => operator(binary, tables),
        Expr::Negative(inner) => match tables.type_of(inner) {
            Some(t) if t.is_numeric() => Ok(()),
            _ => Err(not_allowed("the negative of something that is not a number", "subtract dates from each other")),
        },
        Expr::Like(like) if growth::is_longer(&like.pattern, MAX_PATTERN) => Err(long_pattern()),
        Expr::Like(like) if matches!(*like.pattern, Expr::Literal(..)) => Ok(()),
        Expr::Like(_) => {
            Err(not_allowed("LIKE with a pattern that is not a literal", "write the pattern as a literal"))
        }
        Expr::InList(list) if list.list.len() > MAX_LIST => Err(long_list(list.list.len())),
        Expr::InList(list) if list.list.iter().all(|e| matches!(e, Expr::Literal(..))) => {
            comparable(&[&list.expr], tables)
        }
        Expr::InList(_) => Err(not_allowed("IN with values that are not literals", "write the comparisons with OR")),
        Expr::Cast(cast) => castable(&cast.expr, cast.field.data_type(), tables),
        Expr::TryCast(cast) => castable(&cast.expr, cast.field.data_type(), tables),
        Expr::ScalarFunction(call) => function(call.name(), &call.args, tables),
        Expr::Exists(_) | Expr::InSubquery(_) | Expr::ScalarSubquery(_) | Expr::SetComparison(_) => Err(not_allowed(
            "a subquery inside an expression",
            "write it as LEFT SEMI JOIN, LEFT ANTI JOIN or JOIN on the privacy unit",
        )),
        Expr::OuterReferenceColumn(..) => Err(not_allowed("a correlated subquery", "write it as a join")),
        Expr::SimilarTo(_) => Err(not_allowed("SIMILAR TO", "use LIKE with a literal pattern")),
        Expr::AggregateFunction(_) => Err(not_allowed("an aggregate within an aggregate", "use one level of GROUP BY")),
        Expr::WindowFunction(_) => {
            Err(not_allowed("a window function over rows", "use it over the result of a GROUP BY"))
        }
        Expr::GroupingSet(_) => Err(not_allowed("a grouping set", "group by a plain list of keys")),
        Expr::Unnest(_) => Err(not_allowed("UNNEST", "ask the custodian for a table with one row for each value")),
        Expr::Alias(_) | Expr::ScalarVariable(..) | Expr::Wildcard { .. } | Expr::Placeholder(_) => {
            Err(not_allowed("a variable, placeholder or wildcard", "write columns and literals"))
        }
        Expr::HigherOrderFunction(_) | Expr::Lambda(_) | Expr::LambdaVariable(_) => {
            Err(not_allowed("a lambda function", "use plain functions of columns"))
        }
    }
}

fn not_allowed(what: &str, remedy: &str) -> Refusal {
    Refusal::new(Code::FunctionNotAllowed, format!("{what} is not allowed over non-public data"))
        .with_rule(
            "over non-public data only listed expressions are computed: none can fail on a value or change by time",
        )
        .with_subject(what)
        .with_remedy(remedy)
}

fn long_list(length: usize) -> Refusal {
    Refusal::new(Code::Limit, format!("an IN list has {length} values"))
        .with_rule(format!("over non-public data an IN list has at most {MAX_LIST} values"))
        .with_subject("IN")
        .with_remedy("use a range, or join a registered public table that holds the values")
}

fn long_pattern() -> Refusal {
    Refusal::new(Code::Limit, "a pattern of LIKE is too long")
        .with_rule(format!("over non-public data a pattern has at most {MAX_PATTERN} bytes"))
        .with_subject("LIKE")
        .with_remedy("compare with = or IN, or use starts_with")
}

fn function(name: &str, args: &[Expr], tables: &BaseTables) -> Result<(), Refusal> {
    let Some(entry) = allowed(name) else {
        let remedy = match name {
            "random" | "uuid" | "now" | "current_date" | "current_time" | "today" => "write a literal instead",
            "md5" | "sha224" | "sha256" | "sha384" | "sha512" | "digest" | "encode" => {
                "group by the column itself, if it is a dimension"
            }
            "power" | "exp" | "ln" | "log" | "sqrt" => {
                "use the value itself; apply the function to the released result"
            }
            "regexp_like" | "regexp_match" | "regexp_replace" => "use LIKE, split_part, substr or replace",
            "to_char" => "use date_trunc or date_part, and format the released result",
            _ => "compute it on the released result, or ask the custodian to declare a derived column",
        };
        return Err(not_allowed(&format!("the function {name}"), remedy));
    };
    // A decimal with a digit to spare holds what it is rounded to.
    let has_room = |e: &Expr| {
        tables.type_of(e).is_some_and(|t| {
            t.is_floating() || matches!(t, DataType::Decimal128(digits, _) if i16::from(digits) < MAX_DIGITS)
        })
    };
    if entry.arguments.hold(args, has_room) {
        return Ok(());
    }
    let what = format!("the function {name} with these arguments");
    Err(not_allowed(&what, "write it as its rule says").with_rule(format!("{name}: {}", entry.arguments.rule())))
}

fn castable(inner: &Expr, target: &DataType, tables: &BaseTables) -> Result<(), Refusal> {
    if matches!(inner, Expr::Literal(..)) || tables.type_of(inner).is_some_and(|from| casts::is_allowed(&from, target))
    {
        return Ok(());
    }
    Err(not_allowed(
        "a cast to this type",
        "cast between numbers, text and dates only; use date_part for parts of a date",
    ))
}

/// Refuses comparisons of lists and other nested values.
fn comparable(sides: &[&Expr], tables: &BaseTables) -> Result<(), Refusal> {
    if sides.iter().any(|side| tables.type_of(side).is_none_or(|t| t.is_nested())) {
        return Err(not_allowed("a comparison of lists", "ask the custodian to declare a derived column"));
    }
    Ok(())
}

fn operator(binary: &BinaryExpr, tables: &BaseTables) -> Result<(), Refusal> {
    let BinaryExpr { left, op, right } = binary;
    match op {
        Operator::And | Operator::Or | Operator::StringConcat => Ok(()),
        Operator::Eq | Operator::NotEq | Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq => {
            comparable(&[left, right], tables)
        }
        Operator::IsDistinctFrom | Operator::IsNotDistinctFrom => comparable(&[left, right], tables),
        Operator::LikeMatch | Operator::ILikeMatch | Operator::NotLikeMatch | Operator::NotILikeMatch => {
            Err(not_allowed("a LIKE operator", "write LIKE with a literal pattern"))
        }
        Operator::Plus | Operator::Minus | Operator::Multiply | Operator::Divide | Operator::Modulo => {
            arithmetic(binary, tables)
        }
        Operator::RegexMatch | Operator::RegexIMatch | Operator::RegexNotMatch | Operator::RegexNotIMatch => {
            Err(not_allowed("a regular expression", "use LIKE with a literal pattern"))
        }
        Operator::BitwiseAnd
        | Operator::BitwiseOr
        | Operator::BitwiseXor
        | Operator::BitwiseShiftRight
        | Operator::BitwiseShiftLeft => Err(not_allowed("bit arithmetic", "use comparisons")),
        _ => Err(not_allowed("this operator", "use comparisons, + - * and logic")),
    }
}

/// Checks that arithmetic cannot fail: integers out of range are NULL and floats go to infinity, but a zero divisor, a decimal beyond its
/// digits and a time beyond the calendar are errors, so they are ruled out by types and literals.
fn arithmetic(binary: &BinaryExpr, tables: &BaseTables) -> Result<(), Refusal> {
    let BinaryExpr { left, op, right } = binary;
    let (Some(l), Some(r)) = (tables.type_of(left), tables.type_of(right)) else {
        return Err(not_allowed("arithmetic without a type", "cast both sides to one type"));
    };
    if l.is_temporal() || r.is_temporal() {
        return calendar(binary, &l, &r);
    }
    if matches!(op, Operator::Divide | Operator::Modulo) && !is_safe_divisor(right) {
        return Err(not_allowed("division by anything but a literal greater than zero", "divide the released results")
            .with_rule(
                "over non-public data a divisor is a literal greater than zero: dividing by a row's value may fail",
            ));
    }
    match (&l, &r) {
        (DataType::Decimal128(p1, s1), DataType::Decimal128(p2, s2)) => {
            let digits = decimal_digits(*op, (i16::from(*p1), i16::from(*s1)), (i16::from(*p2), i16::from(*s2)));
            if digits > MAX_DIGITS {
                return Err(not_allowed("decimal arithmetic beyond 38 digits", "CAST the columns to DOUBLE first"));
            }
            Ok(())
        }
        (DataType::Null, _) | (_, DataType::Null) => Ok(()),
        (l, r) if l.is_numeric() && r.is_numeric() && !is_decimal(l) && !is_decimal(r) => Ok(()),
        _ => Err(not_allowed("arithmetic of these types", "cast both sides to one numeric type")),
    }
}

fn is_decimal(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Decimal32(..) | DataType::Decimal64(..) | DataType::Decimal128(..) | DataType::Decimal256(..)
    )
}

/// Returns the digits that a decimal operation may need, intermediate results included.
fn decimal_digits(op: Operator, (p1, s1): (i16, i16), (p2, s2): (i16, i16)) -> i16 {
    let scale = s1.max(s2);
    match op {
        Operator::Multiply => p1 + p2 + 1,
        Operator::Divide => p1 + (s1 + 4).min(MAX_DIGITS) - s1 + s2,
        _ => (p1 - s1).max(p2 - s2) + scale + 1,
    }
}

/// Checks arithmetic with times: a column plus or minus a short literal interval, or the difference of two columns.
fn calendar(binary: &BinaryExpr, l: &DataType, r: &DataType) -> Result<(), Refusal> {
    let BinaryExpr { left, op, right } = binary;
    let is_point = |t: &DataType| matches!(t, DataType::Date32 | DataType::Timestamp(_, None));
    let fine = match op {
        Operator::Minus if is_point(l) && is_point(r) => is_steady(left) && is_steady(right),
        Operator::Plus | Operator::Minus if is_point(l) => is_steady(left) && is_short_interval(right),
        Operator::Plus if is_point(r) => is_steady(right) && is_short_interval(left),
        _ => false,
    };
    if fine {
        return Ok(());
    }
    Err(not_allowed("this arithmetic with times", "add a literal interval of at most ten years to a column"))
}

fn is_short_interval(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(ScalarValue::IntervalMonthDayNano(Some(v)), _) => {
            v.months.unsigned_abs() <= MAX_MONTHS.unsigned_abs()
                && v.days.unsigned_abs() <= MAX_DAYS.unsigned_abs()
                && v.nanoseconds.unsigned_abs() <= MAX_NANOS.unsigned_abs()
        }
        Expr::Literal(ScalarValue::IntervalYearMonth(Some(v)), _) => v.unsigned_abs() <= MAX_MONTHS.unsigned_abs(),
        Expr::Literal(ScalarValue::IntervalDayTime(Some(v)), _) => v.days.unsigned_abs() <= MAX_DAYS.unsigned_abs(),
        _ => false,
    }
}

fn is_safe_divisor(expr: &Expr) -> bool {
    let Expr::Literal(value, _) = expr else { return false };
    let float = value.cast_to(&DataType::Float64);
    matches!(float, Ok(ScalarValue::Float64(Some(v))) if v.is_finite() && v > 0.0)
}
