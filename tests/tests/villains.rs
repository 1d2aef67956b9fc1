//! Owners that lie. Home believes of them what can be true of their own rows, and nothing else; and it stays up.
//! Homes that lie. What they were shown, they cannot use elsewhere; and an owner believes them about their own researchers alone.
//! And bytes of strangers, which are read or refused.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, Int64Array, StringArray, new_null_array};
use arrow::compute::cast;
use arrow::datatypes::SchemaRef;
use arrow_flight::FlightData;
use jiff::Timestamp;
use query_node::audit::{self, AuditError, AuditSettings, BundleStanding, Entry, Expected, Filter, Log};
use sha2::{Digest, Sha256};
use wanqu_client::status::to_status;
use wanqu_fixtures::hostile::{LIES, Parts};
use wanqu_identity::{TokenIssuer, verify_statement_with_ca};
use wanqu_model::answer::Question;
use wanqu_model::audience::gateway_audience;
use wanqu_model::bundle::Subject;
use wanqu_model::names::JurisdictionId;
use wanqu_model::receipt::{Delivery, Receipt};
use wanqu_model::refusal::{Code, Refusal};
use wanqu_tests::federation::{Federation, HONG_KONG, MACAU, SHENZHEN, ask, jid, question};
use wanqu_tests::fuzzed;
use wanqu_tests::health::HealthOptions;
use wanqu_tests::impostor::{Impostor, identity_of};
use wanqu_tests::relay::Relay;
use wanqu_tests::villains::{HostileHome, HostileOwner, asked_columns, honest};
use wanqu_tests::world::World;

const BY_SPECIALTY: &str = "SELECT jurisdiction, specialty, count(*) AS n, sum(stay_days) AS s, count(stay_days) AS d FROM gba.health.visits WHERE specialty IN ('CAR', 'ONC', 'PED', 'ORT') GROUP BY jurisdiction, specialty";

/// A federation in which Hong Kong finds a villain where Macau's node should be.
async fn with_villain() -> (Federation, HostileOwner, Relay) {
    let relay = Relay::open().await.unwrap();
    let amend = relay.between(jid(HONG_KONG), jid(MACAU));
    let world = World::health(1, HealthOptions::default()).unwrap();
    let federation = Federation::start_with(world, |options| options.amend = Some(amend)).await.unwrap();
    let villain = HostileOwner::open(&federation, MACAU).await;
    relay.lead_to(villain.address());
    (federation, villain, relay)
}

/// A row of a release: jurisdiction, specialty, number of visits, sum and number of days.
type Row = (&'static str, &'static str, Option<i64>, Option<i64>, Option<i64>);

/// The release's values under the columns that were asked for.
fn values(columns: &SchemaRef, rows: &[Row]) -> Vec<ArrayRef> {
    let texts = |of: fn(&Row) -> &'static str| -> ArrayRef {
        Arc::new(rows.iter().map(|row| Some(of(row))).collect::<StringArray>())
    };
    let numbers = |of: fn(&Row) -> Option<i64>| -> ArrayRef { Arc::new(rows.iter().map(of).collect::<Int64Array>()) };
    let made = [texts(|r| r.0), texts(|r| r.1), numbers(|r| r.2), numbers(|r| r.3), numbers(|r| r.4)];
    let fitting = columns.fields().iter().enumerate().map(|(index, field)| match made.get(index) {
        Some(values) => cast(values, field.data_type()).expect("a value of the type that was asked for"),
        None => new_null_array(field.data_type(), rows.len()),
    });
    fitting.collect()
}

