//! Questions that pass, and what the gate is told of them.

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::LogicalPlan;

use crate::admission::testing::{admit_sql, bundle, bundle_of, judge_sql};
use crate::admission::{Shape, aggregate_of, to_batch};
use wanqu_model::refusal::Code;

/// SQL over visits `v`, and how many conditions the gate must count.
const PASS: &[(&str, usize)] = &[
    ("SELECT count(*) FROM shenzhen.health.visits v", 0),
    ("SELECT count(NULL), count(*) FROM shenzhen.health.visits v", 0),
    ("SELECT v.sex, count(*) FROM shenzhen.health.visits v GROUP BY v.sex", 0),
    (
        "SELECT v.sex, v.district AS d, count(*) AS n, sum(v.cost) FROM shenzhen.health.visits v GROUP BY v.district, v.sex",
        1,
    ),
    ("SELECT t.sex, avg(t.cost_cny), count(t.cost_cny) FROM gba.health.visits AS t GROUP BY t.sex", 1),
    ("SELECT DISTINCT v.sex, v.district FROM shenzhen.health.visits v", 0),
    ("SELECT 1 AS one FROM shenzhen.health.visits v GROUP BY v.sex", 0),
    (
        "SELECT count(*) FROM shenzhen.health.visits v WHERE v.age BETWEEN 20 AND 30 AND v.emergency AND v.diagnosis LIKE 'E1%'",
        0,
    ),
    ("SELECT count(*) FROM shenzhen.health.visits v WHERE v.diagnosis IN ('E11', 'E12', 'E13', 'E14', 'I10')", 0),
    (
        "SELECT date_trunc('month', v.visit_date), sum(v.days) FROM shenzhen.health.visits v GROUP BY date_trunc('month', v.visit_date)",
        1,
    ),
    ("SELECT date_part('year', v.visit_date) AS y, avg(v.weight) FROM shenzhen.health.visits v GROUP BY 1", 1),
    (
        "SELECT CASE WHEN v.age < 18 THEN 'child' WHEN v.age < 65 THEN 'adult' ELSE 'old' END AS band, count(*) FROM shenzhen.health.visits v GROUP BY 1",
        0,
    ),
    ("SELECT v.age / 10 AS decade, count(*) FROM shenzhen.health.visits v GROUP BY 1", 0),
    ("SELECT substr(v.diagnosis, 1, 3), count(*) FROM shenzhen.health.visits v GROUP BY 1", 0),
    ("SELECT count(DISTINCT v.patient_id) FROM shenzhen.health.visits v", 0),
    ("SELECT count(DISTINCT t.patient) FROM gba.health.visits t", 0),
    ("SELECT count(DISTINCT v.visit_id) FROM shenzhen.health.visits v", 1),
    ("SELECT count(v.age) FROM shenzhen.health.visits v", 1),
    ("SELECT sum(v.cost * 1.1 + 5) FROM shenzhen.health.visits v", 1),
    ("SELECT sum(v.cost / 7.8), avg(v.cost * 0.9), avg(v.weight / 0.45) FROM shenzhen.health.visits v", 2),
    ("SELECT sum(v.days * 0.5), sum(v.tests * 1.5) FROM shenzhen.health.visits v", 2),
    (
        "SELECT sum(CASE WHEN v.age > 64 THEN v.cost ELSE 0.0 END), avg(CASE WHEN v.age > 64 THEN 1.0 ELSE 0.0 END) FROM shenzhen.health.visits v",
        2,
    ),
    ("SELECT floor(v.age * 0.1), count(*) FROM shenzhen.health.visits v WHERE v.age > 12.5 GROUP BY 1", 0),
    ("SELECT sum(CAST(2 * v.days - v.tests AS DECIMAL(38, 0))) FROM shenzhen.health.visits v", 1),
    ("SELECT sum(v.weight * v.days), sum(v.weight * v.weight) FROM shenzhen.health.visits v", 2),
    ("SELECT var_pop(v.weight), stddev(v.cost) FROM shenzhen.health.visits v", 2),
    ("SELECT covar_pop(v.cost, v.weight), corr(v.cost, v.weight) FROM shenzhen.health.visits v", 1),
    ("SELECT regr_sxx(v.cost, v.days), regr_count(v.cost, v.days) FROM shenzhen.health.visits v", 1),
    ("SELECT bool_or(v.emergency), bool_and(v.age > 17) FROM shenzhen.health.visits v", 6),
    ("SELECT count(*) FILTER (WHERE v.age > 64) FROM shenzhen.health.visits v", 1),
    ("SELECT sum(v.cost) FILTER (WHERE v.age > 64) FROM shenzhen.health.visits v", 2),
    (
        "SELECT sum(CASE WHEN v.age > 64 THEN v.cost END), sum(CASE WHEN v.age > 64 THEN v.cost ELSE 0 END) FROM shenzhen.health.visits v",
        2,
    ),
    (
        "SELECT sum(CASE WHEN v.age > 64 THEN 1 ELSE 0 END), count(CASE WHEN v.age > 64 THEN 1 END) FROM shenzhen.health.visits v",
        1,
    ),
    ("SELECT sum(CASE v.sex WHEN 'F' THEN 1 ELSE 0 END) FROM shenzhen.health.visits v", 1),
    (
        "SELECT count(*) FROM shenzhen.health.visits v JOIN shenzhen.health.patients p ON v.patient_id = p.patient_id WHERE p.birth_year < 1950",
        0,
    ),
    (
        "SELECT p.district, count(*), sum(v.cost) FROM shenzhen.health.visits v JOIN shenzhen.health.patients p ON p.patient_id = v.patient_id GROUP BY p.district",
        1,
    ),
    ("SELECT count(*) FROM shenzhen.health.visits v, shenzhen.health.patients p WHERE v.patient_id = p.patient_id", 0),
    (
        "SELECT count(*) FROM shenzhen.health.visits a LEFT SEMI JOIN shenzhen.health.visits b ON b.patient_id = a.patient_id AND b.visit_date > a.discharge_date AND b.visit_date <= a.discharge_date + INTERVAL '30 days'",
        0,
    ),
    (
        "SELECT f.district, count(*) FROM shenzhen.health.visits v JOIN shenzhen.health.facilities f ON v.facility_id = f.facility_id GROUP BY f.district",
        0,
    ),
    (
        "SELECT f.district, sum(v.cost) FROM shenzhen.health.visits v JOIN shenzhen.health.facilities f ON v.facility_id = f.facility_id WHERE f.beds > 100 GROUP BY f.district",
        1,
    ),
    (
        "SELECT count(*) FROM shenzhen.health.visits v LEFT SEMI JOIN shenzhen.health.patients p ON v.patient_id = p.patient_id AND p.birth_year < 1950",
        0,
    ),
    (
        "SELECT count(*) FROM shenzhen.health.visits v LEFT ANTI JOIN shenzhen.health.patients p ON v.patient_id = p.patient_id",
        0,
    ),
    (
        "SELECT count(*) FROM shenzhen.health.visits v LEFT SEMI JOIN shenzhen.health.facilities f ON v.facility_id = f.facility_id AND f.beds > 100",
        0,
    ),
    (
        "SELECT count(*) FROM shenzhen.health.visits v WHERE v.patient_id IN (SELECT patient_id FROM shenzhen.health.patients)",
        0,
    ),
    (
        "SELECT count(*) FROM shenzhen.health.visits v WHERE v.sex = 'F' OR v.patient_id IN (SELECT p.patient_id FROM shenzhen.health.patients p WHERE p.birth_year < 1950)",
        0,
    ),
    (
        "SELECT count(*) FROM shenzhen.health.visits v WHERE v.facility_id NOT IN (SELECT f.facility_id FROM shenzhen.health.facilities f WHERE f.beds > 100)",
        0,
    ),
    (
        "SELECT count(*) FROM gba.health.visits t LEFT SEMI JOIN shenzhen.health.patients p ON t.patient = p.patient_id",
        0,
    ),
    (
        "SELECT v.sex, count(p.income) FROM shenzhen.health.visits v LEFT JOIN shenzhen.health.patients p ON v.patient_id = p.patient_id GROUP BY v.sex",
        1,
    ),
    (
        "SELECT d.band, sum(d.c) FROM (SELECT v.age / 10 AS band, v.cost * 2 AS c FROM shenzhen.health.visits v WHERE v.sex = 'F') d GROUP BY d.band",
        1,
    ),
    (
        "SELECT sum(x.kept) FROM (SELECT CASE WHEN v.age > 64 THEN v.cost END AS kept FROM shenzhen.health.visits v) x",
        2,
    ),
    ("WITH w AS (SELECT sex, cost FROM shenzhen.health.visits) SELECT w.sex, avg(w.cost) FROM w GROUP BY w.sex", 1),
    (
        "SELECT CAST(v.result AS INT) AS r, count(*) FROM (SELECT diagnosis AS result FROM shenzhen.health.visits) v GROUP BY 1",
        0,
    ),
    ("SELECT v.ward, count(*) FROM shenzhen.health.visits v GROUP BY v.ward", 0),
    ("SELECT coalesce(v.district, 'unknown'), count(*) FROM shenzhen.health.visits v GROUP BY 1", 0),
    ("SELECT sum(v.days * 2 + 1), count(v.days * 2 + 1), avg(v.days * 2 + 1) FROM shenzhen.health.visits v", 1),
    (
        "SELECT sum(CAST(v.tests * 1000000 - 1 AS DECIMAL(38, 0))), avg(v.tests * v.tests) FROM shenzhen.health.visits v",
        1,
    ),
    ("SELECT CAST(count(*) AS INT) AS n, CAST(sum(v.cost) AS DOUBLE) FROM shenzhen.health.visits v", 1),
];

