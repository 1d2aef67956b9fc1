//! Numbers and times at the ends of their ranges, over public rows and behind the gate.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int32Array, RecordBatch};
use arrow::util::pretty::pretty_format_batches;
use futures::TryStreamExt;
use jiff::Timestamp;
use wanqu_gate::Engine as _;
use wanqu_model::bundle::SourceFormat;
use wanqu_model::refusal::{Code, Refusal};
use wanqu_rules::refusal_over_public;

use super::Engine;
use super::fixture::{Fixture, rule};

const COLUMNS: &str = "id: string identifier; g: string dimension; n: int64 measure; i: int32 measure; \
    v: decimal(38,2) measure; f: float64 measure; d: date dimension; t: timestamp dimension";

/// Sums of `n` and of `v` leave their types for the group a, and not for b.
const RECORDS: &str = "id,g,n,i,v,f,d,t
1,a,9223372036854775807,2147483647,900000000000000000000000000000000000.00,1.0,2023-05-05,2023-05-05 00:00:00
2,a,9223372036854775807,2147483647,900000000000000000000000000000000000.00,9.0,0001-01-01,9999-12-31 12:30:00
3,b,-9223372036854775808,1,-1.50,NaN,9999-12-31,0001-01-01 00:00:00
4,b,7,2,3.00,5.0,,
";

/// Place where a query runs: over public rows, or behind the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Over {
    Public,
    Gated,
}

/// Returns the rows of a query over `shenzhen.d.x`, separated by `;`.
async fn rows(over: Over, sql: &str) -> Result<String, Refusal> {
    let mut fixture = Fixture::new();
    fixture.write("x.csv", RECORDS);
    fixture.dataset("x", "x.csv", SourceFormat::Csv, COLUMNS, rule(1, 1));
    let engine = fixture.engine().unwrap();
    rows_of(&fixture, &engine, over, &sql.replace(" x", " shenzhen.d.x x")).await
}

/// Returns the rows of a query over the tables of a fixture, separated by `;`.
pub(super) async fn rows_of(fixture: &Fixture, engine: &Engine, over: Over, sql: &str) -> Result<String, Refusal> {
    let run = match over {
        Over::Public => engine.start_public(Timestamp::MAX)?,
        Over::Gated => engine.start(Timestamp::MAX)?,
    };
    let plan = fixture.catalog().plan(sql, 10_000)?;
    let bound = run.bind(&plan).map_err(|e| refusal_over_public(&e))?;
    let stream = run.execute(&bound).await.map_err(|e| refusal_over_public(&e))?;
    let batches: Vec<RecordBatch> = stream.try_collect().await.map_err(|e| refusal_over_public(&e))?;
    let table = pretty_format_batches(&batches).unwrap().to_string();
    let lines = table.lines().filter(|line| line.starts_with('|')).skip(1);
    Ok(lines.map(|line| line.trim_matches('|').replace(' ', "")).collect::<Vec<_>>().join(";"))
}

#[tokio::test]
async fn what_overflows_is_a_refusal_over_public_rows_and_null_behind_the_gate() {
    for (sql, null) in [
        ("SELECT n + 1 FROM x WHERE id = '1'", ""),
        ("SELECT n * 2 FROM x ORDER BY id", ";;;14"),
        ("SELECT n - 8 FROM x ORDER BY id", "9223372036854775799;9223372036854775799;;-1"),
        ("SELECT -n FROM x ORDER BY id", "-9223372036854775807;-9223372036854775807;;-7"),
        ("SELECT i * i FROM x ORDER BY id", ";;1;4"),
        ("SELECT v * 1000 FROM x WHERE id = '1'", ""),
        ("SELECT sum(n) FROM x WHERE g = 'a'", ""),
        ("SELECT g, sum(n) FROM x GROUP BY g ORDER BY g", "a|;b|-9223372036854775801"),
        ("SELECT sum(DISTINCT n + 0) FROM x WHERE id IN ('1', '4')", ""),
        ("SELECT count(*) FROM x WHERE n + 1 > 0", "1"),
        ("SELECT n % (i - i) FROM x WHERE id = '4'", ""),
        ("SELECT date_bin(INTERVAL '1 day', t) FROM x WHERE id = '2'", ""),
    ] {
        let refusal = rows(Over::Public, sql).await.unwrap_err();
        assert_eq!(refusal.code, Code::InvalidSql, "{sql}: {refusal}");
        assert!(refusal.message.contains("out of range") || refusal.message.contains("zero"), "{sql}: {refusal}");
        let gated = rows(Over::Gated, sql).await;
        assert_eq!(gated.as_deref(), Ok(null), "{sql}");
    }
}