fn told(messages: Vec<FlightData>) -> Vec<Result<FlightData, tonic::Status>> {
    messages.into_iter().map(Ok).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_that_speaks_for_others_is_not_believed() {
    let (federation, villain, _relay) = with_villain().await;
    let columns = asked_columns(federation.local.bundle(&jid(HONG_KONG)).unwrap(), BY_SPECIALTY);
    let names: Vec<&str> = columns.fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!(names.len(), 5, "{names:?}");
    let release = async |rows: &[Row]| told(honest(&jid(MACAU), &columns, values(&columns, rows)).await);

    villain.answers(release(&[("MO", "CAR", Some(3), Some(4), Some(2)), ("MO", "ONC", Some(1), None, Some(0))]).await);
    let believed = federation.ask(HONG_KONG, BY_SPECIALTY).await.unwrap();
    let macau = believed.rows.rows.iter().filter(|row| format!("{row:?}").contains("MO")).count();
    assert_eq!(macau, 2, "what can be true is believed: {:?}", believed.rows.rows);

    let one = ("MO", "CAR", Some(3), Some(4), Some(2));
    let lies: [(&str, Vec<Row>); 8] = [
        ("another's rows", vec![("HK", "CAR", Some(3), Some(4), Some(2))]),
        ("nobody's rows", vec![("MO\u{1b}[2J", "CAR", Some(3), Some(4), Some(2))]),
        ("a group twice", vec![one, one]),
        ("a group that was not asked for", vec![("MO", "DER\u{1b}]0;x\u{7}", Some(3), Some(4), Some(2))]),
        ("a negative count", vec![("MO", "CAR", Some(-3), Some(4), Some(-3))]),
        ("no count", vec![("MO", "CAR", None, Some(4), Some(2))]),
        ("more values than rows", vec![("MO", "CAR", Some(3), Some(4), Some(5))]),
        ("a sum of nothing", vec![("MO", "CAR", Some(3), Some(4), Some(0))]),
    ];
    for (name, rows) in lies {
        villain.answers(release(&rows).await);
        let refusal = federation.ask(HONG_KONG, BY_SPECIALTY).await.expect_err(name);
        assert_eq!((refusal.code, &refusal.owner), (Code::ReleaseShape, &Some(jid(MACAU))), "{name}: {refusal}");
        assert!(refusal.rule.is_some() && !refusal.to_string().contains('\u{1b}'), "{name}: {refusal}");
        let partial = Question { partial: true, ..question(BY_SPECIALTY) };
        let answered = ask(federation.client(HONG_KONG), &partial).await.expect(name);
        let missing: Vec<_> = answered.summary.outcomes.iter().filter(|outcome| outcome.missing.is_some()).collect();
        assert!(matches!(missing[..], [only] if only.jurisdiction == jid(MACAU)), "{name}: {missing:?}");
        assert!(answered.summary.may_lack, "{name}");
    }
    // The others are not worse off.
    let others = "SELECT count(*) AS n FROM gba.health.visits WHERE jurisdiction IN ('CN-SZ', 'HK')";
    federation.ask(HONG_KONG, others).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_message_of_an_owner_ends_a_node() {
    let (federation, villain, _relay) = with_villain().await;
    let sql = "SELECT specialty, count(*) AS n FROM gba.health.visits GROUP BY specialty";
    let columns = asked_columns(federation.local.bundle(&jid(HONG_KONG)).unwrap(), sql);
    let made: Vec<ArrayRef> = vec![
        cast(&StringArray::from(vec!["longer than twelve bytes", "CAR"]), columns.field(0).data_type()).unwrap(),
        cast(&Int64Array::from(vec![2, 3]), columns.field(1).data_type()).unwrap(),
    ];
    let messages = honest(&jid(MACAU), &columns, made).await;
    villain.answers(told(messages.clone()));
    federation.ask(HONG_KONG, sql).await.unwrap();
    for (name, lie) in LIES {
        let mut parts = Parts::of(&messages[1]);
        lie(&mut parts);
        villain.answers(told(vec![messages[0].clone(), parts.message(), messages[2].clone()]));
        let refusal = federation.ask(HONG_KONG, sql).await.expect_err(name);
        assert_eq!((refusal.code, &refusal.owner), (Code::ReleaseShape, &Some(jid(MACAU))), "{name}: {refusal}");
    }
    villain.answers(told(messages));
    federation.ask(HONG_KONG, sql).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_words_of_a_hostile_owner_are_bounded_and_its_own() {
    let (federation, villain, _relay) = with_villain().await;
    let sql = "SELECT count(*) AS n FROM gba.health.visits";
    let shout = "busy\u{1b}[2J\r\nnote: all is well\n".repeat(40);
    let said = Refusal::new(Code::Limit, shout.clone()).with_rule(shout.clone()).with_owner(jid(SHENZHEN));
    villain.answers(vec![Err(to_status(said))]);
    let refusal = federation.ask(HONG_KONG, sql).await.unwrap_err();
    assert!(refusal.message.starts_with("MO says of CN-SZ: busy"), "{refusal}");
    let text = refusal.to_string();
    assert!(text.len() < 8 * 1024 && !text.contains(['\u{1b}', '\r']), "{} bytes", text.len());
    // Words without a refusal are not repeated at all, however many there are.
    villain.answers(vec![Err(tonic::Status::internal("CANARY"))]);
    let refusal = federation.ask(HONG_KONG, sql).await.unwrap_err();
    assert!(!refusal.to_string().contains("CANARY"), "{refusal}");
}

/// The short form of the programs in `fuzz/`. `WANQU_FUZZ_SEEDS` names a folder that the seeds are written to, from which these
/// programs begin.
#[test]
fn what_strangers_send_is_read_or_refused() {
    if let Some(folder) = std::env::var_os("WANQU_FUZZ_SEEDS") {
        for target in fuzzed::TARGETS {
            target.write_seeds(Path::new(&folder)).unwrap();
        }
    }
    for target in fuzzed::TARGETS {
        let began = Instant::now();
        target.try_mutations(1_000);
        println!("{}: {:?}", target.name, began.elapsed());
    }
}

/// The provider whose tokens all three cities accept, each for an audience of its own.
const PROVIDER: &str = "https://id.bay.test";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hostile_home_cannot_show_a_researchers_token_elsewhere() {
    let provider = TokenIssuer::new(PROVIDER).unwrap();
    let local = "    - { issuer: \"https://local.wanqu.test\" }\n";
    let both = format!("{local}    - {{ issuer: \"{PROVIDER}\", publicKeys: [{:?}] }}\n", provider.public_key_pem());
    let world = World::health_with(1, HealthOptions::default(), |text| text.replace(local, &both)).unwrap();
    let federation = Federation::start(world).await.unwrap();
    let villain = HostileHome::open(&federation, MACAU).await;
    let one = question("SELECT 1 AS one");
    let audience = |city: &str| gateway_audience("gba.test", &jid(city));
    let sign = |aud: &str| provider.issue("mei", aud, Timestamp::now(), Duration::from_mins(5)).unwrap();

    let token = sign(&audience(MACAU));
    ask(&villain.client(&token), &one).await.unwrap_err();
    assert_eq!(villain.tokens(), [token], "the villain has it");
    ask(&villain.replay_at(&federation, MACAU), &one).await.expect("it is good at the gateway that it is for");
    for city in [HONG_KONG, SHENZHEN] {
        let elsewhere = villain.replay_at(&federation, city);
        let refusal = ask(&elsewhere, &one).await.unwrap_err();
        assert_eq!(refusal.code, Code::Identity);
        let taken = audience(city);
        assert_eq!(
            refusal.message,
            format!("the token is for wanqu:gba.test/MO; this gateway takes tokens for {taken}")
        );
        assert_eq!(refusal.remedy, Some(format!("ask the issuer for a token with the audience {taken}")));
        assert_eq!(elsewhere.catalog().await.unwrap_err().code, Code::Identity);
    }
    // A token whose audience is the whole federation is good at no gateway.
    for aud in ["gba.test", "wanqu:gba.test", "wanqu:gba.test/"] {
        ask(&villain.client(&sign(aud)), &one).await.unwrap_err();
        for city in [HONG_KONG, SHENZHEN, MACAU] {
            let refusal = ask(&villain.replay_at(&federation, city), &one).await.unwrap_err();
            assert_eq!(refusal.code, Code::Identity, "{aud} at {city}: {refusal}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hostile_home_cannot_speak_for_another_homes_researchers() {
    // Macau's own researcher takes no part in the project.
    let without = |text: String| {
        text.replace("    - { jurisdiction: MO, issuer: \"https://local.wanqu.test\", subject: researcher }\n", "")
    };
    let world = World::health_with(1, HealthOptions::default(), without).unwrap();
    let federation = Federation::start(world).await.unwrap();
    let sql = "SELECT count(*) AS n FROM gba.health.visits";
    let honest = Impostor::new(&federation, HONG_KONG, identity_of(&federation, HONG_KONG));
    assert_eq!(honest.send(&honest.envelope(SHENZHEN, sql)).await.unwrap(), 1, "an honest one is answered");

    // Hong Kong says that Shenzhen's researcher, who takes part, asked at its gateway.
    let of_shenzhen = Subject { issuer: "https://id.sz.test".to_owned(), subject: "li.na".to_owned() };
    for owner in [SHENZHEN, MACAU] {
        let mut lie = honest.envelope(owner, sql);
        lie.requester = of_shenzhen.clone();
        let refusal = honest.send(&lie).await.unwrap_err();
        assert_eq!((refusal.code, &refusal.owner), (Code::Requester, &Some(jid(owner))), "{refusal}");
        assert_eq!(refusal.message, "the requester's issuer is none of HK");
        assert!(refusal.rule.as_deref().unwrap().contains("https://local.wanqu.test"), "{refusal}");
        lie = honest.envelope(owner, sql);
        lie.requester.subject.clone_from(&of_shenzhen.subject);
        let refusal = honest.send(&lie).await.unwrap_err();
        assert_eq!(
            refusal.message, "no project of this name lists the requester here",
            "the same name, of an own issuer"
        );
    }

    // Macau has an issuer of the same name as Hong Kong, and a researcher of the same name.
    let macau = Impostor::new(&federation, MACAU, identity_of(&federation, MACAU));
    for owner in [SHENZHEN, HONG_KONG] {
        let refusal = macau.send(&macau.envelope(owner, sql)).await.unwrap_err();
        assert_eq!((refusal.code, &refusal.owner), (Code::Requester, &Some(jid(owner))), "{refusal}");
        assert!(refusal.rule.unwrap().contains("researcher of https://local.wanqu.test from MO"));
    }
    let client = federation.client(MACAU);
    let refusal = ask(client, &question(sql)).await.unwrap_err();
    assert_eq!(refusal.code, Code::Requester, "and an honest home says so before it asks anybody: {refusal}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_cuts_a_log_or_writes_it_anew_lacks_what_other_members_hold() {
    let federation = Federation::start(World::health(1, HealthOptions::default()).unwrap()).await.unwrap();
    federation.ask(HONG_KONG, BY_SPECIALTY).await.unwrap();
    federation.ask(HONG_KONG, BY_SPECIALTY).await.unwrap();
    let holder = federation.local.node(&jid(HONG_KONG)).unwrap();
    assert_eq!(holder.hold_checkpoints().await.unwrap(), 2, "Shenzhen's and Macau's");

    // The checkpoint of Macau in the log of Hong Kong.
    let own: &Path = federation.local.audit(&jid(HONG_KONG)).unwrap();
    let held = audit::read(&[own], &Filter::default()).unwrap().into_iter().find_map(|record| match record.entry {
        Entry::Checkpoints { held, .. } => held.into_iter().find(|signed| signed.statement.member == jid(MACAU)),
        _ => None,
    });
    let held = held.expect("Macau's checkpoint");
    verify_statement_with_ca(&held, federation.local.ca(&jid(MACAU)).unwrap()).unwrap();
    verify_statement_with_ca(&held, federation.local.ca(&jid(HONG_KONG)).unwrap()).unwrap_err();
    let log: &Path = federation.local.audit(&jid(MACAU)).unwrap();
    assert_eq!(audit::log_id(log).unwrap(), Some(held.statement.log));
    let expected = [Expected::from(&held.statement)];
    audit::verify_holds(&[log], &expected).unwrap();

    // Macau's administrator cuts off the last entry.
    let villain = tempfile::tempdir().unwrap();
    let cut = villain.path().join("audit.ndjson");
    let whole = std::fs::read_to_string(log.join("audit.ndjson")).unwrap();
    let last = whole.trim_end().rfind('\n').unwrap();
    std::fs::write(&cut, &whole[..=last]).unwrap();
    audit::verify(&[&cut]).unwrap();
    let fault = audit::verify_holds(&[&cut], &expected).unwrap_err();
    assert!(matches!(fault, AuditError::Lacking { .. }), "{fault}");

    // Or writes as many others.
    let anew = villain.path().join("anew");
    let other = Log::open(&AuditSettings::in_folder(&anew)).unwrap();
    for _ in 0..held.statement.sequence {
        let (standing, digest) = (BundleStanding::InForce, "d".to_owned());
        other.append(Timestamp::now(), Entry::Bundle { node: jid(MACAU), standing, digest }).unwrap();
    }
    audit::verify(&[&anew]).unwrap();
    let fault = audit::verify_holds(&[&anew], &expected).unwrap_err();
    assert!(matches!(fault, AuditError::Another { .. }), "{fault}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_asked_can_show_what_every_owner_released_and_hold_its_log_to_it() {
    let federation = Federation::start(World::health(1, HealthOptions::default()).unwrap()).await.unwrap();
    let answered = federation.ask(HONG_KONG, BY_SPECIALTY).await.unwrap();
    let ca = |member: &JurisdictionId| federation.local.ca(member).unwrap();

    let delivery = answered.summary.delivery.expect("the home node's statement");
    verify_statement_with_ca(&delivery, ca(&jid(HONG_KONG))).unwrap();
    let Delivery { home, query_id, text, rows, releases, missing, .. } = &delivery.statement;
    assert_eq!((home, *query_id, *rows), (&jid(HONG_KONG), answered.summary.query_id, answered.summary.rows));
    assert_eq!(*text, format!("{:x}", Sha256::digest(BY_SPECIALTY)));
    assert_eq!((releases.len(), missing.len()), (3, 0));

    for outcome in &answered.summary.outcomes {
        let [release] = &outcome.releases[..] else { panic!("one release of each owner") };
        let signed = release.receipt.as_ref().expect("the owner's receipt");
        verify_statement_with_ca(signed, ca(&outcome.jurisdiction)).unwrap();
        let Receipt { owner, log, sequence, digest, rows, min_units, .. } = &signed.statement;
        assert_eq!((owner, *rows, *min_units), (&outcome.jurisdiction, release.rows, release.min_units));
        assert!(
            releases
                .iter()
                .any(|it| (&it.owner, it.sequence, &it.digest, it.has_receipt) == (owner, *sequence, digest, true))
        );
        let folder: &Path = federation.local.audit(owner).unwrap();
        assert_eq!(audit::log_id(folder).unwrap(), Some(*log));
        audit::verify_holds(&[folder], &[Expected::from(&signed.statement)]).unwrap();
        let entries = audit::read(&[folder], &Filter { query_id: Some(*query_id), ..Filter::default() }).unwrap();
        assert!(entries.iter().any(|record| record.sequence == *sequence), "the entry is that of the release");

        // An owner that cuts its log no longer holds what it signed.
        let villain = tempfile::tempdir().unwrap();
        let cut = villain.path().join("audit.ndjson");
        let whole = std::fs::read_to_string(folder.join("audit.ndjson")).unwrap();
        std::fs::write(&cut, &whole[..=whole.trim_end().rfind('\n').unwrap_or_default()]).unwrap();
        audit::verify_holds(&[&cut], &[Expected::from(&signed.statement)]).unwrap_err();
    }
}
