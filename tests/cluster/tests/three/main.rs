//! Three clusters with three operators that have no administrator in common: `docs/three-clusters.md`, as it is written, at
//! each of them. Their answers are those of one machine; terms that differ allow nothing, and both nodes see it; a line that
//! is cut is said, and the answer is whole again when it is back.

mod bay;

use std::time::Instant;

use bay::Bay;
use serde_json::Value;

/// The question of the page.
const SPECIALTIES: &str = "SELECT jurisdiction, specialty, count(*) AS visits, avg(cost_cny) AS cost \
                           FROM gba.health.visits GROUP BY jurisdiction, specialty ORDER BY jurisdiction, specialty";
/// By which Hong Kong asks Macau.
const AGREEMENT: &str = "macau-to-hongkong-planning";

#[tokio::test(flavor = "multi_thread")]
async fn three_operators_federate_and_say_what_is_not_agreed_and_who_is_away() {
    let mut bay = Box::pin(Bay::start()).await;
    bay.passed("three clusters, joined");
    bay.each("1. Each for itself");
    bay.passed("an operator, records and an authority in each");
    bay.each("2. Introductions");
    bay.passed("introduced to each other, and ready");
    let rows = the_same_rows(&bay).await;
    bay.passed("a question from Hong Kong over all three: the rows of one machine");
    terms_that_differ(&bay, &rows).await;
    bay.passed("terms that differ allow nothing until they are the same again");
    a_line_that_is_cut(&bay, &rows).await;
    bay.passed("the line to Macau cut, and restored");
    bay.stop().await;
}

/// The answer of the page's question, which is the laptop's.
async fn the_same_rows(bay: &Bay) -> String {
    for (one, id, other, of) in [
        (&bay.hongkong, "HK", &bay.macau, "MO"),
        (&bay.hongkong, "HK", &bay.shenzhen, "CN-SZ"),
        (&bay.macau, "MO", &bay.shenzhen, "CN-SZ"),
    ] {
        let answers = |told: &Value| told["agreements"].is_array();
        let (here, there) = tokio::join!(one.told("the other", of, answers), other.told("the other", id, answers));
        assert_eq!(here, there, "{id} and {of} hold the same");
        assert!(!here["agreements"].as_array().unwrap().is_empty(), "{id} and {of}");
    }
    let said = bay.hongkong.follow("3. A question from Hong Kong");
    let rows = said.last().unwrap().clone();
    assert_eq!(rows, bay.laptop.answer(SPECIALTIES).await);
    for id in ["CN-SZ,", "HK,", "MO,"] {
        assert!(rows.lines().filter(|line| line.starts_with(id)).count() > 3, "{id} is in it: {rows}");
    }
    rows
}

/// Macau files the agreement anew, and Hong Kong has not agreed to that.
async fn terms_that_differ(bay: &Bay, rows: &str) {
    let held = bay.hongkong.told("Macau's terms", "MO", |told| told["agreements"].is_array()).await;
    let first = digest(&held);
    let began = Instant::now();
    bay.macau.follow("4. Terms that differ");
    let others = |told: &Value| digest(told).len() == 64 && digest(told) != first;
    bay.hongkong.told("Macau's new terms", "MO", others).await;
    println!("        seen after {:.1} s", began.elapsed().as_secs_f64());
    let of_hongkong = bay.macau.told("Hong Kong's terms", "HK", |told| told["agreements"].is_array()).await;
    assert_eq!(digest(&of_hongkong), first, "Hong Kong's stay as they were");
    let refused = bay.hongkong.ask_until("Macau refusing", SPECIALTIES, |said| said.code == Some(3)).await;
    for word in ["MO", "no-agreement", "both ends hold the same text of it"] {
        assert!(refused.account.contains(word), "{word}: {}", refused.account);
    }
    assert!(refused.rows.is_empty(), "{}", refused.rows);

    bay.macau.follow("5. The same terms again");
    bay.hongkong.ask_until("an answer, now that terms are the same", SPECIALTIES, |said| said.rows == rows).await;
    bay.hongkong.told("the same terms", "MO", |told| digest(told) == first).await;
}

/// Hong Kong does not reach Macau: that is said, and nothing that is whole is made of what is not.
async fn a_line_that_is_cut(bay: &Bay, rows: &str) {
    bay.line.cut().unwrap();
    let began = Instant::now();
    let failed = bay.hongkong.ask(SPECIALTIES, "");
    println!("        without Macau it fails after {:.1} s", began.elapsed().as_secs_f64());
    assert_eq!((failed.code, failed.rows.as_str()), (Some(4), ""), "{}", failed.account);
    assert!(failed.account.contains("MO"), "{}", failed.account);

    let began = Instant::now();
    let partial = bay.hongkong.ask(SPECIALTIES, "--partial --name without-macau");
    println!("        in part it is answered after {:.1} s", began.elapsed().as_secs_f64());
    assert_eq!(partial.code, Some(4), "{}", partial.account);
    let of_the_others: String = rows.split_inclusive('\n').filter(|row| !row.starts_with("MO,")).collect();
    assert_eq!(partial.rows, of_the_others);
    assert!(partial.account.contains("missing: MO"), "{}", partial.account);
    let missing = bay.hongkong.missing("without-macau");
    assert!(missing.as_str().is_some_and(|why| why.contains("MO")), "{missing}");
    bay.hongkong.told("that Macau is away", "MO", |told| told["problem"].is_string()).await;
    bay.macau.told("that Hong Kong is away", "HK", |told| told["problem"].is_string()).await;

    bay.line.restore().unwrap();
    let began = Instant::now();
    bay.hongkong.ask_until("a whole answer over the restored line", SPECIALTIES, |said| said.rows == rows).await;
    println!("        whole again {:.1} s after the line was", began.elapsed().as_secs_f64());
    bay.macau.told("Hong Kong again", "HK", |told| told["agreements"].is_array()).await;
}

/// The digest of the agreement in what a node was told.
fn digest(told: &Value) -> &str {
    let held = told["agreements"].as_array().and_then(|held| held.iter().find(|held| held["name"] == AGREEMENT));
    held.and_then(|held| held["digest"].as_str()).unwrap_or_default()
}
