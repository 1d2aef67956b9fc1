//! Attacks, each with the code of the rule that stops it.

use crate::admission::testing::{admit_sql, bundle, shenzhen};

use Code::{
    AggregateArgument, AggregateFunction, ColumnClass, FunctionNotAllowed, InvalidSql, Limit, NotAQuery,
    NotAnAggregate, UnknownName,
};
use wanqu_model::refusal::Code;

/// `V` stands for Shenzhen's visits, `P` for its patients, `F` for its public facilities, `A` for its public hourly air.
const REFUSED: &[(&str, Code)] = &[
    // Rows.
    ("SELECT * FROM V", ColumnClass),
    ("SELECT sex FROM V", NotAnAggregate),
    ("SELECT patient_id FROM V", NotAnAggregate),
    ("SELECT note FROM V", ColumnClass),
    ("SELECT ward FROM V", NotAnAggregate),
    ("SELECT cost FROM V ORDER BY cost DESC LIMIT 1", NotAnAggregate),
    ("SELECT sex, count(*) FROM V GROUP BY sex ORDER BY 2 LIMIT 1", NotAnAggregate),
    ("SELECT count(*) FROM (SELECT * FROM V LIMIT 1) x", NotAnAggregate),
    ("SELECT DISTINCT cost FROM V", ColumnClass),
    ("SELECT DISTINCT patient_id FROM V", ColumnClass),
    ("SELECT DISTINCT ON (sex) sex, cost FROM V", NotAnAggregate),
    ("SELECT sex FROM V UNION SELECT district FROM V", NotAnAggregate),
    ("SELECT count(*) FROM V UNION ALL SELECT count(*) FROM V WHERE age > 90", NotAnAggregate),
    ("SELECT sex FROM V EXCEPT SELECT sex FROM V", NotAnAggregate),
    ("SELECT sex FROM V INTERSECT SELECT sex FROM V", NotAnAggregate),
    ("SELECT rank() OVER (ORDER BY cost) FROM V", NotAnAggregate),
    ("SELECT sum(cost) OVER (PARTITION BY patient_id) FROM V", NotAnAggregate),
    ("SELECT sum(r) FROM (SELECT row_number() OVER (ORDER BY cost) AS r FROM V) x", NotAnAggregate),
    // Group keys.
    ("SELECT patient_id, count(*) FROM V GROUP BY patient_id", ColumnClass),
    ("SELECT upper(patient_id), count(*) FROM V GROUP BY 1", ColumnClass),
    ("SELECT substr(patient_id, 1, 6), count(*) FROM V GROUP BY 1", ColumnClass),
    ("SELECT count(*) FROM V GROUP BY cost", ColumnClass),
    ("SELECT CASE WHEN cost > 100 THEN 'a' ELSE 'b' END, count(*) FROM V GROUP BY 1", ColumnClass),
    ("SELECT x.alias, count(*) FROM (SELECT patient_id AS alias FROM V) x GROUP BY x.alias", ColumnClass),
    ("SELECT x.a, count(*) FROM (SELECT concat(sex, patient_id) AS a FROM V) x GROUP BY x.a", ColumnClass),
    ("SELECT spectrum, count(*) FROM V GROUP BY spectrum", ColumnClass),
    ("SELECT translate(district, 'ab', 'ba'), count(*) FROM V GROUP BY 1", FunctionNotAllowed),
    ("SELECT sex, count(*) FROM V GROUP BY ROLLUP (sex)", NotAnAggregate),
    ("SELECT sex, district, count(*) FROM V GROUP BY CUBE (sex, district)", NotAnAggregate),
    ("SELECT sex, district, count(*) FROM V GROUP BY GROUPING SETS ((sex), (district))", NotAnAggregate),
    // Sealed columns, however they are wrapped.
    ("SELECT count(note) FROM V", ColumnClass),
    ("SELECT count(*) FROM V WHERE note LIKE '%x%'", ColumnClass),
    ("SELECT count(*) FROM V WHERE CAST(note AS INT) = 1", ColumnClass),
    ("SELECT count(*) FROM (SELECT upper(note) AS n, sex FROM V) x", ColumnClass),
    ("SELECT count(*) FROM (SELECT note AS renamed, sex FROM V) x", ColumnClass),
    ("SELECT count(*) FROM V JOIN P ON V.note = P.name", ColumnClass),
    ("SELECT sum(octet_length(note)) FROM V", ColumnClass),
    ("SELECT count(*) FROM V WHERE coalesce(note, 'x') = 'x'", ColumnClass),
    ("SELECT count(*) FROM V WHERE note IS NULL", ColumnClass),
    ("SELECT count(*) FILTER (WHERE note = 'x') FROM V", ColumnClass),
    ("SELECT count(DISTINCT note) FROM V", AggregateFunction),
    ("SELECT undeclared FROM V", UnknownName),
    ("SELECT __unit FROM V", UnknownName),
    ("SELECT count(*) FROM (SELECT sex AS __unit FROM V) x", UnknownName),
    ("SELECT count(*) AS __n FROM V", UnknownName),
    ("SELECT count(*) FROM shenzhen.health.visits AS \"#0\"", UnknownName),
    // Identifiers.
    ("SELECT count(*) FROM V WHERE patient_id = 'X'", ColumnClass),
    ("SELECT count(*) FROM V WHERE patient_id IN ('X', 'Y', 'Z', 'W')", ColumnClass),
    ("SELECT count(*) FROM V WHERE patient_id LIKE 'X%'", ColumnClass),
    ("SELECT count(*) FROM V WHERE patient_id < 'M'", ColumnClass),
    ("SELECT count(*) FROM V WHERE patient_id IS NOT NULL", ColumnClass),
    ("SELECT count(*) FROM V WHERE patient_id = visit_id", ColumnClass),
    ("SELECT count(*) FROM V WHERE patient_id = 'X' OR sex = 'F'", ColumnClass),
    ("SELECT sum(CASE WHEN patient_id = 'X' THEN cost END) FROM V", ColumnClass),
    ("SELECT sum(cost) FILTER (WHERE patient_id = 'X') FROM V", ColumnClass),
    ("SELECT count(patient_id) FROM V", ColumnClass),
    ("SELECT min(patient_id) FROM V", AggregateFunction),
    ("SELECT count(DISTINCT upper(patient_id)) FROM V", AggregateFunction),
    ("SELECT count(DISTINCT CASE WHEN sex = 'F' THEN patient_id END) FROM V", AggregateFunction),
    ("SELECT bool_or(patient_id = 'X') FROM V", ColumnClass),
    ("SELECT sum(CAST(patient_id AS BIGINT)) FROM V", ColumnClass),
    // Aggregates that return somebody's value.
    ("SELECT min(cost) FROM V", AggregateFunction),
    ("SELECT max(age) FROM V", AggregateFunction),
    ("SELECT max(ward) FROM V", AggregateFunction),
    ("SELECT sex, max(cost) FROM V GROUP BY sex", AggregateFunction),
    ("SELECT array_agg(cost) FROM V", AggregateFunction),
    ("SELECT string_agg(diagnosis, ',') FROM V", AggregateFunction),
    ("SELECT first_value(cost ORDER BY cost) FROM V", AggregateFunction),
    ("SELECT last_value(cost) FROM V", AggregateFunction),
    ("SELECT nth_value(cost, 2) FROM V", AggregateFunction),
    ("SELECT median(cost) FROM V", AggregateFunction),
    ("SELECT approx_percentile_cont(0.99) WITHIN GROUP (ORDER BY weight) FROM V", AggregateFunction),
    ("SELECT approx_distinct(diagnosis) FROM V", AggregateFunction),
    ("SELECT bit_xor(tests) FROM V", AggregateFunction),
    ("SELECT bit_and(tests) FROM V", AggregateFunction),
    ("SELECT count(DISTINCT cost) FROM V", AggregateFunction),
    ("SELECT count(DISTINCT diagnosis) FROM V", AggregateFunction),
    ("SELECT sum(DISTINCT cost) FROM V", AggregateFunction),
    ("SELECT sex, count(*) FROM V GROUP BY sex HAVING count(*) = 1", NotAnAggregate),
    ("SELECT sum(cost) / count(*) FROM V", NotAnAggregate),
    ("SELECT max(n) FROM (SELECT sex, count(*) AS n FROM V GROUP BY sex) x", NotAnAggregate),
    // Conditions and weights inside aggregates.
    ("SELECT sum(cost * CASE sex WHEN 'F' THEN 1 WHEN 'M' THEN 1000000 END) FROM V", AggregateArgument),
    ("SELECT sum(CASE WHEN sex = 'F' THEN cost WHEN sex = 'M' THEN days END) FROM V", AggregateArgument),
    ("SELECT sum(CASE WHEN sex = 'F' THEN cost ELSE -cost END) FROM V", AggregateArgument),
    ("SELECT sum(CASE WHEN sex = 'F' THEN 1 ELSE 1000 END) FROM V", AggregateArgument),
    ("SELECT sum(CASE WHEN sex = 'F' THEN 1 END + CASE WHEN age > 9 THEN 1000 END) FROM V", AggregateArgument),
    ("SELECT sum(CASE WHEN sex = 'F' THEN CASE WHEN age > 9 THEN cost END END) FROM V", AggregateArgument),
    ("SELECT sum(cost * age) FROM V", AggregateArgument),
    ("SELECT sum(cost * (age = 40)::int) FROM V", AggregateArgument),
    ("SELECT sum(power(weight, 50)) FROM V", FunctionNotAllowed),
    ("SELECT sum(exp(weight)) FROM V", FunctionNotAllowed),
    ("SELECT sum(weight * weight * weight) FROM V", AggregateArgument),
    ("SELECT sum(abs(weight)) FROM V", AggregateArgument),
    ("SELECT sum(round(weight)) FROM V", AggregateArgument),
    ("SELECT sum(greatest(weight, 100)) FROM V", AggregateArgument),
    ("SELECT sum(CAST(weight / 1000 AS BIGINT)) FROM V", AggregateArgument),
    ("SELECT sum(tests / 1000) FROM V", AggregateArgument),
    ("SELECT sum(tests % 2) FROM V", AggregateArgument),
    ("SELECT sum(CAST(cost AS DECIMAL(4, 2))) FROM V", AggregateArgument),
    ("SELECT sum(weight * 1e300) FROM V", AggregateArgument),
    // What leaves 64 bits would tell how many values are large.
    ("SELECT sum(tests * 1000000) FROM V", AggregateArgument),
    ("SELECT sum(CAST(tests * tests * 1000000 AS DECIMAL(38, 0))) FROM V", AggregateArgument),
    ("SELECT sum(CASE WHEN sex = 'F' THEN tests + tests END) FROM V", AggregateArgument),
    ("SELECT sum((weight + 1e17) - 1e17) FROM V", AggregateArgument),
    ("SELECT avg(CAST(days AS DECIMAL(38, 28))) FROM V", AggregateArgument),
    ("SELECT sum(character_length(diagnosis)) FROM V", AggregateArgument),
    ("SELECT sum(nullif(weight, 5)) FROM V", AggregateArgument),
    ("SELECT sum(coalesce(weight, 1000)) FROM V", AggregateArgument),
    ("SELECT corr(cost, CASE WHEN age = 40 THEN 1 ELSE 0 END) FROM V", AggregateArgument),
    ("SELECT corr(cost, age) FROM V", AggregateArgument),
    ("SELECT covar_pop(cost, (age = 40)::int) FROM V", AggregateArgument),
    ("SELECT regr_slope(weight, weight * weight) FROM V", AggregateArgument),
    ("SELECT var_pop(weight * weight) FROM V", AggregateArgument),
    ("SELECT sum(V.cost * w.x) FROM V JOIN (VALUES ('F', 1), ('M', 1000)) AS w(s, x) ON V.sex = w.s", NotAnAggregate),
    ("SELECT sum(V.cost * w.x) FROM V JOIN (SELECT 'F' AS s, 1 AS x) AS w ON V.sex = w.s", NotAnAggregate),
    ("SELECT count(*) FROM V CROSS JOIN (SELECT unnest([1, 2, 3])) AS w", NotAnAggregate),
    // Functions that fail, or change by time.
    ("SELECT count(*) FROM V WHERE 1 / (age - 40) > 0", FunctionNotAllowed),
    ("SELECT count(*) FROM V WHERE 1 % (age - 40) = 0", FunctionNotAllowed),
    ("SELECT count(*) FROM V WHERE age / 0 = 1", FunctionNotAllowed),
    ("SELECT count(*) FROM V WHERE tests / -1 = 1", FunctionNotAllowed),
    ("SELECT count(*) FROM V WHERE random() < 0.5", FunctionNotAllowed),
    ("SELECT count(*) FROM V WHERE uuid() < 'a'", FunctionNotAllowed),
    ("SELECT count(*) FROM V WHERE abs(tests - 5 + (-9223372036854775807 - 1)) > 0", FunctionNotAllowed),
    ("SELECT count(*) FROM V WHERE substr(diagnosis, 1, age - 40) = 'a'", FunctionNotAllowed),
    ("SELECT count(*) FROM V WHERE split_part(diagnosis, '.', age - 40) = 'a'", FunctionNotAllowed),
    ("SELECT count(*) FROM V WHERE repeat(diagnosis, 1000000) = 'a'", FunctionNotAllowed),
    ("SELECT count(*) FROM V WHERE diagnosis ~ sex", FunctionNotAllowed),
    ("SELECT count(*) FROM V WHERE regexp_like(diagnosis, sex)", FunctionNotAllowed),
    ("SELECT count(*) FROM V WHERE to_timestamp(diagnosis) > now()", FunctionNotAllowed),
    ("SELECT count(*) FROM V WHERE visit_date + INTERVAL '200000 years' > '2020-01-01'", FunctionNotAllowed),
    (
        "SELECT date_trunc('month', x.d + INTERVAL '9 years') FROM (SELECT visit_date + INTERVAL '9 years' AS d FROM V) x GROUP BY 1",
        FunctionNotAllowed,
    ),
    ("SELECT date_trunc('month', visit_date + INTERVAL '9 years') FROM V GROUP BY 1", FunctionNotAllowed),
    (
        "SELECT count(*) FROM V WHERE CAST(CAST(tests * 1000000 AS TIMESTAMP) AS DATE) > '2020-01-01'",
        FunctionNotAllowed,
    ),
    (
        "SELECT count(*) FROM V WHERE CAST(cost AS DECIMAL(38, 15)) * CAST(cost AS DECIMAL(38, 15)) > cost",
        FunctionNotAllowed,
    ),
    ("SELECT count(*) FROM V WHERE spectrum = [1.0]", FunctionNotAllowed),
    ("SELECT count(*) FROM V WHERE array_length(spectrum) = 3", FunctionNotAllowed),
    ("SELECT sum(spectrum[1]) FROM V", FunctionNotAllowed),
    // Joins.
    ("SELECT count(*) FROM V CROSS JOIN P", NotAnAggregate),
    ("SELECT count(*) FROM V JOIN P ON V.age > P.birth_year", NotAnAggregate),
    ("SELECT count(*) FROM V JOIN P ON V.district = P.district", NotAnAggregate),
    ("SELECT count(*) FROM V JOIN F ON V.patient_id = F.facility_id", ColumnClass),
    ("SELECT count(*) FROM V JOIN P ON V.patient_id = upper(P.patient_id)", ColumnClass),
    ("SELECT count(*) FROM V JOIN P ON V.patient_id <> P.patient_id", ColumnClass),
    ("SELECT count(*) FROM V JOIN P ON V.patient_id = P.patient_id OR V.sex = 'F'", ColumnClass),
    ("SELECT count(*) FROM V JOIN F ON CASE WHEN V.sex = 'F' THEN 'a' ELSE 'b' END = F.facility_id", NotAnAggregate),
    (
        "SELECT count(*) FROM V LEFT JOIN (SELECT patient_id, coalesce(district, 'x') AS d FROM P) q ON V.patient_id = q.patient_id",
        NotAnAggregate,
    ),
    ("SELECT count(*) FROM V LEFT SEMI JOIN P ON V.district = P.district", NotAnAggregate),
    ("SELECT count(*) FROM V LEFT ANTI JOIN P ON V.visit_id = P.patient_id", NotAnAggregate),
    ("SELECT count(*) FROM V LEFT SEMI JOIN P ON V.patient_id = P.phone", NotAnAggregate),
    ("SELECT count(*) FROM F LEFT SEMI JOIN V ON F.facility_id = V.facility_id", NotAnAggregate),
    (
        "SELECT F.facility_id FROM F WHERE EXISTS (SELECT 1 FROM V WHERE V.facility_id = F.facility_id)",
        FunctionNotAllowed,
    ),
    // Subqueries.
    ("SELECT count(*) FROM V WHERE patient_id NOT IN (SELECT patient_id FROM P)", NotAnAggregate),
    ("SELECT count(*) FROM V WHERE sex = 'F' OR NOT (patient_id IN (SELECT patient_id FROM P))", NotAnAggregate),
    ("SELECT count(*) FROM V WHERE sex = 'F' OR district IN (SELECT district FROM P)", NotAnAggregate),
    ("SELECT count(*) FROM V WHERE sex = 'F' OR visit_id IN (SELECT patient_id FROM P)", NotAnAggregate),
    ("SELECT count(*) FROM V WHERE sex = 'F' OR patient_id IN (SELECT facility_id FROM F)", ColumnClass),
    ("SELECT count(*) FROM V WHERE sex = 'F' OR cost IN (SELECT beds FROM F)", ColumnClass),
    ("SELECT count(*) FROM V WHERE sex = 'F' OR facility_id IN (SELECT facility_id FROM F LIMIT 1)", NotAnAggregate),
    (
        "SELECT count(*) FROM V WHERE sex = 'F' OR facility_id IN (SELECT facility_id FROM F WHERE random() < 0.5)",
        FunctionNotAllowed,
    ),
    (
        "SELECT count(*) FROM V WHERE sex = 'F' OR patient_id IN (SELECT patient_id FROM P WHERE P.district = V.district)",
        NotAnAggregate,
    ),
    ("SELECT count(*) FILTER (WHERE patient_id IN (SELECT patient_id FROM P)) FROM V", ColumnClass),
    ("SELECT count(*) FROM V WHERE cost > (SELECT avg(cost) FROM V)", FunctionNotAllowed),
    ("SELECT (SELECT max(cost) FROM V) FROM F", FunctionNotAllowed),
    ("SELECT count(*) FROM F WHERE beds > (SELECT max(cost) FROM V)", FunctionNotAllowed),
    ("SELECT F.beds, count(*) FROM V JOIN F ON V.tests = F.beds GROUP BY F.beds", ColumnClass),
    (
        "SELECT F.beds, count(*) FROM V JOIN F ON V.facility_id = F.facility_id AND V.tests >= F.beds AND V.tests <= F.beds GROUP BY F.beds",
        ColumnClass,
    ),
    (
        "SELECT P.birth_year, count(*) FROM V JOIN P ON V.patient_id = P.patient_id AND V.days = P.birth_year GROUP BY P.birth_year",
        ColumnClass,
    ),
    ("SELECT sum(cost + cost + cost * 0.0000001) FROM V", AggregateArgument),
    ("SELECT sum(cost) FROM V WHERE date_part('hour', arrived AT TIME ZONE 'Asia/Macau') = 3", FunctionNotAllowed),
    ("SELECT count(*) FROM V WHERE sex = ANY(SELECT district FROM P)", FunctionNotAllowed),
    ("SELECT grouping(sex), count(*) FROM V GROUP BY sex", NotAnAggregate),
    ("SELECT count(cost, weight) FROM V", AggregateArgument),
    ("SELECT sum(cost ORDER BY age) FROM V", AggregateArgument),
    ("SELECT count(*) FROM generate_series(1, 10) AS g JOIN V ON V.age = g.value", InvalidSql),
    ("SELECT sum(F.rate * F.beds * V.cost) FROM V JOIN F ON V.facility_id = F.facility_id", AggregateArgument),
    ("SELECT sum(V.cost * (F.rate + 1)) FROM V JOIN F ON V.facility_id = F.facility_id", AggregateArgument),
    // Measures in conditions: people whose value the query fixes hide nobody.
    ("SELECT count(*), sum(cost) FROM V WHERE sex = 'F' AND days = 20", ColumnClass),
    ("SELECT count(*), sum(cost) FROM V WHERE (sex = 'F' AND district = 'x') OR days = 20", ColumnClass),
    ("SELECT count(*) FROM V WHERE days IS NULL", ColumnClass),
    ("SELECT count(*) FROM V WHERE NOT (days IS NOT NULL)", ColumnClass),
    ("SELECT count(*) FROM V WHERE smoker", ColumnClass),
    ("SELECT count(*) FROM V WHERE result LIKE 'x%'", ColumnClass),
    ("SELECT count(*) FROM V WHERE weight IN (60.5, 61)", ColumnClass),
    ("SELECT count(*) FROM V WHERE coalesce(days, 0) = 0", ColumnClass),
    ("SELECT count(*) FROM V WHERE days IS NOT DISTINCT FROM 3", ColumnClass),
    ("SELECT count(*) FROM (SELECT days * 2 AS d FROM V) x WHERE x.d > 4", ColumnClass),
    (
        "WITH w AS (SELECT days AS d, sex FROM V) SELECT w.sex, count(*) FROM w WHERE w.d > 4 GROUP BY w.sex",
        ColumnClass,
    ),
    ("SELECT count(*) FROM (SELECT days > 4 AS d FROM V) x WHERE x.d", ColumnClass),
    ("SELECT sex, count(*) FILTER (WHERE days > 4) FROM V GROUP BY sex", ColumnClass),
    ("SELECT count(*) FILTER (WHERE days IS NOT NULL) FROM V", ColumnClass),
    ("SELECT sum(CASE WHEN days > 4 THEN cost END) FROM V", ColumnClass),
    ("SELECT sum(CASE WHEN days > 4 THEN 1 ELSE 0 END) FROM V", ColumnClass),
    ("SELECT sum(CASE days WHEN 4 THEN 1 ELSE 0 END) FROM V", ColumnClass),
    ("SELECT sum(k) FROM (SELECT CASE WHEN days > 4 THEN cost END AS k FROM V) x", ColumnClass),
    ("SELECT count(CASE WHEN days IS NULL THEN 1 END) FROM V", ColumnClass),
    ("SELECT sum((days > 4)::int) FROM V", ColumnClass),
    ("SELECT avg(smoker::int) FROM V", ColumnClass),
    ("SELECT bool_or(smoker) FROM V", ColumnClass),
    ("SELECT bool_and(days < 100) FROM V", ColumnClass),
    ("SELECT count(days > 4) FROM V", AggregateArgument),
    ("SELECT count(abs(weight)) FROM V", AggregateArgument),
    ("SELECT count(coalesce(days, age)) FROM V", AggregateArgument),
    ("SELECT sum(coalesce(cost, 0)) FROM V", ColumnClass),
    ("SELECT count(*) FROM V JOIN P ON V.patient_id = P.patient_id AND P.income > 1000", ColumnClass),
    ("SELECT count(*) FROM V LEFT JOIN P ON V.patient_id = P.patient_id AND V.days > 4", ColumnClass),
    ("SELECT count(*) FROM V LEFT SEMI JOIN P ON V.patient_id = P.patient_id AND P.income > 1000", ColumnClass),
    (
        "SELECT count(*) FROM V WHERE sex = 'F' OR patient_id IN (SELECT q.patient_id FROM shenzhen.health.patients q WHERE q.income > 9)",
        ColumnClass,
    ),
    (
        "SELECT count(*) FROM V WHERE sex = 'F' OR patient_id IN (SELECT w.patient_id FROM shenzhen.health.visits w WHERE w.days > 4)",
        ColumnClass,
    ),
    // A dimension has few values, so that a count and a sum are as many equations.
    ("SELECT count(*), sum(age) FROM V WHERE age IN (20, 70)", AggregateArgument),
    ("SELECT avg(birth_year) FROM P", AggregateArgument),
    ("SELECT stddev(age) FROM V", AggregateArgument),
    ("SELECT sum(age + cost) FROM V", AggregateArgument),
    ("SELECT sum(x.a) FROM (SELECT age * 1.5 AS a FROM V) x", AggregateArgument),
    ("SELECT sum(CASE WHEN sex = 'F' THEN age END) FROM V", AggregateArgument),
    ("SELECT sum(CAST(diagnosis AS INT)) FROM V", AggregateArgument),
    ("SELECT avg(discharge_date - visit_date) FROM V", AggregateArgument),
    // Weights from outside.
    ("SELECT sum(V.cost * F.beds), sum(F.beds) FROM V JOIN F ON V.facility_id = F.facility_id", AggregateArgument),
    ("SELECT sum(F.beds) FROM V JOIN F USING (facility_id)", AggregateArgument),
    ("SELECT avg(F.rate) FROM V LEFT JOIN F ON V.facility_id = F.facility_id", AggregateArgument),
    ("SELECT sum(V.cost + F.beds) FROM V JOIN F ON V.facility_id = F.facility_id", AggregateArgument),
    ("SELECT corr(V.cost, F.rate) FROM V JOIN F ON V.facility_id = F.facility_id", AggregateArgument),
    (
        "SELECT sum(CASE WHEN V.sex = 'F' THEN F.beds END) FROM V JOIN F ON V.facility_id = F.facility_id",
        AggregateArgument,
    ),
    (
        "SELECT sum(q.w) FROM (SELECT F.beds * V.cost AS w FROM V JOIN F ON V.facility_id = F.facility_id) q",
        AggregateArgument,
    ),
    (
        "SELECT sum(V.cost) FROM V JOIN F ON V.diagnosis = CASE F.facility_id WHEN 'a' THEN 'A00' WHEN 'b' THEN 'B00' END",
        NotAnAggregate,
    ),
    (
        "SELECT sum(V.cost) FROM V JOIN (SELECT upper(facility_id) AS k FROM shenzhen.health.facilities) q ON V.diagnosis = q.k",
        NotAnAggregate,
    ),
    ("SELECT sum(V.cost) FROM V, F WHERE V.facility_id = concat(F.facility_id, 'x')", NotAnAggregate),
    ("SELECT sum(V.cost) FROM V CROSS JOIN F", NotAnAggregate),
    ("SELECT sum(V.cost) FROM V JOIN F ON V.age < F.beds", NotAnAggregate),
    ("SELECT sum(V.cost) FROM V JOIN F ON V.facility_id IS NOT DISTINCT FROM F.facility_id", NotAnAggregate),
    // Weights from inside.
    ("SELECT sum(V.cost) FROM V JOIN shenzhen.health.visits w ON V.patient_id = w.patient_id", NotAnAggregate),
    ("SELECT sum(V.cost - w.cost_cny) FROM V JOIN gba.health.visits w ON V.patient_id = w.patient", NotAnAggregate),
    ("SELECT count(*) FROM V JOIN shenzhen.health.visits w USING (patient_id)", NotAnAggregate),
    (
        "SELECT count(*) FROM V, shenzhen.health.visits w WHERE V.patient_id = w.patient_id AND (V.sex = 'F' OR V.visit_date = w.visit_date)",
        NotAnAggregate,
    ),
    (
        "SELECT count(*) FROM V JOIN (SELECT patient_id AS u FROM shenzhen.health.visits WHERE sex = 'F') w ON V.patient_id = w.u",
        NotAnAggregate,
    ),
    ("SELECT count(*) FROM V FULL JOIN shenzhen.health.visits w ON V.patient_id = w.patient_id", NotAnAggregate),
    ("SELECT count(*) FROM V JOIN shenzhen.health.visits w ON V.visit_id = w.visit_id", NotAnAggregate),
    ("SELECT count(*) FROM V JOIN P ON V.patient_id = P.phone", NotAnAggregate),
    (
        "SELECT count(*) FROM V JOIN P ON V.patient_id = P.patient_id JOIN shenzhen.health.visits w ON P.patient_id = w.patient_id",
        NotAnAggregate,
    ),
    ("SELECT sum(P.income) FROM V JOIN P ON V.patient_id = P.patient_id", AggregateArgument),
    ("SELECT sum(V.cost * P.income) FROM V JOIN P ON V.patient_id = P.patient_id", AggregateArgument),
    ("SELECT corr(V.cost, P.income) FROM V JOIN P ON V.patient_id = P.patient_id", AggregateArgument),
    (
        "SELECT sum(P.income - q.income) FROM P JOIN shenzhen.health.patients q ON P.patient_id = q.patient_id",
        AggregateArgument,
    ),
    (
        "SELECT corr(P.income, q.income) FROM P JOIN shenzhen.health.patients q ON P.patient_id = q.patient_id",
        AggregateArgument,
    ),
    // Rows that are nobody's.
    ("SELECT count(*), count(V.facility_id) FROM F LEFT JOIN V ON F.facility_id = V.facility_id", NotAnAggregate),
    (
        "SELECT F.district, count(*) FROM V RIGHT JOIN F ON F.facility_id = V.facility_id GROUP BY F.district",
        NotAnAggregate,
    ),
    (
        "SELECT F.district, count(*) FROM V FULL JOIN F ON F.facility_id = V.facility_id GROUP BY F.district",
        NotAnAggregate,
    ),
    ("SELECT F.district, count(*) FROM F NATURAL LEFT JOIN V GROUP BY F.district", NotAnAggregate),
    (
        "SELECT q.d, count(*) FROM (SELECT district AS d, facility_id AS f FROM shenzhen.health.facilities) q LEFT JOIN V ON q.f = V.facility_id GROUP BY q.d",
        NotAnAggregate,
    ),
    // Statements and names.
    ("EXPLAIN SELECT count(*) FROM V", NotAQuery),
    ("EXPLAIN ANALYZE SELECT count(*) FROM V", NotAQuery),
    ("SELECT count(*) FROM V; SELECT 1", NotAQuery),
    ("INSERT INTO shenzhen.health.visits SELECT * FROM V", NotAQuery),
    ("DROP TABLE shenzhen.health.visits", NotAQuery),
    ("COPY shenzhen.health.visits TO '/tmp/x.csv'", NotAQuery),
    ("SET datafusion.execution.batch_size = 1", NotAQuery),
    ("SELECT * FROM information_schema.tables", UnknownName),
    ("SELECT * FROM '/etc/passwd'", UnknownName),
    ("SELECT * FROM hongkong.health.visits", UnknownName),
    ("SELECT * FROM visits", UnknownName),
    ("SELECT count(* FROM V", InvalidSql),
    (
        "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r JOIN V ON V.age = r.n) SELECT count(*) FROM r",
        InvalidSql,
    ),
];