/// SQL, how many conditions it has where cells need one unit, and the rule that refuses it where they need several.
const OF_ONE_UNIT: &[(&str, usize, Code)] = &[
    (
        "SELECT count(*) FROM shenzhen.health.visits v WHERE v.age BETWEEN 20 AND 30 AND v.cost > 100 AND v.diagnosis LIKE 'E1%'",
        0,
        Code::ColumnClass,
    ),
    (
        "SELECT floor(v.age * 0.1), count(*) FROM shenzhen.health.visits v WHERE v.cost > 12.345 GROUP BY 1",
        0,
        Code::ColumnClass,
    ),
    (
        "SELECT count(*) FROM shenzhen.health.visits v WHERE v.weight > 60.5 AND v.days IN (1.5, 2.0)",
        0,
        Code::ColumnClass,
    ),
    ("SELECT avg(v.age) FROM shenzhen.health.visits v", 1, Code::AggregateArgument),
    ("SELECT avg(v.discharge_date - v.visit_date) FROM shenzhen.health.visits v", 1, Code::AggregateArgument),
    ("SELECT bool_or(v.smoker) FROM shenzhen.health.visits v", 3, Code::ColumnClass),
    (
        "SELECT count(*) FROM shenzhen.health.visits a JOIN shenzhen.health.visits b ON a.patient_id = b.patient_id AND b.visit_date > a.discharge_date AND b.visit_date <= a.discharge_date + INTERVAL '30 days'",
        0,
        Code::NotAnAggregate,
    ),
    (
        "SELECT p.district, count(*), sum(p.income) FROM shenzhen.health.visits v JOIN shenzhen.health.patients p ON p.patient_id = v.patient_id GROUP BY p.district",
        1,
        Code::AggregateArgument,
    ),
    (
        "SELECT f.district, sum(v.cost * f.rate) FROM shenzhen.health.visits v JOIN shenzhen.health.facilities f ON v.facility_id = f.facility_id WHERE f.beds > 100 GROUP BY f.district",
        1,
        Code::AggregateArgument,
    ),
    ("SELECT sum(coalesce(v.weight, 0)) FROM shenzhen.health.visits v", 2, Code::ColumnClass),
    (
        "SELECT v.sex, count(*) FILTER (WHERE v.cost > 100 AND v.weight IS NOT NULL) FROM shenzhen.health.visits v GROUP BY v.sex",
        1,
        Code::ColumnClass,
    ),
    (
        "SELECT sum(v.cost - w.cost) FROM shenzhen.health.visits v JOIN shenzhen.health.visits w ON v.patient_id = w.patient_id",
        1,
        Code::NotAnAggregate,
    ),
    (
        "SELECT f.district, count(*), sum(f.beds) FROM shenzhen.health.facilities f LEFT JOIN shenzhen.health.visits v ON v.facility_id = f.facility_id GROUP BY f.district",
        1,
        Code::NotAnAggregate,
    ),
    (
        "SELECT count(*) FROM shenzhen.health.visits v, shenzhen.health.facilities f WHERE f.facility_id = 'a'",
        0,
        Code::NotAnAggregate,
    ),
    (
        "SELECT count(*) FROM shenzhen.health.visits v JOIN shenzhen.health.facilities f ON upper(v.facility_id) = upper(f.facility_id)",
        0,
        Code::NotAnAggregate,
    ),
    ("SELECT count(nullif(v.cost, 5)) FROM shenzhen.health.visits v", 1, Code::AggregateArgument),
];

