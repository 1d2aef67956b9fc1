//! A federation over a small set of sample data, asked over its real gateways.

use std::time::Duration;

use futures::StreamExt;
use wanqu_crds::bundle::Subject;
use wanqu_crds::manifests;
use wanqu_crds::names::JurisdictionId;
use wanqu_samples::Options;

use super::{LocalError, LocalFederation, LocalOptions, Ports};
use crate::answer::{Event, Question, Summary};
use crate::gateway::Client;
use crate::refusal::{Code, Refusal};

const VISITS: &str = "SELECT jurisdiction, count(*) AS visits FROM gba.health.visits GROUP BY jurisdiction";

fn id(text: &str) -> JurisdictionId {
    text.parse().unwrap()
}

async fn started(folder: &std::path::Path) -> LocalFederation {
    wanqu_samples::write_manifests(folder).unwrap();
    wanqu_samples::ensure(&folder.join("data"), &Options::small(), &mut |_| ()).unwrap();
    let resources = manifests::read_dir(folder).unwrap();
    let options = LocalOptions { base: Some(folder.to_owned()), ..LocalOptions::new(folder.join("nodes")) };
    LocalFederation::start(&resources, options).await.unwrap()
}

fn client(federation: &LocalFederation, home: &JurisdictionId) -> Client {
    let subject =
        Subject { issuer: "https://issuer.wanqu.local".to_owned(), subject: "researcher@szu.example".to_owned() };
    let token = federation.token(home, &subject, Duration::from_mins(1)).unwrap();
    Client::connect(&federation.gateway(home).unwrap(), federation.ca(home).unwrap(), &token, None).unwrap()
}

async fn ask(client: &Client, partial: bool) -> Result<Summary, Refusal> {
    let question = Question {
        sql: VISITS.to_owned(),
        project: Some("bay-area-capacity".parse().unwrap()),
        purpose: Some("health-planning".parse().unwrap()),
        partial,
        mark_incomplete: false,
    };
    let mut answer = client.ask(&question).await?;
    while let Some(event) = answer.next().await {
        if let Event::Summary(summary) = event? {
            return Ok(summary);
        }
    }
    panic!("an answer ended without its account");
}

#[tokio::test(flavor = "multi_thread")]
async fn three_nodes_answer_and_a_killed_one_is_missed() {
    let folder = tempfile::tempdir().unwrap();
    let mut federation = started(folder.path()).await;
    let client = client(&federation, &id("CN-SZ"));
    let whole = ask(&client, false).await.unwrap();
    assert_eq!(whole.rows, 3);
    assert!(whole.outcomes.iter().all(|outcome| outcome.missing.is_none()));

    federation.kill(&id("MO")).unwrap();
    let refusal = ask(&client, false).await.unwrap_err();
    assert_eq!((refusal.code, refusal.owner), (Code::OwnerUnavailable, Some(id("MO"))));
    let partial = ask(&client, true).await.unwrap();
    assert_eq!(partial.rows, 2);
    let missing: Vec<_> = partial.outcomes.iter().filter(|o| o.missing.is_some()).map(|o| &o.jurisdiction).collect();
    assert_eq!(missing, [&id("MO")]);
    assert!(matches!(federation.kill(&id("FR")), Err(LocalError::NoMember(_))));
    federation.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_one_member_opens_no_other_members_door() {
    let folder = tempfile::tempdir().unwrap();
    let federation = started(folder.path()).await;
    let subject =
        Subject { issuer: "https://issuer.wanqu.local".to_owned(), subject: "researcher@szu.example".to_owned() };
    let (sz, hk) = (id("CN-SZ"), id("HK"));
    let token = federation.token(&sz, &subject, Duration::from_mins(1)).unwrap();
    let wrong = Client::connect(&federation.gateway(&hk).unwrap(), federation.ca(&hk).unwrap(), &token, None).unwrap();
    assert_eq!(ask(&wrong, false).await.unwrap_err().code, Code::Identity);
    let stranger = Subject { issuer: "https://elsewhere.example".to_owned(), ..subject };
    assert!(matches!(federation.token(&sz, &stranger, Duration::from_mins(1)), Err(LocalError::Issuer(_))));
    federation.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use_is_an_error_and_leaves_nothing_running() {
    let folder = tempfile::tempdir().unwrap();
    wanqu_samples::write_manifests(folder.path()).unwrap();
    wanqu_samples::ensure(&folder.path().join("data"), &Options::small(), &mut |_| ()).unwrap();
    let resources = manifests::read_dir(folder.path()).unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let ports = Ports { gateway: taken.local_addr().unwrap().port(), exchange: 0 };
    let base = Some(folder.path().to_owned());
    let options = LocalOptions { base, ports, ..LocalOptions::new(folder.path().join("nodes")) };
    assert!(matches!(LocalFederation::start(&resources, options).await, Err(LocalError::Port { .. })));
}
