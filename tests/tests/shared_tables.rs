//! Questions for which owners read each other's public tables. Not beside other tests: as many at once as gateways take are all that
//! two cores can do.

use std::time::Instant;

use futures::future::join_all;
use wanqu_cli::local::LocalOptions;
use wanqu_tests::federation::{Answered, Federation, HONG_KONG, MACAU, SHENZHEN, jid};
use wanqu_tests::tpch;

/// The ninth query of TPC-H, for which owners read each other's public tables.
fn tpch_9() -> String {
    tpch::queries().unwrap().into_iter().find(|(number, _)| *number == 9).unwrap().1
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_that_owners_fetch_from_each_other_are_in_the_account() {
    let federation = Federation::start(tpch::world(0.01).unwrap()).await.unwrap();
    drop(federation.tap.take());
    let Answered { summary, .. } = federation.ask(HONG_KONG, &tpch_9()).await.unwrap();
    let crossed = federation.tap.take();
    // Beside releases, envelopes cross, and what members tell each other of their agreements.
    let releases = crossed.iter().filter(|crossing| !crossing.bytes.starts_with(b"WQE1") && crossing.bytes[0] != b'[');
    let between = |to_home: bool| -> u64 {
        let of = releases.clone().filter(|crossing| (crossing.to == jid(HONG_KONG)) == to_home);
        of.map(|crossing| crossing.bytes.len() as u64).sum()
    };
    let fetched = |home: bool| -> u64 {
        let outcomes = summary.outcomes.iter().filter(|outcome| (outcome.jurisdiction == jid(HONG_KONG)) == home);
        outcomes.flat_map(|outcome| &outcome.releases).map(|release| release.fetched_bytes).sum()
    };
    let came: u64 = summary.outcomes.iter().map(|outcome| outcome.bytes).sum();
    assert!(fetched(true) > 0 && fetched(false) > 0, "they do read each other's tables: {summary:?}");
    assert_eq!(came + fetched(true), between(true), "what came to Hong Kong, as home and as owner: {summary:?}");
    assert_eq!(fetched(false), between(false), "what came to the others: {summary:?}");
}

/// As many questions at once as all gateways take together, for all of which owners read each other's public tables.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn owners_that_read_each_others_tables_for_many_questions_at_once() {
    const QUESTIONS: usize = 64;
    let gateways = [SHENZHEN, HONG_KONG, MACAU];
    let places = |options: &mut LocalOptions| {
        // One researcher has three quarters of the places.
        let most = QUESTIONS.div_ceil(gateways.len()) * 4 / 3 + 1;
        options.amend = Some(Box::new(move |bundle| bundle.limits.concurrent_queries = u32::try_from(most).unwrap()));
    };
    let federation = Federation::start_with(tpch::world(0.01).unwrap(), places).await.unwrap();
    let sql = tpch_9();
    let expected = federation.ask(HONG_KONG, &sql).await.unwrap().rows.rows;
    let begun = Instant::now();
    let homes = gateways.into_iter().cycle().take(QUESTIONS);
    for answer in join_all(homes.map(|home| federation.ask(home, &sql))).await {
        assert_eq!(answer.unwrap().rows.rows, expected);
    }
    println!("{QUESTIONS} answers in {:.1} s", begun.elapsed().as_secs_f64());
}
