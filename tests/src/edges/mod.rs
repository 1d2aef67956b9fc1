//! A world of awkward values, and random queries over it: what engines get wrong lies at the edges.
//!
//! `gba.edge.t` is public and `gba.edge.p` protected, with the same rows: in Shenzhen many, in Hong Kong few, in Macau
//! none. Beside them lie small public tables of one owner: `k` with keys that repeat or are NULL, `o` to join it with,
//! `one` of a single row, `none` of no row, and `five` of numbers.

mod check;
mod forms;
mod from;
mod node;
mod query;

use std::sync::Arc;

use arrow::array::{ArrayRef, Decimal128Array};
use arrow::error::ArrowError;

pub use check::{Outcome, Tally, Three};
pub use query::EdgeQuery;

use crate::columns::{boolean, date, float64, hundredths, int32, int64, text, timestamp};
use crate::files::RawTable;
use crate::world::{World, WorldError};

/// The manifests of the world.
const MANIFESTS: &str = include_str!("../../worlds/edges.yaml");

/// Days since 1970 of the first day of the year 1 and of the last of the year 9999.
const DAYS: [i32; 2] = [-719_162, 2_932_896];
/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

/// A row but for its number: n, i, f, x, m in hundredths, w, s, g, b, d, ts.
type Row = (
    Option<i64>,
    Option<i32>,
    Option<f64>,
    Option<f64>,
    Option<i64>,
    Option<i128>,
    Option<&'static str>,
    Option<&'static str>,
    Option<bool>,
    Option<i32>,
    Option<i64>,
);

/// The greatest number of 38 digits.
const WIDEST: i128 = 10_i128.pow(38) - 1;

#[rustfmt::skip]
const SHENZHEN: &[Row] = &[
    (Some(1), Some(1), Some(1.5), Some(0.5), Some(150), Some(1), Some("a"), Some("u"), Some(true), Some(18_000), Some(18_000 * DAY)),
    (Some(2), Some(-1), Some(f64::NAN), Some(2.5), Some(-150), Some(-1), Some("b"), Some("u"), Some(false), Some(18_031), Some(18_031 * DAY + 3_600_000_000)),
    (None, None, None, None, None, None, None, None, None, None, None),
    (Some(i64::MAX), Some(i32::MAX), Some(f64::INFINITY), Some(1.0e6), Some(999_999_999_999), Some(WIDEST), Some(""), Some("v"), Some(true), Some(DAYS[1]), Some(DAYS[1] as i64 * DAY)),
    (Some(i64::MIN), Some(i32::MIN), Some(f64::NEG_INFINITY), Some(-1.0e6), Some(-999_999_999_999), Some(-WIDEST), Some("it's"), Some("v"), Some(false), Some(DAYS[0]), Some(DAYS[0] as i64 * DAY)),
    (Some(0), Some(0), Some(0.0), Some(0.0), Some(0), Some(0), Some("%"), Some("u"), None, Some(0), Some(0)),
    (Some(3), Some(2), Some(-2.25), Some(-2.5), Some(5), Some(7), Some("A\"b"), None, Some(true), None, Some(-1)),
    (Some(2), Some(2), Some(1.0e308), Some(1.5), Some(250), None, Some("深圳"), Some("u"), Some(true), Some(18_000), None),
    (None, Some(3), Some(5.0e-324), None, Some(350), Some(12), Some("a_b"), Some(""), Some(false), Some(18_262), Some(18_262 * DAY + 86_399_999_999)),
    (Some(-7), Some(7), Some(7.0), Some(3.5), None, Some(5), Some("ab"), Some("v"), None, Some(11_016), Some(11_016 * DAY)),
    (Some(7), None, None, Some(0.5), Some(150), Some(1), None, Some("u"), Some(true), Some(18_000), Some(18_000 * DAY)),
    (Some(1), Some(1), Some(1.5), Some(0.5), Some(150), Some(1), Some("a"), Some("u"), Some(true), Some(18_000), Some(18_000 * DAY)),
];

#[rustfmt::skip]
const HONG_KONG: &[Row] = &[
    (Some(1), Some(1), Some(f64::NAN), Some(4.5), Some(150), Some(3), Some("a"), Some("u"), Some(false), Some(18_000), Some(18_000 * DAY)),
    (Some(-2), Some(-5), Some(2.5), None, Some(-5), Some(-3), Some("B"), None, Some(true), Some(19_000), Some(19_000 * DAY + 1)),
    (None, Some(4), Some(-0.5), Some(-1.5), Some(1), None, Some("é"), Some("v"), None, None, None),
];

