//! Arguments that single people out: weights, powers, indicators, and everything else that is not affine.

use super::Outcome::{Harmless, Refused};
use super::{Attack, attack};

const ARGUMENT: super::Outcome = Refused(&["aggregate-argument", "function-not-allowed", "column-class"]);

pub(super) fn attacks() -> Vec<Attack> {
    let of =
        |name, argument: &str| attack(name, ARGUMENT, &format!("SELECT sum({argument}) AS s FROM gba.health.visits"));
    vec![
        of("weights by diagnosis", "cost * CASE diagnosis WHEN 'Q99.9' THEN 1000000 ELSE 1 END"),
        of("weights by day", "cost * date_part('day', visit_date)"),
        of(
            "packed cells",
            "CASE specialty WHEN 'cardiology' THEN 1 WHEN 'oncology' THEN 1000000 ELSE 1000000000000 END",
        ),
        of("a packed measure", "CASE specialty WHEN 'cardiology' THEN cost WHEN 'oncology' THEN cost * 1000000 END"),
        of("a high power", "power(cost, 50)"),
        of("a cube", "cost * cost * cost"),
        of("an exponential", "exp(pain)"),
        of("a logarithm", "ln(cost)"),
        of("a square root", "sqrt(pain)"),
        of("a remainder", "stay_days % 7"),
        of("a reciprocal", "1 / stay_days"),
        of("a quotient of measures", "cost / pain"),
        of("a distance", "abs(cost - 5000)"),
        of("a sign", "signum(cost - 7000000)"),
        of("the greater of two", "greatest(cost, 7000000)"),
        of("the lesser of two", "least(cost, 5000)"),
        of("a digit", "floor(cost / 1000) - 10 * floor(cost / 10000)"),
        of("a length of text", "length(diagnosis)"),
        of("a hash", "CAST(substr(diagnosis, 2, 2) AS INT)"),
        attack(
            "an indicator of a measure",
            Harmless,
            "SELECT sum(CAST(cost > 7000000 AS INT)) AS s FROM gba.health.visits",
        ),
        of("a measure times an indicator", "cost * CAST(diagnosis = 'Q99.9' AS INT)"),
        of("a list's length", "array_length(make_array(cost))"),
        attack(
            "a measure against an indicator",
            Refused(&["aggregate-argument", "column-class"]),
            "SELECT corr(cost, CASE WHEN diagnosis = 'Q99.9' THEN 1 ELSE 0 END) AS r FROM gba.health.visits",
        ),
        attack(
            "a slope against an indicator",
            Refused(&["aggregate-argument", "column-class"]),
            "SELECT regr_slope(cost, CAST(diagnosis = 'Q99.9' AS INT)) AS r FROM gba.health.visits",
        ),
        attack(
            "weights in VALUES",
            Refused(&["aggregate-argument", "column-class", "not-splittable", "not-an-aggregate"]),
            "SELECT sum(v.cost * w.x) AS s FROM gba.health.visits v JOIN (VALUES ('Q99.9', 1000000), ('I10', 1)) w(d, x) ON v.diagnosis = w.d",
        ),
        attack(
            "weights made by a subquery",
            Refused(&["aggregate-argument", "column-class", "not-splittable", "not-an-aggregate"]),
            "SELECT sum(v.cost * w.x) AS s FROM gba.health.visits v JOIN (SELECT 'Q99.9' AS d, 1000000 AS x UNION ALL SELECT 'I10', 1) w ON v.diagnosis = w.d",
        ),
        attack(
            "weights made of a public table",
            Refused(&["aggregate-argument", "column-class", "not-splittable", "not-an-aggregate"]),
            "SELECT sum(v.cost * w.x) AS s FROM gba.health.visits v JOIN (SELECT specialty, CASE specialty WHEN 'oncology' THEN 1000000 ELSE 1 END AS x FROM gba.reference.specialties) w ON v.specialty = w.specialty",
        ),
        attack(
            "weights from a series",
            Refused(&[
                "aggregate-argument",
                "column-class",
                "not-splittable",
                "not-an-aggregate",
                "unknown-name",
                "function-not-allowed",
                "invalid-sql",
            ]),
            "SELECT sum(v.stay_days * g.value) AS s FROM gba.health.visits v JOIN generate_series(1, 1000000) g ON v.stay_days = g.value",
        ),
        attack("a flag of a measure", Harmless, "SELECT bool_or(cost > 7000000) AS b FROM gba.health.visits"),
        attack(
            "an average of a product of three",
            ARGUMENT,
            "SELECT avg(pain * pain * stay_days) AS a FROM gba.health.visits",
        ),
        attack("a great factor", Harmless, "SELECT sum(stay_days * 2147483647) AS s FROM gba.health.visits"),
        attack(
            "an overflowing factor",
            Harmless,
            "SELECT sum(cost * 99999999999999999999) AS s FROM gba.health.visits",
        ),
    ]
}
