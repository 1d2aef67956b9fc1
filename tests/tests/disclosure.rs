//! Nobody's values cross a border, reach a researcher or stand in a log: under the suites' queries, under attacks by
//! SQL, and under attacks by nodes that lie.

#![allow(clippy::type_complexity, reason = "plain is better in a test")]

use std::path::Path;
use std::time::Duration;

use futures::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Mutex;
use wanqu_identity::{Authority, Validity};
use wanqu_model::refusal::Refusal;
use wanqu_rules::envelope::Envelope;
use wanqu_testing::until;
use wanqu_tests::attacks::{self, Attack, Outcome};
use wanqu_tests::check::Pair;
use wanqu_tests::compare::{Cell, Order, Rows};
use wanqu_tests::federation::{Answered, Federation, HONG_KONG, MACAU, SHENZHEN};
use wanqu_tests::grammar::RandomQuery;
use wanqu_tests::health::HealthOptions;
use wanqu_tests::impostor::{Impostor, identity_of};
use wanqu_tests::oracle::Oracle;
use wanqu_tests::slt;
use wanqu_tests::watch::Watch;
use wanqu_tests::world::World;

const HOMES: [&str; 3] = [SHENZHEN, HONG_KONG, MACAU];

/// The log is one for the whole process: only one test may watch it at a time.
static WATCHING: Mutex<()> = Mutex::const_new(());

async fn federation(min_units: u32) -> Federation {
    let options = HealthOptions { scale: 3, canaries: true, ..HealthOptions::default() };
    Federation::start(World::health(min_units, options).unwrap()).await.unwrap()
}

/// Otherwise everything below would pass on a tap that hears nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_planted_value_that_is_let_through_is_heard() {
    let _alone = WATCHING.lock().await;
    let watch = Watch::default();
    let federation = federation(1).await;
    let sql = "SELECT diagnosis, sum(cost) AS s FROM gba.health.visits WHERE diagnosis = 'Q99.9' GROUP BY diagnosis";
    for home in HOMES {
        let answer =
            federation.ask(home, "SELECT district, sum(income) AS s FROM gba.health.patients GROUP BY district").await;
        let seen = watch.seen(&federation, &answer);
        for part in ["crossed decimal", "crossed text", "the researcher saw text"] {
            assert!(seen.iter().any(|line| line.contains(part)), "{home}: no {part} in {seen:?}");
        }
        federation.ask(home, sql).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_suites_queries_let_nothing_through() {
    let _alone = WATCHING.lock().await;
    let watch = Watch::default();
    let federation = federation(10).await;
    let listed = slt::read_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("slt")).unwrap();
    let listed = listed.into_iter().map(|query| query.sql);
    let random = (0..400).map(|number| RandomQuery::of(11, number).sql());
    let queries: Vec<String> = listed.chain(random).collect();
    let (federation_ref, watch_ref) = (&federation, &watch);
    let asked = queries.iter().enumerate().map(|(number, sql)| async move {
        let answer = federation_ref.ask(HOMES[number % 3], sql).await;
        let seen = watch_ref.seen(federation_ref, &answer);
        // Others run at the same time: one of them may be to blame.
        (!seen.is_empty()).then(|| format!("about when this was asked: {sql}\n  {seen:?}\n"))
    });
    let leaks: Vec<String> =
        stream::iter(asked).buffer_unordered(4).filter_map(|leak| async move { leak }).collect().await;
    assert!(leaks.is_empty(), "{}", leaks.concat());
}