/// Rows with their numbers.
type Numbered<'a> = Vec<(i64, &'a Row)>;

fn columns(rows: &Numbered) -> Result<Vec<(&'static str, ArrayRef)>, ArrowError> {
    let wide: Decimal128Array = rows.iter().map(|(_, r)| r.5).collect();
    Ok(vec![
        ("id", int64(rows.iter().map(|(id, _)| Some(*id)))),
        ("n", int64(rows.iter().map(|(_, r)| r.0))),
        ("i", int32(rows.iter().map(|(_, r)| r.1))),
        ("f", float64(rows.iter().map(|(_, r)| r.2))),
        ("x", float64(rows.iter().map(|(_, r)| r.3))),
        ("m", hundredths(rows.iter().map(|(_, r)| r.4))?),
        ("w", Arc::new(wide.with_precision_and_scale(38, 0)?)),
        ("s", text(rows.iter().map(|(_, r)| r.6))),
        ("g", text(rows.iter().map(|(_, r)| r.7))),
        ("b", boolean(rows.iter().map(|(_, r)| r.8))),
        ("d", date(rows.iter().map(|(_, r)| r.9))),
        ("ts", timestamp(rows.iter().map(|(_, r)| r.10))),
    ])
}

/// A small table of whole numbers and a text.
fn small(file: &str, rows: &[(Option<i64>, Option<i64>, Option<&str>)]) -> Result<RawTable, ArrowError> {
    RawTable::new(
        file,
        vec![
            ("k", int64(rows.iter().map(|r| r.0))),
            ("v", int64(rows.iter().map(|r| r.1))),
            ("s", text(rows.iter().map(|r| r.2))),
        ],
    )
}

/// Five columns of whole numbers around 100, of which one in seven is NULL: the table of `SQLite`'s first tests.
fn five() -> Result<RawTable, ArrowError> {
    let column = |place: i64| {
        let value = move |row: i64| ((row * 3 + place) % 7 != 0).then_some(100 + row * 5 + (row * 7 + place * 3) % 5);
        int64((0..30).map(value))
    };
    let names = ["a", "b", "c", "d", "e"];
    RawTable::new("hongkong/five.parquet", names.into_iter().zip((0..5).map(column)).collect())
}

/// The numbers of all rows of `t` and `p`.
fn numbers() -> Vec<i64> {
    OWNERS.iter().flat_map(|(_, first, rows)| (*first..).take(rows.len())).collect()
}

/// The folder, the first number and the rows of each owner.
const OWNERS: [(&str, i64, &[Row]); 3] = [("shenzhen", 1, SHENZHEN), ("hongkong", 101, HONG_KONG), ("macau", 201, &[])];

fn tables(kept: &[i64]) -> Result<Vec<RawTable>, ArrowError> {
    let mut tables = Vec::new();
    for (folder, first, rows) in OWNERS {
        let rows: Numbered = (first..).zip(rows).filter(|(id, _)| kept.contains(id)).collect();
        for table in ["t", "p"] {
            tables.push(RawTable::new(&format!("{folder}/{table}.parquet"), columns(&rows)?)?);
        }
    }
    let keys = [
        (Some(1), Some(10), Some("a")),
        (Some(1), None, Some("")),
        (Some(2), Some(20), None),
        (Some(3), Some(10), Some("b")),
        (None, Some(30), Some("a")),
        (None, None, None),
    ];
    tables.push(small("hongkong/k.parquet", &keys)?);
    tables.push(small("shenzhen/one.parquet", &[(Some(1), None, Some("a"))])?);
    tables.push(small("macau/none.parquet", &[])?);
    tables.push(five()?);
    let others = [(Some(1), Some("x")), (Some(1), Some("y")), (Some(4), Some("z")), (None, Some("x")), (Some(3), None)];
    tables.push(RawTable::new(
        "hongkong/o.parquet",
        vec![("k", int64(others.iter().map(|r| r.0))), ("z", text(others.iter().map(|r| r.1)))],
    )?);
    Ok(tables)
}

/// The world. Its rule is one of one unit: every cell is released.
///
/// # Errors
/// If it cannot be written.
pub fn world() -> Result<World, WorldError> {
    world_of(&numbers())
}

/// The world with these rows of `t` and `p` alone.
fn world_of(kept: &[i64]) -> Result<World, WorldError> {
    World::new(&MANIFESTS.replace("MIN_UNITS", "1"), &tables(kept).map_err(WorldError::new)?)
}
