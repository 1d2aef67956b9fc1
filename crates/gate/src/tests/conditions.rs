//! Conditions of aggregates: what those of the released values divide a cell into must be nobody or enough.

use std::collections::BTreeMap;

use rand::SeedableRng;
use rand::rngs::StdRng;

use super::oracle::Column::{Count, Sum};
use super::oracle::Family::{Measure, Other, Present, Rows};
use super::oracle::{Family, Seen, Steps, expect, seen_visits, text_of};
use super::{Visit, Way, fixture, release, run, visit, visits};

/// Conditions of the groups of values of a query, as the oracle has them.
type Values = fn(&Visit) -> Vec<Vec<(Family, bool)>>;

/// Select lists beside `count(*)` grouped by place, each with its conditions and the columns that have them.
const QUERIES: &[(&str, Values, Steps)] = &[
    (
        "count(*) FILTER (WHERE kind <= 1), count(*) FILTER (WHERE kind = 1)",
        |v| vec![vec![(Rows, v.kind <= 1)], vec![(Rows, v.kind == 1)]],
        &[&[Count(1)], &[Count(2)]],
    ),
    (
        "sum(paid), sum(paid) FILTER (WHERE kind = 1)",
        |v| {
            let (one, paid) = (v.kind == 1, v.paid.is_some());
            vec![vec![(Measure, paid)], vec![(Rows, one), (Measure, one && paid)]]
        },
        &[&[Sum(1)], &[Sum(2)]],
    ),
    // Three kinds of which any two leave the third.
    (
        "count(*) FILTER (WHERE kind = 0), count(*) FILTER (WHERE kind = 1), count(*) FILTER (WHERE kind = 2)",
        |v| vec![vec![(Rows, v.kind == 0)], vec![(Rows, v.kind == 1)], vec![(Rows, v.kind == 2)]],
        &[&[Count(1)], &[Count(2)], &[Count(3)]],
    ),
    // The same in another order.
    (
        "count(*) FILTER (WHERE kind = 2), count(*) FILTER (WHERE kind = 0), count(*) FILTER (WHERE kind = 1)",
        |v| vec![vec![(Rows, v.kind == 2)], vec![(Rows, v.kind == 0)], vec![(Rows, v.kind == 1)]],
        &[&[Count(1)], &[Count(2)], &[Count(3)]],
    ),
    // Values of one condition stand and fall together, wherever their columns are.
    (
        "count(paid), count(*) FILTER (WHERE kind = 2), sum(paid), avg(paid)",
        |v| vec![vec![(Present, v.paid.is_some()), (Measure, v.paid.is_some())], vec![(Rows, v.kind == 2)]],
        &[&[Count(1), Sum(3), Sum(4)], &[Count(2)]],
    ),
    (
        "count(*) FILTER (WHERE kind = 2), count(paid), bool_or(kind > 1)",
        |v| {
            let more = v.kind > 1;
            vec![
                vec![(Rows, v.kind == 2)],
                vec![(Present, v.paid.is_some()), (Measure, v.paid.is_some())],
                vec![(Rows, more), (Other, !more)],
            ]
        },
        &[&[Count(1)], &[Count(2)], &[Count(3)]],
    ),
    (
        "count(paid) FILTER (WHERE kind = 1), sum(paid) FILTER (WHERE kind = 1), sum(paid)",
        |v| {
            let (one, paid) = (v.kind == 1, v.paid.is_some());
            vec![vec![(Rows, one), (Present, one && paid), (Measure, one && paid)], vec![(Measure, paid)]]
        },
        &[&[Count(1), Sum(2)], &[Sum(3)]],
    ),
];

#[tokio::test]
async fn conditions_divide_a_cell_into_parts_that_are_none_or_enough() {
    let mut rng = StdRng::seed_from_u64(13);
    let mut suppressed = 0;
    for (k, rows, units, places) in [(2, 400, 40, 30), (3, 2000, 300, 60), (5, 3000, 50, 20), (10, 20_000, 900, 40)] {
        let visits = visits(&mut rng, rows, units, places);
        let fixture = fixture(&visits, &[], k, 1);
        let engine = fixture.engine();
        let mut queries: Vec<(String, Vec<Seen>, Steps)> = Vec::new();
        for (select, values, columns) in QUERIES {
            let sql = format!("SELECT place, {select}, count(*) FROM shenzhen.d.visits GROUP BY place");
            queries.push((sql, seen_visits(&visits, |v| vec![text_of("p", v.place)], values), columns));
        }
        queries.push((
            "SELECT count(*) FILTER (WHERE place = 'p1'), sum(CASE WHEN kind = 2 THEN 1 ELSE 0 END), count(*) FROM shenzhen.d.visits".to_owned(),
            // Where the place is not known, `place = 'p1'` is not met.
            seen_visits(&visits, |_| vec![], |v| vec![vec![(Rows, v.place == Some(1))], vec![(Rows, v.kind == 2)]]),
            &[&[Count(0)], &[Count(1)]],
        ));
        for (sql, seen, columns) in &queries {
            let found = run(&fixture, &engine, sql, Way::Parted).await;
            expect(&found, seen, columns, k as usize, sql);
            suppressed += found.1;
            assert_eq!(release(&fixture, sql).await.unwrap().0, found.0, "{sql}: the way that the gate chooses");
        }
    }
    assert!(suppressed > 20, "only {suppressed} cells were kept back");
}

