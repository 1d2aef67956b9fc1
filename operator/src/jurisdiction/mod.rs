//! Jurisdictions: each becomes a running node with valid certificates.
//!
//! ```text
//! consent      of the namespace of the node; without it the node is closed, and nothing else is done
//! dereference  the federation, its compilation, the cluster and namespace of the node
//! validate     that the node can be placed there
//! apply        write the bundle and announce it to the pods, whatever becomes of the rest
//! identity     its authority and its node's certificates: made, renewed, rotated
//! build        every object of its node; pure
//! apply        write what differs, remove objects from former placements; the workload
//! status       conditions
//! ```

mod apply;
mod build;
mod consent;
mod dereference;
mod finalizer;
pub mod identity;
mod kubeconfig;
mod neighbours;
mod pods;
mod remote;
mod status;
mod validate;
mod workload;

use std::sync::Arc;
use std::time::Duration;

use kube::runtime::controller::Action;
use kube::{Resource, ResourceExt};
use wanqu_crds::kinds::Jurisdiction;

use crate::compilation::Verdict;
use crate::context::Context;
use crate::framework::conditions::{Reason, Type};
use crate::framework::{Error, Guarded, Result, status as written};
use apply::Bundled;
use dereference::Target;
use finalizer::Left;
use status::Progress;
use workload::Workload;

/// Period of reconciliation for a node in another cluster, which no watch reports.
const REMOTE: Duration = Duration::from_secs(30);

/// Period of reconciliation while copies do not run the latest bundle yet.
const FOLLOWS: Duration = Duration::from_secs(1);
/// Period of reconciliation for a node in this cluster: its Secrets are not watched. Longer than they are remembered.
const SECRETS: Duration = Duration::from_mins(2);
/// Period of reconciliation while pods of a node that is removed drain; those in this cluster are watched too.
const DRAINS: Duration = Duration::from_secs(5);
/// Period of reconciliation while its workload waits for that of another member.
const WAITS: Duration = Duration::from_secs(2);
/// Period of reconciliation without any cause.
const LATER: Duration = Duration::from_hours(1);
/// Period of reconciliation while a user's Secret cannot be used: no watch reports it.
const MENDED: Duration = Duration::from_secs(5);

/// Makes one member's node as desired, and reports its conditions.
///
/// # Errors
/// If the API server refuses a write, or an object that the operator keeps cannot be read.
pub async fn reconcile(object: Arc<Guarded<Jurisdiction>>, context: Arc<Context>) -> Result<Action> {
    if object.meta().deletion_timestamp.is_some() {
        return undo(&object, &context).await;
    }
    let mut progress = Progress::default();
    // On the heap: it holds every object of a node at once.
    let result = Box::pin(bring(&object, &context, &mut progress)).await;
    let again = match &result {
        Ok(Next::WhenCompiled) => return Ok(Action::await_change()),
        Ok(Next::Soon(wait)) => return Ok(Action::requeue(*wait)),
        Ok(Next::Report(again)) => *again,
        Err(error) if error.is_nobodys_fault() => return result.map(|_| Action::await_change()),
        Err(error) => {
            progress.failed(error);
            LATER
        }
    };
    note_holdings(&object, &context, &progress);
    written::report(&context.client, &object, &progress.claims(), context.clock.now()).await?;
    result.map(|_| Action::requeue(again))
}

/// Removes the node of one that is being deleted; what keeps it is said by an event and by the condition `Ready`.
async fn undo(object: &Guarded<Jurisdiction>, context: &Context) -> Result<Action> {
    let left = match finalizer::undo(context, object).await {
        Ok(left) => left,
        Err(error) => {
            if !error.is_nobodys_fault() {
                let note = format!("its node cannot be removed yet: {error}");
                context.events.warning(object, "Remove", "NotRemoved", note).await;
            }
            return written::telling(&context.client, object, Err(error), context.clock.now()).await;
        }
    };
    if let Some(jurisdiction) = object.read_fields(IDENTITY_FIELDS) {
        context.holdings.forget(&home(object), &jurisdiction.spec.id);
    }
    Ok(if left == Left::Pods { Action::requeue(DRAINS) } else { Action::await_change() })
}

/// Notes what its node holds, by the reports of its copies, and queues the agreements if that is new.
fn note_holdings(object: &Guarded<Jurisdiction>, context: &Context, progress: &Progress) {
    let Some(jurisdiction) = object.read_fields(IDENTITY_FIELDS) else { return };
    let (namespace, id) = (home(object), &jurisdiction.spec.id);
    let compilation = context.compilations.get(&namespace);
    let compiled = compilation.as_ref().and_then(|compilation| compilation.compiled());
    // Of two of one id only one has the node.
    if compiled.is_some_and(|compiled| !compiled.is_node_of(id, &jurisdiction.name_any())) {
        return;
    }
    let new = match (progress.lacking(), progress.agreements()) {
        (None, Some(agreements)) => context.holdings.run(&namespace, id, agreements.to_vec()),
        (lacking, _) => context.holdings.lack(&namespace, id, lacking.unwrap_or("it has not been asked yet")),
    };
    if new {
        context.queues.agreements.push_all(&context.catalogue.agreements, &namespace);
    }
}

/// The fields of a Jurisdiction that its node's certificates depend on.
const IDENTITY_FIELDS: &[&str] = &["spec.id", "spec.authoritySecret", "spec.placement"];

/// Outcome of a reconciliation without an error.
enum Next {
    /// Report nothing: it is queued again when it has been compiled.
    WhenCompiled,
    /// Report nothing yet: more changes are on their way.
    Soon(Duration),
    /// Report the conditions, and reconcile again after so long.
    Report(Duration),
}

