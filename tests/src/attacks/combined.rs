//! One person decoded from cells that each hold enough people: others whose values the query itself fixes, weights, rows that
//! are nobody's, and NULLs that are counted.

use super::Outcome::{Hides, Refused, Withholds};
use super::{Attack, Outcome, attack};

const CLASS: Outcome = Refused(&["column-class"]);
const ARGUMENT: Outcome = Refused(&["aggregate-argument"]);
/// A join that an owner refuses, or that the home node cannot send.
const JOIN: Outcome = Refused(&["not-an-aggregate", "not-splittable"]);
const WEIGHT: Outcome = Refused(&["aggregate-argument", "not-an-aggregate", "not-splittable"]);

pub(super) fn attacks() -> Vec<Attack> {
    [fixed(), few_values(), outside(), inside(), nobodys(), gaps()].concat()
}

/// People whose value the filter fixes hide nobody among them: what is left of a sum is the one whose value it does not fix.
fn fixed() -> Vec<Attack> {
    let of = |name, text: &str| attack(name, CLASS, text);
    let visits = "FROM gba.health.visits";
    vec![
        of(
            "others pinned by a measure",
            &format!(
                "SELECT count(*) AS n, sum(pain) AS p, sum(cost) AS c, sum(cost * pain) AS x {visits} WHERE diagnosis = 'Q99.9' OR pain = 5"
            ),
        ),
        of(
            "others pinned in a derived table",
            "SELECT sum(c) AS s FROM (SELECT cost AS c, stay_days AS d, diagnosis AS k FROM gba.health.visits) t WHERE k = 'Q99.9' OR d = 3",
        ),
        of(
            "others pinned in a CTE",
            "WITH t AS (SELECT cost, stay_days + 1 AS d, diagnosis FROM gba.health.visits) SELECT sum(cost) AS s FROM t WHERE diagnosis = 'Q99.9' OR d = 4",
        ),
        of(
            "others pinned by a list",
            &format!("SELECT sum(cost) AS s {visits} WHERE diagnosis = 'Q99.9' OR stay_days IN (3, 4)"),
        ),
        of("others pinned by a range", &format!("SELECT sum(pain) AS s {visits} WHERE pain BETWEEN 5 AND 5.001")),
        of(
            "others pinned by De Morgan",
            &format!("SELECT sum(cost) AS s {visits} WHERE NOT (diagnosis <> 'Q99.9' AND stay_days <> 3)"),
        ),
        of(
            "others pinned by a FILTER",
            &format!("SELECT sum(cost) FILTER (WHERE diagnosis = 'Q99.9' OR stay_days = 3) AS s {visits}"),
        ),
        of(
            "others pinned by a CASE",
            &format!("SELECT sum(CASE WHEN diagnosis = 'Q99.9' OR stay_days = 3 THEN cost END) AS s {visits}"),
        ),
        of(
            "others pinned by a flag under a window",
            &format!(
                "SELECT specialty, sum(sum(CASE WHEN stay_days = 3 THEN 1 ELSE 0 END)) OVER () AS s {visits} GROUP BY specialty"
            ),
        ),
        of(
            "others pinned and then judged by HAVING",
            &format!(
                "SELECT specialty, sum(cost) AS s {visits} WHERE stay_days = 3 GROUP BY specialty HAVING count(*) > 10"
            ),
        ),
        of(
            "others pinned in one branch of UNION ALL",
            &format!("SELECT sum(cost) AS s {visits} UNION ALL SELECT sum(cost) AS s {visits} WHERE pain < 3"),
        ),
        of(
            "others pinned in a subquery",
            "SELECT sum(income) AS s FROM gba.health.patients WHERE patient IN (SELECT patient FROM gba.health.visits WHERE cost > 5000)",
        ),
        of(
            "others pinned in EXISTS",
            "SELECT sum(income) AS s FROM gba.health.patients p WHERE EXISTS (SELECT 1 FROM gba.health.visits v WHERE v.patient = p.patient AND v.cost > 5000)",
        ),
        of(
            "others pinned in a join",
            "SELECT sum(v.cost) AS s FROM gba.health.visits v JOIN gba.health.patients p ON v.patient = p.patient AND p.income > 5000",
        ),
        of("a measure that is not there", &format!("SELECT count(*) AS n {visits} WHERE pain IS NULL")),
        of("a measure that is there", &format!("SELECT count(*) FILTER (WHERE pain IS NOT NULL) AS n {visits}")),
        of("a measure or else zero", &format!("SELECT sum(coalesce(pain, 0)) AS s {visits}")),
    ]
}