fn spelled(sql: &str) -> String {
    let mut text = format!(" {sql} ");
    for (short, long) in [("V", "visits"), ("P", "patients"), ("F", "facilities"), ("A", "hourly")] {
        let schema = if short == "A" { "air" } else { "health" };
        for word in ["FROM ", "JOIN ", ", "] {
            let named = format!("{word}shenzhen.{schema}.{long} AS {short}");
            for end in [" ", ")", ";", ","] {
                text = text.replace(&format!("{word}{short}{end}"), &format!("{named}{end}"));
            }
        }
    }
    text.trim().to_owned()
}

#[test]
fn attacks_are_refused_each_with_its_reason() {
    let bundle = bundle();
    let mut wrong = Vec::new();
    for (short, code) in REFUSED {
        let sql = spelled(short);
        match admit_sql(&sql, &bundle) {
            Ok(admitted) => wrong.push(format!("ADMITTED {sql}\n{}", admitted.plan().display_indent())),
            Err(refusal) => {
                let says = |text: &Option<String>| text.as_ref().is_some_and(|t| !t.is_empty());
                // A text that cannot be read breaks no rule of this owner's; the message says what is wrong with it.
                let explained =
                    matches!(refusal.code, UnknownName | InvalidSql) || says(&refusal.remedy) && says(&refusal.rule);
                if refusal.code != *code || !explained || refusal.owner != Some(shenzhen()) {
                    wrong.push(format!("{sql}\nwanted {code}, got {refusal}"));
                }
            }
        }
    }
    assert!(REFUSED.len() > 60);
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n\n"));
}

