//! The `query-node` program: reads its settings, serves one node, and follows its files.

mod files;
mod follow;
mod http;
#[cfg(test)]
mod revoked;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry;
use tracing_subscriber::util::SubscriberInitExt;
use wanqu_http::Bounds;
use wanqu_identity::IdentityError;
use wanqu_model::io_reason;

use crate::audit::AuditSettings;
use crate::bundle_file::{BundleError, BundleFile};
use crate::clock::SystemClock;
use crate::engine::bound_memory;
use crate::node::{Node, NodeError, NodeSettings};
use crate::results::ResultsSettings;
use crate::sources::folders_of;
use crate::supervisor::Progress;
use crate::telemetry::{log_filter, tell_panics_by_place};
use crate::threads;
use crate::trace::{Exporter, ExporterError};
use files::IdentityFiles;
use follow::{Followed, follow};

/// Longest time that the runtime's last threads may take to end, once the node has ended.
const LAST: Duration = Duration::from_secs(2);

/// Serves one jurisdiction's query node.
///
/// Everything that the node knows of the federation is in the bundle, which `wanqu up` and the operator make. When the
/// file changes it is read again, as are the certificates and keys; a bad new file is reported. Until it is mended, the old
/// certificates and keys stay in use, and of the old bundle what the new one grants too. On SIGTERM the node takes no new
/// questions, finishes those that run, and ends.
#[derive(Debug, Parser)]
#[command(name = "query-node", version, max_term_width = 110)]
pub struct Settings {
    /// The node bundle: JSON, or JSON packed by gzip.
    #[arg(long, value_name = "FILE", env = "WANQU_BUNDLE")]
    pub bundle: PathBuf,
    /// Longest time that the node goes on with the bundle it has while the file cannot be read or is no bundle, in seconds. After
    /// that it refuses everything until it can read a bundle, because the file may withdraw any permission.
    #[arg(
        long, value_name = "SECONDS", env = "WANQU_BUNDLE_GRACE_SECONDS", default_value_t = 300,
        value_parser = clap::value_parser!(u32).range(30..=86_400)
    )]
    pub bundle_grace_seconds: u32,
    /// The certificate that other nodes see, with its chain (PEM).
    #[arg(long, value_name = "FILE", env = "WANQU_NODE_CERT")]
    pub node_cert: PathBuf,
    /// Its private key (PEM, PKCS #8, Ed25519).
    #[arg(long, value_name = "FILE", env = "WANQU_NODE_KEY")]
    pub node_key: PathBuf,
    /// The certificate that researchers see, with its chain (PEM).
    #[arg(long, value_name = "FILE", env = "WANQU_GATEWAY_CERT")]
    pub gateway_cert: PathBuf,
    /// Its private key (PEM, PKCS #8; P-256, which all clients take).
    #[arg(long, value_name = "FILE", env = "WANQU_GATEWAY_KEY")]
    pub gateway_key: PathBuf,
    /// The folder of the audit log.
    #[arg(long, value_name = "DIR", env = "WANQU_AUDIT")]
    pub audit: PathBuf,
    /// The size in MiB at which a file of the audit log is sealed and the next one begun. Sealed files may be moved away.
    #[arg(
        long, value_name = "MIB", env = "WANQU_AUDIT_SEGMENT_MIB", default_value_t = AuditSettings::SEGMENT_MIB,
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    pub audit_segment_mib: u32,
    /// The age in hours at which a file of the audit log is sealed, before the next entry is written.
    #[arg(
        long, value_name = "HOURS", env = "WANQU_AUDIT_SEGMENT_HOURS", default_value_t = AuditSettings::SEGMENT_HOURS,
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    pub audit_segment_hours: u32,
    /// The folder of the answers that researchers ask to be kept; without it, none are.
    #[arg(long, value_name = "DIR", env = "WANQU_RESULTS")]
    pub results: Option<PathBuf>,
    /// Largest size of these answers on disk, in MiB; each researcher has a quarter of it.
    #[arg(long, value_name = "MIB", env = "WANQU_RESULTS_MIB", default_value_t = 1024)]
    pub results_mib: u32,
    /// Memory that all queries together may reserve, in MiB; by default two thirds of what the machine, or its control group, has.
    #[arg(
        long, value_name = "MIB", env = "WANQU_MEMORY_MIB",
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    pub memory_mib: Option<u32>,
    /// Address at which other nodes are let in.
    #[arg(long, value_name = "ADDRESS", env = "WANQU_EXCHANGE_LISTEN", default_value = "0.0.0.0:7443")]
    pub exchange_listen: SocketAddr,
    /// Address at which researchers are let in.
    #[arg(long, value_name = "ADDRESS", env = "WANQU_GATEWAY_LISTEN", default_value = "0.0.0.0:8443")]
    pub gateway_listen: SocketAddr,
    /// Address at which researchers are let in over HTTP (TLS, HTTP/1.1). They are not without it.
    #[arg(long, value_name = "ADDRESS", env = "WANQU_HTTP_LISTEN")]
    pub http_listen: Option<SocketAddr>,
    /// Address of the observation port: plain HTTP with /livez, /readyz, /metrics, /bundle and /peers, and none of the data.
    #[arg(long, value_name = "ADDRESS", env = "WANQU_OBSERVATION_LISTEN", default_value = "0.0.0.0:9090")]
    pub observation_listen: SocketAddr,
    /// Longest time that questions may run on after SIGTERM, in seconds; what is left then is cancelled. It must be shorter
    /// than the time after which the process is killed.
    #[arg(long, value_name = "SECONDS", env = "WANQU_DRAIN_SECONDS", default_value_t = 30)]
    pub drain_seconds: u32,
    /// Collector that traces are sent to: OTLP over HTTP, `http://HOST:4318` or `https://HOST:4318`. None are sent without it.
    /// Other variables of OpenTelemetry hold too: `OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_EXPORTER_OTLP_CERTIFICATE` (the CAs that
    /// may vouch for it, if not the machine's), `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_SERVICE_NAME`, `OTEL_BSP_SCHEDULE_DELAY`.
    #[arg(long, value_name = "URL", env = "OTEL_EXPORTER_OTLP_ENDPOINT")]
    pub otlp_endpoint: Option<Exporter>,
    /// Format of the log.
    #[arg(long, value_enum, env = "WANQU_LOG_FORMAT", default_value_t)]
    pub log_format: LogFormat,
}

