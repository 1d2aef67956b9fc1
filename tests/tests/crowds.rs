//! Crowds at a gateway, of strangers and of callers who say no more: a friend is answered meanwhile, and they are shown out.

use std::time::{Duration, Instant};

use wanqu_client::Client;
use wanqu_tests::federation::{Federation, MACAU, ask, jid, question, researcher};
use wanqu_tests::health::HealthOptions;
use wanqu_tests::strangers::{Target, address_of, answered, closed};
use wanqu_tests::world::World;

const ALL_VISITS: &str = "SELECT jurisdiction, count(*) AS n FROM gba.health.visits GROUP BY jurisdiction";

fn world() -> World {
    World::health(1, HealthOptions::default()).unwrap()
}

/// Times of a few questions, each over a connection of its own.
async fn times(federation: &Federation) -> Vec<Duration> {
    let (gateway, ca) = (federation.local.gateway(&jid(MACAU)).unwrap(), federation.local.ca(&jid(MACAU)).unwrap());
    let token = federation.local.token(&jid(MACAU), &researcher(), Duration::from_hours(1)).unwrap();
    let mut times = Vec::new();
    for _ in 0..20 {
        let begun = Instant::now();
        let client = Client::connect(&gateway, ca, &token, None).unwrap();
        ask(&client, &question(ALL_VISITS)).await.unwrap();
        times.push(begun.elapsed());
    }
    times.sort();
    times
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_friend_is_answered_whoever_shouts_at_the_door() {
    let federation = Federation::start(world()).await.unwrap();
    let idle = times(&federation).await;
    let target = Target::gateway(&federation, MACAU);

    // More of them than the door holds of strangers, of one address and of all, and from the friend's own address too.
    let mut silent = Vec::new();
    let mut mute = Vec::new();
    for villain in 1..=8 {
        for _ in 0..18 {
            silent.push(target.silent(address_of(villain)).await);
            silent.push(target.half_open(address_of(villain)).await);
            drop(target.half_open(address_of(villain)).await);
        }
        for _ in 0..8 {
            mute.extend(target.without_token(address_of(villain)).await);
            drop(target.without_token(address_of(villain)).await);
        }
    }
    for _ in 0..40 {
        silent.push(target.silent([127, 0, 0, 1].into()).await);
    }
    let mut unfinished = Vec::new();
    for villain in 10..=11 {
        unfinished.extend(target.unfinished_calls(address_of(villain), 60).await);
    }
    assert_eq!(unfinished.len(), 2, "calls with a token get in, whoever is silent");
    let mut tokenless = Vec::new();
    for _ in 0..20 {
        tokenless.extend(target.unfinished_call_of_a_stranger(address_of(9)).await);
    }

    let loud = times(&federation).await;
    let p99 = |times: &[Duration]| times[times.len() - 1].as_secs_f64() * 1000.0;
    println!(
        "p99 of a question: {:.0} ms idle, {:.0} ms under attack, {:.2} times",
        p99(&idle),
        p99(&loud),
        p99(&loud) / p99(&idle)
    );

    // Each of the villains is shown the door.
    let shown = async {
        for stream in tokenless {
            answered(stream, 1).await;
        }
        for stream in unfinished {
            answered(stream, 60).await;
        }
        for stream in silent {
            closed(stream).await;
        }
        for stream in mute {
            closed(stream).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(2), shown).await.expect("a villain is still connected");
    assert_eq!(times(&federation).await.len(), 20);
}
