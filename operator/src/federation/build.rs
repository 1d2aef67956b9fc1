//! Step 3: compile. Pure.

use std::time::Instant;

use wanqu_crds::{Resources, partial};

use super::dereference::Inputs;
use crate::compilation::Compilation;

/// Compiles `declared`; returns none if the same inputs have been compiled already, and then does not ask for it.
pub(super) fn build(
    inputs: &Inputs,
    declared: impl FnOnce() -> Resources,
    before: Option<&Compilation>,
    now: Instant,
) -> Option<Compilation> {
    let fingerprint = inputs.fingerprint();
    if before.is_some_and(|before| before.fingerprint == fingerprint) {
        return None;
    }
    let resources = declared();
    let federation = resources.federations.first().map(|federation| federation.name().to_owned()).unwrap_or_default();
    let outcome = partial(&resources, &inputs.placements);
    Some(Compilation::new(&federation, inputs.states.clone(), fingerprint, outcome, before, now))
}
