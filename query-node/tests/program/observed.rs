//! Observation port of a node: readiness, the bundle in force and metrics, and nothing of the data.

use std::fs;
use std::path::Path;

use futures::TryStreamExt;
use sha2::{Digest, Sha256};
use wanqu_client::Client;
use wanqu_model::answer::{Event, Question, Summary};
use wanqu_model::refusal::{Code, Refusal};

use crate::process::{Process, request};
use crate::world::{RESEARCHER, World, days, mount};

fn sha256(text: &str) -> String {
    format!("{:x}", Sha256::digest(text))
}

pub fn question(sql: &str) -> Question {
    Question {
        sql: sql.to_owned(),
        project: Some("cross-border-care".parse().unwrap()),
        purpose: Some("health-planning".parse().unwrap()),
        ..Question::default()
    }
}

async fn ask(client: &Client, sql: &str) -> Result<Summary, Refusal> {
    // To its end: an answer that is left before counts as one that was broken off.
    let events: Vec<Event> = client.ask(&question(sql)).await?.try_collect().await?;
    let Some(Event::Summary(summary)) = events.into_iter().last() else { panic!("no account") };
    Ok(summary)
}

fn bundle_of(process: &Process) -> serde_json::Value {
    serde_json::from_str(&process.answers("/bundle", 200, "digest")).unwrap()
}

#[test]
fn a_node_is_ready_as_long_as_its_files_are_those_in_force() {
    let world = World::new();
    let hk = Process::start(&world, "HK", &[]);
    let body = hk.answers("/readyz", 200, "");
    assert_eq!(body, "ok bundle\nok identity\nok audit\nok ledger\nok exchange\nok gateway\nok tasks\nok drain\n");
    assert_eq!(hk.get("/livez").unwrap(), (200, "ok\n".to_owned()));
    assert_eq!(hk.get("/").unwrap().0, 404);
    assert_eq!(hk.get("/bundle/").unwrap().0, 404);
    assert_eq!(request(hk.observation, "POST /bundle").unwrap().0, 405);

    let first = serde_json::to_string(&world.bundle("HK")).unwrap();
    let shown = bundle_of(&hk);
    assert_eq!(shown["jurisdiction"], "HK");
    assert_eq!(shown["digest"], sha256(&first));
    let keys: Vec<&String> = shown.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["digest", "identityNotAfter", "jurisdiction", "leftOut", "unavailable"]);

    let mut next = world.bundle("HK");
    next.limits.concurrent_queries += 1;
    let text = world.mount_bundle("HK", &next);
    hk.answers("/bundle", 200, &sha256(&text));

    mount(&world.bundle_volume("HK"), &[("bundle.json.gz", b"{\"federation\": ".to_vec())]);
    hk.answers("/readyz", 503, "failed bundle: ");
    assert_eq!(bundle_of(&hk)["digest"], sha256(&text), "the old one stays in force");
    world.mount_bundle("HK", &world.bundle("MO"));
    hk.answers("/metrics", 200, "wanqu_bundle_reloads_total{outcome=\"refused\"} 2");
    assert!(!hk.answers("/readyz", 503, "failed bundle: ").contains("failed identity"));
    world.mount_bundle("HK", &next);
    hk.answers("/readyz", 200, "ok bundle");
    assert_eq!(bundle_of(&hk)["digest"], sha256(&text));
}

#[test]
fn certificates_are_taken_when_they_are_good_and_reported_when_not() {
    let world = World::new();
    let hk = Process::start(&world, "HK", &[]);
    let before = bundle_of(&hk)["identityNotAfter"].clone();
    // Half of a pair: a certificate with another's key.
    let volume = world.identity_volume("HK");
    let read = |name: &str| fs::read(volume.join(name)).unwrap();
    let (cert, gateway, key) = (read("node.pem"), read("gateway.pem"), read("gateway.key"));
    let files = |node_key: Vec<u8>| {
        [
            ("node.pem", cert.clone()),
            ("node.key", node_key),
            ("gateway.pem", gateway.clone()),
            ("gateway.key", key.clone()),
        ]
    };
    let own_key = read("node.key");
    mount(&volume, &files(fs::read(world.identity_volume("MO").join("node.key")).unwrap()));
    hk.answers("/readyz", 503, "failed identity: ");
    assert_eq!(bundle_of(&hk)["identityNotAfter"], before);
    assert!(hk.log().contains("does not belong to the certificate"), "{}", hk.log());
    mount(&volume, &files(own_key));
    hk.answers("/readyz", 200, "ok identity");

    world.mount_identity("HK", days(2));
    hk.answers("/metrics", 200, "wanqu_identity_reloads_total{outcome=\"taken\"} 1");
    assert_ne!(bundle_of(&hk)["identityNotAfter"], before);
    hk.answers("/readyz", 200, "ok identity");
    let log = hk.log();
    assert!(!log.contains("PRIVATE KEY") && !log.contains("BEGIN CERTIFICATE"), "{log}");
}