#[tokio::test]
async fn what_fits_is_right_whatever_came_before() {
    for (sql, expected) in [
        ("SELECT sum(n) FROM x WHERE id <> '1'", "6"),
        ("SELECT sum(i), avg(n) FROM x WHERE g = 'a'", "4294967294|9.223372036854776e18"),
        ("SELECT sum(CAST(n AS DECIMAL(38,0))) FROM x WHERE g = 'a'", "18446744073709551614"),
        ("SELECT sum(CAST(v AS DECIMAL(76,2))) FROM x WHERE g = 'a'", "1800000000000000000000000000000000000.00"),
        (
            "SELECT sum(n) OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM x WHERE g = 'b' ORDER BY id",
            "-9223372036854775808;-9223372036854775801",
        ),
        ("SELECT count(*) FROM x WHERE n - 1 < 9", "1"),
    ] {
        for over in [Over::Public, Over::Gated] {
            if sql.contains("n - 1") && over == Over::Public {
                continue;
            }
            assert_eq!(rows(over, sql).await.as_deref(), Ok(expected), "{sql} {over:?}");
        }
    }
}

#[tokio::test]
async fn nan_is_the_greatest_float() {
    for (sql, expected) in [
        ("SELECT min(f), max(f) FROM x", "1.0|NaN"),
        ("SELECT g, min(f), max(f) FROM x GROUP BY g ORDER BY g", "a|1.0|9.0;b|5.0|NaN"),
        ("SELECT g, max(f) AS m FROM x GROUP BY g ORDER BY m DESC LIMIT 1", "b|NaN"),
        ("SELECT g, min(f) AS m FROM x GROUP BY g ORDER BY m LIMIT 1", "a|1.0"),
        (
            "SELECT max(f) OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM x ORDER BY id",
            "1.0;9.0;NaN;NaN",
        ),
        (
            "SELECT sum(f) OVER (ORDER BY id DESC ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM x ORDER BY id",
            "10.0;NaN;NaN;5.0",
        ),
        (
            "SELECT stddev(f) OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND 0 FOLLOWING) FROM x WHERE g = 'a'",
            ";5.656854249492381",
        ),
    ] {
        assert_eq!(rows(Over::Public, sql).await.as_deref(), Ok(expected), "{sql}");
    }
}

/// The engine orders floats by their bits, and NaN can have a sign: that of infinity less infinity has one.
#[tokio::test]
async fn computed_floats_have_one_nan_and_one_zero() {
    for (sql, expected) in [
        ("SELECT count(*) FROM x WHERE -f < 0", "3"),
        ("SELECT count(*) FROM x WHERE f / 0.0 - f / 0.0 > 0", "4"),
        ("SELECT count(*) FROM x WHERE f / 0.0 - f / 0.0 = CAST('NaN' AS DOUBLE)", "4"),
        ("SELECT id FROM x WHERE -(f - f) IN (0.0, 17.0) ORDER BY id", "1;2;4"),
        ("SELECT count(*) FROM x WHERE CAST('-0' AS DOUBLE) * f IN (0.0, 1.0)", "3"),
    ] {
        for over in [Over::Public, Over::Gated] {
            assert_eq!(rows(over, sql).await.as_deref(), Ok(expected), "{sql} {over:?}");
        }
    }
    let groups = "SELECT count(*) FROM (SELECT f / 0.0 - f / 0.0 AS r FROM x UNION ALL SELECT f FROM x WHERE id = '3') y GROUP BY r";
    assert_eq!(rows(Over::Public, groups).await.as_deref(), Ok("5"));
}

