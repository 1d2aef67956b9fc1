//! Points in time before 1970, in columns and in constants, over public rows and behind the gate: what is cut is brought down.

use wanqu_model::bundle::SourceFormat;

use super::fixture::{Fixture, rule};
use super::number_tests::{Over, rows_of};

const RECORDS: &str = "id,t
1,1969-12-31 23:59:59.999999
2,1969-12-31 22:58:57.123456
3,0001-01-01 00:00:00.000001
4,9999-12-31 23:59:59.500000
";

/// The same times, as constants.
const CONSTANTS: [&str; 4] = [
    "TIMESTAMP '1969-12-31 23:59:59.999999'",
    "TIMESTAMP '1969-12-31 22:58:57.123456'",
    "TIMESTAMP '0001-01-01 00:00:00.000001'",
    "TIMESTAMP '9999-12-31 23:59:59.500000'",
];

/// An expression of `t`, and its values for all rows.
const CASES: [(&str, [&str; 4]); 12] = [
    (
        "date_trunc('millisecond', t)",
        ["1969-12-31T23:59:59.999", "1969-12-31T22:58:57.123", "0001-01-01T00:00:00", "9999-12-31T23:59:59.500"],
    ),
    (
        "date_trunc('second', t)",
        ["1969-12-31T23:59:59", "1969-12-31T22:58:57", "0001-01-01T00:00:00", "9999-12-31T23:59:59"],
    ),
    (
        "date_trunc('hour', t)",
        ["1969-12-31T23:00:00", "1969-12-31T22:00:00", "0001-01-01T00:00:00", "9999-12-31T23:00:00"],
    ),
    (
        "date_trunc('day', t)",
        ["1969-12-31T00:00:00", "1969-12-31T00:00:00", "0001-01-01T00:00:00", "9999-12-31T00:00:00"],
    ),
    (
        "date_trunc('quarter', t)",
        ["1969-10-01T00:00:00", "1969-10-01T00:00:00", "0001-01-01T00:00:00", "9999-10-01T00:00:00"],
    ),
    (
        "CAST(t AS TIMESTAMP(3))",
        ["1970-01-01T00:00:00", "1969-12-31T22:58:57.123", "0001-01-01T00:00:00", "9999-12-31T23:59:59.500"],
    ),
    (
        "CAST(t AS TIMESTAMP(0))",
        ["1970-01-01T00:00:00", "1969-12-31T22:58:57", "0001-01-01T00:00:00", "+10000-01-01T00:00:00"],
    ),
    ("CAST(t AS DATE)", ["1969-12-31", "1969-12-31", "0001-01-01", "9999-12-31"]),
    ("to_unixtime(t)", ["-1", "-3663", "-62135596800", "253402300799"]),
    (
        "to_timestamp_seconds(t)",
        ["1969-12-31T23:59:59", "1969-12-31T22:58:57", "0001-01-01T00:00:00", "9999-12-31T23:59:59"],
    ),
    ("extract(second FROM t)", ["59", "57", "0", "59"]),
    ("extract(epoch FROM t)", ["-1e-6", "-3662.876544", "-62135596800.0", "253402300799.5"]),
];

#[tokio::test]
async fn what_is_cut_off_a_time_is_cut_down_to_it() {
    let mut fixture = Fixture::new();
    fixture.write("t.csv", RECORDS);
    fixture.dataset("t", "t.csv", SourceFormat::Csv, "id: int32 public; t: timestamp public", rule(1, 1));
    let engine = fixture.engine().unwrap();
    for (expression, expected) in CASES {
        let of_column = format!("SELECT {expression} FROM shenzhen.d.t ORDER BY id");
        for over in [Over::Public, Over::Gated] {
            let found = rows_of(&fixture, &engine, over, &of_column).await;
            assert_eq!(found, Ok(expected.join(";")), "{of_column} {over:?}");
        }
        for (constant, expected) in CONSTANTS.iter().zip(expected) {
            let of_constant = format!(
                "SELECT {}",
                expression.replace("t)", &format!("{constant})")).replace("(t ", &format!("({constant} "))
            );
            let found = rows_of(&fixture, &engine, Over::Public, &of_constant).await;
            assert_eq!(found.as_deref(), Ok(expected), "{of_constant}");
        }
    }
}

#[tokio::test]
async fn the_hours_of_a_difference_of_times_are_those_beside_its_days() {
    let mut fixture = Fixture::new();
    fixture.write("t.csv", RECORDS);
    fixture.dataset("t", "t.csv", SourceFormat::Csv, "id: int32 public; t: timestamp public", rule(1, 1));
    let engine = fixture.engine().unwrap();
    let since = "t - TIMESTAMP '1969-12-30 12:00:00'";
    for (part, expected) in [("day", "1;1"), ("hour", "11;10"), ("minute", "59;58"), ("millisecond", "59999;57123")] {
        let sql = format!("SELECT extract({part} FROM {since}) FROM shenzhen.d.t WHERE id < 3 ORDER BY id");
        for over in [Over::Public, Over::Gated] {
            assert_eq!(rows_of(&fixture, &engine, over, &sql).await.as_deref(), Ok(expected), "{part} {over:?}");
        }
    }
}
