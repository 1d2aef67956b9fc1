//! Every way of counting units comes to the same.

use std::collections::BTreeMap;

use rand::SeedableRng;
use rand::rngs::StdRng;

use super::oracle::Column::{Count, Sum};
use super::oracle::{Family, Seen, Steps, Whose, expect, seen_visits, text_of};
use super::{Person, Visit, Way, fixture, people, run, visits};

#[tokio::test]
async fn every_strategy_agrees_with_a_plain_count_of_units() {
    let mut rng = StdRng::seed_from_u64(7);
    for (k, rows, units, places) in
        [(2, 300, 40, 60), (3, 2000, 300, 200), (5, 3000, 20, 12), (10, 20_000, 900, 40), (20, 9000, 400, 300)]
    {
        let visits = visits(&mut rng, rows, units, places);
        let fixture = fixture(&visits, &[], k, 1);
        let engine = fixture.engine();
        let place = |v: &Visit| vec![text_of("p", v.place)];
        let both = |v: &Visit| vec![text_of("p", v.place), v.kind.to_string()];
        let none = |_: &Visit| Vec::new();
        let queries: Vec<(&str, Vec<Seen>, Steps)> = vec![
            ("SELECT place, count(*) FROM shenzhen.d.visits GROUP BY place", seen_visits(&visits, place, none), &[]),
            (
                "SELECT place, kind, count(*) FROM shenzhen.d.visits GROUP BY place, kind",
                seen_visits(&visits, both, none),
                &[],
            ),
            ("SELECT count(*) FROM shenzhen.d.visits", seen_visits(&visits, |_| vec![], none), &[]),
            (
                "SELECT place, sum(paid), count(*) FROM shenzhen.d.visits GROUP BY place",
                seen_visits(&visits, place, |v| vec![vec![(Family::Measure, v.paid.is_some())]]),
                &[&[Sum(1)]],
            ),
            (
                "SELECT place, count(*) FILTER (WHERE kind = 1), count(*) FROM shenzhen.d.visits GROUP BY place",
                seen_visits(&visits, place, |v| vec![vec![(Family::Rows, v.kind == 1)]]),
                &[&[Count(1)]],
            ),
        ];
        for (sql, seen, columns) in &queries {
            let inline = run(&fixture, &engine, sql, Way::Inline).await;
            expect(&inline, seen, columns, k as usize, sql);
            let most = units_rows(&visits);
            for way in
                [Way::Parted, Way::InlineByRows, Way::Probe(1), Way::Probe(100), Way::Probe(1500), Way::Probe(100_000)]
            {
                assert_eq!(run(&fixture, &engine, sql, way).await, inline, "{sql} by {way:?}");
            }
            if columns.is_empty() {
                let by_rows = run(&fixture, &engine, sql, Way::Rows(most)).await;
                assert_eq!(by_rows, inline, "{sql} by rows");
            }
        }
    }
}

/// The most rows that one unit has.
fn units_rows(visits: &[Visit]) -> u64 {
    let mut rows: BTreeMap<u32, u64> = BTreeMap::new();
    for unit in visits.iter().filter_map(|v| v.unit) {
        *rows.entry(unit).or_default() += 1;
    }
    rows.values().copied().max().unwrap_or(1)
}

#[tokio::test]
async fn after_a_join_the_units_of_every_input_count() {
    let mut rng = StdRng::seed_from_u64(11);
    for k in [2, 4, 9] {
        let visits = visits(&mut rng, 1500, 250, 30);
        let people = people(&mut rng, 250);
        let fixture = fixture(&visits, &people, k, 1);
        let engine = fixture.engine();
        for (kind, pads_people, pads_visits) in
            [("JOIN", false, false), ("LEFT JOIN", true, false), ("RIGHT JOIN", false, true), ("FULL JOIN", true, true)]
        {
            let mut seen = Vec::new();
            let mut add = |v: Option<&Visit>, p: Option<&Person>| {
                let key = vec![text_of("p", v.and_then(|v| v.place)), text_of("s", p.and_then(|p| p.sex))];
                let units = vec![v.map(|v| Whose(v.unit)), p.map(|p| Whose(p.unit))];
                seen.push(Seen { key, units, padded: vec![pads_visits, pads_people], values: vec![] });
            };
            let meet = |v: &Visit, p: &Person| v.unit.is_some() && v.unit == p.unit;
            for v in &visits {
                people.iter().filter(|p| meet(v, p)).for_each(|p| add(Some(v), Some(p)));
                if pads_people && !people.iter().any(|p| meet(v, p)) {
                    add(Some(v), None);
                }
            }
            for p in people.iter().filter(|p| pads_visits && !visits.iter().any(|v| meet(v, p))) {
                add(None, Some(p));
            }
            let sql = format!(
                "SELECT v.place, p.sex, count(*) FROM shenzhen.d.visits v {kind} shenzhen.d.people p ON v.unit = p.unit GROUP BY v.place, p.sex"
            );
            let inline = run(&fixture, &engine, &sql, Way::Inline).await;
            expect(&inline, &seen, &[], k as usize, &sql);
            if !pads_visits {
                for way in [Way::Probe(50), Way::Probe(700)] {
                    assert_eq!(run(&fixture, &engine, &sql, way).await, inline, "{sql} by {way:?}");
                }
            }
        }
    }
}
