//! Conditions that few meet, or that few do not meet: in WHERE, HAVING, FILTER, CASE and joins.

use super::Outcome::{AsForNobody, Harmless, Hides, Refused, Withholds};
use super::{Attack, attack};

/// The known diagnosis, and one that nobody has.
const NOBODY: super::Outcome = AsForNobody("Q99.9", "Q00.0");

/// Inside an aggregate, a condition that nobody meets is answered, and one that few meet is not: the design says "none
/// or at least k". So the two can be told apart there; the values cannot be learnt.
const INSIDE: super::Outcome = Withholds(&["s"]);

pub(super) fn attacks() -> Vec<Attack> {
    vec![
        attack("one person's total", NOBODY, "SELECT sum(cost) AS s FROM gba.health.visits WHERE diagnosis = 'Q99.9'"),
        attack("one person counted", NOBODY, "SELECT count(*) AS n FROM gba.health.visits WHERE diagnosis = 'Q99.9'"),
        attack(
            "one person averaged",
            NOBODY,
            "SELECT avg(pain) AS p, avg(stay_days) AS d FROM macau.health.visits v WHERE v.cid10 = 'Q99.9'"
                .replace("pain", "dor")
                .replace("stay_days", "dias")
                .as_str(),
        ),
        attack(
            "one person as a distinct count",
            NOBODY,
            "SELECT count(DISTINCT patient) AS n FROM gba.health.visits WHERE diagnosis = 'Q99.9'",
        ),
        attack(
            "one person's groups",
            NOBODY,
            "SELECT specialty, count(*) AS n, sum(cost) AS s FROM gba.health.visits WHERE diagnosis = 'Q99.9' GROUP BY specialty",
        ),
        attack(
            "one person's totals of totals",
            NOBODY,
            "SELECT specialty, sum(cost) AS s FROM gba.health.visits WHERE diagnosis = 'Q99.9' GROUP BY ROLLUP (specialty)",
        ),
        attack(
            "one person's flags",
            NOBODY,
            "SELECT bool_or(emergency) AS b FROM gba.health.visits WHERE diagnosis = 'Q99.9'",
        ),
        attack(
            "one person's moments",
            NOBODY,
            "SELECT covar_pop(pain, stay_days) AS c, var_pop(pain) AS v FROM gba.health.visits WHERE diagnosis = 'Q99.9'",
        ),
        attack(
            "one person by year of birth",
            AsForNobody("1899", "1799"),
            "SELECT sum(income) AS s FROM gba.health.patients WHERE birth_year = 1899",
        ),
        attack(
            "one person by a range",
            AsForNobody("< 1900", "< 1800"),
            "SELECT avg(weight) AS w FROM gba.health.patients WHERE birth_year < 1900",
        ),
        attack(
            "one person through a join",
            AsForNobody("1899", "1799"),
            "SELECT sum(v.cost) AS s FROM gba.health.visits v JOIN gba.health.patients p ON v.patient = p.patient WHERE p.birth_year = 1899",
        ),
        attack(
            "one person through EXISTS",
            AsForNobody("1899", "1799"),
            "SELECT sum(cost) AS s FROM gba.health.visits v WHERE EXISTS (SELECT 1 FROM gba.health.patients p WHERE p.patient = v.patient AND p.birth_year = 1899)",
        ),
        attack(
            "one person through IN",
            AsForNobody("1899", "1799"),
            "SELECT avg(pain) AS s FROM gba.health.visits WHERE patient IN (SELECT patient FROM gba.health.patients WHERE birth_year = 1899)",
        ),
        attack(
            "the dearest visits by their cost",
            Refused(&["column-class"]),
            "SELECT sum(cost) AS s, count(*) AS n FROM gba.health.visits WHERE cost > 7000000",
        ),
        attack(
            "a condition inside",
            INSIDE,
            "SELECT count(*) AS n, sum(cost) FILTER (WHERE diagnosis = 'Q99.9') AS s FROM gba.health.visits",
        ),
        attack(
            "a counted condition inside",
            Harmless,
            "SELECT specialty, count(*) FILTER (WHERE diagnosis = 'Q99.9') AS n FROM gba.health.visits GROUP BY specialty",
        ),
        attack(
            "a CASE that keeps",
            INSIDE,
            "SELECT sum(CASE WHEN diagnosis = 'Q99.9' THEN cost END) AS s FROM gba.health.visits",
        ),
        attack(
            "a CASE that keeps, else zero",
            INSIDE,
            "SELECT sum(CASE WHEN diagnosis = 'Q99.9' THEN cost ELSE 0 END) AS s FROM gba.health.visits",
        ),
        attack(
            "a CASE that counts",
            INSIDE,
            "SELECT sum(CASE diagnosis WHEN 'Q99.9' THEN 1 ELSE 0 END) AS s FROM gba.health.visits",
        ),
        attack(
            "a CASE that averages",
            INSIDE,
            "SELECT avg(CASE WHEN diagnosis = 'Q99.9' THEN pain END) AS s FROM gba.health.visits",
        ),
        attack(
            "all but one, inside",
            Withholds(&["others"]),
            "SELECT sum(cost) AS whole, sum(cost) FILTER (WHERE diagnosis <> 'Q99.9') AS others FROM gba.health.visits",
        ),
        attack(
            "all but one, by CASE",
            Withholds(&["others"]),
            "SELECT sum(cost) AS whole, sum(CASE WHEN diagnosis <> 'Q99.9' THEN cost END) AS others FROM gba.health.visits",
        ),
        attack(
            "all but one, counted",
            Withholds(&["others"]),
            "SELECT count(*) AS whole, count(*) FILTER (WHERE birth_year <> 1899) AS others FROM gba.health.patients",
        ),
        attack(
            "a condition that is one's absence",
            Withholds(&["others"]),
            "SELECT count(*) AS n, count(nullif(diagnosis, 'Q99.9')) AS others FROM gba.health.visits",
        ),
        attack(
            // Of a one person has most, b is a without that person, and d is c.
            "the difference of two conditions",
            Withholds(&["a", "b", "d"]),
            "SELECT sum(cost) FILTER (WHERE emergency) AS a, sum(cost) FILTER (WHERE emergency AND diagnosis <> 'Q99.9') AS b, sum(cost) FILTER (WHERE NOT emergency) AS c, sum(cost) FILTER (WHERE NOT emergency AND diagnosis <> 'Q99.9') AS d FROM gba.health.visits",
        ),
        attack(
            "the difference of two counts",
            Withholds(&["b"]),
            "SELECT count(*) FILTER (WHERE diagnosis <> 'I10') AS a, count(*) FILTER (WHERE diagnosis NOT IN ('I10', 'Q99.9')) AS b FROM gba.health.visits",
        ),
        attack(
            "two conditions less a third",
            Withholds(&["b"]),
            "SELECT count(*) FILTER (WHERE emergency OR diagnosis = 'Q99.9') AS a, count(*) FILTER (WHERE NOT emergency OR diagnosis = 'Q99.9') AS b FROM gba.health.visits",
        ),
        attack(
            "the difference of a FILTER and a CASE",
            Withholds(&["a", "b"]),
            "SELECT sum(cost) FILTER (WHERE diagnosis <> 'I10') AS a, sum(CASE WHEN diagnosis <> 'I10' AND diagnosis <> 'Q99.9' THEN cost END) AS b FROM gba.health.visits",
        ),
        attack(
            "all but one, before the whole",
            Withholds(&["others"]),
            "SELECT count(*) FILTER (WHERE diagnosis <> 'Q99.9') AS others, count(*) AS whole FROM gba.health.visits",
        ),
        attack(
            "one among what is told",
            Withholds(&["one"]),
            "SELECT count(*) AS n, sum(cost) AS s, avg(cost) AS a, count(*) FILTER (WHERE diagnosis = 'Q99.9') AS one FROM gba.health.visits",
        ),
        attack(
            "all but one of three",
            Withholds(&["b"]),
            "SELECT count(*) AS n, count(*) FILTER (WHERE diagnosis NOT IN ('I10', 'Q99.9')) AS a, count(*) FILTER (WHERE diagnosis = 'I10') AS b FROM gba.health.visits",
        ),
        attack(
            "all but one of three, the other way round",
            Withholds(&["b"]),
            "SELECT count(*) AS n, count(*) FILTER (WHERE diagnosis = 'I10') AS a, count(*) FILTER (WHERE diagnosis NOT IN ('I10', 'Q99.9')) AS b FROM gba.health.visits",
        ),
        attack(
            "all but one, as not the one",
            Withholds(&["others"]),
            "SELECT count(*) AS n, count(*) FILTER (WHERE (diagnosis = 'Q99.9') IS NOT TRUE) AS others FROM gba.health.visits",
        ),
        attack(
            "the average of all but one",
            Withholds(&["others"]),
            "SELECT avg(cost) FILTER (WHERE diagnosis <> 'Q99.9') AS others, avg(cost) AS whole, count(*) AS n FROM gba.health.visits",
        ),
        attack(
            "all but one by a spread",
            Withholds(&["whole", "others"]),
            "SELECT var_pop(cost) AS whole, count(cost) AS n, var_pop(cost) FILTER (WHERE diagnosis <> 'Q99.9') AS others FROM gba.health.visits",
        ),
        attack(
            "one by a difference at home",
            Withholds(&["one"]),
            "SELECT n - m AS one, n FROM (SELECT count(*) AS n, count(*) FILTER (WHERE diagnosis <> 'Q99.9') AS m FROM gba.health.visits) t",
        ),
        attack(
            "one by flags",
            Withholds(&["f"]),
            "SELECT count(*) AS n, bool_or(diagnosis = 'Q99.9') AS f FROM gba.health.visits",
        ),
        attack(
            "a filter that is withheld, and its double",
            Withholds(&["a", "b"]),
            "SELECT count(*) AS n, count(*) FILTER (WHERE diagnosis = 'Q99.9') AS a, sum(CASE diagnosis WHEN 'Q99.9' THEN 1 ELSE 0 END) AS b FROM gba.health.visits",
        ),
        attack(
            "one by sums of different measures",
            Withholds(&["a", "b"]),
            "SELECT sum(cost) FILTER (WHERE diagnosis <> 'I10') AS a, sum(stay_days) FILTER (WHERE diagnosis NOT IN ('I10', 'Q99.9')) AS b FROM gba.health.visits",
        ),
        attack(
            "one by a total of totals",
            Harmless,
            "SELECT specialty, count(*) AS n, count(*) FILTER (WHERE diagnosis <> 'Q99.9') AS others FROM gba.health.visits GROUP BY ROLLUP (specialty)",
        ),
        attack(
            "one by what HAVING lets through",
            Harmless,
            "SELECT specialty, count(*) AS n FROM gba.health.visits GROUP BY specialty HAVING count(*) FILTER (WHERE diagnosis = 'Q99.9') > 0",
        ),
        attack(
            "one by the order of groups",
            Harmless,
            "SELECT specialty FROM gba.health.visits GROUP BY specialty ORDER BY sum(cost) FILTER (WHERE diagnosis = 'Q99.9') DESC NULLS LAST LIMIT 1",
        ),
        attack(
            "groups of one",
            Hides("Q99.9"),
            "SELECT diagnosis, sum(cost) AS s FROM gba.health.visits GROUP BY diagnosis",
        ),
        attack(
            "groups of one, by HAVING",
            Hides("Q99.9"),
            "SELECT diagnosis, avg(cost) AS s FROM gba.health.visits GROUP BY diagnosis HAVING count(*) = 1",
        ),
        attack(
            "groups of few, by HAVING",
            Hides("Q99.9"),
            "SELECT diagnosis, avg(cost) AS s FROM gba.health.visits GROUP BY diagnosis HAVING count(*) < 10",
        ),
        attack(
            "groups by the greatest sum",
            Hides("Q99.9"),
            "SELECT diagnosis, sum(cost) AS s FROM gba.health.visits GROUP BY diagnosis ORDER BY sum(cost) DESC LIMIT 1",
        ),
        attack(
            "groups by the least count",
            Hides("Q99.9"),
            "SELECT diagnosis, count(*) AS n FROM gba.health.visits GROUP BY diagnosis ORDER BY n LIMIT 1",
        ),
        attack(
            "groups of one under a window",
            Hides("Q99.9"),
            "SELECT diagnosis, count(*) AS n, sum(count(*)) OVER () AS all_visits FROM gba.health.visits GROUP BY diagnosis",
        ),
        attack(
            "groups of one and their total",
            Hides("Q99.9"),
            "SELECT diagnosis, count(*) AS n, sum(cost) AS s FROM gba.health.visits GROUP BY ROLLUP (diagnosis)",
        ),
        attack(
            "groups of one in grouping sets",
            Hides("Q99.9"),
            "SELECT diagnosis, sum(cost) AS s FROM gba.health.visits GROUP BY GROUPING SETS ((diagnosis), ())",
        ),
        attack(
            "groups of one in a cube",
            Hides("Q99.9"),
            "SELECT diagnosis, emergency, sum(cost) AS s FROM gba.health.visits GROUP BY CUBE (diagnosis, emergency)",
        ),
        attack(
            "groups of one by a condition as key",
            Harmless,
            "SELECT diagnosis = 'Q99.9' AS it, sum(cost) AS s FROM gba.health.visits GROUP BY diagnosis = 'Q99.9'",
        ),
        attack(
            "one person's rows multiplied by a join",
            Refused(&["not-an-aggregate"]),
            "SELECT a.diagnosis, sum(a.cost) AS s FROM gba.health.visits a JOIN gba.health.visits b ON a.jurisdiction = b.jurisdiction AND a.patient = b.patient GROUP BY a.diagnosis",
        ),
        attack(
            "one person's rows multiplied by codes",
            Harmless,
            "SELECT v.icd10, sum(v.fee_cny) AS s FROM shenzhen.health.visits v CROSS JOIN gba.reference.specialties c GROUP BY v.icd10",
        ),
        attack(
            "one person's rows multiplied by specialty",
            Harmless,
            "SELECT a.icd10, count(*) AS n FROM shenzhen.health.visits a JOIN shenzhen.health.visits b ON a.department = b.department GROUP BY a.icd10",
        ),
        attack(
            "one person's rows multiplied by numbers",
            Harmless,
            "SELECT v.icd10, sum(v.fee_cny) AS s FROM shenzhen.health.visits v CROSS JOIN (VALUES (1), (2), (3), (4), (5), (6), (7), (8), (9), (10), (11)) n(x) GROUP BY v.icd10",
        ),
        attack(
            "a condition on a measure inside",
            Refused(&["column-class", "aggregate-argument"]),
            "SELECT sum(length(specialty)) FILTER (WHERE cost > 7000000) AS n FROM gba.health.visits",
        ),
        attack(
            "a counted condition on a measure",
            Refused(&["column-class"]),
            "SELECT count(*) FILTER (WHERE cost > 7000000) AS n FROM gba.health.visits",
        ),
    ]
}
