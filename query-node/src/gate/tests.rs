//! The gate's strategies against a plain count of distinct units, on random data.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::array::{ArrayRef, AsArray, Int32Array, Int64Array, RecordBatch, StringArray, StringViewArray};
use arrow::datatypes::Int64Type;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use wanqu_crds::bundle::{BadRecords, Slice, SourceFormat};
use wanqu_crds::names::SqlName;

use super::output::{Bounds, Cells};
use super::passes::{Outcome, Passes};
use super::thread::Prefix;
use super::{gated, layout};
use crate::admission::{Judged, Shape, aggregate_of, judge};
use crate::engine::fixture::{Fixture, rule};
use crate::engine::{Engine, RemotePublic};
use crate::fragment::BatchStream;
use crate::refusal::{Code, Refusal};

const BOUNDS: Bounds = Bounds { rows: 1_000_000, bytes: 1 << 30 };

/// A row of the visits: whose, where, which, how much.
#[derive(Debug, Clone)]
struct Visit {
    unit: Option<u32>,
    place: Option<u32>,
    kind: i32,
    paid: Option<i64>,
}

/// A row of the registry.
#[derive(Debug, Clone)]
struct Person {
    unit: Option<u32>,
    sex: Option<u32>,
}

fn name(prefix: &str, number: Option<u32>) -> Option<String> {
    number.map(|n| format!("{prefix}{n}"))
}

fn visits(rng: &mut StdRng, rows: usize, units: u32, places: u32) -> Vec<Visit> {
    (0..rows)
        .map(|_| {
            // Some places are crowded, some nearly empty.
            let place = rng.random_range(0..places).min(rng.random_range(0..places));
            Visit {
                unit: (!rng.random_ratio(1, 50)).then(|| rng.random_range(0..units)),
                place: (place > 0).then_some(place),
                kind: rng.random_range(0..3),
                paid: (!rng.random_ratio(1, 8)).then(|| rng.random_range(0..100)),
            }
        })
        .collect()
}

fn people(rng: &mut StdRng, units: u32) -> Vec<Person> {
    // Half of them are registered, some twice.
    (0..units * 2 / 3)
        .map(|_| Person {
            unit: (!rng.random_ratio(1, 30)).then(|| rng.random_range(0..units)),
            sex: (!rng.random_ratio(1, 10)).then(|| rng.random_range(0..4_u32).min(rng.random_range(0..4))),
        })
        .collect()
}

fn fixture(visits: &[Visit], people: &[Person], min_units: u32, rounding: u32) -> Fixture {
    let mut fixture = Fixture::new();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("unit", Arc::new(visits.iter().map(|v| name("u", v.unit)).collect::<StringArray>())),
        ("place", Arc::new(visits.iter().map(|v| name("p", v.place)).collect::<StringArray>())),
        ("kind", Arc::new(visits.iter().map(|v| v.kind).collect::<Int32Array>())),
        ("paid", Arc::new(visits.iter().map(|v| v.paid).collect::<Int64Array>())),
    ];
    fixture.write_parquet("visits.parquet", &RecordBatch::try_from_iter(columns).unwrap());
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("unit", Arc::new(people.iter().map(|p| name("u", p.unit)).collect::<StringArray>())),
        ("sex", Arc::new(people.iter().map(|p| name("s", p.sex)).collect::<StringArray>())),
    ];
    fixture.write_parquet("people.parquet", &RecordBatch::try_from_iter(columns).unwrap());
    fixture.dataset(
        "visits",
        "visits.parquet",
        SourceFormat::Parquet,
        "unit: string identifier; place: string dimension; kind: int32 dimension; paid: int64 measure",
        rule(min_units, rounding),
    );
    fixture.dataset(
        "people",
        "people.parquet",
        SourceFormat::Parquet,
        "unit: string identifier; sex: string dimension",
        rule(min_units, rounding),
    );
    fixture
}

