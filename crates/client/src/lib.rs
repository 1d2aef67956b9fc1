//! What a client of a node's gateway needs, without the engine: the words of a question and of its answer, the refusal
//! that explains itself, and the connection.
//!
//! ```text
//! Question ──▶ Client ── Flight over TLS 1.3 ──▶ gateway
//!   Answer ◀── Event: progress, schema, rows, …, Summary ◀──
//! ```
//!
//! The node uses the same words, so that both ends of the wire have one definition. The command line, the operator and
//! the tests ask through [`Client`].

pub mod again;
mod client;
pub mod connect;
pub mod note;
pub mod reason;
pub mod status;
mod unanswered;
pub mod wire;

pub use client::Client;
pub use unanswered::Unanswered;