/// Format of the log. `RUST_LOG` sets what is logged.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// One JSON object a line.
    #[default]
    Json,
    /// Lines for people.
    Text,
}

/// Reason why the program ended.
#[derive(Debug, thiserror::Error)]
enum DaemonError {
    #[error(transparent)]
    Bundle(#[from] BundleError),
    #[error("cannot read {}: {}", .path.display(), io_reason(.source))]
    File { path: PathBuf, source: io::Error },
    #[error("{} with {}: {source}", .cert.display(), .key.display())]
    Identity { cert: PathBuf, key: PathBuf, source: IdentityError },
    #[error("cannot listen on {address}: {}", io_reason(.source))]
    Listen { address: SocketAddr, source: io::Error },
    #[error("cannot be set up: {0}")]
    Setup(io::Error),
    #[error("traces cannot be sent: {0}")]
    Traces(#[from] ExporterError),
    #[error(transparent)]
    Node(#[from] NodeError),
}

/// Reads the command line and serves until SIGTERM or SIGINT.
#[must_use]
pub fn main() -> ExitCode {
    let settings = Settings::parse();
    start_log(settings.log_format);
    tell_panics_by_place();
    let outcome = threads::runtime("query-node").map_err(DaemonError::Setup).and_then(|runtime| {
        let outcome = runtime.block_on(serve(settings));
        // A thread that computes for a question that was cancelled must not hold up the end.
        runtime.shutdown_timeout(LAST);
        outcome
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("query-node: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(settings: Settings) -> Result<(), DaemonError> {
    // Before anything else, so that an early signal is not lost.
    let mut terminated = signal(SignalKind::terminate()).map_err(DaemonError::Setup)?;
    if let Some(exporter) = &settings.otlp_endpoint {
        exporter.start()?;
    }
    if let Some(mib) = settings.memory_mib {
        bound_memory(mib);
    }
    let mut file = BundleFile::new(settings.bundle.clone());
    let bundle = file.first()?;
    let mut identities = IdentityFiles::new(&settings);
    let (identity, gateway) = identities.first(&bundle.bundle.trust_domain)?;
    let own = own_folders(&settings);
    let node = Arc::new(Node::open(NodeSettings {
        bundle,
        identity: Arc::new(identity),
        gateway: Arc::new(gateway),
        audit: AuditSettings {
            folder: settings.audit,
            segment_bytes: u64::from(settings.audit_segment_mib) << 20,
            segment_age: Duration::from_hours(settings.audit_segment_hours.into()),
        },
        results: settings
            .results
            .map(|folder| ResultsSettings { folder, quota: u64::from(settings.results_mib) << 20 }),
        own,
        clock: Arc::new(SystemClock),
        tap: None,
    })?);
    node.limit_bundle(Duration::from_secs(settings.bundle_grace_seconds.into()));
    let (exchange, front) = (listen(settings.exchange_listen).await?, listen(settings.gateway_listen).await?);
    let http = match settings.http_listen {
        Some(address) => Some(listen(address).await?),
        None => None,
    };
    let observed = Arc::new(listen(settings.observation_listen).await?);
    tracing::info!(address = ?observed.local_addr().ok(), "the node can be observed");
    let stop = CancellationToken::new();
    let mut serving = std::pin::pin!(node.serve(exchange, front, http, stop.clone()));
    let aside = async {
        tokio::join!(
            observation(&node, observed),
            node.follow_peers(),
            follow(node.supervisor(), Followed::new(&node, file, identities).looks())
        )
    };
    let ending = async {
        tokio::select! {
            _ = terminated.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        tracing::info!("told to end");
        node.drain(Duration::from_secs(settings.drain_seconds.into())).await;
    };
    // While it drains, it is still observed, and its doors still answer.
    tokio::select! {
        ended = &mut serving => return Ok(ended?),
        (never, ..) = aside => match never {},
        () = ending => {}
    }
    stop.cancel();
    serving.await?;
    Exporter::shutdown().await;
    tracing::info!("ended");
    Ok(())
}

/// Returns the folders of the bundle, the certificates and the keys.
fn own_folders(settings: &Settings) -> Vec<PathBuf> {
    let Settings { bundle, node_cert, node_key, gateway_cert, gateway_key, .. } = settings;
    [bundle, node_cert, node_key, gateway_cert, gateway_key].into_iter().flat_map(|file| folders_of(file)).collect()
}

/// Serves the observation port for as long as it is polled.
async fn observation(node: &Arc<Node>, listener: Arc<TcpListener>) -> Infallible {
    let serve = |progress: Progress| {
        let (router, listener) = (http::router(Arc::clone(node)), Arc::clone(&listener));
        async move {
            progress.made();
            wanqu_http::serve(listener, router, Bounds::default()).await;
        }
    };
    node.supervisor().keep_running("observation-server", None, serve).await
}

async fn listen(address: SocketAddr) -> Result<TcpListener, DaemonError> {
    TcpListener::bind(address).await.map_err(|source| DaemonError::Listen { address, source })
}

fn start_log(format: LogFormat) {
    // A second call finds a log that is there already, and leaves it.
    let log = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let _ = match format {
        LogFormat::Json => registry().with(log_filter("info")).with(log.json()).try_init(),
        LogFormat::Text => registry().with(log_filter("info")).with(log).try_init(),
    };
}
