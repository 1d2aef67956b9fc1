//! What describes data and who may ask for it: common tables, datasets, policies, agreements and projects. Nothing is
//! made of them one by one; the federation's controller compiles them together, and each gets its conditions here.

mod agreed;
mod agreement;
mod claims;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt;
use kube::core::object::HasStatus;
use kube::runtime::controller::Action;
use wanqu_crds::kinds::{CommonTable, Dataset, DisclosurePolicy, ResearchProject, Status};

use crate::framework::conditions::Claim;
use crate::framework::status::{self, Reported};
use crate::framework::{Context, Guarded, Result};
use crate::realm::{Seen, Verdict};

/// A kind that only describes.
pub trait Described: Reported + HasStatus<Status = Status> {
    /// What holds of it by itself, once it is known to be in order, and until when that is so at the most.
    fn standing(&self, _context: &Context) -> (Vec<Claim>, Option<Timestamp>) {
        (Vec::new(), None)
    }
}

impl Described for CommonTable {}
impl Described for Dataset {}
impl Described for DisclosurePolicy {}
impl Described for ResearchProject {}

/// Says of one resource whether it is in order.
///
/// # Errors
/// When its status cannot be written.
pub async fn reconcile<K: Described>(object: Arc<Guarded<K>>, context: Arc<Context>) -> Result<Action> {
    // Dereference: which federation speaks of it, and what that was compiled to.
    let namespace = object.namespace().unwrap_or_default();
    let realm = context.realms.get(&namespace);
    let Some(_) = context.catalogue.federation(&namespace) else {
        context.realms.forget(&namespace);
        let claims = claims::without_federation(&namespace);
        status::report(&context.client, &object, &claims, context.clock.now()).await?;
        return Ok(Action::await_change());
    };
    // Validate: what is said of the state that is seen here. If that was not compiled yet, it will be, and then this is
    // asked for again.
    let verdict = realm.map_or(Verdict::Unseen, |realm| realm.verdict(&Seen::of(&*object)));
    if verdict == Verdict::Unseen {
        return Ok(Action::await_change());
    }
    // Build and report.
    let (standing, until) = object.read().map(|object| object.standing(&context)).unwrap_or_default();
    let claims = claims::claims(&verdict, standing);
    status::report(&context.client, &object, &claims, context.clock.now()).await?;
    Ok(until.map_or_else(Action::await_change, |until| {
        // A moment later than the end, and never further off than a timer can be set.
        Action::requeue((context.clock.until(until) + Duration::from_millis(500)).min(Duration::from_hours(24)))
    }))
}
