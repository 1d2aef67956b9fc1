//! A federation over a small set of sample data, asked over its real gateways.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use arrow::util::pretty::pretty_format_batches;
use futures::StreamExt;
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use query_node::bundle_file::FiledBundle;
use query_node::clock::Clock;
use query_node::node::NodeError;
use wanqu_client::Client;
use wanqu_crds::manifests;
use wanqu_identity::{Authority, Validity};
use wanqu_model::answer::{Event, Question, Summary};
use wanqu_model::bundle::{AgreementState, NodeBundle, Subject};
use wanqu_model::names::JurisdictionId;
use wanqu_model::refusal::{Code, Refusal};
use wanqu_samples::Options;

use super::{LocalError, LocalFederation, LocalOptions, Ports};

const VISITS: &str = "SELECT jurisdiction, count(*) AS visits FROM gba.health.visits GROUP BY jurisdiction";

fn id(text: &str) -> JurisdictionId {
    text.parse().unwrap()
}

async fn started(folder: &std::path::Path) -> LocalFederation {
    started_with(folder, |_| ()).await
}

async fn started_with(folder: &std::path::Path, change: impl FnOnce(&mut LocalOptions)) -> LocalFederation {
    wanqu_samples::write_manifests(folder).unwrap();
    wanqu_samples::ensure(&folder.join("data"), &Options::small(), &mut |_| ()).unwrap();
    let resources = manifests::read_dir(folder).unwrap();
    let mut options = LocalOptions { base: Some(folder.to_owned()), ..LocalOptions::new(folder.join("nodes")) };
    change(&mut options);
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
        ..Question::default()
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
    let ports = Ports { gateway: taken.local_addr().unwrap().port(), exchange: 0, http: 0 };
    let base = Some(folder.path().to_owned());
    let options = LocalOptions { base, ports, ..LocalOptions::new(folder.path().join("nodes")) };
    assert!(matches!(LocalFederation::start(&resources, options).await, Err(LocalError::Port { .. })));
}

const MEMBERS: [&str; 3] = ["CN-SZ", "HK", "MO"];

/// The rows of an answer as text, in order.
async fn rows(client: &Client) -> Result<String, Refusal> {
    let question = Question {
        sql: format!("{VISITS} ORDER BY jurisdiction"),
        project: Some("bay-area-capacity".parse().unwrap()),
        purpose: Some("health-planning".parse().unwrap()),
        ..Question::default()
    };
    let (mut answer, mut batches, mut whole) = (client.ask(&question).await?, Vec::new(), false);
    while let Some(event) = answer.next().await {
        match event? {
            Event::Batch(batch) => batches.push(batch),
            Event::Summary(_) => whole = true,
            _ => {}
        }
    }
    assert!(whole, "an answer ended without its account");
    Ok(pretty_format_batches(&batches).unwrap().to_string())
}

/// A steady stream of queries: over one connection, and over a new one for each.
struct Stream {
    answered: Arc<AtomicUsize>,
    tasks: tokio::task::JoinSet<Refusal>,
}

impl Stream {
    /// `ca` is whom the researcher trusts for the gateway.
    async fn start(endpoint: String, ca: String, token: String) -> Self {
        let connect = move || Client::connect(&endpoint, &ca, &token, None).unwrap();
        let expected = rows(&connect()).await.unwrap();
        let answered = Arc::new(AtomicUsize::new(0));
        let mut tasks = tokio::task::JoinSet::new();
        for anew in [false, true] {
            let (answered, connect, expected) = (Arc::clone(&answered), connect.clone(), expected.clone());
            tasks.spawn(async move {
                let mut client = connect();
                loop {
                    match rows(&client).await {
                        Ok(found) => assert_eq!(found, expected, "a wrong answer"),
                        Err(refusal) => return refusal,
                    }
                    answered.fetch_add(1, Ordering::SeqCst);
                    if anew {
                        client = connect();
                    }
                }
            });
        }
        Self { answered, tasks }
    }