fn judged(fixture: &Fixture, sql: &str) -> Judged {
    let plan = fixture.catalog().plan(sql, 10_000).unwrap();
    judge(plan, &fixture.bundle.jurisdiction).verdict.unwrap_or_else(|refusal| panic!("{sql}: {refusal}"))
}

/// How a query is decided.
#[derive(Debug, Clone, Copy)]
enum Way {
    Inline,
    /// Conditions are expected to be met everywhere, whether they are or not.
    InlineByRows,
    Probe(usize),
    Rows(u64),
    Parted,
}

/// The released rows as text, in their order, and the suppressed cells.
type Released = (Vec<Vec<String>>, u64, u64);

async fn run(fixture: &Fixture, engine: &Engine, sql: &str, way: Way) -> Released {
    let judged = judged(fixture, sql);
    let Shape::Gated(shape) = judged.shape() else { panic!("{sql} is public") };
    let aggregate = aggregate_of(judged.plan()).unwrap();
    let layout = layout(aggregate, shape).unwrap();
    let run = engine.start().unwrap();
    let passes = Passes { run: &run, aggregate, shape, layout: &layout };
    let cells = Cells::new(BOUNDS);
    let outcome = match way {
        Way::Inline => passes.inline(cells, &[]).await,
        Way::InlineByRows => passes.inline(cells, &vec![true; shape.conditions.len()]).await,
        Way::Rows(most) => passes.rows(cells, most).await,
        Way::Parted => passes.parted(cells).await,
        Way::Probe(rows) => {
            let probe = passes.probe(Prefix { leaf: 0, rows: rows * 2 }, rows).await.unwrap();
            passes.main(cells, &probe).await
        }
    };
    let Outcome { cells, suppressed } = outcome.unwrap();
    let (_, batches) = cells.finish(&layout, judged.plan(), run.state()).unwrap();
    (text(&batches), suppressed.exact(), suppressed.public())
}

fn text(batches: &[RecordBatch]) -> Vec<Vec<String>> {
    let options = FormatOptions::default().with_null("-");
    let mut rows = Vec::new();
    for batch in batches {
        let columns: Vec<_> =
            batch.columns().iter().map(|c| ArrayFormatter::try_new(c.as_ref(), &options).unwrap()).collect();
        rows.extend((0..batch.num_rows()).map(|r| columns.iter().map(|c| c.value(r).to_string()).collect()));
    }
    rows
}

/// Whose a record is; `None` if it does not say.
#[derive(Debug, Clone, Copy)]
struct Whose(Option<u32>);

/// One row at the aggregate's input, as the oracle sees it.
struct Seen {
    key: Vec<String>,
    /// For each input: the record that is in the row, if an outer join found one.
    units: Vec<Option<Whose>>,
    padded: Vec<bool>,
    /// For each condition whose units are counted: whether the row is one of them.
    conditions: Vec<bool>,
}

/// Counts distinct units plainly. The keys that are released with their number of rows, and how many are not.
fn oracle(rows: &[Seen], k: usize) -> (BTreeMap<Vec<String>, usize>, u64) {
    let mut groups: BTreeMap<&[String], Vec<&Seen>> = BTreeMap::new();
    for row in rows {
        groups.entry(&row.key).or_default().push(row);
    }
    let mut released = BTreeMap::new();
    let mut kept_back = 0;
    for (key, rows) in groups {
        let first = rows[0];
        // The number of units, and whether there is any record at all.
        let count = |input: usize, of: &dyn Fn(&Seen) -> bool| {
            let found: Vec<Option<u32>> =
                rows.iter().filter(|r| of(r)).filter_map(|r| r.units[input]).map(|w| w.0).collect();
            (found.iter().flatten().collect::<BTreeSet<_>>().len(), !found.is_empty())
        };
        let none_or_enough = |(units, any): (usize, bool)| !any || units >= k;
        let inputs: Vec<usize> = (0..first.units.len()).collect();
        let passes = inputs.iter().all(|&i| {
            let all = count(i, &|_| true);
            (if first.padded[i] { none_or_enough(all) } else { all.0 >= k })
                && (0..first.conditions.len()).all(|c| none_or_enough(count(i, &|row: &Seen| row.conditions[c])))
        }) && inputs.iter().any(|&i| count(i, &|_| true).0 >= k);
        if passes {
            released.insert(key.to_vec(), rows.len());
        } else {
            kept_back += 1;
        }
    }
    (released, kept_back)
}

