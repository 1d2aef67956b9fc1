//! Conditions of aggregates: what they divide a cell into must be nobody or enough, however they are combined.

use rand::SeedableRng;
use rand::rngs::StdRng;

use super::oracle::{Seen, expect, seen_visits, text_of};
use super::{Visit, Way, fixture, release, run, visit, visits};

#[tokio::test]
async fn conditions_divide_a_cell_into_parts_that_are_none_or_enough() {
    let mut rng = StdRng::seed_from_u64(13);
    let mut withheld = 0;
    for (k, rows, units, places) in [(2, 400, 40, 30), (3, 2000, 300, 60), (5, 3000, 50, 20), (10, 20_000, 900, 40)] {
        let visits = visits(&mut rng, rows, units, places);
        let fixture = fixture(&visits, &[], k, 1);
        let engine = fixture.engine();
        let place = |v: &Visit| vec![text_of("p", v.place)];
        let queries: Vec<(&str, Vec<Seen>)> = vec![
            (
                "SELECT place, count(*) FILTER (WHERE kind <= 1), count(*) FILTER (WHERE kind = 1), count(*) FROM shenzhen.d.visits GROUP BY place",
                seen_visits(&visits, place, |v| vec![v.kind == 0, v.kind == 1, v.kind == 2]),
            ),
            (
                "SELECT place, sum(paid), sum(paid) FILTER (WHERE kind = 1), count(*) FROM shenzhen.d.visits GROUP BY place",
                seen_visits(&visits, place, |v| {
                    let (one, paid) = (v.kind == 1, v.paid.is_some());
                    vec![one, !one, one && paid, !one && paid]
                }),
            ),
            (
                "SELECT count(*) FILTER (WHERE place = 'p1'), sum(CASE WHEN kind = 2 THEN 1 ELSE 0 END), count(*) FROM shenzhen.d.visits",
                seen_visits(
                    &visits,
                    |_| vec![],
                    |v| {
                        // Where the place is not known, `place = 'p1'` is not met.
                        let (here, two) = (v.place == Some(1), v.kind == 2);
                        vec![here && two, here && !two, !here && two, !here && !two]
                    },
                ),
            ),
        ];
        for (sql, seen) in &queries {
            let found = run(&fixture, &engine, sql, Way::Parted).await;
            expect(&found, seen, k as usize, sql);
            withheld += found.1;
            assert_eq!(release(&fixture, sql).await.unwrap().0, found.0, "{sql}: the way that the gate chooses");
        }
    }
    assert!(withheld > 20, "only {withheld} cells were withheld");
}

#[tokio::test]
async fn totals_whose_difference_is_one_person_are_not_released_together() {
    // Two filters, three, and measures of which one is missing once: each total alone has enough units.
    let mut visits: Vec<Visit> =
        (0..30_u32).map(|u| Visit { kind: (u % 3).cast_signed(), ..visit(u, u % 4, 10) }).collect();
    visits.push(Visit { kind: 7, ..visit(99, 3, 1_000_003) });
    let fixture = fixture(&visits, &[], 5, 1);
    let of = |select: &str| format!("SELECT {select} FROM shenzhen.d.visits");
    for (select, rows) in [
        ("count(*) FILTER (WHERE place = 'p3')", 1),
        ("count(*) FILTER (WHERE place = 'p3'), count(*) FILTER (WHERE place = 'p3' AND kind < 7)", 0),
        ("sum(paid) FILTER (WHERE place = 'p3'), sum(CASE WHEN place = 'p3' AND kind < 7 THEN paid END)", 0),
        // X or person, Y or person, X or Y.
        (
            "count(*) FILTER (WHERE kind = 0 OR kind = 7), count(*) FILTER (WHERE kind = 1 OR kind = 7), count(*) FILTER (WHERE kind IN (0, 1))",
            0,
        ),
        // All but everybody else.
        (
            "count(*), count(*) FILTER (WHERE kind = 0), count(*) FILTER (WHERE kind = 1), count(*) FILTER (WHERE kind = 2)",
            0,
        ),
        // Two disjoint conditions, and nobody but the person left over.
        ("count(*) FILTER (WHERE kind < 2), count(*) FILTER (WHERE kind = 0)", 1),
    ] {
        let (found, ..) = release(&fixture, &of(select)).await.unwrap();
        assert_eq!(found.len(), rows, "{select}: {found:?}");
    }
}
