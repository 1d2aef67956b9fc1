//! Subqueries that keep or drop rows: one person named in them, one record without a name, lists that change between two
//! looks.

use super::Outcome::{AsForNobody, Harmless, Refused};
use super::{Attack, attack};

/// The known diagnosis, and one that nobody has.
const NOBODY: super::Outcome = AsForNobody("Q99.9", "Q00.0");

pub(super) fn attacks() -> Vec<Attack> {
    vec![
        attack(
            "one person's total, kept by a subquery under OR",
            NOBODY,
            "SELECT sum(cost) AS s FROM gba.health.visits WHERE visit_date > DATE '2999-01-01' OR patient IN (SELECT patient FROM gba.health.screenings WHERE kind = 'Q99.9')",
        ),
        attack(
            "one person's visits by a subquery under OR",
            NOBODY,
            "SELECT count(*) AS n FROM gba.health.patients WHERE birth_year > 3000 OR patient IN (SELECT patient FROM gba.health.visits WHERE diagnosis = 'Q99.9')",
        ),
        attack(
            "everybody but one, by NOT IN",
            Refused(&["not-splittable"]),
            "SELECT sum(income) AS s FROM gba.health.patients WHERE patient NOT IN (SELECT patient FROM gba.health.visits WHERE diagnosis = 'Q99.9')",
        ),
        attack(
            "a record without a name, by NOT IN under OR",
            Harmless,
            "SELECT count(*) AS n FROM gba.health.patients WHERE birth_year > 3000 OR patient NOT IN (SELECT patient FROM gba.health.visits WHERE diagnosis = 'Q99.9')",
        ),
        attack(
            "people by another's dimension under OR",
            Refused(&["not-splittable", "not-an-aggregate"]),
            "SELECT sum(income) AS s FROM gba.health.patients WHERE birth_year > 3000 OR district IN (SELECT diagnosis FROM gba.health.visits WHERE diagnosis = 'Q99.9')",
        ),
        attack(
            "a list that changes between two looks",
            Refused(&["function-not-allowed", "not-splittable"]),
            "SELECT specialty, sum(cost) AS s FROM gba.health.visits WHERE emergency OR specialty IN (SELECT specialty FROM gba.reference.specialties WHERE random() < 0.5) GROUP BY specialty",
        ),
        attack(
            "a list that ends anywhere",
            Refused(&["not-splittable", "not-an-aggregate"]),
            "SELECT sum(cost) AS s FROM gba.health.visits WHERE emergency OR specialty IN (SELECT specialty FROM gba.reference.specialties LIMIT 1)",
        ),
        attack(
            "a measure found in a public list",
            Refused(&["column-class"]),
            "SELECT count(*) AS n FROM gba.health.visits WHERE emergency OR pain IN (SELECT weight FROM gba.reference.specialties)",
        ),
        attack(
            "the dearest visit of each diagnosis, by DISTINCT ON",
            Refused(&["aggregate-function", "not-an-aggregate"]),
            "SELECT DISTINCT ON (diagnosis) diagnosis, cost FROM gba.health.visits ORDER BY diagnosis, cost DESC",
        ),
        attack(
            "a membership as a group key",
            Refused(&["not-splittable", "not-an-aggregate", "column-class"]),
            "SELECT patient IN (SELECT patient FROM gba.health.visits WHERE diagnosis = 'Q99.9') AS it, sum(income) AS s FROM gba.health.patients GROUP BY patient IN (SELECT patient FROM gba.health.visits WHERE diagnosis = 'Q99.9')",
        ),
        attack(
            "a membership as a condition of an aggregate",
            Refused(&["not-splittable", "not-an-aggregate", "aggregate-argument", "invalid-sql"]),
            "SELECT sum(income) FILTER (WHERE patient IN (SELECT patient FROM gba.health.visits WHERE diagnosis = 'Q99.9')) AS s FROM gba.health.patients",
        ),
    ]
}
