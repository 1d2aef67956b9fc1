//! Releases that are remembered: what was released over a population is not released anew over one that differs by too few.

use async_trait::async_trait;
use futures::TryStreamExt;
use jiff::Timestamp;
use tokio::sync::Mutex;
use wanqu_fixtures::rows::texts;
use wanqu_model::refusal::Refusal;
use wanqu_rules::admission::Shape;
use wanqu_rules::row::RowKey;

use super::{BOUNDS, Desk, Fixture, Person, Visit, fixture, gated, judged, visit};
use crate::ledger::{Asked, Ledger, Memory, Settled};

/// A ledger that forgets all when the test ends.
pub(super) struct InMemory(Mutex<Memory>);

impl InMemory {
    pub(super) fn new(most: usize) -> Self {
        Self(Mutex::new(Memory::new(most)))
    }
}

#[async_trait]
impl Ledger for InMemory {
    fn key(&self) -> Result<RowKey, Refusal> {
        Ok(RowKey::from([3; 32]))
    }

    async fn settle(&self, asked: Asked) -> Result<Settled, Refusal> {
        let mut memory = self.0.lock().await;
        let decision = memory.decide(&asked);
        memory.remember(decision.entry);
        Ok(decision.settled)
    }
}

/// Visits of 40 people in each of two places, and who is registered.
fn world(change: impl Fn(&mut Vec<Visit>)) -> Fixture {
    let mut visits: Vec<Visit> =
        (0..80_u32).map(|u| Visit { kind: (u % 4).cast_signed(), ..visit(u, 1 + u % 2, 10) }).collect();
    change(&mut visits);
    let people: Vec<Person> = (0..80).map(|u| Person { unit: Some(u), sex: Some(u % 3) }).collect();
    let mut fixture = fixture(&visits, &people, 5, 1);
    for slice in &mut fixture.bundle.slices {
        slice.policy.remember_cells = true;
    }
    fixture
}

/// Returns the rows that are released, and whether any value may be an earlier one's.
async fn asked(fixture: &Fixture, ledger: &InMemory, circle: &str, sql: &str) -> (Vec<Vec<String>>, bool) {
    let judged = judged(fixture, sql);
    let Shape::Gated(shape) = judged.shape() else { panic!("{sql} is public") };
    let engine = fixture.engine();
    let desk = Desk { engine: &engine, ledger, circle };
    let release = gated(judged.plan(), shape, desk, BOUNDS, Timestamp::MAX).await.unwrap();
    let earlier = release.account().earlier;
    let (batches, _) = release
        .audited("CN-SZ".parse().unwrap(), |_| {
            Box::pin(async { Ok(crate::AuditReference { sequence: 1, digest: String::new() }.into()) })
        })
        .into_parts();
    (texts(&batches.try_collect::<Vec<_>>().await.unwrap()), earlier)
}

fn of(select: &str) -> String {
    format!("SELECT {select} FROM shenzhen.d.visits")
}

/// One visit that two totals differ by: of somebody with another kind, who paid much.
fn one_more(visits: &mut Vec<Visit>) {
    visits.push(Visit { kind: 9, ..visit(99, 1, 1_000_003) });
}

