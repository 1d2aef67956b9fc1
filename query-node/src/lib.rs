//! The Wanqu query node. One room per step of a query, in the order in which a query passes them:
//!
//! ```text
//! gateway → planner → exchange ══ border ══ admission → engine → gate → audit → exchange ══ border ══ merge
//! ```
//!
//! The rooms that decide (`planner`, `admission`, the rules of `gate`) do no I/O.

pub mod admission;
pub mod audit;
pub mod bundle_file;
pub mod catalog;
pub mod cli;
pub mod clock;
pub mod daemon;
pub mod engine;
pub mod exchange;
pub mod fragment;
pub mod gate;
pub mod gateway;
pub mod home;
pub mod local;
pub mod merge;
pub mod node;
pub mod observe;
pub mod owner;
pub mod planner;
pub mod results;
pub mod sources;
pub mod state;
pub mod supervisor;
pub mod telemetry;
pub mod trace;

/// The words of questions, answers and refusals: a crate of its own, for clients need them without the engine.
pub use wanqu_client::{answer, refusal};
/// Authorities, certificates, trust and tokens: a crate of its own, for the operator needs them without the engine.
pub use wanqu_identity as identity;
