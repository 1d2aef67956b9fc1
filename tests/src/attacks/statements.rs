//! Texts that are not one read-only query, that reach outside the catalog, or that are too much.

use super::Outcome::{Harmless, Refused};
use super::{Attack, attack};

const STATEMENT: super::Outcome = Refused(&["not-a-query", "invalid-sql"]);
const OUTSIDE: super::Outcome = Refused(&["unknown-name", "invalid-sql", "function-not-allowed"]);

pub(super) fn attacks() -> Vec<Attack> {
    let mut all = vec![
        attack("two statements", STATEMENT, "SELECT 1; SELECT * FROM gba.health.visits"),
        attack("nothing", STATEMENT, ""),
        attack("a comment", STATEMENT, "-- SELECT 1"),
        attack("a deletion", STATEMENT, "DELETE FROM gba.health.visits"),
        attack("an update", STATEMENT, "UPDATE gba.health.visits SET cost = 0"),
        attack("an insertion", STATEMENT, "INSERT INTO gba.health.visits SELECT * FROM gba.health.visits"),
        attack("a new table", STATEMENT, "CREATE TABLE t AS SELECT * FROM gba.health.visits"),
        attack("a new view", STATEMENT, "CREATE VIEW v AS SELECT * FROM gba.health.visits"),
        attack("an external table", STATEMENT, "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'"),
        attack("a copy to a file", STATEMENT, "COPY (SELECT * FROM gba.health.visits) TO '/tmp/leak.csv'"),
        attack("a setting", STATEMENT, "SET datafusion.catalog.information_schema = true"),
        attack("a prepared statement", STATEMENT, "PREPARE p AS SELECT * FROM gba.health.visits"),
        attack("a list of tables", STATEMENT, "SHOW TABLES"),
        attack("a new function", STATEMENT, "CREATE FUNCTION f(x INT) RETURNS INT RETURN x + 1"),
        attack(
            "an insertion in a CTE",
            Refused(&["not-a-query", "invalid-sql", "not-splittable", "not-an-aggregate"]),
            "WITH x AS (INSERT INTO gba.health.visits VALUES (1) RETURNING cost) SELECT * FROM x",
        ),
        attack("a file as a table", OUTSIDE, "SELECT * FROM '/etc/passwd'"),
        attack("a file by a function", OUTSIDE, "SELECT * FROM read_csv('/etc/passwd')"),
        attack("a file beside the data", OUTSIDE, "SELECT * FROM '../macau/visits.ndjson'"),
        attack(
            "a Parquet file's statistics",
            OUTSIDE,
            "SELECT * FROM parquet_metadata('data/shenzhen/visits.parquet')",
        ),
        attack("a table of two parts", OUTSIDE, "SELECT count(*) FROM health.visits"),
        attack("a table of one part", OUTSIDE, "SELECT count(*) FROM visits"),
        attack("a raw table", OUTSIDE, "SELECT * FROM shenzhen.health.raw"),
    ];
    let identifiers: Vec<String> = (0..60_000).map(|n| format!("'SZ{n:07}'")).collect();
    all.push(Attack {
        name: "a list longer than a query may be",
        sql: format!("SELECT count(*) AS n FROM gba.health.visits WHERE patient IN ({})", identifiers.join(", ")),
        outcome: Refused(&["limit", "envelope"]),
    });
    let days: Vec<String> = (0..9_000).map(|n| format!("'D{n}'")).collect();
    all.push(Attack {
        name: "a long list",
        sql: format!("SELECT count(*) AS n FROM gba.health.visits WHERE diagnosis IN ({})", days.join(", ")),
        outcome: Harmless,
    });
    all.push(Attack {
        name: "deep nesting",
        sql: format!("SELECT {}1{}", "(".repeat(10_000), ")".repeat(10_000)),
        outcome: Refused(&["invalid-sql", "limit"]),
    });
    all
}
