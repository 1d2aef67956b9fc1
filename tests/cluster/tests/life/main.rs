//! The life of a federation on a whole cluster, from its installation to its operator's end and return:
//! `docs/operations.md`, section by section as it is written, under a steady stream of questions, and what goes wrong in
//! between.

mod bed;
mod leaves;

use std::collections::HashSet;
use std::time::{Duration, Instant};

use bed::{Life, SOON};
use leaves::Leaves;
use wanqu_cluster_tests::researcher::ask;
use wanqu_cluster_tests::{IMAGE, Known, Stream, Tally, follow};
use wanqu_model::refusal::Code;
use wanqu_testbed::until;

/// The question of `examples/kubernetes/query.yaml`.
const CITIES: &str = "SELECT jurisdiction, count(*) AS visits, count(DISTINCT patient_id) AS patients \
                      FROM gba.health.visits GROUP BY jurisdiction ORDER BY jurisdiction";
const SPECIALTIES: &str = "SELECT jurisdiction, specialty, count(*) AS visits, avg(cost_cny) AS cost \
                           FROM gba.health.visits GROUP BY jurisdiction, specialty ORDER BY jurisdiction, specialty";
const FACILITIES: &str = "SELECT jurisdiction, count(*) AS facilities, sum(beds) AS beds FROM gba.health.facilities \
                          GROUP BY jurisdiction ORDER BY jurisdiction";
/// One fragment, of billions of pairs, at Macau.
const SLOW: &str = "SELECT count(*) AS n FROM macau.air.hourly a CROSS JOIN macau.air.hourly b \
                    WHERE a.iqa > b.iqa AND a.hora <> b.hora";

#[tokio::test(flavor = "multi_thread")]
async fn a_federation_lives_through_what_a_platform_does_to_it() {
    let mut life = Life::begin().await;
    life.passed("installed, described and ready", None);
    let known = the_same_rows_everywhere(&life).await;
    life.passed("the same rows through the pods, by a resource, by kubectl wanqu and on a laptop", None);
    life.follow("Copies of a node");
    life.passed("a second copy of Hong Kong's node", None);

    let stream = Stream::start(&life.researcher, &known, 2);
    under_the_stream(&mut life, &stream).await;
    let tally = stream.end().await;
    tally.check();
    // The number of answers depends on the speed of the machine.
    assert!(tally.right > 50, "{} answers are no steady stream", tally.right);
    println!(
        "the stream: {} right answers, none wrong, none failed; {} asked again; the longest took {:.1} s",
        tally.right,
        tally.again,
        tally.longest.as_secs_f64()
    );
    written_down(&life, &tally);

    suspended(&life, &known).await;
    life.passed("suspended, and active again", None);
    // Certificates outlast the operator's absence.
    life.certificates_hold(Duration::from_hours(1)).await;
    life.passed("certificates of the usual life", None);
    let before = without_the_operator(&life, &known).await;
    life.passed("uninstalled, and a Jurisdiction removed by hand", None);
    life.follow("Installing the operator again");
    life.researcher.make_known().await;
    assert_eq!(life.rows(&known[0].sql).await, known[0].rows);
    let after = life.log("gba-macau", "macau-node-0").verified().unwrap();
    println!("        Macau's log goes on, with {after} entries");
    assert!(after > before, "{after} entries, and {before} before");
    life.passed("installed again, all of it back", None);
    life.cluster.stop().await;
}

/// Each question has the same rows through the pods as on a laptop, and one of them by a resource and by `kubectl wanqu`, as
/// the tutorial asks it.
async fn the_same_rows_everywhere(life: &Life) -> Vec<Known> {
    let (gateway, trusted) = (life.researcher.gateway(), life.researcher.trusted());
    let mut known = Vec::new();
    for sql in [CITIES, SPECIALTIES, FACILITIES] {
        let through_pods = life.laptop.answer_of(&gateway, &trusted, life.researcher.token(), sql).await;
        assert_eq!(through_pods, life.laptop.answer(sql).await, "{sql}");
        known.push(Known { sql: sql.to_owned(), rows: life.rows(sql).await });
    }
    assert!(known[1].rows.lines().count() > 10, "{}", known[1].rows);
    let said = follow(&life.shell, "docs/tutorial-kubernetes.md", "4. A question").unwrap();
    // The answer in the ConfigMap, and the one that `kubectl wanqu result` fetches from the home node.
    let [.., inline, _, fetched, _] = &said[..] else { panic!("{said:?}") };
    assert_eq!(inline.trim_end(), known[0].rows.trim_end(), "by a resource");
    assert_eq!(fetched.trim_end(), inline.trim_end(), "by kubectl wanqu");
    assert_eq!(inline.trim_end(), life.laptop.answer(CITIES).await.trim_end(), "on a laptop");
    known
}

