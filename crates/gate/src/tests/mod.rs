//! The gate's strategies against a plain count of distinct units, on random data, and what a release is.

mod conditions;
mod ledger;
mod memory;
mod oracle;
mod releases;
mod rounding;
mod spread;
mod strategies;

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray};
use futures::TryStreamExt;
use jiff::Timestamp;
use rand::Rng;
use rand::rngs::StdRng;
use wanqu_fixtures::bundle::rule;
use wanqu_fixtures::rows::texts;
use wanqu_model::refusal::Refusal;
use wanqu_rules::admission::{Judged, Shape, aggregate_of, judge};

use super::output::{Bounds, Cells};
use super::passes::{Outcome, Passes};
use super::spread::Spreads;
use super::thread::{Prefix, thread};
use super::{Desk, NoLedger, gated, layout};
use crate::engine::Engine as _;
use memory::{Fixture, Memory};

const BOUNDS: Bounds = Bounds { rows: 1_000_000, bytes: 1 << 30, memory: 1 << 30 };

/// A row of the visits.
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
    fixture.dataset(
        "visits",
        RecordBatch::try_from_iter(columns).unwrap(),
        "unit: string identifier; place: string dimension; kind: int32 dimension; paid: int64 measure",
        rule(min_units, rounding),
    );
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("unit", Arc::new(people.iter().map(|p| name("u", p.unit)).collect::<StringArray>())),
        ("sex", Arc::new(people.iter().map(|p| name("s", p.sex)).collect::<StringArray>())),
    ];
    fixture.dataset(
        "people",
        RecordBatch::try_from_iter(columns).unwrap(),
        "unit: string identifier; sex: string dimension",
        rule(min_units, rounding),
    );
    // Admission believes the custodian; the gate has to count right even if some are registered twice.
    fixture.bundle.slices[1].one_row_per_unit = true;
    fixture
}

fn judged(fixture: &Fixture, sql: &str) -> Judged {
    let plan = fixture.catalog().plan(sql, 10_000).unwrap();
    judge(plan, &fixture.bundle.jurisdiction).verdict.unwrap_or_else(|refusal| panic!("{sql}: {refusal}"))
}

/// Strategy by which a query is decided.
#[derive(Debug, Clone, Copy)]
enum Way {
    Inline,
    /// In one pass that expects every condition to be met everywhere.
    InlineByRows,
    Probe(usize),
    Rows(u64),
    Parted,
}

/// The released rows as text, in their order, and the number of suppressed cells.
type Released = (Vec<Vec<String>>, u64);

async fn run(fixture: &Fixture, engine: &Memory, sql: &str, way: Way) -> Released {
    let judged = judged(fixture, sql);
    let Shape::Gated(shape) = judged.shape() else { panic!("{sql} is public") };
    let aggregate = aggregate_of(judged.plan()).unwrap();
    let run = engine.start(Timestamp::MAX).unwrap();
    let threaded = thread(run.as_ref(), &aggregate.input, None, None).unwrap();
    let layout = layout(aggregate, shape, vec![], Spreads::new(shape, &threaded).unwrap()).unwrap();
    let passes = Passes { run: run.as_ref(), aggregate, shape, layout: &layout, key: None };
    let cells = Cells::new(BOUNDS, &run.state().runtime_env().memory_pool);
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
    let suppressed = suppressed + cells.unfit();
    let (_, batches) = cells.finish(&layout, judged.plan(), run.state()).unwrap();
    (texts(&batches), suppressed)
}

fn desk(engine: &Memory) -> Desk<'_> {
    Desk { engine, ledger: &NoLedger, circle: "HK" }
}

async fn release(fixture: &Fixture, sql: &str) -> Result<Released, Refusal> {
    let judged = judged(fixture, sql);
    let Shape::Gated(shape) = judged.shape() else { panic!("{sql} is public") };
    let engine = fixture.engine();
    let bounds = Bounds { rows: 1000, ..BOUNDS };
    let release = gated(judged.plan(), shape, desk(&engine), bounds, Timestamp::MAX).await?;
    let account = release.account().clone();
    let (batches, report) = release
        .audited("CN-SZ".parse().unwrap(), |_| {
            Box::pin(async { Ok(super::AuditReference { sequence: 1, digest: String::new() }.into()) })
        })
        .into_parts();
    let batches: Vec<RecordBatch> = batches.try_collect().await?;
    let report = report.await?;
    let rows = texts(&batches);
    assert_eq!(report.rows, rows.len() as u64);
    Ok((rows, account.suppressed))
}

fn visit(unit: u32, place: u32, paid: i64) -> Visit {
    Visit { unit: Some(unit), place: Some(place), kind: 0, paid: Some(paid) }
}