/// A remedy that ends with a query is that query, and it passes.
#[test]
fn what_a_remedy_says_passes_itself() {
    let bundle = bundle();
    let mut asked = 0;
    for (short, _) in REFUSED {
        let Err(refusal) = admit_sql(&spelled(short), &bundle) else { continue };
        let remedy = refusal.remedy.unwrap_or_default();
        let Some(start) = remedy.find("SELECT ") else { continue };
        let query = &remedy[start..];
        // Joins of released groups are answered at home, where the planner's tests ask it; others are only sketched.
        let whole = query.contains(" FROM shenzhen.") || query.contains(" FROM gba.");
        if !whole || query.contains("; or") || query.contains("LEFT JOIN (SELECT") {
            continue;
        }
        asked += 1;
        admit_sql(query, &bundle).unwrap_or_else(|refusal| panic!("{short}\nremedy: {query}\n{refusal}"));
    }
    assert!(asked > 40, "{asked} remedies were asked");
}

#[test]
fn public_rows_are_joined_with_released_groups_instead() {
    let outer =
        spelled("SELECT F.district, count(*) FROM F LEFT JOIN V ON F.facility_id = V.facility_id GROUP BY F.district");
    let refusal = admit_sql(&outer, &bundle()).unwrap_err();
    assert_eq!(
        refusal.remedy.as_deref(),
        Some(
            "group the non-public table first, and join the public one with what is released: SELECT a.facility_id, b.n FROM \
             shenzhen.health.facilities AS a LEFT JOIN (SELECT facility_id, count(*) AS n FROM shenzhen.health.visits GROUP BY \
             facility_id) AS b ON a.facility_id = b.facility_id"
        )
    );
}

