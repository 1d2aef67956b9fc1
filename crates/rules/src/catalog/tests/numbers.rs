//! Numbers as they are written, beside columns of every type.

use datafusion::logical_expr::{ExprSchemable, LogicalPlan};

use super::{catalog, only, read, values};

/// The plan of a query whose tables are all `every`.
fn planned(sql: &str) -> Result<LogicalPlan, String> {
    let sql = sql.replace(" every", " hongkong.t.every");
    catalog().plan(&sql, 10_000).map_err(|refusal| format!("{}: {}", refusal.code, refusal.message))
}

fn type_of(sql: &str) -> String {
    let plan = planned(sql).unwrap_or_else(|why| panic!("{sql}: {why}"));
    plan.schema().field(0).data_type().to_string()
}

#[test]
fn written_numbers_are_exact() {
    for (text, value) in [
        ("0.1 + 0.2 = 0.3", "true"),
        ("0.1 + 0.2", "0.3"),
        ("1.50", "1.50"),
        ("-0.5", "-0.5"),
        ("- (0.5)", "-0.5"),
        (".5 + 5.", "5.5"),
        ("1 - 0.05", "0.95"),
        ("5.5 % 2", "1.5"),
        ("12345678901234567890.1234 = 12345678901234567890.1235", "false"),
        ("12345678901234567890.1234 - 12345678901234567890.1233", "0.0001"),
        ("9007199254740993 > 9007199254740992.5", "true"),
        ("9007199254740993 <= 9007199254740993.5", "true"),
        ("12345678901234567890123 = 12345678901234567890124", "false"),
        ("-9223372036854775809 < -9223372036854775808", "true"),
        ("0.1 IN (0.10, 0.2)", "true"),
        ("0.15 BETWEEN 0.1 AND 0.2", "true"),
        ("CASE 0.10 WHEN 0.1 THEN 'same' ELSE 'other' END", "same"),
        ("CAST(0.5 AS BIGINT)", "1"),
        ("CAST(0.1 AS VARCHAR)", "0.1"),
        ("round(2.345, 2)", "2.35"),
        ("coalesce(NULL, 0.1)", "0.1"),
        ("greatest(0.1, 0.15, 1)", "1.00"),
        // A text is a number of its own digits, and not of those of the other.
        ("CAST(1.23 AS DECIMAL(5,2)) = '1.234'", "false"),
        ("'12.50' = 12.5", "true"),
    ] {
        let found = read(text).map(|plan| values(&plan).unwrap()[0].clone());
        assert_eq!(found.as_deref(), Ok(value), "{text}");
    }
}

#[test]
fn written_numbers_are_floats_beside_floats_and_in_quotients() {
    for (text, value) in [
        ("1e0 = 1.0", "true"),
        ("0.3 = CAST('0.3' AS DOUBLE)", "true"),
        ("CAST(12345678901234567890.1234 AS DOUBLE)", "1.2345678901234567e19"),
        ("1e2 * 1.5", "150.0"),
        ("100.0 / 3", "33.333333333333336"),
        ("1 / 3.0", "0.3333333333333333"),
        ("1.0 * 1 / 3", "0.3333333333333333"),
        ("sqrt(2.25)", "1.5"),
        ("0x1F + 0xff = 286", "true"),
        ("coalesce(CAST(NULL AS DOUBLE), 0.1)", "0.1"),
        ("CASE WHEN 1e0 > 0.5 THEN 0.1 ELSE 1e300 END", "0.1"),
    ] {
        let plan = read(text).unwrap_or_else(|why| panic!("{text}: {why}"));
        assert_eq!(values(&plan).unwrap()[0], value, "{text}");
    }
}

#[test]
fn columns_decide_the_types_of_what_is_computed_with_them() {
    for (text, data_type) in [
        ("n * 1.5", "Decimal128(23, 1)"),
        ("i + 0.25", "Decimal128(13, 2)"),
        ("d * 1.5", "Decimal128(13, 3)"),
        ("d * (1 - 0.05)", "Decimal128(15, 4)"),
        ("2 * 1.5", "Decimal128(4, 1)"),
        ("f * 1.5", "Float64"),
        ("f - d", "Float64"),
        ("d / 2.0", "Float64"),
        ("n * 1.5 / 2", "Float64"),
        ("100.0 * n / i", "Float64"),
        ("d / nullif(n, 0.0)", "Float64"),
        ("d / 2", "Decimal128(14, 6)"),
        ("d / CAST(2.0 AS DECIMAL(2,1))", "Decimal128(15, 6)"),
        ("CASE WHEN flag THEN d ELSE f END", "Float64"),
        ("CASE WHEN flag THEN n ELSE 0.5 END", "Decimal128(21, 1)"),
        ("CASE WHEN flag THEN 1 ELSE 0.5 END / 3", "Float64"),
        ("coalesce(f, 0.5)", "Float64"),
        ("coalesce(f, d)", "Float64"),
        ("coalesce(n, 0.5)", "Decimal128(21, 1)"),
        ("make_array(0.5)[1]", "Float64"),
    ] {
        let plan = read(text).unwrap_or_else(|why| panic!("{text}: {why}"));
        let (expr, schema) = only(&plan);
        assert_eq!(expr.get_type(&schema).unwrap().to_string(), data_type, "{text}: {expr}");
    }
}

