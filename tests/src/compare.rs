//! Comparison of two answers: rows as values, floats within a relative tolerance, order only where it is asked for.
//!
//! Sums of floats depend on the order of addition, and a federation adds in another order than one process does. So
//! floats may differ by [`TOLERANCE`]; everything else, decimals and types included, must be equal.

use std::collections::BTreeMap;
use std::fmt;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, SchemaRef, TimeUnit, TimestampMicrosecondType, TimestampNanosecondType,
};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};

/// The relative difference that two floats may have.
pub const TOLERANCE: f64 = 1e-9;

/// Below this, floats are compared absolutely: a variance of equal values is 0 in one order and 1e-17 in another.
const FLOOR: f64 = 1e-4;

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// No value.
    Null,
    /// A float, compared with a tolerance.
    Float(f64),
    /// Any other value, in a form that is equal if and only if the values are.
    Exact(String),
    /// A list of values.
    List(Vec<Cell>),
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("NULL"),
            Self::Float(value) => write!(f, "{value:?}"),
            Self::Exact(text) => f.write_str(text),
            Self::List(items) => {
                let items: Vec<String> = items.iter().map(ToString::to_string).collect();
                write!(f, "[{}]", items.join(", "))
            }
        }
    }
}

impl Cell {
    /// Returns true if two values are the same, within [`TOLERANCE`] for floats.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Float(a), Self::Float(b)) => same_float(*a, *b),
            (Self::List(a), Self::List(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.same(b)),
            _ => self == other,
        }
    }

    /// Returns the part of a value that must be equal exactly: all of it but the digits of a float.
    fn exact_part(&self) -> String {
        match self {
            Self::Float(_) => "~".into(),
            Self::List(items) => format!("[{}]", items.iter().map(Self::exact_part).collect::<Vec<_>>().join(",")),
            exact => format!("{exact:?}"),
        }
    }
}

fn same_float(a: f64, b: f64) -> bool {
    if a.is_nan() || b.is_nan() {
        return a.is_nan() && b.is_nan();
    }
    if a.is_infinite() || b.is_infinite() {
        return a.total_cmp(&b).is_eq();
    }
    (a - b).abs() <= TOLERANCE * a.abs().max(b.abs()).max(FLOOR)
}

/// An answer as values.
#[derive(Debug, Clone, Default)]
pub struct Rows {
    /// The columns' names.
    pub names: Vec<String>,
    /// The columns' types, text being text however it is held.
    pub types: Vec<String>,
    /// The rows, in the order in which they came.
    pub rows: Vec<Vec<Cell>>,
}

impl Rows {
    /// Reads an answer.
    pub fn read(schema: &SchemaRef, batches: &[RecordBatch]) -> Result<Self, ArrowError> {
        let names = schema.fields().iter().map(|f| f.name().clone()).collect();
        let types = schema.fields().iter().map(|f| type_name(f.data_type())).collect();
        let mut rows = Vec::new();
        for batch in batches {
            for row in 0..batch.num_rows() {
                rows.push(batch.columns().iter().map(|c| cell(c, row)).collect::<Result<_, _>>()?);
            }
        }
        Ok(Self { names, types, rows })
    }
}

/// A type's name. Text is text, whether in views or not, and the names of list items do not matter.
fn type_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "text".into(),
        DataType::Dictionary(_, value) => type_name(value),
        DataType::List(item) | DataType::LargeList(item) => format!("list({})", type_name(item.data_type())),
        // The oracle's times are in nanoseconds where this project's are in microseconds.
        DataType::Timestamp(TimeUnit::Nanosecond, None) => DataType::Timestamp(TimeUnit::Microsecond, None).to_string(),
        other => other.to_string(),
    }
}

