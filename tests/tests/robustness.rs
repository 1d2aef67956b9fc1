//! Bad input, slow and dying owners, questions that are given up: one clear refusal each, and nothing else breaks.

#![allow(clippy::format_collect, reason = "plain is better in a test")]

use std::fs;
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::future::join_all;
use query_node::audit::{self, Entry, Filter};
use wanqu_model::answer::{Event, Question};
use wanqu_model::refusal::{Code, Refusal};
use wanqu_tests::federation::{Answered, Federation, HONG_KONG, MACAU, SHENZHEN, ask, jid, question};
use wanqu_tests::health::HealthOptions;
use wanqu_tests::tpch;
use wanqu_tests::world::World;

fn world() -> World {
    World::health(1, HealthOptions::default()).unwrap()
}

fn code(answer: Result<Answered, Refusal>) -> Code {
    answer.unwrap_err().code
}

const SHENZHEN_VISITS: &str = "SELECT count(*) AS n FROM shenzhen.health.visits";
const ALL_VISITS: &str = "SELECT jurisdiction, count(*) AS n FROM gba.health.visits GROUP BY jurisdiction";

/// What is done to a file, and the query that reads it.
type Damage = (&'static str, &'static str, &'static str, fn(Vec<u8>) -> Vec<u8>);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_that_cannot_be_read() {
    let damages: [Damage; 6] = [
        ("truncated Parquet", "shenzhen/visits.parquet", SHENZHEN_VISITS, |b| b[..b.len() / 2].to_vec()),
        ("no Parquet at all", "shenzhen/visits.parquet", SHENZHEN_VISITS, |_| b"visit_no,resident_id\n1,2\n".to_vec()),
        ("an empty Parquet file", "shenzhen/visits.parquet", SHENZHEN_VISITS, |_| Vec::new()),
        (
            "invalid UTF-8 in CSV",
            "hongkong/visits.csv",
            "SELECT specialty, count(*) AS n FROM hongkong.health.visits GROUP BY specialty",
            |b| {
                let at = b.windows(4).position(|w| w == b",CAR").unwrap();
                [&b[..=at], &[0xff, 0xfe][..], &b[at + 1..]].concat()
            },
        ),
        (
            "a number that is none in CSV",
            "hongkong/visits.csv",
            "SELECT sum(los) AS n FROM hongkong.health.visits",
            |b| {
                let mut lines: Vec<&[u8]> = b.split(|byte| *byte == b'\n').collect();
                let bad = b"1,X,2018-01-01,2018-01-01T00:00:00,CAR,I10,true,10.00,many,1.0,HK-00,note".as_slice();
                lines.insert(1, bad);
                lines.join(&b'\n')
            },
        ),
        (
            "a line that is no JSON",
            "macau/visits.ndjson",
            "SELECT servico, count(*) AS n FROM macau.health.visits GROUP BY servico",
            |b| [b"{\"bir\": \"MO1\", \n".as_slice(), &b].concat(),
        ),
    ];
    for (name, file, sql, damage) in damages {
        let world = world();
        let path = world.file(file);
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, damage(bytes)).unwrap();
        let federation = Federation::start(world).await.unwrap();
        let refusal = federation.ask(HONG_KONG, sql).await.unwrap_err();
        assert_eq!(refusal.code, Code::Source, "{name}: {refusal}");
        let other = "SELECT line, count(*) AS n FROM shenzhen.transit.trips GROUP BY line";
        federation.ask(HONG_KONG, other).await.unwrap_or_else(|e| panic!("{name}: the rest is hurt: {e}"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_that_cannot_be_read_are_left_out_where_the_manifest_says_so() {
    let skip = |text: String| {
        text.replace("path: visits.ndjson, format: ndjson", "path: visits.ndjson, format: ndjson, badRecords: skip")
    };
    let sql = "SELECT count(*) AS n FROM macau.health.visits";
    let whole = Federation::start(world()).await.unwrap().ask(HONG_KONG, sql).await.unwrap().rows.rows;
    let world = World::health_with(1, HealthOptions::default(), skip).unwrap();
    let path = world.file("macau/visits.ndjson");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{{\"bir\": \n{text}this is no JSON\n")).unwrap();
    let federation = Federation::start(world).await.unwrap();
    assert_eq!(federation.ask(HONG_KONG, sql).await.unwrap().rows.rows, whole);
    // The owner's log says how many.
    let log = audit::read(federation.local.audit(&jid(MACAU)).unwrap(), &Filter::default()).unwrap();
    let skipped = log.iter().find_map(|record| match &record.entry {
        Entry::Released { skipped_records, .. } => Some(*skipped_records),
        _ => None,
    });
    assert_eq!(skipped, Some(2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn texts_that_are_too_much() {
    let federation = Federation::start(world()).await.unwrap();
    let long = format!("SELECT count(*) AS n FROM gba.health.visits WHERE diagnosis = '{}'", "x".repeat(1 << 20));
    assert_eq!(code(federation.ask(MACAU, &long).await), Code::Limit);
    let list: Vec<String> = (0..100_000).map(|n| format!("'{n}'")).collect();
    let list = format!("SELECT count(*) AS n FROM gba.health.visits WHERE diagnosis IN ({})", list.join(","));
    assert_eq!(code(federation.ask(MACAU, &list).await), Code::Limit);
    let texts = [
        format!("SELECT {}1{} AS x", "(".repeat(10_000), ")".repeat(10_000)),
        format!("SELECT {}1 AS x", "- ".repeat(10_000)),
        format!("SELECT 1{} AS x", "+1".repeat(20_000)),
        format!("SELECT count(*) AS n FROM gba.health.facilities WHERE {}true", "NOT ".repeat(10_000)),
        format!("SELECT count(*) AS n FROM gba.health.facilities WHERE true{}", " OR beds = 1".repeat(10_000)),
        format!("{}SELECT 1 AS x{}", "SELECT * FROM (".repeat(2_000), ") t".repeat(2_000)),
        format!("SELECT 1 AS x{}", " UNION ALL SELECT 1".repeat(10_000)),
        format!("SELECT 1 AS x{}", " UNION ALL SELECT 1".repeat(100)),
        format!("SELECT count(*) AS n FROM gba.air.hourly{}", ", gba.air.hourly".repeat(5_000)),
        format!("SELECT count(*) AS n FROM gba.air.hourly a{}", " NATURAL JOIN gba.air.hourly".repeat(5_000)),
        format!(
            "WITH c0 AS (SELECT 1 AS x){} SELECT * FROM c2000",
            (1..=2_000).map(|n| format!(", c{n} AS (SELECT * FROM c{})", n - 1)).collect::<String>()
        ),
    ];
    for text in texts {
        let start: String = text.chars().take(60).collect();
        let answer = federation.ask(MACAU, &text).await;
        if let Err(refusal) = answer {
            let fine = [Code::InvalidSql, Code::Limit, Code::FunctionNotAllowed].contains(&refusal.code);
            assert!(fine, "{start}: {refusal}");
        }
        // The node still lives.
        federation.ask(MACAU, "SELECT 1 AS one").await.unwrap_or_else(|e| panic!("after {start}: {e}"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_that_is_missing() {
    let mut federation = Federation::start(world()).await.unwrap();
    federation.ask(HONG_KONG, ALL_VISITS).await.unwrap();
    federation.local.kill(&jid(MACAU)).unwrap();
    let refusal = federation.ask(HONG_KONG, ALL_VISITS).await.unwrap_err();
    assert_eq!((refusal.code, refusal.owner), (Code::OwnerUnavailable, Some(jid(MACAU))));
    // Who is not asked is not missed.
    federation.ask(HONG_KONG, SHENZHEN_VISITS).await.unwrap();
    let partial = Question { partial: true, ..question(ALL_VISITS) };
    let answered = ask(federation.client(HONG_KONG), &partial).await.unwrap();
    assert_eq!(answered.rows.rows.len(), 2);
    let missing: Vec<_> = answered.summary.outcomes.iter().filter(|o| o.missing.is_some()).collect();
    assert_eq!(missing.len(), 1);
    assert_eq!(missing[0].jurisdiction, jid(MACAU));
    assert!(answered.summary.may_lack);
}

/// A query over public tables that would take minutes.
const ENDLESS: &str = "SELECT count(*) AS n FROM gba.air.hourly a, gba.air.hourly b, gba.air.hourly c, gba.air.hourly d, gba.air.hourly e WHERE a.pm25 + b.pm25 + c.pm25 + d.pm25 + e.pm25 < -1";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_query_that_takes_too_long() {
    let hurry = |text: String| text.replace("    release: {", "    limits: { deadlineSeconds: 2 }\n    release: {");
    let world = World::health_with(1, HealthOptions::default(), hurry).unwrap();
    let federation = Federation::start(world).await.unwrap();
    let begun = Instant::now();
    let refusal = federation.ask(HONG_KONG, ENDLESS).await.unwrap_err();
    assert_eq!(refusal.code, Code::Limit, "{refusal}");
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    // What was cancelled may take a moment to wind down, and two seconds are few.
    let patience = begun + Duration::from_mins(1);
    while let Err(refusal) = federation.ask(HONG_KONG, SHENZHEN_VISITS).await {
        assert!(refusal.code == Code::Limit && Instant::now() < patience, "{refusal}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_that_dies_while_it_works() {
    let mut federation = Federation::start(world()).await.unwrap();
    // One fragment, over one owner's public tables: it runs at that owner.
    let endless = ENDLESS.replace("gba.air", "macau.air");
    let mut answer = federation.client(HONG_KONG).ask(&question(&endless)).await.unwrap();
    let planned = answer.next().await.unwrap().unwrap();
    assert!(matches!(planned, Event::Progress(_)), "{planned:?}");
    tokio::time::sleep(Duration::from_millis(300)).await;
    federation.local.kill(&jid(MACAU)).unwrap();
    let end = tokio::time::timeout(Duration::from_mins(1), async {
        while let Some(event) = answer.next().await {
            if let Err(refusal) = event {
                return Some(refusal);
            }
        }
        None
    });
    let refusal = end.await.expect("the answer ends").expect("it does not look complete");
    assert_eq!((refusal.code, refusal.owner), (Code::OwnerUnavailable, Some(jid(MACAU))));
    federation.ask(HONG_KONG, SHENZHEN_VISITS).await.unwrap();
    federation.ask(SHENZHEN, SHENZHEN_VISITS).await.unwrap();
}

/// As many questions at each gateway as it takes at once, all of which have owners ask each other for public tables.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn owners_that_ask_each_other_for_many_questions_at_once() {
    let federation = Federation::start(tpch::world(0.01).unwrap()).await.unwrap();
    let (_, sql) = tpch::queries().unwrap().into_iter().find(|(number, _)| *number == 9).unwrap();
    let Answered { rows, summary } = federation.ask(HONG_KONG, &sql).await.unwrap();
    let releases = summary.outcomes.iter().flat_map(|outcome| &outcome.releases);
    assert!(releases.map(|release| release.fetched_bytes).sum::<u64>() > 0, "they do ask each other: {summary:?}");
    let expected = rows.rows;
    let begun = Instant::now();
    let homes = [SHENZHEN, HONG_KONG, MACAU].into_iter().cycle().take(90);
    for answer in join_all(homes.map(|home| federation.ask(home, &sql))).await {
        assert_eq!(answer.unwrap().rows.rows, expected);
    }
    println!("90 answers in {:.1} s", begun.elapsed().as_secs_f64());
}
