//! The program in this process, while its files change.

use std::collections::BTreeMap;
use std::path::Path;

use clap::CommandFactory;
use jiff::Timestamp;
use wanqu_cli::local::placements;
use wanqu_client::Client;
use wanqu_crds::{Placement, compile, manifests};
use wanqu_identity::{Authority, TokenIssuer, Validity};
use wanqu_model::audience::gateway_audience;
use wanqu_model::bundle::NodeBundle;
use wanqu_model::names::JurisdictionId;
use wanqu_testing::free_address;

use super::*;
use crate::clock::Clock;

const ISSUER: &str = "https://issuer.wanqu.local";

/// Hong Kong's node over the example manifests: its bundle, its settings, and a client of its gateway.
pub(super) fn hong_kong(folder: &Path) -> (NodeBundle, Settings, Client) {
    let hk: JurisdictionId = "HK".parse().unwrap();
    wanqu_samples::write_manifests(folder).unwrap();
    let authority = Authority::new(hk.clone(), "gba.example", Validity::days(Timestamp::now(), 1)).unwrap();
    authority.issue_node(Validity::days(Timestamp::now(), 1)).unwrap().save(folder).unwrap();
    authority.issue_gateway(Validity::days(Timestamp::now(), 1)).unwrap().save(folder).unwrap();
    let issuer = TokenIssuer::new(ISSUER).unwrap();
    let mut placements = placements(Some(folder), &BTreeMap::new());
    let placement = Placement {
        ca: Some(authority.certificate_pem().to_owned()),
        issuer_keys: BTreeMap::from([(ISSUER.to_owned(), vec![issuer.public_key_pem()])]),
        ..Placement::default()
    };
    placements.members.insert(hk.clone(), placement);
    let bundle = compile(&manifests::read_dir(folder).unwrap(), &placements).unwrap().remove(&hk).unwrap();
    let settings = Settings {
        bundle: folder.join("bundle.json"),
        bundle_grace_seconds: 300,
        node_cert: folder.join("node.pem"),
        node_key: folder.join("node.key"),
        gateway_cert: folder.join("gateway.pem"),
        gateway_key: folder.join("gateway.key"),
        audit: folder.join("audit"),
        audit_segment_mib: 1,
        audit_segment_hours: 1,
        results: Some(folder.join("results")),
        results_mib: 1,
        memory_mib: None,
        exchange_listen: free_address(),
        gateway_listen: free_address(),
        http_listen: None,
        observation_listen: free_address(),
        drain_seconds: 5,
        otlp_endpoint: None,
        log_format: LogFormat::Text,
    };
    let audience = gateway_audience("gba.example", &hk);
    let token = issuer.issue("researcher@hku.example", &audience, Timestamp::now(), Duration::from_mins(1)).unwrap();
    let endpoint = settings.gateway_listen.to_string();
    let client = Client::connect(&endpoint, authority.certificate_pem(), &token, None).unwrap();
    (bundle, settings, client)
}

/// Opens a node of these settings without its doors, with the files that it is to follow.
pub(super) fn opened(settings: &Settings) -> (Arc<Node>, BundleFile, IdentityFiles) {
    opened_at(settings, Arc::new(SystemClock))
}

/// Opens a node as [`opened`] does, with this clock.
pub(super) fn opened_at(settings: &Settings, clock: Arc<dyn Clock>) -> (Arc<Node>, BundleFile, IdentityFiles) {
    let mut file = BundleFile::new(settings.bundle.clone());
    let mut identities = IdentityFiles::new(settings);
    let bundle = file.first().unwrap();
    let (identity, gateway) = identities.first(&bundle.bundle.trust_domain).unwrap();
    let node = Node::open(NodeSettings {
        bundle,
        identity: Arc::new(identity),
        gateway: Arc::new(gateway),
        audit: AuditSettings::in_folder(settings.audit.clone()),
        results: None,
        own: own_folders(settings),
        clock,
        tap: None,
    });
    (Arc::new(node.unwrap()), file, identities)
}

/// Waits until a condition holds.
pub(super) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let limit = Duration::from_mins(1);
    wanqu_testing::until(what, limit, async || if condition() { Ok(()) } else { Err("it does not hold") }).await;
}

/// Waits until the node's catalog has so many tables.
async fn tables(client: &Client, expected: usize) {
    wanqu_testing::until(&format!("a catalog of {expected} tables"), Duration::from_mins(1), async || {
        match client.catalog().await.map(|tables| tables.len()) {
            Ok(found) if found == expected => Ok(()),
            found => Err(format!("{found:?}")),
        }
    })
    .await;
}

pub(super) fn write(settings: &Settings, bundle: &NodeBundle) {
    std::fs::write(&settings.bundle, serde_json::to_string(bundle).unwrap()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_follows_its_bundle() {
    let folder = tempfile::tempdir().unwrap();
    let (mut bundle, settings, client) = hong_kong(folder.path());
    let path = settings.bundle.clone();
    write(&settings, &bundle);
    let all = wanqu_rules::catalog::Catalog::federated(&bundle).tables().count();
    bundle.slices.retain(|slice| slice.table.to_string() != "gba.finance.rates");
    let less = serde_json::to_string(&bundle).unwrap();
    tokio::spawn(serve(settings));
    tables(&client, all).await;
    std::fs::write(&path, less).unwrap();
    tables(&client, all - 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_another_jurisdiction_starts_no_node() {
    let folder = tempfile::tempdir().unwrap();
    let (mut bundle, settings, _client) = hong_kong(folder.path());
    bundle.jurisdiction = "MO".parse().unwrap();
    write(&settings, &bundle);
    let error = Box::pin(serve(settings)).await.unwrap_err().to_string();
    assert_eq!(error, "the certificate is that of HK, the bundle that of MO");
}

#[test]
fn the_command_line_is_consistent() {
    Settings::command().debug_assert();
}

#[test]
fn every_file_must_be_named() {
    let error = Settings::try_parse_from(["query-node", "--bundle", "b.json"]).unwrap_err();
    assert_eq!(error.exit_code(), 2);
}