/// A value is withheld from a row where a query for it and the values released before it would not have it: the pattern of NULLs
/// tells nothing new.
#[tokio::test]
async fn a_row_holds_what_a_query_for_its_values_alone_would_release() {
    let mut rng = StdRng::seed_from_u64(29);
    let visits = visits(&mut rng, 1200, 120, 40);
    let fixture = fixture(&visits, &[], 4, 1);
    let engine = fixture.engine();
    let values: Vec<String> = [0, 1, 2].map(|kind| format!("count(*) FILTER (WHERE kind = {kind})")).to_vec();
    let of = |values: &[String]| {
        let columns = values.join(", ");
        format!("SELECT place, {columns}, count(*) FROM shenzhen.d.visits GROUP BY place")
    };
    let rows = run(&fixture, &engine, &of(&values), Way::Parted).await.0;
    let mut answers: BTreeMap<Vec<usize>, Vec<Vec<String>>> = BTreeMap::new();
    let mut checked = 0;
    for row in &rows {
        let mut released: Vec<usize> = Vec::new();
        for value in 0..3 {
            let with: Vec<usize> = released.iter().copied().chain([value]).collect();
            if !answers.contains_key(&with) {
                let asked: Vec<String> = with.iter().map(|value| values[*value].clone()).collect();
                answers.insert(with.clone(), run(&fixture, &engine, &of(&asked), Way::Parted).await.0);
            }
            let alone = answers[&with].iter().find(|other| other[0] == row[0]).unwrap();
            // A query that would have to withhold something has the value that is withheld here as its last.
            assert_eq!(alone[with.len()], row[1 + value], "{row:?} {alone:?}");
            if row[1 + value] == "-" {
                checked += 1;
            } else {
                released = with;
            }
        }
    }
    assert!(checked > 10, "only {checked} values were withheld");
}

#[tokio::test]
async fn totals_whose_difference_is_one_person_are_not_released_together() {
    // Two filters, three, and measures of which one is missing once: each total alone has enough units.
    let mut visits: Vec<Visit> =
        (0..30_u32).map(|u| Visit { kind: (u % 3).cast_signed(), ..visit(u, u % 4, 10) }).collect();
    visits.push(Visit { kind: 7, ..visit(99, 3, 1_000_003) });
    let fixture = fixture(&visits, &[], 5, 1);
    let of = |select: &str| format!("SELECT {select} FROM shenzhen.d.visits");
    for (select, released) in [
        ("count(*) FILTER (WHERE place = 'p3')", vec!["8"]),
        ("count(*) FILTER (WHERE place = 'p3'), count(*) FILTER (WHERE place = 'p3' AND kind < 7)", vec!["8", "-"]),
        ("count(*) FILTER (WHERE place = 'p3' AND kind < 7), count(*) FILTER (WHERE place = 'p3')", vec!["7", "-"]),
        (
            "sum(paid) FILTER (WHERE place = 'p3'), sum(CASE WHEN place = 'p3' AND kind < 7 THEN paid END)",
            vec!["1000073", "-"],
        ),
        // X or person, Y or person, X or Y.
        (
            "count(*) FILTER (WHERE kind = 0 OR kind = 7), count(*) FILTER (WHERE kind = 1 OR kind = 7), count(*) FILTER (WHERE kind IN (0, 1))",
            vec!["11", "-", "-"],
        ),
        // All but everybody else.
        (
            "count(*), count(*) FILTER (WHERE kind = 0), count(*) FILTER (WHERE kind = 1), count(*) FILTER (WHERE kind = 2)",
            vec!["31", "10", "10", "-"],
        ),
        // Two disjoint conditions, and nobody but the person left over.
        ("count(*) FILTER (WHERE kind < 2), count(*) FILTER (WHERE kind = 0)", vec!["20", "10"]),
        // The person alone, and all but the person, whose number a total beside it would give.
        (
            "count(*) FILTER (WHERE kind = 7), count(*), sum(paid), sum(paid) FILTER (WHERE kind < 7)",
            vec!["-", "31", "1000303", "-"],
        ),
        // A value that is withheld leaves room for one that it does not fit beside.
        ("count(*) FILTER (WHERE kind = 7), count(*) FILTER (WHERE kind = 0)", vec!["-", "10"]),
        // The same value twice is one value, by whatever function.
        ("sum(CASE WHEN kind < 7 THEN 1 ELSE 0 END), count(*) FILTER (WHERE kind < 7)", vec!["-", "-"]),
    ] {
        let (found, suppressed) = release(&fixture, &of(select)).await.unwrap();
        assert_eq!(found, std::slice::from_ref(&released), "{select}");
        assert_eq!(suppressed, u64::from(released.contains(&"-")), "{select}");
    }
}

