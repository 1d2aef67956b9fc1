//! Bed of the operator's tests. The control plane has no controllers of its own, so a test itself writes the status that a
//! kubelet would write.

#![allow(clippy::must_use_candidate, reason = "called by tests alone")]

pub mod bed;
pub mod guard;
pub mod rights;
