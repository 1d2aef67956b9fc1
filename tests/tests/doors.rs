//! Gateways and exchanges of running nodes: which callers are let in, what is logged of those who are not, and what happens
//! when a caller leaves or an owner is slow.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use query_node::audit::{self, Entry, Filter};
use query_node::bundle_file::FiledBundle;
use query_node::clock::Clock;
use wanqu_client::Client;
use wanqu_model::answer::{Event, Keep, Progress, Question};
use wanqu_model::bundle::NodeBundle;
use wanqu_model::names::JurisdictionId;
use wanqu_model::refusal::{Code, Refusal};
use wanqu_rules::envelope::Envelope;
use wanqu_testing::until;
use wanqu_tests::federation::{Federation, HONG_KONG, MACAU, SHENZHEN, ask, jid, question, researcher};
use wanqu_tests::health::HealthOptions;
use wanqu_tests::idle::nodes_are_idle;
use wanqu_tests::impostor::{Impostor, identity_of};
use wanqu_tests::logs::Logs;
use wanqu_tests::relay::Relay;
use wanqu_tests::world::World;

const ALL_VISITS: &str = "SELECT jurisdiction, count(*) AS n FROM gba.health.visits GROUP BY jurisdiction";

/// The log and the threads are one process's: the tests take turns.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

fn world() -> World {
    World::health(1, HealthOptions::default()).unwrap()
}

fn entries(federation: &Federation, node: &str) -> Vec<Entry> {
    let folder: &Path = federation.local.audit(&jid(node)).unwrap();
    audit::read(&[folder], &Filter::default()).unwrap().into_iter().map(|record| record.entry).collect()
}

/// Longest time of one condition.
const WITHIN: Duration = Duration::from_secs(30);

/// A clock that a test sets forward.
#[derive(Default)]
struct Ahead(Mutex<SignedDuration>);

impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        Timestamp::now() + *self.0.lock()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_that_do_not_hold() {
    let _alone = ALONE.lock().await;
    let clock = Arc::new(Ahead::default());
    let shared: Arc<dyn Clock> = clock.clone();
    let federation = Federation::start_with(world(), |options| options.clock = shared).await.unwrap();
    let client = |at: &str, token: &str| {
        let gateway = federation.local.gateway(&jid(at)).unwrap();
        Client::connect(&gateway, federation.local.ca(&jid(at)).unwrap(), token, None).unwrap()
    };
    let token = |at: &str| federation.local.token(&jid(at), &researcher(), Duration::from_hours(1)).unwrap();
    let good = token(HONG_KONG);
    ask(&client(HONG_KONG, &good), &question(ALL_VISITS)).await.unwrap();

    // The same issuer's name, and another key.
    let of_macau = token(MACAU);
    let mut changed = good.clone();
    changed.replace_range(good.len() - 8..good.len() - 4, "AAAA");
    for (what, bad) in
        [("of another city", of_macau.as_str()), ("changed", &changed), ("no token", "x.y.z"), ("empty", "")]
    {
        for sql in [ALL_VISITS, "SELECT 1 AS one"] {
            let refusal = ask(&client(HONG_KONG, bad), &question(sql)).await.unwrap_err();
            assert_eq!(refusal.code, Code::Identity, "{what}: {refusal}");
            assert!(bad.is_empty() || !refusal.to_string().contains(bad), "{what}: the refusal repeats it");
        }
        assert_eq!(client(HONG_KONG, bad).catalog().await.unwrap_err().code, Code::Identity, "{what}");
    }

    *clock.0.lock() = SignedDuration::from_hours(2);
    let refusal = ask(&client(HONG_KONG, &good), &question(ALL_VISITS)).await.unwrap_err();
    assert_eq!(refusal.code, Code::Identity, "{refusal}");
    ask(&client(HONG_KONG, &token(HONG_KONG)), &question(ALL_VISITS)).await.unwrap();
}

