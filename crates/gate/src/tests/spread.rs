//! Statistics of measures that a single unit adds most to, or that have few values: withheld by default.

use wanqu_model::bundle::ContributionRule;

use super::memory::Fixture;
use super::{Person, Visit, fixture, release, visit};

/// Rule of a default policy over these visits.
fn strict(visits: &[Visit], people: &[Person]) -> Fixture {
    let mut fixture = fixture(visits, people, 5, 1);
    fixture.bundle.slices.iter_mut().for_each(|slice| slice.policy.contributions = ContributionRule::default());
    fixture
}

async fn rows(fixture: &Fixture, select: &str) -> Vec<Vec<String>> {
    let sql = format!("SELECT {select} FROM shenzhen.d.visits");
    release(fixture, &sql).await.unwrap_or_else(|refusal| panic!("{sql}: {refusal}")).0
}

/// Every kind of statistic of a measure.
const STATISTICS: &[&str] = &[
    "sum(paid)",
    "avg(paid)",
    "sum(CAST(paid AS DOUBLE) + 1000000)",
    "sum(2 * CAST(paid AS DOUBLE) - 7)",
    "sum(CAST(paid AS DOUBLE) * paid)",
    "stddev(paid)",
    "var_pop(paid)",
    "count(paid), avg(paid)",
    "sum(CASE WHEN kind = 0 THEN paid END)",
    "sum(paid) FILTER (WHERE kind = 0)",
    "avg(CASE WHEN kind = 0 THEN paid ELSE 0 END)",
    "sum(CAST(paid AS DOUBLE) / 3)",
    "regr_slope(paid, paid)",
    "covar_pop(paid, paid)",
];

/// Ten people of kind 0 with these values, and ten of another kind whose values are spread, so that conditions divide the cell.
fn visits(values: impl Iterator<Item = i64>) -> Vec<Visit> {
    let own = (0..).zip(values).map(|(u, paid)| visit(u, 1, paid));
    let others = (0..10).map(|u| Visit { kind: 1, paid: None, ..visit(100 + u, 1, 0) });
    own.chain(others).collect()
}

#[tokio::test]
async fn a_statistic_is_withheld_where_one_dominates_or_values_are_few() {
    type Case<'a> = (&'a str, Vec<Visit>, bool);
    let cases: &[Case<'_>] = &[
        ("spread values", visits((0..10).map(|u| 50 + u)), true),
        ("one has nearly all", visits((0..10).map(|u| if u == 3 { 100_000 } else { 50 + u })), false),
        ("nearly all of it owed", visits((0..10).map(|u| if u == 3 { -100_000 } else { 50 + u })), false),
        ("everybody has the same", visits((0..10).map(|_| 20)), false),
        ("one beside the known price", visits((0..10).map(|u| if u == 3 { 33 } else { 20 })), false),
        ("two prices, few of one", visits((0..10).map(|u| if u < 4 { 33 } else { 20 })), false),
        ("two prices, enough of each", visits((0..10).map(|u| if u < 5 { 33 } else { 20 })), true),
        ("many prices, four beside the usual one", visits((0..10).map(|u| if u < 4 { 33 + u } else { 20 })), false),
        ("many prices, five beside the usual one", visits((0..10).map(|u| if u < 5 { 33 + u } else { 20 })), true),
    ];
    for (name, visits, fits) in cases {
        let fixture = strict(visits, &[]);
        for select in STATISTICS {
            let found = rows(&fixture, &format!("{select}, count(*)")).await;
            let [row] = &found[..] else { panic!("{name}: {select}: {found:?}") };
            let (total, values) = row.split_last().unwrap();
            assert_eq!(total, "20", "{name}: the row itself is released");
            assert!(values.iter().all(|value| (value != "-") == *fits), "{name}: {select}: {row:?}");
        }
    }
}

/// A count of a measure's values beside its sum is withheld with it: an average would be made of a sum that is missing.
#[tokio::test]
async fn values_of_one_measure_stand_and_fall_together_and_others_stay() {
    let mut all = visits((0..10).map(|u| if u == 3 { 100_000 } else { 50 + u }));
    all.extend((0..10).map(|u| visit(u, 2, 50 + i64::from(u))));
    let fixture = strict(&all, &[]);
    let sql = "SELECT place, count(paid), sum(paid), count(*) FROM shenzhen.d.visits GROUP BY place";
    let (rows, suppressed) = release(&fixture, sql).await.unwrap();
    assert_eq!(
        (rows, suppressed),
        (
            vec![
                ["p1", "-", "-", "20"].map(str::to_owned).to_vec(),
                ["p2", "10", "545", "10"].map(str::to_owned).to_vec()
            ],
            1
        )
    );
}

/// A unit's rows are one contribution, and where units are joined, those of every table are.
#[tokio::test]
async fn contributions_are_those_of_units_whatever_their_rows() {
    // One person with many small bills beside twelve with one each.
    let mut visits: Vec<Visit> = (0..12).map(|u| visit(u, 1, 50 + i64::from(u))).collect();
    visits.extend((0..400).map(|row| visit(99, 1, 40 + row % 50)));
    assert_eq!(rows(&strict(&visits, &[]), "sum(paid), count(*)").await, [["-", "412"]]);
    let people: Vec<Person> = (0..100).map(|u| Person { unit: Some(u), sex: Some(u % 2) }).collect();
    let fixture = strict(&visits[..12], &people);
    let sql = "SELECT sum(v.paid) FROM shenzhen.d.visits v JOIN shenzhen.d.people p ON v.unit = p.unit";
    assert_eq!(release(&fixture, sql).await.unwrap().0, [["666"]]);
}

/// A policy that says so lets them pass.
#[tokio::test]
async fn each_bound_can_be_set_by_itself() {
    let owed = visits((0..10).map(|u| if u == 3 { 100_000 } else { 50 + u }));
    let same = visits((0..10).map(|_| 20));
    let default = ContributionRule::default();
    for (visits, contributions, fits) in [
        (&owed, ContributionRule { dominant_percent: 100, p_percent: 0, ..default }, true),
        (&owed, ContributionRule { dominant_percent: 100, ..default }, false),
        (&owed, ContributionRule { p_percent: 0, ..default }, false),
        (&same, ContributionRule { min_values: 0, ..default }, true),
        (&same, ContributionRule { dominant_percent: 100, p_percent: 0, ..default }, false),
    ] {
        let mut fixture = fixture(visits, &[], 5, 1);
        fixture.bundle.slices[0].policy.contributions = contributions;
        assert_eq!(rows(&fixture, "sum(paid)").await[0][0] != "-", fits, "{contributions:?}");
    }
}

/// The squares of a variance are dominated sooner than a total is, and then the values of the measure are withheld with it.
#[tokio::test]
async fn a_variance_is_held_against_its_squares() {
    let fixture =
        strict(&(0..11).map(|u| visit(u, 1, if u == 10 { 600 } else { 50 + i64::from(u) })).collect::<Vec<_>>(), &[]);
    assert_eq!(rows(&fixture, "count(paid), sum(paid), count(*)").await, [["11", "1145", "11"]]);
    assert_eq!(rows(&fixture, "var_pop(paid), count(paid), count(*)").await, [["-", "-", "11"]]);
    assert_eq!(rows(&fixture, "count(*), sum(paid), var_pop(paid)").await, [["11", "-", "-"]]);
}
