//! Federations: everything in their namespace is compiled together.
//!
//! ```text
//! dereference  every resource of the namespace, the members' authorities, the token issuer's key
//! validate     which Federation speaks for the namespace; whether anything changed since
//! build        compile
//! apply        the token issuer's Secret; the realm, from which the other controllers read
//! status       conditions
//! ```

mod apply;
mod build;
mod dereference;
mod resources;
mod status;
mod validate;

use std::sync::Arc;
use std::time::{Duration, Instant};

use kube::ResourceExt;
use kube::runtime::controller::Action;
use wanqu_crds::kinds::Federation;

use crate::framework::{Context, Guarded, Result};
pub(crate) use apply::token_issuer;

/// Compiles the namespace of a federation and says how it stands.
///
/// # Errors
/// When the API server refuses.
pub async fn reconcile(object: Arc<Guarded<Federation>>, context: Arc<Context>) -> Result<Action> {
    let namespace = object.namespace().unwrap_or_default();
    let issuer = token_issuer(&context, &namespace).await?;
    let inputs = dereference::dereference(&context, &namespace, issuer.as_ref());
    if validate::speaks_for(&context.catalogue, &object, &namespace) {
        let declared = || resources::resources(&context.catalogue, &namespace);
        let realm = build::build(&inputs, declared, context.realms.get(&namespace).as_deref(), Instant::now());
        if let Some(realm) = realm {
            apply::publish(&context, &namespace, realm);
        }
    }
    let realm = context.realms.get(&namespace);
    if let Some(wait) = realm.as_ref().and_then(|realm| realm.unsettled(Instant::now())) {
        // More changes are on their way: nothing is said until they are here.
        return Ok(Action::requeue(wait));
    }
    let current = status::current(&inputs.members, realm.as_ref()).await;
    let claims = status::claims(&object, &inputs, realm.as_deref(), &current);
    crate::framework::status::report(&context.client, &object, &claims, context.clock.now()).await?;
    Ok(Action::requeue(Duration::from_hours(1)))
}
