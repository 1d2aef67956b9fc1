//! End of a node: on SIGTERM, and when a door closes by itself.

use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use wanqu_model::answer::{Answer, Event};
use wanqu_model::refusal::Code;

use crate::observed::question;
use crate::process::Process;
use crate::world::World;

/// More rows than fit into what a client that does not read has asked for.
const LONG: &str = "SELECT r.rate_date, a.station, a.day, a.hour FROM hongkong.finance.rates r
                    CROSS JOIN hongkong.air.hourly a";

/// Reads up to the first rows, so that the question is on its way.
async fn begun(answer: &mut Answer) {
    while !matches!(answer.next().await.unwrap().unwrap(), Event::Batch(_)) {}
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_told_to_end_finishes_what_it_began_and_begins_nothing() {
    let world = World::new();
    let mut hk = Process::start(&world, "HK", &[]);
    let client = world.client("HK", hk.gateway);
    let mut answer = client.ask(&question(LONG)).await.unwrap();
    begun(&mut answer).await;
    hk.answers("/metrics", 200, "wanqu_running{door=\"gateway\"} 1");

    hk.terminate();
    let checks = hk.answers("/readyz", 503, "failed drain: ");
    assert!(checks.contains("ok gateway"), "the doors answer still:\n{checks}");
    let refusal = client.ask(&question("SELECT 1 AS n")).await.err().unwrap();
    assert_eq!(refusal.code, Code::Draining);
    assert!(refusal.remedy.unwrap().contains("ask again"));
    assert!(hk.runs());

    let rest: Vec<Event> = answer.try_collect().await.unwrap();
    assert!(matches!(rest.last(), Some(Event::Summary(summary)) if summary.rows > 1_000_000), "the answer is whole");
    assert_eq!(hk.ended().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_that_do_not_end_within_the_drain_are_cancelled() {
    let world = World::new();
    let mut hk = Process::start(&world, "HK", &[("WANQU_DRAIN_SECONDS", "1")]);
    let client = world.client("HK", hk.gateway);
    let mut answer = client.ask(&question(LONG)).await.unwrap();
    begun(&mut answer).await;
    hk.terminate();
    assert_eq!(hk.ended().code(), Some(0));
    let end = tokio::time::timeout(Duration::from_mins(1), answer.try_collect::<Vec<Event>>()).await.unwrap();
    assert!(end.is_err(), "an answer that was cut short never looks complete");
}

#[test]
fn an_idle_node_ends_at_once() {
    let world = World::new();
    let mut hk = Process::start(&world, "HK", &[("WANQU_DRAIN_SECONDS", "600")]);
    hk.terminate();
    assert_eq!(hk.ended().code(), Some(0));
}
