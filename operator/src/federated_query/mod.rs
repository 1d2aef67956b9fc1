//! Federated queries: questions that come as resources, asked at their home node in the name of who created them.
//!
//! ```text
//! dereference  the project, the home jurisdiction, the federation, the issuer's key, the guard of spec.requester
//! validate     whether it may be asked, and where
//! plan         which runs to begin, cancel, forget and delete now, and when to reconcile again: pure
//! apply        the finalizer and the status, so that no run begins that is not recorded; `ConfigMaps`
//! status       conditions
//! ```
//!
//! **A question is a release.** Owners answer, count and record each time that they are asked, so none is repeated
//! silently. A run is recorded in the status before it begins, with the operator process that asks. When that process
//! is gone, the run has failed, as `Interrupted`, and a person decides whether to ask again. A question is asked again
//! by itself only if it provably reached no owner: the gateway could not be connected to, or refused it at its door.

mod apply;
mod ask;
mod deliver;
mod dereference;
mod guarded;
mod outcome;
mod plan;
mod reason;
mod status;
mod validate;

use std::sync::Arc;
use std::time::Duration;

use kube::runtime::controller::Action;
use kube::{Resource, ResourceExt};
use wanqu_crds::kinds::FederatedQuery;

use crate::context::Context;
use crate::framework::{Guarded, Result, status as written};
use crate::runs;

/// Delay before a query is reconciled again that waits for something which no watch reports.
const PATIENCE: Duration = Duration::from_secs(15);

/// Reconciles one query. What keeps it from being reconciled is said by its condition `Ready`.
///
/// # Errors
/// If the API server refuses a write.
pub async fn reconcile(object: Arc<Guarded<FederatedQuery>>, context: Arc<Context>) -> Result<Action> {
    let result = Box::pin(bring(&object, &context)).await;
    written::telling(&context.client, &object, result, context.clock.now()).await
}

async fn bring(object: &Arc<Guarded<FederatedQuery>>, context: &Arc<Context>) -> Result<Action> {
    let uid = object.uid().unwrap_or_default();
    // Before anything of it is read: a query that only a newer operator can read is let go too.
    if object.meta().deletion_timestamp.is_some() {
        // The stream is dropped, which cancels the question at the owners.
        context.runs.cancel_all(&uid);
        apply::release(&context.client, &**object, object.resource_version()).await?;
        return Ok(Action::await_change());
    }
    let Some(query) = object.read() else {
        status::malformed(context, object).await?;
        return Ok(Action::await_change());
    };
    let references = dereference::dereference(context, query).await?;
    let verdict = validate::validate(query, &references);
    let now = context.clock.now();
    let (mut runs, ended) = outcome::settle(query, &context.runs);
    apply::keep_answers(context, query, &mut runs, &ended).await?;
    let alive = context.runs.alive(&uid);
    let plan = plan::plan(&plan::Input {
        query,
        runs,
        schedule: verdict.schedule(),
        may_begin: verdict.accepted().is_some() && context.runs.have_room(),
        alive: &alive,
        me: context.runs.me(),
        now,
    });
    if plan.delete {
        apply::delete(&context.client, query).await?;
        return Ok(Action::await_change());
    }
    let delivery = deliver::delivery(query, verdict.accepted(), now)?;
    let status = status::status(query, &verdict, &plan, delivery, now);
    apply::write(&context.client, query, &plan, &status).await?;
    for number in &plan.cancel {
        context.runs.cancel(&uid, *number);
    }
    for number in ended {
        context.runs.forget(&uid, number);
    }
    apply::forget_answers(context, query, &plan.forget).await?;
    if let (Some(number), Some(accepted)) = (plan.begin, verdict.accepted()) {
        let (clock, queue) = (context.clock.clone(), context.queues.queries.clone());
        runs::begin(&context.runs, (clock, queue), query, number, ask::asking(context, query, accepted));
    }
    Ok(next_look(plan.wake.map(|time| context.clock.until(time)), verdict.waits()))
}

/// Returns when a query is reconciled again if nothing changes before: at the time that its plan says, or soon if it
/// waits, whichever is first.
fn next_look(planned: Option<Duration>, waits: bool) -> Action {
    let planned = planned.map(|until| until.max(Duration::from_secs(1)));
    let soon = waits.then_some(PATIENCE);
    planned.into_iter().chain(soon).min().map_or_else(Action::await_change, Action::requeue)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_that_waits_is_reconciled_soon_whatever_else_is_planned() {
        let (second, hour) = (Duration::from_secs(1), Duration::from_hours(1));
        assert_eq!(next_look(None, false), Action::await_change());
        assert_eq!(next_look(None, true), Action::requeue(PATIENCE));
        assert_eq!(next_look(Some(hour), false), Action::requeue(hour));
        assert_eq!(next_look(Some(hour), true), Action::requeue(PATIENCE));
        assert_eq!(next_look(Some(second), true), Action::requeue(second));
        // An overdue query is not reconciled without a pause.
        assert_eq!(next_look(Some(Duration::ZERO), false), Action::requeue(second));
    }
}
