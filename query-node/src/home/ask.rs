//! Asking the owners and merging what they release. One task per question; it ends, and with it all that it started,
//! when nobody listens any more.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use datafusion::execution::memory_pool::MemoryPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::prelude::{SessionConfig, SessionContext};
use futures::stream::FuturesUnordered;
use futures::{StreamExt, TryStreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use uuid::Uuid;
use wanqu_identity::{NodeIdentity, Slot};
use wanqu_model::answer::{Answer, Event, Progress, Question, Summary};
use wanqu_model::bundle::Subject;
use wanqu_model::names::JurisdictionId;
use wanqu_model::refusal::{Code, Refusal};
use wanqu_rules::catalog::planning_state;
use wanqu_rules::envelope::{ENVELOPE_VERSION, Envelope};
use wanqu_rules::fragment::{BatchStream, Fragment, Release};
use wanqu_rules::merge::Part;
use wanqu_rules::planner::{Doubt, FederatedPlan, FragmentGroup};
use wanqu_rules::promise::{Check, Withheld};

use super::account::Account;
use super::cells::Cells;
use super::checked::checked;
use super::delivery::Deliveries;
use super::held;
use super::shown::Marks;
use crate::clock::Clock;
use crate::exchange::Owners;
use crate::merge;
use crate::state::NodeState;
use crate::stay;
use crate::trace::{self, Kind, Step, TraceContext};

/// Events that wait for a slow listener before the merge waits too.
const EVENTS_AHEAD: usize = 4;

/// Most of the deadline that is kept for the merge.
const MERGING: Duration = Duration::from_secs(10);

/// One question that is being answered.
pub(super) struct Asking {
    pub query_id: Uuid,
    pub state: Arc<NodeState>,
    pub owners: Arc<dyn Owners>,
    /// Identity that signs the account of the answer.
    pub identity: Slot<NodeIdentity>,
    pub clock: Arc<dyn Clock>,
    pub now: Timestamp,
    pub deadline: Duration,
    pub requester: Subject,
    pub question: Question,
    pub plan: FederatedPlan,
    pub digests: BTreeMap<(usize, JurisdictionId), Option<String>>,
    pub cancel: CancellationToken,
    pub trace: TraceContext,
}

/// Gaps in what was gathered.
#[derive(Debug, Clone, Copy)]
struct Gaps {
    /// True if a part is missing that no row's mark tells.
    untold: bool,
    /// True if rows may be absent: a part that has them is missing, or a cell that may lack a part decided about them.
    absent: bool,
}

type Events = mpsc::Sender<Result<Event, Refusal>>;

impl Asking {
    /// Starts the task. Returns the answer, whose events come as they happen.
    pub fn start(self) -> Answer {
        let (events, answer) = mpsc::channel(EVENTS_AHEAD);
        let context = self.trace;
        let span = tracing::info_span!("query", query_id = %self.query_id, trace_id = %context.trace_id());
        let task = async move {
            let (cancel, deadline) = (self.cancel.clone(), self.deadline);
            let listener = events.clone();
            let outcome = tokio::select! {
                // Dropping `run` drops its releases, which cancels the owners.
                () = listener.closed() => return,
                () = cancel.cancelled() => Err(Refusal::new(Code::Cancelled, "the query was cancelled")),
                () = tokio::time::sleep(deadline) => Err(too_late(deadline)),
                outcome = self.run(events) => outcome,
            };
            match &outcome {
                Ok(()) => tracing::info!("answered"),
                Err(refusal) => tracing::info!(code = %refusal.code, "not answered"),
            }
            if let Err(refusal) = outcome {
                let _ = listener.send(Err(refusal)).await;
            }
        };
        tokio::spawn(stay::carried(trace::within(context, task)).instrument(span));
        ReceiverStream::new(answer).boxed()
    }

    async fn run(self, events: Events) -> Result<(), Refusal> {
        let owners = self.plan.groups.iter().flat_map(|g| g.texts.iter().map(|(owner, _)| owner.clone()));
        let account = Account::open(owners);
        let fragments = self.plan.groups.iter().map(|g| g.texts.len()).sum::<usize>();
        let planned =
            Progress::Planned { query_id: self.query_id, fragments: u32::try_from(fragments).unwrap_or(u32::MAX) };
        send(&events, Event::Progress(planned)).await?;
        let pool: Arc<dyn MemoryPool> = Arc::new(self.state.engine.pool());
        let gaps = self.gather(&events, &account, &pool).await?;
        if account.nobody_answered() {
            let why = account.outcomes().into_iter().find_map(|o| o.missing);
            return Err(why.unwrap_or_else(|| Refusal::new(Code::OwnerUnavailable, "no jurisdiction answered")));
        }
        self.merge(&events, &account, gaps, pool).await
    }

    /// Asks every owner at once and fills the leaves of the merge plan. Returns the gaps that no row's mark tells.
    async fn gather(&self, events: &Events, account: &Account, pool: &Arc<dyn MemoryPool>) -> Result<Gaps, Refusal> {
        let mut waiting = FuturesUnordered::new();
        let mut id = 0;
        for (number, group) in self.plan.groups.iter().enumerate() {
            for (owner, sql) in &group.texts {
                let fragment = Fragment {
                    id,
                    group: u32::try_from(number).unwrap_or(u32::MAX),
                    owner: owner.clone(),
                    sql: sql.clone(),
                    schema: Arc::clone(&group.schema),
                    public: group.public,
                };
                id += 1;
                waiting.push(async move {
                    let outcome = self.ask_or_spare(fragment, &group.spare, events, account, pool).await;
                    (number, owner.clone(), outcome)
                });
            }
        }
        let mut parts: BTreeMap<usize, Vec<Part>> = BTreeMap::new();
        let mut incomplete: BTreeSet<usize> = BTreeSet::new();
        let mut cells: BTreeMap<usize, Cells> = BTreeMap::new();
        while let Some((number, owner, outcome)) = waiting.next().await {
            match outcome {
                Ok(batches) => {
                    let group = &self.plan.groups[number];
                    let hiding = group.hiding.iter().position(|hiding| *hiding == owner);
                    let batches = match self.compared_keys(group) {
                        Some(keys) => {
                            let hides = hiding.map(|_| &group.promise.withheld);
                            compared(cells.entry(number).or_default(), batches, keys, hides).await?
                        }
                        None => batches,
                    };
                    parts.entry(number).or_default().push(Part { hiding, batches });
                }
                Err(refusal) => {
                    let group = &self.plan.groups[number];
                    if group.nobody && !group.one_cell && is_away(&refusal) {
                        // It would have had no row.
                        account.unneeded(&owner);
                        parts.entry(number).or_default().push(Part { hiding: None, batches: stream::empty().boxed() });
                        continue;
                    }
                    let refusal = Refusal { owner: refusal.owner.or_else(|| Some(owner.clone())), ..refusal };
                    if !self.question.partial {
                        return Err(refusal);
                    }
                    account.missing(&owner, refusal);
                    incomplete.insert(number);
                }
            }
        }
        for (number, group) in self.plan.groups.iter().enumerate() {
            let mut parts = parts.remove(&number).unwrap_or_default();
            if incomplete.contains(&number) {
                // Whatever the rule of whoever is missing: no cell of this group is known to have every owner's part.
                for part in &mut parts {
                    part.hiding = None;
                }
            }
            group.table.fill(parts);
        }
        // Where no owner's rule hides cells, the plan marks none.
        let untold = incomplete.iter().any(|number| self.plan.groups[*number].hiding.is_empty());
        let cells_lack = !incomplete.is_empty() || cells.values().any(Cells::lack);
        // Rows that only a missing part has are absent; one cell has its row, which an operator above may drop.
        let rows_missing = incomplete.iter().any(|number| !self.plan.groups[*number].one_cell || self.plan.chooses);
        Ok(Gaps { untold, absent: self.plan.absent.holds(cells_lack) || rows_missing })
    }

    /// Returns the number of columns by which the cells of a group's releases are compared; `None` if it does not matter which
    /// owner released which.
    fn compared_keys(&self, group: &FragmentGroup) -> Option<usize> {
        group.keys.filter(|_| self.plan.absent == Doubt::CellsLack)
    }

    /// Returns the release of an owner or, if it is away, of one that gives the same. The failure is the first one's.
    async fn ask_or_spare(
        &self,
        fragment: Fragment,
        spare: &[(JurisdictionId, String)],
        events: &Events,
        account: &Account,
        pool: &Arc<dyn MemoryPool>,
    ) -> Result<BatchStream, Refusal> {
        let owner = fragment.owner.clone();
        let refusal = match self.ask_owner(fragment.clone(), events, account, pool).await {
            Err(refusal) if is_away(&refusal) => refusal,
            outcome => return outcome,
        };
        for (other, sql) in spare {
            account.asked(other);
            let fragment = Fragment { owner: other.clone(), sql: sql.clone(), ..fragment.clone() };
            match self.ask_owner(fragment, events, account, pool).await {
                Ok(release) => {
                    account.unneeded(&owner);
                    return Ok(release);
                }
                Err(_) => account.unneeded(other),
            }
        }
        Err(refusal)
    }

    /// Returns one owner's release. What passed a gate is small and is awaited in full, so that an owner that breaks off can
    /// still be named as missing. Public rows stream, unless they are read again and again, or the answer may be partial: then
    /// they are awaited, too, since no row can be shown as whole, and none taken back, before every part is in.
    async fn ask_owner(
        &self,
        fragment: Fragment,
        events: &Events,
        account: &Account,
        pool: &Arc<dyn MemoryPool>,
    ) -> Result<BatchStream, Refusal> {
        let mut step = Step::begin("ask", Kind::Client, Some(self.trace))
            .with("wanqu.query", &self.query_id)
            .with("wanqu.fragment", &fragment.id)
            .with("wanqu.peer", &fragment.owner);
        let outcome = self.ask_owner_at(step.context(), fragment, events, account, pool).await;
        if let Err(refusal) = &outcome {
            step.failed(&refusal.code);
        }
        outcome
    }

    async fn ask_owner_at(
        &self,
        context: TraceContext,
        fragment: Fragment,
        events: &Events,
        account: &Account,
        pool: &Arc<dyn MemoryPool>,
    ) -> Result<BatchStream, Refusal> {
        let envelope = self.envelope(&fragment, context);
        let release = self.owners.ask(&envelope, &fragment).await?;
        account.arriving(&fragment.owner, &release.bytes);
        let owner = fragment.owner.clone();
        let (check, repeated) = match self.plan.groups.get(fragment.group as usize) {
            Some(group) => (Check::new(Arc::clone(&group.promise), owner.clone(), &release.schema), group.repeated),
            None => return Err(Refusal::new(Code::Internal, "a fragment is of no group of its plan")),
        };
        let whole = accounted(release, owner.clone(), account.clone(), events.clone());
        let whole = checked(whole, check, owner, self.state.bundle.limits.release_bytes(), pool);
        if fragment.public && !self.question.partial && !repeated {
            return Ok(whole);
        }
        held::held(whole, pool).await
    }

    fn envelope(&self, fragment: &Fragment, context: TraceContext) -> Envelope {
        let key = (fragment.group as usize, fragment.owner.clone());
        let bundle = &self.state.bundle;
        Envelope {
            version: ENVELOPE_VERSION,
            query_id: self.query_id,
            fragment: fragment.id,
            from: bundle.jurisdiction.clone(),
            to: fragment.owner.clone(),
            sql: fragment.sql.clone(),
            requester: self.requester.clone(),
            project: self.question.project.clone(),
            purpose: self.question.purpose.clone(),
            agreement: self.digests.get(&key).cloned().flatten(),
            issued_at: self.now,
            deadline: self.now + SignedDuration::try_from(for_owners(self.deadline)).unwrap_or_default(),
            nonce: Uuid::new_v4(),
            max_rows: bundle.limits.release_rows,
            traceparent: Some(context.to_string()),
        }
    }

    /// Merges what was released.
    async fn merge(
        self,
        events: &Events,
        account: &Account,
        gaps: Gaps,
        pool: Arc<dyn MemoryPool>,
    ) -> Result<(), Refusal> {
        let session = merge_session(pool)?;
        let deliveries = Deliveries {
            home: self.state.bundle.jurisdiction.clone(),
            query_id: self.query_id,
            requester: self.requester,
            text: self.question.sql,
        };
        let FederatedPlan { merge, marked, lost, rows_kept_back, .. } = self.plan;
        let marks = Marks { in_plan: marked, untold: lost || gaps.untold, shown: self.question.mark_incomplete };
        let (schema, mut batches) = merge::run(&session, merge).await?;
        let shown = marks.schema(&schema);
        send(events, Event::Schema(Arc::clone(&shown))).await?;
        let absent = gaps.absent || rows_kept_back;
        let (mut rows, mut lacking) = (0_u64, 0_u64);
        while let Some(batch) = batches.next().await {
            let (batch, lacks) = marks.rows(&batch?, &shown)?;
            rows += batch.num_rows() as u64;
            lacking += lacks;
            send(events, Event::Batch(batch)).await?;
        }
        let outcomes = account.outcomes();
        let delivery = deliveries.of(rows, &outcomes, self.clock.now(), &self.identity.now())?;
        let summary = Summary {
            query_id: self.query_id,
            rows,
            rows_lacking: marks.counted(lacking),
            may_lack: marks.untold || account.anybody_missing() || lacking > 0 || absent,
            rows_may_be_absent: absent,
            outcomes,
            delivery: Some(delivery),
            ..Summary::default()
        };
        send(events, Event::Summary(summary)).await
    }
}

fn merge_session(pool: Arc<dyn MemoryPool>) -> Result<SessionContext, Refusal> {
    let runtime = RuntimeEnvBuilder::new().with_memory_pool(pool).build_arc();
    let runtime = runtime.map_err(|_| Refusal::new(Code::Internal, "the merge cannot be set up"))?;
    let mut config = SessionConfig::new();
    // As where fragments run: `x IS TRUE` is never NULL in logical plans, and maybe NULL in physical ones.
    config.options_mut().execution.skip_physical_aggregate_schema_check = true;
    let state = SessionStateBuilder::new_from_existing(planning_state().clone())
        .with_config(config)
        .with_runtime_env(runtime)
        .build();
    Ok(SessionContext::new_with_state(state))
}

/// Adds a release to the cells of its group, and returns its rows as they came. Nothing is awaited for long: what passed a
/// gate has arrived in full.
async fn compared(
    cells: &mut Cells,
    mut batches: BatchStream,
    keys: usize,
    hides: Option<&Withheld>,
) -> Result<BatchStream, Refusal> {
    let mut release: Vec<RecordBatch> = Vec::new();
    while let Some(batch) = batches.try_next().await? {
        release.push(batch);
    }
    cells.add(&release, keys, hides)?;
    let rows = stream::iter(release).map(move |batch| {
        // The stream that they came from holds their memory.
        let _ = &batches;
        Ok(batch)
    });
    Ok(rows.boxed())
}

/// Returns the rows of a release. When they have ended and its report has come, the release is in the account.
fn accounted(release: Release, owner: JurisdictionId, account: Account, events: Events) -> BatchStream {
    let Release { batches, report, .. } = release;
    let reading = account.reading(&owner);
    let of_owner = move |refusal: Refusal| Refusal { owner: refusal.owner.or_else(|| Some(owner.clone())), ..refusal };
    let batches = batches.map_err(of_owner);
    let (counted, broken) = (Arc::clone(&reading), Arc::clone(&reading));
    let batches = batches.inspect_ok(move |batch| counted.rows(batch.num_rows()));
    let batches = batches.inspect_err(move |_| {
        broken.end();
    });
    let end = stream::once(async move {
        let report = report.await;
        let rows = reading.end();
        let report = report?;
        let progress = Progress::Released { jurisdiction: report.owner.clone(), rows: report.rows };
        account.released(report, rows);
        // Progress is a courtesy: a listener that is behind does without.
        let _ = events.try_send(Ok(Event::Progress(progress)));
        Ok(None)
    });
    batches.map_ok(Some).chain(end).try_filter_map(|batch| async move { Ok(batch) }).boxed()
}

async fn send(events: &Events, event: Event) -> Result<(), Refusal> {
    events.send(Ok(event)).await.map_err(|_| Refusal::new(Code::Cancelled, "nobody listens any more"))
}

/// Returns true if an owner is missing, whatever it was asked.
fn is_away(refusal: &Refusal) -> bool {
    matches!(refusal.code, Code::OwnerUnavailable | Code::Draining)
}

/// Returns the time that owners have: less than the whole, so that an owner that is too slow can be named as missing and the
/// releases of the others be merged.
fn for_owners(deadline: Duration) -> Duration {
    deadline.saturating_sub((deadline / 10).min(MERGING))
}

fn too_late(deadline: Duration) -> Refusal {
    Refusal::too_late(format!("the query did not end within {} seconds", deadline.as_secs()))
        .with_remedy("ask for less: fewer columns, a shorter period, fewer groups")
}