    /// Lets some more queries begin and end; none may fail.
    async fn flow(&mut self, step: &str) {
        let until = self.answered.load(Ordering::SeqCst) + 8;
        let flowing = async {
            while self.answered.load(Ordering::SeqCst) < until {
                tokio::select! {
                    ended = self.tasks.join_next() => panic!("{step}: {:?}", ended.unwrap()),
                    () = tokio::time::sleep(Duration::from_millis(5)) => {}
                }
            }
        };
        tokio::time::timeout(Duration::from_mins(2), flowing).await.unwrap_or_else(|_| panic!("{step}: no answers"));
    }
}

fn day() -> Validity {
    Validity::days(Timestamp::now(), 1)
}

/// Gives every node a bundle in which each of these CAs stands for the member beside it.
fn trust(federation: &LocalFederation, cas: &[(&str, String)]) {
    for member in MEMBERS {
        let mut bundle = federation.bundle(&id(member)).unwrap().clone();
        for (name, ca) in cas {
            let of = bundle.members.iter_mut().find(|member| member.jurisdiction == id(name)).unwrap();
            of.ca = Some(ca.clone());
        }
        federation.node(&id(member)).unwrap().reload(filed(bundle)).unwrap();
    }
}

fn filed(bundle: NodeBundle) -> FiledBundle {
    FiledBundle { bundle, digest: "a test's own".to_owned(), left_out: Vec::new() }
}