/// Returns a server's answer to a client without TLS.
fn in_the_clear(address: SocketAddr) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_in_the_clear_are_refused_and_logged() {
    let _alone = ALONE.lock().await;
    let logs = Logs::keep();
    let federation = Federation::start(world()).await.unwrap();
    let exchange = federation.local.exchange(&jid(MACAU)).unwrap();
    let gateway = federation.local.gateway(&jid(MACAU)).unwrap().trim_start_matches("https://").parse().unwrap();
    for (door, address) in [("exchange", exchange), ("gateway", gateway)] {
        drop(logs.take());
        let answer = tokio::task::spawn_blocking(move || in_the_clear(address)).await.unwrap();
        assert!(answer.len() < 64, "{door}: more than a TLS alert");
        let mut seen = Vec::new();
        until(&format!("a line about the {door}"), WITHIN, async || {
            seen.extend(logs.take());
            let text = String::from_utf8_lossy(&seen).into_owned();
            let logged = |line: &str| line.contains("a connection was refused") && line.contains("WARN");
            if text.lines().any(logged) { Ok(()) } else { Err(text) }
        })
        .await;
    }
}

/// An envelope in which something is wrong that is seen before it is read.
type Lie = (&'static str, Code, fn(&mut Envelope));

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn envelopes_that_are_refused_unread_are_in_the_audit_log() {
    let _alone = ALONE.lock().await;
    let federation = Federation::start(world()).await.unwrap();
    let impostor = Impostor::new(&federation, HONG_KONG, identity_of(&federation, HONG_KONG));
    let envelope = |lie: fn(&mut Envelope)| {
        let mut envelope = impostor.envelope(SHENZHEN, "SELECT count(*) AS n FROM gba.health.visits");
        lie(&mut envelope);
        envelope
    };
    let honest = envelope(|_| ());
    impostor.send(&honest).await.unwrap();
    let before = entries(&federation, SHENZHEN).len();
    let lies: [Lie; 2] = [
        ("forged", Code::Identity, |e| e.from = "MO".parse().unwrap()),
        ("out of its time", Code::Envelope, |e| e.issued_at -= SignedDuration::from_hours(1)),
    ];
    for (what, code, lie) in lies {
        let refusal = impostor.send(&envelope(lie)).await.unwrap_err();
        assert_eq!(refusal.code, code, "{what}");
        // It was written before it was answered.
        let last = entries(&federation, SHENZHEN).pop().unwrap();
        let Entry::TurnedAway { from, refusal, times: 1 } = last else { panic!("{what}: {last:?}") };
        assert_eq!((from, refusal.code), (jid(HONG_KONG), code), "{what}");
    }
    // A flood of them is counted, and does not grow the log.
    for _ in 0..50 {
        impostor.send(&honest).await.unwrap_err();
    }
    assert_eq!(
        entries(&federation, SHENZHEN).len(),
        before + lies.len(),
        "replays are a kind that was written just now"
    );
    assert!(audit::verify(&[federation.local.audit(&jid(SHENZHEN)).unwrap()]).is_ok());
}

/// A statistic over people that takes two owners minutes.
const ENDLESS: &str = "SELECT count(*) AS n FROM gba.health.visits a \
    JOIN gba.health.visits b ON a.jurisdiction = b.jurisdiction AND a.emergency = b.emergency \
    JOIN gba.health.visits c ON a.jurisdiction = c.jurisdiction AND a.emergency = c.emergency \
    WHERE a.jurisdiction IN ('CN-SZ', 'HK')";

/// Public rows that an owner would send for minutes: the fifth power of 64.
const ENDLESS_ROWS: &str = "SELECT a.pm25 + b.pm25 AS x FROM macau.air.hourly a, macau.air.hourly b, \
    macau.air.hourly c, macau.air.hourly d, macau.air.hourly e";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_researcher_who_leaves_stops_every_owner() {
    let _alone = ALONE.lock().await;
    let federation =
        Federation::start(World::health(1, HealthOptions { scale: 10, ..HealthOptions::default() }).unwrap())
            .await
            .unwrap();
    let mut answer = federation.client(HONG_KONG).ask(&question(ENDLESS)).await.unwrap();
    let planned = answer.next().await.unwrap().unwrap();
    let Event::Progress(Progress::Planned { query_id, fragments: 2 }) = planned else { panic!("{planned:?}") };
    // The envelopes have crossed, and nobody has released anything.
    until("Shenzhen being asked", WITHIN, async || {
        let asked: Vec<JurisdictionId> = federation.tap.heard().into_iter().map(|crossing| crossing.to).collect();
        if asked.contains(&jid(SHENZHEN)) { Ok(()) } else { Err(format!("messages to {asked:?}")) }
    })
    .await;
    drop(answer);
    for owner in [SHENZHEN, HONG_KONG] {
        let what = format!("{owner} writing down that it stops");
        let refusal = until(&what, WITHIN, async || {
            let entries = entries(&federation, owner);
            let refused = entries.iter().find_map(|entry| match entry {
                Entry::Refused { request, refusal } if request.query_id == query_id => Some(refusal.clone()),
                _ => None,
            });
            refused.ok_or_else(|| format!("{entries:?}"))
        });
        assert_eq!(refusal.await.code, Code::Cancelled, "{owner}");
    }
    nodes_are_idle(Duration::from_mins(1)).await;
    // Their places are free when the work has ended, and not before.
    for (node, door) in [(SHENZHEN, "exchange"), (HONG_KONG, "gateway")] {
        is_empty(&federation, node, door).await;
    }

    // Rows that stream.
    let mut answer = federation.client(HONG_KONG).ask(&question(ENDLESS_ROWS)).await.unwrap();
    while !matches!(answer.next().await.unwrap().unwrap(), Event::Batch(_)) {}
    drop(answer);
    let closed = until("Macau closing the stream", WITHIN, async || {
        let entries = entries(&federation, MACAU);
        let closed = entries.iter().find_map(|entry| match entry {
            Entry::PublicClosed { complete, rows, from, .. } => Some((*complete, *rows > 0, from.clone())),
            _ => None,
        });
        closed.ok_or_else(|| format!("{entries:?}"))
    });
    assert_eq!(closed.await, (false, true, jid(HONG_KONG)));
    nodes_are_idle(Duration::from_mins(1)).await;
    federation.ask(HONG_KONG, ALL_VISITS).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_that_is_slow_but_alive() {
    let _alone = ALONE.lock().await;
    let relay = Relay::open().await.unwrap();
    let hurry = |text: String| text.replace("    release: {", "    limits: { deadlineSeconds: 5 }\n    release: {");
    let world = World::health_with(1, HealthOptions::default(), hurry).unwrap();
    let amend = relay.between(jid(HONG_KONG), jid(MACAU));
    let federation = Federation::start_with(world, |options| options.amend = Some(amend)).await.unwrap();
    federation.ask(HONG_KONG, ALL_VISITS).await.unwrap();

    // Within the deadline it is waited for.
    let slowness = Duration::from_millis(700);
    let before = relay.asked();
    relay.hold(true);
    let begun = Instant::now();
    let (asking, ()) = tokio::join!(federation.ask(HONG_KONG, ALL_VISITS), async {
        until("the owner being asked", WITHIN, async || {
            if relay.asked() > before { Ok(()) } else { Err("not a byte has passed the relay") }
        })
        .await;
        tokio::time::sleep(slowness).await;
        relay.hold(false);
    });
    let answered = asking.unwrap();
    assert!(begun.elapsed() >= slowness);
    assert_eq!(answered.rows.rows.len(), 3);
    let macau = answered.summary.outcomes.iter().find(|outcome| outcome.jurisdiction == jid(MACAU)).unwrap();
    assert!(macau.missing.is_none() && u128::from(macau.elapsed_ms) >= slowness.as_millis(), "{macau:?}");

    // Past it, it is named: as the reason for which there is no answer, or as missing from it.
    relay.hold(true);
    let refusal = federation.ask(HONG_KONG, ALL_VISITS).await.unwrap_err();
    assert_eq!((refusal.code, refusal.owner), (Code::Limit, Some(jid(MACAU))));
    let answered =
        ask(federation.client(HONG_KONG), &Question { partial: true, ..question(ALL_VISITS) }).await.unwrap();
    let missing: Vec<_> =
        answered.summary.outcomes.iter().filter_map(|o| Some((&o.jurisdiction, o.missing.as_ref()?.code))).collect();
    assert_eq!((answered.rows.rows.len(), missing), (2, vec![(&jid(MACAU), Code::Limit)]));
    // In a session that was set to partial answers.
    let set = federation.ask(HONG_KONG, &format!("SET wanqu.partial = true; {ALL_VISITS}")).await.unwrap();
    assert_eq!(set.rows.rows.len(), 2);
    assert!(set.summary.may_lack);

    relay.hold(false);
    assert_eq!(federation.ask(HONG_KONG, ALL_VISITS).await.unwrap().rows.rows.len(), 3);
}

/// Waits until no work for those who came by a door is left at a node.
async fn is_empty(federation: &Federation, node: &str, door: &str) {
    let none = format!("wanqu_running{{door=\"{door}\"}} 0");
    until(&format!("{node} having ended all work of its {door}"), WITHIN, async || {
        let metrics = federation.local.node(&jid(node)).unwrap().metrics();
        if metrics.contains(&none) { Ok(()) } else { Err(metrics) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_ends_a_fragment_by_its_own_deadline() {
    let _alone = ALONE.lock().await;
    let world = World::health(1, HealthOptions { scale: 10, ..HealthOptions::default() }).unwrap();
    let hurry = |bundle: &mut NodeBundle| {
        if bundle.jurisdiction != jid(HONG_KONG) {
            bundle.limits.deadline_seconds = 2;
        }
    };
    let federation = Federation::start_with(world, |options| options.amend = Some(Box::new(hurry))).await.unwrap();
    for (owner, sql) in [(SHENZHEN, ENDLESS), (MACAU, ENDLESS_ROWS)] {
        let refusal = federation.ask(HONG_KONG, sql).await.unwrap_err();
        assert_eq!((refusal.code, refusal.owner.clone()), (Code::Limit, Some(jid(owner))), "{refusal}");
        let rule = refusal.rule.unwrap();
        assert!(rule.contains(&format!("limits.deadlineSeconds of {owner}")), "{rule}");
        is_empty(&federation, owner, "exchange").await;
    }
    nodes_are_idle(Duration::from_mins(1)).await;
    let late = entries(&federation, SHENZHEN).into_iter().find_map(|entry| match entry {
        Entry::Refused { refusal, .. } => Some(refusal.code),
        _ => None,
    });
    assert_eq!(late, Some(Code::Limit), "and its log says so");
    federation.ask(HONG_KONG, ALL_VISITS).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_nobody_takes_gives_its_place_back() {
    let _alone = ALONE.lock().await;
    let hurry = |bundle: &mut NodeBundle| bundle.limits.deadline_seconds = 10;
    let federation = Federation::start_with(world(), |options| options.amend = Some(Box::new(hurry))).await.unwrap();
    let mut answer = federation.client(HONG_KONG).ask(&question(ENDLESS_ROWS)).await.unwrap();
    while !matches!(answer.next().await.unwrap().unwrap(), Event::Batch(_)) {}
    // The connection stays open, and nothing more is read from it.
    is_empty(&federation, HONG_KONG, "gateway").await;
    is_empty(&federation, MACAU, "exchange").await;
    nodes_are_idle(Duration::from_mins(1)).await;
    // The rest of the answer ends in a refusal.
    let end = loop {
        if let Err(refusal) = answer.next().await.expect("a refusal ends it") {
            break refusal;
        }
    };
    assert_eq!(end.code, Code::Limit, "{end}");
    federation.ask(HONG_KONG, ALL_VISITS).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fragments_that_are_read_and_refused_do_not_fill_the_log() {
    let _alone = ALONE.lock().await;
    let federation = Federation::start(world()).await.unwrap();
    let impostor = Impostor::new(&federation, HONG_KONG, identity_of(&federation, HONG_KONG));
    // Of a column that nobody may read, in a text that is as long as one may be.
    let long =
        format!("SELECT count(*) AS n FROM gba.health.visits WHERE no_such_column = 1 -- {}", "x".repeat(200_000));
    for _ in 0..300 {
        impostor.send(&impostor.envelope(SHENZHEN, &long)).await.unwrap_err();
    }
    let entries = entries(&federation, SHENZHEN);
    let listed = entries.iter().filter(|entry| matches!(entry, Entry::Refused { .. })).count();
    assert!((256..300).contains(&listed), "{listed}");
    let cut = entries.iter().find_map(|entry| entry.request()).unwrap();
    let whole = cut.sql_cut.as_ref().unwrap();
    assert_eq!((whole.bytes, cut.sql.len()), (long.len() as u64, 4096));
    let folder = federation.local.audit(&jid(SHENZHEN)).unwrap();
    let size: u64 = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum();
    assert!(size < 300 * 8 * 1024, "{size}");
    assert!(audit::verify(&[folder]).is_ok());
}

/// Puts another bundle in force at a node.
fn reload(federation: &Federation, node: &str, change: impl FnOnce(&mut NodeBundle)) {
    let mut bundle = federation.local.bundle(&jid(node)).unwrap().clone();
    change(&mut bundle);
    let filed = FiledBundle { bundle, digest: "changed".to_owned(), left_out: Vec::new() };
    federation.local.node(&jid(node)).unwrap().reload(filed).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_runs_ends_when_the_permission_is_withdrawn() {
    let _alone = ALONE.lock().await;
    let world = World::health(1, HealthOptions { scale: 10, ..HealthOptions::default() }).unwrap();
    let federation = Federation::start(world).await.unwrap();

    // A statistic that is being computed, and the agreement that it rests on.
    let asking = federation.ask(HONG_KONG, ENDLESS);
    let withdrawing = async {
        until("Shenzhen working", WITHIN, async || {
            let metrics = federation.local.node(&jid(SHENZHEN)).unwrap().metrics();
            if metrics.contains("wanqu_running{door=\"exchange\"} 1") { Ok(()) } else { Err(metrics) }
        })
        .await;
        reload(&federation, SHENZHEN, |bundle| bundle.agreements.clear());
    };
    let (asked, ()) = tokio::join!(asking, withdrawing);
    let refusal = asked.unwrap_err();
    assert_eq!((refusal.code, refusal.owner), (Code::NoAgreement, Some(jid(SHENZHEN))));
    is_empty(&federation, SHENZHEN, "exchange").await;
    let refused = entries(&federation, SHENZHEN).into_iter().find_map(|entry| match entry {
        Entry::Refused { refusal, .. } => Some(refusal.code),
        _ => None,
    });
    assert_eq!(refused, Some(Code::NoAgreement));

    // Public rows on their way to a node that is a member no more. A bundle that changes nothing for it ends nothing.
    let mut answer = federation.client(HONG_KONG).ask(&question(ENDLESS_ROWS)).await.unwrap();
    while !matches!(answer.next().await.unwrap().unwrap(), Event::Batch(_)) {}
    reload(&federation, MACAU, |bundle| bundle.agreements.clear());
    let going_on = Instant::now() + Duration::from_secs(2);
    while Instant::now() < going_on {
        answer.next().await.unwrap().unwrap();
        // Slowly, so that the owner has not sent as many rows as a release may have.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    reload(&federation, MACAU, |bundle| bundle.members.retain(|member| member.jurisdiction != jid(HONG_KONG)));
    let ended = async {
        loop {
            if let Err(refusal) = answer.next().await.unwrap() {
                return refusal;
            }
        }
    };
    let refusal = tokio::time::timeout(WITHIN, ended).await.expect("the rows end");
    assert_eq!((refusal.code, refusal.owner), (Code::Identity, Some(jid(MACAU))), "{}", refusal.message);
    is_empty(&federation, MACAU, "exchange").await;
    nodes_are_idle(Duration::from_mins(1)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kept_answer_is_given_only_while_it_might_be_asked_for() {
    let _alone = ALONE.lock().await;
    let federation = Federation::start(world()).await.unwrap();
    let client = federation.client(HONG_KONG);
    let kept = Question { keep: Some(Keep { ttl_seconds: 3600 }), ..question(ALL_VISITS) };
    let result = ask(client, &kept).await.unwrap().summary.result.unwrap().id;
    let fetched = async || {
        let mut answer = client.fetch(result).await?;
        let mut rows = 0;
        while let Some(event) = answer.next().await {
            if let Event::Batch(batch) = event? {
                rows += batch.num_rows();
            }
        }
        Ok::<_, Refusal>(rows)
    };
    assert_eq!(fetched().await, Ok(3));
    reload(&federation, HONG_KONG, |bundle| bundle.agreements.retain(|agreement| agreement.from != jid(MACAU)));
    assert_eq!(fetched().await.unwrap_err().code, Code::NoAgreement, "of one owner whose part is in it");
    reload(&federation, HONG_KONG, |bundle| bundle.projects.clear());
    assert_eq!(fetched().await.unwrap_err().code, Code::Requester);
    reload(&federation, HONG_KONG, |_| ());
    assert_eq!(fetched().await, Ok(3));
    let log: Vec<Option<Code>> = entries(&federation, HONG_KONG)
        .into_iter()
        .filter_map(|entry| match entry {
            Entry::Fetched { query_id, refusal, .. } if query_id == result => Some(refusal.map(|refusal| refusal.code)),
            _ => None,
        })
        .collect();
    assert_eq!(log, [None, Some(Code::NoAgreement), Some(Code::Requester), None]);
}
