//! The `query-node` program: reads its configuration, serves one node, and follows its bundle file.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, registry};

use crate::bundle_file::{BundleFile, follow};
use crate::cli::failure::io_reason;
use crate::clock::SystemClock;
use crate::identity::{GatewayIdentity, IdentityError, NodeIdentity};
use crate::node::{Node, NodeError, NodeSettings};
use crate::telemetry::log_filter;

/// How often the bundle file is looked at.
const PERIOD: Duration = Duration::from_secs(1);

/// Serves one jurisdiction's query node.
///
/// Everything that the node knows of the federation is in the bundle, which `wanqu up` and the operator make. When the
/// file changes it is read again; a bad new file is reported, and the old one stays in force.
#[derive(Debug, Parser)]
#[command(name = "query-node", version, max_term_width = 110)]
pub struct Settings {
    /// The node bundle.
    #[arg(long, value_name = "FILE", env = "WANQU_BUNDLE")]
    pub bundle: PathBuf,
    /// The certificate that other nodes see, with its chain (PEM).
    #[arg(long, value_name = "FILE", env = "WANQU_NODE_CERT")]
    pub node_cert: PathBuf,
    /// Its private key (PEM, PKCS #8, Ed25519).
    #[arg(long, value_name = "FILE", env = "WANQU_NODE_KEY")]
    pub node_key: PathBuf,
    /// The certificate that researchers see, with its chain (PEM).
    #[arg(long, value_name = "FILE", env = "WANQU_GATEWAY_CERT")]
    pub gateway_cert: PathBuf,
    /// Its private key (PEM, PKCS #8, Ed25519).
    #[arg(long, value_name = "FILE", env = "WANQU_GATEWAY_KEY")]
    pub gateway_key: PathBuf,
    /// The folder of the audit log.
    #[arg(long, value_name = "DIR", env = "WANQU_AUDIT")]
    pub audit: PathBuf,
    /// Where other nodes are let in.
    #[arg(long, value_name = "ADDRESS", env = "WANQU_EXCHANGE_LISTEN", default_value = "0.0.0.0:7443")]
    pub exchange_listen: SocketAddr,
    /// Where researchers are let in.
    #[arg(long, value_name = "ADDRESS", env = "WANQU_GATEWAY_LISTEN", default_value = "0.0.0.0:8443")]
    pub gateway_listen: SocketAddr,
    /// How the log is written.
    #[arg(long, value_enum, env = "WANQU_LOG_FORMAT", default_value_t)]
    pub log_format: LogFormat,
}

/// How the log is written. What is logged is said by `RUST_LOG`.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// One JSON object a line.
    #[default]
    Json,
    /// Lines for people.
    Text,
}

