//! Types that every part of Wanqu shares: names, columns and their classes, the node bundle, questions, answers and refusals.
//!
//! Values alone: nothing here reads a file, opens a connection, plans a query or knows of Kubernetes.

pub mod aggregates;
pub mod answer;
pub mod audience;
pub mod bundle;
pub mod columns;
pub mod listing;
pub mod names;
mod reason;
pub mod receipt;
pub mod refusal;
pub mod report;
pub mod schema;
mod text;

pub use reason::io_reason;