fn show(federation: &LocalFederation, member: &str, authority: &Authority) -> Result<(), NodeError> {
    let (node, gateway) = (authority.issue_node(day()).unwrap(), authority.issue_gateway(day()).unwrap());
    federation.node(&id(member)).unwrap().reidentify(node, gateway)
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_and_authorities_rotate_under_a_stream_of_queries() {
    let folder = tempfile::tempdir().unwrap();
    let federation = started(folder.path()).await;
    let home = id("CN-SZ");
    let new: Vec<Authority> =
        MEMBERS.iter().map(|name| Authority::new(id(name), "gba.example", day()).unwrap()).collect();
    let domain = &federation.bundle(&home).unwrap().trust_domain;
    assert_eq!(domain, "gba.example", "the trust domain of the example manifests");
    let subject =
        Subject { issuer: "https://issuer.wanqu.local".to_owned(), subject: "researcher@szu.example".to_owned() };
    let token = federation.token(&home, &subject, Duration::from_mins(10)).unwrap();
    let researchers_trust = format!("{}{}", federation.ca(&home).unwrap(), new[0].certificate_pem());
    let mut stream = Stream::start(federation.gateway(&home).unwrap(), researchers_trust, token).await;
    stream.flow("before anything changes").await;

    for member in MEMBERS {
        show(&federation, member, federation.authority(&id(member)).unwrap()).unwrap();
        stream.flow("a new leaf").await;
    }
    for (member, authority) in MEMBERS.iter().zip(&new) {
        let both = format!("{}{}", federation.ca(&id(member)).unwrap(), authority.certificate_pem());
        trust(&federation, &[(member, both)]);
        stream.flow("both authorities are trusted").await;
        show(&federation, member, authority).unwrap();
        stream.flow("a leaf of the new authority").await;
        trust(&federation, &[(member, authority.certificate_pem().to_owned())]);
        stream.flow("only the new authority is trusted").await;
        let error = show(&federation, member, federation.authority(&id(member)).unwrap()).unwrap_err().to_string();
        assert!(error.contains(&format!("the CA of {member} does not vouch")), "{error}");
        // The next member's turn begins with the first bundle again, in which this one's old authority stands.
        let both = format!("{}{}", federation.ca(&id(member)).unwrap(), authority.certificate_pem());
        trust(&federation, &[(member, both)]);
        show(&federation, member, federation.authority(&id(member)).unwrap()).unwrap();
        stream.flow("and back").await;
    }
    drop(stream);
    federation.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn identities_that_cannot_be_used_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let federation = started(folder.path()).await;
    let hk = id("HK");
    let (node, authority) = (federation.node(&hk).unwrap(), federation.authority(&hk).unwrap());
    let before = node.identity_not_after();
    let gateway = || authority.issue_gateway(day()).unwrap();
    let macau = federation.authority(&id("MO")).unwrap().issue_node(day()).unwrap();
    let error = node.reidentify(macau, gateway()).unwrap_err();
    assert_eq!(error.to_string(), "the certificate is that of MO, the bundle that of HK");
    let now = Timestamp::now();
    let past =
        Validity { not_before: now - SignedDuration::from_hours(2), not_after: now - SignedDuration::from_hours(1) };
    let error = node.reidentify(authority.issue_node(past).unwrap(), gateway()).unwrap_err().to_string();
    assert!(error.contains("does not vouch") && error.contains("expired"), "{error}");
    let error = node.reidentify(authority.issue_node(day()).unwrap(), authority.issue_gateway(past).unwrap());
    assert!(matches!(error, Err(NodeError::Expired(_))));
    assert_eq!(node.identity_not_after(), before);
    node.reidentify(authority.issue_node(day()).unwrap(), gateway()).unwrap();
    assert!(node.identity_not_after() < before, "a day is less than what they began with");
    federation.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_bundle_changes_issuers_and_limits_of_the_doors() {
    let folder = tempfile::tempdir().unwrap();
    let federation = started(folder.path()).await;
    let home = id("CN-SZ");
    let (node, client) = (federation.node(&home).unwrap(), client(&federation, &home));
    rows(&client).await.unwrap();
    let first = federation.bundle(&home).unwrap();

    let mut less = first.clone();
    less.limits.sql_bytes = 20;
    node.reload(filed(less)).unwrap();
    assert_eq!(rows(&client).await.unwrap_err().code, Code::Limit);
    let mut none = first.clone();
    none.limits.concurrent_queries = 0;
    node.reload(filed(none)).unwrap();
    let refusal = rows(&client).await.unwrap_err();
    assert_eq!(refusal.message, "the node answers as many questions as it may, and no more can wait");

    let mut strangers = first.clone();
    strangers.members.iter_mut().for_each(|member| member.issuers.clear());
    node.reload(filed(strangers)).unwrap();
    assert_eq!(rows(&client).await.unwrap_err().code, Code::Identity);
    node.reload(filed(first.clone())).unwrap();
    rows(&client).await.unwrap();
    federation.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_is_left_out_is_not_answered_on_the_connection_that_it_has() {
    let folder = tempfile::tempdir().unwrap();
    let federation = started(folder.path()).await;
    let client = client(&federation, &id("CN-SZ"));
    rows(&client).await.unwrap();
    let (macau, first) = (federation.node(&id("MO")).unwrap(), federation.bundle(&id("MO")).unwrap());
    let mut without = first.clone();
    without.members.iter_mut().filter(|member| member.jurisdiction == id("CN-SZ")).for_each(|member| member.ca = None);
    macau.reload(filed(without)).unwrap();
    let refusal = rows(&client).await.unwrap_err();
    assert_eq!((refusal.code, refusal.owner), (Code::Identity, Some(id("MO"))));
    macau.reload(filed(first.clone())).unwrap();
    rows(&client).await.unwrap();
    federation.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unusable_bundle_still_withdraws_what_it_withdraws() {
    let folder = tempfile::tempdir().unwrap();
    let federation = started(folder.path()).await;
    let client = client(&federation, &id("CN-SZ"));
    let (macau, first) = (federation.node(&id("MO")).unwrap(), federation.bundle(&id("MO")).unwrap());
    let broken = |of_visits: bool| {
        let mut bundle = first.clone();
        let own = bundle.slices.iter_mut().filter(|s| s.jurisdiction == id("MO") && !s.table.is_common());
        let mut own = own.filter(|slice| (slice.table.table.as_str() == "visits") == of_visits);
        own.next().unwrap().columns[0].expression = Some("no_such_column".to_owned());
        bundle
    };
    rows(&client).await.unwrap();
    assert!(macau.reload(filed(broken(false))).is_err());
    assert!(macau.checks()[0].fault.as_ref().is_some_and(|fault| fault.contains("cannot be used")));
    rows(&client).await.unwrap();

    assert!(macau.reload(filed(broken(true))).is_err());
    assert_eq!(rows(&client).await.unwrap_err().owner, Some(id("MO")), "the table that would have changed");
    macau.reload(filed(first.clone())).unwrap();
    rows(&client).await.unwrap();

    let mut suspended = broken(false);
    suspended.agreements.iter_mut().for_each(|agreement| agreement.state = AgreementState::Suspended);
    assert!(macau.reload(filed(suspended)).is_err());
    let refusal = rows(&client).await.unwrap_err();
    assert_eq!((refusal.code, refusal.owner), (Code::NoAgreement, Some(id("MO"))));
    federation.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_that_is_not_understood_closes_the_node_until_one_is() {
    let folder = tempfile::tempdir().unwrap();
    let federation = started(folder.path()).await;
    let client = client(&federation, &id("CN-SZ"));
    rows(&client).await.unwrap();
    let (macau, first) = (federation.node(&id("MO")).unwrap(), federation.bundle(&id("MO")).unwrap());
    macau.bundle_is_not_understood();
    let refusal = rows(&client).await.unwrap_err();
    assert_eq!((refusal.code, refusal.owner), (Code::Identity, Some(id("MO"))));
    macau.reload(filed(first.clone())).unwrap();
    rows(&client).await.unwrap();
    federation.shutdown().await;
}

/// A clock that can be put forward.
#[derive(Clone, Default)]
struct Later(Arc<Mutex<SignedDuration>>);

impl Clock for Later {
    fn now(&self) -> Timestamp {
        Timestamp::now() + *self.0.lock()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agreement_ends_by_the_owners_clock_on_a_connection_that_is_open() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Later::default();
    let ends = Timestamp::now() + SignedDuration::from_hours(1);
    let federation = started_with(folder.path(), |options| {
        options.clock = Arc::new(clock.clone());
        // At home the agreement goes on: only the owner knows that it ends.
        options.amend = Some(Box::new(move |bundle| {
            if bundle.jurisdiction == id("MO") {
                bundle.agreements.iter_mut().filter(|a| a.from == id("MO")).for_each(|a| a.expires = ends);
            }
        }));
    })
    .await;
    let client = client(&federation, &id("CN-SZ"));
    rows(&client).await.unwrap();
    *clock.0.lock() = SignedDuration::from_mins(59);
    // The token of the client holds for a minute.
    let client = self::client(&federation, &id("CN-SZ"));
    rows(&client).await.unwrap();
    *clock.0.lock() = SignedDuration::from_mins(60);
    let client = self::client(&federation, &id("CN-SZ"));
    let refusal = rows(&client).await.unwrap_err();
    assert_eq!((refusal.code, refusal.owner), (Code::NoAgreement, Some(id("MO"))));
    federation.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_of_data_around_the_nodes_own_folders_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let federation = started_with(folder.path(), |options| {
        options.data_roots.insert(id("HK"), folder.path().to_owned());
        options.data_roots.insert(id("MO"), options.nodes.join("HK"));
    })
    .await;
    for (member, refused) in [("CN-SZ", false), ("HK", true), ("MO", true)] {
        let node = federation.node(&id(member)).unwrap();
        node.look_at_sources().await;
        let unavailable = node.unavailable_datasets();
        assert_eq!(!unavailable.is_empty(), refused, "{member}: {unavailable:?}");
        assert!(
            unavailable.iter().all(|why| why.contains("a folder that the node keeps for itself")),
            "{unavailable:?}"
        );
    }
    federation.shutdown().await;
}
