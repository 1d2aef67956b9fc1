//! Bad input, slow and dying owners, questions that are given up: one clear refusal each, and nothing else breaks.

#![allow(clippy::format_collect, reason = "plain is better in a test")]

use std::fs;
use std::time::{Duration, Instant};

use futures::StreamExt;
use query_node::audit::{self, Entry, Filter};
use wanqu_cli::local::LocalOptions;
use wanqu_model::answer::{Event, Question};
use wanqu_model::refusal::{Code, Refusal};
use wanqu_testing::until;
use wanqu_tests::federation::{Answered, Federation, HONG_KONG, MACAU, SHENZHEN, ask, jid, question};
use wanqu_tests::health::HealthOptions;
use wanqu_tests::relay::Relay;
use wanqu_tests::world::World;

fn world() -> World {
    World::health(1, HealthOptions::default()).unwrap()
}

fn code(answer: Result<Answered, Refusal>) -> Code {
    answer.unwrap_err().code
}

const SHENZHEN_VISITS: &str = "SELECT count(*) AS n FROM shenzhen.health.visits";
const ALL_VISITS: &str = "SELECT jurisdiction, count(*) AS n FROM gba.health.visits GROUP BY jurisdiction";

/// A name, a file, a query that reads it, and the damage that is done to it.
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
    let log = audit::read(&[federation.local.audit(&jid(MACAU)).unwrap()], &Filter::default()).unwrap();
    let skipped = log.iter().find_map(|record| match &record.entry {
        Entry::Released { skipped_records, .. } => Some(*skipped_records),
        _ => None,
    });
    assert_eq!(skipped, Some(2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queries_that_are_too_long_or_too_deep() {
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
    // Each would be read for years, the brackets being right but for the innermost.
    for (open, close) in [("CAST((", ") AS INT)"), ("position(", ", 'b')"), ("CASE ((", ")) WHEN 1 THEN 2 END")] {
        let text = format!("SELECT {}1 1{} AS x", open.repeat(30), close.repeat(30));
        for text in [text.clone(), format!("EXPLAIN {text}"), format!("EXPLAIN POLICY {text}")] {
            let refusal = federation.ask(MACAU, &text).await.unwrap_err();
            assert_eq!(refusal.code, Code::Limit, "{open}: {refusal}");
            assert!(refusal.remedy.is_some_and(|remedy| remedy.contains("innermost brackets")), "{open}");
        }
    }
}

/// The engine calls itself for each level, at home and at the owner, when it plans and when it computes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chains_are_answered_and_what_grows_is_refused() {
    let federation = Federation::start(world()).await.unwrap();
    let from = "FROM gba.health.facilities";
    let or: String = (0..60).map(|n| format!(" OR beds + {n} = 7")).collect();
    for text in [
        format!("SELECT max(beds{}) AS x {from}", "::int".repeat(400)),
        format!("SELECT sum(beds{}) AS x {from}", " + beds".repeat(100)),
        format!("SELECT count(*) AS n {from} WHERE beds < 0{or}"),
        format!("SELECT count(*) AS n {from} WHERE beds IN (1{})", ", 7".repeat(10_000)),
    ] {
        let start: String = text.chars().take(60).collect();
        federation.ask(MACAU, &text).await.unwrap_or_else(|refusal| panic!("{start}: {refusal}"));
    }
    let nested = |form: &str, levels: usize| (0..levels).fold("beds".to_owned(), |inner, _| form.replace('@', &inner));
    let doubled: String = (1..=30).map(|n| format!(", c{n} AS (SELECT x.beds FROM c{0} x, c{0} y)", n - 1)).collect();
    for text in [
        format!("SELECT {} AS x {from}", nested("coalesce(nullif(coalesce(nullif(@, 1), 2), 1), 2)", 6)),
        format!("SELECT count(*) AS n {from} WHERE {} > 1", nested("CASE WHEN @ > 3 THEN 1 ELSE 2 END", 20)),
        format!("WITH c0 AS (SELECT beds {from}){doubled} SELECT count(*) AS n FROM c30"),
        format!("SELECT {}1 AS x {from}", "count(*), ".repeat(1_500)),
    ] {
        let start: String = text.chars().take(60).collect();
        assert_eq!(code(federation.ask(MACAU, &text).await), Code::Limit, "{start}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_that_is_missing() {
    let mut federation = Federation::start(world()).await.unwrap();
    federation.ask(HONG_KONG, ALL_VISITS).await.unwrap();
    federation.local.kill(&jid(MACAU)).unwrap();
    let refusal = federation.ask(HONG_KONG, ALL_VISITS).await.unwrap_err();
    assert_eq!((refusal.code, refusal.owner), (Code::OwnerUnavailable, Some(jid(MACAU))));
    // An owner that is not asked is not missed.
    federation.ask(HONG_KONG, SHENZHEN_VISITS).await.unwrap();
    let partial = Question { partial: true, ..question(ALL_VISITS) };
    let answered = ask(federation.client(HONG_KONG), &partial).await.unwrap();
    assert_eq!(answered.rows.rows.len(), 2);
    let missing: Vec<_> = answered.summary.outcomes.iter().filter(|o| o.missing.is_some()).collect();
    assert_eq!(missing.len(), 1);
    assert_eq!(missing[0].jurisdiction, jid(MACAU));
    assert!(answered.summary.may_lack);
}

/// Waits until an owner's audit log has at least this many entries of a kind, and returns them all.
async fn entries(federation: &Federation, owner: &str, least: usize, kind: fn(&Entry) -> bool) -> Vec<Entry> {
    let folder = federation.local.audit(&jid(owner)).unwrap();
    let enough = until("entries of the audit log", Duration::from_mins(1), async || {
        // The last entry may be being written just now.
        let log = audit::read(&[folder], &Filter::default()).unwrap_or_default();
        let found: Vec<Entry> = log.into_iter().map(|record| record.entry).filter(kind).collect();
        if found.len() < least { Err(found.len()) } else { Ok(found) }
    });
    enough.await
}

/// Under a rule of `macau` units for Macau and of `others` for the others; `None` leaves their rule, of ten units.
async fn ruled(macau: u32, others: Option<u32>) -> Federation {
    let world = World::health(10, HealthOptions::default()).unwrap();
    let amend = |options: &mut LocalOptions| {
        options.amend = Some(Box::new(move |bundle| {
            for slice in bundle.slices.iter_mut().filter(|slice| slice.privacy_unit.is_some()) {
                let least = if slice.jurisdiction == jid(MACAU) { Some(macau) } else { others };
                slice.policy.min_units = least.unwrap_or(slice.policy.min_units);
            }
        }));
    };
    Federation::start_with(world, amend).await.unwrap()
}

/// Cells that many stand behind everywhere.
fn common_cells() -> String {
    "SELECT emergency, count(*) AS n FROM gba.health.visits WHERE emergency IS NOT NULL GROUP BY emergency".to_owned()
}

/// Asks each question. Returns of each answer its number of rows, how many of them may lack a part, and if any part and any
/// row may be absent.
async fn told<const N: usize>(federation: &Federation, questions: &[String; N]) -> [(u64, Option<u64>, bool, bool); N] {
    let mut told = [(0, None, false, false); N];
    for (told, sql) in told.iter_mut().zip(questions) {
        let Answered { summary, .. } = federation.ask(HONG_KONG, sql).await.unwrap_or_else(|e| panic!("{sql}: {e}"));
        *told = (summary.rows, summary.rows_lacking, summary.may_lack, summary.rows_may_be_absent);
    }
    told
}

/// Questions whose rows are decided about by cells: a condition that none meets, the first row, a join in which nothing
/// matches, and shares of a total.
fn deciding() -> [String; 4] {
    let cells = common_cells();
    [
        format!("{cells} HAVING count(*) > 100000000"),
        format!("{cells} ORDER BY n DESC LIMIT 1"),
        format!("SELECT a.n FROM ({cells}) a JOIN ({cells}) b ON a.n = b.n + 100000000"),
        format!("SELECT emergency, sum(n) OVER () AS total FROM ({cells}) c"),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_are_gone_for_want_of_a_part_are_told() {
    // Macau keeps every cell back.
    let federation = ruled(100_000, None).await;
    let [plain] = told(&federation, &[common_cells()]).await;
    assert_eq!(plain, (2, Some(2), true, false));
    let [condition, first, join, window] = told(&federation, &deciding()).await;
    assert_eq!(condition, (0, Some(0), true, true));
    assert_eq!(first, (1, Some(1), true, true));
    assert_eq!(join, (0, Some(0), true, true));
    assert_eq!(window, (2, None, true, false));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_are_not_doubted_where_every_owner_released_every_cell() {
    let federation = ruled(1, None).await;
    let [condition, first, ..] = deciding();
    let told_of_cells = told(&federation, &[condition, first]).await;
    assert_eq!(told_of_cells, [(0, Some(0), false, false), (1, Some(0), false, false)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_row_is_marked_incomplete_under_rules_of_one_unit() {
    let federation = ruled(1, Some(1)).await;
    let whole = |rows| (rows, Some(0), false, false);
    assert_eq!(told(&federation, &deciding()).await, [whole(0), whole(1), whole(0), whole(2)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_cell_may_lack_the_part_of_an_owner_that_is_missing_whatever_its_rule() {
    let mut federation = ruled(1, None).await;
    let ask_marked = async |federation: &Federation, sql: &str| {
        let question = Question { partial: true, mark_incomplete: true, ..question(sql) };
        let Answered { rows, summary } = ask(federation.client(HONG_KONG), &question).await.unwrap();
        assert_eq!(rows.names.last().map(String::as_str), Some("may_lack_a_part"));
        let marks: Vec<bool> = rows.rows.iter().map(|row| row.last().unwrap().to_string() == "true").collect();
        assert!(!marks.is_empty(), "{sql}");
        (marks, summary)
    };
    let cells = |condition: &str| {
        format!("SELECT emergency, count(*) AS n FROM gba.health.visits WHERE {condition} GROUP BY emergency")
    };
    let everywhere = common_cells();
    // One owner alone, whose rule keeps nothing back.
    let macau = "SELECT count(*) AS n FROM macau.health.visits";
    let (marks, summary) = ask_marked(&federation, &everywhere).await;
    assert!(marks.iter().all(|mark| !mark), "{summary:?}");
    assert_eq!((summary.rows_lacking, summary.may_lack), (Some(0), false));

    federation.local.kill(&jid(MACAU)).unwrap();
    let (marks, summary) = ask_marked(&federation, &everywhere).await;
    assert!(marks.iter().all(|mark| *mark), "{summary:?}");
    assert_eq!((summary.rows_lacking, summary.may_lack), (Some(summary.rows), true));
    let joined = format!(
        "SELECT a.emergency, a.n, b.n AS m FROM ({everywhere}) a LEFT JOIN ({}) b ON a.emergency = b.emergency",
        cells("emergency IS NOT NULL AND jurisdiction <> 'MO'"),
    );
    let (marks, summary) = ask_marked(&federation, &joined).await;
    assert!(marks.iter().all(|mark| *mark), "{summary:?}");
    assert_eq!(summary.rows_lacking, Some(summary.rows));
    let refusal = federation.ask(HONG_KONG, macau).await.unwrap_err();
    assert_eq!((refusal.code, refusal.owner), (Code::OwnerUnavailable, Some(jid(MACAU))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_every_owner_keeps_back_is_told_where_it_decides() {
    let federation = ruled(100_000_000, Some(100_000_000)).await;
    for (sql, rows) in [
        ("SELECT count(*) AS n FROM gba.health.visits HAVING count(*) > 5", 0),
        ("SELECT count(*) AS n FROM hongkong.health.visits HAVING count(*) > 5", 0),
        ("SELECT facility FROM gba.health.facilities WHERE beds < (SELECT count(*) FROM gba.health.visits)", 0),
        (
            "SELECT facility FROM gba.health.facilities WHERE beds > coalesce((SELECT count(*) FROM gba.health.visits), 10000)",
            0,
        ),
        ("SELECT c FROM (SELECT count(*) AS c FROM gba.health.visits) t WHERE c > 3 UNION ALL SELECT 1", 1),
        (
            "SELECT f.facility FROM gba.health.facilities f JOIN (SELECT facility, count(*) AS n FROM gba.health.visits \
             WHERE jurisdiction = 'HK' GROUP BY facility) v ON f.facility = v.facility",
            0,
        ),
    ] {
        let Answered { summary, .. } = federation.ask(HONG_KONG, sql).await.unwrap_or_else(|e| panic!("{sql}: {e}"));
        assert_eq!((summary.rows, summary.may_lack, summary.rows_may_be_absent), (rows, true, true), "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_part_of_a_missing_owner_is_no_zero_and_takes_no_row_away() {
    let mut federation = ruled(1, Some(1)).await;
    federation.local.kill(&jid(MACAU)).unwrap();
    let beds = |owner: &str| format!("SELECT count(*) AS n FROM gba.health.facilities WHERE jurisdiction = '{owner}'");
    let both = |left: &str, right: &str| format!("SELECT h.n - m.n AS n FROM ({left}) h CROSS JOIN ({right}) m");
    let visits = ["HK", "MO"].map(|id| beds(id).replace("facilities", "visits"));
    let with_beds = |sql: &str| format!("{sql} UNION ALL {} ORDER BY n", beds("HK"));
    // The query; its only column; whether any row may be absent.
    let cases: [(String, &[&str], bool); 8] = [
        (both(&visits[0], &visits[1]), &["NULL"], false),
        (both(&beds("HK"), &beds("MO")), &["NULL"], false),
        (with_beds(&format!("SELECT n FROM ({} LIMIT 3) t", beds("MO"))), &["5", "NULL"], false),
        (with_beds("SELECT count(DISTINCT urgente) AS n FROM macau.health.visits"), &["5", "NULL"], true),
        ("SELECT count(*) AS n FROM gba.health.facilities".to_owned(), &["12"], false),
        ("SELECT count(*) AS n FROM gba.health.facilities HAVING count(*) > 13".to_owned(), &[], true),
        (
            "SELECT count(*) AS n FROM (SELECT facility FROM gba.health.facilities LIMIT 100) t".to_owned(),
            &["12"],
            true,
        ),
        (
            "SELECT DISTINCT jurisdiction FROM gba.health.facilities ORDER BY jurisdiction".to_owned(),
            &["CN-SZ", "HK"],
            true,
        ),
    ];
    for (sql, rows, absent) in cases {
        let partial = Question { partial: true, ..question(&sql) };
        let answered = ask(federation.client(HONG_KONG), &partial).await.unwrap_or_else(|e| panic!("{sql}: {e}"));
        let found: Vec<String> = answered.rows.rows.iter().map(|row| row[0].to_string()).collect();
        assert_eq!(found, rows, "{sql}");
        assert_eq!((answered.summary.may_lack, answered.summary.rows_may_be_absent), (true, absent), "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_about_nobody_is_asked_of_another_if_the_first_is_away() {
    let elsewhere = |options: &mut LocalOptions| {
        options.amend = Some(Box::new(|bundle| {
            let of_home = |table: &str| table == "gba.health.facilities" || table == "gba.health.visits";
            bundle.slices.retain(|slice| slice.jurisdiction != jid(HONG_KONG) || !of_home(&slice.table.to_string()));
        }));
    };
    let mut federation = Federation::start_with(world(), elsewhere).await.unwrap();
    federation.local.kill(&jid(SHENZHEN)).unwrap();
    for (sql, rows) in [
        ("SELECT facility FROM gba.health.facilities WHERE jurisdiction = 'FR'", 0),
        ("SELECT count(*) AS n FROM gba.health.facilities WHERE jurisdiction = 'FR'", 1),
        ("SELECT specialty, count(*) AS n FROM gba.health.visits WHERE jurisdiction = 'FR' GROUP BY specialty", 0),
    ] {
        let Answered { summary, .. } = federation.ask(HONG_KONG, sql).await.unwrap_or_else(|e| panic!("{sql}: {e}"));
        let told: Vec<_> = summary.outcomes.iter().map(|o| (o.jurisdiction.to_string(), o.missing.is_some())).collect();
        assert_eq!((summary.rows, summary.may_lack, told), (rows, false, vec![(MACAU.to_owned(), false)]), "{sql}");
    }
    // With nobody to ask, there are still no rows.
    federation.local.kill(&jid(MACAU)).unwrap();
    let none = "SELECT facility FROM gba.health.facilities WHERE jurisdiction = 'FR' UNION ALL SELECT facility FROM hongkong.health.facilities";
    let Answered { summary, .. } = federation.ask(HONG_KONG, none).await.unwrap();
    assert!(!summary.may_lack && summary.rows > 0, "{summary:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_about_nobody_is_asked_of_one() {
    let federation = Federation::start(world()).await.unwrap();
    for (sql, rows) in [
        ("SELECT count(*) AS n FROM gba.health.visits WHERE jurisdiction = 'FR'", vec![vec!["0".to_owned()]]),
        ("SELECT count(*) AS n FROM gba.health.facilities WHERE jurisdiction = 'FR'", vec![vec!["0".to_owned()]]),
        ("SELECT specialty, count(*) AS n FROM gba.health.visits WHERE jurisdiction = 'FR' GROUP BY specialty", vec![]),
    ] {
        let Answered { rows: found, summary } = federation.ask(HONG_KONG, sql).await.unwrap();
        let found: Vec<Vec<String>> =
            found.rows.iter().map(|row| row.iter().map(ToString::to_string).collect()).collect();
        assert_eq!(found, rows, "{sql}");
        let asked: Vec<_> = summary.outcomes.iter().map(|outcome| &outcome.jurisdiction).collect();
        assert_eq!(asked, [&jid(HONG_KONG)], "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_breaks_after_the_question_was_sent_makes_one_release() {
    let relay = Relay::open().await.unwrap();
    let between = relay.between(jid(HONG_KONG), jid(MACAU));
    let federation = Federation::start_with(world(), |options| options.amend = Some(between)).await.unwrap();
    let sql = "SELECT count(*) AS n FROM macau.health.visits";
    federation.ask(HONG_KONG, sql).await.unwrap();
    let released = |entry: &Entry| matches!(entry, Entry::Released { .. });
    assert_eq!(entries(&federation, MACAU, 1, released).await.len(), 1);

    relay.hold(true);
    let (client, question) = (federation.client(HONG_KONG).clone(), question(sql));
    let asking = tokio::spawn(async move { ask(&client, &question).await });
    entries(&federation, MACAU, 2, released).await;
    relay.break_connections();
    relay.hold(false);
    let refusal = asking.await.unwrap().unwrap_err();
    assert_eq!((refusal.code, &refusal.owner), (Code::OwnerUnavailable, &Some(jid(MACAU))));
    assert!(refusal.message.contains("it may have been answered"), "{refusal}");
    assert!(refusal.remedy.is_some_and(|remedy| remedy.contains("audit log of MO")));
    assert_eq!(entries(&federation, MACAU, 2, released).await.len(), 2, "it was released once more");
    federation.ask(HONG_KONG, sql).await.unwrap();
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
    // The cancelled query may take a moment to wind down, and two seconds are few.
    let next = until("an answer to the next question", Duration::from_mins(1), async || {
        match federation.ask(HONG_KONG, SHENZHEN_VISITS).await {
            Err(refusal) if refusal.code == Code::Limit => Err(refusal),
            other => Ok(other),
        }
    });
    next.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_that_dies_while_it_works() {
    let mut federation = Federation::start(world()).await.unwrap();
    // One fragment, over one owner's public tables: it runs at that owner.
    let endless = ENDLESS.replace("gba.air", "macau.air");
    let mut answer = federation.client(HONG_KONG).ask(&question(&endless)).await.unwrap();
    let planned = answer.next().await.unwrap().unwrap();
    assert!(matches!(planned, Event::Progress(_)), "{planned:?}");
    entries(&federation, MACAU, 1, |entry| matches!(entry, Entry::PublicOpened { .. })).await;
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
