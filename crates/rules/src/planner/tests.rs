//! Splits of small queries over a small federation: which SQL goes to whom.

use wanqu_model::bundle::{
    BundleFormat, ColocationKey, ColumnSpec, CommonTableInfo, ContributionRule, Limits, Member, NodeBundle,
    ReleaseRule, Slice,
};
use wanqu_model::columns::ColumnClass::{self, Dimension, Identifier, Measure, Public};
use wanqu_model::refusal::{Code, Refusal};

mod absent;
mod memberships;
mod promised;
mod splits;
mod texts;

use super::{FederatedPlan, Planner};

fn column(name: &str, data_type: &str, class: ColumnClass) -> ColumnSpec {
    ColumnSpec {
        name: name.parse().unwrap(),
        data_type: data_type.parse().unwrap(),
        class,
        unit: None,
        description: String::new(),
        expression: Some(name.to_owned()),
    }
}

fn slices(table: &str, owners: &[&str], unit: Option<&str>, columns: &[(&str, &str, ColumnClass)]) -> Vec<Slice> {
    let common = table.starts_with("gba.");
    let slice = |owner: &&str| {
        let mut specs = vec![];
        if common {
            specs.push(column("jurisdiction", "string", Public));
        }
        specs.extend(columns.iter().map(|(n, t, c)| column(n, t, *c)));
        Slice {
            table: table.parse().unwrap(),
            jurisdiction: owner.parse().unwrap(),
            dataset: "d".parse().unwrap(),
            custodian: "c".into(),
            description: String::new(),
            columns: specs,
            privacy_unit: unit.map(|u| u.parse().unwrap()),
            policy: ReleaseRule {
                policies: vec!["p".parse().unwrap()],
                min_units: if unit.is_some() { 10 } else { 1 },
                rounding: 1,
                publish_zeros: false,
                remember_cells: false,
                contributions: ContributionRule::default(),
            },
            approximate_rows: None,
            one_row_per_unit: false,
        }
    };
    owners.iter().map(slice).collect()
}

fn bundle() -> NodeBundle {
    let all = ["CN-SZ", "HK", "MO"];
    let visits = [
        ("patient", "string", Identifier),
        ("specialty", "string", Dimension),
        ("day", "date", Dimension),
        ("cost", "decimal(12,2)", Measure),
        ("minutes", "int32", Measure),
        ("facility", "string", Dimension),
    ];
    let mut everything = slices("gba.health.visits", &all, Some("patient"), &visits);
    everything.extend(slices("shenzhen.health.raw", &["CN-SZ"], Some("patient"), &visits));
    everything.extend(slices(
        "gba.health.codes",
        &all,
        None,
        &[("specialty", "string", Public), ("chapter", "string", Public)],
    ));
    everything.extend(slices(
        "gba.health.facilities",
        &all,
        None,
        &[("code", "string", Public), ("beds", "int64", Public)],
    ));
    everything.extend(slices("gba.t.customer", &all, None, &[("c_id", "int64", Public), ("c_name", "string", Public)]));
    everything.extend(slices(
        "gba.t.orders",
        &all,
        None,
        &[("o_id", "int64", Public), ("o_c", "int64", Public), ("o_day", "date", Public)],
    ));
    everything.extend(slices(
        "gba.t.items",
        &all,
        None,
        &[("i_o", "int64", Public), ("i_price", "decimal(15,2)", Public)],
    ));
    everything.extend(slices("gba.t.border", &["CN-SZ", "MO"], None, &[("crossing", "string", Public)]));
    everything.extend(slices(
        "hongkong.air.hourly",
        &["HK"],
        None,
        &[("hour", "timestamp", Public), ("co", "float64", Public)],
    ));
    everything.extend(slices(
        "hongkong.t.every",
        &["HK"],
        None,
        &[
            ("flag", "boolean", Public),
            ("x", "int64", Public),
            ("small", "int32", Public),
            ("amt", "decimal(10,2)", Public),
            ("s", "string", Public),
        ],
    ));
    let common = |table: &str, replicated, key: Option<&str>, disjoint| CommonTableInfo {
        table: table.parse().unwrap(),
        replicated,
        colocation: key
            .map(|c| ColocationKey { key: "order".parse().unwrap(), column: c.parse().unwrap() })
            .into_iter()
            .collect(),
        disjoint_units: disjoint,
    };
    let member = |id: &str, name: &str| Member {
        jurisdiction: id.parse().unwrap(),
        sql_name: name.parse().unwrap(),
        display_name: name.into(),
        endpoint: None,
        ca: None,
        issuers: vec![],
    };
    NodeBundle {
        federation: "gba".parse().unwrap(),
        trust_domain: "gba.example".into(),
        jurisdiction: "HK".parse().unwrap(),
        members: vec![member("CN-SZ", "shenzhen"), member("HK", "hongkong"), member("MO", "macau")],
        slices: everything,
        common_tables: vec![
            common("gba.health.visits", false, None, true),
            common("gba.health.codes", true, None, false),
            common("gba.health.facilities", false, None, false),
            common("gba.t.customer", false, None, false),
            common("gba.t.orders", false, Some("o_id"), false),
            common("gba.t.items", false, Some("i_o"), false),
            common("gba.t.border", false, None, false),
        ],
        sources: vec![],
        agreements: vec![],
        projects: vec![],
        limits: Limits::default(),
        format: BundleFormat::default(),
    }
}

