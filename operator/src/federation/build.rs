//! Step 3: compile. Pure.

use std::time::Instant;

use wanqu_crds::{Resources, check};

use super::dereference::Inputs;
use crate::realm::Realm;

/// What that which is declared compiles to; nothing if that is known already, and then `declared` is not even asked.
pub(super) fn build(
    inputs: &Inputs,
    declared: impl FnOnce() -> Resources,
    before: Option<&Realm>,
    now: Instant,
) -> Option<Realm> {
    let fingerprint = inputs.fingerprint();
    if before.is_some_and(|before| before.fingerprint == fingerprint) {
        return None;
    }
    let resources = declared();
    let federation = resources.federations.first().map(|federation| federation.name().to_owned()).unwrap_or_default();
    let outcome = check(&resources, &inputs.placements);
    Some(Realm::new(&federation, inputs.seen.clone(), fingerprint, outcome, before, now))
}
