//! The same answers from three nodes as from one DataFusion over all rows, under a rule of one unit.

use std::path::Path;

use wanqu_tests::check::Pair;
use wanqu_tests::compare::Order;
use wanqu_tests::federation::{Federation, HONG_KONG, MACAU, SHENZHEN};
use wanqu_tests::health::HealthOptions;
use wanqu_tests::oracle::Oracle;
use wanqu_tests::slt::{self, Expected};
use wanqu_tests::tpch;
use wanqu_tests::world::World;

async fn pair(world: World) -> Pair {
    let oracle = Oracle::over(&world.bundles().unwrap()).await.unwrap();
    Pair { federation: Federation::start(world).await.unwrap(), oracle }
}

async fn health() -> Pair {
    pair(World::health(1, HealthOptions { canaries: false, ..HealthOptions::default() }).unwrap()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn listed_queries() {
    let queries = slt::read_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("slt")).unwrap();
    let answered = queries.iter().filter(|query| matches!(query.expected, Expected::Answer { .. })).count();
    assert!(answered >= 150, "{answered} queries are too few");
    let pair = health().await;
    for query in &queries {
        if let Expected::Answer { kinds, .. } = &query.expected {
            let rows = pair.oracle.answer(&query.sql).await.unwrap_or_else(|e| panic!("{}: {e}", query.place));
            assert_eq!(slt::kinds(&rows), *kinds, "{}", query.place);
        }
    }
    let wrong = pair.wrong_of_listed(&queries).await;
    assert!(wrong.is_empty(), "{wrong}");
}

/// `WANQU_RANDOM_QUERIES` asks for more of them, `WANQU_SEED` for others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_queries() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seed = number("WANQU_SEED").unwrap_or(20_190_218);
    let count = number("WANQU_RANDOM_QUERIES").unwrap_or(600);
    println!("seed {seed}: {count} random queries");
    let pair = health().await;
    let wrong = pair.wrong_of_random(seed, count, Path::new(env!("CARGO_TARGET_TMPDIR"))).await;
    assert!(wrong.is_empty(), "{wrong}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tpch_22_of_22() {
    let pair = pair(tpch::world(0.01).unwrap()).await;
    let mut wrong = String::new();
    for (number, sql) in tpch::queries().unwrap() {
        let rows = pair.oracle.answer(&sql).await.unwrap().rows;
        assert!(!rows.is_empty(), "query {number} says nothing at this scale");
        let home = [SHENZHEN, HONG_KONG, MACAU][number % 3];
        if let Some(what) = pair.wrong(home, &sql, Order::Total).await {
            wrong += &format!("query {number}: {what}\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
