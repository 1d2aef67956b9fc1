//! Kinds that describe data and who may ask for it: common tables, datasets, policies, agreements and projects. No
//! object is made of one of them alone; the federation's controller compiles them together, and each gets its
//! conditions here.

mod agreed;
mod agreement;
mod claims;
mod dataset;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt;
use kube::core::object::HasStatus;
use kube::runtime::controller::Action;
use wanqu_crds::kinds::{CommonTable, DisclosurePolicy, ResearchProject, Status};

use crate::compilation::{ObjectState, Verdict};
use crate::context::Context;
use crate::framework::conditions::Claim;
use crate::framework::status::{self, Reported};
use crate::framework::{Guarded, Result};

/// A kind that makes no objects of its own.
pub trait Described: Reported + HasStatus<Status = Status> {
    /// Returns the conditions that only this kind has, for an object that is valid, and the time at which they may
    /// change.
    fn own_conditions(&self, _context: &Context) -> (Vec<Claim>, Option<Timestamp>) {
        (Vec::new(), None)
    }

    /// Returns true if the nodes that its conditions speak of have reported. Until then nothing is said of it; their reports
    /// queue it again.
    fn is_reported(&self, _context: &Context) -> bool {
        true
    }
}

impl Described for CommonTable {}
impl Described for DisclosurePolicy {}
impl Described for ResearchProject {}

/// Reports the conditions of one resource.
///
/// # Errors
/// If its status cannot be written.
pub async fn reconcile<K: Described>(object: Arc<Guarded<K>>, context: Arc<Context>) -> Result<Action> {
    // Dereference: the federation of its namespace, and what that was compiled to.
    let namespace = object.namespace().unwrap_or_default();
    let compilation = context.compilations.get(&namespace);
    let Some(_) = context.catalogue.federation(&namespace) else {
        context.compilations.forget(&namespace);
        let claims = claims::without_federation(&namespace);
        status::report(&context.client, &object, &claims, context.clock.now()).await?;
        return Ok(Action::await_change());
    };
    // Validate: what was found in the state that is seen here. If that has not been compiled yet, it is queued again
    // when it has.
    let verdict =
        compilation.map_or(Verdict::NotCompiled, |compilation| compilation.verdict(&ObjectState::of(&*object)));
    if verdict == Verdict::NotCompiled {
        return Ok(Action::await_change());
    }
    if object.read().is_some_and(|object| !object.is_reported(&context)) && !matches!(verdict, Verdict::Invalid(_)) {
        return Ok(Action::await_change());
    }
    // Build and report.
    let (own_conditions, until) = object.read().map(|object| object.own_conditions(&context)).unwrap_or_default();
    let claims = claims::claims(&verdict, own_conditions);
    status::report(&context.client, &object, &claims, context.clock.now()).await?;
    Ok(until.map_or_else(Action::await_change, |until| {
        // A moment later than the end, and never further off than a timer can be set.
        Action::requeue((context.clock.until(until) + Duration::from_millis(500)).min(Duration::from_hours(24)))
    }))
}