fn cell(array: &dyn Array, row: usize) -> Result<Cell, ArrowError> {
    if array.is_null(row) {
        return Ok(Cell::Null);
    }
    Ok(match array.data_type() {
        DataType::Null => Cell::Null,
        DataType::Float64 => Cell::Float(array.as_primitive::<arrow::datatypes::Float64Type>().value(row)),
        DataType::Float32 => Cell::Float(f64::from(array.as_primitive::<arrow::datatypes::Float32Type>().value(row))),
        DataType::Decimal128(_, scale) => {
            Cell::Exact(decimal(array.as_primitive::<Decimal128Type>().value(row), *scale))
        }
        DataType::Date32 => Cell::Exact(format!("day {}", array.as_primitive::<Date32Type>().value(row))),
        DataType::Timestamp(TimeUnit::Microsecond, None) => {
            Cell::Exact(format!("µs {}", array.as_primitive::<TimestampMicrosecondType>().value(row)))
        }
        // A literal time counts nanoseconds.
        DataType::Timestamp(TimeUnit::Nanosecond, None) => {
            let value = array.as_primitive::<TimestampNanosecondType>().value(row);
            if value % 1_000 == 0 {
                Cell::Exact(format!("µs {}", value / 1_000))
            } else {
                Cell::Exact(format!("ns {value}"))
            }
        }
        DataType::List(_) => {
            let items = array.as_list::<i32>().value(row);
            Cell::List((0..items.len()).map(|i| cell(&items, i)).collect::<Result<_, _>>()?)
        }
        _ => Cell::Exact(ArrayFormatter::try_new(array, &FormatOptions::default())?.value(row).try_to_string()?),
    })
}

/// A decimal without its trailing zeros, so that equal numbers are equal text whatever their scale.
#[must_use]
pub fn decimal(value: i128, scale: i8) -> String {
    let (mut value, mut scale) = (value, scale);
    while scale > 0 && value % 10 == 0 {
        value /= 10;
        scale -= 1;
    }
    format!("{value}e-{scale}")
}

/// Order of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Rows may come in any order.
    Any,
    /// Rows must come in the same order: the query has an ORDER BY that leaves no ties.
    Total,
}

/// The first difference between two answers, in words; `None` if they are the same.
#[must_use]
pub fn difference(expected: &Rows, got: &Rows, order: Order) -> Option<String> {
    if expected.names != got.names {
        return Some(format!("columns: expected {:?}, got {:?}", expected.names, got.names));
    }
    if expected.types != got.types {
        return Some(format!("types: expected {:?}, got {:?}", expected.types, got.types));
    }
    if expected.rows.len() != got.rows.len() {
        let sample = unmatched(expected, got);
        return Some(format!("rows: expected {}, got {}{sample}", expected.rows.len(), got.rows.len()));
    }
    match order {
        Order::Total => expected.rows.iter().zip(&got.rows).enumerate().find_map(|(i, (a, b))| {
            (!same_row(a, b)).then(|| format!("row {i}: expected {}, got {}", text(a), text(b)))
        }),
        Order::Any => {
            let sample = unmatched(expected, got);
            (!sample.is_empty()).then(|| format!("rows differ{sample}"))
        }
    }
}

fn same_row(a: &[Cell], b: &[Cell]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.same(b))
}

/// Like [`difference`], of an `expected` answer whose quotients of decimals are cut off after their last digit, as the engine
/// leaves them, where `got` has them rounded half away from zero: decimals with at least 5 digits after the point, which
/// quotients have, may be larger by one in the last one.
#[must_use]
pub fn difference_but_cut(expected: &Rows, got: &Rows, order: Order) -> Option<String> {
    let found = difference(expected, got, order)?;
    if expected.names != got.names || expected.types != got.types || expected.rows.len() != got.rows.len() {
        return Some(found);
    }
    let scales: Vec<Option<u32>> = expected.types.iter().map(|name| scale_of_quotient(name)).collect();
    let same = |a: &[Cell], b: &[Cell]| {
        a.iter().zip(b).zip(&scales).all(|((a, b), scale)| a.same(b) || scale.is_some_and(|scale| is_cut(a, b, scale)))
    };
    let all = match order {
        Order::Total => expected.rows.iter().zip(&got.rows).all(|(a, b)| same(a, b)),
        Order::Any => {
            let mut left: Vec<&Vec<Cell>> = got.rows.iter().collect();
            expected.rows.iter().all(|row| {
                let index = left.iter().position(|candidate| same(row, candidate));
                index.map(|index| left.swap_remove(index)).is_some()
            })
        }
    };
    if all { None } else { Some(found) }
}

/// Returns the digits after the point of a type that a quotient of decimals can have.
fn scale_of_quotient(type_name: &str) -> Option<u32> {
    let scale = type_name.strip_prefix("Decimal128(")?.strip_suffix(')')?.split_once(", ")?.1.parse().ok()?;
    (scale >= 5).then_some(scale)
}