#[test]
fn a_log_that_was_taken_away_is_noticed() {
    let world = World::new();
    let hk = Process::start(&world, "HK", &[]);
    let audit = world.node("HK").join("audit");
    fs::rename(&audit, world.node("HK").join("elsewhere")).unwrap();
    hk.answers("/readyz", 503, "failed audit: ");
    fs::create_dir(&audit).unwrap();
    hk.answers("/readyz", 503, "failed audit: ");
    fs::remove_dir(&audit).unwrap();
    fs::rename(world.node("HK").join("elsewhere"), &audit).unwrap();
    hk.answers("/readyz", 200, "ok audit");
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_are_served_and_nothing_of_data_questions_or_people() {
    let world = World::new();
    let (hk, mo) = (Process::start(&world, "HK", &[]), Process::start(&world, "MO", &[]));
    let client = world.client("HK", hk.gateway);
    let sql = "SELECT specialty, count(*) AS n FROM gba.health.visits
               WHERE jurisdiction IN ('HK', 'MO') AND specialty <> 'zz-a-literal-zz' GROUP BY specialty";
    let summary = ask(&client, sql).await.unwrap();
    assert_eq!(summary.outcomes.len(), 2);
    let sealed = "SELECT nome, count(*) FROM macau.health.visits WHERE nome <> 'zz-a-literal-zz' GROUP BY nome";
    let refusal = ask(&client, sealed).await.unwrap_err();
    assert_ne!(refusal.code, Code::Internal, "{refusal}");

    let code = format!("wanqu_questions_total{{code=\"{}\"}} 1", refusal.code);
    let home = hk.answers("/metrics", 200, "wanqu_questions_total{code=\"answered\"} 1");
    for line in [
        &code,
        "wanqu_fragments_asked_total{peer=\"MO\",code=\"answered\"} 1",
        "wanqu_received_bytes_total{peer=\"MO\"} ",
        "wanqu_running{door=\"gateway\"} 0",
        "wanqu_audit_sequence 1",
        "wanqu_certificate_expiry_timestamp_seconds{door=\"exchange\"} 1",
        "wanqu_question_duration_seconds_count 2",
    ] {
        assert!(home.contains(line), "{line} is not in\n{home}");
    }
    let owner = mo.answers("/metrics", 200, "wanqu_fragments_total{peer=\"HK\",code=\"answered\"} 1");
    for line in ["wanqu_sent_bytes_total{peer=\"HK\"} ", "wanqu_withholding_releases_total{peer=\"HK\"} "] {
        assert!(owner.contains(line), "{line} is not in\n{owner}");
    }
    let canaries = wanqu_samples::canaries();
    assert!(!canaries.is_empty());
    for process in [&hk, &mo] {
        for path in ["/livez", "/readyz", "/bundle", "/peers", "/metrics", "/nothing"] {
            let (_, body) = process.get(path).unwrap();
            // The names of the own tables are there, in a metric of their own, and nowhere else.
            let own = |line: &&str| line.starts_with("wanqu_dataset_available{");
            let body: String = body.lines().filter(|line| !own(line)).flat_map(|line| [line, "\n"]).collect();
            for (what, value) in &canaries {
                assert!(!body.contains(value.as_str()), "{path} shows {what}");
            }
            for never in ["zz-a-literal-zz", "SELECT", "visits", RESEARCHER, "cross-border-care"] {
                assert!(!body.contains(never), "{path} shows {never}:\n{body}");
            }
        }
    }
    assert!(!Path::new(&world.node("MO")).join("audit/audit.probe").exists());
}
