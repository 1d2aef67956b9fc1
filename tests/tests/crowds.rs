//! Crowds at the doors of a node, of strangers and of callers who say no more: friends are answered meanwhile, and the others
//! are shown out.

use std::time::{Duration, Instant};

use tokio::io::AsyncReadExt;
use wanqu_client::Client;
use wanqu_tests::federation::{Federation, HONG_KONG, MACAU, SHENZHEN, ask, jid, question, researcher};
use wanqu_tests::health::HealthOptions;
use wanqu_tests::impostor::identity_of;
use wanqu_tests::strangers::{Target, address_of, answered, closed};
use wanqu_tests::world::World;

const ALL_VISITS: &str = "SELECT jurisdiction, count(*) AS n FROM gba.health.visits GROUP BY jurisdiction";

/// The tests take turns: what they tell of times is of the whole machine.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Longest time until the villains of a test are gone.
const SHOWN_OUT: Duration = Duration::from_mins(2);

fn world() -> World {
    World::health(1, HealthOptions::default()).unwrap()
}

/// Times of a few questions at a home, each over a connection of its own.
async fn times(federation: &Federation, home: &str) -> Vec<Duration> {
    let (gateway, ca) = (federation.local.gateway(&jid(home)).unwrap(), federation.local.ca(&jid(home)).unwrap());
    let token = federation.local.token(&jid(home), &researcher(), Duration::from_hours(1)).unwrap();
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

/// Tells the longest of the times, idle and under attack. What they should be depends on the machine.
fn tell(idle: &[Duration], loud: &[Duration]) {
    let p99 = |times: &[Duration]| times[times.len() - 1].as_secs_f64() * 1000.0;
    let ratio = p99(loud) / p99(idle);
    println!("p99 of a question: {:.0} ms idle, {:.0} ms under attack, {ratio:.2} times", p99(idle), p99(loud));
}

/// Waits until the other end has closed all of these.
async fn all_closed(streams: impl IntoIterator<Item = impl AsyncReadExt + Unpin>) {
    for stream in streams {
        closed(stream).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_friend_is_answered_whoever_shouts_at_the_door() {
    let _alone = ALONE.lock().await;
    let federation = Federation::start(world()).await.unwrap();
    let idle = times(&federation, MACAU).await;
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
            mute.extend(target.mute(address_of(villain)).await);
            drop(target.mute(address_of(villain)).await);
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
        tokenless.extend(target.unfinished_calls_of_a_stranger(address_of(9), 1).await);
    }
    // A connection may break while the last of them are sent.
    if let Some(doubted) = target.unfinished_calls_of_a_stranger(address_of(13), 40).await {
        let closed_soon = tokio::time::timeout(Duration::from_secs(30), closed(doubted));
        closed_soon.await.expect("a stranger may have one call after the other refused");
    }

    let loud = times(&federation, MACAU).await;
    tell(&idle, &loud);

    // Each of the villains is shown the door.
    let shown = async {
        for stream in &mut tokenless {
            answered(stream, 1).await;
        }
        for stream in &mut unfinished {
            answered(stream, 60).await;
        }
        all_closed(silent).await;
        all_closed(mute).await;
    };
    tokio::time::timeout(SHOWN_OUT, shown).await.expect("a villain is still connected");
    assert_eq!(times(&federation, MACAU).await.len(), 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_friendly_node_is_answered_whoever_shouts_at_the_exchange() {
    let _alone = ALONE.lock().await;
    let federation = Federation::start(world()).await.unwrap();
    let idle = times(&federation, HONG_KONG).await;
    let identity = identity_of(&federation, SHENZHEN);
    let stranger = Target::exchange(&federation, MACAU, None);
    let peer = Target::exchange(&federation, MACAU, Some(&identity));

    // Strangers: without a word, with half a handshake, without a certificate.
    let (mut silent, mut nameless) = (Vec::new(), Vec::new());
    for villain in 1..=8 {
        for _ in 0..18 {
            silent.push(stranger.silent(address_of(villain)).await);
            silent.push(stranger.half_open(address_of(villain)).await);
            drop(stranger.half_open(address_of(villain)).await);
        }
        for _ in 0..8 {
            nameless.extend(stranger.mute(address_of(villain)).await);
            nameless.extend(stranger.unfinished_calls(address_of(villain), 1).await);
        }
    }
    for _ in 0..40 {
        silent.push(stranger.silent([127, 0, 0, 1].into()).await);
    }

    // A member: connections without a call, calls that do not end, calls of which nothing but the head comes.
    let mut mute = Vec::new();
    for _ in 0..40 {
        mute.extend(peer.mute(address_of(9)).await);
    }
    let mut unfinished = Vec::new();
    for (stream, calls) in [
        (peer.unfinished_calls(address_of(10), 60).await, 60),
        (peer.heads(address_of(11), 2_500).await, 2_500),
        (peer.heads(address_of(11), 2_500).await, 2_500),
    ] {
        let mut stream = stream.expect("a member is let in");
        unfinished.push((tokio::spawn(async move { answered(&mut stream, calls).await }), calls));
    }

    let loud = times(&federation, HONG_KONG).await;
    tell(&idle, &loud);

    let shown = async {
        all_closed(silent).await;
        all_closed(nameless).await;
        all_closed(mute).await;
        for (refused, calls) in unfinished {
            assert_eq!(refused.await.unwrap(), calls, "none of them is answered");
        }
    };
    tokio::time::timeout(SHOWN_OUT, shown).await.expect("a villain is still connected");
    assert_eq!(times(&federation, HONG_KONG).await.len(), 20);
}
