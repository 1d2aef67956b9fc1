//! Two questions, or two fragments of one question, whose difference is one person: what the ledger of released cells makes of them.

use wanqu_tests::compare::Cell;
use wanqu_tests::federation::{Answered, Federation, HONG_KONG, MACAU};
use wanqu_tests::health::HealthOptions;
use wanqu_tests::world::World;

/// A policy that remembers cells or not. The planted person's cost is most of any total, which is let pass here: what the ledger makes
/// of it is to be seen.
fn policy(remembers: bool) -> String {
    format!(
        "
---
apiVersion: wanqu.dev/v1alpha1
kind: DisclosurePolicy
metadata: {{ name: remembers }}
spec: {{ minUnits: 10, rememberCells: {remembers}, dominance: {{ units: 1, percent: 100 }}, pPercent: 0 }}
"
    )
}

/// All visits to Macau's hospitals, the planted person's among them.
const TOTAL: &str = "FROM gba.health.visits WHERE jurisdiction = 'MO'";
/// The same without that person's, whose diagnosis nobody else has.
const WITHOUT: &str = "FROM gba.health.visits WHERE jurisdiction = 'MO' AND diagnosis <> 'Q99.9'";

/// A second measure of each owner's column of costs, in its own currency.
fn with_local_costs(manifests: &str) -> String {
    let declared = "    - { name: cost, type: \"decimal(12,2)\", class: measure }\n";
    let mut manifests = manifests.replace(declared, &format!("{declared}{}", declared.replace("cost", "cost_local")));
    for (source, expression) in [
        ("fee_cny", "fee_cny"),
        ("charge_hkd", "\"CAST(charge_hkd * CAST('0.9' AS DECIMAL(2,1)) AS DECIMAL(12,2))\""),
        ("custo_mop", "\"CAST(custo_mop * CAST('0.85' AS DECIMAL(3,2)) AS DECIMAL(12,2))\""),
    ] {
        let cost = format!("        - column: cost\n          expression: {expression}\n");
        assert!(manifests.contains(&cost), "{cost}");
        let both = format!("        - column: cost_local\n          expression: {source}\n{cost}");
        manifests = manifests.replace(&cost, &both);
    }
    manifests
}

async fn federation(remembers: bool) -> Federation {
    let options = HealthOptions { scale: 3, canaries: true, ..HealthOptions::default() };
    let change = |manifests: String| with_local_costs(&manifests) + &policy(remembers);
    Federation::start(World::health_with(10, options, change).unwrap()).await.unwrap()
}

async fn row(federation: &Federation, sql: &str) -> (Vec<Cell>, bool) {
    let Answered { rows, summary } = federation.ask(HONG_KONG, sql).await.unwrap_or_else(|e| panic!("{sql}: {e}"));
    let [row] = &rows.rows[..] else { panic!("{sql}: {rows:?}") };
    let mut releases = summary.outcomes.iter().flat_map(|outcome| &outcome.releases);
    (row.clone(), releases.any(|release| release.earlier_values))
}