/// A sum beside a count says how many have each of a few values.
fn few_values() -> Vec<Attack> {
    let people = "FROM gba.health.patients";
    vec![
        attack(
            "two years of birth",
            ARGUMENT,
            &format!("SELECT sum(birth_year) AS s, count(*) AS n {people} WHERE birth_year IN (1899, 1970)"),
        ),
        attack("a mean year of birth", ARGUMENT, &format!("SELECT avg(birth_year) AS a {people}")),
        attack("a spread of years", ARGUMENT, &format!("SELECT stddev(birth_year) AS a {people}")),
        attack(
            "years under another name",
            ARGUMENT,
            "SELECT sum(y) AS s FROM (SELECT 2019 - birth_year AS y FROM gba.health.patients) t",
        ),
        attack(
            "years of one sex",
            ARGUMENT,
            &format!("SELECT sum(CASE WHEN sex = 'female' THEN birth_year END) AS s {people}"),
        ),
        attack(
            "years as the other side of a slope",
            ARGUMENT,
            &format!("SELECT regr_slope(income, birth_year) AS s {people}"),
        ),
    ]
}

/// Public columns as weights, and keys of a join that the query computes.
fn outside() -> Vec<Attack> {
    let join = "FROM gba.health.visits v JOIN gba.health.facilities f ON v.facility = f.facility";
    vec![
        attack("beds as a factor", WEIGHT, &format!("SELECT sum(v.stay_days * f.beds) AS s, sum(f.beds) AS b {join}")),
        attack("beds as a summand", WEIGHT, &format!("SELECT sum(v.stay_days + f.beds) AS s {join}")),
        attack("beds alone", WEIGHT, &format!("SELECT v.specialty, sum(f.beds) AS b {join} GROUP BY v.specialty")),
        attack("a rating against a cost", WEIGHT, &format!("SELECT corr(v.pain, f.rating) AS r {join}")),
        attack(
            "beds in a derived table",
            WEIGHT,
            "SELECT sum(w) AS s FROM (SELECT v.stay_days * f.beds AS w FROM gba.health.visits v JOIN gba.health.facilities f ON v.facility = f.facility) t",
        ),
        attack(
            "beds by USING",
            WEIGHT,
            "SELECT sum(beds) AS s FROM gba.health.visits JOIN gba.health.facilities USING (facility)",
        ),
        attack(
            "beds by LATERAL",
            WEIGHT,
            "SELECT sum(l.beds) AS s FROM gba.health.visits v, LATERAL (SELECT beds FROM gba.health.facilities f WHERE f.facility = v.facility) l",
        ),
        attack(
            "a weight by specialty",
            WEIGHT,
            "SELECT sum(v.pain * s.weight) AS s FROM gba.health.visits v JOIN gba.reference.specialties s ON v.specialty = s.specialty",
        ),
        attack(
            "a key computed of public rows",
            JOIN,
            "SELECT sum(v.cost) AS s FROM gba.health.visits v JOIN gba.reference.specialties s ON v.diagnosis = CASE s.specialty WHEN 'oncology' THEN 'Q99.9' ELSE 'I10' END",
        ),
        attack(
            "a key computed in a derived table",
            JOIN,
            "SELECT sum(v.cost) AS s FROM gba.health.visits v JOIN (SELECT upper(specialty) AS k FROM gba.reference.specialties) s ON v.diagnosis = s.k",
        ),
        attack(
            "every public row for every visit",
            JOIN,
            "SELECT sum(v.cost) AS s FROM gba.health.visits v CROSS JOIN gba.reference.specialties s",
        ),
        attack(
            "public rows by an inequality",
            JOIN,
            "SELECT sum(v.cost) AS s FROM gba.health.visits v JOIN gba.reference.specialties s ON v.specialty < s.specialty",
        ),
    ]
}

