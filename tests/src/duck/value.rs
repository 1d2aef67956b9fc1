//! Values as DuckDB gives them, and their comparison with a federation's.
//!
//! Types differ and are not compared: DuckDB adds 64-bit integers up to a 128-bit one and gives the average of decimals as a
//! float. Values are. An exact number is compared exactly, unless one side is a float.

use serde_json::Value as Json;

use crate::compare::{self, Cell, Order, Rows};

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// No value.
    Null,
    /// A whole number, or a decimal of so many digits after the point.
    Number(i128, u32),
    /// A float.
    Float(f64),
    /// Text.
    Text(String),
    /// A truth value.
    Truth(bool),
    /// Days since 1970.
    Day(i64),
    /// Microseconds since 1970.
    Moment(i64),
    /// A list.
    List(Vec<Value>),
}

/// An answer of DuckDB's.
#[derive(Debug, Clone)]
pub struct DuckRows {
    /// The columns' names.
    pub names: Vec<String>,
    /// The rows.
    pub rows: Vec<Vec<Value>>,
}

impl DuckRows {
    pub(super) fn read(answer: &Json) -> Option<Self> {
        let names = answer["names"].as_array()?.iter().map(|name| Some(name.as_str()?.to_owned()));
        let rows = answer["rows"].as_array()?.iter().map(|row| row.as_array()?.iter().map(Value::read).collect());
        Some(Self { names: names.collect::<Option<_>>()?, rows: rows.collect::<Option<_>>()? })
    }
}

impl Value {
    fn read(json: &Json) -> Option<Self> {
        if json.is_null() {
            return Some(Self::Null);
        }
        let value = &json[1];
        Some(match json[0].as_str()? {
            "b" => Self::Truth(value.as_bool()?),
            "x" => Self::Number(value.as_str()?.parse().ok()?, u32::try_from(json[2].as_u64()?).ok()?),
            "f" => Self::Float(value.as_str()?.parse().ok()?),
            "u" => Self::Moment(value.as_i64()?),
            "d" => Self::Day(value.as_i64()?),
            "l" => Self::List(value.as_array()?.iter().map(Self::read).collect::<Option<_>>()?),
            _ => Self::Text(value.as_str()?.to_owned()),
        })
    }

    /// The value as a column of this type would hold it, in the words of [`compare`]; `got` is what stands there.
    fn like(&self, type_name: &str, got: &Cell) -> Cell {
        match (self, got) {
            (Self::Null, _) => Cell::Null,
            (Self::List(values), Cell::List(cells)) => {
                let item = type_name.strip_prefix("list(").and_then(|t| t.strip_suffix(')')).unwrap_or(type_name);
                let cells = cells.iter().map(Some).chain(std::iter::repeat(None));
                let values = values.iter().zip(cells);
                Cell::List(values.map(|(value, cell)| value.like(item, cell.unwrap_or(&Cell::Null))).collect())
            }
            (Self::List(values), _) => Cell::List(values.iter().map(|value| value.like("", got)).collect()),
            (Self::Float(value), Cell::Exact(exact)) => match decimal(exact) {
                Some((number, step)) if (number - value).abs() <= step + compare::TOLERANCE * value.abs() => {
                    got.clone()
                }
                _ => Cell::Float(*value),
            },
            (Self::Float(value), _) => Cell::Float(*value),
            (Self::Number(number, scale), _) if type_name.starts_with("Float") => {
                Cell::Float(*number as f64 / 10_f64.powf(f64::from(*scale)))
            }
            (Self::Number(number, scale), _) => {
                let text = compare::decimal(*number, i8::try_from(*scale).unwrap_or(i8::MAX));
                let whole = !type_name.starts_with("Decimal");
                Cell::Exact(text.strip_suffix("e-0").filter(|_| whole).map(str::to_owned).unwrap_or(text))
            }
            (Self::Text(text), _) => Cell::Exact(text.clone()),
            (Self::Truth(truth), _) => Cell::Exact(truth.to_string()),
            (Self::Day(day), _) if type_name.starts_with("Timestamp") => Cell::Exact(format!("µs {}", day * DAY)),
            (Self::Moment(moment), _) if type_name == "Date32" && moment % DAY == 0 => {
                Cell::Exact(format!("day {}", moment / DAY))
            }
            (Self::Day(day), _) => Cell::Exact(format!("day {day}")),
            (Self::Moment(moment), _) => Cell::Exact(format!("µs {moment}")),
        }
    }
}

