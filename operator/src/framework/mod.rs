//! Parts that every controller is built of.
//!
//! - [`guarded`]: an object that cannot be read does not stop the watch of its kind.
//! - [`watched`]: one watch per kind, whose events are routed to the queues of controllers.
//! - [`queue`] and [`controller`]: requests to reconcile an object, a reconciler, and what happens when it fails.
//! - [`apply`]: the only way in which objects are written: server-side apply, and only where something differs.
//! - [`remembered`]: Secrets, which are not watched.
//! - [`status`] and [`conditions`]: the only way in which a status is written.
//! - [`leader`] and [`term`]: of several operators, the one that holds the lease works, and writes only as long as it does.
//! - [`tasks`] and [`health`]: supervision of everything that runs long, and how it fares.
//! - [`observe`]: liveness, readiness and metrics over HTTP.
//!
//! A new kind needs a watch in [`watched::Catalogue`], a reconciler, and a line in [`crate::run`].

pub mod apply;
pub mod clock;
pub mod conditions;
pub mod controller;
pub mod error;
pub mod events;
pub mod findings;
pub mod guarded;
pub mod hash;
pub mod health;
pub mod labels;
pub mod leader;
mod lease;
pub mod matches;
pub mod metrics;
pub mod observe;
pub mod quantity;
pub mod queue;
pub mod remembered;
pub mod status;
pub mod tapped;
pub mod tasks;
pub mod term;
pub mod watched;

pub use clock::Clock;
pub use error::{Error, Result};
pub use guarded::Guarded;
pub use queue::Queue;
