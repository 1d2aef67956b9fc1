//! More questions than a home has places: they wait in line, callers take turns, and nothing is answered wrongly.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures::future::join_all;
use wanqu_cli::local::LocalOptions;
use wanqu_client::Client;
use wanqu_model::bundle::{ProjectSubject, Subject};
use wanqu_tests::compare::{Order, difference};
use wanqu_tests::federation::{Answered, Federation, HONG_KONG, ask, jid, question, researcher};
use wanqu_tests::health::HealthOptions;
use wanqu_tests::world::World;

const VISITS: &str = "SELECT jurisdiction, count(*) AS n FROM gba.health.visits GROUP BY jurisdiction";

/// The tests take turns: each has all that two cores can do.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Seconds that the crowd asks; `WANQU_CROWD_SECONDS` sets another number.
fn crowd_seconds() -> u64 {
    std::env::var("WANQU_CROWD_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(10)
}

fn named(number: usize) -> Subject {
    Subject { subject: format!("researcher-{number}"), ..researcher() }
}

/// A federation whose project has so many more researchers.
async fn federation(researchers: usize) -> Federation {
    let more = move |options: &mut LocalOptions| {
        options.amend = Some(Box::new(move |bundle| {
            let subjects = (0..researchers).map(|number| {
                let Subject { issuer, subject } = named(number);
                ProjectSubject { jurisdiction: Some(jid(HONG_KONG)), issuer, subject }
            });
            bundle.projects.iter_mut().for_each(|project| project.subjects.extend(subjects.clone()));
        }));
    };
    Federation::start_with(World::health(1, HealthOptions::default()).unwrap(), more).await.unwrap()
}

/// A client of its own connection.
fn client(federation: &Federation, subject: &Subject) -> Client {
    let (home, local) = (jid(HONG_KONG), &federation.local);
    let token = local.token(&home, subject, Duration::from_hours(1)).unwrap();
    Client::connect(&local.gateway(&home).unwrap(), local.ca(&home).unwrap(), &token, None).unwrap()
}

fn same(expected: &Answered, got: &Answered) {
    assert_eq!(difference(&expected.rows, &got.rows, Order::Any), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forty_questions_at_once_are_all_answered() {
    let _alone = ALONE.lock().await;
    let federation = federation(0).await;
    let expected = federation.ask(HONG_KONG, VISITS).await.unwrap();
    let answers = join_all((0..40).map(|_| federation.ask(HONG_KONG, VISITS))).await;
    for answer in answers {
        same(&expected, &answer.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_who_asks_for_everything_does_not_hold_up_another() {
    let _alone = ALONE.lock().await;
    let federation = federation(1).await;
    let (greedy, modest) = (client(&federation, &researcher()), client(&federation, &named(0)));
    let expected = ask(&modest, &question(VISITS)).await.unwrap();
    same(&expected, &ask(&greedy, &question(VISITS)).await.unwrap());
    let answered = AtomicUsize::new(0);
    let many = join_all((0..80).map(|_| async {
        let answer = ask(&greedy, &question(VISITS)).await;
        answered.fetch_add(1, Ordering::Relaxed);
        answer
    }));
    let other = async {
        // Ask once the greedy researcher has all places that they may have.
        while answered.load(Ordering::Relaxed) == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let answer = ask(&modest, &question(VISITS)).await.unwrap();
        (answer, answered.load(Ordering::Relaxed))
    };
    let (many, (answer, before)) = tokio::join!(many, other);
    same(&expected, &answer);
    assert!(before < 60, "{before} of 80 went first");
    for answer in many {
        same(&expected, &answer.unwrap());
    }
}

/// Bytes that this process has in memory.
fn memory() -> usize {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap();
    status.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_clients_are_answered_rightly_and_by_turns() {
    const RESEARCHERS: usize = 10;
    let _alone = ALONE.lock().await;
    let federation = Arc::new(federation(RESEARCHERS).await);
    let expected = Arc::new(federation.ask(HONG_KONG, VISITS).await.unwrap());
    let counts: Arc<Vec<AtomicUsize>> = Arc::new((0..RESEARCHERS).map(|_| AtomicUsize::new(0)).collect());
    // Half of all clients are one researcher's.
    let whose = |number: usize| if number < 100 { 0 } else { 1 + number % (RESEARCHERS - 1) };
    let all: Vec<_> = (0..200).map(|number| client(&federation, &named(whose(number)))).collect();
    // They come in groups: of strangers from one address the door holds a few, and whoever has shown a token is none.
    let first = question(VISITS);
    for group in all.chunks(8) {
        for answer in join_all(group.iter().map(|client| ask(client, &first))).await {
            same(&expected, &answer.unwrap());
        }
    }
    let (before, end) = (memory(), Instant::now() + Duration::from_secs(crowd_seconds()));
    let clients = all.into_iter().enumerate().map(|(number, client)| {
        let (counts, expected) = (Arc::clone(&counts), Arc::clone(&expected));
        tokio::spawn(async move {
            while Instant::now() < end {
                same(&expected, &ask(&client, &question(VISITS)).await.unwrap());
                // Each client has one more answer after the end, whoever it is of: it does not count.
                if Instant::now() < end {
                    counts[whose(number)].fetch_add(1, Ordering::Relaxed);
                }
            }
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.unwrap();
    }
    let counts: Vec<usize> = counts.iter().map(|count| count.load(Ordering::Relaxed)).collect();
    let grown = memory().saturating_sub(before) >> 20;
    println!(
        "{} answers in {} s, by researcher {counts:?}; {grown} MiB more",
        counts.iter().sum::<usize>(),
        crowd_seconds()
    );
    // However few answers a slow machine gives: no more than the part of the places that one may have.
    assert!(counts[0] * 4 <= counts.iter().sum::<usize>() * 3, "by turns: {counts:?}");
    assert!(grown < 1024, "{grown} MiB more in memory");
}
