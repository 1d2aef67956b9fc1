//! A researcher of Hong Kong, outside of the cluster, who asks through the gateway.

use std::net::SocketAddr;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::csv::WriterBuilder;
use arrow::datatypes::SchemaRef;
use futures::StreamExt;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ConfigMap, Service};
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use uuid::Uuid;
use wanqu_client::Client;
use wanqu_crds::kinds::Jurisdiction;
use wanqu_identity::TokenIssuer;
use wanqu_model::answer::{Answer, Event, Progress, Question, Summary};
use wanqu_model::refusal::{Code, Refusal};
use wanqu_testbed::{Cluster, Forward};

/// Names of the local issuer, its audience and the researcher in the examples.
const ISSUER: &str = "https://issuer.wanqu.local";
const AUDIENCE: &str = "wanqu:gba.example/HK";
const SUBJECT: &str = "researcher@hku.example";

/// Interval at which the gateway's authorities are read.
const LOOK: Duration = Duration::from_secs(1);

/// An answer that is whole.
#[derive(Debug, Clone)]
pub struct Answered {
    /// The rows, as CSV with a line of names.
    pub rows: String,
    /// The account.
    pub summary: Summary,
}

/// A researcher with a token that Hong Kong accepts, who follows which certificates may vouch for its gateway.
pub struct Researcher {
    kube: kube::Client,
    issuer: TokenIssuer,
    forward: Forward,
    token: String,
    trusted: watch::Receiver<String>,
    follows: JoinHandle<()>,
}

impl Researcher {
    /// Makes an issuer of tokens known to Hong Kong, and a researcher whom it vouches for.
    ///
    /// # Panics
    /// If the cluster does not have the federation of the tutorial.
    pub async fn let_in(cluster: &Cluster) -> Self {
        let kube = cluster.client().await.expect("a client");
        let issuer = TokenIssuer::new(ISSUER).expect("an issuer");
        let token = issuer.issue(SUBJECT, AUDIENCE, Timestamp::now(), Duration::from_mins(50)).expect("a token");

        let services: Api<Service> = Api::namespaced(kube.clone(), "gba-hongkong");
        let service = services.get("hongkong-gateway").await.expect("the gateway's service");
        let address = service.spec.and_then(|spec| spec.cluster_ip).expect("it has an address");
        let target: SocketAddr = format!("{address}:8443").parse().expect("it is one");
        let forward = cluster.forward(target).expect("a way there");

        let maps: Api<ConfigMap> = Api::namespaced(kube.clone(), "gba");
        let first = authorities(&maps).await.expect("the authorities of Hong Kong");
        let (said, trusted) = watch::channel(first);
        let follows = tokio::spawn(async move {
            loop {
                tokio::time::sleep(LOOK).await;
                if let Some(now) = authorities(&maps).await {
                    said.send_if_modified(|known| {
                        *known != now && {
                            known.clone_from(&now);
                            true
                        }
                    });
                }
            }
        });
        let researcher = Self { kube, issuer, forward, token, trusted, follows };
        researcher.make_known().await;
        researcher
    }

    /// Has Hong Kong accept the issuer, which the example leaves without a key.
    ///
    /// # Panics
    /// If there is no Hong Kong.
    pub async fn make_known(&self) {
        let keys = vec![self.issuer.public_key_pem()];
        let patch = json!([{"op": "add", "path": "/spec/issuers/0/publicKeys", "value": keys}]);
        let patch = Patch::Json::<()>(serde_json::from_value(patch).expect("a patch"));
        let jurisdictions: Api<Jurisdiction> = Api::namespaced(self.kube.clone(), "gba");
        jurisdictions.patch("hongkong", &PatchParams::default(), &patch).await.expect("the issuer is made known");
    }

    /// Returns the gateway's address from here.
    #[must_use]
    pub fn gateway(&self) -> String {
        format!("https://{}", self.forward.address())
    }

    /// The token.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The certificates that may vouch for the gateway now, PEM.
    #[must_use]
    pub fn trusted(&self) -> String {
        self.trusted.borrow().clone()
    }

    /// A client that believes them.
    ///
    /// # Panics
    /// If they are none.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::connect(&self.gateway(), &self.trusted(), &self.token, None).expect("authorities and a token")
    }
}

impl Drop for Researcher {
    fn drop(&mut self) {
        self.follows.abort();
    }
}

async fn authorities(maps: &Api<ConfigMap>) -> Option<String> {
    maps.get("hongkong-trust").await.ok()?.data?.remove("ca.pem")
}

/// Asks, and takes the answer to its end.
///
/// # Errors
/// The refusal.
pub async fn ask(client: &Client, sql: &str) -> Result<Answered, Refusal> {
    finish(client.ask(&question(sql)).await?).await
}

/// Asks, and returns as soon as the owners are being asked: the query's id, and the answer as it comes about.
///
/// # Errors
/// The refusal.
pub async fn begin(client: &Client, sql: &str) -> Result<(Uuid, Answer), Refusal> {
    let mut answer = client.ask(&question(sql)).await?;
    match answer.next().await {
        Some(Ok(Event::Progress(Progress::Planned { query_id, .. }))) => Ok((query_id, answer)),
        Some(Err(refusal)) => Err(refusal),
        other => Err(Refusal::new(Code::Internal, format!("first comes the plan, and not {other:?}"))),
    }
}

/// Takes an answer to its end.
///
/// # Errors
/// The refusal that cut it short.
pub async fn finish(mut answer: Answer) -> Result<Answered, Refusal> {
    let (mut schema, mut batches) = (None, Vec::new());
    while let Some(event) = answer.next().await {
        match event? {
            Event::Progress(_) => {}
            Event::Schema(columns) => schema = Some(columns),
            Event::Batch(batch) => batches.push(batch),
            Event::Summary(summary) => return Ok(Answered { rows: csv(schema, batches), summary }),
        }
    }
    Err(Refusal::new(Code::OwnerUnavailable, "the answer broke off before its end"))
}

fn question(sql: &str) -> Question {
    Question {
        sql: sql.to_owned(),
        project: Some("cross-border-care".parse().expect("a name")),
        purpose: Some("health-planning".parse().expect("a purpose")),
        ..Question::default()
    }
}

fn csv(schema: Option<SchemaRef>, mut batches: Vec<RecordBatch>) -> String {
    if batches.is_empty() {
        batches.extend(schema.map(RecordBatch::new_empty));
    }
    let mut lines = WriterBuilder::new().with_header(true).build(Vec::new());
    for batch in &batches {
        lines.write(batch).expect("rows of plain columns");
    }
    String::from_utf8(lines.into_inner()).expect("CSV is text")
}