#[test]
fn values_are_compared_in_types_that_hold_both() {
    for (text, part) in [
        ("f > 0.1", "t1.f > Float64(0.1)"),
        ("f = d", "t1.f = CAST(t1.d AS Float64)"),
        ("f IN (0.5, d)", "CAST(t1.d AS Float64)"),
        ("f BETWEEN 0.5 AND d", "t1.f <= CAST(t1.d AS Float64)"),
        ("n > 806.5", "CAST(t1.n AS Decimal128(21, 1)) > Decimal128(806.5,21,1)"),
        ("d > 12.5", "t1.d > Decimal128(12.50,10,2)"),
        ("d = 12.345", "CAST(t1.d AS Decimal128(11, 3)) = Decimal128(12.345,11,3)"),
        ("n < 0.00000000000000000001", "CAST(t1.n AS Decimal256(40, 20)) < Decimal256(0.00000000000000000001,40,20)"),
        ("CAST(d AS DECIMAL(38,2)) = 0.123", "Decimal256(39, 3)"),
        ("s = 1.5", "CAST(t1.s AS Float64) = Float64(1.5)"),
        ("f > n * 0.5", "CAST(CAST(t1.n AS Decimal128(20, 0)) * Decimal128(0.5,1,1) AS Float64)"),
    ] {
        let plan = read(text).unwrap_or_else(|why| panic!("{text}: {why}")).display_indent().to_string();
        assert!(plan.contains(part), "{text}: {plan}");
    }
}

#[test]
fn a_number_that_no_type_holds_is_refused_in_words() {
    let nines = "9".repeat(39);
    for (text, words) in [
        (nines.as_str(), "has more than 38 digits"),
        ("1e400", "is beyond the range of a DOUBLE"),
        ("0.12345678901234567890 * 0.1234567890123456789", "more than 38 digits after the point"),
    ] {
        let why = read(text).unwrap_err();
        assert!(why.contains(words), "{text}: {why}");
    }
}

#[test]
fn a_written_number_is_followed_through_derived_tables() {
    for (sql, data_type) in [
        ("SELECT a / 3 AS x FROM (SELECT n * 1.5 AS a FROM every)", "Float64"),
        ("WITH q AS (SELECT 100.0 * n AS a, i FROM every) SELECT q.a / q.i AS x FROM q", "Float64"),
        ("SELECT a / 3 AS x FROM (SELECT CAST(n * 1.5 AS DECIMAL(12,2)) AS a FROM every)", "Decimal128(16, 6)"),
        ("SELECT sum(n * 0.5) / count(*) AS x FROM every", "Float64"),
        ("SELECT sum(n * 0.5) AS x FROM every", "Decimal128(32, 1)"),
        ("SELECT avg(n * 0.5) AS x FROM every", "Float64"),
        ("SELECT avg(CASE WHEN flag THEN 1.0 ELSE 0.0 END) AS x FROM every", "Float64"),
        ("SELECT avg(d) AS x FROM every", "Decimal128(14, 6)"),
        ("SELECT avg(d) * 1.5 AS x FROM every", "Decimal128(17, 7)"),
        ("SELECT avg(d) / 2.0 AS x FROM every", "Float64"),
        ("SELECT 100.0 * count(*) / sum(count(*)) OVER () AS x FROM every GROUP BY flag", "Float64"),
        ("SELECT lag(d, 1, 0.125) OVER (ORDER BY n) AS x FROM every", "Decimal128(11, 3)"),
        ("SELECT lag(f, 1, 0.125) OVER (ORDER BY n) AS x FROM every", "Float64"),
        ("SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY f) AS x FROM every", "Float64"),
        ("SELECT f AS x FROM every UNION ALL SELECT 0.1", "Float64"),
        ("SELECT 0.1 AS x UNION ALL SELECT d FROM every UNION ALL SELECT f FROM every", "Float64"),
        ("SELECT 0.1 AS x UNION ALL SELECT n FROM every", "Decimal128(21, 1)"),
        ("SELECT v.a AS x FROM (VALUES (0.5), (1e300)) v(a)", "Float64"),
        ("SELECT v.a AS x FROM (VALUES (0.5), (1), (NULL)) v(a)", "Decimal128(21, 1)"),
        ("SELECT (SELECT max(n) * 0.5 FROM every) / 3 AS x", "Float64"),
    ] {
        assert_eq!(type_of(sql), data_type, "{sql}");
    }
}

#[test]
fn values_of_a_subquery_are_compared_as_they_are() {
    for (sql, part) in [
        ("SELECT n FROM every WHERE f IN (SELECT d FROM every)", "CAST"),
        ("SELECT n FROM every WHERE d > (SELECT avg(f) FROM every)", "CAST(hongkong.t.every.d AS Float64)"),
        ("SELECT n FROM every WHERE n IN (SELECT 0.00000000000000000001 * i FROM every)", "Decimal256"),
    ] {
        let plan = planned(sql).unwrap_or_else(|why| panic!("{sql}: {why}")).display_indent().to_string();
        assert!(plan.contains(part) && !plan.contains("(30, 15)"), "{sql}: {plan}");
    }
}

#[test]
fn a_recursive_query_keeps_its_digits_or_is_refused() {
    let bundle = crate::admission::testing::bundle();
    let planner = crate::planner::Planner::new(&bundle);
    let query = |first: &str, next: &str| {
        let sql = format!(
            "WITH RECURSIVE q AS (SELECT {first} AS v, 1 AS n UNION ALL SELECT {next}, n + 1 FROM q WHERE n < 3) SELECT v FROM q"
        );
        planner.plan(&sql).verdict.map(drop).map_err(|refusal| refusal.message)
    };
    for (first, next) in [("1.5", "v"), ("CAST(1.5 AS DOUBLE)", "v * 0.5"), ("1", "v + 1")] {
        assert_eq!(query(first, next), Ok(()), "{first}, {next}");
    }
    for (first, next) in [("1.5", "v * 0.5"), ("1.0 / 3", "v / 3")] {
        let why = query(first, next).unwrap_err();
        assert!(why.contains("digits of its column v"), "{why}");
    }
}
