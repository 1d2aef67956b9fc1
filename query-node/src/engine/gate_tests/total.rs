//! Admitted expressions cannot fail: a failure that depends on a row tells something of that row. Random expressions of
//! every allowed kind, and of kinds that are not, over a table whose values are the extremes of their types. Those that
//! admission takes must run, or fail as they do over a table without a row.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int32Array, Int64Array, StringArray,
    TimestampMicrosecondArray,
};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use wanqu_rules::admission::Shape;

use super::*;

/// Number of texts to try.
const TEXTS: usize = 1_500;

const COLUMNS: &str = "unit: string identifier; i: int32 dimension; n: int64 measure; f: float64 measure; \
                       small: decimal(4,2) measure; large: decimal(38,10) measure; t: string dimension; \
                       d: date dimension; s: timestamp dimension; b: boolean dimension";

fn extremes() -> RecordBatch {
    let (ints, longs) = ([0, 1, -1, i32::MAX, i32::MIN, 7], [0, 1, -1, i64::MAX, i64::MIN, 7]);
    let floats = [0.0, f64::NAN, f64::INFINITY, f64::MIN, f64::MIN_POSITIVE, -1.5];
    let small = [0, 9_999, -9_999, 9_950, -9_950, 1];
    let largest = 10_i128.pow(38) - 1;
    let large = [0, largest, -largest, largest / 2, 1, -1];
    let texts = ["", "month", "2020-02-30", "99999999999999999999", "日本\u{0}é", "-1e400"];
    // The calendar's ends as the engine knows them, and far beyond.
    let dates = [0, i32::MAX, i32::MIN, 2_932_896, -719_162, 106_751];
    let times = [0, i64::MAX, i64::MIN, 253_402_300_799_999_999, -62_135_596_800_000_000, 9_223_372_036_854_775];
    let rows = 30;
    let at = |row: usize, step: usize| (row * step + row / 6) % 6;
    let column = |step: usize, null: usize| (0..rows).map(move |row| (row % null != 0).then(|| at(row, step)));
    let decimal = |values: [i128; 6], precision, scale| -> ArrayRef {
        let array: Decimal128Array = column(5, 7).map(|at| at.map(|at| values[at])).collect();
        Arc::new(array.with_precision_and_scale(precision, scale).unwrap())
    };
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("unit", Arc::new((0..rows).map(|row| Some(format!("u{row}"))).collect::<StringArray>())),
        ("i", Arc::new(column(1, 11).map(|at| at.map(|at| ints[at])).collect::<Int32Array>())),
        ("n", Arc::new(column(1, 7).map(|at| at.map(|at| longs[at])).collect::<Int64Array>())),
        ("f", Arc::new(column(5, 9).map(|at| at.map(|at| floats[at])).collect::<Float64Array>())),
        ("small", decimal(small, 4, 2)),
        ("large", decimal(large, 38, 10)),
        ("t", Arc::new(column(1, 8).map(|at| at.map(|at| texts[at])).collect::<StringArray>())),
        ("d", Arc::new(column(5, 6).map(|at| at.map(|at| dates[at])).collect::<Date32Array>())),
        ("s", Arc::new(column(1, 9).map(|at| at.map(|at| times[at])).collect::<TimestampMicrosecondArray>())),
        ("b", Arc::new((0..rows).map(|row| (row % 5 != 0).then_some(row % 2 == 0)).collect::<BooleanArray>())),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

/// Writes expressions.
struct Writer(StdRng);

impl Writer {
    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of.choose(&mut self.0).unwrap()
    }

    fn integer(&mut self) -> &'static str {
        self.one(&["0", "1", "-1", "2", "3", "-3", "2147483647", "-2147483648", "9223372036854775807", "NULL"])
    }

    fn word(&mut self) -> String {
        let units = [
            "month",
            "QUARTER",
            "week",
            "day",
            "hour",
            "second",
            "millisecond",
            "microsecond",
            "nanosecond",
            "epoch",
            "isodow",
            "isoyear",
            "doy",
            "year",
            "century",
            "x",
        ];
        let others = ["", "a", "日", "2020-01-01", "9999-12-31T23:59:59", "1e400", "-1", "%", "_"];
        let long = "ab".repeat(150);
        let word = if self.0.random_ratio(1, 2) { self.one(&units) } else { self.one(&others) };
        let word = if self.0.random_ratio(1, 30) { &long } else { word };
        if self.0.random_ratio(1, 20) { "NULL".to_owned() } else { format!("'{word}'") }
    }

    fn interval(&mut self) -> &'static str {
        self.one(&[
            "INTERVAL '1 day'",
            "INTERVAL '0 days'",
            "INTERVAL '-1 day'",
            "INTERVAL '10 years'",
            "INTERVAL '1 month'",
            "INTERVAL '-1 month'",
            "INTERVAL '1 month 1 day'",
            "INTERVAL '1 nanosecond'",
            "INTERVAL '3660 days'",
            "INTERVAL '90000 hours'",
            "NULL",
        ])
    }

    fn point(&mut self) -> &'static str {
        self.one(&[
            "DATE '0001-01-01'",
            "DATE '9999-12-31'",
            "DATE '2020-01-01'",
            "TIMESTAMP '1677-09-21T00:12:44'",
            "TIMESTAMP '2262-04-11T23:47:16'",
            "TIMESTAMP '2020-01-01T00:00:00'",
            "NULL",
        ])
    }

    fn kind(&mut self) -> &'static str {
        self.one(&[
            "TINYINT",
            "INT",
            "BIGINT",
            "BIGINT UNSIGNED",
            "REAL",
            "DOUBLE",
            "DECIMAL(38,0)",
            "DECIMAL(38,38)",
            "DECIMAL(5,2)",
            "DECIMAL(1,0)",
            "VARCHAR",
            "DATE",
            "TIMESTAMP",
            "TIMESTAMP(0)",
            "TIMESTAMP(3)",
            "TIMESTAMP(6)",
            "BOOLEAN",
        ])
    }

    /// An expression of any type.
    fn any(&mut self, depth: u32) -> String {
        match self.0.random_range(0..5) {
            0 => self.number(depth),
            1 => self.text(depth),
            2 => self.time(depth),
            3 => self.truth(depth),
            _ => {
                let (inner, kind) = (self.leaf_or(depth, Self::any), self.kind());
                let word = self.one(&["CAST", "TRY_CAST"]);
                format!("{word}({inner} AS {kind})")
            }
        }
    }

    fn leaf_or(&mut self, depth: u32, other: impl Fn(&mut Self, u32) -> String) -> String {
        if depth == 0 {
            return self.one(&["i", "n", "f", "small", "large", "t", "d", "s", "b"]).to_owned();
        }
        other(self, depth - 1)
    }

    fn number(&mut self, depth: u32) -> String {
        if depth == 0 {
            let column = self.one(&["i", "n", "f", "small", "large"]);
            return if self.0.random_ratio(1, 5) { self.integer().to_owned() } else { column.to_owned() };
        }
        let (a, b) = (self.number(depth - 1), self.number(depth - 1));
        let literal = self.integer();
        match self.0.random_range(0..14) {
            0 => format!("({a} + {b})"),
            1 => format!("({a} - {b})"),
            2 => format!("({a} * {b})"),
            3 => format!("({a} / {literal})"),
            4 => format!("({a} % {literal})"),
            5 => format!("{}({a})", self.one(&["abs", "ceil", "floor", "round", "signum", "trunc"])),
            6 => format!("{}({a}, {literal})", self.one(&["round", "trunc"])),
            7 => format!("(- {a})"),
            8 => format!("{}({})", self.one(&["ascii", "character_length", "octet_length"]), self.text(depth - 1)),
            9 => format!("strpos({}, {})", self.text(depth - 1), self.word()),
            10 => format!("date_part({}, {})", self.word(), self.time(depth - 1)),
            11 => format!("{}({a}, {b})", self.one(&["coalesce", "greatest", "least", "nullif", "nvl"])),
            12 => format!("CASE WHEN {} THEN {a} ELSE {b} END", self.truth(depth - 1)),
            _ => {
                let kind = self.one(&["TINYINT", "INT", "BIGINT", "REAL", "DOUBLE", "DECIMAL(38,0)", "DECIMAL(5,2)"]);
                format!("CAST({} AS {kind})", self.any(depth - 1))
            }
        }
    }

    fn text(&mut self, depth: u32) -> String {
        if depth == 0 {
            return if self.0.random_ratio(1, 4) { self.word() } else { "t".to_owned() };
        }
        let (a, b, word) = (self.text(depth - 1), self.text(depth - 1), self.word());
        match self.0.random_range(0..12) {
            0 => format!("({a} || {b})"),
            1 => format!("{}({a}, {b}, {a})", self.one(&["concat", "coalesce", "greatest", "least"])),
            2 => format!("concat_ws({word}, {a}, {b})"),
            3 => format!("{}({a})", self.one(&["initcap", "lower", "upper", "reverse", "btrim", "ltrim", "rtrim"])),
            4 => format!("{}({a}, {word})", self.one(&["btrim", "ltrim", "rtrim"])),
            5 => format!("{}({a}, {})", self.one(&["left", "right"]), self.integer()),
            6 => format!("replace({a}, {word}, {})", self.word()),
            7 => format!("split_part({a}, {word}, {})", self.integer()),
            8 => format!("substr({a}, {})", self.integer()),
            9 => format!("substr({a}, {}, {})", self.integer(), self.integer()),
            10 => format!("CASE WHEN {} THEN {a} ELSE {b} END", self.truth(depth - 1)),
            _ => format!("CAST({} AS VARCHAR)", self.any(depth - 1)),
        }
    }

    fn time(&mut self, depth: u32) -> String {
        if depth == 0 {
            return if self.0.random_ratio(1, 5) { self.point() } else { self.one(&["d", "s"]) }.to_owned();
        }
        let (a, b) = (self.time(depth - 1), self.time(depth - 1));
        match self.0.random_range(0..9) {
            0 => format!("({a} + {})", self.interval()),
            1 => format!("({a} - {})", self.interval()),
            2 => format!("({a} - {b})"),
            3 => format!("date_trunc({}, {a})", self.word()),
            4 => format!("date_bin({}, {a})", self.interval()),
            5 => format!("date_bin({}, {a}, {})", self.interval(), self.point()),
            6 => format!("{}({a}, {b})", self.one(&["coalesce", "greatest", "least", "nullif"])),
            7 => format!("CASE WHEN {} THEN {a} ELSE {b} END", self.truth(depth - 1)),
            _ => {
                let kind = self.one(&["DATE", "TIMESTAMP", "TIMESTAMP(0)", "TIMESTAMP(3)", "TIMESTAMP(6)"]);
                format!("CAST({} AS {kind})", self.any(depth - 1))
            }
        }
    }

    fn truth(&mut self, depth: u32) -> String {
        if depth == 0 {
            return "b".to_owned();
        }
        let op = self.one(&["=", "<>", "<", ">=", "IS DISTINCT FROM"]);
        match self.0.random_range(0..8) {
            0 => format!("({} {op} {})", self.number(depth - 1), self.number(depth - 1)),
            1 => format!("({} {op} {})", self.text(depth - 1), self.text(depth - 1)),
            2 => format!("({} {op} {})", self.time(depth - 1), self.time(depth - 1)),
            3 => format!("({} AND NOT {})", self.truth(depth - 1), self.truth(depth - 1)),
            4 => format!("({} IS NULL)", self.any(depth - 1)),
            5 => format!("({} LIKE {})", self.text(depth - 1), self.word()),
            6 => format!(
                "{}({}, {})",
                self.one(&["contains", "starts_with", "ends_with"]),
                self.text(depth - 1),
                self.word()
            ),
            _ => format!("({} IN ({}, {}))", self.number(depth - 1), self.integer(), self.integer()),
        }
    }

    fn query(&mut self) -> String {
        let depth = self.0.random_range(1..4);
        let expr = self.any(depth);
        let number = self.number(depth);
        let table = "FROM shenzhen.d.people";
        match self.0.random_range(0..6) {
            0 => format!("SELECT count(*) AS n {table} WHERE ({expr}) IS NOT NULL"),
            1 => format!("SELECT count(*) AS n {table} WHERE {}", self.truth(depth)),
            2 => format!("SELECT {expr} AS g, count(*) AS n {table} GROUP BY 1"),
            3 => format!("SELECT count({expr}) AS n {table}"),
            4 => format!("SELECT {}({number}) AS n {table}", self.one(&["sum", "avg", "var_samp", "stddev_pop"])),
            _ => format!("SELECT sum({number}) FILTER (WHERE {}) AS n, count(*) AS m {table}", self.truth(depth)),
        }
    }
}

