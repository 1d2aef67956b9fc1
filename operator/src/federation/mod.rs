//! Federations: everything in their namespace is compiled together.
//!
//! ```text
//! dereference  every resource of the namespace, the members' authorities, the token issuer's key
//! validate     that this Federation is the one of its namespace
//! build        compile
//! apply        the token issuer's Secret; the compilation, from which the other controllers read
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

use crate::context::Context;
use crate::framework::{Error, Guarded, Result};
pub(crate) use apply::token_issuer;

/// Compiles the namespace of a federation and reports its conditions.
///
/// # Errors
/// If the API server refuses a write.
pub async fn reconcile(object: Arc<Guarded<Federation>>, context: Arc<Context>) -> Result<Action> {
    let namespace = object.namespace().unwrap_or_default();
    // A key that cannot be read affects only questions from Kubernetes. It must not keep a federation from being
    // compiled, or no certificate would be renewed after a restart.
    let (issuer, fault) = match token_issuer(&context, &namespace).await {
        Ok(issuer) => (issuer, None),
        Err(error) => (None, Some(error)),
    };
    let inputs = dereference::dereference(&context, &namespace, issuer.as_ref());
    // While the API server does not answer, a key that was there a moment ago is not taken out of the bundles.
    let passing = fault.as_ref().is_some_and(Error::is_passing);
    if !passing && validate::speaks_for(&context.catalogue, &object, &namespace) {
        let declared = || resources::resources(&context.catalogue, &namespace);
        let before = context.compilations.get(&namespace);
        let compilation = build::build(&object.name_any(), &inputs, declared, before.as_deref(), Instant::now());
        if let Some(compilation) = compilation {
            apply::publish(&context, &namespace, compilation);
        }
    }
    let compilation = context.compilations.get(&namespace);
    if let Some(wait) = compilation.as_ref().and_then(|compilation| compilation.unsettled(Instant::now())) {
        // More changes are on their way: nothing is reported before they are here.
        return Ok(Action::requeue(wait));
    }
    let current = status::current(&inputs.members, compilation.as_ref()).await;
    let issuing = status::issuing(issuer.is_some(), fault.as_ref());
    let claims = status::claims(&object, &inputs, compilation.as_deref(), &current, issuing);
    crate::framework::status::report(&context.client, &object, &claims, context.clock.now()).await?;
    fault.map_or(Ok(Action::requeue(Duration::from_hours(1))), Err)
}
