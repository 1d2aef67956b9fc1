//! Jurisdictions: each becomes a running node with valid certificates.
//!
//! ```text
//! consent      of the namespace of the node; without it the node is closed, and nothing else is done
//! dereference  the federation, its compilation, the cluster and namespace of the node
//! validate     that the node can be placed there
//! identity     its authority and its node's certificates: made, renewed, rotated
//! build        every object of its node; pure
//! apply        write what differs, announce a new bundle to the pods, remove objects from former placements
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

use std::sync::Arc;
use std::time::Duration;

use kube::runtime::controller::Action;
use kube::{Resource, ResourceExt};
use wanqu_crds::kinds::Jurisdiction;

use crate::compilation::Verdict;
use crate::context::Context;
use crate::framework::conditions::{Reason, Type};
use crate::framework::{Error, Guarded, Result, status as written};
use dereference::Target;
use status::Progress;

/// Period of reconciliation for a node in another cluster, which no watch reports.
const REMOTE: Duration = Duration::from_secs(30);

/// Period of reconciliation while copies do not run the latest bundle yet.
const FOLLOWS: Duration = Duration::from_secs(1);
/// Period of reconciliation for a node in this cluster: its Secrets are not watched. Longer than they are remembered.
const SECRETS: Duration = Duration::from_mins(2);
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
        if let Err(error) = finalizer::undo(&context, &object).await {
            let note = format!("its node cannot be removed yet: {error}");
            context.events.warning(&*object, "Remove", "NotRemoved", note).await;
            return Err(error);
        }
        if let Some(jurisdiction) = object.read_fields(IDENTITY_FIELDS) {
            context.holdings.forget(&home(&*object), &jurisdiction.spec.id);
        }
        return Ok(Action::await_change());
    }
    let mut progress = Progress::default();
    // On the heap: it holds every object of a node at once.
    let result = Box::pin(bring(&object, &context, &mut progress)).await;
    let again = match &result {
        Ok(Next::WhenCompiled) => return Ok(Action::await_change()),
        Ok(Next::Soon(wait)) => return Ok(Action::requeue(*wait)),
        Ok(Next::Report(again)) => *again,
        Err(error) => {
            progress.failed(error);
            LATER
        }
    };
    note_holdings(&object, &context, &progress);
    written::report(&context.client, &object, &progress.claims(), context.clock.now()).await?;
    result.map(|_| Action::requeue(again))
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
    let federation = dereference::federation(&context.catalogue, &object.namespace().unwrap_or_default());
    if federation.is_some() && verdict == Verdict::NotCompiled {
        return Ok(Next::WhenCompiled);
    }
    progress.judged(&verdict, federation.is_some());
    if let Some(problem) = ungranted {
        progress.faulty(&problem);
        return Ok(Next::Report(if problem.is_external() { MENDED } else { LATER }));
    }
    // Certificates are renewed whatever else is in a resource, even what only a newer operator can read.
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
    let identity = match identity::ensure(context, jurisdiction, &inputs).await? {
        Ok(identity) => identity,
        Err(problem) => {
            progress.faulty(&problem);
            return Ok(Next::Report(MENDED));
        }
    };
    progress.identified(&identity);
    if let Some(wait) = inputs.unsettled {
        return Ok(Next::Soon(wait));
    }
    let mut again = if matches!(inputs.target, Target::Remote { .. }) { REMOTE } else { SECRETS };
    if in_order {
        let resources = build::build(&build::Node::new(jurisdiction, &inputs, &context.settings));
        let outcome = Box::pin(apply::apply(context, jurisdiction, &inputs, resources)).await?;
        progress.applied(&inputs, &outcome);
        if outcome.is_underway() {
            again = FOLLOWS;
        }
    } else {
        // A workload that runs is left as it is, with valid certificates.
        progress.applied(&inputs, &apply::as_it_runs(context, jurisdiction, &inputs).await?);
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
        Error::Taken { .. } => Reason::NameTaken,
        Error::Unreadable { .. } | Error::Identity(_) => Reason::SecretInvalid,
        Error::Api { .. } => Reason::Refused,
        Error::NamespaceUnreadable(_) => Reason::NamespaceUnreadable,
    }
}

/// Returns the namespace of a resource.
fn home<K: Resource>(jurisdiction: &K) -> String {
    jurisdiction.namespace().unwrap_or_default()
}