fn split(sql: &str) -> Result<FederatedPlan, Refusal> {
    Planner::new(&bundle()).plan(sql).verdict
}

/// The texts of all fragments, each with its owners: `CN-SZ HK MO: SELECT …`.
fn fragments(sql: &str) -> Vec<String> {
    let plan = split(sql).unwrap_or_else(|refusal| panic!("{sql}\n{refusal}"));
    let texts = plan.groups.iter().flat_map(|group| super::explain::by_text(&group.texts));
    texts.map(|(sql, owners)| format!("{}: {sql}", owners.join(" "))).collect()
}

#[test]
fn statistics_become_finished_aggregates_at_each_owner() {
    assert_eq!(
        fragments(
            "SELECT specialty, count(*), avg(cost) FROM gba.health.visits WHERE day >= DATE '2024-01-01' GROUP BY specialty HAVING count(*) > 5 ORDER BY 2 DESC LIMIT 3"
        ),
        [
            "CN-SZ HK MO: SELECT t1.specialty, count(1) AS c1, sum(t1.cost) AS c2, count(t1.cost) AS c3 FROM gba.health.visits AS t1 WHERE (t1.day >= CAST('2024-01-01' AS DATE)) GROUP BY t1.specialty"
        ]
    );
}

#[test]
fn a_rollup_is_asked_by_its_finest_cells() {
    assert_eq!(
        fragments(
            "SELECT specialty, jurisdiction, sum(cost) FROM gba.health.visits GROUP BY ROLLUP (specialty, jurisdiction)"
        ),
        [
            "CN-SZ HK MO: SELECT t1.specialty, t1.jurisdiction, sum(t1.cost) AS c2 FROM gba.health.visits AS t1 GROUP BY t1.specialty, t1.jurisdiction"
        ]
    );
}

#[test]
fn a_condition_on_the_jurisdiction_leaves_the_others_unasked() {
    let asked = fragments("SELECT count(*) FROM gba.health.visits WHERE jurisdiction <> 'MO'");
    assert!(asked[0].starts_with("CN-SZ HK: "), "{asked:?}");
    // Where nobody may hold a row, one is asked: the home node itself if the table has a slice there.
    for (table, one) in [("gba.health.visits", "HK: "), ("gba.health.facilities", "HK: "), ("gba.t.border", "CN-SZ: ")]
    {
        for condition in ["jurisdiction = 'FR'", "jurisdiction <> 'MO' AND jurisdiction IN ('FR', 'MO')"] {
            let asked = fragments(&format!("SELECT count(*) FROM {table} WHERE {condition}"));
            assert_eq!(asked.len(), 1, "{asked:?}");
            assert!(asked[0].starts_with(one), "{asked:?}");
        }
    }
}

