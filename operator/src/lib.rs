//! Operator of Wanqu: turns the resources of a federation into running nodes, and reports in their conditions what is
//! wrong and what to do about it.
//!
//! ```text
//!                       ┌─▶ described    a condition for every Dataset, policy, agreement …
//! federation ─▶ Compilation ──┤
//!   compiles            └─▶ jurisdiction identities, bundle and workload of one node
//! ```
//!
//! One controller per kind that has a status writes it, and no other. The federation's controller compiles; the
//! others read the result from [`Compilations`](compilation::Compilations), and everything else from the stores of
//! [`framework`].

pub mod compilation;
pub mod context;
pub mod described;
pub mod federated_query;
pub mod federation;
pub mod framework;
pub mod grants;
pub mod holdings;
pub mod host;
pub mod jurisdiction;
pub mod latest;
pub mod names;
pub mod node_reports;
pub mod peer_agreements;
pub mod peers;
pub mod queues;
pub mod resolvers;
pub mod run;
pub mod runs;
pub mod settings;
pub mod source_reports;
pub mod sources;

pub use run::run;
pub use settings::Settings;