#[test]
fn an_oversized_list_and_an_oversized_text_are_refused() {
    let list = (0..2_000).map(|n| n.to_string()).collect::<Vec<_>>().join(", ");
    let sql = format!("SELECT count(*) FROM shenzhen.health.visits WHERE age IN ({list})");
    assert_eq!(admit_sql(&sql, &bundle()).unwrap_err().code, Limit);
    let long = format!("SELECT count(*) FROM shenzhen.health.visits WHERE sex = '{}'", "x".repeat(1 << 20));
    assert_eq!(admit_sql(&long, &bundle()).unwrap_err().code, Limit);
}

#[test]
fn an_expression_cannot_grow_without_bound() {
    let mut sql = "SELECT diagnosis AS c FROM shenzhen.health.visits".to_owned();
    for level in 0..16 {
        sql = format!("SELECT concat(c, c) AS c FROM ({sql}) AS t{level}");
    }
    let refusal = admit_sql(&format!("SELECT c, count(*) FROM ({sql}) AS t GROUP BY c"), &bundle()).unwrap_err();
    assert_eq!(refusal.code, Limit, "{refusal}");
}

#[test]
fn a_refusal_holds_no_literal_of_the_text() {
    for (short, _) in REFUSED {
        let literal = short.split('\'').nth(1).filter(|l| l.len() > 3 && short.contains('\''));
        let (Some(literal), Err(refusal)) = (literal, admit_sql(&spelled(short), &bundle())) else { continue };
        if !matches!(refusal.code, UnknownName | InvalidSql) {
            let remedy = refusal.remedy.clone().unwrap_or_default();
            assert!(!refusal.message.contains(literal) && !remedy.contains(literal), "{short}: {refusal}");
        }
    }
}