#[test]
fn public_tables_are_sent_to_the_owners_of_what_may_not_leave() {
    assert_eq!(
        fragments(
            "SELECT f.beds, count(*) FROM gba.health.visits v JOIN gba.health.facilities f ON v.facility = f.code GROUP BY f.beds"
        ),
        [
            "CN-SZ HK MO: SELECT t2.beds, count(1) AS c1 FROM gba.health.visits AS t1 JOIN whole.health.facilities AS t2 ON t1.facility = t2.code GROUP BY t2.beds"
        ]
    );
    let own_copy = fragments(
        "SELECT c.chapter, count(*) FROM gba.health.visits v JOIN gba.health.codes c ON v.specialty = c.specialty GROUP BY c.chapter",
    );
    assert!(own_copy[0].contains("JOIN gba.health.codes AS t2"), "{own_copy:?}");
}

#[test]
fn joins_on_a_colocation_key_stay_with_the_owners() {
    let asked = fragments(
        "SELECT o_day, sum(i_price * 0.5) FROM gba.t.customer, gba.t.orders, gba.t.items WHERE c_id = o_c AND o_id = i_o AND c_name = 'x' GROUP BY o_day",
    );
    assert_eq!(asked.len(), 2, "{asked:?}");
    assert!(
        asked.iter().any(|text| text.contains("JOIN gba.t.items") || text.contains("JOIN gba.t.orders")),
        "{asked:?}"
    );
}

/// The fragments where the manifests say how many rows the public tables have.
fn sized(rows: &[(&str, u64)], sql: &str) -> Vec<String> {
    let mut bundle = bundle();
    for slice in &mut bundle.slices {
        slice.approximate_rows =
            rows.iter().find(|(table, _)| slice.table.to_string() == *table).map(|(_, rows)| *rows / 3);
    }
    let plan = Planner::new(&bundle).plan(sql).verdict.unwrap_or_else(|refusal| panic!("{sql}\n{refusal}"));
    let texts = plan.groups.iter().flat_map(|group| super::explain::by_text(&group.texts));
    texts.map(|(sql, owners)| format!("{}: {sql}", owners.join(" "))).collect()
}

#[test]
fn the_smaller_of_two_public_tables_is_sent_to_the_owners_of_the_larger() {
    let sizes = [("gba.t.customer", 150_000), ("gba.t.orders", 1_500_000), ("gba.t.items", 6_000_000)];
    let sql = "SELECT o_day, sum(i_price) FROM gba.t.customer, gba.t.orders, gba.t.items WHERE c_id = o_c AND o_id = i_o AND c_name = 'x' GROUP BY o_day";
    let asked = sized(&sizes, sql);
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert!(asked[0].starts_with("CN-SZ HK MO: ") && asked[0].contains("whole.t.customer"), "{asked:?}");
    assert!(asked[0].contains("c_name = 'x'") && asked[0].contains("GROUP BY"), "{asked:?}");
    // Of nearly one size, or too large to hold: both come home.
    assert_eq!(sized(&[("gba.t.customer", 1_400_000), ("gba.t.orders", 1_500_000)], sql).len(), 2);
    assert_eq!(sized(&[("gba.t.customer", 3_000_000_000), ("gba.t.orders", 90_000_000_000)], sql).len(), 2);
    // The side that an outer join keeps whole is never the one that is sent.
    let outer = "SELECT c_name, count(o_id) FROM gba.t.customer LEFT JOIN gba.t.orders ON c_id = o_c GROUP BY c_name";
    assert_eq!(sized(&sizes, outer).len(), 2);
}

