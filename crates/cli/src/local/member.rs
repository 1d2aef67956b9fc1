//! One node of a local federation, with a runtime of its own.

use std::fs::{self, DirBuilder};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use query_node::audit::AuditSettings;
use query_node::bundle_file;
use query_node::node::{Node, NodeError, NodeSettings};
use query_node::results::ResultsSettings;
use query_node::threads;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use wanqu_model::bundle::NodeBundle;

use super::LocalError;
use super::identities::MemberIdentities;
use super::options::LocalOptions;
use super::ports::{Listeners, address};

/// Time that a node has to shut down gracefully.
const GRACE: Duration = Duration::from_secs(5);

/// Most bytes that the kept answers of one node may take.
const RESULTS_QUOTA: u64 = 1 << 30;

/// One node.
pub(super) struct Member {
    pub(super) gateway: SocketAddr,
    pub(super) exchange: SocketAddr,
    pub(super) http: SocketAddr,
    pub(super) bundle: NodeBundle,
    pub(super) audit: PathBuf,
    pub(super) node: Arc<Node>,
    stop: CancellationToken,
    serving: Option<JoinHandle<()>>,
    runtime: Option<Runtime>,
}

impl Member {
    /// Writes the bundle, opens the node and serves.
    pub(super) async fn start(
        bundle: NodeBundle,
        identities: &MemberIdentities,
        listeners: Listeners,
        options: &LocalOptions,
    ) -> Result<Self, LocalError> {
        let jurisdiction = bundle.jurisdiction.clone();
        let failed = |source| LocalError::Node { jurisdiction: jurisdiction.clone(), source };
        let folder = options.nodes.join(jurisdiction.as_str());
        let audit = folder.join("audit");
        make_folder(&folder)?;
        let path = folder.join("bundle.json");
        write_bundle(&path, &bundle)?;
        let filed = bundle_file::read(&path).map_err(|error| failed(NodeError::Runtime(io::Error::other(error))))?;
        let (gateway, exchange) = (address(&listeners.gateway)?, address(&listeners.exchange)?);
        let http = address(&listeners.http)?;
        let settings = NodeSettings {
            bundle: filed,
            identity: Arc::clone(&identities.node),
            gateway: Arc::clone(&identities.gateway),
            audit: AuditSettings::in_folder(audit.clone()),
            results: Some(ResultsSettings { folder: folder.join("results"), quota: RESULTS_QUOTA }),
            // With the tokens and answers of all of them.
            own: vec![options.nodes.clone()],
            clock: Arc::clone(&options.clock),
            tap: options.tap.clone(),
        };
        let runtime =
            threads::runtime(&format!("node-{jurisdiction}")).map_err(|source| failed(NodeError::Runtime(source)))?;
        let stop = CancellationToken::new();
        let stopping = stop.clone();
        // On the node's own runtime, so that everything it starts ends with it.
        let made = runtime.spawn(async move {
            let node = Arc::new(Node::open(settings)?);
            let served = Arc::clone(&node);
            let exchange = tokio::net::TcpListener::from_std(listeners.exchange).map_err(NodeError::Runtime)?;
            let gateway = tokio::net::TcpListener::from_std(listeners.gateway).map_err(NodeError::Runtime)?;
            let over_http = tokio::net::TcpListener::from_std(listeners.http).map_err(NodeError::Runtime)?;
            let serving = tokio::spawn(async move {
                if let Err(error) = Box::pin(served.serve(exchange, gateway, Some(over_http), stopping)).await {
                    tracing::error!(%error, "a node ended");
                }
            });
            Ok((node, serving))
        });
        let (node, serving) = match made.await {
            Ok(Ok(made)) => made,
            Ok(Err(error)) => {
                runtime.shutdown_background();
                return Err(failed(error));
            }
            Err(error) => {
                runtime.shutdown_background();
                return Err(failed(NodeError::Runtime(error.into())));
            }
        };
        Ok(Self { gateway, exchange, http, bundle, audit, node, stop, serving: Some(serving), runtime: Some(runtime) })
    }

    /// Ends it at once, with all its connections.
    pub(super) fn kill(&mut self) {
        self.serving = None;
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }

    /// Tells it to shut down.
    pub(super) fn stop(&self) {
        self.stop.cancel();
    }

    /// Waits until it has shut down, for a few seconds at most, and ends it then.
    pub(super) async fn stopped(&mut self) {
        if let Some(serving) = self.serving.take() {
            // If it runs out of time, it is ended below.
            let _ = tokio::time::timeout(GRACE, serving).await;
        }
        self.kill();
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.kill();
    }
}

fn make_folder(path: &Path) -> Result<(), LocalError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|source| LocalError::File { path: path.to_owned(), source })
}

fn write_bundle(path: &Path, bundle: &NodeBundle) -> Result<(), LocalError> {
    let failed = |source| LocalError::File { path: path.to_owned(), source };
    let text = serde_json::to_string_pretty(bundle).map_err(|error| failed(error.into()))?;
    fs::write(path, text).map_err(failed)
}
