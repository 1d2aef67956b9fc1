//! Client of a node's gateway, without the engine: questions, answers, refusals and the connection.
//!
//! ```text
//! Question ──▶ Client ── Flight over TLS 1.3 ──▶ gateway
//!   Answer ◀── Event: progress, schema, rows, …, Summary ◀──
//! ```
//!
//! The node uses the same types, so that both ends of the wire have one definition. The command line, the operator and
//! the tests ask through [`Client`].

pub mod begun;
mod client;
pub mod connect;
pub mod csv;
pub mod decode;
pub mod json;
pub mod note;
pub mod reason;
pub mod status;
pub mod wire;

pub use begun::Unanswered;
pub use client::Client;