/// A part of nobody, of one person and of two look alike, and so do the rows around them.
#[tokio::test]
async fn how_few_are_in_a_part_is_not_told() {
    let select = "count(*) FILTER (WHERE kind = 1), sum(paid) FILTER (WHERE kind = 1), count(*)";
    let sql = format!("SELECT place, {select} FROM shenzhen.d.visits GROUP BY place");
    let mut told = Vec::new();
    for few in 0..=4 {
        let kind = |u: u32| i32::from(u < few);
        let visits: Vec<Visit> = (0..20).map(|u| Visit { kind: kind(u), ..visit(u, 1, 10) }).collect();
        told.push(release(&fixture(&visits, &[], 5, 1), &sql).await.unwrap());
    }
    assert_eq!(told[0], (vec![["p1", "-", "-", "20"].map(str::to_owned).to_vec()], 1));
    assert!(told.iter().all(|other| *other == told[0]), "{told:?}");
}

/// Rounding changes the values, and not which of them are told; a sum that is withheld is not scaled into view.
#[tokio::test]
async fn rounded_values_are_withheld_like_others() {
    let visits: Vec<Visit> = (0..33).map(|u| Visit { kind: i32::from(u < 2), ..visit(u, 1, 10) }).collect();
    let select = "count(*), sum(paid), count(*) FILTER (WHERE kind = 1), sum(paid) FILTER (WHERE kind = 0), avg(paid) FILTER (WHERE kind = 0)";
    let (rows, _) =
        release(&fixture(&visits, &[], 5, 10), &format!("SELECT {select} FROM shenzhen.d.visits")).await.unwrap();
    assert_eq!(rows, [["30", "300", "-", "-", "-"]]);
}

/// k people and one attribute: that nobody has it, or everybody, is told only where zeros are published.
#[tokio::test]
async fn what_all_people_of_a_cell_have_in_common_is_not_told() {
    // In p1 everybody is of kind 1, in p2 nobody is, in p3 half are.
    let of = |place: u32, kinds: &[i32]| -> Vec<Visit> {
        (0..).zip(kinds).map(|(u, kind)| Visit { kind: *kind, ..visit(place * 100 + u, place, 10) }).collect()
    };
    let visits = [of(1, &[1; 9]), of(2, &[0; 9]), of(3, &[1, 1, 1, 1, 1, 0, 0, 0, 0, 0])].concat();
    let mut fixture = fixture(&visits, &[], 5, 1);
    for (select, hidden, told) in [
        (
            "count(*) FILTER (WHERE kind = 1)",
            [["p1", "-"], ["p2", "-"], ["p3", "5"]],
            [["p1", "9"], ["p2", "0"], ["p3", "5"]],
        ),
        (
            "sum(CASE WHEN kind = 1 THEN 1 ELSE 0 END)",
            [["p1", "-"], ["p2", "-"], ["p3", "5"]],
            [["p1", "9"], ["p2", "0"], ["p3", "5"]],
        ),
        (
            "avg(CAST(kind = 1 AS DOUBLE))",
            [["p1", "-"], ["p2", "-"], ["p3", "0.5"]],
            [["p1", "1.0"], ["p2", "0.0"], ["p3", "0.5"]],
        ),
        (
            "bool_and(kind = 1)",
            [["p1", "-"], ["p2", "-"], ["p3", "false"]],
            [["p1", "true"], ["p2", "false"], ["p3", "false"]],
        ),
        // A value that a cell has by its key is the same for everybody in it, and tells of nobody.
        (
            "count(*) FILTER (WHERE place = 'p1')",
            [["p1", "9"], ["p2", "0"], ["p3", "0"]],
            [["p1", "9"], ["p2", "0"], ["p3", "0"]],
        ),
        // Nor does that nobody lacks a value.
        ("count(paid)", [["p1", "9"], ["p2", "9"], ["p3", "10"]], [["p1", "9"], ["p2", "9"], ["p3", "10"]]),
    ] {
        let sql = format!("SELECT place, {select} FROM shenzhen.d.visits GROUP BY place");
        fixture.bundle.slices[0].policy.publish_zeros = false;
        assert_eq!(release(&fixture, &sql).await.unwrap().0, hidden, "{select}");
        fixture.bundle.slices[0].policy.publish_zeros = true;
        assert_eq!(release(&fixture, &sql).await.unwrap().0, told, "{select} with zeros");
    }
}

/// Two conditions that hold for the same people: all who meet the one meet the other.
#[tokio::test]
async fn of_two_conditions_that_hold_for_the_same_people_one_is_withheld() {
    let visits: Vec<Visit> =
        (0..20).map(|u| Visit { kind: i32::from(u < 8), ..visit(u, if u < 8 { 1 } else { 2 }, 10) }).collect();
    let fixture = fixture(&visits, &[], 5, 1);
    let select = "count(*) FILTER (WHERE place = 'p1'), count(*) FILTER (WHERE place = 'p1' AND kind = 1), count(*)";
    let (rows, _) = release(&fixture, &format!("SELECT {select} FROM shenzhen.d.visits")).await.unwrap();
    assert_eq!(rows, [["8", "-", "20"]]);
}
