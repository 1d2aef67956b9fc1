//! Side channels: errors that quote a value, chance, time, explanations and statistics of a run.

use super::Outcome::{AsForNobody, Harmless, Refused};
use super::{Attack, attack};

const FUNCTION: super::Outcome =
    Refused(&["function-not-allowed", "column-class", "aggregate-argument", "invalid-sql", "unknown-name"]);

pub(super) fn attacks() -> Vec<Attack> {
    let filter = |name, outcome, condition: &str| {
        attack(name, outcome, &format!("SELECT count(*) AS n FROM gba.health.patients WHERE {condition}"))
    };
    vec![
        filter("a cast that fails on a value", Harmless, "CAST(district AS INT) > 0"),
        filter("a cast to a day that fails on a value", Harmless, "CAST(district AS DATE) > DATE '2019-01-01'"),
        filter("a cast to a decimal that fails on a value", Harmless, "CAST(district AS DECIMAL(5,2)) > 0"),
        filter("an Arrow cast that fails on a value", Harmless, "arrow_cast(district, 'Int64') > 0"),
        filter("a cast of an identifier", Refused(&["column-class"]), "CAST(patient AS BIGINT) > 0"),
        filter("a cast of a measure", Harmless, "CAST(income AS TINYINT) > 0"),
        filter("a division by a value", FUNCTION, "1 / (birth_year - 1899) > 0"),
        filter("a remainder by a value", FUNCTION, "1000 % (birth_year - 1899) > 0"),
        filter("a division by zero", Harmless, "birth_year / 0 > 0"),
        filter("a division of a measure by a value", FUNCTION, "income / (birth_year - 1899) > 0"),
        filter("an overflow", Harmless, "birth_year * 2147483647 > 0"),
        filter("a moment that fails on a value", Harmless, "to_timestamp(district) > TIMESTAMP '2019-01-01 00:00:00'"),
        filter("a day that fails on a value", Harmless, "to_date(district) > DATE '2019-01-01'"),
        filter("a pattern that fails", Harmless, "regexp_like(district, '(')"),
        filter("a pattern that takes for ever", Harmless, "regexp_like(district, '(a+)+$')"),
        filter("an expensive repetition", Harmless, "length(repeat(district, 100000000)) > 5"),
        filter(
            "a part that there is not, for one person",
            FUNCTION,
            "CASE WHEN birth_year = 1899 THEN date_part('x', DATE '2020-01-01') = 1 ELSE true END",
        ),
        filter(
            "a text that grows for one person",
            Refused(&["limit"]),
            &format!(
                "replace(replace(CASE WHEN birth_year = 1899 THEN '1' ELSE '' END, '1', '{0}'), 'a', '{0}') = 'z'",
                "a".repeat(1_300)
            ),
        ),
        filter(
            "a pattern that takes long for one person",
            Refused(&["limit"]),
            &format!("CASE WHEN birth_year = 1899 THEN district LIKE '{}' ELSE true END", "_".repeat(100_000)),
        ),
        attack(
            "a unit that there is not",
            FUNCTION,
            "SELECT date_trunc('x', visit_date) AS g, count(*) AS n FROM gba.health.visits WHERE diagnosis = 'Q99.9' \
             GROUP BY 1",
        ),
        attack(
            "a width of nothing",
            FUNCTION,
            "SELECT count(*) AS n FROM gba.health.visits WHERE diagnosis = 'Q99.9' \
             AND date_bin(INTERVAL '0 days', seen_at) IS NOT NULL",
        ),
        attack(
            "a difference of times that overflows",
            AsForNobody("Q99.9", "Q00.0"),
            "SELECT count(*) AS n FROM gba.health.visits WHERE diagnosis = 'Q99.9' \
             AND (CAST(seen_at AS TIMESTAMP) - TIMESTAMP '1700-01-01T00:00:00') IS NOT NULL",
        ),
        attack(
            "a time that leaves the calendar",
            AsForNobody("Q99.9", "Q00.0"),
            "SELECT count(*) AS n FROM gba.health.visits WHERE diagnosis = 'Q99.9' \
             AND (TIMESTAMP '2262-01-01T00:00:00' + INTERVAL '10 years') > CAST(seen_at AS TIMESTAMP)",
        ),
        filter("chance", FUNCTION, "random() < 0.01"),
        filter("chance by identity", FUNCTION, "uuid() > '8'"),
        filter("the time of day", Harmless, "birth_year < date_part('year', now())"),
        filter("the version", Harmless, "version() <> district"),
        filter("a type name", Harmless, "arrow_typeof(district) = 'Utf8'"),
        attack(
            "a failing cast beside an aggregate",
            Harmless,
            "SELECT CAST(max(title) AS INT) AS x FROM gba.health.facilities",
        ),
        attack(
            "a failing cast of a key",
            Harmless,
            "SELECT CAST(district AS INT) AS d, count(*) AS n FROM gba.health.patients GROUP BY 1",
        ),
        attack(
            "a failing cast of a sum",
            Harmless,
            "SELECT CAST(CAST(sum(income) AS VARCHAR) AS DATE) AS d FROM gba.health.patients WHERE birth_year = 1899",
        ),
        attack(
            "an explanation that runs",
            Refused(&["not-a-query", "invalid-sql"]),
            "EXPLAIN ANALYZE SELECT count(*) FROM gba.health.visits WHERE diagnosis = 'Q99.9'",
        ),
        attack(
            "a verbose explanation",
            Harmless,
            "EXPLAIN VERBOSE SELECT count(*) FROM gba.health.visits WHERE diagnosis = 'Q99.9'",
        ),
        attack("an explanation", Harmless, "EXPLAIN SELECT sum(cost) FROM gba.health.visits WHERE diagnosis = 'Q99.9'"),
        attack(
            "an explanation of the policy",
            Harmless,
            "EXPLAIN POLICY SELECT max(cost) FROM gba.health.visits WHERE patient = 'SZ0000001'",
        ),
        attack("tables of the catalog", Refused(&["unknown-name"]), "SELECT * FROM information_schema.tables"),
        attack("columns of the catalog", Refused(&["unknown-name"]), "SELECT * FROM gba.information_schema.columns"),
        attack("settings", Refused(&["unknown-name"]), "SELECT * FROM information_schema.df_settings"),
        attack(
            "a slice under its owner's name",
            Refused(&["unknown-name"]),
            "SELECT count(*) FROM \"gba@HK\".health.visits",
        ),
        attack(
            "a row count by statistics",
            AsForNobody("Q99.9", "Q00.0"),
            "SELECT count(*) AS n FROM gba.health.visits WHERE diagnosis = 'Q99.9' AND true",
        ),
    ]
}
