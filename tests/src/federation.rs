//! Three nodes over mutual TLS in this process, on a world of their own, with a tap on the exchange.

use std::collections::HashMap;
use std::fmt::{self, Display};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use tempfile::TempDir;
use wanqu_cli::local::{LocalFederation, LocalOptions};
use wanqu_client::Client;
use wanqu_crds::manifests;
use wanqu_model::answer::{Event, Question, Summary};
use wanqu_model::bundle::Subject;
use wanqu_model::names::JurisdictionId;
use wanqu_model::refusal::{Code, Refusal};

use crate::compare::Rows;
use crate::tap::Recorder;
use crate::world::World;

/// The researcher of the test worlds, as their issuer names them.
#[must_use]
pub fn researcher() -> Subject {
    Subject { issuer: "https://local.wanqu.test".into(), subject: "researcher".into() }
}

/// Shenzhen.
pub const SHENZHEN: &str = "CN-SZ";
/// Hong Kong.
pub const HONG_KONG: &str = "HK";
/// Macau.
pub const MACAU: &str = "MO";

/// A jurisdiction's identifier.
///
/// # Panics
/// For a text that is none.
#[must_use]
pub fn jid(id: &str) -> JurisdictionId {
    id.parse().expect("a well-formed jurisdiction id")
}

/// A federation did not start.
#[derive(Debug)]
pub struct StartError(String);

impl Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for StartError {}

/// An answer, whole.
#[derive(Debug, Clone)]
pub struct Answered {
    /// The rows.
    pub rows: Rows,
    /// The account.
    pub summary: Summary,
}

impl Answered {
    /// All that the researcher saw, as text.
    #[must_use]
    pub fn seen(&self) -> String {
        let rows: Vec<String> = self.rows.rows.iter().flatten().map(|cell| format!("{cell}\n")).collect();
        format!("{:?}{}{:?}", self.rows.names, rows.concat(), self.summary)
    }
}

/// A running federation.
pub struct Federation {
    /// Its nodes.
    pub local: LocalFederation,
    /// What crosses its exchanges.
    pub tap: Arc<Recorder>,
    /// Its files.
    pub world: World,
    clients: HashMap<JurisdictionId, Client>,
    // Dropped last: the nodes write there.
    node_folders: TempDir,
}

impl Federation {
    /// Starts a federation on a world.
    ///
    /// # Errors
    /// If the manifests are wrong or a node does not start.
    pub async fn start(world: World) -> Result<Self, StartError> {
        Self::start_with(world, |_| ()).await
    }

    /// The same, started in another way than tests usually are: with a clock of its own, or bundles that are changed.
    ///
    /// # Errors
    /// As for [`start`](Self::start).
    pub async fn start_with(world: World, change: impl FnOnce(&mut LocalOptions)) -> Result<Self, StartError> {
        let error = |e: &dyn Display| StartError(e.to_string());
        let resources = manifests::read_dir(world.path())
            .map_err(|all| StartError(all.iter().map(|f| format!("{f}\n")).collect::<String>()))?;
        let nodes = tempfile::tempdir().map_err(|e| error(&e))?;
        let tap = Arc::new(Recorder::default());
        let mut options = LocalOptions::new(nodes.path().to_owned());
        options.base = Some(world.path().to_owned());
        options.tap = Some(Arc::clone(&tap) as _);
        change(&mut options);
        let local = LocalFederation::start(&resources, options).await.map_err(|e| error(&e))?;
        let mut clients = HashMap::new();
        for id in local.jurisdictions() {
            let token = local.token(id, &researcher(), Duration::from_hours(24)).map_err(|e| error(&e))?;
            let gateway = local.gateway(id).map_err(|e| error(&e))?;
            let ca = local.ca(id).map_err(|e| error(&e))?;
            clients.insert(id.clone(), Client::connect(&gateway, ca, &token, None).map_err(|e| error(&e))?);
        }
        Ok(Self { local, tap, world, clients, node_folders: nodes })
    }

    /// The folder below which each node keeps its bundle and its log.
    #[must_use]
    pub fn nodes(&self) -> &Path {
        self.node_folders.path()
    }

    /// The researcher's client of one gateway.
    ///
    /// # Panics
    /// For a jurisdiction that is no member.
    #[must_use]
    pub fn client(&self, home: &str) -> &Client {
        self.clients.get(&jid(home)).expect("a member of the federation")
    }

    /// Asks at a home node, for the project and purpose of the test worlds.
    ///
    /// # Errors
    /// The refusal.
    pub async fn ask(&self, home: &str, sql: &str) -> Result<Answered, Refusal> {
        ask(self.client(home), &question(sql)).await
    }
}

/// A question of the test worlds' project.
///
/// # Panics
/// Never.
#[must_use]
pub fn question(sql: &str) -> Question {
    Question {
        sql: sql.to_owned(),
        project: Some("capacity".parse().expect("a well-formed name")),
        purpose: Some("health-planning".parse().expect("a well-formed purpose")),
        ..Question::default()
    }
}

/// Asks, and takes the whole answer.
///
/// # Errors
/// The refusal; [`Code::Internal`] for an answer that is not whole.
pub async fn ask(client: &Client, question: &Question) -> Result<Answered, Refusal> {
    let broken = |what: &str| Refusal::new(Code::Internal, what.to_owned());
    let mut answer = client.ask(question).await?;
    let (mut schema, mut batches, mut summary) = (None, Vec::new(), None);
    while let Some(event) = answer.next().await {
        match event? {
            Event::Progress(_) => {}
            Event::Schema(columns) => schema = Some(columns),
            Event::Batch(batch) => batches.push(batch),
            Event::Summary(account) => summary = Some(account),
        }
    }
    let schema = schema.ok_or_else(|| broken("the answer has no columns"))?;
    let rows = Rows::read(&schema, &batches).map_err(|_| broken("the answer cannot be read"))?;
    let summary = summary.ok_or_else(|| broken("the answer has no account"))?;
    Ok(Answered { rows, summary })
}