/// Joins of non-public tables that repeat rows, and differences that leave one person.
fn inside() -> Vec<Attack> {
    let own = "FROM gba.health.visits v JOIN gba.health.visits w ON v.patient = w.patient";
    vec![
        attack("a difference of a visit and another", JOIN, &format!("SELECT sum(v.cost - w.cost) AS s {own}")),
        attack(
            "a weight by one's own visits",
            JOIN,
            &format!("SELECT sum(v.cost) AS s {own} AND (v.diagnosis = 'Q99.9' OR v.seen_at = w.seen_at)"),
        ),
        attack(
            "a weight of a power",
            JOIN,
            &format!(
                "SELECT count(*) AS n {own} JOIN gba.health.visits x ON x.patient = w.patient JOIN gba.health.visits y ON y.patient = x.patient"
            ),
        ),
        attack(
            "one's visits by another name",
            JOIN,
            "SELECT count(*) AS n FROM shenzhen.health.visits v JOIN shenzhen.health.visits w USING (resident_id)",
        ),
        attack(
            "a weight by one's screenings",
            JOIN,
            "SELECT sum(v.cost) AS s FROM gba.health.visits v JOIN gba.health.screenings s ON v.patient = s.patient",
        ),
        attack(
            "a measure by detour as a group key",
            Refused(&["column-class", "not-an-aggregate", "not-splittable"]),
            &format!(
                "SELECT w.diagnosis, count(*) AS n {own} AND v.pain >= w.pain AND v.pain < w.pain + 1 GROUP BY w.diagnosis"
            ),
        ),
        attack(
            "an income for each visit",
            ARGUMENT,
            "SELECT sum(p.income) AS s, count(*) AS n FROM gba.health.visits v JOIN gba.health.patients p ON v.patient = p.patient",
        ),
        attack(
            "a product over two tables",
            ARGUMENT,
            "SELECT sum(v.pain * p.weight) AS s FROM gba.health.visits v JOIN gba.health.patients p ON v.patient = p.patient",
        ),
        attack(
            "a correlation over two tables",
            ARGUMENT,
            "SELECT corr(v.pain, p.weight) AS r FROM gba.health.visits v JOIN gba.health.patients p ON v.patient = p.patient",
        ),
        attack(
            "an income less itself",
            WEIGHT,
            "SELECT sum(p.income - q.income) AS s FROM gba.health.patients p JOIN gba.health.patients q ON p.patient = q.patient",
        ),
        attack(
            "visits of people, each once",
            Hides("Q99.9"),
            "SELECT v.diagnosis, p.sex, sum(v.cost) AS s FROM gba.health.visits v JOIN gba.health.patients p ON v.patient = p.patient GROUP BY v.diagnosis, p.sex",
        ),
    ]
}

/// Outer joins that keep public rows: such a row is nobody's.
fn nobodys() -> Vec<Attack> {
    vec![
        attack(
            "one or none at a facility",
            JOIN,
            "SELECT f.facility, count(*) - count(v.facility) AS n FROM gba.health.facilities f LEFT JOIN gba.health.visits v ON f.facility = v.facility AND v.diagnosis = 'Q99.9' GROUP BY f.facility",
        ),
        attack(
            "one or none, from the other side",
            JOIN,
            "SELECT f.facility, count(*) AS n FROM gba.health.visits v RIGHT JOIN gba.health.facilities f ON f.facility = v.facility GROUP BY f.facility",
        ),
        attack(
            "one or none, on both sides",
            JOIN,
            "SELECT count(*) AS n, count(v.facility) AS m FROM gba.health.visits v FULL JOIN gba.health.facilities f ON f.facility = v.facility",
        ),
        attack(
            "one or none, by name",
            JOIN,
            "SELECT count(*) AS n FROM gba.health.facilities LEFT JOIN gba.health.visits USING (facility)",
        ),
        attack(
            "released groups beside public rows",
            Hides("Q99.9"),
            "SELECT f.facility, v.n FROM gba.health.facilities f LEFT JOIN (SELECT facility, count(*) AS n FROM gba.health.visits WHERE diagnosis = 'Q99.9' GROUP BY facility) v ON f.facility = v.facility",
        ),
        attack(
            "who has no visits, by an outer join",
            Withholds(&["a"]),
            "SELECT count(DISTINCT p.patient) AS a, count(DISTINCT v.patient) AS b FROM gba.health.visits v LEFT JOIN gba.health.patients p ON v.patient = p.patient AND p.birth_year <> 1899",
        ),
    ]
}

/// Counts of values, by which those without one are counted.
fn gaps() -> Vec<Attack> {
    let few = "FROM gba.health.visits WHERE diagnosis = 'Q99.9'";
    vec![
        attack(
            "values of a few",
            Outcome::AsForNobody("Q99.9", "Q00.0"),
            &format!("SELECT count(pain) AS n, count(*) AS m {few}"),
        ),
        attack(
            "a function of a value, counted",
            ARGUMENT,
            "SELECT count(nullif(stay_days, 3)) AS n, count(*) AS m FROM gba.health.visits",
        ),
        attack("a comparison, counted", ARGUMENT, "SELECT count(pain > 5) AS n FROM gba.health.visits"),
        attack("the greater of two, counted", ARGUMENT, "SELECT count(greatest(pain, 5)) AS n FROM gba.health.visits"),
    ]
}