/// As floats, the numbers of the persons 1 and 3 are 2^63 and -2^63.
#[tokio::test]
async fn averages_of_integers_lose_no_digits() {
    for (sql, expected) in [
        ("SELECT avg(n) FROM x WHERE id IN ('1', '3')", "-0.5"),
        ("SELECT avg(DISTINCT n) FROM x WHERE id <> '4'", "-0.5"),
        ("SELECT avg(n) AS a, avg(i) AS b, count(*) AS c FROM x WHERE id IN ('1', '3')", "-0.5|1073741824.0|2"),
        ("SELECT id > '3' AS k, avg(n) FROM x WHERE id <> '2' GROUP BY id > '3' ORDER BY k", "false|-0.5;true|7.0"),
        ("SELECT avg(n) FROM x WHERE id > '9'", ""),
        (
            "SELECT avg(n) OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM x WHERE id IN ('1', '3') ORDER BY id",
            "9.223372036854776e18;-0.5",
        ),
        ("SELECT avg(n) OVER () FROM x WHERE id IN ('1', '3')", "-0.5;-0.5"),
    ] {
        for over in [Over::Public, Over::Gated] {
            assert_eq!(rows(over, sql).await.as_deref(), Ok(expected), "{sql} {over:?}");
        }
    }
}

/// Zeros and NaN in all the forms that a file may hold.
#[tokio::test]
async fn stored_floats_have_one_nan_and_one_zero() {
    let payload = f64::from_bits(f64::NAN.to_bits() | 7);
    let floats: ArrayRef = Arc::new(Float64Array::from(vec![-0.0, 0.0, -f64::NAN, payload, 1.0]));
    let ids: ArrayRef = Arc::new(Int32Array::from(vec![1, 2, 3, 4, 5]));
    let mut fixture = Fixture::new();
    fixture.write_parquet("x.parquet", &RecordBatch::try_from_iter([("id", ids), ("f", floats)]).unwrap());
    fixture.write("x.csv", "id,f\n1,-0\n2,0\n3,NaN\n4,NaN\n5,1\n");
    fixture.dataset("p", "x.parquet", SourceFormat::Parquet, "id: int32 public; f: float64 public", rule(1, 1));
    fixture.dataset("c", "x.csv", SourceFormat::Csv, "id: int32 public; f: float64 public", rule(1, 1));
    for table in ["p", "c"] {
        for (sql, expected) in [
            ("SELECT count(*) FROM (SELECT f FROM T GROUP BY f) y", "3"),
            ("SELECT count(DISTINCT f) FROM T", "3"),
            ("SELECT count(*) FROM (SELECT DISTINCT f FROM T) y", "3"),
            ("SELECT count(*) FROM T a JOIN T b ON a.f = b.f", "9"),
            ("SELECT count(*) FROM T a WHERE a.f IN (SELECT b.f FROM T b WHERE b.id IN (2, 4))", "4"),
            ("SELECT min(f), max(f) FROM T", "0.0|NaN"),
            ("SELECT id FROM T ORDER BY f, id", "1;2;5;3;4"),
            ("SELECT id FROM T ORDER BY f DESC, id LIMIT 2", "3;4"),
            ("SELECT count(*) FROM T WHERE f = 0.0", "2"),
            ("SELECT count(*) FROM T WHERE f > 0.5", "3"),
            ("SELECT f FROM T WHERE id = 1", "0.0"),
            ("SELECT count(*) FROM (SELECT f FROM T UNION SELECT f FROM T) y", "3"),
            ("SELECT rank() OVER (ORDER BY f) FROM T ORDER BY id", "1;1;4;4;3"),
            // A sum of infinities is NaN, whatever sign the processor gives it.
            (
                "SELECT s FROM (SELECT id % 2 AS k, sum(CASE WHEN id = 1 THEN 1.0 / f WHEN id = 5 THEN -1.0 / (f - f) ELSE 1.0 END) AS s FROM T WHERE id IN (1, 2, 5) GROUP BY id % 2) y ORDER BY s",
                "1.0;NaN",
            ),
        ] {
            let sql = sql.replace("FROM T", &format!("FROM shenzhen.d.{table}"));
            let sql = sql.replace("JOIN T", &format!("JOIN shenzhen.d.{table}"));
            let answer = super::tests::rows(&fixture, &sql).await.unwrap_or_else(|refusal| panic!("{sql}: {refusal}"));
            let lines: Vec<&str> = answer.lines().map(|line| line.trim_matches('|')).collect();
            assert_eq!(lines.join(";"), expected, "{sql}");
        }
    }
}

