//! Step 3: compile. Pure.

use std::time::Instant;

use wanqu_crds::check;

use super::dereference::Inputs;
use crate::realm::Realm;

/// What the inputs compile to; nothing if that is known already.
pub(super) fn build(inputs: &Inputs, before: Option<&Realm>, now: Instant) -> Option<Realm> {
    let fingerprint = inputs.fingerprint();
    if before.is_some_and(|before| before.fingerprint == fingerprint) {
        return None;
    }
    let federation = inputs.resources.federations.first().map(|federation| federation.name().to_owned());
    let outcome = check(&inputs.resources, &inputs.placements);
    let federation = federation.unwrap_or_default();
    Some(Realm::new(&federation, inputs.seen.clone(), fingerprint, outcome, before, now))
}
