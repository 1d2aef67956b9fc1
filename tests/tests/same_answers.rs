//! The same answers as one DataFusion over all rows.

use std::path::Path;

use wanqu_tests::grammar::RandomQuery;
use wanqu_tests::health::HealthOptions;
use wanqu_tests::oracle::Oracle;
use wanqu_tests::slt::{self, Expected, Listed};
use wanqu_tests::tpch;
use wanqu_tests::world::World;

fn listed() -> Vec<Listed> {
    slt::read_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("slt")).unwrap()
}

#[tokio::test]
async fn the_oracle_answers_what_is_listed_and_what_is_drawn() {
    let world = World::health(1, HealthOptions::default()).unwrap();
    let oracle = Oracle::over(&world.bundles().unwrap()).await.unwrap();
    let mut queries = 0;
    for query in listed() {
        if let Expected::Answer { kinds, .. } = query.expected {
            let rows = oracle.answer(&query.sql).await.unwrap_or_else(|e| panic!("{}: {e}", query.place));
            assert_eq!(slt::kinds(&rows), kinds, "{}", query.place);
            queries += 1;
        }
    }
    assert!(queries >= 150, "{queries}");
    for number in 0..200 {
        let sql = RandomQuery::of(7, number).sql();
        oracle.answer(&sql).await.unwrap_or_else(|e| panic!("{sql}: {e}"));
    }
}

#[tokio::test]
async fn the_oracle_answers_tpch() {
    let world = tpch::world(0.01).unwrap();
    let oracle = Oracle::over(&world.bundles().unwrap()).await.unwrap();
    for (number, sql) in tpch::queries().unwrap() {
        assert!(!oracle.answer(&sql).await.unwrap().rows.is_empty(), "query {number}");
    }
}