/// Over public tables anything goes.
const PUBLIC: &[&str] = &[
    "SELECT * FROM shenzhen.health.facilities",
    "SELECT max(beds), array_agg(district) FROM shenzhen.health.facilities",
    "SELECT district, rank() OVER (ORDER BY beds) FROM shenzhen.health.facilities ORDER BY 2 LIMIT 3",
    "SELECT 1",
    "SELECT district FROM shenzhen.health.facilities UNION SELECT 'x'",
    "SELECT * FROM shenzhen.health.facilities f WHERE f.beds > (SELECT avg(pm) FROM shenzhen.air.hourly)",
    "SELECT count(*) FROM shenzhen.health.facilities f JOIN (VALUES ('a', 1)) w(k, n) ON f.district = w.k",
];

#[test]
fn grouped_statistics_pass_and_their_conditions_are_named() {
    let mut wrong = Vec::new();
    for (sql, conditions) in PASS {
        match admit_sql(sql, &bundle()) {
            Err(refusal) => wrong.push(format!("{sql}\n{refusal}")),
            Ok(admitted) => match admitted.shape() {
                Shape::Public => wrong.push(format!("{sql}: public")),
                Shape::Gated(gated) if gated.conditions.len() != *conditions => {
                    wrong.push(format!("{sql}: {:#?}", gated.conditions));
                }
                Shape::Gated(gated) => {
                    assert_eq!(gated.rule.min_units, 10);
                    let aggregate = aggregate_of(admitted.plan()).expect("one aggregate");
                    for condition in &gated.conditions {
                        assert!(
                            condition.met.column_refs().iter().all(|c| aggregate.input.schema().has_column(c)),
                            "{sql}: {condition:?}"
                        );
                    }
                }
            },
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn the_plan_that_runs_has_the_columns_that_were_asked_for() {
    let bundle = bundle();
    let catalog = crate::catalog::Catalog::owner(&bundle, &bundle.jurisdiction);
    for (sql, _) in PASS {
        let asked = catalog.plan(sql, 1 << 20).unwrap();
        let admitted = admit_sql(sql, &bundle).unwrap();
        let columns = |plan: &LogicalPlan| -> Vec<_> {
            plan.schema().iter().map(|(q, f)| (q.cloned(), f.name().clone(), f.data_type().clone())).collect()
        };
        assert_eq!(columns(&asked), columns(admitted.plan()), "{sql}");
    }
}

/// The types that the rules allow leave nothing else in a plan.
#[test]
fn an_admitted_plan_has_only_the_nodes_that_the_form_allows() {
    for (sql, _) in PASS {
        let admitted = admit_sql(sql, &bundle()).unwrap();
        let LogicalPlan::Projection(top) = admitted.plan() else { panic!("{sql}") };
        let LogicalPlan::Aggregate(aggregate) = top.input.as_ref() else { panic!("{sql}") };
        aggregate
            .input
            .apply(|node| {
                let expected = matches!(
                    node,
                    LogicalPlan::TableScan(_)
                        | LogicalPlan::SubqueryAlias(_)
                        | LogicalPlan::Filter(_)
                        | LogicalPlan::Join(_)
                );
                assert!(expected, "{sql}: {}", node.display());
                Ok(TreeNodeRecursion::Continue)
            })
            .unwrap();
    }
}

#[test]
fn public_tables_are_read_freely_and_need_no_project() {
    let bundle = bundle();
    for sql in PUBLIC {
        let mut envelope = crate::admission::testing::envelope(sql);
        (envelope.project, envelope.purpose, envelope.agreement) = (None, None, None);
        let admitted =
            crate::admission::testing::admit_envelope(&envelope, &bundle).unwrap_or_else(|r| panic!("{sql}: {r}"));
        assert!(matches!(admitted.shape(), Shape::Public), "{sql}");
        assert!(admitted.agreement().is_none());
    }
}

#[test]
fn a_null_counts_as_a_condition_where_it_tells_something() {
    let complement = |sql: &str| {
        let admitted = admit_sql(sql, &bundle()).unwrap();
        let Shape::Gated(gated) = admitted.shape().clone() else { panic!("{sql}") };
        gated.conditions.iter().map(|c| c.complement).collect::<Vec<_>>()
    };
    assert_eq!(complement("SELECT count(diagnosis) FROM shenzhen.health.visits"), [true]);
    let outer = "SELECT count(p.income), count(DISTINCT p.patient_id) FROM shenzhen.health.visits v \
                 LEFT JOIN shenzhen.health.patients p ON v.patient_id = p.patient_id AND p.district = 'x'";
    assert_eq!(complement(outer), [true, true], "who has no such row is told by its NULL");
    // A sum does not tell how many have no value; a count does, and whatever a count can be computed from.
    assert_eq!(complement("SELECT sum(cost) FROM shenzhen.health.visits"), [false]);
    for telling in ["count(cost)", "avg(cost)", "sum(cost + 1)", "stddev(cost)", "sum(cost), count(cost)"] {
        assert_eq!(complement(&format!("SELECT {telling} FROM shenzhen.health.visits")), [true], "{telling}");
    }
    let of_one = admit_sql("SELECT count(cost) FROM shenzhen.health.visits", &bundle_of(1)).unwrap();
    let Shape::Gated(gated) = of_one.shape() else { panic!("public") };
    assert!(!gated.conditions[0].complement, "where there is nobody to protect, a gap is a gap");
}

#[test]
fn where_cells_need_one_unit_the_whole_of_sql_stays() {
    let (one, ten) = (bundle_of(1), bundle());
    for (sql, conditions, code) in OF_ONE_UNIT {
        let admitted = admit_sql(sql, &one).unwrap_or_else(|refusal| panic!("{sql}\n{refusal}"));
        let Shape::Gated(gated) = admitted.shape() else { panic!("{sql} is public") };
        assert_eq!(gated.conditions.len(), *conditions, "{sql}: {:?}", gated.conditions);
        assert_eq!(admit_sql(sql, &ten).expect_err(sql).code, *code, "{sql}");
    }
}

#[test]
fn a_public_table_must_not_multiply_rows() {
    let joined = "SELECT f.district, count(*) FROM shenzhen.health.visits v \
                  JOIN shenzhen.health.facilities f ON v.facility_id = f.facility_id WHERE f.beds > 9 GROUP BY f.district";
    let must_be_empty = |min_units| {
        let admitted = admit_sql(joined, &bundle_of(min_units)).unwrap();
        let Shape::Gated(gated) = admitted.shape().clone() else { panic!("public") };
        gated.must_be_empty
    };
    let plans = must_be_empty(10);
    assert_eq!(plans.len(), 1);
    let text = plans[0].display_indent().to_string();
    assert!(text.contains("facilities") && !text.contains("visits"), "{text}");
    assert!(text.contains("beds"), "the filter on the public table belongs to it: {text}");
    // Where single units are released anyway, there is nothing to weigh.
    assert!(must_be_empty(1).is_empty());
}

#[test]
fn arithmetic_of_integers_is_added_up_in_types_that_hold_it() {
    let plan = |argument: &str| {
        let sql = format!("SELECT {argument} FROM shenzhen.health.visits v");
        admit_sql(&sql, &bundle()).unwrap().plan().display_indent().to_string()
    };
    let text = plan("sum(CAST(v.tests * 1000000 - v.days AS DECIMAL(38, 0)))");
    for part in ["tests AS Decimal128(19, 0)) * CAST(Int64(1000000) AS Decimal128(7, 0))", "Decimal128(10, 0))"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    // A written number makes decimals of integers, which hold all that there can be.
    let text = plan("sum(v.days * 0.5)");
    assert!(text.contains("days AS Decimal128(10, 0)) * Decimal128(0.5,1,1))"), "{text}");
    let text = plan("sum(v.tests * 2 * 0.5)");
    assert!(text.contains("tests AS Decimal128(19, 0)) * CAST(Int64(2) AS Decimal128(1, 0))"), "{text}");
    let text = plan("avg(CASE WHEN v.sex = 'F' THEN v.tests * 3 END)");
    assert!(text.contains("tests AS Float64) * CAST(Int64(3) AS Float64)"), "{text}");
    let text = plan("sum(v.days * 3)");
    assert!(text.contains("AS Int64) * Int64(3)"), "{text}");
}

#[test]
fn casts_that_could_fail_give_null() {
    let admitted = admit_sql(
        "SELECT count(*) FROM shenzhen.health.visits v WHERE CAST(v.diagnosis AS INT) > 5 AND v.result < 3",
        &bundle_of(1),
    )
    .unwrap();
    let text = admitted.plan().display_indent().to_string();
    assert!(!text.contains(" CAST("), "{text}");
    assert_eq!(text.matches("TRY_CAST(").count(), 2, "{text}");
}

#[test]
fn every_column_and_operator_is_explained() {
    let judgement =
        judge_sql("SELECT v.sex, sum(v.cost) FROM shenzhen.health.visits v WHERE v.age > 20 GROUP BY v.sex");
    assert!(judgement.verdict.is_ok());
    let batch = to_batch(&judgement.findings);
    assert_eq!(batch.num_columns(), 8);
    let lines: Vec<String> =
        judgement.findings.iter().map(|f| format!("{} {} {}", f.operator, f.subject, f.admitted)).collect();
    assert_eq!(
        lines,
        [
            "WHERE shenzhen.health.visits.age true",
            "GROUP BY shenzhen.health.visits.sex true",
            "sum shenzhen.health.visits.cost true",
            "release every cell true",
        ]
    );
    let refused =
        judge_sql("SELECT max(v.cost), v.patient_id, count(*) FROM shenzhen.health.visits v GROUP BY v.patient_id");
    let refused: Vec<_> = refused.findings.iter().filter(|f| !f.admitted).collect();
    assert_eq!(refused.len(), 2, "every refusal is listed, not only the first: {refused:#?}");
    assert!(refused.iter().all(|f| f.remedy.is_some()));
}