/// Why the program ended.
#[derive(Debug, thiserror::Error)]
enum DaemonError {
    #[error(transparent)]
    Bundle(#[from] crate::bundle_file::BundleError),
    #[error("cannot read {}: {}", .path.display(), io_reason(.source))]
    File { path: PathBuf, source: io::Error },
    #[error("{}: {source}", .path.display())]
    Identity { path: PathBuf, source: IdentityError },
    #[error("cannot listen on {address}: {}", io_reason(.source))]
    Listen { address: SocketAddr, source: io::Error },
    #[error("cannot be set up: {0}")]
    Setup(io::Error),
    #[error(transparent)]
    Node(#[from] NodeError),
}

/// Reads the command line and serves until SIGTERM or SIGINT.
#[must_use]
pub fn main() -> ExitCode {
    let settings = Settings::parse();
    start_log(settings.log_format);
    let outcome = tokio::runtime::Runtime::new()
        .map_err(DaemonError::Setup)
        .and_then(|runtime| runtime.block_on(serve(settings)));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the node ended");
            eprintln!("query-node: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(settings: Settings) -> Result<(), DaemonError> {
    let mut file = BundleFile::new(settings.bundle.clone());
    let bundle = file.first()?;
    let wrong = |path: &Path| {
        let path = path.to_owned();
        move |source| DaemonError::Identity { path, source }
    };
    let (cert, key) = (read(&settings.node_cert)?, read(&settings.node_key)?);
    let identity = NodeIdentity::from_pem(&bundle.trust_domain, &cert, &key).map_err(wrong(&settings.node_cert))?;
    let (cert, key) = (read(&settings.gateway_cert)?, read(&settings.gateway_key)?);
    let gateway = GatewayIdentity::from_pem(&cert, &key).map_err(wrong(&settings.gateway_cert))?;
    let node = Node::open(NodeSettings {
        bundle,
        identity: Arc::new(identity),
        gateway: Arc::new(gateway),
        audit: settings.audit,
        clock: Arc::new(SystemClock),
        tap: None,
    })?;
    let (exchange, front) = (listen(settings.exchange_listen).await?, listen(settings.gateway_listen).await?);
    let stop = CancellationToken::new();
    let mut terminated = signal(SignalKind::terminate()).map_err(DaemonError::Setup)?;
    let mut serving = std::pin::pin!(node.serve(exchange, front, stop.clone()));
    tokio::select! {
        ended = &mut serving => return Ok(ended?),
        () = follow(file, PERIOD, |found| take(&node, found)) => {}
        _ = terminated.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    tracing::info!("stopping");
    stop.cancel();
    Ok(serving.await?)
}

/// Takes a new bundle; a bad one is reported, and the old one stays.
fn take(node: &Node, found: Result<wanqu_crds::bundle::NodeBundle, crate::bundle_file::BundleError>) {
    let outcome = found.map_err(DaemonError::from).and_then(|bundle| Ok(node.reload(bundle)?));
    match outcome {
        Ok(()) => tracing::info!("a new bundle is in force"),
        Err(error) => tracing::error!(%error, "the new bundle is not used; the old one stays in force"),
    }
}

fn read(path: &Path) -> Result<String, DaemonError> {
    std::fs::read_to_string(path).map_err(|source| DaemonError::File { path: path.to_owned(), source })
}

async fn listen(address: SocketAddr) -> Result<TcpListener, DaemonError> {
    TcpListener::bind(address).await.map_err(|source| DaemonError::Listen { address, source })
}

fn start_log(format: LogFormat) {
    // A second call finds a log that is there already, and leaves it.
    let log = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let _ = match format {
        LogFormat::Json => registry().with(log.json().with_filter(log_filter("info"))).try_init(),
        LogFormat::Text => registry().with(log.with_filter(log_filter("info"))).try_init(),
    };
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Instant;

    use clap::CommandFactory;
    use jiff::Timestamp;
    use wanqu_crds::bundle::NodeBundle;
    use wanqu_crds::names::JurisdictionId;
    use wanqu_crds::{Placement, compile, manifests};

    use super::*;
    use crate::gateway::Client;
    use crate::identity::{Authority, TokenIssuer, Validity};
    use crate::local::placements;

    const ISSUER: &str = "https://issuer.wanqu.local";

    /// Hong Kong's node over the example manifests: its bundle, its settings, and a client of its gateway.
    fn hong_kong(folder: &Path) -> (NodeBundle, Settings, Client) {
        let hk: JurisdictionId = "HK".parse().unwrap();
        wanqu_samples::write_manifests(folder).unwrap();
        let authority = Authority::new(hk.clone(), "gba.example", Validity::days(Timestamp::now(), 1)).unwrap();
        authority.issue_node(Validity::days(Timestamp::now(), 1)).unwrap().save(folder).unwrap();
        authority.issue_gateway(Validity::days(Timestamp::now(), 1)).unwrap().save(folder).unwrap();
        let issuer = TokenIssuer::new(ISSUER, "gba.example").unwrap();
        let mut placements = placements(Some(folder), &BTreeMap::new());
        let placement = Placement {
            ca: Some(authority.certificate_pem().to_owned()),
            issuer_keys: BTreeMap::from([(ISSUER.to_owned(), issuer.as_issuer().public_keys)]),
            ..Placement::default()
        };
        placements.members.insert(hk.clone(), placement);
        let bundle = compile(&manifests::read_dir(folder).unwrap(), &placements).unwrap().remove(&hk).unwrap();
        let free = || std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let settings = Settings {
            bundle: folder.join("bundle.json"),
            node_cert: folder.join("node.pem"),
            node_key: folder.join("node.key"),
            gateway_cert: folder.join("gateway.pem"),
            gateway_key: folder.join("gateway.key"),
            audit: folder.join("audit"),
            exchange_listen: free(),
            gateway_listen: free(),
            log_format: LogFormat::Text,
        };
        let token = issuer.issue("researcher@hku.example", Timestamp::now(), Duration::from_mins(1)).unwrap();
        let endpoint = settings.gateway_listen.to_string();
        let client = Client::connect(&endpoint, authority.certificate_pem(), &token, None).unwrap();
        (bundle, settings, client)
    }

    /// Waits until the node's catalog has so many tables.
    async fn tables(client: &Client, expected: usize) {
        let until = Instant::now() + Duration::from_secs(20);
        loop {
            let found = client.catalog().await.map(|tables| tables.len());
            if found.as_ref().is_ok_and(|found| *found == expected) {
                return;
            }
            assert!(Instant::now() < until, "{found:?} instead of {expected} tables");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn write(settings: &Settings, bundle: &NodeBundle) {
        std::fs::write(&settings.bundle, serde_json::to_string(bundle).unwrap()).unwrap();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_node_follows_its_bundle() {
        let folder = tempfile::tempdir().unwrap();
        let (mut bundle, settings, client) = hong_kong(folder.path());
        let path = settings.bundle.clone();
        write(&settings, &bundle);
        let all = crate::catalog::Catalog::federated(&bundle).tables().count();
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
}
