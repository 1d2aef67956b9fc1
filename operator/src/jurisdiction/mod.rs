//! Jurisdictions: each becomes a running node, with certificates that hold.
//!
//! ```text
//! dereference  the federation, what it compiled to, where the node is placed and how to get there
//! validate     whether it can be placed as it says
//! identity     its authority and its node's certificates: made, renewed, rolled
//! build        every object of its node; pure
//! apply        write what differs, tell the pods of a new bundle, remove what lies where it is no longer placed
//! status       conditions
//! ```

mod apply;
mod build;
mod dereference;
mod finalizer;
pub mod identity;
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

use crate::framework::conditions::{Reason, Type};
use crate::framework::{Context, Error, Guarded, Result, status as written};
use crate::realm::Verdict;
use dereference::Place;
use status::Progress;

/// How often a node in another cluster, which no watch sees, is looked at.
const REMOTE: Duration = Duration::from_secs(30);

/// How often copies are asked that do not run the latest bundle yet.
const FOLLOWS: Duration = Duration::from_secs(1);
/// How often anything is looked at without a reason.
const LATER: Duration = Duration::from_hours(1);
/// How often a Secret that is not the operator's is looked at while something is wrong with it: no watch sees it.
const MENDED: Duration = Duration::from_secs(5);

/// Brings one member's node to what is declared, and says how it stands.
///
/// # Errors
/// When the API server refuses, or something that the operator keeps is not in order.
pub async fn reconcile(object: Arc<Guarded<Jurisdiction>>, context: Arc<Context>) -> Result<Action> {
    if object.meta().deletion_timestamp.is_some() {
        if let Some(jurisdiction) = object.read()
            && let Err(error) = finalizer::undo(&context, jurisdiction).await
        {
            let note = format!("its node cannot be removed yet: {error}");
            context.events.warning(jurisdiction, "Remove", "NotRemoved", note).await;
            return Err(error);
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
    written::report(&context.client, &object, &progress.claims(), context.clock.now()).await?;
    result.map(|_| Action::requeue(again))
}

/// How a look at a jurisdiction ends, if nothing fails.
enum Next {
    /// There is nothing to say before it is compiled, and then this is asked for again.
    WhenCompiled,
    /// More changes are on their way: nothing is said until they are here.
    Soon(Duration),
    /// Say how it stands, and look again after so long.
    Report(Duration),
}

/// Does what can be done, and notes how far it came.
async fn bring(object: &Guarded<Jurisdiction>, context: &Context, progress: &mut Progress) -> Result<Next> {
    let verdict = dereference::verdict(context, object);
    let federation = dereference::federation(&context.catalogue, &object.namespace().unwrap_or_default());
    if federation.is_some() && verdict == Verdict::Unseen {
        return Ok(Next::WhenCompiled);
    }
    progress.judged(&verdict, federation.is_some());
    let (Some(federation), Some(jurisdiction)) = (federation, object.read()) else { return Ok(Next::Report(LATER)) };
    let inputs = dereference::dereference(context, jurisdiction, federation).await?;
    progress.placed(&inputs.place);
    if matches!(inputs.place, Place::Elsewhere) {
        // It may have been run from here before.
        finalizer::leave(context, jurisdiction).await?;
        progress.elsewhere(&inputs);
        return Ok(Next::Report(LATER));
    }
    if let Err(problem) = validate::validate(jurisdiction, &inputs) {
        progress.faulty(&problem);
        return Ok(Next::Report(if problem.is_outside() { MENDED } else { LATER }));
    }
    if verdict != Verdict::InOrder && !apply::runs(context, jurisdiction, &inputs).await? {
        // Nothing new is made of what is not in order: it could be a second node in another's name.
        return Ok(Next::Report(LATER));
    }
    finalizer::ensure(context, jurisdiction, &inputs.place).await?;
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
    let mut again = if matches!(inputs.place, Place::There { .. }) { REMOTE } else { LATER };
    if verdict == Verdict::InOrder {
        let resources = build::build(&build::Node::new(jurisdiction, &inputs, &context.settings));
        let outcome = Box::pin(apply::apply(context, jurisdiction, &inputs, resources)).await?;
        progress.applied(&inputs, &outcome);
        if outcome.is_underway() {
            again = FOLLOWS;
        }
    } else {
        // What runs goes on as it was, with certificates that hold.
        progress.applied(&inputs, &apply::as_it_runs(context, jurisdiction, &inputs).await?);
    }
    let renewal = context.clock.until(identity.due).saturating_add(Duration::from_millis(500));
    Ok(Next::Report(renewal.min(again)))
}

/// What keeps a jurisdiction from being placed: something in it, or in a Secret that it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What it concerns.
    pub of: Type,
    /// Why, for programs.
    pub reason: Reason,
    /// The field: `spec.placement.kubeconfigSecret`.
    pub path: String,
    /// What is wrong.
    pub problem: String,
    /// What would be right.
    pub remedy: String,
}

impl Problem {
    /// Whether it can be mended without a change of the jurisdiction itself.
    #[must_use]
    pub fn is_outside(&self) -> bool {
        matches!(self.reason, Reason::SecretInvalid | Reason::ClusterUnreachable)
    }

    /// In one line.
    #[must_use]
    pub fn told(&self) -> String {
        format!("{}: {}; {}", self.path, self.problem, self.remedy)
    }
}

/// What is said of an error that no other step explains.
fn reason_of(error: &Error, remote: bool) -> Reason {
    match error {
        // An API server that answers has been reached, whatever it says.
        Error::Api { source, .. } if remote && !matches!(**source, kube::Error::Api(_)) => Reason::ClusterUnreachable,
        Error::Taken { .. } => Reason::NameTaken,
        Error::Unreadable { .. } | Error::Identity(_) => Reason::SecretInvalid,
        Error::Api { .. } => Reason::Refused,
    }
}

/// The namespace of its resource.
fn home(jurisdiction: &Jurisdiction) -> String {
    jurisdiction.namespace().unwrap_or_default()
}