async fn under_the_stream(life: &mut Life, stream: &Stream) {
    let slow = life.laptop.answer(SLOW).await;
    let leaves = Leaves::watch(life.cluster.client().await.unwrap());

    let first = life.authority(&["ca.pem"], &["next.pem", "before.pem"]).await;
    let rolled = Instant::now();
    life.follow("A new authority");
    life.authority(&["next.pem"], &[]).await;

    // While it is rolled, all of this; certificates are renewed every forty seconds.
    life.cluster.tag(IMAGE, "wanqu:other").unwrap();
    life.helm_upgrade("image.tag=other,certificates.leafSeconds=60");
    life.all_run("wanqu:other").await;
    life.passed("upgraded to another image, and to certificates of a minute", Some(stream));
    let drained = life.macaus_pod_goes(SLOW, None).await.unwrap();
    assert_eq!(drained.trim_end(), slow.trim_end(), "a pod that is told to end finishes what it has begun");
    life.passed("Macau's pod deleted in the middle of a question: it was finished, and right", Some(stream));
    match life.macaus_pod_goes(SLOW, Some(0)).await {
        Ok(rows) => {
            assert_eq!(rows.trim_end(), slow.trim_end());
            life.passed("Macau's pod killed in the middle of a question: it was right", Some(stream));
        }
        Err(refusal) => {
            assert!(matches!(refusal.code, Code::OwnerUnavailable | Code::Draining), "{refusal}");
            assert_eq!(refusal.owner.map(|owner| owner.to_string()).as_deref(), Some("MO"));
            life.passed("Macau's pod killed in the middle of a question: that failed, and said so", Some(stream));
        }
    }
    life.authority(&["before.pem"], &["next.pem"]).await;
    life.passed("the new authority signs", Some(stream));
    life.follow("Restarts");
    life.passed("every node restarted", Some(stream));
    let last = life.authority(&["ca.pem"], &["next.pem", "before.pem"]).await;
    assert_ne!(first["ca.pem"], last["ca.pem"]);
    println!("        the authority was rolled in {:.0} s", rolled.elapsed().as_secs_f64());
    life.passed("the old authority is trusted no longer", Some(stream));
    assert!(leaves.count() >= 4, "{} certificates", leaves.count());
    println!("        Hong Kong's node had {} certificates meanwhile", leaves.count());

    life.follow("Upgrades");
    life.all_run(IMAGE).await;
    life.passed("upgraded to the chart's own image and values", Some(stream));
}

/// Every answer of the stream is in Shenzhen's log, which is whole.
fn written_down(life: &Life, tally: &Tally) {
    let log = life.log("gba-shenzhen", "shenzhen-node-0");
    let entries = log.entries(None).unwrap();
    let written: HashSet<&str> = entries.iter().filter_map(|entry| entry["asked"]["queryId"].as_str()).collect();
    let missing: Vec<_> = tally.queries.iter().filter(|id| !written.contains(id.to_string().as_str())).collect();
    assert!(missing.is_empty(), "answered and not written down: {missing:?}");
    assert!(log.verified().unwrap() >= entries.len());
    println!("        Shenzhen's log has {} entries, and is whole", entries.len());
}

async fn suspended(life: &Life, known: &[Known]) {
    let client = life.researcher.client();
    life.agreement("Suspended").await;
    let began = Instant::now();
    until("the question being refused", SOON, async || {
        Ok(match ask(&client, &known[0].sql).await {
            Err(refusal) if refusal.code == Code::NoAgreement => Ok(refusal),
            other => Err(format!("{:?}", other.err())),
        })
    })
    .await
    .unwrap();
    let took = began.elapsed();
    println!("        refused {:.1} s after the agreement was suspended", took.as_secs_f64());
    assert!(took < Duration::from_secs(15), "{took:?}");
    life.agreement("Active").await;
    assert_eq!(life.rows(&known[0].sql).await, known[0].rows);
}

/// Definitions, what they describe, disks and nodes stay; Macau goes by hand, and its disk stays: how many entries its log had.
async fn without_the_operator(life: &Life, known: &[Known]) -> usize {
    let said = life.follow("Without the operator");
    assert!(
        said[2].contains("federation.wanqu.dev/gba") && said[2].contains("jurisdiction.wanqu.dev/macau"),
        "{}",
        said[2]
    );
    assert!(said[3].contains("state-hongkong-node-1") && said[3].contains("records"), "{}", said[3]);
    assert!(said[4].contains("each chained to the one before"), "{}", said[4]);
    for Known { sql, rows } in known {
        assert_eq!(life.rows(sql).await, *rows, "nodes answer without an operator");
    }
    let macau = life.log("gba-macau", "macau-node-0").verified().unwrap();
    println!("        Macau's log has {macau} entries");
    life.follow("A Jurisdiction that does not go");
    let left = life.cluster.kubectl(&["get", "all", "--namespace=gba-macau", "--output=name"]).unwrap();
    assert!(!left.contains("service/") && !left.contains("statefulset"), "{left}");
    macau
}
