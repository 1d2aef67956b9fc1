//! The home node's side of a question: plan, find the agreements, ask the owners, merge, account.

mod account;
mod ask;
mod cells;
mod checked;
mod delivery;
mod describe;
mod held;
mod keepable;
mod kind;
mod permit;
mod public;
mod quota;
mod service;
mod settings;
mod shown;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use futures::{StreamExt, stream};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use wanqu_identity::{NodeIdentity, Slot};
use wanqu_model::answer::{Answer, Event, Question, Summary};
use wanqu_model::bundle::{Project, Subject};
use wanqu_model::names::{JurisdictionId, TableRef};
use wanqu_model::refusal::{Code, Refusal};
use wanqu_rules::admission;
use wanqu_rules::catalog::{Catalog, arrow_schema};
use wanqu_rules::planner::{self, FederatedPlan, Planned};
use wanqu_rules::while_wanted;

pub use public::PeerTables;
pub use service::{Described, HomeService, no_such_result};

use crate::clock::Clock;
use crate::engine::Unavailable;
use crate::exchange::Owners;
use crate::state::{Live, NodeState};
use crate::stay;
use crate::trace::{self, TraceContext};
use ask::Asking;
use keepable::keepable;
use kind::{Kind, kind_of};
use quota::Quotas;

/// Service of a home node.
pub struct Home {
    live: Arc<Live>,
    owners: Arc<dyn Owners>,
    identity: Slot<NodeIdentity>,
    clock: Arc<dyn Clock>,
    quotas: Quotas,
}

impl Home {
    /// Creates the service of a home node that asks these owners, and signs what it says of answers with `identity`.
    #[must_use]
    pub fn new(live: Arc<Live>, owners: Arc<dyn Owners>, identity: Slot<NodeIdentity>, clock: Arc<dyn Clock>) -> Self {
        Self { live, owners, identity, clock, quotas: Quotas::default() }
    }

    /// Returns the digest of the agreement that each fragment rests on, by group and owner, and the project; `None` where none
    /// is needed, or where an agreement is lacking that `optional` says the answer can do without.
    ///
    /// # Errors
    /// The project, purpose or agreement that is lacking.
    fn agreements<'a>(
        &self,
        state: &'a NodeState,
        requester: &Subject,
        question: &Question,
        plan: &FederatedPlan,
        optional: impl Fn(&JurisdictionId) -> bool,
    ) -> Result<(Digests, Option<&'a Project>), Refusal> {
        let now = self.clock.now();
        let bundle = &state.bundle;
        let mut digests = BTreeMap::new();
        let mut asking_project = None;
        for (number, group) in plan.groups.iter().enumerate() {
            for (position, (owner, _)) in group.texts.iter().chain(&group.spare).enumerate() {
                let is_spare = position >= group.texts.len();
                let mut digest = None;
                if !group.public {
                    let project = permit::project(bundle, requester, question)?;
                    asking_project = Some(project);
                    if *owner != bundle.jurisdiction {
                        let found = permit::agreement(bundle, project, question, owner, &group.restricted, now);
                        digest = match found {
                            Ok(agreement) => Some(agreement.digest.clone()),
                            Err(_) if is_spare || optional(owner) => None,
                            Err(refusal) => return Err(refusal),
                        };
                    }
                }
                digests.insert((number, owner.clone()), digest);
            }
        }
        Ok((digests, asking_project))
    }
}

/// Digests of agreements, by group and owner.
type Digests = BTreeMap<(usize, JurisdictionId), Option<String>>;