/// Without a ledger the difference is that person's; otherwise nothing below would show anything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_ledger_two_totals_differ() {
    let federation = federation(false).await;
    let of = |from: &str| format!("SELECT sum(cost) AS s, count(*) AS n {from}");
    let (total, without) = (row(&federation, &of(TOTAL)).await, row(&federation, &of(WITHOUT)).await);
    assert!(total.0 != without.0 && !total.1 && !without.1, "{total:?} {without:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_total_has_the_values_of_the_first_or_none() {
    let of = |select: &str, from: &str| format!("SELECT {select} {from}");
    let both = "sum(cost) AS s, count(*) AS n";
    let people = "(SELECT patient FROM gba.health.patients WHERE birth_year <> 1899)";
    let null = || vec![Cell::Null];
    let attacks: Vec<(&str, String, String, Option<Vec<Cell>>)> = vec![
        ("two totals", of(both, TOTAL), of(both, WITHOUT), None),
        ("two totals, the smaller first", of(both, WITHOUT), of(both, TOTAL), None),
        ("the same, asked again", of(both, TOTAL), of(both, TOTAL), None),
        ("a semi-join", of(both, TOTAL), of(both, &format!("{TOTAL} AND patient IN {people}")), None),
        (
            "an owner's own table",
            of("count(*) AS n", TOTAL),
            "SELECT count(*) AS n FROM macau.health.visits WHERE cid10 <> 'Q99.9'".to_owned(),
            None,
        ),
        ("another form of the sum", of("sum(cost) AS s", TOTAL), of("sum(cost + 1) AS s", WITHOUT), Some(null())),
        ("its squares", of("sum(cost) AS s", TOTAL), of("sum(cost * cost) AS s", WITHOUT), Some(null())),
        (
            "its squares, kept by HAVING",
            of("sum(cost) AS s", TOTAL),
            of("var_pop(cost) AS s", WITHOUT) + " HAVING count(*) > 5",
            Some(null()),
        ),
        (
            "another measure of the same column",
            of("sum(cost) AS s", TOTAL),
            of("sum(cost_local) AS s", WITHOUT),
            Some(null()),
        ),
        (
            "the same, kept by HAVING",
            of("sum(cost) AS s", TOTAL),
            of("sum(cost) AS s", WITHOUT) + " HAVING sum(cost) > 0",
            None,
        ),
        (
            "people in place of visits",
            of("count(*) AS n", TOTAL),
            of("count(DISTINCT patient) AS n", WITHOUT),
            Some(null()),
        ),
    ];
    for (name, first, second, expected) in attacks {
        let federation = federation(true).await;
        let (before, marked) = row(&federation, &first).await;
        assert!(!marked && !before.contains(&Cell::Null), "{name}: {before:?}");
        let (after, marked) = row(&federation, &second).await;
        assert_eq!(after, expected.unwrap_or(before), "{name}");
        assert!(marked, "{name}: an earlier value is marked");
    }
}

/// Two fragments of one question run at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_totals_of_one_question_do_not_differ() {
    for sql in [
        format!("SELECT (SELECT sum(cost) {TOTAL}) - (SELECT sum(cost) {WITHOUT}) AS d"),
        format!(
            "SELECT a.s - b.s AS d FROM (SELECT 1 AS k, sum(cost) AS s {TOTAL}) a JOIN (SELECT 1 AS k, sum(cost) AS s {WITHOUT}) b ON a.k = b.k"
        ),
    ] {
        let federation = federation(true).await;
        let (difference, marked) = row(&federation, &sql).await;
        let [Cell::Exact(text)] = &difference[..] else { panic!("{sql}: {difference:?}") };
        assert!(text.starts_with("0e"), "{sql}: {difference:?}");
        assert!(marked, "{sql}");
    }
}

/// Two rows of one answer are two fragments.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_rows_of_a_union_do_not_differ() {
    let sql = format!("SELECT sum(cost) AS s, count(*) AS n {TOTAL} UNION ALL SELECT sum(cost), count(*) {WITHOUT}");
    for remembers in [true, false] {
        let Answered { rows, .. } = federation(remembers).await.ask(HONG_KONG, &sql).await.unwrap();
        let [one, other] = &rows.rows[..] else { panic!("{rows:?}") };
        assert_eq!(one == other, remembers, "{rows:?}");
        assert!(!one.contains(&Cell::Null), "{rows:?}");
    }
}

/// What is far enough from what was released is released as it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_cells_are_released_as_they_are() {
    let (with, without) = (federation(true).await, federation(false).await);
    for sql in [
        "SELECT jurisdiction, count(*) AS n, avg(cost) AS c FROM gba.health.visits GROUP BY jurisdiction ORDER BY jurisdiction",
        "SELECT emergency, count(*) AS n, avg(cost) AS c FROM gba.health.visits GROUP BY emergency ORDER BY emergency",
        "SELECT sex, count(*) AS n, stddev(weight) AS w FROM gba.health.patients GROUP BY sex ORDER BY sex",
    ] {
        let (one, other) = (with.ask(MACAU, sql).await.unwrap(), without.ask(MACAU, sql).await.unwrap());
        assert!(one.rows.rows.len() == other.rows.rows.len() && !one.rows.rows.is_empty(), "{sql}");
        let same = one.rows.rows.iter().flatten().zip(other.rows.rows.iter().flatten()).all(|(a, b)| a.same(b));
        assert!(same, "{sql}: {:?} {:?}", one.rows, other.rows);
    }
}
