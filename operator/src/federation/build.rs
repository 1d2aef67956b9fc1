//! Step 3: compile. Pure.

use std::time::Instant;

use wanqu_crds::{Resources, partial};

use super::dereference::Inputs;
use crate::compilation::Compilation;

/// Compiles `declared` for the Federation of this name, which may be one that cannot be read; returns none if the same inputs have been compiled already, and then does not ask for it.
pub(super) fn build(
    federation: &str,
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
    let outcome = partial(&resources, &inputs.placements);
    Some(Compilation::new(federation, inputs.states.clone(), fingerprint, outcome, before, now))
}