#[async_trait]
impl HomeService for Home {
    async fn ask(&self, requester: Subject, question: Question, cancel: CancellationToken) -> Result<Answer, Refusal> {
        let state = self.live.now();
        state.grants()?;
        let question = settings::settled(question)?;
        let plan = match kind_of(&question.sql) {
            Kind::Query(sql) => planned(&state, sql, &cancel).await?.verdict?,
            Kind::Explain(sql) => {
                return text_answer("plan", &planner::explain(&planned(&state, sql, &cancel).await?.verdict?));
            }
            Kind::ExplainPolicy(sql) => return policy_answer(planned(&state, sql, &cancel).await?),
        };
        if question.keep.is_some() {
            keepable(&arrow_schema(&plan.merge))?;
        }
        // An owner without an agreement will refuse, and a partial answer will name it.
        let (digests, project) = self.agreements(&state, &requester, &question, &plan, |_| question.partial)?;
        if let Some(project) = project {
            self.quotas.count(project, self.clock.now())?;
        }
        let asking = Asking {
            query_id: Uuid::new_v4(),
            state: Arc::clone(&state),
            owners: Arc::clone(&self.owners),
            identity: self.identity.clone(),
            clock: Arc::clone(&self.clock),
            now: self.clock.now(),
            deadline: Duration::from_secs(state.bundle.limits.deadline_seconds.into()),
            requester,
            question,
            plan,
            digests,
            cancel,
            trace: trace::current().unwrap_or_else(TraceContext::begin),
        };
        Ok(asking.start())
    }

    async fn describe(
        &self,
        requester: Subject,
        question: Question,
        cancel: CancellationToken,
    ) -> Result<Described, Refusal> {
        self.described(&requester, question, &cancel).await
    }

    async fn still_granted(
        &self,
        requester: &Subject,
        question: Question,
        contributed: &[JurisdictionId],
    ) -> Result<(), Refusal> {
        let state = self.live.now();
        state.grants()?;
        let question = settings::settled(question)?;
        // An explanation reads no data.
        let Kind::Query(sql) = kind_of(&question.sql) else { return Ok(()) };
        let stopped = CancellationToken::new();
        let _stop = stopped.clone().drop_guard();
        let plan = planned(&state, sql, &stopped).await?.verdict?;
        self.agreements(&state, requester, &question, &plan, |owner| !contributed.contains(owner))?;
        Ok(())
    }

    fn catalog(&self) -> Arc<Catalog> {
        Arc::clone(self.live.now().planner.catalog())
    }

    fn unavailable(&self) -> Option<(JurisdictionId, Vec<Unavailable>)> {
        let state = self.live.now();
        Some((state.bundle.jurisdiction.clone(), state.engine.unavailable()))
    }

    fn unavailable_elsewhere(&self) -> BTreeMap<JurisdictionId, Vec<TableRef>> {
        self.owners.unavailable()
    }
}

/// Splits a query. Planning is pure and may take a while for a large text: not on a thread that serves others. It stops soon
/// after `cancel`, and holds its question's place until then.
async fn planned(state: &NodeState, sql: &str, cancel: &CancellationToken) -> Result<Planned, Refusal> {
    let (planner, sql) = (Arc::clone(&state.planner), sql.to_owned());
    let (held, cancel) = (stay::current(), cancel.clone());
    let planned = tokio::task::spawn_blocking(move || {
        let _held = held;
        while_wanted(move || !cancel.is_cancelled(), || planner.plan(&sql))
    })
    .await;
    planned.map_err(|_| Refusal::new(Code::Internal, "the planner failed on this query"))
}

/// Answers `EXPLAIN POLICY` with a table of the rules that were applied. Nothing runs.
fn policy_answer(planned: Planned) -> Result<Answer, Refusal> {
    if planned.findings.is_empty()
        && let Err(refusal) = planned.verdict
    {
        return Err(refusal);
    }
    Ok(table_answer(admission::to_batch(&planned.findings)))
}

/// Returns the columns of an explanation.
fn text_columns(name: &str) -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new(name, DataType::Utf8, false)]))
}

fn text_answer(name: &str, text: &str) -> Result<Answer, Refusal> {
    let schema = text_columns(name);
    let lines = Arc::new(StringArray::from(text.lines().collect::<Vec<_>>()));
    let batch = RecordBatch::try_new(schema, vec![lines])
        .map_err(|_| Refusal::new(Code::Internal, "the explanation cannot be made into a table"))?;
    Ok(table_answer(batch))
}

fn table_answer(batch: RecordBatch) -> Answer {
    let summary = Summary {
        query_id: Uuid::new_v4(),
        rows: batch.num_rows() as u64,
        rows_lacking: Some(0),
        may_lack: false,
        ..Summary::default()
    };
    let events = [Event::Schema(batch.schema()), Event::Batch(batch), Event::Summary(summary)];
    stream::iter(events.map(Ok)).boxed()
}