/// Returns what is wrong with the result of an attack; `None` if nothing is.
async fn came_of(
    federation: &Federation,
    home: &str,
    attack: &Attack,
    answer: &Result<Answered, Refusal>,
) -> Option<String> {
    let explains = attack.sql.starts_with("EXPLAIN");
    let rows = answer.as_ref().map(|answered| format!("{:?}", answered.rows.rows)).unwrap_or_default();
    if !explains && rows.contains("Q99.9") {
        return Some("a group of one person is in the answer".into());
    }
    match (&attack.outcome, answer) {
        (Outcome::Harmless, _) => None,
        (Outcome::Refused(codes), Err(refusal)) => {
            let code = refusal.code.to_string();
            (!codes.contains(&code.as_str())).then(|| format!("refused otherwise: {refusal}"))
        }
        (Outcome::Refused(codes), Ok(_)) => {
            Some(format!("answered, and should be refused with one of {codes:?}: {rows}"))
        }
        (Outcome::Hides(text), Ok(_)) => rows.contains(text).then(|| format!("the answer has {text}: {rows}")),
        (Outcome::Withholds(columns), Ok(answered)) => {
            let Rows { names, rows, .. } = &answered.rows;
            let nulls: Vec<Vec<&str>> = rows.iter().map(|row| nulls(names, row)).collect();
            if nulls.is_empty() || nulls.iter().any(|nulls| nulls != columns) {
                return Some(format!("{columns:?} should be NULL, and {nulls:?} are: {rows:?}"));
            }
            let summary = &answered.summary;
            (summary.rows_lacking != Some(summary.rows)).then(|| format!("rows are not marked: {summary:?}"))
        }
        (Outcome::Hides(_) | Outcome::Withholds(_) | Outcome::AsForNobody(..), Err(refusal)) => {
            Some(format!("should be answered, is refused: {refusal}"))
        }
        (Outcome::AsForNobody(somebody, nobody), Ok(answered)) => {
            let other = attack.sql.replace(somebody, nobody);
            match federation.ask(home, &other).await {
                Err(refusal) => Some(format!("the same about nobody is refused: {refusal}")),
                Ok(empty) => told_apart(answered, &empty),
            }
        }
    }
}

/// Returns the columns of a row that are NULL.
fn nulls<'n>(names: &'n [String], row: &[Cell]) -> Vec<&'n str> {
    names.iter().zip(row).filter(|(_, cell)| **cell == Cell::Null).map(|(name, _)| name.as_str()).collect()
}

