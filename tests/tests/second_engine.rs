//! The same answers from three nodes as from DuckDB over all rows: an engine that shares no line with the nodes' own.
//!
//! `WANQU_RANDOM_QUERIES` asks for more random queries, `WANQU_SEED` for others (`just nightly`).

use std::path::Path;

use wanqu_tests::constructs::{self, Language, page};
use wanqu_tests::duck::translated;
use wanqu_tests::edges::{self, Outcome, Tally, Three};
use wanqu_tests::federation::SHENZHEN;
use wanqu_tests::health::HealthOptions;
use wanqu_tests::slt::{self, Expected};
use wanqu_tests::world::World;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

async fn random(protected: bool) -> Tally {
    let seed = number("WANQU_SEED").unwrap_or(20_190_218);
    let count = number("WANQU_RANDOM_QUERIES").unwrap_or(250);
    println!("seed {seed}: {count} random queries");
    let tally = Three::over(edges::world().unwrap()).await.random(seed, count, protected).await;
    println!("{tally}");
    tally
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_queries_over_public_rows() {
    let tally = random(false).await;
    assert!(tally.wrong == 0, "{tally}\n{}", tally.report);
    assert!(tally.answered() > 0.6 && tally.lost() < 0.2, "{tally}: too few are compared");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_queries_over_protected_rows() {
    let tally = random(true).await;
    assert!(tally.wrong == 0, "{tally}\n{}", tally.report);
    assert!(tally.answered() > 0.4 && tally.lost() < 0.2, "{tally}: too few are compared");
}

/// Results of the listed queries of a folder.
#[derive(Default)]
struct Report {
    same: usize,
    refused: String,
    wrong: String,
}

/// Asks every listed query of a folder.
async fn listed(world: World, folder: &str) -> Report {
    let queries = slt::read_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap();
    let three = Three::over(world).await;
    let mut report = Report::default();
    for query in &queries {
        let Expected::Answer { order, .. } = &query.expected else { continue };
        let outcome = three.outcome(SHENZHEN, &query.sql, &translated(&query.sql), *order, true).await;
        let text = format!("{}\n{}\n  {outcome:?}\n\n", query.place, query.sql);
        match outcome {
            Outcome::Same => report.same += 1,
            Outcome::Refused(_) => report.refused += &text,
            _ => report.wrong += &text,
        }
    }
    report
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn listed_queries() {
    let world = World::health(1, HealthOptions { canaries: false, ..HealthOptions::default() }).unwrap();
    let Report { same, refused, wrong } = listed(world, "slt").await;
    assert!(wrong.is_empty() && refused.is_empty(), "{same} are the same; {wrong}{refused}");
    assert!(same >= 150, "{same} queries are too few");
}

/// A refusal is right as well: not every construct of others' tests can be sent to owners.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn listed_queries_at_the_edges() {
    let Report { same, refused, wrong } = listed(edges::world().unwrap(), "slt/edges").await;
    println!("refused:\n{refused}");
    assert!(wrong.is_empty(), "{same} are the same; {wrong}");
    assert!(same >= 140, "{same} queries are too few; refused: {refused}");
}

/// `UPDATE_SQL_PAGE=1` writes the pages anew.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn documented_constructs() {
    let (states, wrong) = constructs::states(&Three::over(edges::world().unwrap()).await).await;
    for (file, language) in [("sql.md", Language::English), ("sql.zh-CN.md", Language::Chinese)] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(file);
        let text = page(&states, language);
        if std::env::var_os("UPDATE_SQL_PAGE").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        let line = text.lines().zip(written.lines()).find(|(a, b)| a != b);
        assert!(text == written, "{file} is not as it would be made (UPDATE_SQL_PAGE=1 makes it): {line:?}");
    }
    assert!(wrong.is_empty(), "{wrong}");
}