#[tokio::test]
async fn admitted_expressions_fail_on_no_value() {
    let table = |rows: &RecordBatch| {
        let mut fixture = Fixture::new();
        fixture.write_parquet("people.parquet", rows);
        fixture.dataset("people", "people.parquet", SourceFormat::Parquet, COLUMNS, rule(1, 1));
        fixture
    };
    let (fixture, empty) = (table(&extremes()), table(&extremes().slice(0, 0)));
    let (engine, nobody) = (fixture.engine().unwrap(), empty.engine().unwrap());
    let seed = std::env::var("WANQU_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(7);
    let texts = std::env::var("WANQU_TEXTS").ok().and_then(|texts| texts.parse().ok()).unwrap_or(TEXTS);
    let mut writer = Writer(StdRng::seed_from_u64(seed));
    let (mut admitted, mut failed) = (0, Vec::new());
    for _ in 0..texts {
        let sql = writer.query();
        let Ok(fragment) = super::admitted(&fixture, &sql) else { continue };
        assert!(matches!(fragment.shape(), Shape::Gated(_)), "{sql} is public");
        admitted += 1;
        let released = wanqu_gate::release(&fragment, &engine, &NoLedger).await;
        if let Err(refusal) = released
            && wanqu_gate::release(&fragment, &nobody, &NoLedger).await.is_ok()
        {
            failed.push(format!("{sql}\n    {refusal}"));
        }
    }
    eprintln!("{admitted} of {texts} texts were admitted");
    assert!(admitted > texts / 20, "{admitted} of {texts} were admitted: too few to say anything");
    assert!(failed.is_empty(), "{} failed:\n{}", failed.len(), failed.join("\n"));
}

/// A declared value that is never NULL, and fails for one person alone.
#[tokio::test]
async fn a_value_that_fails_is_counted_like_one_that_is_not_there() {
    let mut fixture = Fixture::new();
    let levels = (0..11).map(|person| (person != 4).then_some(1_i64));
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("unit", Arc::new((0..11).map(|person| Some(format!("u{person}"))).collect::<StringArray>())),
        ("n", Arc::new(levels.collect::<Int64Array>())),
    ];
    fixture.write_parquet("stays.parquet", &RecordBatch::try_from_iter(columns).unwrap());
    let (columns, format) = ("unit: string identifier; n: int64 dimension", SourceFormat::Parquet);
    fixture.dataset("stays", "stays.parquet", format, columns, rule(3, 1));
    let level = "coalesce(n, -9223372036854775808)";
    fixture.common("stays", "stays", &format!("unit: string identifier = unit; level: int64 dimension = {level}"));
    let all = release(&fixture, "SELECT count(*) AS b FROM gba.d.stays").await.unwrap();
    assert_eq!(all, [["11"]]);
    let sql = "SELECT count(abs(level)) AS a, count(*) AS b FROM gba.d.stays";
    let rows = release(&fixture, sql).await.unwrap();
    assert_eq!(rows, [["-", "11"]], "one person less tells of that person");
}