fn text_of(prefix: &str, number: Option<u32>) -> String {
    name(prefix, number).unwrap_or_else(|| "-".to_owned())
}

fn seen_visits(
    visits: &[Visit],
    key: impl Fn(&Visit) -> Vec<String>,
    conditions: impl Fn(&Visit) -> Vec<bool>,
) -> Vec<Seen> {
    let seen =
        |v| Seen { key: key(v), units: vec![Some(Whose(v.unit))], padded: vec![false], conditions: conditions(v) };
    visits.iter().map(seen).collect()
}

/// The last column of the queries is `count(*)`.
fn expect(found: &Released, rows: &[Seen], k: usize, what: &str) {
    let (released, kept_back) = oracle(rows, k);
    let keys = rows.first().map_or(0, |row| row.key.len());
    let cells: BTreeMap<Vec<String>, usize> =
        found.0.iter().map(|row| (row[..keys].to_vec(), row.last().unwrap().parse().unwrap())).collect();
    assert_eq!(cells.len(), found.0.len(), "{what}: a key comes twice");
    assert_eq!(cells, released, "{what}");
    assert_eq!(found.1, kept_back, "{what}: suppressed");
    assert!(found.2 <= found.1 && found.2.is_multiple_of(5), "{what}");
}

#[tokio::test]
async fn every_strategy_agrees_with_a_plain_count_of_units() {
    let mut rng = StdRng::seed_from_u64(7);
    for (k, rows, units, places) in
        [(2, 300, 40, 60), (3, 2000, 300, 200), (5, 3000, 20, 12), (10, 20_000, 900, 40), (20, 9000, 400, 300)]
    {
        let visits = visits(&mut rng, rows, units, places);
        let fixture = fixture(&visits, &[], k, 1);
        let engine = fixture.engine().unwrap();
        let place = |v: &Visit| vec![text_of("p", v.place)];
        let both = |v: &Visit| vec![text_of("p", v.place), v.kind.to_string()];
        let none = |_: &Visit| Vec::new();
        let queries: Vec<(&str, Vec<Seen>)> = vec![
            ("SELECT place, count(*) FROM shenzhen.d.visits GROUP BY place", seen_visits(&visits, place, none)),
            (
                "SELECT place, kind, count(*) FROM shenzhen.d.visits GROUP BY place, kind",
                seen_visits(&visits, both, none),
            ),
            ("SELECT count(*) FROM shenzhen.d.visits", seen_visits(&visits, |_| vec![], none)),
            (
                "SELECT place, sum(paid), count(*) FROM shenzhen.d.visits GROUP BY place",
                seen_visits(&visits, place, |v| vec![v.paid.is_some()]),
            ),
            (
                "SELECT place, count(*) FILTER (WHERE kind = 1), count(*) FROM shenzhen.d.visits GROUP BY place",
                seen_visits(&visits, place, |v| vec![v.kind == 1, v.kind != 1]),
            ),
        ];
        for (sql, seen) in &queries {
            let inline = run(&fixture, &engine, sql, Way::Inline).await;
            expect(&inline, seen, k as usize, sql);
            let most = units_rows(&visits);
            for way in
                [Way::Parted, Way::InlineByRows, Way::Probe(1), Way::Probe(100), Way::Probe(1500), Way::Probe(100_000)]
            {
                assert_eq!(run(&fixture, &engine, sql, way).await, inline, "{sql} by {way:?}");
            }
            if seen[0].conditions.is_empty() {
                let by_rows = run(&fixture, &engine, sql, Way::Rows(most)).await;
                assert_eq!((&by_rows.0, by_rows.1), (&inline.0, inline.1), "{sql} by rows");
                assert!(by_rows.2 <= inline.2);
            }
        }
    }
}