#[test]
fn many_conditions_and_deep_nesting_are_refused() {
    let filters: Vec<String> = (0..300).map(|n| format!("count(*) FILTER (WHERE age > {n})")).collect();
    let sql = format!("SELECT {} FROM shenzhen.health.visits", filters.join(", "));
    assert_eq!(admit_sql(&sql, &bundle()).unwrap_err().code, Limit);
    let sum = format!("SELECT sum({}) FROM shenzhen.health.visits", vec!["cost"; 300].join(" + "));
    assert_eq!(admit_sql(&sum, &bundle()).unwrap_err().code, AggregateArgument);
    let chain = format!("SELECT count(*) FROM shenzhen.health.visits WHERE {}", vec!["age <> 1"; 12_000].join(" AND "));
    assert_eq!(admit_sql(&chain, &bundle()).unwrap_err().code, Limit);
    let mut nested = "SELECT sex FROM shenzhen.health.visits".to_owned();
    for level in 0..60 {
        nested = format!("SELECT sex FROM ({nested}) AS t{level}");
    }
    assert_eq!(admit_sql(&format!("SELECT DISTINCT sex FROM ({nested}) AS t"), &bundle()).unwrap_err().code, Limit);
}

#[test]
fn computing_with_aggregates_is_left_to_the_home_node() {
    for tail in ["HAVING count(*) > 100", "HAVING count(*) = 1 ORDER BY 1"] {
        let sql = format!("SELECT sex, count(*) FROM shenzhen.health.visits GROUP BY sex {tail}");
        let refusal = admit_sql(&sql, &bundle()).unwrap_err();
        assert!(refusal.rule.unwrap().contains("home") || tail.contains("ORDER"), "{tail}");
    }
}