/// Returns how an answer about few could be told from one about nobody; `None` if it could not.
fn told_apart(few: &Answered, nobody: &Answered) -> Option<String> {
    let rows = |answered: &Answered| format!("{:?}", answered.rows.rows);
    if rows(few) != rows(nobody) {
        return Some(format!("rows tell one from nobody: {} against {}", rows(few), rows(nobody)));
    }
    let account = |answered: &Answered| {
        let summary = &answered.summary;
        let releases = summary.outcomes.iter().flat_map(|outcome| {
            outcome.releases.iter().map(|release| (release.owner.clone(), release.rows, release.may_hide_cells()))
        });
        let releases: Vec<_> = releases.collect();
        format!("{} {:?} {} {releases:?}", summary.rows, summary.rows_lacking, summary.may_lack)
    };
    (account(few) != account(nobody))
        .then(|| format!("the account tells one from nobody: {} against {}", account(few), account(nobody)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attacks_by_sql() {
    let _alone = WATCHING.lock().await;
    let watch = Watch::default();
    let federation = federation(10).await;
    let mut wrong = String::new();
    for (number, attack) in attacks::all().iter().enumerate() {
        let home = HOMES[number % 3];
        let answer = federation.ask(home, &attack.sql).await;
        let mut faults = watch.seen(&federation, &answer);
        faults.extend(came_of(&federation, home, attack, &answer).await);
        if !faults.is_empty() {
            let sql: String = attack.sql.chars().take(300).collect();
            wrong += &format!("{} at {home}: {sql}\n  {}\n", attack.name, faults.join("\n  "));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// What is written between quotes is a value or a name, whatever it looks like: the answer is that of one engine that reads
/// the text once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn literals_and_names_are_read_as_they_are_written() {
    let _alone = WATCHING.lock().await;
    let world = World::health(1, HealthOptions { canaries: false, ..HealthOptions::default() }).unwrap();
    let oracle = Oracle::over(&world.bundles().unwrap()).await.unwrap();
    let pair = Pair { federation: Federation::start(world).await.unwrap(), oracle };
    let mut queries = Vec::new();
    for text in attacks::literals::TEXTS {
        queries.push(format!("SELECT count(*) AS n FROM gba.health.visits WHERE specialty <> '{text}'"));
        queries.push(format!("SELECT count(*) AS n FROM gba.health.visits WHERE specialty = '{text}' OR emergency"));
        queries.push(format!(
            "SELECT jurisdiction, count(*) FILTER (WHERE specialty NOT IN ('CAR', '{text}')) AS n FROM gba.health.visits GROUP BY jurisdiction"
        ));
        queries.push(format!("SELECT '{text}' AS t, count(*) AS n FROM gba.health.visits"));
        queries
            .push(format!("SELECT facility, title || '{text}' AS t FROM gba.health.facilities WHERE kind <> '{text}'"));
    }
    for name in attacks::literals::NAMES {
        queries
            .push(format!("SELECT specialty AS \"{name}\", count(*) AS n FROM gba.health.visits GROUP BY specialty"));
        queries.push(format!(
            "SELECT \"{name}\" AS k, sum(cost) AS s FROM (SELECT specialty AS \"{name}\", cost FROM gba.health.visits) AS \"{name}\" WHERE \"{name}\" <> 'x' GROUP BY \"{name}\""
        ));
    }
    let mut wrong = String::new();
    for (number, sql) in queries.iter().enumerate() {
        if let Some(what) = pair.wrong(HOMES[number % 3], sql, Order::Any).await {
            wrong += &format!("{sql:?}\n  {what}\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// The planner at home refuses most attacks as a courtesy. Here a home node sends them all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attacks_by_a_home_node_that_sends_anything() {
    let _alone = WATCHING.lock().await;
    let watch = Watch::default();
    let federation = federation(10).await;
    let impostor = Impostor::new(&federation, HONG_KONG, identity_of(&federation, HONG_KONG));
    let mut wrong = String::new();
    for attack in attacks::all() {
        // At an owner, these are sets of its own groups like any others.
        let sets = attack.sql.contains("INTERSECT") || attack.sql.contains("EXCEPT");
        for owner in [SHENZHEN, MACAU] {
            let came = impostor.send(&impostor.envelope(owner, &attack.sql)).await;
            let mut faults = watch.crossed(&federation);
            // A release of other columns than a count: it has crossed.
            let crossed = came.as_ref().is_ok() || came.as_ref().is_err_and(|r| r.code.to_string() == "release-shape");
            if crossed && !sets && matches!(attack.outcome, Outcome::Refused(_)) {
                faults.push(format!("{came:?}"));
            }
            if !faults.is_empty() {
                let sql: String = attack.sql.chars().take(300).collect();
                wrong += &format!("{} to {owner}: {sql}\n  {}\n", attack.name, faults.join("\n  "));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// A question that an honest home node might send.
const HONEST: &str = "SELECT count(*) AS n FROM gba.health.visits";

/// Changes an honest envelope into a lie.
type Lie = (&'static str, &'static str, fn(&mut Envelope));

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn envelopes_with_false_fields_are_refused() {
    let _alone = WATCHING.lock().await;
    let watch = Watch::default();
    let federation = federation(10).await;
    let impostor = Impostor::new(&federation, HONG_KONG, identity_of(&federation, HONG_KONG));
    assert_eq!(impostor.send(&impostor.envelope(SHENZHEN, HONEST)).await.unwrap(), 1, "an honest one is answered");
    let lies: [Lie; 17] = [
        ("another sender", "identity", |e| e.from = "MO".parse().unwrap()),
        ("the owner as sender", "identity", |e| e.from = "CN-SZ".parse().unwrap()),
        ("no member as sender", "identity", |e| e.from = "TW".parse().unwrap()),
        ("another version", "envelope", |e| e.version = 2),
        ("made long ago", "envelope", |e| e.issued_at -= SignedDuration::from_secs(600)),
        ("made tomorrow", "envelope", |e| e.issued_at += SignedDuration::from_hours(24)),
        ("a deadline too far away", "envelope", |e| e.deadline += SignedDuration::from_hours(48)),
        ("another purpose of the agreement", "purpose", |e| e.purpose = "teaching".parse().ok()),
        ("a purpose of nobody's", "purpose", |e| e.purpose = "marketing".parse().ok()),
        ("no purpose", "purpose", |e| e.purpose = None),
        ("no project", "requester", |e| e.project = None),
        ("an unknown project", "requester", |e| e.project = "no-such-project".parse().ok()),
        ("another researcher", "requester", |e| e.requester.subject = "somebody-else".into()),
        ("another issuer", "requester", |e| e.requester.issuer = "https://evil.example".into()),
        ("no agreement", "no-agreement", |e| e.agreement = None),
        ("another agreement", "no-agreement", |e| e.agreement = Some("0".repeat(64))),
        ("an empty digest", "no-agreement", |e| e.agreement = Some(String::new())),
    ];
    let mut wrong = String::new();
    for (name, code, lie) in lies {
        let mut envelope = impostor.envelope(SHENZHEN, HONEST);
        lie(&mut envelope);
        match impostor.send(&envelope).await {
            Err(refusal) if refusal.code.to_string() == code => {}
            came => wrong += &format!("{name}: should be refused with {code}: {came:?}\n"),
        }
    }
    // The same envelope twice.
    let envelope = impostor.envelope(SHENZHEN, HONEST);
    impostor.send(&envelope).await.unwrap();
    let again = impostor.send(&envelope).await.unwrap_err();
    assert_eq!(again.code.to_string(), "envelope", "{again}");
    // The same nonce for another question.
    let mut other =
        impostor.envelope(SHENZHEN, "SELECT specialty, count(*) AS n FROM gba.health.visits GROUP BY specialty");
    other.nonce = envelope.nonce;
    assert_eq!(impostor.send(&other).await.unwrap_err().code.to_string(), "envelope");
    // An envelope for another owner.
    for sql in ["SELECT count(*) AS n FROM macau.health.visits", "SELECT count(*) AS n FROM \"gba@MO\".health.visits"] {
        let came = impostor.send(&impostor.envelope(SHENZHEN, sql)).await;
        assert_eq!(came.unwrap_err().code.to_string(), "unknown-name", "{sql}");
    }
    let seen = watch.crossed(&federation);
    assert!(wrong.is_empty() && seen.is_empty(), "{wrong}{seen:?}");
}

/// A world whose agreements were changed.
async fn agreements(change: impl FnOnce(String) -> String) -> Federation {
    let options = HealthOptions { scale: 3, ..HealthOptions::default() };
    Federation::start(World::health_with(10, options, change).unwrap()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn agreements_have_a_direction_dates_and_a_state() {
    let _alone = WATCHING.lock().await;
    // Hong Kong may not ask Macau; Macau may ask Hong Kong.
    let direction = |text: String| {
        let kept = text.split("---\n").filter(|part| !part.contains("metadata: { name: macau-to-hongkong }"));
        kept.collect::<Vec<_>>().join("---\n").replace(", macau-to-hongkong", "")
    };
    let expired = |text: String| {
        text.replace(
            "  notBefore: 2019-01-01T00:00:00Z\n  expires: 2099-01-01T00:00:00Z",
            "  notBefore: 2019-01-01T00:00:00Z\n  expires: 2020-01-01T00:00:00Z",
        )
    };
    let early = |text: String| text.replace("2019-01-01T00:00:00Z", "2098-01-01T00:00:00Z");
    let suspended = |text: String| text.replace("  state: Active", "  state: Suspended");
    let elsewhere = |text: String| {
        text.replace("  domains: [health, transit]", "  domains: [transit]")
            .replace("  domains: [health]", "  domains: [reference]")
    };
    let changes: [(&str, Box<dyn FnOnce(String) -> String>); 5] = [
        ("direction", Box::new(direction)),
        ("expired", Box::new(expired)),
        ("not yet", Box::new(early)),
        ("suspended", Box::new(suspended)),
        ("other tables", Box::new(elsewhere)),
    ];
    for (name, change) in changes {
        let federation = agreements(change).await;
        let refusal = federation.ask(HONG_KONG, HONEST).await.unwrap_err();
        assert_eq!(refusal.code.to_string(), "no-agreement", "{name}: {refusal}");
        // A home node that does not look at its own agreements first gets no further.
        let impostor = Impostor::new(&federation, HONG_KONG, identity_of(&federation, HONG_KONG));
        let mut envelope = impostor.envelope(MACAU, HONEST);
        if envelope.agreement.is_none() {
            envelope.agreement = Some("0".repeat(64));
        }
        let refusal = impostor.send(&envelope).await.unwrap_err();
        assert_eq!(refusal.code.to_string(), "no-agreement", "{name}: {refusal}");
        if name == "direction" {
            federation.ask(MACAU, "SELECT count(*) AS n FROM hongkong.health.visits").await.unwrap();
        }
        // Its own data it may always ask, and what is public.
        federation.ask(HONG_KONG, "SELECT count(*) AS n FROM hongkong.health.visits").await.unwrap();
        federation.ask(HONG_KONG, "SELECT * FROM macau.health.facilities").await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_that_do_not_hold() {
    let _alone = WATCHING.lock().await;
    let federation = federation(10).await;
    let now = Timestamp::now();
    let day = Validity::days(now, 1);
    let hong_kong = federation.local.authority(&HONG_KONG.parse().unwrap()).unwrap();
    let long_ago = Validity::days(now - SignedDuration::from_hours(24 * 60), 30);
    let stranger = Authority::new(HONG_KONG.parse().unwrap(), "gba.test", day).unwrap();
    let elsewhere = Authority::new(HONG_KONG.parse().unwrap(), "other.test", day).unwrap();
    let identities = [
        (
            "Hong Kong's authority vouches for Shenzhen",
            SHENZHEN,
            hong_kong.issue_node_named(&SHENZHEN.parse().unwrap(), day),
        ),
        ("a certificate of long ago", HONG_KONG, hong_kong.issue_node(long_ago)),
        ("an authority that nobody knows", HONG_KONG, stranger.issue_node(day)),
        ("another trust domain", HONG_KONG, elsewhere.issue_node(day)),
    ];
    for (name, from, identity) in identities {
        let before = federation.tap.refused().len();
        let impostor = Impostor::new(&federation, from, identity.unwrap());
        let refusal = impostor.send(&impostor.envelope(MACAU, HONEST)).await.unwrap_err();
        let code = refusal.code.to_string();
        assert!(["identity", "owner-unavailable"].contains(&code.as_str()), "{name}: {refusal}");
        // The one who is refused hears it before the refusal is written down.
        until(&format!("{name}: the refused connection being noticed"), Duration::from_secs(30), async || {
            let refused = federation.tap.refused();
            if refused.len() > before { Ok(()) } else { Err(format!("{refused:?}")) }
        })
        .await;
    }
    // In the clear.
    let before = federation.tap.refused().len();
    let address = federation.local.exchange(&MACAU.parse().unwrap()).unwrap();
    let answer = tokio::task::spawn_blocking(move || {
        use std::io::{Read, Write};
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        answer
    });
    assert!(answer.await.unwrap().len() < 64, "a TLS alert at most");
    until("the connection in the clear being noticed", Duration::from_secs(30), async || {
        let refused = federation.tap.refused();
        if refused.len() > before { Ok(()) } else { Err(format!("{refused:?}")) }
    })
    .await;
}