#[test]
fn groups_of_what_was_sent_to_everybody_are_merged_at_home() {
    // Every owner has rows of every customer: an aggregate by customer is not finished at any of them.
    let sizes = [("gba.t.orders", 15_000), ("gba.t.items", 6_000_000), ("gba.t.customer", 6_000_000)];
    let asked =
        sized(&sizes, "SELECT o_id, median(c_id) FROM gba.t.customer JOIN gba.t.orders ON c_id = o_c GROUP BY o_id");
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert!(asked[0].contains("whole.t.orders") && !asked[0].contains("GROUP BY"), "{asked:?}");
}

#[test]
fn public_rows_cross_filtered_and_projected() {
    assert_eq!(
        fragments("SELECT hour FROM hongkong.air.hourly WHERE co > 0.05 ORDER BY co DESC LIMIT 2"),
        [
            "HK: SELECT t1.hour, t1.co FROM hongkong.air.hourly AS t1 WHERE (t1.co > CAST('0.05' AS DOUBLE)) ORDER BY t1.co DESC NULLS FIRST LIMIT 2"
        ]
    );
}

#[test]
fn rows_of_people_are_refused_before_anything_is_sent() {
    for (sql, code) in [
        ("SELECT * FROM gba.health.visits", Code::NotAnAggregate),
        ("SELECT max(cost) FROM gba.health.visits", Code::AggregateFunction),
        ("SELECT median(cost) FROM gba.health.visits", Code::AggregateFunction),
        ("SELECT patient, count(*) FROM gba.health.visits GROUP BY patient", Code::ColumnClass),
        (
            "SELECT count(*) FROM gba.health.visits a JOIN gba.health.visits b ON a.patient = b.patient",
            Code::NotSplittable,
        ),
    ] {
        let refusal = split(sql).err().unwrap_or_else(|| panic!("admitted: {sql}"));
        assert_eq!(refusal.code, code, "{sql}\n{refusal}");
        assert!(refusal.remedy.is_some(), "{sql}");
    }
}

/// The remedy of a refused outer join that keeps public rows.
#[test]
fn public_rows_that_meet_nobody_are_kept_at_home() {
    let kept = "SELECT f.beds, count(*) FROM gba.health.facilities f LEFT JOIN gba.health.visits v ON f.code = v.facility GROUP BY f.beds";
    let refusal = split(kept).err().unwrap();
    assert!(matches!(refusal.code, Code::NotAnAggregate | Code::NotSplittable), "{refusal}");
    let instead = "SELECT a.code, b.n FROM gba.health.facilities AS a LEFT JOIN (SELECT facility, count(*) AS n FROM gba.health.visits GROUP BY facility) AS b ON a.code = b.facility";
    let asked = fragments(instead);
    let grouped = |text: &&String| text.contains("count(1)") && text.contains("GROUP BY t1.facility");
    assert!(asked.len() == 2 && asked.iter().filter(grouped).count() == 1, "{asked:?}");
}

#[test]
fn aggregates_with_equal_names_are_kept_apart() {
    for sql in [
        "SELECT regr_r2(cost, minutes), regr_count(cost, minutes) FROM gba.health.visits",
        "SELECT specialty, stddev(minutes), avg(minutes), sum(minutes), count(DISTINCT patient) FROM gba.health.visits GROUP BY specialty",
        "SELECT avg(beds), stddev(beds), sum(beds) FROM gba.health.facilities",
        "SELECT count(*), count(*) FILTER (WHERE specialty IN ('x', 'x') OR jurisdiction IN ('y', 'z', 'z')) FROM gba.health.visits",
        "SELECT CASE WHEN jurisdiction NOT IN ('HK', 'HK') AND specialty NOT IN ('x', 'x') THEN 1 END AS a, count(*) FROM gba.health.visits GROUP BY 1",
        "SELECT DISTINCT beds AS a, beds AS b FROM gba.health.facilities",
        "SELECT CASE WHEN specialty <> 'x' THEN 1 ELSE 0 END AS a, CASE WHEN specialty NOT IN ('x', 'x') THEN 1 ELSE 0 END AS b, count(*) FROM gba.health.visits GROUP BY 1, 2",
    ] {
        assert_eq!(fragments(sql).len(), 1, "{sql}");
    }
}