#[tokio::test]
async fn conditions_divide_a_cell_into_parts_that_are_none_or_enough() {
    let mut rng = StdRng::seed_from_u64(13);
    let mut withheld = 0;
    for (k, rows, units, places) in [(2, 400, 40, 30), (3, 2000, 300, 60), (5, 3000, 50, 20), (10, 20_000, 900, 40)] {
        let visits = visits(&mut rng, rows, units, places);
        let fixture = fixture(&visits, &[], k, 1);
        let engine = fixture.engine().unwrap();
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
async fn no_sum_of_totals_is_one_person() {
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
        let engine = fixture.engine().unwrap();
        for (kind, pads_people, pads_visits) in
            [("JOIN", false, false), ("LEFT JOIN", true, false), ("RIGHT JOIN", false, true), ("FULL JOIN", true, true)]
        {
            let mut seen = Vec::new();
            let mut add = |v: Option<&Visit>, p: Option<&Person>| {
                let key = vec![text_of("p", v.and_then(|v| v.place)), text_of("s", p.and_then(|p| p.sex))];
                let units = vec![v.map(|v| Whose(v.unit)), p.map(|p| Whose(p.unit))];
                seen.push(Seen { key, units, padded: vec![pads_visits, pads_people], conditions: vec![] });
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
            expect(&inline, &seen, k as usize, &sql);
            if !pads_visits {
                for way in [Way::Probe(50), Way::Probe(700)] {
                    assert_eq!(run(&fixture, &engine, &sql, way).await, inline, "{sql} by {way:?}");
                }
            }
        }
    }
}

async fn release(fixture: &Fixture, sql: &str) -> Result<Released, Refusal> {
    let judged = judged(fixture, sql);
    let Shape::Gated(shape) = judged.shape() else { panic!("{sql} is public") };
    let engine = fixture.engine().unwrap();
    let release = gated(judged.plan(), shape, &engine, 1000).await?;
    let account = release.account().clone();
    let (batches, report) = release
        .audited("CN-SZ".parse().unwrap(), |_| {
            Box::pin(async { Ok(super::AuditReference { sequence: 1, digest: String::new() }) })
        })
        .into_parts();
    let batches: Vec<RecordBatch> = batches.try_collect().await?;
    let report = report.await?;
    let rows = text(&batches);
    assert_eq!(report.rows, rows.len() as u64);
    assert_eq!(report.suppressed_cells, account.suppressed_public);
    Ok((rows, account.suppressed_exact, report.suppressed_cells.unwrap()))
}

fn visit(unit: u32, place: u32, paid: i64) -> Visit {
    Visit { unit: Some(unit), place: Some(place), kind: 0, paid: Some(paid) }
}

#[tokio::test]
async fn nobody_and_a_few_look_alike() {
    let few: Vec<Visit> = (0..4).map(|u| visit(u, 1, 10)).collect();
    let mut fixture = fixture(&few, &[], 5, 1);
    for sql in [
        "SELECT count(*), sum(paid) FROM shenzhen.d.visits",
        "SELECT count(*), sum(paid) FROM shenzhen.d.visits WHERE place = 'nowhere'",
        "SELECT place, count(*) FROM shenzhen.d.visits GROUP BY place",
        "SELECT place, count(*) FROM shenzhen.d.visits WHERE kind = 9 GROUP BY place",
    ] {
        let (rows, _, told) = release(&fixture, sql).await.unwrap();
        assert_eq!((rows.len(), told), (0, 0), "{sql}");
    }
    fixture.bundle.slices[0].policy.publish_zeros = true;
    let nobody = "SELECT count(*), sum(paid) FROM shenzhen.d.visits WHERE place = 'nowhere'";
    assert_eq!(release(&fixture, nobody).await.unwrap().0, [["0", "-"]]);
    let (rows, ..) = release(&fixture, "SELECT count(*) FROM shenzhen.d.visits").await.unwrap();
    assert!(rows.is_empty(), "a few are not nobody");
    // A policy of one unit releases everything.
    fixture.bundle.slices[0].policy = rule(1, 1);
    assert_eq!(release(&fixture, nobody).await.unwrap().0, [["0", "-"]]);
}

#[tokio::test]
async fn counts_are_rounded_and_sums_scaled_behind_the_projection() {
    let visits: Vec<Visit> = (0..13).map(|u| visit(u, 1, 10)).chain((0..3).map(|u| visit(u, 2, 7))).collect();
    let fixture = fixture(&visits, &[], 5, 5);
    let sql = "SELECT sum(paid) AS s, count(paid) AS n, avg(paid) AS a, place AS p, count(DISTINCT unit) AS u FROM shenzhen.d.visits GROUP BY place";
    let (rows, exact, told) = release(&fixture, sql).await.unwrap();
    assert_eq!(rows, [["150", "15", "10.0", "p1", "15"]]);
    assert_eq!((exact, told), (1, 0));
}

#[tokio::test]
async fn rows_leave_in_the_order_of_their_keys() {
    let visits: Vec<Visit> = [9, 3, 7, 1].iter().flat_map(|p| (0..5).map(|u| visit(u, *p, 1))).collect();
    let fixture = fixture(&visits, &[], 5, 1);
    let (rows, ..) = release(&fixture, "SELECT count(*), place FROM shenzhen.d.visits GROUP BY place").await.unwrap();
    let places: Vec<&str> = rows.iter().map(|row| row[1].as_str()).collect();
    assert_eq!(places, ["p1", "p3", "p7", "p9"]);
    let distinct = release(&fixture, "SELECT DISTINCT place FROM shenzhen.d.visits").await.unwrap();
    assert_eq!(distinct.0.len(), 4);
}

#[tokio::test]
async fn a_release_has_limits_and_a_failure_has_no_values() {
    let visits: Vec<Visit> = (0..1001).flat_map(|p| [visit(1, p, 1), visit(2, p, 1)]).collect();
    let fixture = fixture(&visits, &[], 2, 1);
    let refusal = release(&fixture, "SELECT place, count(*) FROM shenzhen.d.visits GROUP BY place").await.unwrap_err();
    assert_eq!(refusal.code, Code::Limit);
    let mut fixture = Fixture::new();
    fixture.write("v.csv", "unit,n\nu1,1\nu2,CANARY\n");
    fixture.dataset("v", "v.csv", SourceFormat::Csv, "unit: string identifier; n: int64 measure", rule(2, 1));
    let refusal = release(&fixture, "SELECT sum(n) FROM shenzhen.d.v").await.unwrap_err();
    assert_eq!(refusal.code, Code::Source);
    assert!(!serde_json::to_string(&refusal).unwrap().contains("CANARY"));
    fixture.bundle.sources[0].bad_records = BadRecords::Skip;
    let (rows, ..) = release(&fixture, "SELECT count(n), sum(n) FROM shenzhen.d.v").await.unwrap();
    assert!(rows.is_empty(), "the record that was left out counts for nobody");
}

#[tokio::test]
async fn a_hidden_column_is_never_released() {
    let visits: Vec<Visit> = (0..50).map(|u| visit(u, 1, 1)).collect();
    let fixture = fixture(&visits, &[], 5, 3);
    let judged = judged(&fixture, "SELECT place, sum(paid) FROM shenzhen.d.visits GROUP BY place");
    let Shape::Gated(shape) = judged.shape() else { panic!("public") };
    let release = gated(judged.plan(), shape, &fixture.engine().unwrap(), 10).await.unwrap();
    let schema = release.schema();
    let names: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
    assert_eq!(names.len(), 2);
    assert!(names.iter().all(|name| !name.contains("__")), "{names:?}");
    let (mut batches, _) = release
        .audited("CN-SZ".parse().unwrap(), |_| Box::pin(async { unreachable!("the stream is not read to its end") }))
        .into_parts();
    let batch = batches.try_next().await.unwrap().unwrap();
    assert_eq!(batch.schema(), schema);
    assert_eq!(batch.column(1).as_primitive::<Int64Type>().value(0), 51);
}

/// Another member, whose public table is fetched while the owner's own file changes the first few times.
#[derive(Debug)]
struct Meddling {
    fetches: AtomicUsize,
    file: PathBuf,
    changes: usize,
}

#[async_trait]
impl RemotePublic for Meddling {
    async fn fetch(&self, _: &Slice, columns: &[SqlName], _: &[String]) -> Result<BatchStream, Refusal> {
        let fetch = self.fetches.fetch_add(1, Ordering::SeqCst);
        if fetch < self.changes {
            let mut text = std::fs::read_to_string(&self.file).unwrap();
            text.push_str("u900,p1\n");
            std::fs::write(&self.file, text).unwrap();
        }
        assert_eq!(columns.iter().map(SqlName::as_str).collect::<Vec<_>>(), ["code", "region"]);
        // A member that answers otherwise the second time must not be asked twice within one attempt.
        let codes = StringViewArray::from(vec!["p1", "p2"]);
        let regions = StringViewArray::from(vec![if fetch.is_multiple_of(2) { "north" } else { "south" }; 2]);
        let columns: Vec<(&str, ArrayRef)> = vec![("code", Arc::new(codes)), ("region", Arc::new(regions))];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        Ok(futures::stream::iter([Ok(batch)]).boxed())
    }
}

#[tokio::test]
async fn all_passes_see_one_state_of_every_source() {
    for (changes, expected) in [(0, Ok("north")), (1, Ok("south")), (2, Err(Code::Source))] {
        let mut fixture = Fixture::new();
        let rows: Vec<String> = (0..40).map(|u| format!("u{u},p{}", u % 2 + 1)).collect();
        fixture.write("v.csv", format!("unit,place\n{}\n", rows.join("\n")));
        fixture.dataset(
            "v",
            "v.csv",
            SourceFormat::Csv,
            "unit: string identifier; place: string dimension",
            rule(5, 1),
        );
        fixture.foreign("codes", "code: string public; region: string public");
        let file = fixture.dir.path().join("v.csv");
        let remote = Arc::new(Meddling { fetches: AtomicUsize::new(0), file, changes });
        let engine = Engine::open(&fixture.bundle, Arc::<Meddling>::clone(&remote)).unwrap();
        let sql = "SELECT c.region, count(*) FROM shenzhen.d.v v JOIN hongkong.d.codes c ON v.place = c.code GROUP BY c.region";
        let judged = judged(&fixture, sql);
        let Shape::Gated(shape) = judged.shape() else { panic!("public") };
        let result = gated(judged.plan(), shape, &engine, 10).await;
        assert_eq!(remote.fetches.load(Ordering::SeqCst), changes.min(1) + 1, "one fetch for each attempt");
        match (result, expected) {
            (Ok(release), Ok(region)) => {
                let (batches, _) =
                    release.audited("CN-SZ".parse().unwrap(), |_| Box::pin(async { panic!() })).into_parts();
                let batches: Vec<RecordBatch> = batches.try_collect().await.unwrap();
                assert_eq!(text(&batches)[0][0], region);
            }
            (Err(refusal), Err(code)) => assert_eq!(refusal.code, code),
            (result, expected) => panic!("{changes} changes: {:?} where {expected:?} was expected", result.map(|_| ())),
        }
    }
}