/// Reads a cell's decimal, and the step between two decimals of its scale.
fn decimal(text: &str) -> Option<(f64, f64)> {
    let (digits, scale) = text.split_once("e-")?;
    let step = 10_f64.powi(-scale.parse::<i32>().ok()?);
    // Zeros at the end are cut off, so that the column's own scale is not known: an average has six digits at most here.
    Some((digits.parse::<f64>().ok()? * step, step.min(1e-5)))
}

/// The first difference of a federation's answer from DuckDB's, in words; `None` if there is none.
#[must_use]
pub fn difference(expected: &DuckRows, got: &Rows, order: Order) -> Option<String> {
    if expected.names.len() != got.names.len() {
        return Some(format!("columns: expected {:?}, got {:?}", expected.names, got.names));
    }
    // Floats against decimals need to know which row is compared with which: rows are brought into one order first.
    let expected_rows = paired(&expected.rows, got, order);
    let expected = Rows { names: got.names.clone(), types: got.types.clone(), rows: expected_rows };
    compare::difference(&expected, got, order)
}

/// DuckDB's rows as the columns of the other answer would hold them.
fn paired(rows: &[Vec<Value>], got: &Rows, order: Order) -> Vec<Vec<Cell>> {
    let convert = |row: &Vec<Value>, cells: Option<&Vec<Cell>>| -> Vec<Cell> {
        let columns = row.iter().zip(&got.types).enumerate();
        columns.map(|(i, (value, kind))| value.like(kind, cells.map_or(&Cell::Null, |cells| &cells[i]))).collect()
    };
    if order == Order::Total {
        return rows.iter().enumerate().map(|(i, row)| convert(row, got.rows.get(i))).collect();
    }
    let mut free: Vec<&Vec<Cell>> = got.rows.iter().collect();
    let same = |a: &[Cell], b: &[Cell]| a.iter().zip(b).all(|(a, b)| a.same(b));
    let pair = |row: &Vec<Value>| {
        let found = free.iter().position(|cells| same(&convert(row, Some(cells)), cells));
        found.map_or_else(|| convert(row, None), |index| convert(row, Some(free.swap_remove(index))))
    };
    rows.iter().map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn got(kind: &str, cells: Vec<Cell>) -> Rows {
        Rows { names: vec!["c".into()], types: vec![kind.into()], rows: cells.into_iter().map(|c| vec![c]).collect() }
    }

    fn expected(values: Vec<Value>) -> DuckRows {
        DuckRows { names: vec!["c".into()], rows: values.into_iter().map(|v| vec![v]).collect() }
    }

    #[test]
    fn values_are_compared_and_types_are_not() {
        let same = |kind: &str, value: Value, cell: Cell| {
            difference(&expected(vec![value]), &got(kind, vec![cell]), Order::Any)
        };
        assert_eq!(same("Int64", Value::Number(5, 0), Cell::Exact("5".into())), None);
        assert_eq!(same("Decimal128(38, 4)", Value::Number(1250, 2), Cell::Exact("125e-1".into())), None);
        assert_eq!(same("Decimal128(16, 6)", Value::Float(2.0 / 3.0), Cell::Exact("666666e-6".into())), None);
        assert_eq!(same("Float64", Value::Number(1250, 2), Cell::Float(12.5)), None);
        assert_eq!(same("Date32", Value::Moment(DAY), Cell::Exact("day 1".into())), None);
        assert_eq!(same("text", Value::Text("5".into()), Cell::Exact("5".into())), None);
        assert!(same("Int64", Value::Number(6, 0), Cell::Exact("5".into())).is_some());
        assert!(same("Int64", Value::Null, Cell::Exact("5".into())).is_some());
        assert!(same("Decimal128(16, 6)", Value::Float(0.7), Cell::Exact("666666e-6".into())).is_some());
        assert!(same("Float64", Value::Float(f64::NAN), Cell::Null).is_some());
    }

    #[test]
    fn a_row_is_paired_with_one_row_only() {
        let rows = expected(vec![Value::Float(1.0), Value::Float(1.0)]);
        let cells = |a: &str, b: &str| got("Decimal128(5, 2)", vec![Cell::Exact(a.into()), Cell::Exact(b.into())]);
        assert_eq!(difference(&rows, &cells("1e-0", "1e-0"), Order::Any), None);
        assert!(difference(&rows, &cells("1e-0", "2e-0"), Order::Any).is_some());
    }
}