#[tokio::test]
async fn a_total_that_differs_by_one_person_has_the_value_of_the_earlier_one() {
    for (first, second) in [
        ("sum(paid), count(*)", "sum(paid), count(*) FROM shenzhen.d.visits WHERE kind < 9"),
        ("sum(paid), count(*) FROM shenzhen.d.visits WHERE kind < 9", "sum(paid), count(*)"),
        // The condition leaves nobody out of these rows, so that the gate by itself has nothing against it.
        (
            "sum(paid), count(*)",
            "sum(paid) FILTER (WHERE kind < 8), count(*) FILTER (WHERE kind < 7) FROM shenzhen.d.visits WHERE kind < 9",
        ),
        (
            "sum(paid), count(*)",
            "sum(CASE WHEN kind < 8 THEN paid END), sum(CASE WHEN kind < 7 THEN 1 ELSE 0 END) FROM shenzhen.d.visits WHERE kind < 9",
        ),
        (
            "sum(paid), count(*)",
            "sum(v.paid), count(*) FROM shenzhen.d.visits v JOIN shenzhen.d.people p ON v.unit = p.unit",
        ),
    ] {
        let mut fixture = world(one_more);
        // Otherwise the gate itself has something against conditions that everybody meets.
        fixture.bundle.slices[0].policy.publish_zeros = true;
        let text = |select: &str| if select.contains(" FROM ") { format!("SELECT {select}") } else { of(select) };
        let ledger = InMemory::new(1000);
        let (before, marked) = asked(&fixture, &ledger, "HK", &text(first)).await;
        assert!(!marked, "{first}");
        let (after, marked) = asked(&fixture, &ledger, "HK", &text(second)).await;
        assert_eq!((&after, marked), (&before, true), "{second}");
        // Others have not been told anything.
        let (others, marked) = asked(&fixture, &ledger, "MO", &text(second)).await;
        assert!(others != before && !marked, "{second}: {others:?}");
    }
}

/// Asking something new of a population does not tell whether anybody is in the difference to one that is known.
#[tokio::test]
async fn none_and_fewer_than_k_in_a_difference_look_alike() {
    let first = of("place, sum(paid), count(*)") + " GROUP BY place";
    for second in [
        of("place, sum(paid), count(*)") + " WHERE kind < 9 GROUP BY place",
        of("place, sum(paid + 1)") + " WHERE kind < 9 GROUP BY place",
        of("place, count(DISTINCT unit)") + " WHERE kind < 9 GROUP BY place",
        of("place, regr_syy(paid, paid), regr_count(paid, paid)") + " WHERE kind < 9 GROUP BY place",
    ] {
        let mut told = Vec::new();
        for few in 0..5_u32 {
            let fixture = world(|visits| {
                // Somebody is in the place either way, with the same that was paid.
                let kind = |u| if u < few { 9 } else { 1 };
                visits.extend((0..4).map(|u| Visit { kind: kind(u), ..visit(200 + u, 1, 10) }));
            });
            let ledger = InMemory::new(1000);
            asked(&fixture, &ledger, "HK", &first).await;
            told.push(asked(&fixture, &ledger, "HK", &second).await);
        }
        assert!(told[0].1, "{second}: {told:?}");
        assert!(told.iter().all(|other| other == &told[0]), "{second}: {told:?}");
    }
}

/// Another statistic of a population that is asked for in the same words, over the same state of the sources.
#[tokio::test]
async fn the_very_same_population_can_be_asked_for_more() {
    let fixture = world(one_more);
    let by_place = |select: &str| of(&format!("place, {select}")) + " GROUP BY place";
    let alone = asked(&fixture, &InMemory::new(1000), "HK", &by_place("sum(paid), stddev(paid), avg(paid)")).await;
    let ledger = InMemory::new(1000);
    let mut found: Vec<Vec<String>> = Vec::new();
    for select in ["sum(paid)", "stddev(paid)", "avg(paid)"] {
        let (rows, _) = asked(&fixture, &ledger, "HK", &by_place(select)).await;
        rows.into_iter().enumerate().for_each(|(index, row)| match found.get_mut(index) {
            Some(known) => known.extend(row.into_iter().skip(1)),
            None => found.push(row),
        });
    }
    assert_eq!(found, alone.0);
    // How many rows there are was asked in other words, which might hold for others too: nobody knows by this that they do not.
    let counted = InMemory::new(1000);
    for select in ["count(*)", "sum(paid)"] {
        asked(&fixture, &counted, "HK", &by_place(select)).await;
    }
    let (rows, _) = asked(&fixture, &counted, "HK", &by_place("stddev(paid)")).await;
    assert_eq!(rows, [["p1", "-"], ["p2", "-"]]);
    // In other words, that hold for the same rows, it is as where a few differ.
    let (rows, _) =
        asked(&fixture, &ledger, "HK", &(of("place, var_pop(paid)") + " WHERE kind < 10 GROUP BY place")).await;
    assert_eq!(rows, [["p1", "-"], ["p2", "-"]]);
    // So it is once the sources have changed, whether anybody in the cell has or not.
    for kind in [8, 9] {
        let changed = world(|visits| {
            one_more(visits);
            visits.push(Visit { kind, ..visit(98, 7, 10) });
        });
        let (rows, _) = asked(&changed, &ledger, "HK", &by_place("var_pop(paid)")).await;
        assert_eq!(rows, [["p1", "-"], ["p2", "-"]]);
    }
}

