//! Rows of people, by any road: plain, distinct, ordered, through set operations, windows and subqueries.

use super::Outcome::{Hides, Refused};
use super::{Attack, attack};

const ROWS: &[&str] = &["not-an-aggregate", "column-class", "not-splittable"];

pub(super) fn attacks() -> Vec<Attack> {
    let rows = Refused(ROWS);
    vec![
        attack("all rows", rows, "SELECT * FROM gba.health.visits"),
        attack("one row", rows, "SELECT * FROM gba.health.visits LIMIT 1"),
        attack(
            "one row, by the standard",
            Refused(&["not-an-aggregate", "column-class", "not-splittable", "invalid-sql"]),
            "SELECT cost FROM gba.health.visits FETCH FIRST 1 ROW ONLY",
        ),
        attack("the dearest visit", rows, "SELECT cost FROM gba.health.visits ORDER BY cost DESC LIMIT 1"),
        attack("rows of the known person", rows, "SELECT cost, pain FROM gba.health.visits WHERE diagnosis = 'Q99.9'"),
        attack("rows of an owner's own table", rows, "SELECT * FROM macau.health.visits"),
        attack("dimensions as rows", rows, "SELECT specialty, diagnosis FROM gba.health.visits"),
        attack("distinct measures", rows, "SELECT DISTINCT cost FROM gba.health.visits"),
        attack("distinct people", rows, "SELECT DISTINCT patient FROM gba.health.visits"),
        attack("distinct rows", rows, "SELECT DISTINCT * FROM gba.health.patients"),
        attack(
            "distinct on",
            Refused(&["aggregate-function", "not-an-aggregate", "column-class"]),
            "SELECT DISTINCT ON (specialty) specialty, cost FROM gba.health.visits ORDER BY specialty, cost",
        ),
        attack(
            "distinct dimensions hide a lone one",
            Hides("Q99.9"),
            "SELECT DISTINCT diagnosis FROM gba.health.visits",
        ),
        attack(
            "grouped dimensions hide a lone one",
            Hides("Q99.9"),
            "SELECT diagnosis FROM gba.health.visits GROUP BY diagnosis",
        ),
        attack(
            "lone districts",
            Hides("Can"),
            "SELECT district, count(*) AS n FROM gba.health.patients GROUP BY district",
        ),
        attack(
            "rows under UNION ALL",
            rows,
            "SELECT facility FROM gba.health.facilities UNION ALL SELECT patient FROM gba.health.visits",
        ),
        attack(
            "rows under INTERSECT",
            Hides("Q99.9"),
            "SELECT facility FROM gba.health.visits INTERSECT SELECT facility FROM gba.health.facilities",
        ),
        attack("rows under EXCEPT", Hides("Q99.9"), "SELECT diagnosis FROM gba.health.visits EXCEPT SELECT 'I10'"),
        attack(
            "a window over rows",
            rows,
            "SELECT cost, row_number() OVER (ORDER BY cost) AS r FROM gba.health.visits",
        ),
        attack(
            "a neighbour's value",
            rows,
            "SELECT diagnosis, lag(cost) OVER (ORDER BY seen_at) AS before FROM gba.health.visits",
        ),
        attack(
            "a window below the aggregate",
            Refused(&["not-an-aggregate", "column-class", "not-splittable", "aggregate-argument"]),
            "SELECT sum(c) AS s FROM (SELECT cost AS c, row_number() OVER (ORDER BY cost DESC) AS r FROM gba.health.visits) t WHERE r = 1",
        ),
        attack(
            "a limit below the aggregate",
            Refused(&["not-an-aggregate", "not-splittable", "aggregate-argument"]),
            "SELECT sum(cost) AS s FROM (SELECT cost FROM gba.health.visits ORDER BY cost DESC LIMIT 1) t",
        ),
        attack(
            "a limit below a count",
            Refused(&["not-an-aggregate", "not-splittable"]),
            "SELECT specialty, count(*) AS n FROM (SELECT specialty FROM gba.health.visits LIMIT 11) t GROUP BY specialty",
        ),
        attack(
            "a person's own total",
            Refused(ROWS),
            "SELECT max(s) AS m FROM (SELECT patient, sum(cost) AS s FROM gba.health.visits GROUP BY patient) t",
        ),
        attack(
            "how often each person came",
            rows,
            "SELECT patient, count(*) AS n FROM gba.health.visits GROUP BY patient",
        ),
        attack(
            "whether somebody is there",
            rows,
            "SELECT title FROM gba.health.facilities f WHERE EXISTS (SELECT 1 FROM gba.health.visits v WHERE v.facility = f.facility AND v.diagnosis = 'Q99.9')",
        ),
        attack(
            "where somebody was",
            rows,
            "SELECT title FROM gba.health.facilities WHERE facility IN (SELECT facility FROM gba.health.visits WHERE diagnosis = 'Q99.9')",
        ),
        attack(
            "public rows joined to people",
            rows,
            "SELECT f.title, v.pain FROM gba.health.facilities f JOIN gba.health.visits v ON v.facility = f.facility",
        ),
        attack(
            "a scalar subquery",
            Refused(&["not-an-aggregate", "aggregate-function", "not-splittable", "column-class"]),
            "SELECT (SELECT max(cost) FROM gba.health.visits) AS m",
        ),
        attack(
            "a scalar subquery of one row",
            rows,
            "SELECT title, (SELECT pain FROM gba.health.visits WHERE diagnosis = 'Q99.9' LIMIT 1) AS p FROM gba.health.facilities",
        ),
        attack(
            "a correlated maximum",
            Refused(&["not-an-aggregate", "aggregate-function", "not-splittable", "column-class"]),
            "SELECT count(*) AS n FROM gba.health.patients p WHERE 7000000 < (SELECT max(v.cost) FROM gba.health.visits v WHERE v.patient = p.patient)",
        ),
        attack(
            "a lateral join",
            Refused(&["not-an-aggregate", "not-splittable", "column-class", "invalid-sql"]),
            "SELECT f.title, x.cost FROM gba.health.facilities f, LATERAL (SELECT cost FROM gba.health.visits v WHERE v.facility = f.facility) x",
        ),
        attack(
            "a recursive query",
            Refused(&["not-an-aggregate", "not-splittable", "column-class", "invalid-sql", "function-not-allowed"]),
            "WITH RECURSIVE r AS (SELECT cost FROM gba.health.visits UNION ALL SELECT cost + 1 FROM r WHERE cost < 0) SELECT cost FROM r",
        ),
        attack("rows through a CTE", rows, "WITH v AS (SELECT * FROM gba.health.visits) SELECT w.cost FROM v w"),
        attack(
            "rows in VALUES",
            Refused(&["not-an-aggregate", "not-splittable", "column-class", "aggregate-function", "invalid-sql"]),
            "SELECT * FROM (VALUES ((SELECT max(cost) FROM gba.health.visits))) x",
        ),
        attack(
            "two cities joined on identity",
            Refused(&["not-splittable", "column-class"]),
            "SELECT count(*) AS n FROM shenzhen.health.visits a JOIN hongkong.health.visits b ON a.resident_id = b.hkid",
        ),
    ]
}