/// Returns true if `whole` is `cut`, or the next decimal of this scale away from zero.
fn is_cut(cut: &Cell, whole: &Cell, scale: u32) -> bool {
    let value = |cell: &Cell| {
        let Cell::Exact(text) = cell else { return None };
        let (value, power) = text.split_once("e-")?;
        let (value, power) = (value.parse::<i128>().ok()?, power.parse::<u32>().ok()?);
        value.checked_mul(10_i128.checked_pow(scale.checked_sub(power)?)?)
    };
    match (value(cut), value(whole)) {
        (Some(0), Some(whole)) => whole.abs() <= 1,
        (Some(cut), Some(whole)) => whole - cut == 0 || whole - cut == cut.signum(),
        _ => false,
    }
}

fn text(row: &[Cell]) -> String {
    let cells: Vec<String> = row.iter().map(ToString::to_string).collect();
    format!("({})", cells.join(", "))
}

/// Matches rows one to one and describes a few of those left over on either side; empty if none is.
fn unmatched(expected: &Rows, got: &Rows) -> String {
    let mut groups: BTreeMap<Vec<String>, (Vec<&Vec<Cell>>, Vec<&Vec<Cell>>)> = BTreeMap::new();
    let key = |row: &[Cell]| row.iter().map(Cell::exact_part).collect::<Vec<_>>();
    for row in &expected.rows {
        groups.entry(key(row)).or_default().0.push(row);
    }
    for row in &got.rows {
        groups.entry(key(row)).or_default().1.push(row);
    }
    let (mut missing, mut extra) = (Vec::new(), Vec::new());
    for (left, mut right) in groups.into_values() {
        for row in left {
            match right.iter().position(|candidate| same_row(row, candidate)) {
                Some(index) => drop(right.swap_remove(index)),
                None => missing.push(text(row)),
            }
        }
        extra.extend(right.into_iter().map(|row| text(row)));
    }
    let mut words = String::new();
    for (what, rows) in [("missing", missing), ("not expected", extra)] {
        if !rows.is_empty() {
            let sample: Vec<String> = rows.iter().take(3).cloned().collect();
            words += &format!("; {what} {}: {}", rows.len(), sample.join(" "));
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(values: &[(&str, f64)]) -> Rows {
        let rows = values.iter().map(|(t, f)| vec![Cell::Exact((*t).into()), Cell::Float(*f)]).collect();
        Rows { names: vec!["t".into(), "f".into()], types: vec!["text".into(), "Float64".into()], rows }
    }

    #[test]
    fn order_matters_only_where_asked_and_floats_have_a_tolerance() {
        let a = rows(&[("x", 1.0), ("y", 2.0), ("x", 3.0)]);
        let b = rows(&[("x", 3.0 + 1e-12), ("x", 1.0 - 1e-12), ("y", 2.0)]);
        assert_eq!(difference(&a, &b, Order::Any), None);
        assert!(difference(&a, &b, Order::Total).unwrap().starts_with("row 0"));
        let c = rows(&[("x", 3.0), ("x", 1.000_001), ("y", 2.0)]);
        assert_eq!(
            difference(&a, &c, Order::Any).unwrap(),
            "rows differ; missing 1: (x, 1.0); not expected 1: (x, 1.000001)"
        );
    }

    #[test]
    fn a_row_that_came_twice_is_noticed() {
        let a = rows(&[("x", 1.0), ("y", 2.0)]);
        let b = rows(&[("x", 1.0), ("x", 1.0)]);
        assert!(difference(&a, &b, Order::Any).is_some());
        assert!(difference(&a, &rows(&[("x", 1.0)]), Order::Any).unwrap().starts_with("rows: expected 2, got 1"));
    }

    #[test]
    fn only_the_last_digit_of_a_quotient_may_be_rounded() {
        let of = |text: &str| Rows {
            names: vec!["q".into()],
            types: vec!["Decimal128(16, 6)".into()],
            rows: vec![vec![Cell::Exact(text.into())]],
        };
        for (cut, rounded, same) in [
            ("1666666e-6", "1666667e-6", true),
            ("-1666666e-6", "-1666667e-6", true),
            ("0e-0", "1e-6", true),
            ("1666666e-6", "1666665e-6", false),
            ("1666666e-6", "1666668e-6", false),
            ("19e-1", "19e-1", true),
        ] {
            for order in [Order::Any, Order::Total] {
                assert_eq!(difference_but_cut(&of(cut), &of(rounded), order).is_none(), same, "{cut} {rounded}");
            }
        }
    }

    #[test]
    fn decimals_are_equal_by_value() {
        assert_eq!(decimal(1200, 2), decimal(12, 0));
        assert_ne!(decimal(1201, 2), decimal(12, 0));
    }
}