#[tokio::test]
async fn days_and_times_are_compared_in_microseconds() {
    for (sql, expected) in [
        ("SELECT count(*) FROM x WHERE d < TIMESTAMP '2024-01-01'", "2"),
        ("SELECT count(*) FROM x WHERE d >= TIMESTAMP '2024-01-01 00:00:00'", "1"),
        ("SELECT count(*) FROM x WHERE CAST(d AS TIMESTAMP) IS NULL", "1"),
        ("SELECT count(*) FROM x WHERE t = '9999-12-31 12:30:00'", "1"),
        ("SELECT count(*) FROM x WHERE t > TIMESTAMP '9999-12-31'", "1"),
        ("SELECT count(*) FROM x WHERE t BETWEEN '0001-01-01' AND '9999-12-31 23:59:59'", "3"),
        ("SELECT count(*) FROM x WHERE t > d", "1"),
        ("SELECT count(*) FROM x WHERE d IN (DATE '9999-12-31', DATE '0001-01-01')", "2"),
        ("SELECT date_trunc('year', t) FROM x WHERE id = '2'", "9999-01-01T00:00:00"),
        ("SELECT date_trunc('month', t) FROM x WHERE id = '3'", "0001-01-01T00:00:00"),
        ("SELECT date_trunc('week', d) FROM x WHERE id = '3'", "9999-12-27T00:00:00"),
        ("SELECT date_trunc('day', t), date_part('year', t) FROM x WHERE id = '2'", "9999-12-31T00:00:00|9999"),
        ("SELECT t - INTERVAL '1 month' FROM x WHERE id = '2'", "9999-11-30T12:30:00"),
        ("SELECT d + INTERVAL '1 day' FROM x WHERE id = '2'", "0001-01-02"),
        ("SELECT CAST(1683244800 AS TIMESTAMP) = t FROM x WHERE id = '1'", "true"),
        ("SELECT max(t), min(d) FROM x", "9999-12-31T12:30:00|0001-01-01"),
        ("SELECT coalesce(t, d) FROM x WHERE id = '2'", "9999-12-31T12:30:00"),
        ("SELECT CASE WHEN g = 'a' THEN t ELSE d END FROM x WHERE id = '3'", "9999-12-31T00:00:00"),
    ] {
        for over in [Over::Public, Over::Gated] {
            assert_eq!(rows(over, sql).await.as_deref(), Ok(expected), "{sql} {over:?}");
        }
    }
}

#[tokio::test]
async fn decimals_are_rounded_at_their_edges() {
    for (sql, expected) in [
        ("SELECT round(CAST('9.95' AS DECIMAL(3,2)), 1) FROM x WHERE id = '1'", "10.0"),
        ("SELECT round(v, 1) FROM x WHERE id = '3'", "-1.5"),
        ("SELECT ceil(CAST('9.5' AS DECIMAL(2,1))) FROM x WHERE id = '1'", "10.0"),
        ("SELECT floor(CAST('-9.5' AS DECIMAL(2,1))) FROM x WHERE id = '1'", "-10.0"),
    ] {
        for over in [Over::Public, Over::Gated] {
            assert_eq!(rows(over, sql).await.as_deref(), Ok(expected), "{sql} {over:?}");
        }
    }
}

