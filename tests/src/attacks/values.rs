//! Somebody's value: aggregates that return one, keys that are one, identifiers and sealed columns under other names.

use super::Outcome::{Harmless, Hides, Refused};
use super::{Attack, attack};

const FUNCTION: super::Outcome =
    Refused(&["aggregate-function", "column-class", "function-not-allowed", "aggregate-argument"]);
const CLASS: super::Outcome = Refused(&["column-class"]);
const UNKNOWN: super::Outcome = Refused(&["unknown-name", "column-class"]);

pub(super) fn attacks() -> Vec<Attack> {
    vec![
        attack("the greatest", FUNCTION, "SELECT max(cost) AS m FROM gba.health.visits"),
        attack("the least", FUNCTION, "SELECT specialty, min(pain) AS m FROM gba.health.visits GROUP BY specialty"),
        attack("the last moment", FUNCTION, "SELECT max(seen_at) AS m FROM gba.health.visits"),
        attack(
            "the first of an order",
            FUNCTION,
            "SELECT first_value(cost ORDER BY cost DESC) AS m FROM gba.health.visits",
        ),
        attack("the last of an order", FUNCTION, "SELECT last_value(pain ORDER BY cost) AS m FROM gba.health.visits"),
        attack("the n-th", FUNCTION, "SELECT nth_value(cost, 2 ORDER BY cost) AS m FROM gba.health.visits"),
        attack("all in a list", FUNCTION, "SELECT array_agg(cost) AS m FROM gba.health.visits"),
        attack("all in a text", FUNCTION, "SELECT string_agg(patient, ',') AS m FROM gba.health.visits"),
        attack("the median", FUNCTION, "SELECT median(cost) AS m FROM gba.health.visits"),
        attack("the median, nearly", FUNCTION, "SELECT approx_median(cost) AS m FROM gba.health.visits"),
        attack(
            "a percentile",
            FUNCTION,
            "SELECT approx_percentile_cont(0.999) WITHIN GROUP (ORDER BY cost) AS m FROM gba.health.visits",
        ),
        attack(
            "an exact percentile",
            FUNCTION,
            "SELECT percentile_cont(1.0) WITHIN GROUP (ORDER BY pain) AS m FROM gba.health.visits",
        ),
        attack("bits", FUNCTION, "SELECT bit_xor(stay_days) AS m FROM gba.health.visits"),
        attack("all bits", FUNCTION, "SELECT bit_or(stay_days) AS m FROM gba.health.visits"),
        attack("a sketch of identities", FUNCTION, "SELECT approx_distinct(patient) AS m FROM gba.health.visits"),
        attack(
            "a list taken apart",
            Refused(&[
                "aggregate-function",
                "column-class",
                "function-not-allowed",
                "not-an-aggregate",
                "not-splittable",
            ]),
            "SELECT unnest(array_agg(cost)) AS m FROM gba.health.visits",
        ),
        attack(
            "the greatest, if it is great",
            FUNCTION,
            "SELECT max(CASE WHEN diagnosis = 'Q99.9' THEN cost END) AS m FROM gba.health.visits",
        ),
        attack("a measure as key", CLASS, "SELECT cost, count(*) AS n FROM gba.health.visits GROUP BY cost"),
        attack(
            "a renamed measure as key",
            CLASS,
            "SELECT x, count(*) AS n FROM (SELECT cost AS x FROM gba.health.visits) t GROUP BY x",
        ),
        attack(
            "a rounded measure as key",
            CLASS,
            "SELECT round(pain, 12) AS p, count(*) AS n FROM gba.health.visits GROUP BY round(pain, 12)",
        ),
        attack(
            "a banded measure as key",
            CLASS,
            "SELECT CASE WHEN cost > 5000 THEN 'high' ELSE 'low' END AS b, count(*) AS n FROM gba.health.visits GROUP BY 1",
        ),
        attack(
            "a measure as text",
            CLASS,
            "SELECT CAST(cost AS VARCHAR) AS c, count(*) AS n FROM gba.health.visits GROUP BY 1",
        ),
        attack(
            "an identifier as condition",
            CLASS,
            "SELECT sum(cost) AS s FROM gba.health.visits WHERE patient = 'SZ0000001'",
        ),
        attack(
            "identifiers as a list",
            CLASS,
            "SELECT sum(cost) AS s FROM gba.health.visits WHERE patient IN ('SZ0000001', 'SZ0000002')",
        ),
        attack(
            "an identifier's beginning",
            CLASS,
            "SELECT count(*) AS n FROM gba.health.visits WHERE patient LIKE 'C%'",
        ),
        attack("an identifier's order", CLASS, "SELECT count(*) AS n FROM gba.health.visits WHERE patient < 'D'"),
        attack(
            "an identifier's length",
            CLASS,
            "SELECT length(patient) AS l, count(*) AS n FROM gba.health.visits GROUP BY length(patient)",
        ),
        attack(
            "an identifier under a function",
            CLASS,
            "SELECT count(*) AS n FROM gba.health.visits WHERE concat(patient, 'x') = 'SZ0000001x'",
        ),
        attack(
            "an identifier that is there",
            CLASS,
            "SELECT count(*) AS n FROM gba.health.visits WHERE patient IS NOT NULL",
        ),
        attack(
            "an identifier against VALUES",
            Refused(&["column-class", "not-splittable", "not-an-aggregate"]),
            "SELECT count(*) AS n FROM gba.health.visits v JOIN (VALUES ('SZ0000001')) w(p) ON v.patient = w.p",
        ),
        attack(
            "an identifier among VALUES",
            Refused(&["column-class", "not-splittable", "not-an-aggregate"]),
            "SELECT count(*) AS n FROM gba.health.visits WHERE patient IN (SELECT p FROM (VALUES ('SZ0000001'), ('SZ0000002')) w(p))",
        ),
        attack(
            "an identifier against a public column",
            Refused(&["column-class", "not-splittable", "not-an-aggregate"]),
            "SELECT count(*) AS n FROM gba.health.visits v JOIN gba.health.facilities f ON v.patient = f.title",
        ),
        attack(
            "an identifier as weight",
            Refused(&["column-class", "aggregate-argument", "function-not-allowed"]),
            "SELECT sum(length(patient)) AS s FROM gba.health.visits",
        ),
        attack("a sealed column counted", UNKNOWN, "SELECT count(remarks) AS n FROM hongkong.health.visits"),
        attack(
            "a sealed column as key",
            UNKNOWN,
            "SELECT remarks, count(*) AS n FROM hongkong.health.visits GROUP BY remarks",
        ),
        attack(
            "a sealed column as condition",
            UNKNOWN,
            "SELECT count(*) AS n FROM hongkong.health.visits WHERE remarks LIKE 'note%'",
        ),
        attack(
            "a sealed column that is there",
            UNKNOWN,
            "SELECT count(*) AS n FROM hongkong.health.visits WHERE remarks IS NULL",
        ),
        attack(
            "a sealed column renamed",
            UNKNOWN,
            "SELECT count(x) AS n FROM (SELECT remarks AS x FROM hongkong.health.visits) t",
        ),
        attack(
            "a sealed column under functions",
            UNKNOWN,
            "SELECT sum(length(coalesce(CAST(observacoes AS VARCHAR), ''))) AS n FROM macau.health.visits",
        ),
        attack(
            "sealed columns counted once",
            UNKNOWN,
            "SELECT count(DISTINCT remarks) AS n FROM hongkong.health.visits",
        ),
        attack("an undeclared column", UNKNOWN, "SELECT count(note) AS n FROM shenzhen.health.visits"),
        attack("the gate's own column", UNKNOWN, "SELECT __unit, count(*) AS n FROM gba.health.visits GROUP BY __unit"),
        attack("a column of the gate's name", Harmless, "SELECT count(*) AS __unit FROM gba.health.visits"),
        attack(
            "a key of the gate's name",
            Harmless,
            "SELECT specialty AS \"__unit\", count(*) AS n FROM gba.health.visits GROUP BY specialty",
        ),
        attack("a system column", UNKNOWN, "SELECT ctid, count(*) AS n FROM gba.health.visits GROUP BY ctid"),
        attack("distinct measures counted", Harmless, "SELECT count(DISTINCT cost) AS n FROM gba.health.visits"),
        attack("a function of the unit", Harmless, "SELECT count(DISTINCT upper(patient)) AS n FROM gba.health.visits"),
        attack(
            "moments as keys",
            Hides("2019-03-02"),
            "SELECT seen_at, count(*) AS n FROM gba.health.visits GROUP BY seen_at",
        ),
    ]
}