#[tokio::test]
async fn what_has_nothing_in_common_with_what_was_released_is_released() {
    let fixture = world(one_more);
    let ledger = InMemory::new(1000);
    let counts = asked(&fixture, &ledger, "HK", &of("count(*)")).await;
    assert_eq!(counts, (vec![vec!["81".to_owned()]], false));
    // The sum by itself; the number of its values is that of the rows.
    let (rows, marked) = asked(&fixture, &ledger, "HK", &of("sum(paid), count(paid)")).await;
    assert_eq!((rows, marked), (vec![vec!["1000803".to_owned(), "81".to_owned()]], true));
    // Populations that differ by k and more.
    let (rows, marked) = asked(&fixture, &ledger, "HK", &(of("sum(paid), count(*)") + " WHERE kind < 3")).await;
    assert_eq!((rows, marked), (vec![vec!["600".to_owned(), "60".to_owned()]], false));
    let (rows, marked) = asked(&fixture, &ledger, "HK", &(of("kind, count(*)") + " GROUP BY kind")).await;
    assert_eq!((rows.len(), marked), (4, false));
}

#[tokio::test]
async fn values_of_a_group_stand_and_fall_together() {
    let fixture = world(one_more);
    let ledger = InMemory::new(1000);
    asked(&fixture, &ledger, "HK", &of("count(*)")).await;
    let (rows, marked) =
        asked(&fixture, &ledger, "HK", &of("place, count(*), count(DISTINCT unit)").replace("place, ", "")).await;
    assert_eq!((rows, marked), (vec![vec!["-".to_owned(), "-".to_owned()]], true));
}

#[tokio::test]
async fn a_full_ledger_releases_nothing_new_and_what_was_released_again() {
    let fixture = world(|_| ());
    let ledger = InMemory::new(2);
    let first = of("place, count(*)") + " GROUP BY place";
    let (rows, marked) = asked(&fixture, &ledger, "HK", &first).await;
    assert!(rows.iter().all(|row| row[1] == "40") && !marked, "{rows:?}");
    let (rows, marked) = asked(&fixture, &ledger, "HK", &of("count(*)")).await;
    assert_eq!((rows, marked), (vec![vec!["-".to_owned()]], true));
    let (rows, marked) = asked(&fixture, &ledger, "HK", &first).await;
    assert!(rows.iter().all(|row| row[1] == "40") && marked, "{rows:?}");
}

/// A record that was corrected is a change of one unit, whatever else is the same.
#[tokio::test]
async fn a_corrected_record_changes_nothing_until_enough_have_changed() {
    let ledger = InMemory::new(1000);
    let sum = of("sum(paid)");
    let before = asked(&world(|_| ()), &ledger, "HK", &sum).await;
    assert_eq!(before, (vec![vec!["800".to_owned()]], false));
    let few = world(|visits| visits.iter_mut().take(4).for_each(|visit| visit.paid = Some(11)));
    assert_eq!(asked(&few, &ledger, "HK", &sum).await, (vec![vec!["800".to_owned()]], true));
    let more = world(|visits| visits.iter_mut().take(12).for_each(|visit| visit.paid = Some(11)));
    assert_eq!(asked(&more, &ledger, "HK", &sum).await, (vec![vec!["812".to_owned()]], false));
}