/// The result of a cast is compared, and not the value that was cast: many values become one.
#[tokio::test]
async fn a_cast_that_loses_something_is_compared_as_what_it_gives() {
    const MANY: &str = "id,m,n,f,b
1,1.25,1,0.5,true
2,1.35,3000000000,1.5,false
3,2.50,-7,2.5,true
4,-2.50,7,-2.5,
5,,,,
";
    let mut fixture = Fixture::new();
    fixture.write("c.csv", MANY);
    let columns = "id: string identifier; m: decimal(12,2) measure; n: int64 measure; f: float64 measure";
    fixture.dataset("c", "c.csv", SourceFormat::Csv, columns, rule(1, 1));
    // The expression that a custodian declares for a column means the same.
    fixture.common("c", "c", "one: boolean dimension = CAST(m AS BIGINT) = 1; k: int64 measure = CAST(m AS BIGINT)");
    let engine = fixture.engine().unwrap();
    for (sql, expected) in [
        ("SELECT count(*) FROM x WHERE CAST(m AS BIGINT) = 1", "2"),
        ("SELECT count(*) FROM x WHERE 1 = CAST(m AS BIGINT)", "2"),
        ("SELECT count(*) FROM x WHERE arrow_cast(m, 'Int64') = 1", "2"),
        ("SELECT count(*) FROM x WHERE arrow_try_cast(m, 'Int64') = 1", "2"),
        ("SELECT count(*) FROM x WHERE CAST(m AS BIGINT) <> 1", "2"),
        ("SELECT count(*) FROM x WHERE CAST(m AS BIGINT) > 1", "1"),
        ("SELECT count(*) FROM x WHERE CAST(m AS BIGINT) IN (1, 4)", "2"),
        ("SELECT count(*) FROM x WHERE CAST(m AS BIGINT) NOT IN (1, 4)", "2"),
        ("SELECT count(*) FROM x WHERE CAST(m AS BIGINT) BETWEEN 1 AND 2", "2"),
        ("SELECT count(*) FROM x WHERE CAST(m AS INTEGER) + 0 = 1", "2"),
        ("SELECT sum(CASE WHEN CAST(m AS BIGINT) = 1 THEN 1 ELSE 0 END) FROM x", "2"),
        ("SELECT count(*) FILTER (WHERE CAST(m AS BIGINT) = 1) FROM x", "2"),
        ("SELECT count(*) FROM (SELECT CAST(m AS BIGINT) AS k FROM x) q WHERE k = 1", "2"),
        ("SELECT count(*) FROM (SELECT CAST(m AS BIGINT) AS k FROM x WHERE m > 1.2) q WHERE k = 3", "1"),
        ("SELECT count(*) FROM x WHERE CAST(m AS DECIMAL(12,1)) = CAST('1.4' AS DECIMAL(12,1))", "1"),
        ("SELECT count(*) FROM x WHERE CAST(m AS DECIMAL(12,1)) = CAST('1.3' AS DECIMAL(12,1))", "1"),
        ("SELECT count(*) FROM x WHERE TRY_CAST(n AS INTEGER) > 5", "1"),
        ("SELECT count(*) FROM x WHERE TRY_CAST(n AS INTEGER) IS NULL", "2"),
        ("SELECT CAST(m AS BIGINT) FROM x ORDER BY id", "1;1;3;-3;"),
        ("SELECT TRY_CAST(m AS INTEGER) FROM x ORDER BY id", "1;1;3;-3;"),
        ("SELECT CAST(f AS INTEGER) FROM x ORDER BY id", "0;2;2;-2;"),
        ("SELECT CAST(m AS DECIMAL(12,1)) FROM x ORDER BY id", "1.3;1.4;2.5;-2.5;"),
        ("SELECT CAST(CAST('2.5' AS DECIMAL(2,1)) AS INTEGER) FROM x WHERE id = '1'", "3"),
        ("SELECT CAST(CAST('2.5' AS DOUBLE) AS INTEGER) FROM x WHERE id = '1'", "2"),
        ("SELECT CAST('1.255' AS DECIMAL(5,2)) FROM x WHERE id = '1'", "1.26"),
        ("SELECT TRY_CAST('2.5' AS INTEGER) FROM x WHERE id = '1'", ""),
        ("SELECT CAST(m AS BIGINT) AS k, count(*) FROM x WHERE m > 0 GROUP BY CAST(m AS BIGINT) ORDER BY k", "1|2;3|1"),
        ("SELECT max(CAST(m AS BIGINT)) FROM x", "3"),
        // A cast that keeps every value may be compared either way.
        ("SELECT count(*) FROM x WHERE CAST(n AS DECIMAL(30,2)) = CAST('7.00' AS DECIMAL(30,2))", "1"),
    ] {
        for over in [Over::Public, Over::Gated] {
            let found = rows_of(&fixture, &engine, over, &sql.replace(" x", " shenzhen.d.c x")).await;
            assert_eq!(found.as_deref(), Ok(expected), "{sql} {over:?}");
        }
    }
    for (sql, expected) in [
        ("SELECT avg(m) FROM x WHERE id IN ('1', '2', '3')", "1.700000"),
        (
            "SELECT avg(m), avg(m) OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM x WHERE id = '1' GROUP BY m, id",
            "1.250000|1.250000",
        ),
        (
            "SELECT CASE WHEN n > 0 THEN 'a' ELSE 'b' END AS g, avg(m + 3) FROM x GROUP BY g ORDER BY g",
            "a|3.033333;b|5.500000",
        ),
        ("SELECT avg(DISTINCT m), sum(DISTINCT n) FROM x WHERE id IN ('1', '3', '4')", "0.416667|1"),
        (
            "SELECT var_pop(DISTINCT n % 6), avg(DISTINCT m), covar_pop(DISTINCT n % 6, n % 6) FROM x WHERE id <> '2'",
            "1.0|0.416667|1.0",
        ),
        (
            "SELECT avg(DISTINCT m) OVER (ORDER BY id ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) FROM x WHERE id IN ('1', '3', '4') ORDER BY id",
            "1.250000;1.875000;0.416667",
        ),
        ("SELECT m / 3 FROM x ORDER BY id", "0.416667;0.450000;0.833333;-0.833333;"),
    ] {
        for over in [Over::Public, Over::Gated] {
            let found = rows_of(&fixture, &engine, over, &sql.replace(" x", " shenzhen.d.c x")).await;
            assert_eq!(found.as_deref(), Ok(expected), "{sql} {over:?}");
        }
    }
    for (sql, expected) in [
        ("SELECT count(*) FROM gba.d.c x WHERE one", "2"),
        ("SELECT count(*) FROM gba.d.c x WHERE k = 3", "1"),
        ("SELECT count(*) FROM gba.d.c x WHERE k IN (1, -3)", "3"),
        ("SELECT k FROM gba.d.c x WHERE k > 1", "3"),
    ] {
        for over in [Over::Public, Over::Gated] {
            let found = rows_of(&fixture, &engine, over, sql).await;
            assert_eq!(found.as_deref(), Ok(expected), "{sql} {over:?}");
        }
    }
    let overflows = "SELECT count(*) FROM shenzhen.d.c x WHERE CAST(n AS INTEGER) > 5";
    let refusal = rows_of(&fixture, &engine, Over::Public, overflows).await.unwrap_err();
    assert_eq!(refusal.code, Code::InvalidSql);
    assert!(refusal.message.contains("CAST(n AS INTEGER) is out of range"), "{refusal}");
    assert_eq!(rows_of(&fixture, &engine, Over::Gated, overflows).await.as_deref(), Ok("1"));
}
