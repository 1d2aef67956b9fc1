//! The operator: it turns the resources of a federation into running nodes, and says in their conditions what is right
//! and what to do about what is not.
//!
//! ```text
//!                       ┌─▶ described    a condition for every Dataset, policy, agreement …
//! federation ─▶ Realm ──┤
//!   compiles            └─▶ jurisdiction identities, bundle and workload of one node
//! ```
//!
//! One controller per kind writes that kind's status and nothing else's. The controllers of what is described and of
//! jurisdictions read what the federation's controller compiled from a [`Realm`](realm::Realm); everything else they
//! need, they see in the stores that [`framework`] keeps.

pub mod described;
pub mod federated_query;
pub mod federation;
pub mod framework;
pub mod hearsay;
pub mod jurisdiction;
pub mod names;
pub mod observed;
pub mod placed;
pub mod queues;
pub mod realm;
pub mod resolvers;
pub mod run;
pub mod settings;

pub use run::run;
pub use settings::Settings;
