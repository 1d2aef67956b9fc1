//! The operator against a real API server. Nothing here needs a running pod: the control plane has no controllers of its
//! own, so a test itself writes the status that a kubelet would write.

mod agreed;
#[path = "../shared/bed.rs"]
mod bed;
mod conditions;
mod copies;
mod corpus;
mod cut;
mod drift;
#[path = "../shared/guard.rs"]
mod guard;
mod identities;
mod leader;
mod malformed;
mod mutations;
mod observe;
mod placement;
mod pods;
mod quiet;
mod rbac;
#[path = "../shared/rights.rs"]
mod rights;
mod scale;