/// Does as much as can be done, and notes that in `progress`.
async fn bring(object: &Guarded<Jurisdiction>, context: &Context, progress: &mut Progress) -> Result<Next> {
    let ungranted = consent::ensure(context, object).await?;
    let verdict = dereference::verdict(context, object);
    let found = dereference::federation(&context.catalogue, &object.namespace().unwrap_or_default());
    if found.is_some() && verdict == Verdict::NotCompiled {
        return Ok(Next::WhenCompiled);
    }
    progress.judged(&verdict, found.is_some());
    if let Some(problem) = ungranted {
        progress.faulty(&problem);
        return Ok(Next::Report(if problem.is_external() { MENDED } else { LATER }));
    }
    // Certificates are renewed whatever else is in a resource, even what only a newer operator can read, and without a
    // Federation too.
    let federation = found.or_else(|| dereference::remembered(context, object));
    let jurisdiction = object.read_fields(IDENTITY_FIELDS);
    let (Some(federation), Some(jurisdiction)) = (federation, jurisdiction) else { return Ok(Next::Report(LATER)) };
    let whole = federation.whole && object.read().is_some();
    let inputs = dereference::dereference(context, jurisdiction, federation).await?;
    progress.placed(&inputs.target);
    if matches!(inputs.target, Target::External) {
        if !whole {
            return Ok(Next::Report(LATER));
        }
        // This operator may have run it before.
        finalizer::leave(context, jurisdiction).await?;
        progress.elsewhere(&inputs);
        return Ok(Next::Report(LATER));
    }
    if let Err(problem) = validate::validate(jurisdiction, &inputs) {
        progress.faulty(&problem);
        return Ok(Next::Report(if problem.is_external() { MENDED } else { LATER }));
    }
    let in_order = whole && verdict == Verdict::Valid;
    if !in_order && !apply::runs(context, jurisdiction, &inputs).await? {
        // No workload is made for an invalid Jurisdiction: it could be a second node in another's name.
        return Ok(Next::Report(LATER));
    }
    finalizer::ensure(context, jurisdiction, &inputs.target).await?;
    apply::account(context, jurisdiction, &inputs).await?;
    // While more changes are on their way, nobody waits for a bundle. One that cannot be written keeps no certificate from being
    // renewed, and the other way round.
    let bundled = match inputs.unsettled {
        None => Some(Box::pin(apply::bundle(context, jurisdiction, &inputs)).await),
        Some(_) => None,
    };
    if let Some(Ok(bundled)) = &bundled {
        progress.bundled(&inputs, bundled);
    }
    let identity = match identity::ensure(context, jurisdiction, &inputs).await? {
        Ok(identity) => identity,
        Err(problem) => {
            progress.faulty(&problem);
            return Ok(Next::Report(MENDED));
        }
    };
    progress.identified(&identity);
    let Some(bundled) = bundled else { return Ok(Next::Soon(inputs.unsettled.unwrap_or_default())) };
    let bundled = bundled.inspect_err(|_| progress.fails_at(Type::BundleCurrent))?;
    progress.fails_at(Type::WorkloadReady);
    let mut again = if matches!(inputs.target, Target::Remote { .. }) { REMOTE } else { SECRETS };
    if bundled.is_underway() {
        again = FOLLOWS;
    }
    let paused = jurisdiction.spec.paused;
    let workload = if in_order && !(paused && apply::runs(context, jurisdiction, &inputs).await?) {
        let resources = build::build(&build::Node::new(jurisdiction, &inputs, &context.settings));
        let bundled = !matches!(bundled, Bundled::Nothing);
        Box::pin(apply::apply(context, jurisdiction, &inputs, (resources, bundled))).await?
    } else {
        // A workload that runs is left as it is, with valid certificates.
        apply::as_it_runs(context, jurisdiction, &inputs).await?
    };
    progress.applied(&inputs, workload.as_ref());
    if paused {
        progress.paused();
    }
    if matches!(workload, Some(Workload::Waits(..))) {
        again = again.min(WAITS);
    }
    if let Some(namespace) = finalizer::out_of_sight(context, jurisdiction, &inputs.target) {
        progress.out_of_sight(&namespace);
    }
    let renewal = context.clock.until(identity.due).saturating_add(Duration::from_millis(500));
    Ok(Next::Report(renewal.min(again)))
}

/// A problem that keeps a node from being placed: in its Jurisdiction, or in a Secret that this names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The condition that reports it.
    pub of: Type,
    /// The reason, for programs.
    pub reason: Reason,
    /// The field: `spec.placement.kubeconfigSecret`.
    pub path: String,
    /// The problem, for people.
    pub problem: String,
    /// The remedy.
    pub remedy: String,
}

impl Problem {
    /// Returns true if it can be solved without a change of the Jurisdiction itself.
    #[must_use]
    pub fn is_external(&self) -> bool {
        matches!(self.reason, Reason::SecretInvalid | Reason::ClusterUnreachable | Reason::NamespaceUnreadable)
    }

    /// Returns field, problem and remedy in one line.
    #[must_use]
    pub fn message(&self) -> String {
        format!("{}: {}; {}", self.path, self.problem, self.remedy)
    }
}

/// Returns the reason of the condition that reports an error.
fn reason_of(error: &Error, remote: bool) -> Reason {
    match error {
        // An API server that answers has been reached, whatever its answer.
        Error::Api { source, .. } if remote && !matches!(**source, kube::Error::Api(_)) => Reason::ClusterUnreachable,
        _ => error.reason(),
    }
}

/// Returns the namespace of a resource.
fn home<K: Resource>(jurisdiction: &K) -> String {
    jurisdiction.namespace().unwrap_or_default()
}
