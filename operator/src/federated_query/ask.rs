//! Asks a question at its home node, in the requester's name, and takes the answer to its end.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use jiff::Timestamp;
use kube::ResourceExt;
use wanqu_client::Client;
use wanqu_crds::kinds::FederatedQuery;
use wanqu_model::answer::{Event, Keep, Question, Summary};
use wanqu_model::refusal::{Code, Refusal};

use super::inline::{Inline, Rows};
use super::validate::Accepted;
use crate::framework::Context;

/// How long a token holds. The node looks at it once, when the question comes.
const TOKEN: Duration = Duration::from_mins(2);

/// How often a gateway that is away is tried, and how long is waited at first.
const ATTEMPTS: u32 = 5;
const PAUSE: Duration = Duration::from_secs(1);

/// How long the home node keeps an answer if the query does not say.
const KEEP: u32 = 7 * 24 * 60 * 60;

/// What came of a question that was answered.
pub(super) struct Answered {
    /// The account.
    pub(super) summary: Summary,
    /// The rows, if they are few enough for a `ConfigMap`.
    pub(super) inline: Option<Inline>,
}

/// Everything that asking takes.
struct Asker {
    question: Question,
    inline_rows: u32,
    endpoint: String,
    server_name: String,
    ca: String,
    requester: String,
    issuer: Arc<wanqu_identity::TokenIssuer>,
}

/// The asking of an accepted query, to be awaited.
pub(super) fn asking(
    context: &Context,
    query: &FederatedQuery,
    accepted: &Accepted,
) -> impl Future<Output = Result<Answered, Refusal>> + Send + 'static {
    let spec = &query.spec;
    // A schedule has no end from which its answers could be kept for less.
    let ttl = spec.ttl_seconds_after_finished.filter(|_| spec.schedule.is_none());
    let asker = Asker {
        question: Question {
            sql: spec.sql.clone(),
            project: spec.project.clone(),
            purpose: spec.purpose.clone(),
            partial: spec.partial,
            mark_incomplete: spec.mark_incomplete,
            keep: Some(Keep { ttl_seconds: ttl.unwrap_or(KEEP).max(60) }),
        },
        inline_rows: spec.inline_rows,
        endpoint: context.settings.gateway(&accepted.namespace, &accepted.service),
        server_name: accepted.server_name.clone(),
        ca: accepted.ca.clone(),
        requester: accepted.requester.clone(),
        issuer: Arc::clone(&accepted.issuer),
    };
    let name = query.name_any();
    async move { asker.insist(&name).await }
}

impl Asker {
    /// Asks until the gateway is there. What may have reached an owner is never asked again.
    async fn insist(&self, name: &str) -> Result<Answered, Refusal> {
        let mut pause = PAUSE;
        for attempt in 1.. {
            let mut reached = false;
            match self.once(&mut reached).await {
                Err(refusal) if !reached && attempt < ATTEMPTS && may_come_back(refusal.code) => {
                    tracing::info!(name, attempt, code = %refusal.code, "the gateway is tried again");
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
                outcome => return outcome,
            }
        }
        Err(Refusal::new(Code::OwnerUnavailable, "the gateway could not be asked"))
    }

    /// Asks once. `reached` is true as soon as an owner may have been asked.
    async fn once(&self, reached: &mut bool) -> Result<Answered, Refusal> {
        // The node judges it by its own clock, so the machine's counts and no other.
        let token = self.issuer.issue(&self.requester, Timestamp::now(), TOKEN);
        let token = token.map_err(|error| Refusal::new(Code::Identity, error.to_string()))?;
        let client = Client::connect(&self.endpoint, &self.ca, &token, Some(&self.server_name))?;
        let mut answer = client.ask(&self.question).await?;
        let mut rows = Rows::up_to(self.inline_rows);
        while let Some(event) = answer.next().await {
            let event = event?;
            *reached = true;
            match event {
                Event::Progress(_) => {}
                Event::Schema(schema) => rows.begin(&schema),
                Event::Batch(batch) => rows.take(&batch),
                Event::Summary(summary) => return Ok(Answered { inline: rows.finish(&summary), summary }),
            }
        }
        Err(Refusal::new(Code::OwnerUnavailable, "the answer broke off before its end"))
    }
}

/// Codes that pass by themselves: the node starts, ends, or has not taken the issuer's key yet.
fn may_come_back(code: Code) -> bool {
    matches!(code, Code::OwnerUnavailable | Code::Draining | Code::Identity)
}