#[test]
fn a_join_of_two_jurisdictions_rows_that_never_meet_is_asked_of_one_owner() {
    let asked = fragments(
        "SELECT o_day, count(*) FROM gba.t.orders o JOIN gba.t.items i ON o_id = i_o WHERE o.jurisdiction = 'MO' AND i.jurisdiction = 'HK' GROUP BY o_day",
    );
    assert!(asked.len() == 1 && asked[0].starts_with("MO: "), "{asked:?}");
}

#[test]
fn subqueries_under_or_and_not_in_are_written_as_what_they_are() {
    for (from, text) in [
        (
            "gba.health.visits WHERE specialty NOT IN (SELECT specialty FROM gba.health.codes)",
            "WHERE (t1.specialty NOT IN (SELECT t2.specialty AS member FROM",
        ),
        (
            "shenzhen.health.raw WHERE facility = 'a' OR patient IN (SELECT patient FROM shenzhen.health.raw WHERE specialty = 'b')",
            "t1.patient IN (SELECT t2.patient AS member FROM shenzhen.health.raw AS t2 WHERE",
        ),
    ] {
        let asked = fragments(&format!("SELECT count(*) FROM {from}"));
        assert!(asked.len() == 1 && asked[0].contains(text), "{from}: {asked:?}");
    }
}

#[test]
fn owners_who_judge_alike_each_have_their_findings() {
    let planned = Planner::new(&bundle()).plan("SELECT specialty, avg(cost) FROM gba.health.visits GROUP BY specialty");
    let of = |owner: &str| -> Vec<_> {
        let own = planned.findings.iter().filter(|finding| finding.owner.as_str() == owner);
        own.map(|finding| (finding.operator.clone(), finding.subject.clone(), finding.admitted)).collect()
    };
    assert!(of("CN-SZ").len() >= 3, "{:?}", planned.findings);
    assert_eq!(of("HK"), of("CN-SZ"));
    assert_eq!(of("MO"), of("CN-SZ"));
}

#[test]
fn no_text_makes_the_planner_panic() {
    for sql in [
        "SELECT DISTINCT ON (specialty) specialty, cost FROM gba.health.visits ORDER BY specialty, cost",
        "SELECT count(*) FROM gba.health.visits WHERE patient NOT IN (SELECT patient FROM gba.health.visits WHERE cost > 1)",
        "SELECT count(*) FROM gba.health.visits WHERE nowhere",
        "SELECT count(*) FROM gba.health.codes TABLESAMPLE BERNOULLI (10)",
        "SELECT",
        "",
        &format!("SELECT 1{}", " UNION ALL SELECT 1".repeat(10_000)),
        &format!("SELECT 1{}", "+1".repeat(20_000)),
        &format!("SELECT 1 FROM gba.health.codes{}", ", gba.health.codes".repeat(5_000)),
    ] {
        let refusal = split(sql).err().unwrap_or_else(|| panic!("admitted: {sql}"));
        assert!(!refusal.message.is_empty(), "{sql}");
    }
}

#[test]
fn a_left_join_is_asked_of_the_owners_of_its_left_side_alone() {
    let asked = fragments(
        "SELECT o_day, count(*) FROM gba.t.orders o LEFT JOIN gba.t.items i ON o_id = i_o WHERE o.jurisdiction = 'MO' GROUP BY o_day",
    );
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert!(asked[0].starts_with("MO: "), "{asked:?}");
}

#[test]
fn a_query_whose_fragment_is_too_heavy_is_told_the_bound() {
    let branches: Vec<String> = (0..400).map(|i| format!("WHEN s = 's{i}' THEN amt * {i}")).collect();
    let sql = format!("SELECT sum(CASE {} END) AS y FROM hongkong.t.every", branches.join(" "));
    let refusal = split(&sql).err().unwrap();
    assert_eq!(refusal.code, Code::Limit, "{refusal}");
    assert!(refusal.remedy.is_some(), "{refusal}");
}
