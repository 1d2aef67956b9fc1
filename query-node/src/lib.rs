//! The Wanqu query node: what acts on what the crates below it decide. One room per step of a query, in the order in which
//! a query passes them:
//!
//! ```text
//! gateway → home → exchange ══ border ══ owner: engine over sources → audit → exchange ══ border ══ merge
//! ```
//!
//! Deciding is elsewhere: what is admitted and how a query is split in `wanqu-rules`, what is released in `wanqu-gate`.

pub mod audit;
pub mod bundle_file;
pub mod clock;
pub mod daemon;
pub mod doors;
pub mod engine;
pub mod exchange;
pub mod gateway;
pub mod home;
pub mod lease;
pub mod ledger;
pub mod merge;
pub mod node;
pub mod observe;
pub mod owner;
pub mod results;
pub mod sources;
pub mod state;
pub mod stay;
pub mod supervisor;
pub mod telemetry;
pub mod threads;
pub mod trace;
